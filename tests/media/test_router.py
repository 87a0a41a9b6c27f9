"""The router over the reference plane, in memory and in virtual time."""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass, field, replace

import pytest

from media.ids import Mid, ProducerId, Rid, Ssrc, TransportId
from media.plane import NO_EXTENSIONS, Codec, EventKind, Extension, PlaneEvent
from media.qualities import qualities
from media.reporting import CaptureTimeMoved, SenderReportReceived
from media.router import KeyFrameAsked, Router
from media.rtp.feedback import PictureLossIndication
from media.rtp.ntp import ntp_from_unix
from media.rtp.packet import RtpPacket
from media.rtp.rtcp import ReceiverReport, ReportBlock, SenderReport, parse_compound
from media.sdp.answer import OfferedTrack
from media.sdp.simulcast import OfferedEncoding
from media.subscriber import Slot
from tests.helpers.red import redundant
from tests.helpers.rtp_harness import MemoryHarness
from tests.helpers.rtp_peer import Peer
from tests.helpers.rtp_stream import VP8_DELTA, VP8_KEY

VIDEO = OfferedTrack(Mid("0"), "video", Codec.VP8, 90_000, 96, "", ssrc=Ssrc(1111))
AUDIO = OfferedTrack(Mid("1"), "audio", Codec.OPUS, 48_000, 111, "", ssrc=Ssrc(2222))


@dataclass(slots=True)
class World:
    """A publisher, and a router between it and whoever watches."""

    harness: MemoryHarness = field(default_factory=lambda: MemoryHarness("AEAD_AES_128_GCM"))
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.ids = itertools.count(100)
        self.router = Router(self.harness.plane, lambda: next(self.ids))
        self.sender = self.harness.peer()
        self._sequence = itertools.count(1)

    ids: itertools.count[int] = field(init=False)
    router: Router = field(init=False)
    sender: Peer = field(init=False)
    _sequence: itertools.count[int] = field(init=False)

    def watch(self, *producers: ProducerId) -> tuple[Peer, list[Slot]]:
        """Add a watcher that took all that was offered."""
        peer = self.harness.peer()
        subscriber = self.router.watch(peer.transport)
        slots = []
        for producer in producers:
            track = self.router.producers[producer].track
            slot = subscriber.assign(producer, track.codec, track.clock_rate, track.fmtp)
            slot.accept(track.payload_type, 0, NO_EXTENSIONS)
            slots.append(slot)
        self.router.start(peer.transport, slots)
        return peer, slots

    def send(self, payload: bytes, ssrc: int = 1111, payload_type: int = 96, timestamp: int = 9000) -> None:
        """Let the publisher send a packet."""
        number = next(self._sequence)
        self.sender.send_rtp(
            RtpPacket(
                payload_type=payload_type,
                sequence_number=number,
                timestamp=timestamp,
                ssrc=ssrc,
                payload=payload + b"x" * 20,
                marker=True,
            )
        )
        self.settle()

    def settle(self) -> None:
        """Carry datagrams over, hand the plane's events to the router, and let it act."""
        self.harness.settle()
        for event in self.harness.plane.events():
            self.router.receive_event(event, self.now)
        self.router.handle_timer(self.now)
        self.harness.settle()

    def asked(self) -> int:
        """How many key frames the publisher was asked for."""
        return sum(
            isinstance(packet, PictureLossIndication)
            for compound in self.sender.rtcp
            for packet in parse_compound(compound)
        )

    def report(self, unix: float, rtp_timestamp: int, ssrc: int = 1111, delay: float = 0.02) -> None:
        """Hand in a sender report that says `unix` and arrives `delay` later."""
        compound = bytes(SenderReport(ssrc, ntp_from_unix(int(unix * 1e9)), rtp_timestamp, 0, 0))
        self.router.receive_rtcp(
            self.sender.transport, compound, self.now, int(unix * 1e9) + int(delay * 1e9)
        )


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_published_reaches_who_watches_from_a_key_frame_on(world: World) -> None:
    (video,) = world.router.publish(world.sender.transport, [VIDEO])
    peer, (slot,) = world.watch(video)
    world.send(VP8_DELTA)
    assert peer.rtp == []
    world.send(VP8_KEY)
    world.send(VP8_DELTA)
    assert [packet.ssrc for packet in peer.rtp] == [slot.ssrc] * 2


def test_what_the_plane_does_not_take_leaves_nothing_behind(world: World) -> None:
    (video,) = world.router.publish(world.sender.transport, [VIDEO])
    liar, honest = world.harness.peer(), world.watch(video)[0]
    slot = world.router.watch(liar.transport).assign(video, Codec.VP8, 90_000, "")
    same = [0] * len(Extension)
    same[Extension.MID] = same[Extension.ABS_CAPTURE_TIME] = 3
    slot.accept(96, 0, tuple(same))
    assert world.router.start(liar.transport, [slot]) == [slot]
    assert not slot.started
    for muted in (True, False):
        world.router.set_muted(video, muted=muted)
    world.send(VP8_KEY)
    world.router.handle_timer(world.now)
    assert (len(liar.rtp), len(honest.rtp)) == (0, 1)


def test_sound_with_redundancy_is_recognised_counted_and_sent_to_each_as_it_takes_it(world: World) -> None:
    (sound,) = world.router.publish(
        world.sender.transport, [replace(AUDIO, ssrc=Ssrc(0), red_payload_type=63)]
    )
    plain, _ = world.watch(sound)
    full = world.harness.peer()
    slot = world.router.watch(full.transport).assign(sound, Codec.OPUS, 48_000, "")
    slot.redundant = True
    slot.accept(111, 0, NO_EXTENSIONS, red_payload_type=63)
    world.router.start(full.transport, [slot])

    payload = redundant(111, [(960, bytes(80))], b"new")
    for number in range(101):
        world.send(payload, ssrc=2222, payload_type=63, timestamp=960 * number)
        world.now += 0.02
    # the first one showed whose it is
    assert {(p.payload_type, p.payload) for p in full.rtp} == {(63, payload + b"x" * 20)}
    assert {(p.payload_type, p.payload) for p in plain.rtp} == {(111, b"new" + b"x" * 20)}
    assert len(full.rtp) == len(plain.rtp) == 100

    producer = world.router.producers[sound]
    found = qualities(producer, world.now)
    assert found.alone is not None
    (whole,), (alone,) = ([offer.rate for offer in q.offers] for q in (found, found.alone))
    assert whole == pytest.approx(50 * 8 * (12 + len(payload) + 20), rel=0.05)
    assert alone == pytest.approx(50 * 8 * (12 + 3 + 20), rel=0.05)


def test_one_request_for_a_key_frame_serves_all_who_come_within_a_second(world: World) -> None:
    (video,) = world.router.publish(world.sender.transport, [VIDEO])
    for _ in range(5):
        world.watch(video)
    world.settle()
    assert world.asked() == 1
    world.watch(video)
    world.now += 0.99
    world.settle()
    assert world.asked() == 1
    world.now += 0.01
    world.settle()
    assert world.asked() == 2
    # a key frame that comes meanwhile answers who waits
    world.watch(video)
    world.send(VP8_KEY)
    world.now += 1.0
    world.settle()
    assert world.asked() == 2


def test_a_key_frame_is_asked_for_when_it_can_be_received_and_not_before(world: World) -> None:
    (video,) = world.router.publish(world.sender.transport, [VIDEO])
    peer = world.harness.peer(keys=False)
    slot = world.router.watch(peer.transport).assign(video, Codec.VP8, 90_000, "")
    slot.accept(96, 0, NO_EXTENSIONS)
    world.router.start(peer.transport, [slot], connected=False)
    world.settle()
    assert world.asked() == 0
    world.send(VP8_KEY)
    world.harness.plane.set_keys(peer.transport, peer.plane_receive, peer.plane_send)
    world.router.connected(peer.transport)
    world.settle()
    assert world.asked() == 1
    world.send(VP8_KEY)
    assert len(peer.rtp) == 1


def test_a_receivers_picture_loss_is_passed_to_the_publisher(world: World) -> None:
    (video,) = world.router.publish(world.sender.transport, [VIDEO])
    peer, (slot,) = world.watch(video)
    world.settle()
    world.now += 5
    compound = bytes(ReceiverReport(Ssrc(1))) + bytes(PictureLossIndication(Ssrc(1), slot.ssrc))
    world.router.receive_rtcp(peer.transport, compound, world.now, 0)
    world.settle()
    assert world.asked() == 2


def test_what_is_unpublished_is_sent_to_nobody(world: World) -> None:
    (video,) = world.router.publish(world.sender.transport, [VIDEO])
    peer, (slot,) = world.watch(video)
    world.send(VP8_KEY)
    world.router.unpublish(video)
    world.send(VP8_KEY)
    assert len(peer.rtp) == 1
    assert slot.producer == 0
    world.router.unpublish(video)


def test_a_repeated_offer_keeps_producers_and_ends_what_it_drops(world: World) -> None:
    first = world.router.publish(world.sender.transport, [VIDEO, AUDIO])
    assert world.router.publish(world.sender.transport, [AUDIO, VIDEO]) == first[::-1]
    assert world.router.publish(world.sender.transport, [AUDIO]) == [first[1]]
    assert list(world.router.producers) == [first[1]]


def test_one_ssrc_for_two_tracks_is_refused_and_leaves_no_half(world: World) -> None:
    with pytest.raises(ValueError, match="SSRC"):
        world.router.publish(world.sender.transport, [VIDEO, replace(VIDEO, mid=Mid("5"))])
    for producer in list(world.router.producers):
        world.router.unpublish(producer)
    assert world.harness.plane.statistics().producers == {}


def test_a_track_without_declared_ssrc_is_recognised_and_tapped(world: World) -> None:
    (video,) = world.router.publish(world.sender.transport, [replace(VIDEO, ssrc=Ssrc(0))])
    # the recorder asked before the first packet came
    world.router.set_tap(video, enabled=True)
    world.send(VP8_KEY, ssrc=4711)
    assert world.router.producers[video].encodings[0].ssrc == 4711
    assert world.asked() == 1
    world.send(VP8_KEY, ssrc=4711)
    assert struct.unpack_from("!I", world.harness.plane.read_tap(), 4)[0] == video


def test_an_unknown_stream_that_fits_two_tracks_is_nobodys(world: World) -> None:
    tracks = [replace(VIDEO, ssrc=Ssrc(0)), replace(VIDEO, ssrc=Ssrc(0), mid=Mid("7"))]
    producers = world.router.publish(world.sender.transport, tracks)
    world.send(VP8_KEY, ssrc=4711)
    assert [world.router.producers[producer].encodings[0].ssrc for producer in producers] == [0, 0]


def test_a_sender_report_is_told_in_our_clock_with_the_same_rtp_timestamp(world: World) -> None:
    (video,) = world.router.publish(world.sender.transport, [VIDEO])
    peer, (slot,) = world.watch(video)
    world.send(VP8_KEY)
    world.report(5_000.0, 3_735_928_559, delay=100.02)
    world.settle()
    told = [
        packet
        for compound in peer.rtcp
        for packet in parse_compound(compound)
        if isinstance(packet, SenderReport)
    ]
    assert [(packet.ssrc, packet.rtp_timestamp) for packet in told] == [(slot.ssrc, 3_735_928_559)]
    assert told[0].packet_count == 1
    event = world.router.next_event()
    assert isinstance(event, SenderReportReceived)
    assert (event.producer, event.rtp_timestamp) == (video, 3_735_928_559)
    assert abs(event.time - int(5_100.02 * 1e9)) < 1000
    # a report that travelled faster corrects the clock, a slower one does not
    world.report(5_001.0, 0, delay=100.01)
    world.report(5_002.0, 0, delay=109.0)
    faster, slower = world.router.next_event(), world.router.next_event()
    assert isinstance(faster, SenderReportReceived)
    assert isinstance(slower, SenderReportReceived)
    assert abs(slower.time - faster.time - 10**9) < 1000


def told_moved(world: World) -> bool:
    """Tell whether capture times were told to have moved, without a report."""
    moved = False
    while (event := world.router.next_event()) is not None:
        moved = moved or isinstance(event, CaptureTimeMoved)
    return moved


def is_doubted(world: World, producer: ProducerId) -> bool:
    """Tell whether a producer's reports are not believed."""
    return world.router.producers[producer].is_doubted


def test_no_frame_was_captured_after_it_arrived_whatever_a_report_says(world: World) -> None:
    (video,) = world.router.publish(world.sender.transport, [VIDEO])
    producer = world.router.producers[video]
    world.send(VP8_KEY, timestamp=99_000)
    (came,) = (e.last_arrival for e in world.harness.plane.producer_statistics(video).encodings)
    # by this report the frame was captured as it came: that may be, or it was earlier
    world.report(came / 1e9, 99_000, delay=0)
    world.now += 1
    world.settle()
    assert producer.ahead < 1000
    assert not is_doubted(world, video)
    assert not told_moved(world)
    # by this one a second later
    world.report(came / 1e9, 9000, delay=0)
    world.router.handle_timer(world.now)
    assert producer.captured is not None
    assert abs(producer.captured.time - (came - 10**9)) < 1000
    assert is_doubted(world, video)
    # the line is gone: nothing is known better
    world.router.interrupt(world.sender.transport)
    world.now += 1
    world.router.handle_timer(world.now)
    assert is_doubted(world, video)


def test_what_a_first_report_is_worth_is_told_when_packets_have_been_looked_at(world: World) -> None:
    (video,) = world.router.publish(world.sender.transport, [VIDEO])
    world.router.handle_timer(world.now)
    # it comes before the first packet, as FFmpeg's does
    came = world.harness.clock()
    world.report(came / 1e9, 9000, delay=0)
    assert not is_doubted(world, video)
    told_moved(world)
    world.send(VP8_KEY, timestamp=99_000)
    assert not told_moved(world)
    world.now += 1
    world.settle()
    assert told_moved(world)
    assert is_doubted(world, video)


def test_a_report_about_somebody_elses_stream_is_ignored(world: World) -> None:
    world.router.publish(world.sender.transport, [VIDEO])
    stranger = world.harness.peer()
    compound = bytes(SenderReport(Ssrc(1111), ntp_from_unix(10**18), 1, 0, 0))
    world.router.receive_rtcp(stranger.transport, compound, world.now, 10**18)
    world.router.receive_rtcp(world.sender.transport, b"\x80\xc8\xff\xff" + compound, world.now, 10**18)
    assert world.router.next_event() is None


def test_publishers_get_a_report_a_second(world: World) -> None:
    world.router.publish(world.sender.transport, [VIDEO])
    world.send(VP8_KEY)
    world.sender.rtcp.clear()
    for _ in range(10):
        world.now += 0.125
        world.settle()
    reports = [
        packet
        for compound in world.sender.rtcp
        for packet in parse_compound(compound)
        if isinstance(packet, ReceiverReport) and packet.reports
    ]
    assert len(reports) == 1
    assert reports[0].reports[0].ssrc == 1111
    assert world.router.get_timer() == 1002.0


def test_who_paused_gets_nothing_until_it_resumes_at_a_key_frame(world: World) -> None:
    (video,) = world.router.publish(world.sender.transport, [VIDEO])
    peer, _ = world.watch(video)
    world.send(VP8_KEY)
    assert world.router.pause(peer.transport, video, paused=True)
    world.send(VP8_KEY)
    assert len(peer.rtp) == 1
    assert world.router.pause(peer.transport, video, paused=False)
    world.send(VP8_DELTA)
    assert len(peer.rtp) == 1
    world.send(VP8_KEY)
    assert [packet.sequence_number for packet in peer.rtp][1] == peer.rtp[0].sequence_number + 1
    assert not world.router.pause(world.sender.transport, video, paused=True)


def test_a_transport_that_goes_takes_what_it_sent_and_watched(world: World) -> None:
    producers = world.router.publish(world.sender.transport, [VIDEO, AUDIO])
    peer, _ = world.watch(*producers)
    world.router.remove_transport(peer.transport)
    assert world.router.subscribers == {}
    assert world.router.remove_transport(world.sender.transport) == producers
    assert world.router.get_timer() is None


def test_an_event_of_what_is_gone_is_ignored(world: World) -> None:
    for kind in (EventKind.KEY_FRAME, EventKind.KEY_FRAME_WANTED, EventKind.UNKNOWN_SSRC):
        world.router.receive_event(
            PlaneEvent(kind, world.sender.transport, None, 0, 4711, b"\x80"), world.now
        )
    assert world.router.get_timer() is None


def test_a_field_is_protected_while_its_receiver_loses_much_of_it(world: World) -> None:
    (video,) = world.router.publish(world.sender.transport, [VIDEO])
    peer = world.harness.peer()
    slot = world.router.watch(peer.transport).assign(video, VIDEO.codec, 90_000, "")
    slot.protectable = 0.25
    slot.accept(96, 97, NO_EXTENSIONS, 119)
    world.router.start(peer.transport, [slot])

    def protection(loss: float) -> int:
        report = ReceiverReport(7, (ReportBlock(slot.ssrc, round(loss * 256), 0, 0, 0, 0, 0),))
        world.router.receive_rtcp(peer.transport, bytes(report), world.now, 0)
        before = sum(packet.ssrc == slot.fec_ssrc for packet in peer.rtp)
        for _ in range(20):
            world.send(VP8_KEY)
        return sum(packet.ssrc == slot.fec_ssrc for packet in peer.rtp) - before

    assert protection(0.005) == 0
    assert protection(0.2) == 5  # a quarter, which is what is allowed
    assert 0 < protection(0.0) <= 4
    for _ in range(12):
        protection(0.0)
    assert protection(0.0) == 0


def test_who_does_not_take_protection_is_not_sent_it(world: World) -> None:
    (video,) = world.router.publish(world.sender.transport, [VIDEO])
    peer = world.harness.peer()
    slot = world.router.watch(peer.transport).assign(video, VIDEO.codec, 90_000, "")
    slot.protectable = 0.25
    slot.accept(96, 97, NO_EXTENSIONS)
    world.router.start(peer.transport, [slot])
    report = ReceiverReport(7, (ReportBlock(slot.ssrc, 128, 0, 0, 0, 0, 0),))
    world.router.receive_rtcp(peer.transport, bytes(report), world.now, 0)
    world.send(VP8_KEY)
    assert len(peer.rtp) == 1


# another transport


def test_a_producer_goes_on_over_another_transport(world: World) -> None:
    (video,) = world.router.publish(world.sender.transport, [VIDEO])
    peer, (slot,) = world.watch(video)
    world.send(VP8_KEY, timestamp=1000)
    world.send(VP8_DELTA, timestamp=4000)
    world.report(1_795_305_600.0, 4000)

    (entry,) = world.router.interrupt(world.sender.transport).items()
    assert entry[0] == video
    world.harness.plane.remove_transport(world.sender.transport)
    world.settle()
    asked = world.asked()
    # an attempt over which nothing came changes nothing
    vain = world.harness.peer()
    world.router.publish(vain.transport, [VIDEO], {VIDEO.mid: video})
    assert world.router.interrupt(vain.transport) == {video: entry[1]}
    # nobody is asked for anything meanwhile, and nothing breaks
    world.now += 1.0
    world.settle()
    assert world.asked() == asked

    world.sender = world.harness.peer()
    world.harness.advance(2000)
    again = replace(VIDEO, mid=Mid("7"), ssrc=Ssrc(3333))
    assert world.router.may_go_on(video, again)
    assert world.router.publish(world.sender.transport, [again], {Mid("7"): video}) == [video]
    world.send(VP8_KEY, ssrc=3333, timestamp=77)
    world.now += 0.2
    world.send(VP8_DELTA, ssrc=3333, timestamp=3077)
    assert [packet.ssrc for packet in peer.rtp] == [slot.ssrc] * 4
    numbers = [packet.sequence_number for packet in peer.rtp]
    assert numbers == [numbers[0] + n for n in range(4)]
    old, first, second = (packet.timestamp for packet in peer.rtp[1:])
    assert first - old == pytest.approx(2 * 90_000, rel=0.01)
    assert second - first == 3000
    # between the frames before and after
    assert old < entry[1] < first

    # its clock is told on the timeline on which it is sent
    while world.router.next_event() is not None:
        pass
    world.report(1_795_305_603.0, 3077, ssrc=3333)
    told = [e for e in iter(world.router.next_event, None) if isinstance(e, SenderReportReceived)]
    assert [event.rtp_timestamp for event in told] == [second]


@pytest.mark.parametrize(
    "change",
    [
        {"codec": Codec.H264},
        {"payload_type": 97},
        {"clock_rate": 48_000},
        {"simulcast": (OfferedEncoding(Rid("q")), OfferedEncoding(Rid("h")))},
    ],
)
def test_what_is_of_another_kind_is_another_producer(world: World, change: dict[str, object]) -> None:
    (video,) = world.router.publish(world.sender.transport, [VIDEO])
    # one that is being sent goes on as nothing else
    assert not world.router.may_go_on(video, VIDEO)
    world.router.interrupt(world.sender.transport)
    assert world.router.may_go_on(video, VIDEO)
    assert not world.router.may_go_on(video, replace(VIDEO, **change))  # type: ignore[arg-type]
    assert not world.router.may_go_on(ProducerId(999), VIDEO)


def test_what_cannot_go_on_waits_for_the_next(world: World) -> None:
    (video,) = world.router.publish(world.sender.transport, [VIDEO])
    world.router.interrupt(world.sender.transport)
    other = world.harness.peer()
    world.router.publish(other.transport, [replace(AUDIO, ssrc=VIDEO.ssrc)])
    with pytest.raises(ValueError, match="SSRC"):
        world.router.publish(other.transport, [replace(AUDIO, ssrc=VIDEO.ssrc), VIDEO], {VIDEO.mid: video})
    assert world.router.may_go_on(video, VIDEO)
    # and may end
    world.router.unpublish(video)
    assert not world.router.may_go_on(video, VIDEO)
    world.settle()


def test_who_injects_is_asked_for_key_frames_and_takes_what_is_known_of_it(world: World) -> None:
    nobody = TransportId(900)
    world.harness.plane.add_transport(nobody)
    (video,) = world.router.publish_inside(nobody, [VIDEO], [7_000_000])
    peer, (slot,) = world.watch(video)
    world.settle()
    assert world.router.next_event() == KeyFrameAsked(video)
    assert world.router.next_event() is None

    def inject(number: int, payload: bytes) -> None:
        packet = RtpPacket(96, number, 3000 * number, 1111, marker=True, payload=payload + b"x" * 1000)
        world.harness.plane.inject(video, [bytes(packet)], world.harness.now)
        world.now += 0.001
        world.settle()

    inject(1, VP8_DELTA)
    for number in range(2, 1000):
        inject(number, VP8_KEY if number == 2 else VP8_DELTA)
    assert len(peer.rtp) == 998
    # eight times as fast as it was recorded: what it is said to take stays what it was
    offered = qualities(world.router.producers[video], world.now).offers
    assert [offer.rate for offer in offered] == [7_000_000]
    # its time goes to who watches, and nobody is reported to
    compound = bytes(SenderReport(1111, ntp_from_unix(int(1e18)), 3000, 0, 0))
    world.router.receive_rtcp(nobody, compound, world.now, int(1e18))
    world.now += 2
    world.settle()
    told = [p for c in peer.rtcp for p in parse_compound(c) if isinstance(p, SenderReport)]
    assert [report.rtp_timestamp for report in told] == [3000]
    assert told[0].ssrc == slot.ssrc
