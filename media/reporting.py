"""Reports between publishers and subscribers: whose clock says what, how long a round trip takes, what is lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from .ids import ProducerId, Ssrc, TransportId
from .plane import Plane
from .producer import Producer
from .protection import share_for
from .remote_clock import RemoteClock
from .reports import SERVER_SSRC, SenderInstant, answer_reference_times, receiver_report, sender_report
from .round_trips import ReferenceTimes
from .rtp.ntp import middle_bits, ntp_from_unix, unix_from_ntp
from .rtp.rtcp import (
    DelaySinceLastReceiverReport,
    ExtendedReport,
    ReceiverReferenceTime,
    ReceiverReport,
    ReportBlock,
    SenderReport,
)
from .subscriber import Slot, Subscriber

#: Seconds between two reports to one peer.
REPORT_INTERVAL = 1.0

#: Report blocks that fit into one receiver report (RFC 3550, section 6.4.2).
MAX_BLOCKS = 31

#: A round trip beyond this is no network's, but an answer to another report, seconds.
MAX_ROUND_TRIP = 5.0

#: A publisher's clock was corrected when its NTP time and its RTP timestamps disagree by more than this, ns.
STEP = 10_000_000

#: When a publisher's clock is seen to lie elsewhere by more than this, all its streams are told anew, ns.
RETELL = 1_000_000

#: Sources in one receiver reference time answer; more than one is a peer with several receivers.
MAX_REFERENCE_TIMES = 4


@dataclass(frozen=True, slots=True)
class SenderReportReceived:
    """A publisher told its time: for the clock notice, and for the recording.

    `ntp_time` is the publisher's, 64 bits; `steady` the same had its clock never been corrected, `time` the same by our
    clock, both in Unix ns, as `arrival` is. The RTP timestamp is canonical: the same for all encodings.
    """

    producer: ProducerId
    ntp_time: int
    rtp_timestamp: int
    steady: int
    time: int
    arrival: int


@dataclass(frozen=True, slots=True)
class CaptureTimeMoved:
    """What is known of when a picture's frames were captured has changed, without a report: `Producer.captured`."""

    producer: ProducerId


class Reporting:
    """One room's reports. The mappings are the router's own, and change."""

    def __init__(
        self,
        plane: Plane,
        producers: Mapping[ProducerId, Producer],
        subscribers: Mapping[TransportId, Subscriber],
        maximum: int,
    ) -> None:
        """`maximum` is the rate in bit/s that publishers are told they may send."""
        self._plane = plane
        self._producers = producers
        self._subscribers = subscribers
        self._maximum = maximum
        self.clocks: dict[TransportId, RemoteClock] = {}
        self._asked: dict[TransportId, ReferenceTimes] = {}
        self.next_report = 0.0

    # -- from publishers to subscribers --------------------------------------------------------------------------

    def learn_time(
        self, transport: TransportId, report: SenderReport, now: float, time: int
    ) -> list[SenderReportReceived]:
        """Take a publisher's sender report and pass it on, in our clock and the canonical timeline."""
        for producer in self._producers.values():
            encoding = producer.encoding_with(report.ssrc) if producer.transport == transport else None
            if encoding is None:
                continue
            translated, moved = self._translate(transport, producer, encoding, report, time)
            self._move(transport, moved)
            producer.encodings[encoding].instant = SenderInstant(
                report.ntp_time, report.rtp_timestamp, translated, now
            )
            producer.identity.learn(encoding, report.rtp_timestamp, report.ntp_time)
            offset = producer.identity.offsets.get(encoding)
            known = []
            if offset is not None:  # else its timestamps say nothing to anybody yet
                canonical = (report.rtp_timestamp + offset) & 0xFFFFFFFF
                producer.instant = SenderInstant(report.ntp_time, canonical, translated, now)
                steady = unix_from_ntp(report.ntp_time) - self.clocks[transport].stepped
                known = [
                    SenderReportReceived(
                        producer.producer, report.ntp_time, canonical, steady, translated, time
                    )
                ]
            self._hold_against_arrivals(producer)
            others = abs(moved) > RETELL
            self._tell(transport, now, None if others else producer)
            return known
        return []

    def _translate(
        self, transport: TransportId, producer: Producer, encoding: int, report: SenderReport, time: int
    ) -> tuple[int, int]:
        """Return the report's instant by our clock, and by how much this moved the publisher's clock for us."""
        clock, remote = self.clocks[transport], unix_from_ntp(report.ntp_time)
        before = producer.encodings[encoding].instant
        if before is not None:
            # sound and pictures go on evenly whatever is done to the clock: so a correction shows, and is not
            # taken for a report that came late
            ticks = (report.rtp_timestamp - before.rtp_timestamp + (1 << 31)) % (1 << 32) - (1 << 31)
            media = ticks * 1_000_000_000 // producer.track.clock_rate
            step = remote - unix_from_ntp(before.ntp_time) - media
            if abs(step) > STEP and clock.explains(remote, time, step):
                clock.step(step)
        moved = clock.add(remote, time)
        return clock.translate(remote), moved

    def _move(self, transport: TransportId, moved: int) -> None:
        """Move what was told of a publisher's streams before: all of them lie on one clock."""
        if not moved:
            return
        for producer in self._of(transport):
            if producer.instant is not None:
                producer.instant = replace(producer.instant, time=producer.instant.time + moved)
            for encoding in producer.encodings:
                if encoding.instant is not None:
                    encoding.instant = replace(encoding.instant, time=encoding.instant.time + moved)

    def _tell(self, transport: TransportId, now: float, only: Producer | None) -> None:
        """Tell subscribers the time of one of a publisher's streams, or (None) of all of them."""
        self._set_capture_offset(transport)
        for producer in self._of(transport) if only is None else [only]:
            if producer.instant is None:
                continue
            for subscriber in self._subscribers.values():
                slot = subscriber.slot_of(producer.producer)
                if slot is not None and slot.started:
                    self._report(subscriber.transport, slot, producer.instant, now)

    def _set_capture_offset(self, transport: TransportId) -> None:
        """Have abs-capture-time say by how much the camera's clock differs from ours, as the receiver reads it."""
        offset = self.clocks[transport].offset
        for producer in self._of(transport):
            if offset is not None and abs(offset - producer.capture_offset) > RETELL:
                producer.capture_offset = offset
                self._plane.set_capture_offset(producer.producer, -(offset << 32) // 1_000_000_000)

    @staticmethod
    def _hold_against_arrivals(producer: Producer) -> bool:
        """See what a producer's reports are worth; returns whether that is news."""
        rate, before = producer.track.clock_rate, producer.ahead
        found = [e.arrivals.ahead_of(e.instant, rate) for e in producer.encodings if e.instant is not None]
        # without a report of this line the one of before holds, and what was found of it
        producer.ahead = max(found, default=before)
        return abs(producer.ahead - before) > RETELL

    def _of(self, transport: TransportId) -> list[Producer]:
        return [p for p in self._producers.values() if p.transport == transport]

    def introduce(self, transport: TransportId, slot: Slot, producer: Producer) -> None:
        """Tell a new consumer the time at once."""
        if producer.instant is not None:
            self._plane.send_rtcp(transport, sender_report(slot.ssrc, producer.instant, None))

    def _report(self, transport: TransportId, slot: Slot, instant: SenderInstant, now: float) -> None:
        statistics = self._plane.consumer_statistics(slot.consumer)
        self._plane.send_rtcp(transport, sender_report(slot.ssrc, instant, statistics))
        slot.reported = (middle_bits(ntp_from_unix(instant.time)), now)

    # -- from subscribers ----------------------------------------------------------------------------------------

    def learn_loss(self, transport: TransportId, report: SenderReport | ReceiverReport, now: float) -> None:
        """Take what a receiver says of loss, and how long a round trip takes."""
        subscriber = self._subscribers.get(transport)
        if subscriber is None:
            return
        for block in report.reports:
            slot = subscriber.slot_with(Ssrc(block.ssrc))
            if slot is None:
                continue
            slot.loss = block.fraction_lost / 256
            self._protect(slot)
            trip = _round_trip(block, slot, now)
            if trip is not None:
                subscriber.round_trip = trip
                self._plane.set_round_trip(transport, trip)

    def _protect(self, slot: Slot) -> None:
        """Protect a stream by as much as its receiver loses of it."""
        if not slot.started or not slot.fec_payload_type:
            return
        share = share_for(slot.loss, slot.protection, slot.protectable)
        if share != slot.protection:
            slot.protection = share
            self._plane.set_fec(slot.consumer, share)

    # -- by extended reports (RFC 3611) --------------------------------------------------------------------------

    def receive_extended(self, transport: TransportId, report: ExtendedReport, now: float) -> None:
        """Answer a receiver's reference time at once, and take a publisher's answer to ours.

        By the answer a browser that sends nothing knows its round trip, and only then when a picture was captured.
        """
        asked = [
            (report.ssrc, middle_bits(block.ntp_time), 0)
            for block in report.blocks
            if isinstance(block, ReceiverReferenceTime)
        ]
        if asked:
            self._plane.send_rtcp(transport, answer_reference_times(asked[:MAX_REFERENCE_TIMES]))
        for block in report.blocks:
            if isinstance(block, DelaySinceLastReceiverReport):
                self._learn_publisher_trip(transport, block, now)

    def _learn_publisher_trip(
        self, transport: TransportId, block: DelaySinceLastReceiverReport, now: float
    ) -> None:
        asked = self._asked.get(transport)
        clock = self.clocks.get(transport)
        if asked is None or clock is None:
            return
        for ssrc, word, delay in block.entries:
            trip = asked.answered(word, delay, now) if ssrc == SERVER_SSRC else None
            if trip is None or trip > MAX_ROUND_TRIP:
                continue
            self._plane.set_round_trip(transport, trip)
            moved = clock.set_round_trip(int(trip * 1e9))
            self._move(transport, moved)
            if abs(moved) > RETELL:
                self._tell(transport, now, None)

    def forget(self, transport: TransportId) -> None:
        """Let go of a transport."""
        self.clocks.pop(transport, None)
        self._asked.pop(transport, None)

    # -- to publishers -------------------------------------------------------------------------------------------

    def handle_timer(self, now: float) -> list[CaptureTimeMoved]:
        """Send the receiver reports once a second, and look whether the senders' can be true."""
        if now < self.next_report:
            return []
        self.next_report = now + REPORT_INTERVAL
        by_transport: dict[TransportId, list[ReportBlock]] = {}
        moved = []
        for producer in self._producers.values():
            if producer.inside is not None:
                continue  # who injects it counts for himself
            statistics = self._plane.producer_statistics(producer.producer).encodings
            for encoding, counters in zip(producer.encodings, statistics, strict=True):
                if encoding.ssrc and counters.packets:
                    block = encoding.reports.block(encoding.ssrc, counters, encoding.instant, now)
                    by_transport.setdefault(producer.transport, []).append(block)
                    encoding.arrivals.note(counters)
            if self._hold_against_arrivals(producer):
                moved.append(CaptureTimeMoved(producer.producer))
        for transport, blocks in by_transport.items():
            reference = self._asked.setdefault(transport, ReferenceTimes()).ask(now)
            self._plane.send_rtcp(transport, receiver_report(blocks[:MAX_BLOCKS], self._maximum, reference))
        return moved


def _round_trip(block: ReportBlock, slot: Slot, now: float) -> float | None:
    """Seconds from our report to the answer, less what it lay at the receiver (RFC 3550, section 6.4.1)."""
    heard, sent = slot.reported
    if not block.last_sender_report or block.last_sender_report != heard:
        return None
    trip = now - sent - block.delay / 65536
    return min(max(trip, 0.001), MAX_ROUND_TRIP)
