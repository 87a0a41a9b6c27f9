"""How soon a packet is asked for again, and repeated again, follows the round trip where it is known."""

from media.plane import Drop
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
        stream = Stream(harness)
        view = View(stream)
        stream.send_key()
        for _ in range(1499):
            stream.send()
        first = view.packets[0].sequence_number
        numbers = [first + n & 0xFFFF for n in range(1500)]
        for at in range(0, 1500, 250):
            view.nack(*numbers[at : at + 250])
        repeated = len(view.repeats)
        assert 1000 <= repeated <= 1500
        # the same again at once: those repeated less than 10 ms ago are not, and of the others only so many
        for _ in range(20):
            for at in range(0, 1500, 250):
                view.nack(*numbers[at : at + 250])
        assert harness.drops(Drop.NACK_LIMIT) > 0
