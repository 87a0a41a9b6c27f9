"""When packets leave, and what leaves beside them: pacing, probes, protection packets; and feedback, both ways."""

from __future__ import annotations

from abc import abstractmethod

from ..checks import check_fec, check_pacing, check_probe, check_round_trip
from ..ids import ConsumerId, TransportId
from ..plane import Drop, EventKind, Extension, PlaneEvent, TransportStatistics
from ..rtp.extensions import build_abs_send_time, build_transport_wide
from ..rtp.packet import RtpError, RtpPacket, measure_header, parse_extensions
from ..rtp.rtcp import ReceiverReport, RtcpError, build_compound
from ..rtp.transport_wide import Arrivals
from . import srtp
from .classify import MAX_DATAGRAM
from .fan_out import Consumer
from .fec import without_mutable
from .history import HeldPacket
from .ingress import Encoding, Producer
from .members import Members
from .pacer import Waiting
from .peers import Transport
from .probe_out import PACKET_BYTES, PADDING, REPEATED, Probe

#: The SSRC in which the plane reports and asks: it sends no stream of its own.
OWN_SSRC = 1


class Delivery(Members):
    """Carry out what congestion control asks for; each command is described in media.plane.Plane."""

    _now = 0
    _packets_out = 0

    # -- commands

    def set_pacing(self, transport: TransportId, bits_per_second: int) -> None:
        """See media.plane.Plane."""
        check_pacing(bits_per_second)
        peer = self._transport(transport)
        peer.pacer.set_rate(bits_per_second, self._now)
        self._drain(peer)

    def probe(self, transport: TransportId, cluster: int, bits_per_second: int, packets: int = 15) -> None:
        """See media.plane.Plane."""
        check_probe(cluster, bits_per_second, packets)
        peer = self._transport(transport)
        peer.probe = Probe(cluster, bits_per_second, packets * PACKET_BYTES, self._now)
        self._fill(peer)

    def set_round_trip(self, transport: TransportId, seconds: float) -> None:
        """See media.plane.Plane."""
        check_round_trip(seconds)
        self._transport(transport).set_round_trip(round(seconds * 1e9))

    def set_fec(self, consumer: ConsumerId, share: float) -> None:
        """See media.plane.Plane."""
        receiver = self._consumer(consumer)
        check_fec(receiver.spec, share)
        receiver.protection.set_share(share)

    def set_paused(self, consumer: ConsumerId, *, paused: bool) -> None:
        """See media.plane.Plane."""
        if paused:
            self._discard(self._consumer(consumer), Drop.PAUSED)
        super().set_paused(consumer, paused=paused)

    def remove_consumer(self, consumer: ConsumerId) -> None:
        """See media.plane.Plane."""
        removed = self._consumer(consumer)
        self._transport(removed.spec.transport).pacer.discard(removed, repeats=True)
        super().remove_consumer(consumer)

    # -- the pacer

    def _offer(
        self, producer: Producer, consumer: Consumer, held: HeldPacket, out: int, *, repeat: bool
    ) -> None:
        """Send a packet now, or when it is its turn."""
        peer = self._transport(consumer.spec.transport)
        pacer = peer.pacer
        key_frame = pacer.belongs_to_key_frame(consumer, held)
        if not pacer.rate or not producer.is_video or pacer.goes_at_once(self._now, repeat=repeat):
            self._forward(producer, consumer, held, out, repeat=repeat)
            return
        waiting = Waiting(producer, consumer, held, out, repeat, self._now, key_frame)
        if not pacer.put(waiting):
            self._drop(Drop.PACER_FULL)
            if not repeat:
                self._overflow(pacer.video[0])

    def _drain(self, peer: Transport) -> None:
        """Send what may leave by now; drop what waited too long."""
        pacer = peer.pacer
        while pacer.repeats and pacer.repeats[0].overdue(self._now):
            pacer.repeats.popleft()
            self._drop(Drop.PACER_FULL)
        while pacer.video and pacer.video[0].overdue(self._now):
            self._overflow(pacer.video[0])
        while pacer.free(self._now) and self._send_next(peer) is not None:
            pass

    def _send_next(self, peer: Transport) -> bool | None:
        """Send who waits first, whatever the rate; None: nobody waits."""
        waiting = peer.pacer.next()
        if waiting is None:
            return None
        return self._forward(
            waiting.producer,
            waiting.consumer,
            waiting.held,
            waiting.out,
            repeat=waiting.repeat,
            waited=True,
        )

    def _overflow(self, oldest: Waiting) -> None:
        """Give up what waits of a consumer's video: it begins anew at a key frame."""
        self._discard(oldest.consumer, Drop.PACER_FULL)
        oldest.consumer.selection.begin_anew()
        self._want_key_frame(oldest.producer.encodings[oldest.held.encoding])

    def _discard(self, consumer: Consumer, reason: Drop) -> None:
        pacer = self._transport(consumer.spec.transport).pacer
        discarded = pacer.discard(consumer, repeats=False)
        for _ in range(discarded):
            self._drop(reason)
        if discarded:
            consumer.rewind()

    # -- probes

    def _fill(self, peer: Transport) -> None:
        """Send what a probe lacks by now."""
        probe = peer.probe
        while probe is not None and probe.next_at <= self._now:
            if probe.over or not self._send_filling(peer, probe):
                peer.probe = None
                return

    def _send_filling(self, peer: Transport, probe: Probe) -> bool:
        """Send one packet of a probe; False when there is nothing to send it on."""
        able = [
            consumer
            for consumer in peer.consumers.values()
            if consumer.spec.rtx_ssrc and consumer.spec.extensions[Extension.TRANSPORT_WIDE]
        ]
        # what waits for its turn is the best filling
        if able and (sent := self._send_next(peer)) is not None:
            return sent
        sending = [consumer for consumer in able if consumer.sending]
        for consumer in sending:
            probe.turn += 1
            producer = self._producer(consumer.spec.producer)
            source = consumer.sent_before(probe.turn % REPEATED)
            if source is not None:
                return self._forward(producer, consumer, *source, repeat=True, filling=True)
        return bool(able) and self._send_padding(peer, (sending or able)[0])

    def _send_padding(self, peer: Transport, consumer: Consumer) -> bool:
        packet = RtpPacket(
            payload_type=consumer.spec.rtx_payload_type,
            sequence_number=consumer.next_rtx(),
            timestamp=consumer.statistics().last_timestamp,
            ssrc=consumer.spec.rtx_ssrc,
            extensions=self._sending_extensions(peer, consumer),
            padding=PADDING,
        )
        size = self._send_plain(peer, consumer, bytes(packet), filling=True)
        peer.counts.padding_packets += bool(size)
        peer.counts.padding_bytes += size
        return bool(size)

    # -- protection

    def _protect_stream(
        self, peer: Transport, consumer: Consumer, plain: bytes, out: int, timestamp: int
    ) -> None:
        """Send the protection packets that a packet of a consumer completes."""
        for payload in consumer.protection.add(without_mutable(plain, consumer.spec.extensions), out):
            packet = RtpPacket(
                payload_type=consumer.spec.fec_payload_type,
                sequence_number=consumer.next_fec(),
                timestamp=timestamp,
                ssrc=consumer.spec.fec_ssrc,
                extensions=self._sending_extensions(peer, consumer),
                payload=payload,
            )
            size = self._send_plain(peer, consumer, bytes(packet))
            peer.counts.fec_packets += bool(size)
            peer.counts.fec_bytes += size

    def _sending_extensions(self, peer: Transport, consumer: Consumer) -> dict[int, bytes]:
        ids = consumer.spec.extensions
        values = {
            ids[Extension.ABS_SEND_TIME]: build_abs_send_time(self._now),
            ids[Extension.TRANSPORT_WIDE]: build_transport_wide(peer.sent.next_number),
        }
        return {identifier: value for identifier, value in values.items() if identifier}

    def _send_plain(self, peer: Transport, consumer: Consumer, plain: bytes, *, filling: bool = False) -> int:
        """Protect and send a packet that is none of the producer's; give its size, 0 if it did not leave."""
        protected = srtp.protect(peer.send, plain) if peer.send is not None else Drop.NO_KEYS
        if not isinstance(protected, Drop) and len(protected) > MAX_DATAGRAM:
            protected = Drop.TOO_LARGE
        if isinstance(protected, Drop):
            self._drop(protected)
            return 0
        if not self._send(peer, protected):
            return 0
        self._left(peer, consumer, len(protected), filling=filling)
        return len(protected)

    def _left(self, peer: Transport, consumer: Consumer, size: int, *, filling: bool = False) -> None:
        """Book an RTP packet that left; what waits does not pay for a probe's filling."""
        self._packets_out += 1
        peer.counts.packets_out += 1
        peer.counts.bytes_out += size
        if not filling:
            peer.pacer.spend(size, self._now)
        if consumer.spec.extensions[Extension.TRANSPORT_WIDE]:
            peer.sent.put(size, self._now, peer.probe.cluster if peer.probe is not None else 0)
        if peer.probe is not None:
            peer.probe.spend(size)

    # -- feedback

    def _receive_feedback(self, peer: Transport, body: bytes, time: int) -> None:
        """Join a peer's transport-wide feedback with what it was sent."""
        try:
            arrivals = Arrivals.parse(body)
        except RtcpError:
            self._drop(Drop.MALFORMED)
            return
        peer.counts.feedback_in += 1
        data = b"".join(map(bytes, peer.sent.join(arrivals)))
        if data:
            self._put_event(PlaneEvent(EventKind.FEEDBACK, peer.id, None, time, 0, data))

    def _note_arrival(self, peer: Transport, packet: bytes, arrival: int) -> None:
        """Note a packet that a publisher sent, whatever it is, under its transport-wide number."""
        start, end = measure_header(packet)
        try:
            value = parse_extensions(packet[start:end]).get(peer.wide_id, b"")
        except RtpError:
            return
        if len(value) in (2, 4):
            peer.arrivals.record(int.from_bytes(value[:2], "big"), arrival, self._now)
            peer.wide_ssrc = int.from_bytes(packet[8:12], "big")

    def _send_feedback(self, peer: Transport) -> None:
        for arrivals in peer.arrivals.take(self._now):
            feedback = arrivals.packet(OWN_SSRC, peer.wide_ssrc)
            peer.counts.feedback_out += 1
            self.send_rtcp(peer.id, build_compound([ReceiverReport(OWN_SSRC), feedback]))

    # -- time

    def _delivery_timers(self) -> list[int]:
        timers: list[int | None] = []
        for peer in self._transports.values():
            timers += [peer.arrivals.get_timer(), peer.pacer.get_timer()]
            timers.append(peer.probe.next_at if peer.probe is not None else None)
        return [timer for timer in timers if timer is not None]

    def _handle_delivery(self) -> None:
        for peer in self._transports.values():
            self._drain(peer)
            self._fill(peer)
            self._send_feedback(peer)

    def _transport_statistics(self) -> dict[TransportId, TransportStatistics]:
        return {identifier: peer.statistics() for identifier, peer in self._transports.items()}

    # -- what the plane does

    @abstractmethod
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

    @abstractmethod
    def send_rtcp(self, transport: TransportId, data: bytes) -> None:
        """See media.plane.Plane."""

    @abstractmethod
    def _send(self, peer: Transport, data: bytes) -> bool:
        """Send bytes to a transport's selected address."""

    @abstractmethod
    def _drop(self, reason: Drop) -> None:
        """Count what was not forwarded."""

    @abstractmethod
    def _put_event(self, event: PlaneEvent) -> None:
        """Tell Python."""

    @abstractmethod
    def _want_key_frame(self, encoding: Encoding) -> None:
        """Tell Python that only a key frame helps."""
