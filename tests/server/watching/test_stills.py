"""A still is exactly the frame that was asked for, at its full size; what cannot be given is said in a sentence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from loadtests.caller import calling
from media.codecs import BY_CODEC, h264
from media.codecs.packetisation import join_annex_b
from media.ids import ProducerId
from media.plane import Codec
from media.rtp.packet import RtpPacket
from server.demo import barcode
from server.demo.clip import SMALL
from server.watching.stills import StillError
from tests.helpers.publishing import publishing, small_clip
from tests.helpers.served import Served, served
from tests.helpers.udp_peers import until
from tests.helpers.watching_client import WatchingClient


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


def read_barcode(png: bytes) -> int | None:
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return barcode.read(np.asarray(picture, np.uint8))


def decode(packets: list[bytes]) -> dict[int, tuple[int | None, int, int]]:
    """Decode what a receiver was sent: by RTP timestamp the frame's number, width and height.

    It asks for no repeats: after a packet that a full socket lost it goes on at the next key frame.
    """
    frames: dict[int, list[RtpPacket]] = {}
    for data in packets:
        packet = RtpPacket.parse(data)
        frames.setdefault(packet.timestamp, []).append(packet)
    decoder = av.CodecContext.create("h264", "r")
    seen: dict[int, tuple[int | None, int, int]] = {}
    expected: int | None = None
    for timestamp, parts in frames.items():
        first, count = parts[0].sequence_number, len(parts)
        whole = parts[-1].marker and [p.sequence_number for p in parts] == [
            (first + n) & 0xFFFF for n in range(count)
        ]
        if not whole or (first != expected and not BY_CODEC[Codec.H264].starts_key_frame(parts[0].payload)):
            expected = None
            continue
        expected = (first + count) & 0xFFFF
        units = join_annex_b(h264.depacketise([part.payload for part in parts if part.payload]))
        for frame in decoder.decode(av.Packet(units)):
            seen[timestamp] = (barcode.read(frame.to_ndarray(format="gray")), frame.width, frame.height)
    return seen


async def seen_by(client: WatchingClient, frames: int) -> dict[int, tuple[int | None, int, int]]:
    """Decode what a client was sent, once so many frames can be."""
    for _ in range(30):
        if len(seen := decode(client.plane.packets)) >= frames:
            return seen
        await client.receive(30)
    raise AssertionError(f"only {len(seen)} of {frames} frames came whole")


async def test_a_still_is_the_very_frame(running: Served) -> None:
    async with (
        calling(running.url, running.token("expert", "Dr. E")) as (expert,),
        publishing(running, small_clip(), frames=SMALL.frames),
    ):
        # another decoder, at the other end of the wire, says which number the frame of a timestamp bears
        client = WatchingClient(expert)
        try:
            await client.answer()
            producer = ProducerId(client.offer["consumers"][0]["producer"])
            seen = await seen_by(client, 60)
            room = running.service.rooms["ward"]
            # not the newest alone: one in the middle of a group of pictures, and one of the group before
            chosen = [list(seen)[-2], list(seen)[-9], list(seen)[-33]]
            stills = await asyncio.gather(*(room.watcher.still(producer, timestamp) for timestamp in chosen))
            for timestamp, still in zip(chosen, stills, strict=True):
                number, width, height = seen[timestamp]
                assert number is not None
                assert (read_barcode(still.png), still.width, still.height) == (number, width, height)
            with pytest.raises(StillError, match="newer one"):
                await room.watcher.still(producer, (chosen[0] + 1) & 0xFFFFFFFF)
            with pytest.raises(StillError, match="no frames"):
                await room.watcher.still(ProducerId(999), chosen[0])
        finally:
            await client.close()


async def test_nothing_is_kept_where_nobody_draws(running: Served) -> None:
    async with publishing(running, small_clip(), frames=SMALL.frames):
        await until(
            lambda: "ward" in running.service.rooms and bool(running.service.rooms["ward"].room.producers), 30
        )
        room = running.service.rooms["ward"]
        (field,) = room.router.producers.values()
        async with calling(running.url, running.token("trainee", "M. S.")):
            assert not field.claims
            async with calling(running.url, running.token("expert", "Dr. E")) as (expert,):
                assert field.claims == {"watching"}
                await until(lambda: room.watcher.kept > 0, 30)
                await expert.request("leave")
            await until(lambda: not field.claims, 30)
            assert room.watcher.kept == 0
