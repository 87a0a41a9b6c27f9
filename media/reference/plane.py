"""The packet plane in plain Python: the executable specification of ``media.native``.

Datagrams go in by `receive` and come out by `datagrams_to_send`; time is an argument, in ns. The stages
stand in the order of DESIGN.md §3:

    receive_batch → classify → unprotect → ingress → history → fan_out → protect → send_batch

It is never the plane of a running server.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..ids import ConsumerId, ProducerId, Ssrc, TransportId
from ..plane import (
    ANY_PORT,
    TRANSIT_BUCKETS,
    Address,
    ConsumerStatistics,
    Drop,
    EventKind,
    Layer,
    PlaneEvent,
    PlaneStatistics,
    ProducerStatistics,
    low_tap,
)
from ..rtp.feedback import GENERIC_NACK, TRANSPORT_WIDE, GenericNack, parse_feedback
from ..rtp.packet import RtpError, RtpPacket, measure_header
from ..rtp.rtcp import (
    RECEIVER_REPORT,
    TRANSPORT_FEEDBACK,
    ReceiverReport,
    RtcpError,
    build_compound,
    split_compound,
)
from . import srtp
from .classify import MAX_DATAGRAM, Kind, classify, header_length
from .delivery import OWN_SSRC, Delivery
from .fan_out import Consumer
from .histogram import bucket_of
from .history import HeldPacket
from .ingress import Encoding, Producer
from .layers import Deal
from .peers import Transport
from .queues import EventQueue, Tap

_MS = 1_000_000

#: RTP packets injected leave room for the header extensions and the tag of a consumer.
MAX_INJECTED = 1452

#: STUN from addresses not validated, a second.
MAX_STUN_RATE = 2000
MAX_STUN_RATE_OF_HOST = MAX_STUN_RATE // 2

#: One UNKNOWN_SSRC event an SSRC, and one KEY_FRAME_WANTED a producer, in this time.
EVENT_INTERVAL_NS = 100 * _MS

#: Bytes of padding that use up a number.
FILLER = 4

#: The most SSRCs without a producer that one transport is reported of.
MAX_REPORTED = 256


class ReferencePlane(Delivery):
    """Move packets as media.plane.Plane says, in memory."""

    realtime = False
    receive_buffer = 0
    send_buffer = 0

    def __init__(
        self, address: Address = ANY_PORT, *, events: int = 65_536, tap_bytes: int = 64 << 20
    ) -> None:
        """Begin with nobody; `events` and `tap_bytes` are what waits at most for Python."""
        super().__init__()
        self._address = address
        self._now = 0
        self._outgoing: list[tuple[Address, bytes]] = []
        self._events = EventQueue(events, self._drop)
        self._tap = Tap(tap_bytes, self._drop)
        self._stun_window = 0
        self._stun_of: Counter[str] = Counter()
        self._drops = [0] * len(Drop)
        self._transit = [0] * TRANSIT_BUCKETS
        self._packets_in = self._bytes_in = self._datagrams_in = 0
        self._bytes_out = self._send_calls = 0

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
        self._release_held_back()
        self._ask_for_missing()
        self._handle_delivery()

    def datagrams_to_send(self) -> list[tuple[Address, bytes]]:
        """Take what is to be sent: (destination, data)."""
        outgoing, self._outgoing = self._outgoing, []
        self._send_calls += bool(outgoing)
        return outgoing

    def get_timer(self) -> int | None:
        """Tell when `handle_timer` is due next."""
        asking = (encoding.missing.get_timer() for encoding in self._encodings())
        timers = [timer for timer in asking if timer is not None]
        holding = [consumer.selection.hold_until for consumer in self._consumers.values()]
        timers += [timer for timer in holding if timer is not None]
        return min(timers + self._delivery_timers(), default=None)

    def handle_timer(self, now: int) -> None:
        """Ask publishers again for what is missing; send what is due."""
        self._now = now
        self._release_held_back()
        self._ask_for_missing()
        self._handle_delivery()

    # -- commands, beside those of Members

    def remove_transport(self, transport: TransportId) -> None:
        """See media.plane.Plane."""
        super().remove_transport(transport)
        self._events.put(PlaneEvent(EventKind.REMOVED, transport, None, self._now, 0, b""))

    def inject(self, producer: ProducerId, packets: Sequence[bytes], time: int) -> None:
        """See media.plane.Plane."""
        receiver = self._producer(producer)
        if any(len(data) > MAX_INJECTED for data in packets):
            raise ValueError(f"An injected packet has at most {MAX_INJECTED} bytes.")
        self._now = max(self._now, time)
        for data in packets:
            self._receive_packet(receiver.encoding_of(data), data, time, repeat=False)

    def adopt_stream(self, descriptor: int, remote: Address, first: bytes = b"", *, shard: int = 0) -> None:
        """Refuse: there are no sockets here. A frame is a datagram from an address with `tcp` set."""
        raise ValueError("Only the native plane has streams.")

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
        return self._events.take()

    def read_tap(self, limit: int = 4 << 20) -> bytes:
        """See media.plane.Plane."""
        return self._tap.take(limit)

    def producer_statistics(self, producer: ProducerId) -> ProducerStatistics:
        """See media.plane.Plane."""
        return self._producer(producer).statistics(self._now)

    def consumer_statistics(self, consumer: ConsumerId) -> ConsumerStatistics:
        """See media.plane.Plane."""
        return self._consumer(consumer).statistics()

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
            tap_backlog_bytes=self._tap.backlog,
            producers={
                identifier: producer.statistics(self._now) for identifier, producer in self._producers.items()
            },
            consumers={identifier: consumer.statistics() for identifier, consumer in self._consumers.items()},
            transports=self._transport_statistics(),
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
            if peer is not None or self._may_ask(address.host):
                transport = peer.id if peer is not None else TransportId(0)
                self._events.put(PlaneEvent(EventKind.STUN, transport, address, time, 0, data))
        elif peer is not None:
            self._receive_from(peer, kind, data, address, time)

    def _receive_from(self, peer: Transport, kind: Kind, data: bytes, address: Address, time: int) -> None:
        if kind is Kind.DTLS:
            self._events.put(PlaneEvent(EventKind.DTLS, peer.id, address, time, 0, data))
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
        encoding = peer.streams.get(ssrc)
        if peer.wide_id:
            self._note_arrival(peer, packet, time)
        if encoding is None:
            self._drop(Drop.UNKNOWN_SSRC)
            self._report_ssrc(peer, ssrc, packet, address, time)
        else:
            self._receive_packet(encoding, packet, time, repeat=ssrc == encoding.rtx_ssrc)

    def _receive_packet(self, encoding: Encoding, data: bytes, time: int, *, repeat: bool) -> None:
        self._packets_in += 1
        try:
            packet: RtpPacket | Drop = RtpPacket.parse(data)
        except RtpError:
            packet = Drop.MALFORMED
        if repeat and isinstance(packet, RtpPacket):
            packet = encoding.decapsulate(packet)
            data = bytes(packet) if isinstance(packet, RtpPacket) else b""
        if isinstance(packet, Drop):
            self._drop(packet)
            return
        held = encoding.receive(packet, data, time, self._now, repeat=repeat)
        if isinstance(held, Drop):
            self._drop(held)
            return
        if encoding.notice_key_frame(held):
            timestamp = packet.timestamp + encoding.offset & 0xFFFFFFFF
            data = timestamp.to_bytes(4, "big") + bytes([encoding.index])
            self._producer_event(EventKind.KEY_FRAME, encoding, time, data)
        if encoding.producer.tapped:
            copied = self._tappings[encoding.spec.producer].copy(encoding.producer, encoding, held)
            if copied is not None:
                self._tap.put(encoding.spec.producer, copied)
        if encoding.index == encoding.producer.low_tap:
            copied = self._low_tappings[encoding.spec.producer].copy(encoding, held)
            if copied is not None:
                self._tap.put(low_tap(encoding.spec.producer), copied)
        self._fan_out(encoding.producer, held)

    def _fan_out(self, producer: Producer, held: HeldPacket) -> None:
        for consumer in self._consumers.values():
            if consumer.spec.producer == producer.spec.producer:
                self._carry_out(producer, consumer, consumer.selection.deal(held, self._now))

    def _carry_out(self, producer: Producer, consumer: Consumer, deals: Sequence[Deal]) -> None:
        """Do what a consumer's selection says."""
        for deal in deals:
            if isinstance(deal.out, Drop):
                self._drop(deal.out)
            elif deal.filler:
                self._drop(Drop.LAYER)
                self._fill_number(consumer, deal.held, deal.out)
            else:
                self._offer(producer, consumer, deal.held, deal.out, repeat=False)
        selection = consumer.selection
        for index in selection.asks:
            self._want_key_frame(producer.encodings[index])
        for layer, timestamp in selection.news:
            data = bytes(layer) + timestamp.to_bytes(4, "big")
            spec = consumer.spec
            self._events.put(
                PlaneEvent(EventKind.LAYER, spec.transport, None, self._now, spec.consumer, data)
            )
        selection.asks.clear()
        selection.news.clear()

    def _fill_number(self, consumer: Consumer, held: HeldPacket, out: int) -> None:
        peer = self._transport(consumer.spec.transport)
        source = consumer.selection.numbering.source_of(out)
        assert source is not None, "its number was given"
        packet = RtpPacket(
            payload_type=consumer.spec.payload_type,
            sequence_number=out & 0xFFFF,
            timestamp=held.packet.timestamp + source[0].naming.timestamp & 0xFFFFFFFF,
            ssrc=consumer.spec.ssrc,
            extensions=self._sending_extensions(peer, consumer),
            padding=FILLER,
        )
        size = self._send_plain(peer, consumer, bytes(packet))
        peer.counts.padding_packets += bool(size)
        peer.counts.padding_bytes += size
        # whatever waits in the pacer and is given up: this number was a nonce
        consumer.used(out)

    def _want(self, consumer: Consumer, layer: Layer) -> None:
        producer = self._producer(consumer.spec.producer)
        self._carry_out(producer, consumer, consumer.selection.want(layer, self._now))

    def _release_held_back(self) -> None:
        for consumer in self._consumers.values():
            until = consumer.selection.hold_until
            if until is not None and until <= self._now:
                producer = self._producer(consumer.spec.producer)
                self._carry_out(producer, consumer, list(consumer.selection.release(None, self._now)))

    def _forward(
        self,
        producer: Producer,
        consumer: Consumer,
        held: HeldPacket,
        out: int,
        *,
        repeat: bool,
        waited: bool = False,
        filling: bool = False,
    ) -> bool:
        """Rewrite, protect and send one packet to one consumer; True if it left."""
        peer = self._transport(consumer.spec.transport)
        if peer.send is None:
            self._drop(Drop.NO_KEYS)
            return False
        ids = producer.spec.extensions
        rewrite = consumer.rewrite_again if repeat else consumer.rewrite
        packet = rewrite(held, out, ids, self._now, peer.sent.next_number)
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
        self._left(peer, consumer, len(protected), filling=filling)
        if filling:
            peer.counts.padding_packets += 1
            peer.counts.padding_bytes += len(protected)
            return True
        consumer.sent(packet, out, self._now, repeat=repeat)
        if not repeat:
            self._protect_stream(peer, consumer, plain, out, packet.timestamp)
        if not repeat and not waited:
            bucket = bucket_of(self._now - held.arrival)
            self._transit[bucket] += 1
            producer.transit[bucket] += 1
        return True

    def _receive_rtcp(self, peer: Transport, compound: bytes, address: Address, time: int) -> None:
        try:
            packets = split_compound(compound)
        except RtcpError:
            self._drop(Drop.MALFORMED)
            return
        wide = more = False
        for packet_type, fmt, body in packets:
            if packet_type == TRANSPORT_FEEDBACK and fmt == TRANSPORT_WIDE:
                self._receive_feedback(peer, body[8:], time)
                wide = True
                continue
            more = more or packet_type != RECEIVER_REPORT or fmt != 0
            # a NACK of nothing is not the plane's to judge
            if packet_type != TRANSPORT_FEEDBACK or fmt != GENERIC_NACK or len(body) < 12:
                continue
            nack = parse_feedback(packet_type, fmt, body)
            assert isinstance(nack, GenericNack)
            consumer = peer.consumers.get(Ssrc(nack.media_ssrc))
            if consumer is not None:
                for number in nack.lost:
                    self._repeat(consumer, number)
        # feedback comes by the hundred a second, and was told as an event of its own
        if more or not wide:
            self._events.put(PlaneEvent(EventKind.RTCP, peer.id, address, time, 0, compound))

    def _repeat(self, consumer: Consumer, sequence_number: int) -> None:
        producer = self._producer(consumer.spec.producer)
        source = consumer.selection.numbering.source(sequence_number)
        if source is None:
            self._drop(Drop.NOT_IN_HISTORY)
            return
        run, number, out = source
        encoding = producer.encodings[run.encoding]
        if run.life != encoding.life:
            self._drop(Drop.NOT_IN_HISTORY)
            return
        held = encoding.history.get(number)
        if held is None:
            self._drop(Drop.NOT_IN_HISTORY)
            if number not in encoding.missing:
                self._want_key_frame(encoding)
        elif not consumer.may_repeat(out, self._now):
            self._drop(Drop.NACK_LIMIT)
        elif (chosen := consumer.selection.chosen_for(run, held)) is None:
            self._drop(Drop.NOT_IN_HISTORY)
        elif chosen.sends(held.place):
            self._offer(producer, consumer, held, out, repeat=True)
        else:
            self._drop(Drop.LAYER)  # padding has used up the number

    def _ask_for_missing(self) -> None:
        for encoding in self._encodings():
            lost = encoding.missing.take_due(self._now)
            if not lost:
                continue
            nack = GenericNack(OWN_SSRC, encoding.ssrc, tuple(number & 0xFFFF for number in lost))
            encoding.nacks_sent += len(lost)
            self.send_rtcp(encoding.spec.transport, build_compound([ReceiverReport(OWN_SSRC), nack]))

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

    def _put_event(self, event: PlaneEvent) -> None:
        self._events.put(event)

    def _producer_event(self, kind: EventKind, encoding: Encoding, time: int, data: bytes) -> None:
        spec = encoding.spec
        self._events.put(PlaneEvent(kind, spec.transport, None, time, spec.producer, data))

    def _may_ask(self, host: str) -> bool:
        """Let STUN from addresses not validated pass, up to its rate; one host alone shuts nobody out."""
        if self._now - self._stun_window >= 1000 * _MS:
            self._stun_window = self._now
            self._stun_of.clear()
        if self._stun_of[host] < MAX_STUN_RATE_OF_HOST and self._stun_of.total() < MAX_STUN_RATE:
            self._stun_of[host] += 1
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
        self._events.put(PlaneEvent(EventKind.UNKNOWN_SSRC, peer.id, address, time, ssrc, header))

    def _want_key_frame(self, encoding: Encoding) -> None:
        last = encoding.key_frame_wanted_at
        if not encoding.producer.is_video or (last is not None and self._now - last < EVENT_INTERVAL_NS):
            return
        encoding.key_frame_wanted_at = self._now
        self._producer_event(EventKind.KEY_FRAME_WANTED, encoding, self._now, bytes([encoding.index]))

    def _encodings(self) -> list[Encoding]:
        return [encoding for producer in self._producers.values() for encoding in producer.encodings]
