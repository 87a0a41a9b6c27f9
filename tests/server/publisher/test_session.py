"""The publisher against a WHIP server over real sockets, through the native plane."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

from media.codecs import h264
from media.codecs.packetisation import split_avcc
from media.plane import Extension
from media.rtp.extensions import AbsCaptureTime
from media.rtp.ntp import unix_from_ntp
from media.rtp.packet import RtpPacket
from media.rtp.rtcp import SenderReport
from server.publisher.session import ConnectionLostError, Session, Status, Wishes
from server.publisher.source import Source, SourceError
from server.publisher.whip import SessionEndedError, Whip, WhipError
from tests.helpers.clips import packets_of, write_clip
from tests.helpers.udp_peers import until
from tests.helpers.whip_endpoint import WhipEndpoint, whip_endpoint

TOKEN = "secret-token"


@pytest.fixture
async def endpoint() -> AsyncIterator[WhipEndpoint]:
    """Serve WHIP."""
    async with whip_endpoint() as serving:
        yield serving


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine be late without that the session draws consequences."""
    monkeypatch.setattr("server.publisher.pacing.MOST_LATE", 60.0)
    monkeypatch.setattr("server.publisher.session.SILENCE", 60.0)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 20 pictures with sound."""
    return write_clip(tmp_path_factory.mktemp("media") / "clip.mkv", sound="libopus")


class Running:
    """A session in the background, and what it showed and said."""

    def __init__(self, endpoint: WhipEndpoint, clip: Path, *, loop: bool = False, modulus: int = 0) -> None:
        self.shown: list[Status] = []
        self.said: list[str] = []
        self._endpoint = endpoint
        self._source = Source(str(clip), loop=loop)
        self._wishes = Wishes("ward", "field", "Field & 视野", modulus)
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            async with Whip(self._endpoint.url, TOKEN) as whip:
                session = Session(
                    self._source, whip, self._wishes, show=self.shown.append, say=self.said.append
                )
                await session.run()
        finally:
            self._source.close()

    async def until(self, condition: object) -> None:
        assert callable(condition)
        await until(lambda: condition() or self.task.done())
        if self.task.done():
            self.task.result()
        assert condition()

    async def stop(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


async def test_a_file_arrives_bit_for_bit_and_the_session_is_ended(
    endpoint: WhipEndpoint, tmp_path: Path
) -> None:
    path = write_clip(tmp_path / "clip.mp4")
    running = Running(endpoint, path)
    await asyncio.wait_for(running.task, 30)
    await until(lambda: len(endpoint.frames()) == 20)
    received = [h264.depacketise(packet.payload for packet in frame) for frame in endpoint.frames()]
    in_file = [split_avcc(packet) for packet in packets_of(path)]
    assert [units[-len(own) :] for units, own in zip(received, in_file, strict=True)] == in_file
    # one timestamp a picture, 3,000 ticks apart, and no gap in the sequence numbers
    stamps = [{packet.timestamp for packet in frame} for frame in endpoint.frames()]
    assert all(len(stamp) == 1 for stamp in stamps)
    first = stamps[0].pop()
    assert [stamp.pop() - first for stamp in stamps[1:]] == [3000 * n for n in range(1, 20)]
    numbers = [packet.sequence_number for packet in endpoint.packets()]
    assert [number - numbers[0] & 0xFFFF for number in numbers] == list(range(len(numbers)))
    # goodbyes on both ways, and the token in each request's header only
    await until(lambda: endpoint.said_goodbye)
    assert [(method, path_) for method, path_, _ in endpoint.requests] == [
        ("POST", "/whip/ward"),
        ("DELETE", "/whip/ward/session-1"),
    ]
    assert {authorisation for _, _, authorisation in endpoint.requests} == {f"Bearer {TOKEN}"}
    assert endpoint.queries == [{"source": "field", "label": "Field & 视野"}]


async def test_pictures_are_paced_and_bear_the_time_of_sending(endpoint: WhipEndpoint, clip: Path) -> None:
    before = time.time_ns()
    running = Running(endpoint, clip)
    await asyncio.wait_for(running.task, 30)
    await until(lambda: len(endpoint.frames()) == 20)
    identifier = endpoint.tracks[0].extensions[Extension.ABS_CAPTURE_TIME]
    told = {
        frame[0].timestamp: AbsCaptureTime.parse(frame[0].extensions[identifier]).time
        for frame in endpoint.frames()
        if identifier in frame[0].extensions
    }
    # at both key frames at least; and their distance is that of the timestamps
    assert len(told) >= 2
    (stamp_a, time_a), (stamp_b, time_b) = sorted(told.items(), key=lambda item: item[1])[:2]
    assert abs((time_b - time_a) / 1e9 - (stamp_b - stamp_a) / 90_000) < 0.01
    assert before < time_a < time_b < time.time_ns()
    # sender reports tell the same clock
    reports = [packet for packet in endpoint.rtcp if isinstance(packet, SenderReport)]
    video = [report for report in reports if report.ssrc == endpoint.tracks[0].ssrc]
    assert video
    for report in video:
        expected = time_a + (report.rtp_timestamp - stamp_a) * 1_000_000_000 // 90_000
        assert abs(unix_from_ntp(report.ntp_time) - expected) < 10_000_000


async def test_sound_arrives_beside_the_picture(endpoint: WhipEndpoint, clip: Path) -> None:
    running = Running(endpoint, clip)
    await asyncio.wait_for(running.task, 30)
    await until(lambda: len(endpoint.frames()) == 20)
    sounds = endpoint.packets("audio")
    assert len(sounds) > 20
    steps = {b.timestamp - a.timestamp & 0xFFFFFFFF for a, b in itertools.pairwise(sounds)}
    # Matroska counts milliseconds: 20 or 21 of them
    assert steps <= {960 + 48 * n for n in (-1, 0, 1)}


async def test_a_loop_goes_on_until_it_is_stopped_and_then_says_goodbye(
    endpoint: WhipEndpoint, tmp_path: Path
) -> None:
    running = Running(endpoint, write_clip(tmp_path / "clip.mp4", frames=6, key_every=3), loop=True)
    await running.until(lambda: len(endpoint.frames()) >= 25)
    await running.stop()
    stamps = [frame[0].timestamp for frame in endpoint.frames()]
    assert {b - a & 0xFFFFFFFF for a, b in itertools.pairwise(stamps)} == {3000}
    assert endpoint.ended


async def test_a_lost_packet_is_sent_again(endpoint: WhipEndpoint, clip: Path) -> None:
    running = Running(endpoint, clip, loop=True)
    await running.until(lambda: len(endpoint.frames()) >= 3)
    lost = endpoint.frames()[1][0]
    endpoint.ask_again(lost.sequence_number)
    await running.until(lambda: endpoint.packets(repeats=True))
    repeat = endpoint.packets(repeats=True)[0]
    # RFC 4588: the original sequence number, then the payload
    assert repeat.payload == lost.sequence_number.to_bytes(2, "big") + lost.payload
    assert repeat.timestamp == lost.timestamp
    await running.until(lambda: running.shown and running.shown[-1].repeated == 1)
    await running.stop()


async def test_reports_and_wishes_of_the_server_are_shown(endpoint: WhipEndpoint, clip: Path) -> None:
    running = Running(endpoint, clip, loop=True)
    await running.until(lambda: any(isinstance(packet, SenderReport) for packet in endpoint.rtcp))
    endpoint.want_key_frame()
    endpoint.report()
    await running.until(lambda: running.shown and running.shown[-1].reception is not None)
    status = running.shown[-1]
    assert status.reception is not None
    assert status.reception.lost == 0.25
    assert status.reception.jitter == 0.01
    assert status.reception.round_trip is not None
    # since no delay is told, all that passed since the sender report
    assert 0 <= status.reception.round_trip < 20
    assert status.key_frames_wanted == 1
    assert status.frames_per_second > 1
    assert status.bits_per_second > 1000
    await running.stop()


async def test_sending_times_are_told_by_the_servers_clock(endpoint: WhipEndpoint, clip: Path) -> None:
    endpoint.ahead = 3_600_000
    running = Running(endpoint, clip, loop=True, modulus=20)
    await running.until(lambda: len(endpoint.barcodes) >= 2)
    await running.stop()
    first, second = endpoint.barcodes[:2]
    assert first["modulus"] == 20
    assert first["interval_ms"] == pytest.approx(1000 / 30, abs=1)
    # the second follows from the first: frames lie evenly in time
    frames = (second["frame"] - first["frame"]) % 20
    distance = (second["time"] - first["time"]) / (1000 / 30)
    assert (distance - frames) % 20 == pytest.approx(0, abs=0.3) or (distance - frames) % 20 > 19.7
    # an hour ahead of us, to the accuracy of one round trip
    assert abs(second["time"] - time.time() * 1000 - 3_600_000) < 60_000


async def test_a_loop_of_another_length_than_the_barcode_is_refused(
    endpoint: WhipEndpoint, clip: Path
) -> None:
    running = Running(endpoint, clip, loop=True, modulus=19)
    with pytest.raises(SourceError, match="has 20 pictures and not the 19 of --barcode"):
        await asyncio.wait_for(running.task, 30)
    assert endpoint.ended


async def test_a_session_that_the_server_forgot_is_noticed(endpoint: WhipEndpoint, clip: Path) -> None:
    running = Running(endpoint, clip, loop=True, modulus=20)
    await running.until(lambda: endpoint.barcodes)
    endpoint.ended = True
    with pytest.raises(SessionEndedError, match="ended the session"):
        await asyncio.wait_for(running.task, 30)


async def test_a_server_that_hangs_up_is_noticed(endpoint: WhipEndpoint, clip: Path) -> None:
    running = Running(endpoint, clip, loop=True)
    await running.until(endpoint.frames)
    assert endpoint.transport is not None
    endpoint.transport.close()
    with pytest.raises(ConnectionLostError, match="Closed by the peer"):
        await asyncio.wait_for(running.task, 30)


async def test_a_server_that_falls_silent_is_noticed(
    endpoint: WhipEndpoint, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.publisher.session.SILENCE", 0.5)
    running = Running(endpoint, clip, loop=True)
    with pytest.raises(ConnectionLostError, match="has not reported"):
        await asyncio.wait_for(running.task, 30)
    # another attempt will be made: its place in the room is kept for that
    assert not endpoint.ended


@pytest.mark.parametrize(
    ("refusal", "final"),
    [
        (partial(web.HTTPUnauthorized, text='{"message":"This link has expired."}'), True),
        (partial(web.HTTPForbidden, text='{"message":"This link is for another room."}'), True),
        (partial(web.HTTPServiceUnavailable, text='{"message":"The server is being restarted."}'), False),
        (partial(web.HTTPInternalServerError, text="<html>no JSON"), False),
        (partial(web.HTTPTemporaryRedirect, "http://elsewhere.example/whip/ward"), False),
    ],
)
async def test_a_refusal_is_a_sentence(
    endpoint: WhipEndpoint, clip: Path, refusal: Callable[[], web.HTTPException], final: bool
) -> None:
    endpoint.refusal = refusal
    running = Running(endpoint, clip)
    with pytest.raises(WhipError, match="The server refused: ") as caught:
        await asyncio.wait_for(running.task, 30)
    assert caught.value.final is final
    assert TOKEN not in str(caught.value)


async def test_a_session_elsewhere_is_not_given_the_token(endpoint: WhipEndpoint, clip: Path) -> None:
    endpoint.location = "http://127.0.0.1:9/whip/ward/session-1"
    running = Running(endpoint, clip)
    with pytest.raises(WhipError, match="named no session of its own"):
        await asyncio.wait_for(running.task, 30)


async def test_a_server_without_the_codec_is_a_sentence(endpoint: WhipEndpoint, clip: Path) -> None:
    endpoint.rewrite = lambda sdp: sdp.replace("H264/90000", "H266/90000")
    running = Running(endpoint, clip)
    with pytest.raises(WhipError, match="does not take this picture's codec") as caught:
        await asyncio.wait_for(running.task, 30)
    assert caught.value.final
    assert endpoint.ended


async def test_a_server_that_takes_no_sound_gets_the_picture(endpoint: WhipEndpoint, clip: Path) -> None:
    endpoint.rewrite = lambda sdp: sdp.replace("opus/48000", "speex/48000")
    running = Running(endpoint, clip)
    await asyncio.wait_for(running.task, 30)
    assert running.said == ["The server does not take the sound."]
    await until(lambda: len(endpoint.frames()) == 20)


async def test_a_server_that_is_not_there_may_come_back(clip: Path) -> None:
    async with whip_endpoint() as endpoint:
        pass
    running = Running(endpoint, clip)
    with pytest.raises(WhipError, match="cannot be reached") as caught:
        await asyncio.wait_for(running.task, 30)
    assert not caught.value.final


async def test_who_asks_an_encoder_for_a_key_frame_is_sent_one(endpoint: WhipEndpoint) -> None:
    running = Running(endpoint, Path("lavfi:testsrc2=size=320x180:rate=25"))
    await running.until(lambda: len(endpoint.frames()) > 10)
    assert sum(_is_key(frame) for frame in endpoint.frames()) == 1
    before = len(endpoint.frames())
    endpoint.want_key_frame()
    await running.until(lambda: sum(_is_key(frame) for frame in endpoint.frames()) == 2)
    # without being asked it makes one in 250 pictures
    assert len(endpoint.frames()) < before + 100
    await running.stop()


def _is_key(frame: list[RtpPacket]) -> bool:
    units = h264.depacketise(packet.payload for packet in frame)
    return any(unit[0] & 0x1F == 5 for unit in units)
