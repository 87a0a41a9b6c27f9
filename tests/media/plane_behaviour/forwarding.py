"""A packet reaches every consumer: the same frame, under the consumer's own names."""

from media.codecs import opus
from media.plane import Codec, Drop
from media.rtp.packet import RtpPacket
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_peer import TAG_LENGTHS
from tests.helpers.rtp_stream import VP8_DELTA, VP8_KEY, Stream, View, ids


class Forwarding:
    """What passes unchanged, and what is the consumer's own."""

    def test_timestamp_payload_marker_and_sources_pass_unchanged(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        sent = [
            stream.send_key(marker=False),
            stream.send(marker=True, csrc=(1, 2, 3)),
            stream.send(marker=False, timestamp=0xFFFFFFFF),
            stream.send(marker=True, timestamp=0),
        ]

        def identity(packets: list[RtpPacket]) -> list[tuple[int, bytes, bool, tuple[int, ...]]]:
            return [(p.timestamp, p.payload, p.marker, p.csrc) for p in packets]

        assert identity(view.packets) == identity(sent)
        assert {packet.payload_type for packet in view.packets} == {view.spec.payload_type}

    def test_every_consumer_gets_every_packet(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        views = [View(stream) for _ in range(5)]
        sent = [stream.send_key().payload, *(stream.send().payload for _ in range(20))]
        assert [view.payloads for view in views] == [sent] * 5

    def test_consumers_of_one_transport_are_told_apart(self, harness: PlaneHarness) -> None:
        first, second = Stream(harness), Stream(harness)
        peer = harness.peer()
        first_view, second_view = View(first, peer), View(second, peer)
        payloads = [first.send_key().payload, second.send_key().payload]
        assert [first_view.payloads, second_view.payloads] == [payloads[:1], payloads[1:]]

    def test_a_peer_may_publish_and_watch(self, harness: PlaneHarness) -> None:
        first = Stream(harness)
        second = Stream(harness)
        first_view, second_view = View(first, second.peer), View(second, first.peer)
        payloads = [first.send_key().payload, second.send_key().payload]
        assert [first_view.payloads, second_view.payloads] == [payloads[:1], payloads[1:]]

    def test_sequence_numbers_are_consecutive(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        stream.send_key()
        for _ in range(30):
            stream.send()
        numbers = [packet.sequence_number for packet in view.packets]
        assert numbers == [numbers[0] + n & 0xFFFF for n in range(31)]

    def test_sequence_numbers_go_on_over_the_wrap(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        stream.sequence = 65_530
        sent = [stream.send_key().payload, *(stream.send().payload for _ in range(11))]
        assert stream.sequence == 6
        assert view.payloads == sent
        numbers = [packet.sequence_number for packet in view.packets]
        assert numbers == [numbers[0] + n & 0xFFFF for n in range(12)]
        assert stream.statistics().lost == 0

    def test_a_gap_stays_a_gap(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        stream.send_key()
        stream.lose()
        stream.send()
        first, second = (packet.sequence_number for packet in view.packets)
        assert second == first + 2 & 0xFFFF

    def test_late_packets_get_the_numbers_of_their_place(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        packets = [stream.packet(VP8_KEY), *(stream.packet() for _ in range(3))]
        for index in (0, 3, 1, 2):
            stream.peer.send_rtp(packets[index])
        assert view.payloads == [packets[index].payload for index in (0, 3, 1, 2)]
        first = view.packets[0].sequence_number
        assert [packet.sequence_number - first & 0xFFFF for packet in view.packets] == [0, 3, 1, 2]

    def test_padding_passes_or_goes_but_the_payload_stays(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        sent = [stream.send_key(padding=40).payload, stream.send(padding=255).payload]
        assert view.payloads == sent

    def test_audio_is_forwarded_from_its_first_packet(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, codec=Codec.OPUS, clock_rate=opus.CLOCK_RATE)
        view = View(stream)
        sent = [stream.send(b"\x78").payload for _ in range(3)]
        assert view.payloads == sent

    def test_the_largest_datagram_passes(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        stream.send_key()
        room = 1500 - TAG_LENGTHS[harness.profile] - 12 - 2
        largest = stream.send(VP8_DELTA + bytes(room - 2))
        assert len(stream.peer.protect(stream.packet(VP8_DELTA + bytes(room - 2)))) == 1500
        assert view.payloads[1:] == [largest.payload]

    def test_what_would_become_too_large_is_dropped_and_the_rest_goes_on(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream, mid="0123456789abcdef", extensions=ids(4, 0, 0, 0, 0, 0))
        stream.send_key()
        stream.send(VP8_DELTA + bytes(1500 - TAG_LENGTHS[harness.profile] - 12 - 4))
        after = stream.send()
        assert view.payloads[1:] == [after.payload]
        assert harness.drops(Drop.TOO_LARGE) == 1

    def test_a_transport_without_keys_is_sent_nothing(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        keyless = harness.peer(keys=False)
        view, other = View(stream, keyless), View(stream)
        stream.send_key()
        assert len(other.packets) == 1
        assert not keyless.datagrams
        harness.plane.set_keys(keyless.transport, keyless.plane_receive, keyless.plane_send)
        harness.settle()
        stream.send_key()
        assert len(view.packets) == 1
