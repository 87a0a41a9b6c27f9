"""The load tests' probe: what it sends arrives, what it receives it measures, through a real plane."""

from __future__ import annotations

import struct
from functools import partial

from media.ids import ConsumerId, ProducerId, Ssrc, TransportId
from media.native import NativePlane, Probe, percentile
from media.plane import NO_EXTENSIONS, Address, Codec, ConsumerSpec, EncodingSpec, EventKind, ProducerSpec

from .peers import GCM_128, KEY_FRAME, make_sessions, nack, wait_until

CAPTURE_TIME = 3
EXTENSIONS = (1, 0, CAPTURE_TIME, *NO_EXTENSIONS[3:])


def has_received(probe: Probe, socket: int, packets: int) -> bool:
    return sum(stream.packets for stream in probe.statistics(socket).streams) >= packets


def test_a_field_reaches_its_receivers_with_a_latency_for_each_packet() -> None:
    plane, probe = NativePlane(), Probe()
    try:
        sockets = []
        for number in range(4):
            index, port = probe.open("127.0.0.1")
            transport = TransportId(1 + number)
            plane.add_transport(transport)
            plane.validate_address(transport, Address("127.0.0.1", port), selected=True)
            plane.set_keys(transport, *make_sessions(GCM_128, 1, 2))
            receive, send = make_sessions(GCM_128, 2, 1)
            probe.set_keys(index, receive, send, plane.address, capture_time_id=CAPTURE_TIME)
            sockets.append(index)
        plane.add_producer(
            ProducerSpec(
                ProducerId(1),
                TransportId(1),
                Codec.VP8,
                90_000,
                96,
                (EncodingSpec(Ssrc(1000)),),
                extensions=EXTENSIONS,
            )
        )
        for number in range(1, 4):
            plane.add_consumer(
                ConsumerSpec(
                    ConsumerId(number),
                    ProducerId(1),
                    TransportId(1 + number),
                    96,
                    Ssrc(2000 + number),
                    mid="0",
                    extensions=EXTENSIONS,
                )
            )
        frames = [[KEY_FRAME + bytes(1100)] * 34 + [b"\x00" * 100], [b"\x00" + bytes(1106)] * 35]
        stream = probe.start_sending(
            sockets[0],
            ssrc=1000,
            payload_type=96,
            clock_rate=90_000,
            frames=frames,
            fps=200,
            bursts=4,
            mid=(1, "0"),
            capture_time_id=CAPTURE_TIME,
        )
        wait_until(lambda: probe.sent(stream).packets >= 35 * 20)
        probe.stop_sending(stream)
        sent = probe.sent(stream).packets
        wait_until(lambda: plane.statistics().packets_out == 3 * probe.sent(stream).packets)
        for index in sockets[1:]:
            wait_until(partial(has_received, probe, index, sent))
            statistics = probe.statistics(index)
            (received,) = statistics.streams
            assert (received.lost, received.duplicates, received.reordered, received.unstamped) == (
                0,
                0,
                0,
                0,
            )
            assert (statistics.unauthenticated, statistics.other, statistics.queue_drops) == (0, 0, 0)
            assert sum(statistics.latency) == received.packets
            assert 0 < percentile(statistics.latency, 0.5) < 1000
    finally:
        probe.close()
        plane.close()


def test_a_nack_is_answered_and_other_datagrams_are_handed_over() -> None:
    plane, probe = NativePlane(), Probe()
    try:
        index, port = probe.open("127.0.0.1")
        transport = TransportId(1)
        plane.add_transport(transport)
        plane.validate_address(transport, Address("127.0.0.1", port), selected=True)
        plane.set_keys(transport, *make_sessions(GCM_128, 1, 2))
        probe.set_keys(index, *make_sessions(GCM_128, 2, 1), plane.address)
        stream = probe.start_sending(
            index, ssrc=7, payload_type=96, clock_rate=90_000, frames=[[b"payload"]], fps=500
        )
        wait_until(lambda: probe.sent(stream).packets >= 3)
        plane.send_to(transport, bytes(20))
        plane.send_rtcp(transport, nack(7, 1, 2, 60_000))
        collected = []

        def both_came() -> bool:
            collected.extend(probe.events())
            return len(collected) >= 2

        wait_until(both_came)
        assert {event.kind for event in collected} == {EventKind.STUN, EventKind.RTCP}
        assert {event.socket for event in collected} == {index}
        rtcp = next(event for event in collected if event.kind is EventKind.RTCP)
        assert rtcp.data == nack(7, 1, 2, 60_000)
        assert rtcp.address == plane.address
        assert probe.sent(stream).repeated == 2
        probe.send(index, plane.address, struct.pack("!HHI", 1, 0, 0x2112A442) + bytes(12))
        kinds: set[EventKind] = set()

        def stun_came() -> bool:
            kinds.update(event.kind for event in plane.events())
            return EventKind.STUN in kinds

        wait_until(stun_came)
    finally:
        probe.close()
        plane.close()
