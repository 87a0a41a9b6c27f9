"""The tap, injected streams, what Python sends through the plane, and the counters."""

import struct

import pytest

from media.ids import ProducerId, TransportId
from media.plane import TRANSIT_BUCKETS, Drop
from media.rtp.packet import RtpPacket
from media.rtp.rtcp import ReceiverReport, SenderReport
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_stream import VP8_KEY, Stream, View, ids


def records(data: bytes) -> list[tuple[int, int, int, RtpPacket]]:
    """Read whole tap records: (producer, arrival, extended sequence number, packet)."""
    found = []
    while data:
        length, producer, arrival, sequence = struct.unpack_from("!IIQQ", data)
        assert 4 + length <= len(data)
        found.append((producer, arrival, sequence, RtpPacket.parse(data[24 : 4 + length])))
        data = data[4 + length :]
    return found


class Observing:
    """What leaves the plane other than to peers, and what comes in other than from them."""

    def test_the_tap_gets_every_packet_of_its_producer(self, harness: PlaneHarness) -> None:
        stream, other = Stream(harness), Stream(harness)
        harness.plane.set_tap(stream.spec.producer, enabled=True)
        harness.settle()
        stream.sequence = 65_534
        sent = [stream.send(extensions={3: b"abc"}, marker=True), *(stream.send() for _ in range(3))]
        other.send_key()
        harness.settle()
        assert harness.plane.statistics().tap_backlog_bytes >= sum(24 + len(bytes(p)) for p in sent)
        tapped = records(harness.plane.read_tap())
        assert [record[3] for record in tapped] == sent
        assert {record[0] for record in tapped} == {stream.spec.producer}
        assert [record[2] - tapped[0][2] for record in tapped] == [0, 1, 2, 3]
        assert [record[2] & 0xFFFF for record in tapped] == [65_534, 65_535, 0, 1]
        assert all(abs(record[1] - harness.clock()) < 60_000_000_000 for record in tapped)
        assert harness.plane.statistics().tap_backlog_bytes == 0

    def test_the_tap_gives_whole_records_up_to_its_limit(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        harness.plane.set_tap(stream.spec.producer, enabled=True)
        harness.settle()
        size = 24 + len(bytes(stream.send()))
        for _ in range(9):
            stream.send()
        harness.settle()
        assert len(harness.plane.read_tap(4 * size + size // 2)) == 4 * size
        assert len(records(harness.plane.read_tap())) == 6
        assert harness.plane.read_tap() == b""

    def test_a_tap_that_was_closed_gets_nothing(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        harness.plane.set_tap(stream.spec.producer, enabled=True)
        harness.settle()
        stream.send()
        harness.settle()
        harness.plane.set_tap(stream.spec.producer, enabled=False)
        harness.settle()
        stream.send()
        harness.settle()
        assert len(records(harness.plane.read_tap())) == 1

    def test_the_tap_gets_recovered_packets_as_they_were(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        harness.plane.set_tap(stream.spec.producer, enabled=True)
        harness.settle()
        stream.send_key()
        lost = stream.lose()
        stream.send()
        stream.send_rtx(lost.sequence_number.to_bytes(2, "big") + lost.payload, 9, timestamp=lost.timestamp)
        harness.settle()
        tapped = records(harness.plane.read_tap())
        assert tapped[2][3] == lost
        assert tapped[2][2] == tapped[0][2] + 1

    def test_injected_packets_are_a_producers(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, transport=TransportId(0))
        view = View(stream)
        harness.plane.set_tap(stream.spec.producer, enabled=True)
        time = harness.clock()
        sent = [stream.packet(VP8_KEY), *(stream.packet(b"\x00" + bytes(1000)) for _ in range(99))]
        harness.plane.inject(stream.spec.producer, [bytes(packet) for packet in sent], time)
        harness.until(lambda: len(view.packets) == 100)
        assert view.payloads == [packet.payload for packet in sent]
        assert {record[1] for record in records(harness.plane.read_tap())} == {time}
        statistics = stream.statistics()
        assert (statistics.packets, statistics.lost, statistics.last_arrival) == (100, 0, time)

    def test_injected_gaps_are_asked_of_nobody(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, transport=TransportId(0))
        view = View(stream)
        sent = [stream.packet(VP8_KEY), stream.packet(), stream.packet(), stream.packet()]
        del sent[1]
        harness.plane.inject(stream.spec.producer, [bytes(packet) for packet in sent], harness.clock())
        harness.advance(60)
        assert len(view.packets) == 3
        assert stream.statistics().nacks_sent == 0

    def test_a_packet_injected_twice_is_a_duplicate(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, transport=TransportId(0))
        view = View(stream)
        packet = bytes(stream.packet(VP8_KEY))
        harness.plane.inject(stream.spec.producer, [packet, packet], harness.clock())
        harness.plane.inject(stream.spec.producer, [packet], harness.clock())
        assert len(view.packets) == 1
        assert harness.drops(Drop.DUPLICATE) == 2
        assert stream.statistics().duplicates == 2

    @pytest.mark.parametrize("data", [b"", b"\x80", b"\x9f" + bytes(30), b"\xb0" + bytes(20)])
    def test_an_injected_packet_that_is_none_is_counted(self, harness: PlaneHarness, data: bytes) -> None:
        stream = Stream(harness, transport=TransportId(0))
        view = View(stream)
        good = stream.packet(VP8_KEY)
        harness.plane.inject(stream.spec.producer, [data, bytes(good)], harness.clock())
        assert view.payloads == [good.payload]
        assert sum(harness.plane.statistics().drops) == 1

    def test_an_injected_packet_has_a_limit(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, transport=TransportId(0))
        view = View(stream, mid="0123456789abcdef", extensions=ids(1, 2, 0, 0, 3, 4))
        largest = stream.packet(VP8_KEY + bytes(1452 - 12 - 4))
        assert len(bytes(largest)) == 1452
        harness.plane.inject(stream.spec.producer, [bytes(largest)], harness.clock())
        assert view.payloads == [largest.payload]
        with pytest.raises(ValueError):
            harness.plane.inject(stream.spec.producer, [bytes(largest) + b"x"], harness.clock())

    def test_stun_and_dtls_leave_as_they_are(self, harness: PlaneHarness) -> None:
        stranger, peer = harness.stranger(), harness.peer(keys=False)
        harness.plane.send_datagram(stranger.address, b"\x01\x01" + bytes(18))
        harness.plane.send_to(peer.transport, b"\x16" + bytes(1300))
        harness.settle()
        assert stranger.raw == [b"\x01\x01" + bytes(18)]
        assert peer.raw == [b"\x16" + bytes(1300)]

    def test_what_has_no_address_goes_nowhere(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        unreachable = harness.stranger()
        harness.plane.add_transport(unreachable.transport)
        harness.plane.set_keys(unreachable.transport, unreachable.plane_receive, unreachable.plane_send)
        harness.plane.validate_address(unreachable.transport, unreachable.address, selected=False)
        harness.plane.send_to(unreachable.transport, b"\x16hello")
        harness.plane.send_rtcp(unreachable.transport, bytes(ReceiverReport(1)))
        View(stream, unreachable)
        other = View(stream)
        stream.send_key()
        assert len(other.packets) == 1
        assert not unreachable.datagrams

    def test_reports_leave_protected(self, harness: PlaneHarness) -> None:
        peer = harness.peer()
        report = bytes(SenderReport(5, 1 << 40, 90_000, 10, 1000))
        for _ in range(3):
            harness.plane.send_rtcp(peer.transport, report)
        harness.settle()
        assert peer.rtcp == [report] * 3
        assert all(report not in datagram for datagram in peer.datagrams)

    def test_the_counters_count(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        views = [View(stream), View(stream)]
        before = harness.plane.statistics()
        sent = [stream.send_key(), stream.send(), stream.send(padding=9)]
        harness.settle()
        after = harness.plane.statistics()
        assert after.datagrams_in - before.datagrams_in == 3
        assert after.packets_in - before.packets_in == 3
        assert after.packets_out - before.packets_out == 6
        assert after.bytes_in > before.bytes_in
        assert after.bytes_out > before.bytes_out
        assert after.send_calls > before.send_calls
        assert len(after.drops) == len(Drop)
        assert sum(after.drops) == 0
        producer = after.producers[stream.spec.producer].encodings[0]
        assert (producer.packets, producer.lost, producer.key_frames) == (3, 0, 1)
        assert producer.highest - producer.first == 2
        assert producer.highest & 0xFFFF == sent[-1].sequence_number
        assert producer.last_timestamp == sent[-1].timestamp
        assert producer.bytes == sum(len(bytes(packet)) for packet in sent)
        assert abs(producer.last_arrival - harness.clock()) < 60_000_000_000
        for view in views:
            consumer = after.consumers[view.spec.consumer]
            assert (consumer.packets, consumer.retransmitted) == (3, 0)
            assert consumer.octets == sum(len(packet.payload) for packet in sent)
            assert consumer.last_timestamp == sent[-1].timestamp
            assert abs(consumer.last_sent - harness.clock()) < 60_000_000_000

    def test_transit_times_are_kept_for_the_shard_and_the_producer(self, harness: PlaneHarness) -> None:
        stream, other = Stream(harness), Stream(harness)
        View(stream)
        View(other)
        stream.send_key()
        stream.send()
        other.send_key()
        harness.settle()
        statistics = harness.plane.statistics()
        mine = statistics.producers[stream.spec.producer].transit
        others = statistics.producers[other.spec.producer].transit
        assert len(statistics.transit) == len(mine) == TRANSIT_BUCKETS
        assert (sum(mine), sum(others)) == (2, 1)
        assert statistics.transit == tuple(a + b for a, b in zip(mine, others, strict=True))

    def test_jitter_is_that_of_the_arrivals(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, transport=TransportId(0))
        time = harness.clock()
        for n in range(50):
            late = 10_000_000 * (n % 2)
            packet = stream.packet(VP8_KEY, timestamp=n * 3000)
            harness.plane.inject(
                stream.spec.producer, [bytes(packet)], time + n * 3000 * 1_000_000_000 // 90_000 + late
            )
        # every packet is 10 ms, that is 900 units, nearer or farther than the one before
        assert 800 <= stream.statistics().jitter <= 901

    def test_the_counters_can_be_read_after_closing(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        stream.send_key()
        harness.settle()
        harness.plane.close()
        assert harness.plane.statistics().packets_in == 1

    def test_identifiers_are_those_of_the_specs(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, producer=ProducerId(4_000_000))
        view = View(stream)
        statistics = harness.plane.statistics()
        assert list(statistics.producers) == [4_000_000]
        assert list(statistics.consumers) == [view.spec.consumer]
