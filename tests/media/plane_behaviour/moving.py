"""A producer whose sender comes back over another transport: for those who watch it goes on, nothing jumps back."""

from dataclasses import replace

import pytest

from media.codecs import opus
from media.ids import Ssrc, TransportId
from media.plane import Codec, Drop, EncodingSpec, ProducerSpec
from media.rtp.packet import RtpPacket
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_peer import Peer
from tests.helpers.rtp_stream import VP8_KEY, Stream, View

from .observing import records

#: The least by which the timeline goes on, in s.
LEAST = 0.1


def leave(stream: Stream) -> None:
    """Let nobody send the producer any more."""
    stream.harness.settle()
    nobody = replace(
        stream.spec, transport=TransportId(0), encodings=(EncodingSpec(),) * len(stream.spec.encodings)
    )
    stream.harness.plane.move_producer(nobody)
    stream.harness.settle()


def come_back(stream: Stream, peer: Peer | None = None, *, timestamp: int = 7) -> None:
    """Send the producer from another transport, with SSRCs, numbers and timestamps of its own choice."""
    harness = stream.harness
    harness.settle()
    stream.peer = peer or harness.peer()
    number = next(harness.numbers)
    stream.ssrc, stream.rtx_ssrc = Ssrc(50_000 + number), Ssrc(60_000 + number if stream.rtx_ssrc else 0)
    encodings = (EncodingSpec(stream.ssrc, stream.rtx_ssrc),)
    stream.spec = replace(stream.spec, transport=stream.peer.transport, encodings=encodings)
    harness.plane.move_producer(stream.spec)
    harness.settle()
    stream.sequence, stream.timestamp = 3, timestamp


def picture(number: int, *, key: bool = False) -> bytes:
    """Make the beginning of a VP8 payload with a picture identifier of 15 bits."""
    return bytes([0x90, 0x80, 0x80 | number >> 8, number & 255, 0 if key else 1])


class Moving:
    """What goes on, and what begins anew."""

    def test_numbers_go_on_and_a_picture_begins_at_a_key_frame(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        stream.send_key()
        stream.send()
        leave(stream)
        come_back(stream)
        stream.send()
        stream.send_key()
        stream.send()
        numbers = [packet.sequence_number for packet in view.packets]
        assert numbers == [numbers[0] + n for n in range(4)]
        assert harness.drops(Drop.AWAITING_KEY_FRAME) == 1
        assert {packet.ssrc for packet in view.packets} == {view.spec.ssrc}

    @pytest.mark.parametrize("timestamp", [7, 0xFFFFFFF0, 0x80000000])
    def test_the_timeline_goes_on_by_the_time_that_has_passed(
        self, harness: PlaneHarness, timestamp: int
    ) -> None:
        stream = Stream(harness)
        view = View(stream)
        before = harness.clock()
        stream.send_key()
        harness.settle()
        leave(stream)
        harness.advance(300)
        come_back(stream, timestamp=timestamp)
        first = stream.send_key()
        second = stream.send()
        assert len(view.packets) == 3
        passed = (harness.clock() - before) / 1e9
        old, *new = (packet.timestamp for packet in view.packets)
        steps = [(value - old) % (1 << 32) / 90_000 for value in new]
        assert 0.3 <= steps[0] <= passed
        assert steps[1] - steps[0] == pytest.approx(3000 / 90_000)
        offset = (new[0] - first.timestamp) % (1 << 32)
        assert offset == (new[1] - second.timestamp) % (1 << 32)
        assert stream.statistics().offset == offset

    def test_it_goes_on_by_100_ms_at_least(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        stream.send_key()
        harness.settle()
        come_back(stream)
        stream.send_key()
        old, new = (packet.timestamp for packet in view.packets)
        assert new - old >= LEAST * 90_000

    def test_what_has_sent_nothing_keeps_its_own_timeline(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        come_back(stream, timestamp=4711)
        stream.send_key()
        assert [packet.timestamp for packet in view.packets] == [4711]
        assert stream.statistics().offset == 0

    def test_the_offset_is_not_known_before_the_first_packet(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        stream.send_key()
        assert stream.statistics().offset == 0
        leave(stream)
        assert stream.statistics().offset is None
        come_back(stream)
        assert stream.statistics().offset is None

    def test_names_of_pictures_go_on(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        stream.send(picture(900, key=True))
        stream.send(picture(901))
        come_back(stream)
        stream.send(picture(5, key=True))
        stream.send(picture(6))
        named = [int.from_bytes(payload[2:4], "big") & 0x7FFF for payload in view.payloads]
        assert named == [900, 901, 902, 903]

    def test_sound_goes_on_at_once(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, codec=Codec.OPUS, clock_rate=opus.CLOCK_RATE, rtx_payload_type=0, rtx_ssrc=0)
        view = View(stream, rtx_ssrc=0, rtx_payload_type=0)
        sent = [stream.send(b"\x78").payload for _ in range(3)]
        leave(stream)
        come_back(stream)
        sent += [stream.send(b"\x78").payload for _ in range(3)]
        assert view.payloads == sent
        numbers = [packet.sequence_number for packet in view.packets]
        assert numbers == [numbers[0] + n for n in range(6)]

    def test_the_old_transport_may_go(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        old = stream.peer
        view = View(stream)
        stream.send_key()
        harness.settle()
        leave(stream)
        old.send_rtp(stream.packet(VP8_KEY))
        assert harness.drops(Drop.UNKNOWN_SSRC) == 1
        harness.plane.remove_transport(old.transport)
        harness.settle()
        come_back(stream)
        stream.send_key()
        assert len(view.packets) == 2

    def test_who_comes_while_nobody_sends_is_sent_it_later(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        stream.send_key()
        leave(stream)
        view = View(stream)
        come_back(stream)
        stream.send_key()
        assert len(view.packets) == 1

    def test_repeats_of_the_new_stream_are_of_it(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        stream.send_key()
        harness.settle()
        come_back(stream)
        sent = stream.send_key()
        old, new = (packet.sequence_number for packet in view.packets)
        view.nack(old, new)
        assert [packet.payload for packet in view.repeats] == [new.to_bytes(2, "big") + sent.payload]
        assert harness.drops(Drop.NOT_IN_HISTORY) == 1
        lost = stream.lose()
        stream.send()
        harness.settle()
        stream.send_rtx(lost.sequence_number.to_bytes(2, "big") + lost.payload, 9, timestamp=lost.timestamp)
        assert view.packets[-1].payload == lost.payload

    def test_the_tap_goes_on_after_a_gap(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        harness.plane.set_tap(stream.spec.producer, enabled=True)
        harness.settle()
        stream.sequence = 40_000
        sent = [stream.send_key().payload, stream.send().payload]
        harness.settle()
        leave(stream)
        come_back(stream)
        sent += [stream.send_key().payload, stream.send().payload]
        harness.settle()
        tapped = records(harness.plane.read_tap())
        assert [record[3].payload for record in tapped] == sent
        first = tapped[0][2]
        assert [record[2] - first for record in tapped] == [0, 1, 3, 4]
        timestamps = [record[3].timestamp for record in tapped]
        assert timestamps[2] - timestamps[1] >= LEAST * 90_000
        assert timestamps[3] - timestamps[2] == 3000

    def test_of_several_encodings_the_others_are_to_be_told(self, harness: PlaneHarness) -> None:
        encodings = (EncodingSpec(Ssrc(1)), EncodingSpec(Ssrc(2)))
        stream = Stream(harness, encodings=encodings, rtx_payload_type=0)
        harness.plane.set_timestamp_offset(stream.spec.producer, 1, 5)
        stream.ssrc = Ssrc(1)
        stream.send_key()
        harness.settle()
        leave(stream)
        peer = harness.peer()
        again = replace(
            stream.spec, transport=peer.transport, encodings=(EncodingSpec(Ssrc(3)), EncodingSpec(Ssrc(4)))
        )
        harness.plane.move_producer(again)
        peer.send_rtp(RtpPacket(96, 1, 1000, Ssrc(4), payload=VP8_KEY + b"1"))
        peer.send_rtp(RtpPacket(96, 1, 1000, Ssrc(3), payload=VP8_KEY + b"1"))
        harness.settle()
        first, second = harness.plane.producer_statistics(stream.spec.producer).encodings
        assert (first.packets, second.packets) == (1, 1)
        assert first.offset is not None
        assert second.offset is None
        harness.plane.set_timestamp_offset(stream.spec.producer, 1, first.offset + 9)
        harness.settle()
        second = harness.plane.producer_statistics(stream.spec.producer).encodings[1]
        assert second.offset == (first.offset + 9) % (1 << 32)

    @pytest.mark.parametrize(
        "change",
        [
            {"codec": Codec.H264},
            {"clock_rate": 48_000},
            {"encodings": (EncodingSpec(), EncodingSpec())},
            {"history_ms": 1000},
            {"transport": TransportId(999_999)},
        ],
    )
    def test_what_would_be_something_else_is_refused(
        self, harness: PlaneHarness, change: dict[str, object]
    ) -> None:
        stream = Stream(harness)
        view = View(stream)
        spec: ProducerSpec = replace(stream.spec, **({"transport": TransportId(0)} | change))  # type: ignore[arg-type]
        with pytest.raises(ValueError):
            harness.plane.move_producer(spec)
        stream.send_key()
        assert len(view.packets) == 1

    def test_where_it_is_and_what_is_anothers_is_refused(self, harness: PlaneHarness) -> None:
        stream, other = Stream(harness), Stream(harness)
        with pytest.raises(ValueError, match="already"):
            harness.plane.move_producer(stream.spec)
        taken = replace(stream.spec, transport=other.peer.transport, encodings=(EncodingSpec(other.ssrc),))
        with pytest.raises(ValueError, match="SSRC"):
            harness.plane.move_producer(taken)
        with pytest.raises(ValueError, match="no producer"):
            harness.plane.move_producer(replace(stream.spec, producer=9_999))  # type: ignore[arg-type]
