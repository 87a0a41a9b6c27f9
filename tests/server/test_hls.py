"""A recording as HLS: FFmpeg's player reads the frames of the container, and a cache may ask who may see it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import av
import pytest

from media.plane import Codec
from recorder.export.preparing import prepare
from tests.helpers.journal_media import camera, encode, encode_sound, record, sound, video
from tests.helpers.journals import RECORDING
from tests.helpers.played import played
from tests.helpers.served import Served, served

Read = list[tuple[int | None, bytes]]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


def recorded(server: Served) -> Path:
    """Put two cameras into the archive, of H.264 with sound and of VP8."""
    packets = [
        *video(7, Codec.H264, encode(Codec.H264, 120, 40)),
        *sound(8, encode_sound(200)),
        *video(9, Codec.VP8, encode(Codec.VP8)),
    ]
    packets.sort(key=lambda packet: packet.at)
    cameras = [camera(7), camera(8, Codec.OPUS), camera(9, Codec.VP8, source="second")]
    folder = record(server.folder / "recordings" / RECORDING, cameras, packets)
    prepare(folder)
    return folder


def read(address: str, kind: str, headers: str = "") -> Read:
    """Let FFmpeg demux all packets of a kind: presentation in ms, bytes."""
    options = {"headers": headers} if headers else {}
    with av.open(address, options=options) as container:
        stream = container.streams.get({kind: 0})[0]
        return [
            (
                round(float(packet.pts * stream.time_base) * 1000) if packet.pts is not None else None,
                bytes(packet),
            )
            for packet in container.demux(stream)
            if packet.size
        ]


async def test_ffmpeg_plays_a_recording_as_hls(running: Served) -> None:
    folder = await asyncio.to_thread(recorded, running)
    bearer = running.bearer("trainee", room="demo")
    base = f"/api/recordings/{RECORDING}"
    headers = "".join(f"{name}: {value}\r\n" for name, value in bearer.items())

    index = await running.ask("GET", f"{base}/7/index.m3u8", bearer)
    assert index.headers["content-type"] == "application/vnd.apple.mpegurl"
    text = index.body.decode()
    assert 'CODECS="avc1.42c0' in text
    assert "RESOLUTION=320x240" in text
    assert 'URI="../8/track.m3u8"' in text
    listed = (await running.ask("GET", f"{base}/7/track.m3u8", bearer)).body.decode()
    assert [line for line in listed.splitlines() if line.endswith(".m4s")] == [
        "0-1.m4s",
        "2-3.m4s",
        "4-5.m4s",
    ]
    assert "#EXT-X-INDEPENDENT-SEGMENTS" in listed
    assert "#EXTINF:1.333333," in listed

    # the frames of the replay, by a player that knows nothing of ours
    for kind, producer in (("video", 7), ("audio", 8)):
        expected = await asyncio.to_thread(read, str(played(folder, producer)), kind)
        got = await asyncio.to_thread(read, f"{running.url}{base}/7/index.m3u8", kind, headers)
        assert [frame for _, frame in got] == [frame for _, frame in expected]
        assert [time for time, _ in got] == [time for time, _ in expected]

    # VP8 has no place in HLS, and it is said
    refused = await running.ask("GET", f"{base}/9/track.m3u8", bearer)
    assert refused.status == 404
    assert b"VP8" in refused.body
    assert (await running.ask("GET", f"{base}/9/0-0.m4s", bearer)).status == 404
    for wrong in ("3-2", "0-999", "6-6", "999999999-999999999"):
        assert (await running.ask("GET", f"{base}/7/{wrong}.m4s", bearer)).status == 404, wrong

    # who may not see it; and nothing says to a cache that it may keep it, since none was configured
    piece = f"{base}/7/0-1.m4s"
    given = await running.ask("GET", piece, bearer)
    assert given.status == 200
    assert given.headers["cache-control"] == "private, max-age=3600"
    assert "cdn-cache-control" not in given.headers
    assert (await running.ask("GET", piece)).status == 401
    assert (await running.ask("GET", piece, running.bearer("observer", room="demo"))).status == 403
    assert (await running.ask("GET", piece, running.bearer("trainee", room="ward"))).status == 404

    # a cache asks with what came to it: cookie or bearer, and the path
    for who, uri, status in (
        (bearer, piece, 204),
        (bearer, f"{base}/7/track.m3u8?x=1", 204),
        ({}, piece, 401),
        (running.bearer("observer", room="demo"), piece, 403),
        (running.bearer("trainee", room="ward"), piece, 404),
        (bearer, "/api/recordings/../../etc/passwd", 403),
        (bearer, "/api/exports/x", 403),
        (bearer, "", 403),
    ):
        answer = await running.ask("GET", "/api/authorise", {**who, "X-Original-URI": uri})
        assert answer.status == status, uri
