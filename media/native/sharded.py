"""Several native planes behind one UDP port, as one plane: each has its own thread, its own rooms, its own core.

The kernel spreads peers over the sockets by their addresses (SO_REUSEPORT), which knows nothing of rooms. A datagram
whose source belongs to another shard is handed over (`shard.c`); everything else stays within its shard. So a
transport's producers and consumers are all in its shard, and a room is in one.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Sequence
from itertools import chain, islice

from pylibsrtp import Session

from ..ids import ConsumerId, ProducerId, Ssrc, TransportId
from ..plane import (
    ANY_PORT,
    Address,
    ConsumerSpec,
    ConsumerStatistics,
    EventKind,
    Layer,
    PlaneEvent,
    PlaneStatistics,
    ProducerSpec,
    ProducerStatistics,
)
from . import _native
from .plane import STREAM_PATIENCE, NativePlane

MAX_SHARDS = 16

# Addresses whose shard is remembered, for what is sent to them before they are selected.
_REMEMBERED = 16_384


class ShardedPlane:
    """Move packets as media.plane.Plane says, in as many threads as there are shards."""

    def __init__(
        self,
        address: Address = ANY_PORT,
        *,
        shards: int,
        buffer: int = 4 << 20,
        tap_bytes: int = 16 << 20,
        event_bytes: int = 4 << 20,
        stream_patience: float = STREAM_PATIENCE,
    ) -> None:
        """Bind `address` (port 0: any) and start the threads, 1 to 16; the rest is each shard's, as NativePlane's.

        Raises OSError where the address cannot be bound, or somebody else has it.
        """
        group = _native.shard_group(shards)
        if address.port:
            _refuse_to_share(address)
        self._planes: list[NativePlane] = []
        try:
            for shard in range(shards):
                where = self._planes[0].address if self._planes else address
                self._planes.append(
                    NativePlane(
                        where,
                        buffer=buffer,
                        tap_bytes=tap_bytes,
                        event_bytes=event_bytes,
                        stream_patience=stream_patience,
                        group=group,
                        shard=shard,
                    )
                )
        except OSError:
            for plane in self._planes:
                plane.close()
            raise
        self._shard_of: dict[TransportId, int] = {}
        self._leaving: dict[TransportId, int] = {}
        self._producers: dict[ProducerId, int] = {}
        self._consumers: dict[ConsumerId, tuple[int, TransportId, ProducerId]] = {}
        self._transport_of: dict[ProducerId, TransportId] = {}
        self._addresses: dict[Address, int] = {}
        self._streams: dict[Address, int] = {}
        self._first_tap = 0
        self._poll = select.epoll()
        for plane in self._planes:
            self._poll.register(plane.fileno(), select.EPOLLIN)

    @property
    def shards(self) -> int:
        """How many threads there are."""
        return len(self._planes)

    @property
    def address(self) -> Address:
        """Where all of them listen."""
        return self._planes[0].address

    @property
    def receive_buffer(self) -> int:
        """Bytes of receive buffer that the kernel gave each shard."""
        return min(plane.receive_buffer for plane in self._planes)

    @property
    def send_buffer(self) -> int:
        """Bytes of send buffer that the kernel gave each shard."""
        return min(plane.send_buffer for plane in self._planes)

    @property
    def realtime(self) -> bool:
        """Whether all threads got SCHED_RR."""
        return all(plane.realtime for plane in self._planes)

    @property
    def segmentation(self) -> bool:
        """Whether the kernel cuts large sends into datagrams (UDP GSO)."""
        return all(plane.segmentation for plane in self._planes)

    def fileno(self) -> int:
        """See media.plane.Plane."""
        return self._poll.fileno()

    # -- transports

    def add_transport(self, transport: TransportId, shard: int = 0) -> None:
        """See media.plane.Plane."""
        if not 0 <= shard < len(self._planes):
            raise ValueError(f"There is no shard {shard}.")
        if transport in self._shard_of or transport in self._leaving:
            raise ValueError(f"Transport {transport} cannot be added: its identifier is in use.")
        self._planes[shard].add_transport(transport)
        self._shard_of[transport] = shard

    def validate_address(self, transport: TransportId, address: Address, *, selected: bool) -> None:
        """See media.plane.Plane."""
        shard = self._of_transport(transport)
        if not address.tcp:
            # an address belongs to whoever validated it last, in whichever shard
            for other, plane in enumerate(self._planes):
                if other != shard:
                    plane.forget_address(address)
            self._addresses.pop(address, None)
            self._addresses[address] = shard
            if len(self._addresses) > _REMEMBERED:
                del self._addresses[next(iter(self._addresses))]
        self._planes[shard].validate_address(transport, address, selected=selected)

    def set_keys(self, transport: TransportId, receive: Session, send: Session) -> None:
        """See media.plane.Plane."""
        self._plane_of(transport).set_keys(transport, receive, send)

    def remove_transport(self, transport: TransportId) -> None:
        """See media.plane.Plane."""
        shard = self._of_transport(transport)
        self._planes[shard].remove_transport(transport)
        self._leaving[transport] = self._shard_of.pop(transport)
        gone = [producer for producer, owner in self._transport_of.items() if owner == transport]
        for producer in gone:
            self._forget_producer(producer)
        for consumer in [one for one, (_, owner, _) in self._consumers.items() if owner == transport]:
            del self._consumers[consumer]

    # -- producers and consumers

    def add_producer(self, spec: ProducerSpec) -> None:
        """See media.plane.Plane. A producer without a transport is in the first shard."""
        if spec.producer in self._producers:
            raise ValueError(f"Producer {spec.producer} exists already.")
        shard = self._of_transport(spec.transport) if spec.transport else 0
        self._planes[shard].add_producer(spec)
        self._producers[spec.producer] = shard
        self._transport_of[spec.producer] = spec.transport

    def move_producer(self, spec: ProducerSpec) -> None:
        """See media.plane.Plane; ValueError too where the transport is in another shard."""
        plane = self._of_producer(spec.producer)
        if spec.transport and self._plane_of(spec.transport) is not plane:
            raise ValueError(
                f"Producer {spec.producer} and transport {spec.transport} are in different shards."
            )
        plane.move_producer(spec)
        self._transport_of[spec.producer] = spec.transport

    def remove_producer(self, producer: ProducerId) -> None:
        """See media.plane.Plane."""
        self._of_producer(producer).remove_producer(producer)
        self._forget_producer(producer)

    def set_encoding(self, producer: ProducerId, index: int, ssrc: Ssrc, rtx_ssrc: Ssrc) -> None:
        """See media.plane.Plane."""
        self._of_producer(producer).set_encoding(producer, index, ssrc, rtx_ssrc)

    def set_timestamp_offset(self, producer: ProducerId, index: int, offset: int) -> None:
        """See media.plane.Plane."""
        self._of_producer(producer).set_timestamp_offset(producer, index, offset)

    def set_capture_offset(self, producer: ProducerId, offset: int) -> None:
        """See media.plane.Plane."""
        self._of_producer(producer).set_capture_offset(producer, offset)

    def set_tap(self, producer: ProducerId, *, enabled: bool) -> None:
        """See media.plane.Plane."""
        self._of_producer(producer).set_tap(producer, enabled=enabled)

    def set_low_tap(self, producer: ProducerId, encoding: int | None) -> None:
        """See media.plane.Plane."""
        self._of_producer(producer).set_low_tap(producer, encoding)

    def add_consumer(self, spec: ConsumerSpec) -> None:
        """See media.plane.Plane; ValueError too where producer and transport are in different shards."""
        shard = self._of_transport(spec.transport)
        if spec.consumer in self._consumers:
            raise ValueError(f"Consumer {spec.consumer} exists already.")
        if self._producers.get(spec.producer, shard) != shard:
            raise ValueError(
                f"Producer {spec.producer} and transport {spec.transport} are in different shards."
            )
        self._planes[shard].add_consumer(spec)
        self._consumers[spec.consumer] = (shard, spec.transport, spec.producer)

    def set_layer(self, consumer: ConsumerId, layer: Layer) -> None:
        """See media.plane.Plane."""
        self._of_consumer(consumer).set_layer(consumer, layer)

    def set_paused(self, consumer: ConsumerId, *, paused: bool) -> None:
        """See media.plane.Plane."""
        self._of_consumer(consumer).set_paused(consumer, paused=paused)

    def remove_consumer(self, consumer: ConsumerId) -> None:
        """See media.plane.Plane."""
        self._of_consumer(consumer).remove_consumer(consumer)
        del self._consumers[consumer]

    # -- congestion control

    def set_pacing(self, transport: TransportId, bits_per_second: int) -> None:
        """See media.plane.Plane."""
        self._plane_of(transport).set_pacing(transport, bits_per_second)

    def probe(self, transport: TransportId, cluster: int, bits_per_second: int, packets: int = 15) -> None:
        """See media.plane.Plane."""
        self._plane_of(transport).probe(transport, cluster, bits_per_second, packets)

    def set_round_trip(self, transport: TransportId, seconds: float) -> None:
        """See media.plane.Plane."""
        self._plane_of(transport).set_round_trip(transport, seconds)

    def set_fec(self, consumer: ConsumerId, share: float) -> None:
        """See media.plane.Plane."""
        self._of_consumer(consumer).set_fec(consumer, share)

    # -- bytes

    def inject(self, producer: ProducerId, packets: Sequence[bytes], time: int) -> None:
        """See media.plane.Plane."""
        self._of_producer(producer).inject(producer, packets, time)

    def adopt_stream(self, descriptor: int, remote: Address, first: bytes = b"", *, shard: int = 0) -> None:
        """See media.plane.Plane."""
        # where two streams bear one address, the second is refused by whoever has the first
        shard = self._streams.setdefault(remote, shard)
        self._planes[shard].adopt_stream(descriptor, remote, first)

    def send_datagram(self, address: Address, data: bytes) -> None:
        """See media.plane.Plane. What was just validated is answered by the same shard, so after it knows."""
        known = self._streams if address.tcp else self._addresses
        self._planes[known.get(address, 0)].send_datagram(address, data)

    def send_to(self, transport: TransportId, data: bytes) -> None:
        """See media.plane.Plane."""
        self._plane_of(transport).send_to(transport, data)

    def send_rtcp(self, transport: TransportId, data: bytes) -> None:
        """See media.plane.Plane."""
        self._plane_of(transport).send_rtcp(transport, data)

    def events(self) -> list[PlaneEvent]:
        """See media.plane.Plane; up to 1,024 of each shard."""
        events = list(chain.from_iterable(plane.events() for plane in self._planes))
        for event in events:
            if event.kind is EventKind.REMOVED:
                self._leaving.pop(event.transport, None)
            elif event.kind is EventKind.STREAM_CLOSED and event.address is not None:
                self._streams.pop(event.address, None)
        return events

    def read_tap(self, limit: int = 4 << 20) -> bytes:
        """See media.plane.Plane; the shards take turns at being first."""
        self._first_tap = (self._first_tap + 1) % len(self._planes)
        order = islice(
            chain(self._planes, self._planes), self._first_tap, self._first_tap + len(self._planes)
        )
        records = b""
        for plane in order:
            records += plane.read_tap(limit - len(records))
        return records

    # -- the end

    def producer_statistics(self, producer: ProducerId) -> ProducerStatistics:
        """See media.plane.Plane."""
        return self._of_producer(producer).producer_statistics(producer)

    def consumer_statistics(self, consumer: ConsumerId) -> ConsumerStatistics:
        """See media.plane.Plane."""
        return self._of_consumer(consumer).consumer_statistics(consumer)

    def shard_statistics(self) -> list[PlaneStatistics]:
        """Read each shard's counters."""
        return [plane.statistics() for plane in self._planes]

    def packets_out(self) -> list[int]:
        """Tell how many packets each shard has sent: cheaper than all counters, for load generators."""
        return [plane.packets_out() for plane in self._planes]

    def statistics(self) -> PlaneStatistics:
        """See media.plane.Plane: sums over the shards."""
        return sum_statistics(self.shard_statistics())

    def live_objects(self) -> tuple[int, ...]:
        """Tell what C holds, as NativePlane does."""
        return tuple(map(sum, zip(*(plane.live_objects() for plane in self._planes), strict=True)))

    def close(self) -> None:
        """See media.plane.Plane."""
        if not self._poll.closed:
            self._poll.close()
        for plane in self._planes:
            plane.close()

    # -- who is where

    def _of_transport(self, transport: TransportId) -> int:
        if transport not in self._shard_of:
            raise ValueError(f"There is no transport {transport}.")
        return self._shard_of[transport]

    def _plane_of(self, transport: TransportId) -> NativePlane:
        return self._planes[self._of_transport(transport)]

    def _of_producer(self, producer: ProducerId) -> NativePlane:
        if producer not in self._producers:
            raise ValueError(f"There is no producer {producer}.")
        return self._planes[self._producers[producer]]

    def _of_consumer(self, consumer: ConsumerId) -> NativePlane:
        if consumer not in self._consumers:
            raise ValueError(f"There is no consumer {consumer}.")
        return self._planes[self._consumers[consumer][0]]

    def _forget_producer(self, producer: ProducerId) -> None:
        del self._producers[producer]
        del self._transport_of[producer]
        for consumer in [one for one, (_, _, of) in self._consumers.items() if of == producer]:
            del self._consumers[consumer]


def sum_statistics(shards: Sequence[PlaneStatistics]) -> PlaneStatistics:
    """Add up the counters of several shards."""

    def total(name: str) -> int:
        return sum(getattr(shard, name) for shard in shards)

    return PlaneStatistics(
        packets_in=total("packets_in"),
        bytes_in=total("bytes_in"),
        packets_out=total("packets_out"),
        bytes_out=total("bytes_out"),
        send_calls=total("send_calls"),
        datagrams_in=total("datagrams_in"),
        drops=tuple(map(sum, zip(*(shard.drops for shard in shards), strict=True))),
        transit=tuple(map(sum, zip(*(shard.transit for shard in shards), strict=True))),
        cpu_ns=total("cpu_ns"),
        tap_backlog_bytes=total("tap_backlog_bytes"),
        streams=total("streams"),
        handed_over=total("handed_over"),
        producers={key: value for shard in shards for key, value in shard.producers.items()},
        consumers={key: value for shard in shards for key, value in shard.consumers.items()},
        transports={key: value for shard in shards for key, value in shard.transports.items()},
    )


def _refuse_to_share(address: Address) -> None:
    """Find out whether another process has the port: with SO_REUSEPORT we would share it unawares."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            raise OSError(error.errno, f"the plane cannot start: bind: {error.strerror}") from None
