"""Packets reach every consumer, rewritten, under each of the SRTP profiles that browsers negotiate."""

from __future__ import annotations

import pytest

from media.ids import ConsumerId, ProducerId

from .peers import CM_80, DELTA_FRAME, GCM_128, GCM_256, KEY_FRAME, room, rtp


@pytest.mark.parametrize("profile", [GCM_128, GCM_256, CM_80])
def test_a_burst_reaches_three_consumers_in_order(profile: int) -> None:
    payloads = [
        KEY_FRAME + bytes(1100),
        *(bytes([0, n]) + bytes(1100) for n in range(1, 34)),
        b"\x00 the short end",
    ]
    with room(3, profile) as here:
        here.add_producer()
        here.add_consumers()
        here.publisher.send(*(rtp(65_530 + n, payload, timestamp=90) for n, payload in enumerate(payloads)))
        for peer in here.subscribers:
            packets = peer.receive(len(payloads))
            assert [int.from_bytes(packet[2:4], "big") for packet in packets] == list(range(1, 36))
            assert [packet[12:] for packet in packets] == payloads
            assert {packet[4:8] for packet in packets} == {bytes([0, 0, 0, 90])}
            assert {int.from_bytes(packet[8:12], "big") for packet in packets} == {5000 + 10 * peer.transport}
            assert {packet[1] & 127 for packet in packets} == {110}
        here.wait_until(lambda: here.plane.statistics().packets_out == 105)
        statistics = here.plane.statistics()
        assert statistics.packets_in == 35
        assert sum(statistics.drops) == 0
        assert sum(statistics.transit) == 105
        producer = statistics.producers[ProducerId(1)].encodings[0]
        assert (producer.packets, producer.lost, producer.key_frames) == (35, 0, 1)
        assert (producer.first, producer.highest) == (65_530, 65_564)
        consumer = statistics.consumers[ConsumerId(102)]
        assert consumer.packets == 35
        assert consumer.octets == sum(map(len, payloads))
        assert consumer.last_timestamp == 90


def test_bursts_of_two_producers_leave_together_and_each_stays_in_order() -> None:
    count = 200  # more than the queue holds, for three receivers
    with room(3) as here:
        for producer in (1, 2):
            here.add_producer(producer=producer, ssrc=1000 * producer)
            here.add_consumers(producer=producer, mid=str(producer))
        sizes = [1100 if n % 7 else 90 + n for n in range(count)]
        packets = [
            here.publisher.protect(
                rtp(
                    1 + n,
                    (DELTA_FRAME if n else KEY_FRAME) + bytes([producer, n]) + bytes(size),
                    ssrc=1000 * producer,
                )
            )
            for n, size in enumerate(sizes)
            for producer in (1, 2)
        ]
        for packet in packets:
            here.publisher.send_raw(packet)
        for peer in here.subscribers:
            received = peer.receive(2 * count)
            for producer in (1, 2):
                ssrc = 5000 * producer + 10 * peer.transport
                mine = [packet for packet in received if int.from_bytes(packet[8:12], "big") == ssrc]
                assert [int.from_bytes(packet[2:4], "big") for packet in mine] == list(range(1, count + 1))
                start = [12 + len(KEY_FRAME), *[12 + len(DELTA_FRAME)] * (count - 1)]
                assert [packet[at : at + 2] for at, packet in zip(start, mine, strict=True)] == [
                    bytes([producer, n]) for n in range(count)
                ]
                assert [len(packet) - at - 2 for at, packet in zip(start, mine, strict=True)] == sizes
        here.wait_until(lambda: here.plane.statistics().packets_out == 6 * count)
        statistics = here.plane.statistics()
        assert sum(statistics.drops) == 0
        assert sum(statistics.transit) == 6 * count
        assert {statistics.consumers[ConsumerId(100 * p + t)].packets for p in (1, 2) for t in (2, 3, 4)} == {
            count
        }


def test_a_packet_of_the_longest_size_passes() -> None:
    with room() as here:
        here.add_producer()
        here.add_consumers()
        payload = KEY_FRAME + bytes(1500 - 12 - 16 - len(KEY_FRAME))
        here.publisher.send(rtp(1, payload))
        assert len(here.subscribers[0].receive_raw()) == 1500


def test_markers_and_contributing_sources_pass() -> None:
    with room() as here:
        here.add_producer()
        here.add_consumers()
        packet = bytearray(rtp(1, b"\0\0\0\7" + KEY_FRAME, marker=True))
        packet[0] |= 1
        here.publisher.send(bytes(packet), rtp(2, DELTA_FRAME))
        first, second = here.subscribers[0].receive(2)
        assert first[0] == 0x81
        assert first[1] == 0x80 | 110
        assert first[12:] == b"\0\0\0\7" + KEY_FRAME
        assert second[1] == 110
