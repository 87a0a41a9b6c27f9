"""Producers to consumers: what is received, who is sent it, and the control traffic between both.

The router decides and the plane carries out. It has no clock, socket or chance: `now` is seconds of a steady clock,
`time` Unix nanoseconds as the kernel stamps them, identifiers come from the counter given. One router serves a room.
It knows transports, not people: who may publish or watch is decided before it is asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .arrivals import Arrivals
from .delivery import INTERVAL, Delivered, Delivery
from .ids import ConsumerId, Mid, ProducerId, Ssrc, TransportId
from .plane import ConsumerSpec, EncodingSpec, EncodingStatistics, EventKind, Plane, PlaneEvent, ProducerSpec
from .producer import Producer, TapClaim
from .qualities import Qualities, qualities
from .recognition import recognise
from .remote_clock import RemoteClock
from .reporting import CaptureTimeMoved, Reporting, SenderReportReceived
from .reports import SERVER_SSRC
from .rtp.feedback import FullIntraRequest, PictureLossIndication, ReceiverEstimate
from .rtp.rtcp import ExtendedReport, ReceiverReport, RtcpPacket, SenderReport, build_compound, parse_compound
from .rtp.rtcp_header import RtcpError
from .sdp.answer import OfferedTrack
from .subscriber import Slot, Subscriber

#: Bytes kept for repetition, an encoding: two seconds of 4K at 60 Mbit/s, and of the loudest Opus, sent twice.
VIDEO_HISTORY = 16 << 20
AUDIO_HISTORY = 1 << 19

#: An encoding that nobody has wanted for so long, seconds, may rest: not at each short look at another size.
REST_AFTER = 3.0


@dataclass(frozen=True, slots=True)
class EncodingsWanted:
    """Which encodings of a producer, the lowest first, anybody watches: its publisher may suspend the others."""

    producer: ProducerId
    active: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class KeyFrameAsked:
    """Somebody lacks a picture to begin with, of a producer that is injected: who injects it is asked, over no line."""

    producer: ProducerId


RouterEvent = SenderReportReceived | CaptureTimeMoved | EncodingsWanted | Delivered | KeyFrameAsked


class Router:
    """One room's producers, consumers and their reports."""

    def __init__(
        self, plane: Plane, next_id: Callable[[], int], *, start: int = 6_000_000, maximum: int = 50_000_000
    ) -> None:
        """`start` and `maximum` in bit/s: what a line is taken to carry at first, what a publisher may send at most."""
        self._plane = plane
        self._next_id = next_id
        self._start = start
        self.producers: dict[ProducerId, Producer] = {}
        self.subscribers: dict[TransportId, Subscriber] = {}
        self.deliveries: dict[TransportId, Delivery] = {}
        self._slots: dict[ConsumerId, Slot] = {}
        self._events: deque[RouterEvent] = deque()
        self._reporting = Reporting(plane, self.producers, self.subscribers, maximum)
        self._rested: dict[tuple[ProducerId, int], float] = {}
        self._qualities: dict[ProducerId, Qualities] = {}
        self._probes_before = 0
        self._next_decision = 0.0

    # -- publishing ----------------------------------------------------------------------------------------------

    def publish(
        self,
        transport: TransportId,
        tracks: Sequence[OfferedTrack],
        going_on: Mapping[Mid, ProducerId] | None = None,
    ) -> list[ProducerId]:
        """Receive what a transport offers, in the order of the tracks.

        A track that was offered before (same section, same stream) keeps its producer; what is no longer offered
        ends. `going_on` says, by section, which interrupted producers go on as tracks (`may_go_on`). Raise ValueError
        when the plane cannot tell the streams apart; what came before it stays.
        """
        former = going_on or {}
        known = {p.track: p.producer for p in self.producers.values() if p.transport == transport}
        for track, producer in known.items():
            if track not in tracks:
                self.unpublish(producer)
        self._reporting.clocks.setdefault(transport, RemoteClock())
        return [
            known[track]
            if track in known
            else self._go_on(transport, track, former[track.mid])
            if track.mid in former
            else self._add(transport, track)
            for track in tracks
        ]

    def publish_inside(
        self, transport: TransportId, tracks: Sequence[OfferedTrack], bits_per_second: Sequence[int]
    ) -> list[ProducerId]:
        """Take in tracks that are injected (`Endpoint.create_inside`), each of which takes so much, in one encoding."""
        producers = self.publish(transport, tracks)
        for producer, rate in zip(producers, bits_per_second, strict=True):
            self.producers[producer].inside = rate
        return producers

    def interrupt(self, transport: TransportId) -> dict[ProducerId, int]:
        """Let what a transport sent wait for another one; the transport may leave the plane then.

        Consumers, their numbers and the timeline stay. Returns the producers, each with an RTP timestamp that lies
        behind everything that was sent of it and before everything that it will send.
        """
        ended = {}
        for producer in [p for p in self.producers.values() if p.transport == transport]:
            ended[producer.producer] = self._end_of_line(producer)
            producer.interrupt()
            self._plane.move_producer(self._received(producer))
        self._reporting.forget(transport)
        return ended

    def sent(self, producer: ProducerId, rtp_timestamp: int) -> bool:
        """Tell whether a frame of a producer may have been sent, by its canonical RTP timestamp."""
        entry = self.producers.get(producer)
        if entry is None:
            return False
        self._note_frames(entry, self._plane.producer_statistics(producer).encodings)
        return entry.frames.holds(rtp_timestamp)

    @staticmethod
    def _note_frames(producer: Producer, encodings: Sequence[EncodingStatistics]) -> None:
        for encoding in encodings:
            if encoding.offset is not None and not producer.interrupted:
                producer.frames.note((t + encoding.offset) % (1 << 32) for t in encoding.recent_timestamps)

    def _end_of_line(self, producer: Producer) -> int:
        newest: int | None = None
        encodings = self._plane.producer_statistics(producer.producer).encodings
        self._note_frames(producer, encodings)
        for encoding in encodings:
            if encoding.offset is not None and encoding.recent_timestamps:
                timestamp = (encoding.recent_timestamps[0] + encoding.offset) % (1 << 32)
                if newest is None or 0 < timestamp - newest & 0xFFFFFFFF < 1 << 31:
                    newest = timestamp
        # the plane leaves 100 ms at least; what is just being received comes within the half of it. Where nothing came
        # since the interruption before, that one's holds
        if newest is not None:
            producer.end_of_line = (newest + producer.track.clock_rate // 20) % (1 << 32)
        return producer.end_of_line

    def may_go_on(self, producer: ProducerId, track: OfferedTrack) -> bool:
        """Tell whether an interrupted producer may go on as a track."""
        entry = self.producers.get(producer)
        return entry is not None and entry.interrupted and entry.may_go_on_as(track)

    def _go_on(self, transport: TransportId, track: OfferedTrack, producer: ProducerId) -> ProducerId:
        entry = self.producers[producer]
        before = entry.track
        entry.go_on(transport, track)
        try:
            self._plane.move_producer(self._received(entry))
        except ValueError:
            entry.track = before
            entry.interrupt()
            raise
        for encoding in range(len(entry.encodings)):
            entry.want_key_frame(encoding)
        return producer

    def describe(self, producer: ProducerId, source: str, heights: tuple[int, ...] = ()) -> None:
        """Learn what a producer shows (its priority), and how high its encodings are, the lowest first."""
        entry = self.producers[producer]
        entry.source, entry.heights = source, heights

    def _add(self, transport: TransportId, track: OfferedTrack) -> ProducerId:
        producer = Producer(ProducerId(self._next_id()), transport, track)
        self._plane.add_producer(self._received(producer))
        self.producers[producer.producer] = producer
        return producer.producer

    def _received(self, producer: Producer) -> ProducerSpec:
        track = producer.track
        return ProducerSpec(
            producer=producer.producer,
            transport=producer.transport,
            codec=track.codec,
            clock_rate=track.clock_rate,
            payload_type=track.payload_type,
            encodings=tuple(EncodingSpec(e.ssrc, e.rtx_ssrc) for e in producer.encodings),
            rtx_payload_type=track.rtx_payload_type,
            nack=producer.video,
            history_bytes=VIDEO_HISTORY if producer.video else AUDIO_HISTORY,
            extensions=track.extensions,
            red_payload_type=track.red_payload_type,
        )

    def unpublish(self, producer: ProducerId) -> None:
        """Stop receiving a producer and sending it to anybody."""
        if self.producers.pop(producer, None) is None:
            return
        self._plane.remove_producer(producer)
        self._qualities.pop(producer, None)
        for subscriber in self.subscribers.values():
            consumer = subscriber.release(producer)
            if consumer is not None:
                self._slots.pop(consumer, None)
        for delivery in self.deliveries.values():
            delivery.forget(producer)
        self._rested = {key: since for key, since in self._rested.items() if key[0] != producer}

    def set_tap(self, producer: ProducerId, *, enabled: bool, claim: TapClaim = "recording") -> None:
        """Copy a producer to the tap for one more purpose, from a key frame on, or no more for this one."""
        entry = self.producers[producer]
        if enabled:
            entry.claims.add(claim)
        else:
            entry.claims.discard(claim)
        self._tap(entry)
        if enabled:
            for encoding in range(len(entry.encodings)):
                entry.want_key_frame(encoding)

    def set_low_tap(self, producer: ProducerId, encoding: int | None) -> None:
        """Copy one of several encodings to the tap as well, beside the best, or none any more (None)."""
        entry = self.producers[producer]
        if entry.low == encoding:
            return
        entry.low = encoding
        self._tap_low(entry)
        if encoding is not None:
            entry.want_key_frame(encoding)

    def _tap(self, entry: Producer) -> None:
        self._plane.set_tap(entry.producer, enabled=bool(entry.claims) and not entry.muted)

    def _tap_low(self, entry: Producer) -> None:
        self._plane.set_low_tap(entry.producer, None if entry.muted else entry.low)

    def set_muted(self, producer: ProducerId, *, muted: bool) -> None:
        """Pass a producer on to nobody, the recorder included, or again to whoever was sent it."""
        entry = self.producers.get(producer)
        if entry is None or entry.muted == muted:
            return
        entry.muted = muted
        if entry.claims:
            self._tap(entry)
            if entry.low is not None:
                self._tap_low(entry)
            if not muted:
                for encoding in range(len(entry.encodings)):
                    entry.want_key_frame(encoding)
        for subscriber in self.subscribers.values():
            slot = subscriber.slot_of(producer)
            if slot is not None and slot.started and not slot.paused:
                self._plane.set_paused(slot.consumer, paused=muted)
                if not muted:
                    entry.want_key_frame(slot.layer.encoding)

    # -- watching ------------------------------------------------------------------------------------------------

    def watch(self, transport: TransportId) -> Subscriber:
        """Begin to send to a transport; `Subscriber` says what, and what to offer."""
        subscriber = Subscriber(transport, self._next_id)
        self.subscribers[transport] = subscriber
        self.deliveries[transport] = Delivery(subscriber, self._plane, self._start)
        return subscriber

    def start(self, transport: TransportId, slots: Sequence[Slot], *, connected: bool = True) -> list[Slot]:
        """Send to these slots of a transport from now on: its answer took them. Returns those that cannot be sent.

        A transport that is not `connected` yet has no keys, and a key frame now would be lost on it: then the
        request waits for the call of `connected`.
        """
        refused = []
        for slot in slots:
            producer = self.producers.get(slot.producer)
            if producer is None or slot.started:
                continue
            try:
                self._plane.add_consumer(self._consumer(transport, slot, producer))
            except ValueError:
                # whatever one receiver answered is no harm to the others
                refused.append(slot)
                continue
            slot.started = True
            self._slots[slot.consumer] = slot
            if producer.muted:
                self._plane.set_paused(slot.consumer, paused=True)
            self._reporting.introduce(transport, slot, producer)
            if connected:
                producer.want_key_frame(0)
        self._next_decision = 0.0
        return refused

    def connected(self, transport: TransportId) -> None:
        """Ask for the key frames that a transport begins with, now that it can be sent them."""
        subscriber = self.subscribers.get(transport)
        for slot in subscriber.slots if subscriber else ():
            producer = self.producers.get(slot.producer)
            if producer is not None and slot.started:
                producer.want_key_frame(slot.layer.encoding)
        self._next_decision = 0.0

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
            fec_payload_type=slot.fec_payload_type,
            fec_ssrc=slot.fec_ssrc if slot.fec_payload_type else Ssrc(0),
            red_payload_type=slot.red_payload_type,
        )

    def stop(self, consumers: Sequence[ConsumerId]) -> None:
        """Stop sending these (their producers live on)."""
        for consumer in consumers:
            self._slots.pop(consumer, None)
            self._plane.remove_consumer(consumer)

    def view(self, transport: TransportId, producer: ProducerId, height: int | None) -> bool:
        """Note how high, in pixels, a receiver shows a producer: 0 not at all, None as it likes; False if not sent."""
        slot = self._slot(transport, producer)
        if slot is None:
            return False
        hidden, slot.hidden = slot.hidden, height == 0
        slot.height = slot.height if height == 0 else height
        if hidden and not slot.hidden:
            self._resume(slot, self.producers[producer])
        elif slot.hidden and not slot.paused:
            slot.paused = True
            self._plane.set_paused(slot.consumer, paused=True)
        self._next_decision = 0.0
        return True

    def path_changed(self, transport: TransportId) -> None:
        """Note that a transport is sent to another address than before: what was said of the old path is over."""
        if (delivery := self.deliveries.get(transport)) is not None:
            delivery.estimator.path_changed()

    def pause(self, transport: TransportId, producer: ProducerId, *, paused: bool) -> bool:
        """Stop or resume what a transport is sent of a producer; False if it is not sent."""
        slot = self._slot(transport, producer)
        return slot is not None and self.view(transport, producer, 0 if paused else slot.height)

    def _slot(self, transport: TransportId, producer: ProducerId) -> Slot | None:
        subscriber = self.subscribers.get(transport)
        slot = subscriber.slot_of(producer) if subscriber else None
        return slot if slot is not None and slot.started else None

    def _resume(self, slot: Slot, producer: Producer) -> None:
        # at once, since somebody has just looked there; the next decision may take it back
        slot.paused = False
        self._plane.set_paused(slot.consumer, paused=producer.muted)
        producer.want_key_frame(slot.layer.encoding)

    def remove_transport(self, transport: TransportId) -> list[ProducerId]:
        """Forget what a transport published and watched; returns the producers that ended.

        The transport itself leaves the plane when its owner closes it.
        """
        ended = [p.producer for p in self.producers.values() if p.transport == transport]
        for producer in ended:
            self.unpublish(producer)
        subscriber = self.subscribers.pop(transport, None)
        for slot in subscriber.slots if subscriber else ():
            self._slots.pop(slot.consumer, None)
        if (delivery := self.deliveries.pop(transport, None)) is not None:
            self._probes_before += delivery.probes
        self._reporting.forget(transport)
        return ended

    # -- what the plane says -------------------------------------------------------------------------------------

    def receive_event(self, event: PlaneEvent, now: float) -> None:
        """Take an event of the plane about a stream of one of the room's transports; another's is not understood."""
        match event.kind:
            case EventKind.UNKNOWN_SSRC:
                self._recognise(event)
            case EventKind.FEEDBACK:
                delivery = self.deliveries.get(event.transport)
                if delivery is not None and delivery.receive_feedback(event.data, now):
                    self._next_decision = now
            case EventKind.LAYER:
                if (slot := self._slots.get(ConsumerId(event.subject))) is not None:
                    slot.sending = event.data[0]
            case EventKind.KEY_FRAME | EventKind.KEY_FRAME_WANTED:
                producer = self.producers.get(ProducerId(event.subject))
                if producer is None:
                    return
                if event.kind is EventKind.KEY_FRAME:
                    producer.encodings[event.data[4]].key_frames.arrived()
                else:
                    producer.want_key_frame(event.data[0])

    def _recognise(self, event: PlaneEvent) -> None:
        found = recognise(event, self.producers.values())
        if found is None:
            return
        producer, encoding = found.producer, found.producer.encodings[found.encoding]
        ssrc, rtx_ssrc = (
            (encoding.ssrc, Ssrc(found.ssrc)) if found.rtx else (Ssrc(found.ssrc), encoding.rtx_ssrc)
        )
        if not found.rtx and encoding.ssrc:
            # begun anew: its repeats will be, too
            rtx_ssrc = Ssrc(0)
            producer.identity.forget(found.encoding)
            encoding.instant = None
            encoding.arrivals = Arrivals()
        try:
            self._plane.set_encoding(producer.producer, found.encoding, ssrc, rtx_ssrc)
        except ValueError:
            return  # somebody sends one SSRC for two streams: neither is believed
        encoding.ssrc, encoding.rtx_ssrc = ssrc, rtx_ssrc
        if not found.rtx:
            producer.want_key_frame(found.encoding)

    # -- control traffic -----------------------------------------------------------------------------------------

    def receive_rtcp(self, transport: TransportId, data: bytes, now: float, time: int) -> None:
        """Take a decrypted compound of a peer that arrived at `time`. What it does not understand it ignores."""
        try:
            packets = parse_compound(data)
        except RtcpError:
            return
        for packet in packets:
            match packet:
                case SenderReport():
                    self._events += self._reporting.learn_time(transport, packet, now, time)
                    self._reporting.learn_loss(transport, packet, now)
                case ReceiverReport():
                    self._reporting.learn_loss(transport, packet, now)
                case PictureLossIndication():
                    self._want_key_frame(transport, Ssrc(packet.media_ssrc))
                case FullIntraRequest():
                    for ssrc, _ in packet.entries:
                        self._want_key_frame(transport, Ssrc(ssrc))
                case ExtendedReport():
                    self._reporting.receive_extended(transport, packet, now)
                case ReceiverEstimate():
                    if (delivery := self.deliveries.get(transport)) is not None:
                        delivery.estimator.receive_remb(packet.bitrate)

    def _want_key_frame(self, transport: TransportId, ssrc: Ssrc) -> None:
        subscriber = self.subscribers.get(transport)
        slot = subscriber.slot_with(ssrc) if subscriber else None
        producer = self.producers.get(slot.producer) if slot else None
        if producer is not None and slot is not None:
            producer.want_key_frame(slot.sending if slot.sending >= 0 else slot.layer.encoding)

    # -- time ----------------------------------------------------------------------------------------------------

    def get_timer(self) -> float | None:
        """Return when `handle_timer` is next to be called, None while nothing is published."""
        if not self.producers:
            return None
        due = [self._reporting.next_report]
        if self.subscribers or not all(producer.named for producer in self.producers.values()):
            due.append(self._next_decision)
        # asked after each packet of control traffic: hardly anybody wants a key frame just now
        for producer in [producer for producer in self.producers.values() if producer.asks]:
            timers = [encoding.key_frames.get_timer() for encoding in producer.encodings if encoding.ssrc]
            due += [timer for timer in timers if timer is not None]
        return min(due)

    def handle_timer(self, now: float) -> None:
        """Send what is due: requests for key frames, reports once a second, what each line is used for."""
        if now >= self._next_decision:
            self._next_decision = now + INTERVAL
            self._decide(now)
        for producer in [producer for producer in self.producers.values() if producer.asks]:
            self._ask_for_key_frames(producer, now)
        self._events += self._reporting.handle_timer(now)

    def _ask_for_key_frames(self, producer: Producer, now: float) -> None:
        for encoding in producer.encodings:
            if encoding.ssrc and encoding.key_frames.due(now):
                if producer.inside is not None:
                    self._events.append(KeyFrameAsked(producer.producer))
                    continue
                request: list[RtcpPacket] = [
                    ReceiverReport(SERVER_SSRC),
                    PictureLossIndication(SERVER_SSRC, encoding.ssrc),
                ]
                self._plane.send_rtcp(producer.transport, build_compound(request))
        producer.asks = any(encoding.key_frames.get_timer() is not None for encoding in producer.encodings)

    def _decide(self, now: float) -> None:
        for producer in self.producers.values():
            if producer.rates.due(now) or not producer.named:
                self._measure(producer, now)
            before = self._qualities.get(producer.producer)
            self._qualities[producer.producer] = qualities(producer, now, before)
        for delivery in self.deliveries.values():
            self._events += delivery.decide(self.producers, self._qualities, now)
        watched = self._watched()
        for producer in self.producers.values():
            if producer.simulcast:
                self._rest(producer, watched.get(producer.producer, set()), now)

    def _measure(self, producer: Producer, now: float) -> None:
        encodings = self._plane.producer_statistics(producer.producer).encodings
        if producer.inside is not None:
            producer.rates.declare(producer.inside, now)
        else:
            producer.rates.update(encodings, now)
        self._note_frames(producer, encodings)
        if not producer.identity.settled and not producer.interrupted and encodings[0].offset is not None:
            producer.identity.settle(encodings[0].offset)
        for encoding, offset in producer.identity.find(encodings):
            self._plane.set_timestamp_offset(producer.producer, encoding, offset)

    def _watched(self) -> dict[ProducerId, set[int]]:
        """Which encodings of each producer anybody is sent, or about to be (-1: nothing yet)."""
        watched: dict[ProducerId, set[int]] = {}
        for slot in self._slots.values():
            if slot.started and not slot.paused:
                watched.setdefault(slot.producer, set()).update((slot.layer.encoding, slot.sending))
        return watched

    def _rest(self, producer: Producer, watched: set[int], now: float) -> None:
        """Say which encodings are wanted: all until their frames are named, later what is sent, or recorded."""
        count = len(producer.encodings)
        wanted = watched | {count - 1} if "recording" in producer.claims else watched
        if producer.low is not None:
            wanted = wanted | {producer.low}
        if not producer.named:
            wanted = set(range(count))
        active = []
        for i in range(count):
            since = self._rested.setdefault((producer.producer, i), now)
            if i in wanted:
                self._rested[producer.producer, i] = since = now
            active.append(now - since < REST_AFTER)
        if tuple(active) != producer.wanted:
            for i in range(count):
                if active[i] and not producer.wanted[i]:
                    producer.wanted_since[i] = now
            producer.wanted = tuple(active)
            self._events.append(EncodingsWanted(producer.producer, producer.wanted))

    def tell_again(self, producers: Sequence[ProducerId], transport: TransportId) -> None:
        """Say anew what a client may have missed: what is wanted of its producers, what it is sent less of."""
        for producer in producers:
            if (entry := self.producers.get(producer)) is not None and entry.simulcast:
                self._events.append(EncodingsWanted(producer, entry.wanted))
        if (delivery := self.deliveries.get(transport)) is not None:
            self._events += delivery.told

    @property
    def probes(self) -> int:
        """How many probes were sent so far."""
        return self._probes_before + sum(delivery.probes for delivery in self.deliveries.values())

    def next_event(self) -> RouterEvent | None:
        """Take the next event, None if there is none."""
        return self._events.popleft() if self._events else None
