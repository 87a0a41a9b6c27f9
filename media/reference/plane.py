"""The packet plane in plain Python: the executable specification of ``media.native``.

Datagrams go in by `receive` and come out by `datagrams_to_send`; time is an argument, in ns. The stages
stand in the order of DESIGN.md §3:

    receive_batch → classify → unprotect → ingress → history → fan_out → protect → send_batch

It is never the plane of a running server.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from pylibsrtp import Session

from ..checks import check_consumer, check_producer
from ..ids import ConsumerId, ProducerId, Ssrc, TransportId
from ..plane import (
    TRANSIT_BUCKETS,
    Address,
    ConsumerSpec,
    Drop,
    EventKind,
    Extension,
    PlaneEvent,
    PlaneStatistics,
    ProducerSpec,
)
from ..rtp.feedback import GENERIC_NACK, GenericNack, parse_feedback
from ..rtp.packet import RtpError, RtpPacket, measure_header
from ..rtp.rtcp import TRANSPORT_FEEDBACK, ReceiverReport, RtcpError, build_compound, split_compound
from . import srtp
from .classify import MAX_DATAGRAM, Kind, classify, header_length
from .fan_out import Consumer
from .histogram import bucket_of
from .history import HeldPacket
from .ingress import Producer
from .peers import AddressBook, Transport

_MS = 1_000_000

#: RTP packets injected leave room for the header extensions and the tag of a consumer.
MAX_INJECTED = 1452

#: STUN from addresses not validated, a second.
MAX_STUN_RATE = 2000

#: One UNKNOWN_SSRC event an SSRC, and one KEY_FRAME_WANTED a producer, in this time.
EVENT_INTERVAL_NS = 100 * _MS

#: The most SSRCs without a producer that one transport is reported of.
MAX_REPORTED = 256

#: The SSRC in which the plane asks for packets: it sends no stream of its own.
OWN_SSRC = 1


class ReferencePlane:
    """Move packets as media.plane.Plane says, in memory."""

    realtime = False
    receive_buffer = 0
    send_buffer = 0

    def __init__(
        self, address: Address = ("127.0.0.1", 0), *, events: int = 65_536, tap_bytes: int = 64 << 20
    ) -> None:
        """Begin with nobody; `events` and `tap_bytes` are what waits at most for Python."""
        self._address = address
        self._now = 0
        self._transports: dict[TransportId, Transport] = {}
        self._book = AddressBook()
        self._producers: dict[ProducerId, Producer] = {}
        self._consumers: dict[ConsumerId, Consumer] = {}
        self._outgoing: list[tuple[Address, bytes]] = []
        self._events: deque[PlaneEvent] = deque()
        self._event_capacity = events
        self._tap: deque[bytes] = deque()
        self._tap_bytes = 0
        self._tap_capacity = tap_bytes
        self._stun_window = 0
        self._stun_count = 0
        self._drops = [0] * len(Drop)
        self._transit = [0] * TRANSIT_BUCKETS
        self._packets_in = self._bytes_in = self._datagrams_in = 0
        self._packets_out = self._bytes_out = self._send_calls = 0

    # -- the shell's side

    @property
    def address(self) -> Address:
        """Where the plane would listen."""
        return self._address

    def fileno(self) -> int:
        """Return -1: there is no descriptor, look at `events`."""
        return -1

    def receive(self, datagrams: Sequence[tuple[bytes, Address, int]], now: int) -> None:
        """Take a batch of datagrams in: (data, source, time of arrival)."""
        self._now = now
        for data, address, time in datagrams:
            self._datagrams_in += 1
            self._bytes_in += len(data)
            self._receive_datagram(data, address, time)
        self._ask_for_missing()

    def datagrams_to_send(self) -> list[tuple[Address, bytes]]:
        """Take what is to be sent: (destination, data)."""
        outgoing, self._outgoing = self._outgoing, []
        self._send_calls += bool(outgoing)
        return outgoing

    def get_timer(self) -> int | None:
        """Tell when `handle_timer` is due next."""
        timers = (producer.missing.get_timer() for producer in self._producers.values())
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timer(self, now: int) -> None:
        """Ask publishers again for what is missing."""
        self._now = now
        self._ask_for_missing()

    # -- commands

    def add_transport(self, transport: TransportId) -> None:
        """See media.plane.Plane."""
        if transport <= 0 or transport in self._transports:
            raise ValueError(
                f"Transport {transport} cannot be added: its identifier is in use or not positive."
            )
        self._transports[transport] = Transport(transport)

    def validate_address(self, transport: TransportId, address: Address, *, selected: bool) -> None:
        """See media.plane.Plane."""
        self._book.validate(self._transport(transport), address, selected=selected)

    def set_keys(self, transport: TransportId, receive: Session, send: Session) -> None:
        """See media.plane.Plane."""
        peer = self._transport(transport)
        if peer.receive is not None:
            raise ValueError(f"Transport {transport} has its keys already.")
        peer.receive, peer.send = receive, send

    def remove_transport(self, transport: TransportId) -> None:
        """See media.plane.Plane."""
        peer = self._transport(transport)
        for producer in list(peer.producers.values()):
            if producer.spec.producer in self._producers:
                self.remove_producer(producer.spec.producer)
        for consumer in list(peer.consumers.values()):
            if consumer.spec.consumer in self._consumers:
                self.remove_consumer(consumer.spec.consumer)
        self._book.forget(peer)
        del self._transports[transport]
        # sessions wait for this event: it is never dropped
        self._events.append(PlaneEvent(EventKind.REMOVED, transport, None, self._now, 0, b""))

    def add_producer(self, spec: ProducerSpec) -> None:
        """See media.plane.Plane."""
        check_producer(spec)
        if spec.producer in self._producers:
            raise ValueError(f"Producer {spec.producer} exists already.")
        producer = Producer(spec)
        if spec.transport:
            streams = self._transport(spec.transport).producers
            ssrcs = [ssrc for ssrc in (spec.ssrc, spec.rtx_ssrc) if ssrc]
            if any(ssrc in streams for ssrc in ssrcs):
                raise ValueError(f"Transport {spec.transport} has a producer with this SSRC already.")
            streams.update(dict.fromkeys(ssrcs, producer))
        self._producers[spec.producer] = producer

    def remove_producer(self, producer: ProducerId) -> None:
        """See media.plane.Plane."""
        removed = self._producer(producer)
        for consumer in [c for c in self._consumers.values() if c.spec.producer == producer]:
            self.remove_consumer(consumer.spec.consumer)
        if removed.spec.transport:
            streams = self._transport(removed.spec.transport).producers
            for ssrc in (removed.spec.ssrc, removed.spec.rtx_ssrc):
                streams.pop(ssrc, None)
        del self._producers[producer]

    def set_tap(self, producer: ProducerId, *, enabled: bool) -> None:
        """See media.plane.Plane."""
        self._producer(producer).tapped = enabled

    def add_consumer(self, spec: ConsumerSpec) -> None:
        """See media.plane.Plane."""
        check_consumer(spec)
        if spec.consumer in self._consumers:
            raise ValueError(f"Consumer {spec.consumer} exists already.")
        peer, producer = self._transport(spec.transport), self._producer(spec.producer)
        ssrcs = [ssrc for ssrc in (spec.ssrc, spec.rtx_ssrc) if ssrc]
        if any(ssrc in peer.used_ssrcs for ssrc in ssrcs):
            raise ValueError(
                f"Transport {spec.transport} was sent this SSRC before: no nonce may come twice."
            )
        consumer = Consumer(spec, video=producer.is_video)
        self._consumers[spec.consumer] = peer.consumers[spec.ssrc] = consumer
        peer.used_ssrcs.update(ssrcs)

    def set_paused(self, consumer: ConsumerId, *, paused: bool) -> None:
        """See media.plane.Plane."""
        self._consumer(consumer).set_paused(paused)

    def remove_consumer(self, consumer: ConsumerId) -> None:
        """See media.plane.Plane."""
        removed = self._consumer(consumer)
        del self._transport(removed.spec.transport).consumers[removed.spec.ssrc]
        del self._consumers[consumer]

    def inject(self, producer: ProducerId, packets: Sequence[bytes], time: int) -> None:
        """See media.plane.Plane."""
        receiver = self._producer(producer)
        if any(len(data) > MAX_INJECTED for data in packets):
            raise ValueError(f"An injected packet has at most {MAX_INJECTED} bytes.")
        self._now = max(self._now, time)
        for data in packets:
            self._receive_packet(receiver, data, time, repeat=False)

    def send_datagram(self, address: Address, data: bytes) -> None:
        """See media.plane.Plane."""
        self._outgoing.append((address, data))

    def send_to(self, transport: TransportId, data: bytes) -> None:
        """See media.plane.Plane."""
        self._send(self._transport(transport), data)

    def send_rtcp(self, transport: TransportId, data: bytes) -> None:
        """See media.plane.Plane."""
        peer = self._transport(transport)
        if peer.send is None:
            self._drop(Drop.NO_KEYS)
            return
        protected = srtp.protect_rtcp(peer.send, data)
        if isinstance(protected, Drop):
            self._drop(protected)
        else:
            self._send(peer, protected)

    def events(self) -> list[PlaneEvent]:
        """See media.plane.Plane."""
        return [self._events.popleft() for _ in range(min(len(self._events), 1024))]

    def read_tap(self, limit: int = 4 << 20) -> bytes:
        """See media.plane.Plane."""
        records = []
        while self._tap and len(self._tap[0]) <= limit:
            record = self._tap.popleft()
            limit -= len(record)
            self._tap_bytes -= len(record)
            records.append(record)
        return b"".join(records)

    def statistics(self) -> PlaneStatistics:
        """See media.plane.Plane."""
        return PlaneStatistics(
            packets_in=self._packets_in,
            bytes_in=self._bytes_in,
            packets_out=self._packets_out,
            bytes_out=self._bytes_out,
            send_calls=self._send_calls,
            datagrams_in=self._datagrams_in,
            drops=tuple(self._drops),
            transit=tuple(self._transit),
            cpu_ns=0,
            tap_backlog_bytes=self._tap_bytes,
            producers={identifier: producer.statistics() for identifier, producer in self._producers.items()},
            consumers={identifier: consumer.statistics() for identifier, consumer in self._consumers.items()},
        )

    def close(self) -> None:
        """Let go of everybody."""
        for transport in list(self._transports):
            self.remove_transport(transport)
        self._outgoing.clear()

    # -- the stages

    def _receive_datagram(self, data: bytes, address: Address, time: int) -> None:
        kind = classify(data)
        peer = self._book.find(address)
        if kind in (Drop.EMPTY, Drop.OVERSIZED):
            self._drop(kind)
        elif peer is None and kind is not Kind.STUN:
            self._drop(Drop.STRANGER)
        elif isinstance(kind, Drop):
            self._drop(kind)
        elif len(data) < header_length(kind, data[0]):
            self._drop(Drop.SHORT)
        elif kind is Kind.STUN:
            if peer is not None or self._may_ask():
                transport = peer.id if peer is not None else TransportId(0)
                self._event(PlaneEvent(EventKind.STUN, transport, address, time, 0, data))
        elif peer is not None:
            self._receive_from(peer, kind, data, address, time)

    def _receive_from(self, peer: Transport, kind: Kind, data: bytes, address: Address, time: int) -> None:
        if kind is Kind.DTLS:
            self._event(PlaneEvent(EventKind.DTLS, peer.id, address, time, 0, data))
            return
        if peer.receive is None:
            self._drop(Drop.NO_KEYS)
            return
        if kind is Kind.RTCP:
            compound = srtp.unprotect_rtcp(peer.receive, data)
            if isinstance(compound, Drop):
                self._drop(compound)
            else:
                self._receive_rtcp(peer, compound, address, time)
            return
        try:
            measure_header(data)
        except RtpError:
            self._drop(Drop.MALFORMED)
            return
        packet = srtp.unprotect(peer.receive, data)
        if isinstance(packet, Drop):
            self._drop(packet)
            return
        ssrc = Ssrc(int.from_bytes(packet[8:12], "big"))
        producer = peer.producers.get(ssrc)
        if producer is None:
            self._drop(Drop.UNKNOWN_SSRC)
            self._report_ssrc(peer, ssrc, packet, address, time)
        else:
            self._receive_packet(producer, packet, time, repeat=ssrc == producer.spec.rtx_ssrc)

    def _receive_packet(self, producer: Producer, data: bytes, time: int, *, repeat: bool) -> None:
        self._packets_in += 1
        try:
            packet: RtpPacket | Drop = RtpPacket.parse(data)
        except RtpError:
            packet = Drop.MALFORMED
        if repeat and isinstance(packet, RtpPacket):
            packet = producer.decapsulate(packet)
            data = bytes(packet) if isinstance(packet, RtpPacket) else b""
        if isinstance(packet, Drop):
            self._drop(packet)
            return
        held = producer.receive(packet, data, time, self._now, repeat=repeat)
        if isinstance(held, Drop):
            self._drop(held)
            return
        if producer.notice_key_frame(held):
            timestamp = packet.timestamp.to_bytes(4, "big")
            self._producer_event(EventKind.KEY_FRAME, producer, time, timestamp)
        if producer.tapped:
            self._write_tap(producer, held)
        self._fan_out(producer, held)

    def _fan_out(self, producer: Producer, held: HeldPacket) -> None:
        for consumer in self._consumers.values():
            if consumer.spec.producer != producer.spec.producer:
                continue
            out = consumer.number_of(held)
            if isinstance(out, Drop):
                self._drop(out)
            elif self._forward(producer, consumer, held, out, repeat=False):
                bucket = bucket_of(self._now - held.arrival)
                self._transit[bucket] += 1
                producer.transit[bucket] += 1

    def _forward(
        self, producer: Producer, consumer: Consumer, held: HeldPacket, out: int, *, repeat: bool
    ) -> bool:
        """Rewrite, protect and send one packet to one consumer; True if it left."""
        peer = self._transport(consumer.spec.transport)
        if peer.send is None:
            self._drop(Drop.NO_KEYS)
            return False
        ids = producer.spec.extensions
        wide = peer.next_wide() if consumer.spec.extensions[Extension.TRANSPORT_WIDE] else 0
        rewrite = consumer.rewrite_again if repeat else consumer.rewrite
        packet = rewrite(held, out, ids, self._now, wide)
        plain = bytes(packet)
        if len(plain) > MAX_DATAGRAM:
            self._drop(Drop.TOO_LARGE)
            return False
        protected = srtp.protect(peer.send, plain)
        if isinstance(protected, Drop):
            self._drop(protected)
            return False
        if len(protected) > MAX_DATAGRAM:
            self._drop(Drop.TOO_LARGE)
            return False
        if not self._send(peer, protected):
            return False
        self._packets_out += 1
        consumer.sent(packet, self._now, repeat=repeat)
        return True

    def _receive_rtcp(self, peer: Transport, compound: bytes, address: Address, time: int) -> None:
        try:
            packets = split_compound(compound)
        except RtcpError:
            self._drop(Drop.MALFORMED)
            return
        for packet_type, fmt, body in packets:
            # a NACK of nothing is not the plane's to judge
            if packet_type != TRANSPORT_FEEDBACK or fmt != GENERIC_NACK or len(body) < 12:
                continue
            nack = parse_feedback(packet_type, fmt, body)
            assert isinstance(nack, GenericNack)
            consumer = peer.consumers.get(Ssrc(nack.media_ssrc))
            if consumer is not None:
                for number in nack.lost:
                    self._repeat(consumer, number)
        self._event(PlaneEvent(EventKind.RTCP, peer.id, address, time, 0, compound))

    def _repeat(self, consumer: Consumer, sequence_number: int) -> None:
        producer = self._producer(consumer.spec.producer)
        source = consumer.source_of(sequence_number)
        if source is None:
            self._drop(Drop.NOT_IN_HISTORY)
            return
        number, out = source
        held = producer.history.get(number)
        if held is None:
            self._drop(Drop.NOT_IN_HISTORY)
            if number not in producer.missing:
                self._want_key_frame(producer)
        elif not consumer.may_repeat(out, self._now):
            self._drop(Drop.NACK_LIMIT)
        else:
            self._forward(producer, consumer, held, out, repeat=True)

    def _ask_for_missing(self) -> None:
        for producer in self._producers.values():
            lost = producer.missing.take_due(self._now)
            if not lost:
                continue
            nack = GenericNack(OWN_SSRC, producer.spec.ssrc, tuple(number & 0xFFFF for number in lost))
            producer.nacks_sent += len(lost)
            self.send_rtcp(producer.spec.transport, build_compound([ReceiverReport(OWN_SSRC), nack]))

    # -- small things

    def _send(self, peer: Transport, data: bytes) -> bool:
        if peer.selected is None:
            self._drop(Drop.SEND_FAILED)
            return False
        self._outgoing.append((peer.selected, data))
        self._bytes_out += len(data)
        return True

    def _drop(self, reason: Drop) -> None:
        self._drops[reason] += 1

    def _event(self, event: PlaneEvent) -> None:
        if len(self._events) < self._event_capacity:
            self._events.append(event)
        else:
            self._drop(Drop.EVENT_QUEUE_FULL)

    def _producer_event(self, kind: EventKind, producer: Producer, time: int, data: bytes) -> None:
        spec = producer.spec
        self._event(PlaneEvent(kind, spec.transport, None, time, spec.producer, data))

    def _may_ask(self) -> bool:
        """Let STUN from addresses not validated pass, up to its rate."""
        if self._now - self._stun_window >= 1000 * _MS:
            self._stun_window, self._stun_count = self._now, 0
        self._stun_count += 1
        if self._stun_count <= MAX_STUN_RATE:
            return True
        self._drop(Drop.RATE_LIMIT)
        return False

    def _report_ssrc(self, peer: Transport, ssrc: Ssrc, packet: bytes, address: Address, time: int) -> None:
        if self._now - peer.reported.get(ssrc, -EVENT_INTERVAL_NS) < EVENT_INTERVAL_NS:
            return
        if ssrc not in peer.reported and len(peer.reported) == MAX_REPORTED:
            return
        peer.reported[ssrc] = self._now
        header = packet[: measure_header(packet)[1]]
        self._event(PlaneEvent(EventKind.UNKNOWN_SSRC, peer.id, address, time, ssrc, header))

    def _want_key_frame(self, producer: Producer) -> None:
        last = producer.key_frame_wanted_at
        if not producer.is_video or (last is not None and self._now - last < EVENT_INTERVAL_NS):
            return
        producer.key_frame_wanted_at = self._now
        self._producer_event(EventKind.KEY_FRAME_WANTED, producer, self._now, b"")

    def _write_tap(self, producer: Producer, held: HeldPacket) -> None:
        content = (
            producer.spec.producer.to_bytes(4, "big")
            + held.arrival.to_bytes(8, "big")
            + held.sequence.to_bytes(8, "big")
            + held.data
        )
        record = len(content).to_bytes(4, "big") + content
        if self._tap_bytes + len(record) > self._tap_capacity:
            self._drop(Drop.TAP_FULL)
            return
        self._tap.append(record)
        self._tap_bytes += len(record)

    def _transport(self, transport: TransportId) -> Transport:
        if transport not in self._transports:
            raise ValueError(f"There is no transport {transport}.")
        return self._transports[transport]

    def _producer(self, producer: ProducerId) -> Producer:
        if producer not in self._producers:
            raise ValueError(f"There is no producer {producer}.")
        return self._producers[producer]

    def _consumer(self, consumer: ConsumerId) -> Consumer:
        if consumer not in self._consumers:
            raise ValueError(f"There is no consumer {consumer}.")
        return self._consumers[consumer]
