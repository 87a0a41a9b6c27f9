"""Producers to consumers: what is received, who is sent it, and the control traffic between both.

The router decides and the plane carries out. It has no clock, socket or chance: `now` is seconds of a steady clock,
`time` Unix nanoseconds as the kernel stamps them, identifiers come from the counter given. One router serves a room.
It knows transports, not people: who may publish or watch is decided before it is asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .ids import ConsumerId, Mid, ProducerId, Ssrc, TransportId
from .key_frames import KeyFrameRequests
from .plane import Codec, ConsumerSpec, EncodingSpec, EventKind, Extension, Plane, PlaneEvent, ProducerSpec
from .remote_clock import RemoteClock
from .reports import SERVER_SSRC, ReceiverReportBuilder, SenderInstant, receiver_report, sender_report
from .rtp.feedback import FullIntraRequest, PictureLossIndication
from .rtp.ntp import unix_from_ntp
from .rtp.packet import RtpError, RtpPacket
from .rtp.rtcp import ReceiverReport, RtcpPacket, SenderReport, build_compound, parse_compound
from .rtp.rtcp_header import RtcpError
from .sdp.answer import OfferedTrack
from .subscriber import Slot, Subscriber

#: Bytes kept for repetition, a producer: two seconds of 4K at 60 Mbit/s, and of the loudest Opus.
VIDEO_HISTORY = 16 << 20
AUDIO_HISTORY = 1 << 18

#: Seconds between two reports to one peer.
REPORT_INTERVAL = 1.0

#: Report blocks that fit into one receiver report (RFC 3550, section 6.4.2).
MAX_BLOCKS = 31


@dataclass(slots=True)
class Producer:
    """A track that a transport sends."""

    producer: ProducerId
    transport: TransportId
    track: OfferedTrack
    ssrc: Ssrc
    key_frames: KeyFrameRequests = field(default_factory=KeyFrameRequests)
    reports: ReceiverReportBuilder = field(default_factory=ReceiverReportBuilder)
    instant: SenderInstant | None = None
    tapped: bool = False

    @property
    def video(self) -> bool:
        """Whether there are key frames to be asked for."""
        return self.track.codec is not Codec.OPUS


@dataclass(frozen=True, slots=True)
class SenderReportReceived:
    """A publisher told its time: for the clock notice, and for the recording.

    `ntp_time` is the publisher's, 64 bits; `time` the same instant by our clock and `arrival`, both Unix ns.
    """

    producer: ProducerId
    ntp_time: int
    rtp_timestamp: int
    time: int
    arrival: int


class Router:
    """One room's producers, consumers and their reports."""

    def __init__(self, plane: Plane, next_id: Callable[[], int], *, estimate: int = 50_000_000) -> None:
        """`estimate` is the rate in bit/s that publishers are told they may send."""
        self._plane = plane
        self._next_id = next_id
        self._estimate = estimate
        self.producers: dict[ProducerId, Producer] = {}
        self.subscribers: dict[TransportId, Subscriber] = {}
        self._clocks: dict[TransportId, RemoteClock] = {}
        self._events: deque[SenderReportReceived] = deque()
        self._next_report = 0.0

    # -- publishing ----------------------------------------------------------------------------------------------

    def publish(self, transport: TransportId, tracks: Sequence[OfferedTrack]) -> list[ProducerId]:
        """Receive what a transport offers, in the order of the tracks.

        A track that was offered before (same section, same stream) keeps its producer; what is no longer offered
        ends. Raise ValueError when the plane cannot tell the streams apart; what came before it stays.
        """
        known = {p.track: p.producer for p in self.producers.values() if p.transport == transport}
        for track, producer in known.items():
            if track not in tracks:
                self.unpublish(producer)
        self._clocks.setdefault(transport, RemoteClock())
        return [known[track] if track in known else self._add(transport, track) for track in tracks]

    def _add(self, transport: TransportId, track: OfferedTrack) -> ProducerId:
        producer = Producer(ProducerId(self._next_id()), transport, track, track.ssrc)
        if track.ssrc:
            self._receive(producer)
        self.producers[producer.producer] = producer
        return producer.producer

    def _receive(self, producer: Producer) -> None:
        track = producer.track
        self._plane.add_producer(
            ProducerSpec(
                producer=producer.producer,
                transport=producer.transport,
                codec=track.codec,
                clock_rate=track.clock_rate,
                payload_type=track.payload_type,
                encodings=(EncodingSpec(producer.ssrc, track.rtx_ssrc),),
                rtx_payload_type=track.rtx_payload_type if track.rtx_ssrc else 0,
                nack=producer.video,
                history_bytes=VIDEO_HISTORY if producer.video else AUDIO_HISTORY,
                extensions=track.extensions,
            )
        )
        if producer.tapped:
            self._plane.set_tap(producer.producer, enabled=True)

    def unpublish(self, producer: ProducerId) -> None:
        """Stop receiving a producer and sending it to anybody."""
        entry = self.producers.pop(producer, None)
        if entry is None:
            return
        if entry.ssrc:
            self._plane.remove_producer(producer)
        for subscriber in self.subscribers.values():
            subscriber.release(producer)

    def set_tap(self, producer: ProducerId, *, enabled: bool) -> None:
        """Copy a producer to the recorder, from a key frame on, or stop."""
        entry = self.producers[producer]
        entry.tapped = enabled
        if entry.ssrc:
            self._plane.set_tap(producer, enabled=enabled)
            if enabled and entry.video:
                entry.key_frames.want()

    # -- watching ------------------------------------------------------------------------------------------------

    def watch(self, transport: TransportId) -> Subscriber:
        """Begin to send to a transport; `Subscriber` says what, and what to offer."""
        subscriber = Subscriber(transport, self._next_id)
        self.subscribers[transport] = subscriber
        return subscriber

    def start(self, transport: TransportId, slots: Sequence[Slot], *, connected: bool = True) -> None:
        """Send to these slots of a transport from now on: its answer took them.

        A transport that is not `connected` yet has no keys, and a key frame now would be lost on it: then the
        request waits for the call of `connected`.
        """
        for slot in slots:
            producer = self.producers.get(slot.producer)
            if producer is None or slot.started:
                continue
            slot.started = True
            self._plane.add_consumer(self._consumer(transport, slot, producer))
            if producer.instant is not None:
                self._plane.send_rtcp(transport, sender_report(slot.ssrc, producer.instant, None))
            if connected:
                producer.key_frames.want()

    def connected(self, transport: TransportId) -> None:
        """Ask for the key frames that a transport begins with, now that it can be sent them."""
        subscriber = self.subscribers.get(transport)
        for slot in subscriber.slots if subscriber else ():
            producer = self.producers.get(slot.producer)
            if producer is not None and slot.started:
                producer.key_frames.want()

    def _consumer(self, transport: TransportId, slot: Slot, producer: Producer) -> ConsumerSpec:
        return ConsumerSpec(
            consumer=slot.consumer,
            producer=producer.producer,
            transport=transport,
            payload_type=slot.payload_type,
            ssrc=slot.ssrc,
            rtx_payload_type=slot.rtx_payload_type,
            rtx_ssrc=slot.rtx_ssrc if slot.rtx_payload_type else Ssrc(0),
            mid=slot.mid,
            extensions=slot.extensions,
            playout_delay=slot.playout_delay,
        )

    def stop(self, consumers: Sequence[ConsumerId]) -> None:
        """Stop sending these (their producers live on)."""
        for consumer in consumers:
            self._plane.remove_consumer(consumer)

    def pause(self, transport: TransportId, producer: ProducerId, *, paused: bool) -> bool:
        """Stop or resume what a transport is sent of a producer; False if it is not sent."""
        subscriber = self.subscribers.get(transport)
        slot = subscriber.slot_of(producer) if subscriber else None
        if slot is None or not slot.started:
            return False
        self._plane.set_paused(slot.consumer, paused=paused)
        if not paused:
            self.producers[producer].key_frames.want()
        return True

    def remove_transport(self, transport: TransportId) -> list[ProducerId]:
        """Forget what a transport published and watched; returns the producers that ended.

        The transport itself leaves the plane when its owner closes it.
        """
        ended = [p.producer for p in self.producers.values() if p.transport == transport]
        for producer in ended:
            self.unpublish(producer)
        self.subscribers.pop(transport, None)
        self._clocks.pop(transport, None)
        return ended

    # -- control traffic -----------------------------------------------------------------------------------------

    def receive_event(self, event: PlaneEvent) -> None:
        """Take an event of the plane that concerns a producer or an unknown stream."""
        if event.kind is EventKind.UNKNOWN_SSRC:
            self._recognise(event)
            return
        producer = self.producers.get(ProducerId(event.subject))
        if producer is None:
            return
        if event.kind is EventKind.KEY_FRAME:
            producer.key_frames.arrived()
        elif event.kind is EventKind.KEY_FRAME_WANTED:
            producer.key_frames.want()

    def _recognise(self, event: PlaneEvent) -> None:
        """Find the track that did not declare its SSRC by MID (RFC 8843, section 9.2), else by payload type."""
        try:
            packet = RtpPacket.parse(event.data)
        except RtpError:
            return
        waiting = [p for p in self.producers.values() if p.transport == event.transport and not p.ssrc]
        for producer in waiting:
            mid = packet.extensions.get(producer.track.extensions[Extension.MID], b"")
            if mid and Mid(mid.decode("ascii", "replace")) == producer.track.mid:
                break
        else:
            fitting = [p for p in waiting if p.track.payload_type == packet.payload_type]
            if len(fitting) != 1:
                return
            producer = fitting[0]
        producer.ssrc = Ssrc(packet.ssrc)
        self._receive(producer)
        producer.key_frames.want()

    def receive_rtcp(self, transport: TransportId, data: bytes, now: float, time: int) -> None:
        """Take a decrypted compound of a peer that arrived at `time`. What it does not understand it ignores."""
        try:
            packets = parse_compound(data)
        except RtcpError:
            return
        for packet in packets:
            match packet:
                case SenderReport():
                    self._learn_time(transport, packet, now, time)
                    self._count_loss(transport, packet)
                case ReceiverReport():
                    self._count_loss(transport, packet)
                case PictureLossIndication():
                    self._want_key_frame(transport, Ssrc(packet.media_ssrc))
                case FullIntraRequest():
                    for ssrc, _ in packet.entries:
                        self._want_key_frame(transport, Ssrc(ssrc))

    def _learn_time(self, transport: TransportId, report: SenderReport, now: float, time: int) -> None:
        for producer in self.producers.values():
            if producer.transport != transport or producer.ssrc != report.ssrc:
                continue
            clock = self._clocks[transport]
            clock.add(unix_from_ntp(report.ntp_time), time)
            translated = clock.translate(unix_from_ntp(report.ntp_time))
            producer.instant = SenderInstant(report.ntp_time, report.rtp_timestamp, translated, now)
            self._events.append(
                SenderReportReceived(
                    producer.producer, report.ntp_time, report.rtp_timestamp, translated, time
                )
            )
            self._pass_on(producer, producer.instant)

    def _pass_on(self, producer: Producer, instant: SenderInstant) -> None:
        statistics = self._plane.statistics().consumers
        for subscriber in self.subscribers.values():
            slot = subscriber.slot_of(producer.producer)
            if slot is not None and slot.started:
                report = sender_report(slot.ssrc, instant, statistics.get(slot.consumer))
                self._plane.send_rtcp(subscriber.transport, report)

    def _count_loss(self, transport: TransportId, report: SenderReport | ReceiverReport) -> None:
        subscriber = self.subscribers.get(transport)
        if subscriber is not None:
            for block in report.reports:
                subscriber.report_loss(Ssrc(block.ssrc), block.fraction_lost / 256)

    def _want_key_frame(self, transport: TransportId, ssrc: Ssrc) -> None:
        subscriber = self.subscribers.get(transport)
        slot = subscriber.slot_with(ssrc) if subscriber else None
        producer = self.producers.get(slot.producer) if slot else None
        if producer is not None:
            producer.key_frames.want()

    # -- time ----------------------------------------------------------------------------------------------------

    def get_timer(self) -> float | None:
        """Return when `handle_timer` is next to be called, None while nothing is published."""
        if not self.producers:
            return None
        timers = [p.key_frames.get_timer() for p in self.producers.values() if p.ssrc]
        return min([self._next_report, *(timer for timer in timers if timer is not None)])

    def handle_timer(self, now: float) -> None:
        """Send what is due: requests for key frames, and reports once a second."""
        for producer in self.producers.values():
            if producer.ssrc and producer.video and producer.key_frames.due(now):
                request: list[RtcpPacket] = [
                    ReceiverReport(SERVER_SSRC),
                    PictureLossIndication(SERVER_SSRC, producer.ssrc),
                ]
                self._plane.send_rtcp(producer.transport, build_compound(request))
        if now >= self._next_report:
            self._next_report = now + REPORT_INTERVAL
            self._send_receiver_reports(now)

    def _send_receiver_reports(self, now: float) -> None:
        statistics = self._plane.statistics().producers
        by_transport: dict[TransportId, list[Producer]] = {}
        for producer in self.producers.values():
            if producer.producer in statistics and statistics[producer.producer].packets:
                by_transport.setdefault(producer.transport, []).append(producer)
        for transport, producers in by_transport.items():
            blocks = [
                p.reports.block(p.ssrc, statistics[p.producer].encodings[0], p.instant, now)
                for p in producers[:MAX_BLOCKS]
            ]
            self._plane.send_rtcp(transport, receiver_report(blocks, self._estimate))

    def next_event(self) -> SenderReportReceived | None:
        """Take the next event, None if there is none."""
        return self._events.popleft() if self._events else None
