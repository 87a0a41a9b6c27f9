"""A router with a publisher of several encodings, over the reference plane, in virtual time."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

import pytest

from media.congestion.allocator import Reason
from media.delivery import Delivered
from media.ids import Mid, ProducerId, Rid, Ssrc
from media.plane import NO_EXTENSIONS, Codec, Extension, Layer
from media.reports import SenderInstant
from media.router import REST_AFTER, EncodingsWanted, Router
from media.rtp.feedback import PictureLossIndication
from media.rtp.ntp import ntp_from_unix
from media.rtp.packet import RtpPacket
from media.rtp.rtcp import SenderReport, parse_compound
from media.sdp.answer import OfferedTrack
from media.sdp.simulcast import OfferedEncoding
from media.subscriber import Slot
from tests.helpers.rtp_harness import MemoryHarness
from tests.helpers.rtp_peer import Peer
from tests.helpers.rtp_stream import VP8_DELTA, VP8_KEY

RIDS = ("q", "h", "f")
#: each encoding begins at a timestamp of its own
STARTS = (1_000, 4_000_000_000, 77)
SSRCS = (100, 200, 300)
SIZES = (300, 1_000, 4_000)
STEP = 3000
FPS = 30
M = 1_000_000


def ids(**numbers: int) -> tuple[int, ...]:
    return tuple(numbers.get(extension.name, 0) for extension in Extension)


TRACK = OfferedTrack(
    Mid("0"),
    "video",
    Codec.VP8,
    90_000,
    96,
    "",
    rtx_payload_type=97,
    extensions=ids(MID=1, ABS_CAPTURE_TIME=3, RID=7, REPAIRED_RID=8),
    simulcast=tuple(OfferedEncoding(Rid(rid)) for rid in RIDS),
)


@dataclass(slots=True)
class World:
    """A camera in three sizes, and a router between it and whoever watches."""

    harness: MemoryHarness = field(default_factory=lambda: MemoryHarness("AEAD_AES_128_GCM"))
    now: float = 1000.0
    frame: int = 0
    ids: itertools.count[int] = field(default_factory=lambda: itertools.count(100))
    sending: set[int] = field(default_factory=lambda: {0, 1, 2})
    key_next: set[int] = field(default_factory=lambda: {0, 1, 2})
    events: list[object] = field(default_factory=list)
    router: Router = field(init=False)
    sender: Peer = field(init=False)
    producer: ProducerId = field(init=False)

    def __post_init__(self) -> None:
        """Publish."""
        self.router = Router(self.harness.plane, lambda: next(self.ids))
        self.sender = self.harness.peer()
        (self.producer,) = self.router.publish(self.sender.transport, [TRACK])
        self.router.describe(self.producer, "camera", (180, 360, 720))
        self._sequences = [itertools.count(1) for _ in RIDS]

    _sequences: list[itertools.count[int]] = field(init=False)

    def watch(self) -> tuple[Peer, Slot]:
        """Add a watcher that took all that was offered."""
        peer = self.harness.peer()
        subscriber = self.router.watch(peer.transport)
        slot = subscriber.assign(self.producer, TRACK.codec, TRACK.clock_rate, TRACK.fmtp)
        slot.accept(96, 0, NO_EXTENSIONS)
        self.router.start(peer.transport, [slot])
        return peer, slot

    def play(self, seconds: float) -> None:
        """Let frames come in all encodings that are being sent, and the router act."""
        for _ in range(round(seconds * FPS)):
            self.frame += 1
            for i in sorted(self.sending):
                self._send(i)
                if self.frame % FPS == 10 + 3 * i:
                    self._report(i)
            self.now += 1 / FPS
            self.harness.now += 1_000_000_000 // FPS
            self.settle()

    def _send(self, i: int) -> None:
        left, first = SIZES[i], True
        payload = VP8_KEY if i in self.key_next else VP8_DELTA
        self.key_next.discard(i)
        while left > 0:
            extensions = {1: b"0", 7: RIDS[i].encode()}
            part = min(left, 1000)
            left -= part
            self.sender.send_rtp(
                RtpPacket(
                    payload_type=96,
                    sequence_number=next(self._sequences[i]) & 0xFFFF,
                    timestamp=(STARTS[i] + self.frame * STEP) % (1 << 32),
                    ssrc=SSRCS[i],
                    payload=(payload if first else b"\x00") + bytes(part),
                    marker=left == 0,
                    extensions=extensions,
                )
            )
            first = False

    def _report(self, i: int) -> None:
        """A sender report, as browsers send them: about now, 1 ms off."""
        timestamp = (STARTS[i] + self.frame * STEP + 90) % (1 << 32)
        time = 10**18 + self.frame * 10**9 // FPS
        report = bytes(SenderReport(SSRCS[i], ntp_from_unix(time), timestamp, 0, 0))
        self.router.receive_rtcp(self.sender.transport, report, self.now, time)

    def settle(self) -> None:
        """Carry datagrams over, hand the plane's events to the router, let it act, answer its requests."""
        self.harness.settle()
        for event in self.harness.plane.events():
            self.router.receive_event(event, self.now)
        self.router.handle_timer(self.now)
        self.harness.settle()
        for compound in self.sender.rtcp:
            for packet in parse_compound(compound):
                if isinstance(packet, PictureLossIndication) and packet.media_ssrc in SSRCS:
                    self.key_next.add(SSRCS.index(packet.media_ssrc))
        self.sender.rtcp.clear()
        while (happened := self.router.next_event()) is not None:
            self.events.append(happened)

    def told(self, kind: type) -> list[object]:
        """List the events of a kind so far, and forget them."""
        found = [event for event in self.events if isinstance(event, kind)]
        self.events = [event for event in self.events if not isinstance(event, kind)]
        return found


@pytest.fixture
def world() -> World:
    return World()


def timestamps(peer: Peer) -> list[int]:
    """The RTP timestamps of the pictures that came, in order."""
    return [t for t, _ in itertools.groupby(packet.timestamp for packet in peer.rtp)]


def test_encodings_are_recognised_by_rid_and_named_alike(world: World) -> None:
    world.play(2)
    entry = world.router.producers[world.producer]
    assert [encoding.ssrc for encoding in entry.encodings] == list(SSRCS)
    assert entry.identity.offsets == {
        0: 0,
        1: (STARTS[0] - STARTS[1]) % (1 << 32),
        2: (STARTS[0] - STARTS[2]) % (1 << 32),
    }


def test_repeats_are_recognised_by_the_repaired_rid(world: World) -> None:
    world.play(0.5)
    world.sender.send_rtp(
        RtpPacket(
            payload_type=97,
            sequence_number=1,
            timestamp=0,
            ssrc=301,
            payload=b"\0\1" + VP8_DELTA,
            extensions={1: b"0", 8: b"f"},
        )
    )
    world.settle()
    assert [e.rtx_ssrc for e in world.router.producers[world.producer].encodings] == [0, 0, 301]


def test_the_best_is_sent_and_its_frames_bear_the_canonical_timestamps(world: World) -> None:
    peer, slot = world.watch()
    world.play(4)
    assert (slot.layer, slot.sending) == (Layer(2), 2)
    names = timestamps(peer)
    # no picture twice, none before another, each a step of the one timeline
    steps = {b - a for a, b in itertools.pairwise(names)}
    assert all(step > 0 and step % STEP == 0 for step in steps)
    assert names[-1] == STARTS[0] + world.frame * STEP
    numbers = [packet.sequence_number for packet in peer.rtp]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_what_is_sent_follows_the_size_of_the_tile(world: World) -> None:
    peer, slot = world.watch()
    world.play(3)
    assert world.router.view(peer.transport, world.producer, 180)
    world.play(2)
    assert (slot.layer.encoding, slot.sending) == (0, 0)
    assert world.told(Delivered)[-1] == Delivered(peer.transport, world.producer, Reason.SIZE, 180)
    world.router.view(peer.transport, world.producer, 360)
    world.play(2)
    assert slot.sending == 1
    # hidden: nothing comes, and nobody is blamed
    world.router.view(peer.transport, world.producer, 0)
    world.settle()
    before = len(peer.rtp)
    world.play(1)
    assert len(peer.rtp) == before
    assert world.told(Delivered)[-1] == Delivered(peer.transport, world.producer, Reason.HIDDEN, 0)
    # looked at again: at once, at the size that it had
    world.router.view(peer.transport, world.producer, 720)
    world.play(1.5)
    assert slot.sending == 2
    assert not world.router.view(world.sender.transport, world.producer, 180)


def test_encodings_that_nobody_watches_may_rest_and_wake_before_they_are_needed(world: World) -> None:
    peer, slot = world.watch()
    world.play(3)
    world.router.view(peer.transport, world.producer, 180)
    world.play(REST_AFTER + 3)
    assert world.told(EncodingsWanted)[-1] == EncodingsWanted(world.producer, (True, False, False))
    # the page suspends them
    world.sending = {0}
    world.play(3)
    # somebody wants a larger one: it is woken, and until it comes the small one goes on
    world.router.view(peer.transport, world.producer, 720)
    world.play(0.3)
    assert world.told(EncodingsWanted)[-1] == EncodingsWanted(world.producer, (True, False, True))
    assert slot.sending == 0
    before = len(timestamps(peer))
    world.play(0.3)
    assert len(timestamps(peer)) > before
    world.sending = {0, 2}
    world.key_next = {2}
    world.play(1)
    assert slot.sending == 2


def test_who_was_away_is_told_again_what_is_wanted_and_what_is_held_back(world: World) -> None:
    peer, _ = world.watch()
    world.router.view(peer.transport, world.producer, 0)
    world.play(REST_AFTER + 3)
    wanted, held_back = world.told(EncodingsWanted)[-1], world.told(Delivered)[-1]
    assert held_back == Delivered(peer.transport, world.producer, Reason.HIDDEN, 0)
    world.events.clear()
    world.router.tell_again([world.producer], peer.transport)
    world.settle()
    assert world.events == [wanted, held_back]
    # what is whole again has nothing to be told
    world.router.view(peer.transport, world.producer, 720)
    world.play(4)
    world.events.clear()
    world.router.tell_again([], peer.transport)
    world.settle()
    assert world.events == []


def test_the_recorder_keeps_the_best_awake(world: World) -> None:
    peer, _ = world.watch()
    world.router.set_tap(world.producer, enabled=True)
    world.play(3)
    world.router.view(peer.transport, world.producer, 180)
    world.play(REST_AFTER + 3)
    assert world.told(EncodingsWanted)[-1] == EncodingsWanted(world.producer, (True, False, True))


def test_what_its_publisher_does_not_send_is_not_waited_for(world: World) -> None:
    world.sending = {0, 1}
    peer, slot = world.watch()
    world.play(4)
    assert slot.sending == 1
    assert timestamps(peer)[-1] == STARTS[0] + world.frame * STEP


def test_an_encoding_that_begins_anew_under_another_ssrc_is_named_anew(world: World) -> None:
    _, slot = world.watch()
    world.play(3)
    assert slot.sending == 2
    world.sending = {0, 1}
    before = world.router.producers[world.producer].encodings[2].ssrc
    never = SenderInstant(0, STARTS[2], 1 << 62, 0.0)
    assert world.router.producers[world.producer].encodings[2].arrivals.ahead_of(never, 90_000) > 0
    report = bytes(SenderReport(SSRCS[2], ntp_from_unix(10**18), STARTS[2], 0, 0))
    world.router.receive_rtcp(world.sender.transport, report, world.now, 10**18)
    for number in range(3):
        world.sender.send_rtp(
            RtpPacket(
                payload_type=96,
                sequence_number=number,
                timestamp=number,
                ssrc=999,
                payload=VP8_KEY,
                extensions={1: b"0", 7: b"f"},
            )
        )
    world.settle()
    entry = world.router.producers[world.producer]
    assert (before, entry.encodings[2].ssrc) == (300, 999)
    assert 2 not in entry.identity.offsets
    # what was reported of the timestamps before says nothing of these
    assert entry.encodings[2].instant is None
    assert entry.encodings[2].arrivals.ahead_of(never, 90_000) == 0


def test_a_rid_that_was_not_offered_is_nobodys(world: World) -> None:
    world.sender.send_rtp(
        RtpPacket(
            payload_type=96,
            sequence_number=1,
            timestamp=1,
            ssrc=999,
            payload=VP8_KEY,
            extensions={1: b"0", 7: b"x"},
        )
    )
    world.settle()
    assert {encoding.ssrc for encoding in world.router.producers[world.producer].encodings} == {0}


def test_sender_reports_of_all_encodings_speak_the_canonical_time(world: World) -> None:
    peer, slot = world.watch()
    world.play(3)
    peer.rtcp.clear()
    raw = (STARTS[2] + world.frame * STEP) % (1 << 32)
    report = bytes(SenderReport(SSRCS[2], ntp_from_unix(10**18), raw, 0, 0))
    world.router.receive_rtcp(world.sender.transport, report, world.now, 10**18)
    world.settle()
    told = [p for c in peer.rtcp for p in parse_compound(c) if isinstance(p, SenderReport)]
    assert [(p.ssrc, p.rtp_timestamp) for p in told] == [(slot.ssrc, STARTS[0] + world.frame * STEP)]
    # one that has no name on the timeline yet says nothing of it: what was known is told once more
    entry = world.router.producers[world.producer]
    entry.identity.forget(1)
    peer.rtcp.clear()
    report = bytes(SenderReport(SSRCS[1], ntp_from_unix(10**18), 5, 0, 0))
    world.router.receive_rtcp(world.sender.transport, report, world.now, 10**18)
    world.harness.settle()
    told = [p for c in peer.rtcp for p in parse_compound(c) if isinstance(p, SenderReport)]
    assert [(p.ssrc, p.rtp_timestamp) for p in told] == [(slot.ssrc, STARTS[0] + world.frame * STEP)]


def test_two_publishers_with_one_rid_keep_apart(world: World) -> None:
    other = world.harness.peer()
    (second,) = world.router.publish(other.transport, [replace(TRACK, ssrc=Ssrc(0))])
    world.play(1)
    assert {encoding.ssrc for encoding in world.router.producers[second].encodings} == {0}
