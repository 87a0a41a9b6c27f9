"""How soon a packet is asked for again, and repeated again, follows the round trip where it is known."""

from media.plane import REPEATS_A_SECOND, REPEATS_AT_ONCE, Drop, EventKind
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_stream import Stream, View


def asked(stream: Stream, number: int) -> int:
    """Count how often the plane asked a publisher for a packet."""
    stream.harness.settle()
    return stream.peer.nacked(stream.ssrc).count(number)


class RoundTrips:
    """NACKs both ways."""

    def test_a_far_publisher_is_given_time_to_answer(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        harness.plane.set_round_trip(stream.peer.transport, 30.0)
        stream.send_key()
        lost = stream.lose().sequence_number
        stream.send()
        harness.until(lambda: asked(stream, lost) == 1)
        harness.advance(120)
        assert asked(stream, lost) == 1

    def test_a_near_publisher_is_asked_sooner(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        harness.plane.set_round_trip(stream.peer.transport, 0.001)
        stream.send_key()
        lost = stream.lose().sequence_number
        stream.send()
        begin = harness.clock()
        harness.until(lambda: asked(stream, lost) >= 4)
        # 5 ms, and three times 20 ms
        assert harness.clock() - begin >= 60_000_000

    def test_a_packet_is_given_up_after_ten_requests(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        harness.plane.set_round_trip(stream.peer.transport, 0.001)
        stream.send_key()
        lost = stream.lose().sequence_number
        stream.send()
        harness.until(lambda: asked(stream, lost) == 10)
        harness.advance(60)
        assert asked(stream, lost) == 10

    def test_a_repeat_that_is_under_way_is_not_sent_again(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        stream.send_key()
        number = view.packets[0].sequence_number
        harness.plane.set_round_trip(view.peer.transport, 30.0)
        view.nack(number)
        harness.advance(15)
        view.nack(number)
        assert len(view.repeats) == 1
        assert harness.drops(Drop.NACK_LIMIT) == 1
        harness.plane.set_round_trip(view.peer.transport, 0)
        view.nack(number)
        assert len(view.repeats) == 2

    def test_a_storm_of_nacks_is_bounded(self, harness: PlaneHarness) -> None:
        """More packets than may be repeated at once are asked for in turn, each no sooner than it may be again."""
        stream = Stream(harness)
        view = View(stream)
        stream.send_key()
        for _ in range(1499):
            stream.send()
        first = view.packets[0].sequence_number
        numbers = [first + n & 0xFFFF for n in range(1500)]
        began = harness.clock()
        for _ in range(20):
            for at in range(0, 1500, 250):
                view.nack(*numbers[at : at + 250])
            harness.advance(11)
        limited = harness.drops(Drop.NACK_LIMIT)
        repeated = harness.plane.statistics().consumers[view.spec.consumer].retransmitted
        lasted = (harness.clock() - began) / 1e9
        assert repeated + limited == 20 * 1500
        assert REPEATS_AT_ONCE <= repeated <= REPEATS_AT_ONCE + REPEATS_A_SECOND * lasted + 1

    def test_a_storm_of_nacks_for_what_is_gone_wants_ten_key_frames_a_second(
        self, harness: PlaneHarness
    ) -> None:
        stream = Stream(harness, history_ms=50)
        view = View(stream)
        stream.send_key()
        gone = view.packets[0].sequence_number
        harness.advance(100)
        stream.send()
        began = harness.clock()
        for _ in range(20):
            for _ in range(15):
                view.nack(gone)
            harness.advance(10)
        lasted = (harness.clock() - began) / 1e9
        assert harness.drops(Drop.NOT_IN_HISTORY) == 300
        assert 2 <= len(harness.events(EventKind.KEY_FRAME_WANTED)) <= 1 + 10 * lasted
