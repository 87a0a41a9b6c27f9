"""WHEP: a player that only shows is sent the room's picture, and goes on when the picture's sender changes.

The player here is aiortc; GStreamer is in test_gstreamer.py, a browser in tests/browser/test_whep.py.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiortc import RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamTrack, VideoStreamTrack

from loadtests.caller import Caller
from server.config import RoomsConfig
from tests.helpers.peer import Publisher, connection
from tests.helpers.served import Answered, Served, served
from tests.helpers.udp_peers import until

SDP = {"Content-Type": "application/sdp"}


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


class Player:
    """aiortc behind a WHEP address."""

    def __init__(self, server: Served, target: str = "/whep/ward") -> None:
        self.peer = connection()
        self.tracks: dict[str, MediaStreamTrack] = {}
        self.answer: Answered | None = None
        self._server, self._target = server, target
        self.peer.on("track", self._take)

    def _take(self, track: MediaStreamTrack) -> None:
        self.tracks[track.kind] = track

    async def play(self, *kinds: str, codec: str = "") -> Answered:
        """Offer to receive these kinds; returns the server's answer."""
        for kind in kinds or ("video", "audio"):
            transceiver = self.peer.addTransceiver(kind, direction="recvonly")
            if codec and kind == "video":
                transceiver.setCodecPreferences(_codecs(codec))
        await self.peer.setLocalDescription(await self.peer.createOffer())
        headers = self._server.bearer("observer") | SDP
        self.answer = await self._server.ask(
            "POST", self._target, headers, self.peer.localDescription.sdp.encode()
        )
        if self.answer.status == 201:
            await self.peer.setRemoteDescription(RTCSessionDescription(self.answer.body.decode(), "answer"))
        return self.answer

    async def sizes(self, count: int) -> list[tuple[int, int]]:
        """Receive so many pictures."""
        async with asyncio.timeout(30):
            frames = [await self.tracks["video"].recv() for _ in range(count)]
        return [(frame.width, frame.height) for frame in frames]


def _codecs(name: str) -> list[object]:
    return [
        codec for codec in RTCRtpSender.getCapabilities("video").codecs if codec.name.upper() in {name, "RTX"}
    ]


@contextlib.asynccontextmanager
async def playing(server: Served, target: str = "/whep/ward", **wishes: str) -> AsyncIterator[Player]:
    player = Player(server, target)
    try:
        assert (await player.play(**wishes)).status == 201
        yield player
    finally:
        await player.peer.close()


@contextlib.asynccontextmanager
async def publishing(server: Served, codec: str = "VP8") -> AsyncIterator[Publisher]:
    """Send a field of 640x480 and sound."""
    async with Caller(server.url, server.token("surgeon")) as caller:
        publisher = Publisher(caller)
        publisher.peer.addTransceiver(VideoStreamTrack(), "sendonly").setCodecPreferences(_codecs(codec))
        publisher.peer.addTransceiver(AudioStreamTrack(), "sendonly")
        try:
            await publisher.publish("field", tracks=False)
            yield publisher
        finally:
            await publisher.close()


async def test_a_wall_is_sent_the_field_and_goes_on_with_the_next(running: Served) -> None:
    async with playing(running) as wall:
        answer = wall.answer
        assert answer is not None
        # one offer for all time: every codec stays, no stream is promised
        for line in (b"VP8/90000", b"H264/90000", b"a=rtcp-mux-only", b"a=ice-options:trickle ice2"):
            assert line in answer.body
        assert b"a=ssrc" not in answer.body
        async with publishing(running, "VP8"):
            assert await wall.sizes(3) == [(640, 480)] * 3
            async with asyncio.timeout(30):
                assert (await wall.tracks["audio"].recv()).sample_rate == 48000
        (conductor,) = running.service.rooms.values()
        await until(lambda: not conductor.room.producers, 30)
        assert wall.peer.connectionState == "connected"
        async with publishing(running, "H264"):
            # what was left of the old one, then the new one in another codec
            streams = wall.peer.getReceivers()[0]
            await until(lambda: len(streams.getSynchronizationSources()) > 0, 30)
            assert (640, 480) in await wall.sizes(3)
        location = answer.headers["location"]
        assert (await running.ask("DELETE", location, running.bearer("observer"))).status == 200
        await until(lambda: wall.peer.connectionState == "closed", 30)
        await until(lambda: not running.service.rooms, 30)


async def test_everybody_sees_who_watches(running: Served) -> None:
    async with Caller(running.url, running.token("surgeon")) as surgeon:
        async with playing(running) as wall:
            shown = (await surgeon.notice("participant"))["participant"]
            assert shown["role"] == "observer"
            await until(lambda: wall.peer.connectionState == "connected", 30)
        # the player hung up without a DELETE
        assert (await surgeon.notice("participant_left"))["participant"] == shown["participant"]
        assert wall.answer is not None
        location = wall.answer.headers["location"]
        assert (await running.ask("GET", location, running.bearer("observer"))).status == 404


async def test_a_named_picture_ends_its_player(running: Served) -> None:
    async with publishing(running) as publisher:
        (conductor,) = running.service.rooms.values()
        video = next(p.producer for p in conductor.room.producers if p.kind == "video")
        sound = next(p.producer for p in conductor.room.producers if p.kind == "audio")
        for wrong, status in ((video + 100, 404), (sound, 404), ("seven", 400), ("", 400)):
            player = Player(running, f"/whep/ward?producer={wrong}")
            assert (await player.play()).status == status
            await player.peer.close()
        async with playing(running, f"/whep/ward?producer={video}") as wall:
            assert await wall.sizes(1) == [(640, 480)]
            await publisher.caller.request("unpublish", producer=video)
            await until(lambda: wall.peer.connectionState == "closed", 30)


async def test_a_player_that_cannot_show_the_picture_is_told(running: Served) -> None:
    async with publishing(running, "VP8"):
        player = Player(running)
        answer = await player.play("video", codec="H264")
        assert (answer.status, answer.json()["message"]) == (
            422,
            "The picture is VP8, which the offer does not take.",
        )
        await player.peer.close()
        # a source that is not sent leaves the player waiting
        async with playing(running, "/whep/ward?source=screen") as wall:
            (conductor,) = running.service.rooms.values()
            member = next(m for m in conductor.members.values() if m.role == "observer")
            assert member.watching is not None
            await until(lambda: wall.peer.connectionState == "connected", 30)
            assert not conductor.router.subscribers[member.watching.transport.id].watched()


@pytest.mark.parametrize(
    ("target", "content_type", "body", "status"),
    [
        ("/whep/ward", "application/sdp", b"", 400),
        ("/whep/ward", "application/sdp", b"\xff\xfe" * 100, 400),
        ("/whep/ward", "application/sdp", b"v" * 200_000, 400),
        ("/whep/ward", "application/sdp", b"v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n", 422),
        ("/whep/ward", "text/plain", b"v=0\r\n", 415),
        ("/whep/ward?source=nose", "application/sdp", b"v=0\r\n", 400),
        ("/whep/ward?source=microphone", "application/sdp", b"v=0\r\n", 400),
        ("/whep/ward?producer=7", "application/sdp", b"v=0\r\n", 404),
        ("/whep/other", "application/sdp", b"v=0\r\n", 403),
        ("/whep/.ward", "application/sdp", b"v=0\r\n", 404),
    ],
)
async def test_what_is_refused_opens_nothing(
    running: Served, target: str, content_type: str, body: bytes, status: int
) -> None:
    headers = running.bearer("observer") | {"Content-Type": content_type}
    answer = await running.ask("POST", target, headers, body)
    assert answer.status == status
    assert answer.json()["message"].endswith(".")
    assert not running.service.rooms
    assert (await running.ask("POST", target, SDP, body)).status == 401


async def test_a_full_room_takes_no_wall(tmp_path: Path) -> None:
    async with (
        served(tmp_path, rooms=RoomsConfig(participants=2)) as server,
        Caller(server.url, server.token("expert")),
        Caller(server.url, server.token("expert", "Dr. B")),
    ):
        player = Player(server)
        answer = await player.play()
        assert (answer.status, answer.headers["retry-after"]) == (503, "2")
        await player.peer.close()
