"""Reports between publishers and subscribers: whose clock says what, how long a round trip takes, what is lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .ids import ProducerId, Ssrc, TransportId
from .plane import Plane
from .producer import Producer
from .remote_clock import RemoteClock
from .reports import SenderInstant, receiver_report, sender_report
from .rtp.ntp import middle_bits, ntp_from_unix, unix_from_ntp
from .rtp.rtcp import ReceiverReport, ReportBlock, SenderReport
from .subscriber import Slot, Subscriber

#: Seconds between two reports to one peer.
REPORT_INTERVAL = 1.0

#: Report blocks that fit into one receiver report (RFC 3550, section 6.4.2).
MAX_BLOCKS = 31

#: A round trip beyond this is no network's, but an answer to another report, seconds.
MAX_ROUND_TRIP = 5.0


@dataclass(frozen=True, slots=True)
class SenderReportReceived:
    """A publisher told its time: for the clock notice, and for the recording.

    `ntp_time` is the publisher's, 64 bits; `time` the same instant by our clock and `arrival`, both Unix ns. The RTP
    timestamp is canonical: the same for all encodings.
    """

    producer: ProducerId
    ntp_time: int
    rtp_timestamp: int
    time: int
    arrival: int


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
            clock = self.clocks[transport]
            clock.add(unix_from_ntp(report.ntp_time), time)
            translated = clock.translate(unix_from_ntp(report.ntp_time))
            producer.encodings[encoding].instant = SenderInstant(
                report.ntp_time, report.rtp_timestamp, translated, now
            )
            producer.identity.learn(encoding, report.rtp_timestamp, report.ntp_time)
            offset = producer.identity.offsets.get(encoding)
            if offset is None:
                return []  # its timestamps say nothing to anybody yet
            canonical = (report.rtp_timestamp + offset) & 0xFFFFFFFF
            producer.instant = SenderInstant(report.ntp_time, canonical, translated, now)
            for subscriber in self._subscribers.values():
                slot = subscriber.slot_of(producer.producer)
                if slot is not None and slot.started:
                    self._report(subscriber.transport, slot, producer.instant, now)
            return [SenderReportReceived(producer.producer, report.ntp_time, canonical, translated, time)]
        return []

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
            trip = _round_trip(block, slot, now)
            if trip is not None:
                subscriber.round_trip = trip
                self._plane.set_round_trip(transport, trip)

    # -- to publishers -------------------------------------------------------------------------------------------

    def handle_timer(self, now: float) -> None:
        """Send the receiver reports once a second."""
        if now < self.next_report:
            return
        self.next_report = now + REPORT_INTERVAL
        by_transport: dict[TransportId, list[ReportBlock]] = {}
        for producer in self._producers.values():
            statistics = self._plane.producer_statistics(producer.producer).encodings
            for encoding, counters in zip(producer.encodings, statistics, strict=True):
                if encoding.ssrc and counters.packets:
                    block = encoding.reports.block(encoding.ssrc, counters, encoding.instant, now)
                    by_transport.setdefault(producer.transport, []).append(block)
        for transport, blocks in by_transport.items():
            self._plane.send_rtcp(transport, receiver_report(blocks[:MAX_BLOCKS], self._maximum))


def _round_trip(block: ReportBlock, slot: Slot, now: float) -> float | None:
    """Seconds from our report to the answer, less what it lay at the receiver (RFC 3550, section 6.4.1)."""
    heard, sent = slot.reported
    if not block.last_sender_report or block.last_sender_report != heard:
        return None
    trip = now - sent - block.delay / 65536
    return min(max(trip, 0.001), MAX_ROUND_TRIP)
