"""NativePlane: the plane's Python side. It checks arguments, keeps who is who, and hands commands to C."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pylibsrtp import Session

from ..checks import (
    check_capture_offset,
    check_consumer,
    check_encoding,
    check_fec,
    check_layer,
    check_move,
    check_pacing,
    check_probe,
    check_producer,
    check_round_trip,
)
from ..ids import ConsumerId, ProducerId, Ssrc, TransportId
from ..plane import (
    ANY_PORT,
    Address,
    ConsumerSpec,
    ConsumerStatistics,
    EncodingSpec,
    EncodingStatistics,
    EventKind,
    Layer,
    PlaneEvent,
    PlaneStatistics,
    ProducerSpec,
    ProducerStatistics,
    TransportStatistics,
)
from . import _native
from .srtp import connect_libsrtp, session_pointer

connect_libsrtp()

# What the extension has room for (plane.h); the sums over a transport's life bound its libsrtp streams.
MAX_TRANSPORTS = 4096
MAX_PRODUCERS = 64
MAX_CONSUMERS = 256
MAX_SSRCS_EVER = 4096
MAX_STREAMS = 512

#: A rewritten packet may grow by 48 bytes: extensions and tag.
MAX_INJECTED = 1452
#: What SRTCP appends fits beside this.
MAX_RTCP = 1452
MAX_DATAGRAM = 1500

#: Seconds in which ICE has to validate a TCP stream.
STREAM_PATIENCE = 10.0

_EVENTS_AT_ONCE = 1024


@dataclass(slots=True)
class _Transport:
    handle: _native._Transport
    sessions: tuple[Session, Session] | None = None
    producers: set[ProducerId] = field(default_factory=set)
    consumers: set[ConsumerId] = field(default_factory=set)
    received_ssrcs: set[Ssrc] = field(default_factory=set)
    used_ssrcs: set[Ssrc] = field(default_factory=set)
    ssrcs_ever: int = 0


@dataclass(slots=True)
class _Producer:
    handle: _native._Producer
    spec: ProducerSpec
    encodings: list[EncodingSpec]
    consumers: set[ConsumerId] = field(default_factory=set)


@dataclass(slots=True)
class _Consumer:
    handle: _native._Consumer
    spec: ConsumerSpec


class NativePlane:
    """Move packets as media.plane.Plane says, in a thread of its own."""

    def __init__(
        self,
        address: Address = ANY_PORT,
        *,
        buffer: int = 4 << 20,
        tap_bytes: int = 16 << 20,
        event_bytes: int = 4 << 20,
        stream_patience: float = STREAM_PATIENCE,
        group: _native._ShardGroup | None = None,
        shard: int = 0,
    ) -> None:
        """Bind `address` (port 0: any) and start the thread.

        `buffer` bytes are asked for as socket buffers; `tap_bytes` and `event_bytes` (powers of two) are
        what waits at most for Python. `stream_patience`: seconds
        that ICE has to validate a TCP stream.
        `group` and `shard`: one of several (ShardedPlane). Raises OSError where the address cannot be bound.
        """
        for size in (tap_bytes, event_bytes):
            if size < 1 << 12 or size & size - 1:
                raise ValueError(f"A ring has a power of two of bytes, 4,096 at least, not {size}.")
        patience = round(stream_patience * 1e9)
        self._native = _native.Plane(
            address.host, address.port, buffer, tap_bytes, event_bytes, patience, group, shard
        )
        self._transports: dict[TransportId, _Transport] = {}
        self._producers: dict[ProducerId, _Producer] = {}
        self._consumers: dict[ConsumerId, _Consumer] = {}
        # SRTP sessions of removed transports, which the thread may still be using
        self._leaving: dict[TransportId, tuple[Session, Session] | None] = {}
        self._final: PlaneStatistics | None = None

    @property
    def address(self) -> Address:
        """Where the plane listens."""
        return Address(*self._native.socket()[:2])

    @property
    def receive_buffer(self) -> int:
        """Bytes of receive buffer that the kernel gave."""
        return self._native.socket()[2]

    @property
    def send_buffer(self) -> int:
        """Bytes of send buffer that the kernel gave."""
        return self._native.socket()[3]

    @property
    def realtime(self) -> bool:
        """Whether the thread got SCHED_RR."""
        return self._native.socket()[4]

    @property
    def segmentation(self) -> bool:
        """Whether the kernel cuts large sends into datagrams (UDP GSO)."""
        return self._native.socket()[5]

    def fileno(self) -> int:
        """See media.plane.Plane."""
        return self._native.fileno()

    # -- transports

    def add_transport(self, transport: TransportId, shard: int = 0) -> None:
        """See media.plane.Plane."""
        if transport <= 0 or transport in self._transports or transport in self._leaving:
            raise ValueError(
                f"Transport {transport} cannot be added: its identifier is in use or not positive."
            )
        if len(self._transports) + len(self._leaving) >= MAX_TRANSPORTS:
            raise ValueError(f"A plane has at most {MAX_TRANSPORTS} transports.")
        self._transports[transport] = _Transport(self._native.add_transport(transport))

    def validate_address(self, transport: TransportId, address: Address, *, selected: bool) -> None:
        """See media.plane.Plane."""
        self._native.validate_address(self._transport(transport).handle, *address, selected)

    def set_keys(self, transport: TransportId, receive: Session, send: Session) -> None:
        """See media.plane.Plane."""
        peer = self._transport(transport)
        if peer.sessions is not None:
            raise ValueError(f"Transport {transport} has its keys already.")
        peer.sessions = (receive, send)
        self._native.set_keys(peer.handle, session_pointer(receive), session_pointer(send))

    def remove_transport(self, transport: TransportId) -> None:
        """See media.plane.Plane."""
        peer = self._transport(transport)
        for consumer in peer.consumers:
            spec = self._consumers.pop(consumer).spec
            self._producers[spec.producer].consumers.discard(consumer)
        for producer in peer.producers:
            self._forget_producer(producer)
        del self._transports[transport]
        self._leaving[transport] = peer.sessions
        self._native.remove_transport(peer.handle)

    # -- producers and consumers

    def add_producer(self, spec: ProducerSpec) -> None:
        """See media.plane.Plane."""
        check_producer(spec)
        if spec.producer in self._producers:
            raise ValueError(f"Producer {spec.producer} exists already.")
        peer = None
        if spec.transport:
            peer = self._transport(spec.transport)
            if len(peer.producers) == MAX_PRODUCERS:
                raise ValueError(f"A transport has at most {MAX_PRODUCERS} producers.")
            self._receive_ssrcs(peer, _ssrcs(spec.encodings))
        handle = self._native.add_producer(
            spec.producer,
            peer.handle if peer is not None else None,
            spec.codec,
            spec.clock_rate,
            spec.payload_type,
            tuple((encoding.ssrc, encoding.rtx_ssrc) for encoding in spec.encodings),
            spec.rtx_payload_type,
            spec.nack,
            spec.history_ms,
            spec.history_bytes,
            spec.extensions,
            spec.red_payload_type,
        )
        self._producers[spec.producer] = _Producer(handle, spec, list(spec.encodings))
        if peer is not None:
            peer.producers.add(spec.producer)

    def move_producer(self, spec: ProducerSpec) -> None:
        """See media.plane.Plane."""
        moved = self._producer(spec.producer)
        check_move(moved.spec, spec)
        before = self._transport(moved.spec.transport) if moved.spec.transport else None
        peer = self._transport(spec.transport) if spec.transport else None
        if peer is not None and peer is not before:
            if len(peer.producers) == MAX_PRODUCERS:
                raise ValueError(f"A transport has at most {MAX_PRODUCERS} producers.")
            self._receive_ssrcs(peer, _ssrcs(spec.encodings))
        elif peer is not None:
            raise ValueError(f"Producer {spec.producer} is this transport's already.")
        if before is not None:
            before.producers.discard(spec.producer)
            before.received_ssrcs -= _ssrcs(moved.encodings)
        self._native.move_producer(
            moved.handle,
            peer.handle if peer is not None else None,
            spec.payload_type,
            tuple((encoding.ssrc, encoding.rtx_ssrc) for encoding in spec.encodings),
            spec.rtx_payload_type,
            spec.nack,
            spec.extensions,
            spec.red_payload_type,
        )
        moved.spec, moved.encodings = spec, list(spec.encodings)
        if peer is not None:
            peer.producers.add(spec.producer)

    def remove_producer(self, producer: ProducerId) -> None:
        """See media.plane.Plane."""
        removed = self._producer(producer)
        if removed.spec.transport:
            peer = self._transport(removed.spec.transport)
            peer.producers.discard(producer)
            peer.received_ssrcs -= _ssrcs(removed.encodings)
        self._forget_producer(producer)
        self._native.remove_producer(removed.handle)

    def set_encoding(self, producer: ProducerId, index: int, ssrc: Ssrc, rtx_ssrc: Ssrc) -> None:
        """See media.plane.Plane."""
        sender = self._encoding(producer, index)
        check_encoding(ssrc, rtx_ssrc)
        told = EncodingSpec(ssrc, rtx_ssrc)
        if sender.spec.transport:
            peer = self._transport(sender.spec.transport)
            before = _ssrcs([sender.encodings[index]])
            self._receive_ssrcs(peer, _ssrcs([told]) - before)
            peer.received_ssrcs -= before - _ssrcs([told])
        sender.encodings[index] = told
        self._native.set_encoding(sender.handle, index, ssrc, rtx_ssrc)

    def set_timestamp_offset(self, producer: ProducerId, index: int, offset: int) -> None:
        """See media.plane.Plane."""
        self._native.set_timestamp_offset(self._encoding(producer, index).handle, index, offset & 0xFFFFFFFF)

    def set_capture_offset(self, producer: ProducerId, offset: int) -> None:
        """See media.plane.Plane."""
        check_capture_offset(offset)
        self._native.set_capture_offset(self._producer(producer).handle, offset)

    def set_tap(self, producer: ProducerId, *, enabled: bool) -> None:
        """See media.plane.Plane."""
        self._native.set_tap(self._producer(producer).handle, enabled)

    def set_low_tap(self, producer: ProducerId, encoding: int | None) -> None:
        """See media.plane.Plane."""
        chosen = -1 if encoding is None else encoding
        sender = self._producer(producer) if encoding is None else self._encoding(producer, chosen)
        self._native.set_low_tap(sender.handle, chosen)

    def add_consumer(self, spec: ConsumerSpec) -> None:
        """See media.plane.Plane."""
        check_consumer(spec)
        if spec.consumer in self._consumers:
            raise ValueError(f"Consumer {spec.consumer} exists already.")
        peer, producer = self._transport(spec.transport), self._producer(spec.producer)
        ssrcs = {ssrc for ssrc in (spec.ssrc, spec.rtx_ssrc, spec.fec_ssrc) if ssrc}
        if ssrcs & peer.used_ssrcs:
            raise ValueError(
                f"Transport {spec.transport} was sent this SSRC before: no nonce may come twice."
            )
        if len(peer.consumers) == MAX_CONSUMERS:
            raise ValueError(f"A transport has at most {MAX_CONSUMERS} consumers.")
        self._count_ssrcs(peer, len(ssrcs))
        handle = self._native.add_consumer(
            spec.consumer,
            producer.handle,
            peer.handle,
            spec.payload_type,
            spec.ssrc,
            spec.rtx_payload_type,
            spec.rtx_ssrc,
            spec.mid,
            spec.extensions,
            *spec.playout_delay,
            spec.fec_payload_type,
            spec.fec_ssrc,
            spec.red_payload_type,
        )
        self._consumers[spec.consumer] = _Consumer(handle, spec)
        peer.consumers.add(spec.consumer)
        peer.used_ssrcs |= ssrcs
        producer.consumers.add(spec.consumer)

    def set_layer(self, consumer: ConsumerId, layer: Layer) -> None:
        """See media.plane.Plane."""
        receiver = self._consumer(consumer)
        check_layer(layer, len(self._producer(receiver.spec.producer).encodings))
        self._native.set_layer(receiver.handle, layer.encoding, layer.spatial, layer.temporal)

    def set_paused(self, consumer: ConsumerId, *, paused: bool) -> None:
        """See media.plane.Plane."""
        self._native.set_paused(self._consumer(consumer).handle, paused)

    def remove_consumer(self, consumer: ConsumerId) -> None:
        """See media.plane.Plane."""
        removed = self._consumer(consumer)
        self._transport(removed.spec.transport).consumers.discard(consumer)
        self._producer(removed.spec.producer).consumers.discard(consumer)
        del self._consumers[consumer]
        self._native.remove_consumer(removed.handle)

    # -- congestion control

    def set_pacing(self, transport: TransportId, bits_per_second: int) -> None:
        """See media.plane.Plane."""
        check_pacing(bits_per_second)
        self._native.set_pacing(self._transport(transport).handle, bits_per_second)

    def probe(self, transport: TransportId, cluster: int, bits_per_second: int, packets: int = 15) -> None:
        """See media.plane.Plane."""
        check_probe(cluster, bits_per_second, packets)
        self._native.probe(self._transport(transport).handle, cluster, bits_per_second, packets)

    def set_round_trip(self, transport: TransportId, seconds: float) -> None:
        """See media.plane.Plane."""
        check_round_trip(seconds)
        self._native.set_round_trip(self._transport(transport).handle, round(seconds * 1e9))

    def set_fec(self, consumer: ConsumerId, share: float) -> None:
        """See media.plane.Plane."""
        receiver = self._consumer(consumer)
        check_fec(receiver.spec, share)
        self._native.set_fec(receiver.handle, round(share * 1024))

    # -- bytes

    def inject(self, producer: ProducerId, packets: Sequence[bytes], time: int) -> None:
        """See media.plane.Plane."""
        receiver = self._producer(producer)
        if any(len(packet) > MAX_INJECTED for packet in packets):
            raise ValueError(f"An injected packet has at most {MAX_INJECTED} bytes.")
        self._native.inject(receiver.handle, packets, time)

    def send_datagram(self, address: Address, data: bytes) -> None:
        """See media.plane.Plane."""
        if len(data) > MAX_DATAGRAM:
            raise ValueError(f"A datagram has at most {MAX_DATAGRAM} bytes.")
        self._native.send_datagram(*address, data)

    def adopt_stream(self, descriptor: int, remote: Address, first: bytes = b"", *, shard: int = 0) -> None:
        """See media.plane.Plane."""
        self._native.adopt_stream(descriptor, remote.host, remote.port, first)

    def send_to(self, transport: TransportId, data: bytes) -> None:
        """See media.plane.Plane."""
        self._native.send_to(self._transport(transport).handle, data)

    def send_rtcp(self, transport: TransportId, data: bytes) -> None:
        """See media.plane.Plane."""
        if not 8 <= len(data) <= MAX_RTCP:
            raise ValueError(f"A compound RTCP packet has 8 to {MAX_RTCP} bytes.")
        self._native.send_rtcp(self._transport(transport).handle, data)

    def events(self) -> list[PlaneEvent]:
        """See media.plane.Plane."""
        events = []
        for kind, transport, address, time, subject, data in self._native.events(_EVENTS_AT_ONCE):
            if kind == EventKind.REMOVED:
                self._leaving.pop(TransportId(transport), None)
            source = Address(*address) if address is not None else None
            events.append(PlaneEvent(EventKind(kind), TransportId(transport), source, time, subject, data))
        return events

    def read_tap(self, limit: int = 4 << 20) -> bytes:
        """See media.plane.Plane."""
        return self._native.read_tap(limit)

    # -- the end

    def producer_statistics(self, producer: ProducerId) -> ProducerStatistics:
        """See media.plane.Plane."""
        return _producer_statistics(*self._native.producer_statistics(self._producer(producer).handle))

    def consumer_statistics(self, consumer: ConsumerId) -> ConsumerStatistics:
        """See media.plane.Plane."""
        return ConsumerStatistics(*self._native.consumer_statistics(self._consumer(consumer).handle))

    def statistics(self) -> PlaneStatistics:
        """See media.plane.Plane."""
        if self._final is not None:
            return self._final
        return PlaneStatistics(
            *self._native.statistics(),
            producers={
                identifier: _producer_statistics(*self._native.producer_statistics(producer.handle))
                for identifier, producer in self._producers.items()
            },
            consumers={
                identifier: ConsumerStatistics(*self._native.consumer_statistics(consumer.handle))
                for identifier, consumer in self._consumers.items()
            },
            transports={
                identifier: TransportStatistics(*self._native.transport_statistics(peer.handle))
                for identifier, peer in self._transports.items()
            },
        )

    @property
    def shards(self) -> int:
        """One: ShardedPlane has more."""
        return 1

    def shard_statistics(self) -> list[PlaneStatistics]:
        """Read the counters of its one shard."""
        return [self.statistics()]

    def forget_address(self, address: Address) -> None:
        """Take an address (of datagrams) from whichever transport has it."""
        self._native.forget_address(address.host, address.port)

    def packets_out(self) -> int:
        """Tell how many packets were sent: cheaper than all counters, for load generators."""
        return self._native.statistics()[2]

    def live_objects(self) -> tuple[int, int, int, int, int]:
        """Tell how many (transports, producers, consumers, data blocks, TCP streams) C holds; all 0 after `close`."""
        return self._native.live()

    def close(self) -> None:
        """See media.plane.Plane. Closing twice does nothing."""
        if self._final is not None:
            return
        self._final = self.statistics()
        self._native.close()
        self._transports.clear()
        self._producers.clear()
        self._consumers.clear()
        self._leaving.clear()

    # -- who is who

    def _receive_ssrcs(self, peer: _Transport, ssrcs: set[Ssrc]) -> None:
        """Give SSRCs to a producer of the peer, or raise ValueError."""
        if ssrcs & peer.received_ssrcs:
            raise ValueError("The transport has a producer with this SSRC already.")
        if len(peer.received_ssrcs) + len(ssrcs) > MAX_STREAMS:
            raise ValueError(f"A transport has at most {MAX_STREAMS} streams.")
        self._count_ssrcs(peer, len(ssrcs))
        peer.received_ssrcs |= ssrcs

    def _encoding(self, producer: ProducerId, index: int) -> _Producer:
        sender = self._producer(producer)
        if not 0 <= index < len(sender.encodings):
            raise ValueError(f"Producer {producer} has {len(sender.encodings)} encodings, the first is 0.")
        return sender

    def _count_ssrcs(self, peer: _Transport, more: int) -> None:
        if peer.ssrcs_ever + more > MAX_SSRCS_EVER:
            raise ValueError(f"A transport has at most {MAX_SSRCS_EVER} SSRCs over its life: connect anew.")
        peer.ssrcs_ever += more

    def _forget_producer(self, producer: ProducerId) -> None:
        for consumer in self._producers.pop(producer).consumers:
            spec = self._consumers.pop(consumer).spec
            self._transports[spec.transport].consumers.discard(consumer)

    def _transport(self, transport: TransportId) -> _Transport:
        if transport not in self._transports:
            raise ValueError(f"There is no transport {transport}.")
        return self._transports[transport]

    def _producer(self, producer: ProducerId) -> _Producer:
        if producer not in self._producers:
            raise ValueError(f"There is no producer {producer}.")
        return self._producers[producer]

    def _consumer(self, consumer: ConsumerId) -> _Consumer:
        if consumer not in self._consumers:
            raise ValueError(f"There is no consumer {consumer}.")
        return self._consumers[consumer]


def _ssrcs(encodings: Iterable[EncodingSpec]) -> set[Ssrc]:
    return {ssrc for encoding in encodings for ssrc in (encoding.ssrc, encoding.rtx_ssrc) if ssrc}


def _producer_statistics(
    encodings: tuple[tuple[Any, ...], ...], transit: tuple[int, ...], audio_level: int
) -> ProducerStatistics:
    return ProducerStatistics(
        tuple(EncodingStatistics(*fields) for fields in encodings), transit, audio_level
    )
