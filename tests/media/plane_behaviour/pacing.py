"""A paced transport's video leaves at its rate, behind audio and repeats; what is too late is dropped."""

from media.ids import Ssrc
from media.plane import Codec, Drop, EventKind, TransportStatistics
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_stream import VP8_DELTA, VP8_KEY, Stream, View

from .layers import FRAME, TemporalStream, want

#: A packet's payload: with header and tag some 1,050 bytes.
FULL = bytes(1000)
PACKETS = 40


def send_key_frame(stream: Stream, packets: int = PACKETS) -> list[bytes]:
    """Send a key frame of so many packets; give their payloads."""
    timestamp = stream.timestamp
    sent = [stream.send(VP8_KEY + FULL, timestamp=timestamp)]
    sent += [stream.send(b"\0" + FULL, timestamp=timestamp) for _ in range(packets - 1)]
    return [packet.payload for packet in sent]


def transport(view: View) -> TransportStatistics:
    """Read the counters of a view's transport."""
    view.harness.settle()
    return view.harness.plane.statistics().transports[view.peer.transport]


class Pacing:
    """Rate, order, limits."""

    def test_a_burst_leaves_at_the_rate_and_in_order(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        harness.plane.set_pacing(view.peer.transport, 2_000_000)
        harness.settle()
        begin = harness.clock()
        sent = send_key_frame(stream)
        harness.until(lambda: len(view.payloads) == PACKETS)
        # ten packets' worth left together, 40 x 8.4 kbit less 100 kbit take 118 ms
        assert harness.clock() - begin >= 110_000_000
        assert view.payloads == sent
        numbers = [packet.sequence_number for packet in view.packets]
        assert numbers == [numbers[0] + n & 0xFFFF for n in range(PACKETS)]
        statistics = transport(view)
        assert 0 < statistics.paced < PACKETS
        assert (statistics.queued_packets, statistics.queued_bytes) == (0, 0)
        # what waited is not in the transit times
        assert sum(harness.plane.statistics().transit) == PACKETS - statistics.paced

    def test_what_is_below_the_rate_does_not_wait(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        harness.plane.set_pacing(view.peer.transport, 100_000_000)
        stream.send_key()
        for _ in range(5):
            stream.send()
        assert len(view.packets) == 6
        assert transport(view).paced == 0

    def test_only_the_transport_that_is_paced_waits(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        slow, fast = View(stream), View(stream)
        harness.plane.set_pacing(slow.peer.transport, 500_000)
        send_key_frame(stream)
        assert len(fast.packets) == PACKETS
        assert transport(slow).queued_packets > 0

    def test_audio_overtakes_video_and_repeats_overtake_it_too(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        voice = Stream(harness, codec=Codec.OPUS, rtx_payload_type=0, rtx_ssrc=0)
        ear = View(voice, view.peer, rtx_payload_type=0, rtx_ssrc=0)
        harness.plane.set_pacing(view.peer.transport, 500_000)
        send_key_frame(stream)
        harness.settle()
        voice.send(b"hello")
        view.nack(view.packets[0].sequence_number)
        assert len(ear.packets) == 1
        harness.until(lambda: len(view.packets) == PACKETS)
        order = [packet.ssrc for packet in view.peer.rtp]
        assert len(view.repeats) == 1
        assert order.index(view.spec.rtx_ssrc) < len(order) - 1
        assert order[-1] == view.spec.ssrc

    def test_what_waited_too_long_is_dropped_up_to_the_next_key_frame(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        harness.plane.set_pacing(view.peer.transport, 100_000)
        first = send_key_frame(stream, 2)
        for _ in range(PACKETS):
            stream.send(VP8_DELTA + FULL)
        harness.until(lambda: harness.drops(Drop.PACER_FULL) > 0)
        assert [event.subject for event in harness.events(EventKind.KEY_FRAME_WANTED)] == [
            stream.spec.producer
        ]
        assert transport(view).queued_packets == 0
        before = view.payloads
        assert before[:2] == first
        assert len(before) < 20
        # what comes now is of no use without a key frame
        stream.send()
        harness.plane.set_pacing(view.peer.transport, 0)
        key = stream.send_key()
        stream.send()
        assert view.payloads[len(before)] == key.payload
        numbers = [packet.sequence_number for packet in view.packets]
        assert numbers == [numbers[0] + n & 0xFFFF for n in range(len(before) + 2)]

    def test_a_key_frame_may_take_longer(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        harness.plane.set_pacing(view.peer.transport, 500_000)
        # 12 packets at once, 24 in 400 ms
        sent = send_key_frame(stream, 36)
        harness.until(lambda: len(view.packets) == 36)
        assert view.payloads == sent
        assert harness.drops(Drop.PACER_FULL) == 0

    def test_a_queue_has_an_end(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        harness.plane.set_pacing(view.peer.transport, 10_000)
        send_key_frame(stream, 12)
        for _ in range(2100):
            stream.send()
        assert harness.drops(Drop.PACER_FULL) + harness.drops(Drop.AWAITING_KEY_FRAME) > 2000
        assert transport(view).queued_packets < 2049

    def test_without_a_rate_all_leaves_that_waits(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        harness.plane.set_pacing(view.peer.transport, 500_000)
        sent = send_key_frame(stream)
        harness.settle()
        harness.plane.set_pacing(view.peer.transport, 0)
        assert view.payloads == sent

    def test_who_pauses_is_not_sent_what_waits(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        harness.plane.set_pacing(view.peer.transport, 500_000)
        send_key_frame(stream)
        harness.settle()
        view.pause()
        harness.plane.set_pacing(view.peer.transport, 0)
        before = len(view.packets)
        assert before < PACKETS
        assert harness.drops(Drop.PAUSED) == PACKETS - before
        view.pause(False)
        key = stream.send_key()
        assert view.payloads[before:] == [key.payload]
        numbers = [packet.sequence_number for packet in view.packets]
        assert numbers == [numbers[0] + n & 0xFFFF for n in range(before + 1)]

    def test_a_number_that_padding_used_up_is_not_given_again(self, harness: PlaneHarness) -> None:
        stream, other = TemporalStream(harness), Stream(harness)
        view = View(stream)
        View(other, view.peer)
        want(view, temporal=0)
        stream.pictures(1)
        other.send_key()
        harness.settle()
        harness.plane.set_pacing(view.peer.transport, 10_000)
        # the line is taken for seconds, so what follows waits
        for _ in range(14):
            other.send(VP8_DELTA + FULL)
        stream.number = 1
        lost = stream.encoders[0].frame(FRAME, temporal=2, packets=1)
        stream.number = 2
        stream.pictures(3)
        before = len(view.packets)
        stream.deliver(lost)
        filler = view.packets[before]
        assert filler.payload == b""
        harness.until(lambda: transport(view).queued_packets == 0)
        harness.plane.set_pacing(view.peer.transport, 0)
        stream.deliver(stream.encoders[0].frame(6 * FRAME, key=True))
        after = view.packets[before + 1 :]
        assert [packet.sequence_number - filler.sequence_number for packet in after] == [1, 2]
        assert not view.peer.repeated

    def test_who_leaves_is_forgotten_with_what_waits(self, harness: PlaneHarness) -> None:
        stream, other = Stream(harness), Stream(harness)
        view = View(stream)
        rest = View(other, view.peer)
        leaving = View(stream)
        for peer in (view.peer, leaving.peer):
            harness.plane.set_pacing(peer.transport, 500_000)
        send_key_frame(stream)
        sent = send_key_frame(other, 4)
        view.nack(view.packets[0].sequence_number)
        harness.plane.remove_consumer(view.spec.consumer)
        harness.plane.remove_transport(leaving.peer.transport)
        harness.until(lambda: rest.payloads == sent)
        assert transport(view).queued_packets == 0

    def test_a_producer_may_end_while_its_packets_wait(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        harness.plane.set_pacing(view.peer.transport, 500_000)
        send_key_frame(stream)
        harness.settle()
        harness.plane.remove_producer(stream.spec.producer)
        assert transport(view).queued_packets == 0
        next_one = Stream(harness, ssrc=Ssrc(77))
        after = View(next_one, view.peer)
        next_one.send_key()
        harness.until(lambda: len(after.packets) == 1)
