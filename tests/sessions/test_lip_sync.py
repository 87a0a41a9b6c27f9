"""Lip sync: by the sender reports that a receiver is sent, sound and picture of one instant lie at one instant.

A receiver knows nothing else about both. In virtual time a publisher speaks and shows; its line, its clock and what is
watched change meanwhile, and each second the receiver's newest reports of both streams are held against each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from media.ids import ProducerId
from media.reports import SERVER_SSRC
from media.rtp.ntp import middle_bits, unix_from_ntp
from media.rtp.rtcp import (
    DelaySinceLastReceiverReport,
    ExtendedReport,
    ReceiverReferenceTime,
    SenderReport,
    parse_compound,
)
from media.subscriber import Slot
from tests.helpers.rtp_peer import Peer
from tests.helpers.rtp_stream import VP8_KEY
from tests.media.test_round_trips import extended
from tests.media.test_router import AUDIO, VIDEO, World

#: Where sound and picture begin, by their RTP clocks, at second 0.
AUDIO_ORIGIN, VIDEO_ORIGIN = 4_294_900_000, 77_000
#: What people notice begins at 45 ms; we allow what the slow following of a slower line makes of two reports.
ALLOWED = 0.003
START = 1_795_305_600.0


@dataclass
class Call:
    """A publisher with sound and picture, one who receives both, and the seconds that pass."""

    world: World = field(default_factory=World)
    second: float = 0.0
    #: what the publisher's clock is ahead of ours, and how long its packets take
    ahead: float = 12.5
    way: float = 0.02
    skews: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.video, self.audio = self.world.router.publish(self.world.sender.transport, [VIDEO, AUDIO])
        self.peer, (self.video_slot, self.audio_slot) = self.world.watch(self.video, self.audio)
        self.world.send(VP8_KEY, timestamp=VIDEO_ORIGIN)
        self.heard: dict[int, tuple[int, int]] = {}

    video: ProducerId = field(init=False)
    audio: ProducerId = field(init=False)
    peer: Peer = field(init=False)
    video_slot: Slot = field(init=False)
    audio_slot: Slot = field(init=False)
    heard: dict[int, tuple[int, int]] = field(init=False)

    def pass_on(self, seconds: float, *, sound: bool = True) -> None:
        """Let time pass: each half second a report of one or the other, and the receiver looks."""
        for step in range(round(seconds * 2)):
            self.second += 0.5
            self.world.now += 0.5
            if not step % 2:
                self._report(1111, VIDEO_ORIGIN, 90_000)
            elif sound:
                self._report(2222, AUDIO_ORIGIN, 48_000)
            self.world.settle()
            self._hear()

    def _report(self, ssrc: int, origin: int, clock_rate: int) -> None:
        timestamp = (origin + round(self.second * clock_rate)) % (1 << 32)
        # the way is from our clock's instant to its arrival: `delay` is counted from what the report says
        self.world.report(START + self.second + self.ahead, timestamp, ssrc=ssrc, delay=self.way - self.ahead)

    def _hear(self) -> None:
        for compound in self.peer.rtcp:
            for packet in parse_compound(compound):
                if isinstance(packet, SenderReport):
                    self.heard[packet.ssrc] = (unix_from_ntp(packet.ntp_time), packet.rtp_timestamp)
        self.peer.rtcp.clear()
        video = self._instant(self.video_slot, VIDEO_ORIGIN, 90_000)
        audio = self._instant(self.audio_slot, AUDIO_ORIGIN, 48_000)
        if video is not None and audio is not None:
            self.skews.append(video - audio)
            self.errors.append(video - START)

    def _instant(self, slot: Slot, origin: int, clock_rate: int) -> float | None:
        """When second 0 was, by this stream's newest report."""
        if slot.ssrc not in self.heard:
            return None
        time, timestamp = self.heard[slot.ssrc]
        ticks = (timestamp - origin + (1 << 31)) % (1 << 32) - (1 << 31)
        return time / 1e9 - ticks / clock_rate

    def in_step(self) -> bool:
        """Whether sound and picture were together at each look since the last question, and there were looks."""
        skews, self.skews = self.skews, []
        return len(skews) > 3 and max(map(abs, skews)) <= ALLOWED


@pytest.fixture
def call() -> Iterator[Call]:
    call = Call()
    call.pass_on(5)
    assert call.in_step()
    yield call
    assert call.in_step()


@pytest.mark.parametrize("step", [0.328, -0.328, 7.0, -7.0, 3600.0])
def test_the_publishers_clock_is_corrected(call: Call, step: float) -> None:
    call.ahead += step
    call.pass_on(60)
    # and the picture's age does not jump either
    assert max(map(abs, call.errors)) < 0.03


def test_the_clock_is_corrected_while_only_the_picture_reports(call: Call) -> None:
    call.pass_on(6, sound=False)
    call.ahead -= 0.8
    call.pass_on(6, sound=False)
    call.ahead += 0.3
    call.pass_on(10)


def test_the_line_becomes_slower_for_good_and_fast_again(call: Call) -> None:
    call.way = 0.35
    call.pass_on(60)
    call.way = 0.01
    call.pass_on(10)


def test_the_microphone_is_muted_and_speaks_again(call: Call) -> None:
    call.pass_on(40, sound=False)
    call.pass_on(10)


def test_the_picture_is_paused_and_shown_again(call: Call) -> None:
    router, transport = call.world.router, call.peer.transport
    router.pause(transport, call.video, paused=True)
    call.pass_on(10)
    call.ahead += 0.5
    call.pass_on(10)
    router.pause(transport, call.video, paused=False)
    call.world.send(VP8_KEY, timestamp=VIDEO_ORIGIN + 9000)
    call.pass_on(10)
    # what is sent bears the publisher's own timestamps still: nothing but the reports could part them
    assert call.peer.rtp[-1].timestamp == VIDEO_ORIGIN + 9000


def test_a_round_trip_becomes_known(call: Call) -> None:
    world = call.world
    (asked,) = (b for x in extended(world.sender.rtcp)[-1:] for b in x.blocks)
    assert isinstance(asked, ReceiverReferenceTime)
    world.now, call.second = world.now + 0.25, call.second + 0.25
    lay = world.now - asked.ntp_time / (1 << 32) - 0.04
    answer = DelaySinceLastReceiverReport(((SERVER_SSRC, middle_bits(asked.ntp_time), round(lay * 65536)),))
    compound = bytes(ExtendedReport(1111, (answer,)))
    world.router.receive_rtcp(world.sender.transport, compound, world.now, 0)
    call.pass_on(5)
    # there and back take 40 ms, the way that was allowed for was none: now it is half of that
    assert abs(call.errors[0] - 0.02) < 0.001
    assert abs(call.errors[-1]) < 0.001


def test_who_comes_later_is_in_step_at_once(call: Call) -> None:
    call.way = 0.2
    call.pass_on(40)
    peer, (video, audio) = call.world.watch(call.video, call.audio)
    call.world.settle()
    call.peer, call.video_slot, call.audio_slot = peer, video, audio
    call._hear()
    assert len(call.heard) >= 4
    assert abs(call.skews[-1]) <= ALLOWED
    call.pass_on(3)
