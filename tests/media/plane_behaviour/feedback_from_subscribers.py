"""What a subscriber says of arrivals is joined with what it was sent; what it invents is ignored."""

from typing import Any

import pytest

from media.feedback_group import FeedbackGroup
from media.plane import Drop, EventKind
from media.rtp.extensions import parse_transport_wide
from media.rtp.rtcp import ReceiverReport, ReportBlock, TransportWideFeedback
from media.rtp.transport_wide import TICK_NS, Arrivals
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_peer import Peer
from tests.helpers.rtp_stream import Stream, View, ids

WIDE = 10


def watch(stream: Stream, peer: Peer | None = None, **spec: Any) -> View:
    """Be sent a stream with transport-wide numbers."""
    return View(stream, peer, extensions=ids(0, 0, 0, 0, WIDE), **spec)


def numbers(view: View) -> list[int]:
    """List the transport-wide numbers of all that came, in order."""
    view.harness.settle()
    return [parse_transport_wide(packet.extensions[WIDE]) for packet in view.peer.rtp]


def answer(view: View, base: int, ticks: list[int | None]) -> None:
    """Send a feedback, and settle."""
    view.peer.send_rtcp(ReceiverReport(7), Arrivals(base & 0xFFFF, tuple(ticks), 0).packet(7, view.spec.ssrc))
    view.harness.settle()


def groups(view: View) -> list[FeedbackGroup]:
    """List the groups of all FEEDBACK events of the view's transport."""
    events = view.harness.events(EventKind.FEEDBACK)
    return [g for e in events if e.transport == view.peer.transport for g in FeedbackGroup.read_all(e.data)]


def ignored(view: View) -> int:
    """Count the statuses that were not believed."""
    view.harness.settle()
    return view.harness.plane.statistics().transports[view.peer.transport].feedback_ignored


class FeedbackFromSubscribers:
    """Groups of packets, and peers that lie."""

    def test_what_arrived_is_joined_with_what_was_sent(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = watch(stream)
        before = harness.clock()
        stream.send_key()
        for _ in range(5):
            stream.send(b"\x10\x01" + bytes(700))
        sent = numbers(view)
        assert sent == [sent[0] + n for n in range(6)]
        answer(view, sent[0], [4_000, 4_001, 4_002, None, 4_010, 4_009])
        found = groups(view)
        sizes = [len(datagram) for datagram in view.peer.datagrams]
        assert sum(group.packets_received for group in found) == 5
        assert sum(group.packets_lost for group in found) == 1
        assert sum(group.bytes_received for group in found) == sum(sizes) - sizes[3]
        assert max(group.last_arrival for group in found) == 4_010 * TICK_NS
        assert before - 1_000_000 <= found[0].first_sent <= found[-1].last_sent <= harness.clock()
        assert all(group.first_sent <= group.last_sent for group in found)
        assert {group.probe_cluster for group in found} == {0}
        [event] = harness.events(EventKind.FEEDBACK)
        assert abs(event.time - harness.clock()) < 60_000_000_000
        statistics = harness.plane.statistics().transports[view.peer.transport]
        assert (statistics.feedback_in, statistics.feedback_ignored) == (1, 0)
        assert (statistics.packets_out, statistics.bytes_out) == (6, sum(sizes))

    def test_what_left_farther_apart_is_another_group(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = watch(stream)
        stream.send_key()
        harness.settle()
        harness.advance(8)
        stream.send()
        answer(view, numbers(view)[0], [100, 140])
        first, second = groups(view)
        assert (first.packets_received, second.packets_received) == (1, 1)
        assert second.first_sent - first.first_sent >= 8_000_000
        assert second.last_arrival - first.last_arrival == 40 * TICK_NS

    def test_one_window_serves_all_streams_of_a_transport(self, harness: PlaneHarness) -> None:
        field, face = Stream(harness), Stream(harness)
        view = watch(field)
        other = watch(face, view.peer)
        field.send_key()
        face.send_key()
        harness.settle()
        view.nack(view.packets[0].sequence_number)
        assert len(other.packets) == 1
        sent = numbers(view)
        assert sent == [sent[0] + n for n in range(3)]
        answer(view, sent[0], [1, 2, 3])
        assert sum(group.packets_received for group in groups(view)) == 3

    def test_what_comes_late_after_all_is_received_then(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = watch(stream)
        stream.send_key()
        stream.send()
        base = numbers(view)[0]
        answer(view, base, [None, 10])
        answer(view, base, [12, 10])
        assert [(g.packets_received, g.packets_lost) for g in groups(view)][-1] == (1, 0)
        assert sum(group.packets_received for group in groups(view)) == 2
        assert sum(group.packets_lost for group in groups(view)) == 1
        assert ignored(view) == 1

    def test_a_liar_is_not_believed(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = watch(stream)
        stream.send_key()
        stream.send()
        base = numbers(view)[0]
        answer(view, base + 2, [1, 2, 3])  # never sent
        answer(view, base - 300, [1] * 300)  # before the first
        answer(view, base + 30_000, [1])
        assert not groups(view)
        answer(view, base, [5, 6])
        answer(view, base, [5, 6])  # a second time
        answer(view, base, [None, None])  # and taken back
        assert sum(group.packets_received for group in groups(view)) == 2
        assert sum(group.packets_lost for group in groups(view)) == 0
        assert ignored(view) == 3 + 300 + 1 + 2 + 2
        answer(view, base, [None] * 16_384)
        assert ignored(view) == 308 + 16_384

    def test_whoever_never_answers_is_not_waited_for_long(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = watch(stream)
        stream.send_key()
        base = numbers(view)[0]
        for _ in range(21):
            for _ in range(100):
                stream.send()
            harness.settle()
        answer(view, base, [1, 2])  # of 2,101, the newest 1,024 wait
        assert (groups(view), ignored(view)) == ([], 2)
        answer(view, base + 2_100, [3])
        for _ in range(21):
            for _ in range(100):
                stream.send()
            harness.settle()
        answer(view, base + 2_101, [4])  # from then on all do
        assert (sum(group.packets_received for group in groups(view)), ignored(view)) == (2, 2)

    def test_nobody_answers_for_another(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view, thief = watch(stream), watch(stream)
        stream.send_key()
        base = numbers(view)[0]
        assert numbers(thief) == [base]
        answer(thief, base, [1])
        assert not groups(view)
        assert len(groups(thief)) == 1

    def test_who_is_sent_no_numbers_has_nothing_to_say(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        stream.send_key()
        answer(view, 1, [1, None])
        assert not groups(view)
        assert ignored(view) == 2

    def test_the_receivers_clock_may_wrap(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = watch(stream)
        stream.send_key()
        stream.send()
        harness.settle()
        base = numbers(view)[0]
        answer(view, base, [(1 << 31) - 4])
        answer(view, base + 1, [-(1 << 31) + 4])
        first, second = groups(view)
        assert second.last_arrival - first.last_arrival == 8 * TICK_NS

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"\0\1\0\1",
            b"\0\1\0\1\0\0\0\0",  # no chunk
            b"\0\1\0\5\0\0\0\0\x20\x05\x07\x07",  # five deltas, two bytes
            b"\0\1\xff\xff\0\0\0\0" + b"\x1f\xff" * 10,  # 65,535 packets
            b"\0\1\0\0\0\0\0\0\0\0\0\0",  # of none
            b"\0\1\0\1\0\0\0\0" + b"\0\0" * 20,  # runs of nothing
        ],
    )
    def test_a_feedback_whose_lengths_lie_is_malformed(self, harness: PlaneHarness, body: bytes) -> None:
        stream = Stream(harness)
        view = watch(stream)
        stream.send_key()
        harness.settle()
        view.peer.send_rtcp(ReceiverReport(7), TransportWideFeedback(7, view.spec.ssrc, body))
        assert harness.drops(Drop.MALFORMED) == 1
        assert not groups(view)
        assert not harness.events(EventKind.RTCP)

    def test_what_else_the_peer_says_is_handed_up(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = watch(stream)
        stream.send_key()
        feedback = Arrivals(numbers(view)[0], (1,), 0).packet(7, view.spec.ssrc)
        report = ReceiverReport(7, (ReportBlock(view.spec.ssrc, 3, 1, 1, 0, 0, 0),))
        view.peer.send_rtcp(ReceiverReport(7), feedback)
        view.peer.send_rtcp(ReceiverReport(7))
        view.peer.send_rtcp(report, feedback)
        told = [event.data for event in harness.events(EventKind.RTCP)]
        assert told == [bytes(ReceiverReport(7)), bytes(report) + bytes(feedback)]
