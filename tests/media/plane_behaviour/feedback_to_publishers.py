"""A publisher is told when its packets arrived, all of them, by transport-wide feedback."""

import random
from itertools import pairwise

from media.plane import Drop
from media.rtp.rtcp import TransportWideFeedback, parse_compound
from media.rtp.transport_wide import Arrivals
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_peer import Peer
from tests.helpers.rtp_stream import Stream, ids

WIDE = 9
_IDS = ids(0, 0, 0, 0, WIDE)


def told(peer: Peer) -> list[Arrivals]:
    """List the feedbacks that a publisher got so far."""
    return [
        Arrivals.parse(packet.body)
        for compound in peer.rtcp
        for packet in parse_compound(compound)
        if isinstance(packet, TransportWideFeedback)
    ]


def arrivals(peer: Peer) -> dict[int, int | None]:
    """Put all feedbacks together: what the newest says of each number counts."""
    return {
        feedback.base + i & 0xFFFF: tick for feedback in told(peer) for i, tick in enumerate(feedback.ticks)
    }


def numbered(number: int) -> dict[int, bytes]:
    """Give a packet its transport-wide number."""
    return {WIDE: (number & 0xFFFF).to_bytes(2, "big")}


class FeedbackToPublishers:
    """Arrivals are told soon, once, and again when something came late."""

    def test_what_arrived_and_what_did_not_is_told(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, extensions=_IDS)
        for number in (65_534, 65_535, 1, 2, 4):
            stream.send(extensions=numbered(number))
        harness.until(lambda: len(arrivals(stream.peer)) >= 7)
        seen = arrivals(stream.peer)
        assert [number for number, tick in seen.items() if tick is None] == [0, 3]
        ticks = [tick for tick in seen.values() if tick is not None]
        assert ticks == sorted(ticks)
        assert ticks[-1] - ticks[0] < 40_000  # 10 s
        assert harness.plane.statistics().transports[stream.peer.transport].feedback_out == len(
            told(stream.peer)
        )

    def test_packets_of_every_stream_are_told_of(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, extensions=_IDS)
        stream.send_key(extensions=numbered(1))
        # padding probes, streams that are still to be recognised: the publisher's estimate is of all of them
        stream.send_rtx(b"", 1, padding=200, extensions=numbered(2))
        unknown = Stream(harness, harness.peer()).packet(extensions=numbered(3), payload=b"new")
        stream.peer.send_rtp(unknown)
        harness.until(lambda: len(arrivals(stream.peer)) == 3)
        assert None not in arrivals(stream.peer).values()
        assert harness.drops(Drop.UNKNOWN_SSRC) == 1

    def test_much_is_told_at_once_and_in_order(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, extensions=_IDS)
        for number in range(900):
            stream.send(extensions=numbered(number))
        harness.until(lambda: len(arrivals(stream.peer)) == 900)
        feedbacks = told(stream.peer)
        assert len(feedbacks) >= 3
        assert [feedback.count for feedback in feedbacks] == list(range(len(feedbacks)))
        assert all(a.base + len(a.ticks) == b.base for a, b in pairwise(feedbacks))
        assert None not in arrivals(stream.peer).values()

    def test_any_order_and_any_loss_are_told_as_they_were(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, extensions=_IDS)
        chance = random.Random(7)
        numbers = [number for number in range(65_300, 65_900) if chance.random() < 0.8]
        for at in range(0, len(numbers) - 8, 5):
            if chance.random() < 0.3:
                numbers[at : at + 8] = chance.sample(numbers[at : at + 8], 8)
        for number in numbers:
            stream.send(extensions=numbered(number))
        expected = {number & 0xFFFF for number in numbers}
        harness.until(
            lambda: {n for n, tick in arrivals(stream.peer).items() if tick is not None} == expected
        )

    def test_what_came_late_is_told_once_more(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, extensions=_IDS)
        for number in (5, 7, 8):
            stream.send(extensions=numbered(number))
        harness.until(lambda: len(arrivals(stream.peer)) == 4)
        assert arrivals(stream.peer)[6] is None
        stream.send(extensions=numbered(6))
        harness.until(lambda: arrivals(stream.peer)[6] is not None)
        # with what came after it, as it came
        [*_, last] = told(stream.peer)
        assert (last.base, len(last.ticks)) == (6, 3)
        assert last.ticks[0] is not None
        assert last.ticks[1] is not None
        assert last.ticks[0] >= last.ticks[1]

    def test_the_first_of_equal_numbers_counts(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, extensions=_IDS)
        stream.send(extensions=numbered(5))
        stream.send(extensions=numbered(5))
        harness.until(lambda: len(told(stream.peer)) == 1)
        harness.advance(120)
        assert len(told(stream.peer)) == 1

    def test_after_a_jump_nothing_of_the_gap_is_told(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, extensions=_IDS)
        stream.send(extensions=numbered(5))
        stream.send(extensions=numbered(20_000))
        harness.until(lambda: 20_000 in arrivals(stream.peer))
        assert None not in arrivals(stream.peer).values()

    def test_who_did_not_negotiate_it_is_told_nothing(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        stream.send(extensions=numbered(5))
        harness.advance(120)
        harness.settle()
        assert not told(stream.peer)

    def test_a_number_of_a_wrong_length_is_none(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, extensions=_IDS)
        stream.send(extensions={WIDE: b"x"})
        stream.send(extensions={WIDE: b"xyz"})
        # version 2 of the extension has four bytes, of which the first two are the number
        stream.send(extensions={WIDE: b"\0\7\0\0"})
        harness.until(lambda: bool(told(stream.peer)))
        assert list(arrivals(stream.peer)) == [7]
