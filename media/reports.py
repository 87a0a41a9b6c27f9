"""Sender and receiver reports: what each side is told about the other (RFC 3550, section 6.4)."""

from __future__ import annotations

from dataclasses import dataclass

from .ids import Ssrc
from .plane import ConsumerStatistics, EncodingStatistics
from .rtp.feedback import ReceiverEstimate
from .rtp.ntp import middle_bits, ntp_from_unix, short_from_nanoseconds
from .rtp.rtcp import (
    DelaySinceLastReceiverReport,
    ExtendedReport,
    ReceiverReferenceTime,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    build_compound,
)

#: The SSRC under which the server itself speaks: "KONS".
SERVER_SSRC = Ssrc(0x4B4F4E53)

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class SenderInstant:
    """A publisher's newest sender report: its times, and when it came.

    `ntp_time` is the 64-bit NTP time by the publisher's clock, `time` the same instant in Unix ns by ours,
    `arrived` seconds of the steady clock that timers run on.
    """

    ntp_time: int
    rtp_timestamp: int
    time: int
    arrived: float


class ReceiverReportBuilder:
    """Builds the report blocks of one encoding, each about the time since the one before."""

    def __init__(self) -> None:
        self._expected = 0
        self._received = 0

    def block(
        self, ssrc: Ssrc, statistics: EncodingStatistics, instant: SenderInstant | None, now: float
    ) -> ReportBlock:
        """Return the block for the interval that ends at `now` (seconds of the steady clock)."""
        expected = statistics.highest - statistics.first + 1
        received = expected - statistics.lost
        interval = expected - self._expected
        lost = interval - (received - self._received)
        self._expected, self._received = expected, received
        return ReportBlock(
            ssrc=ssrc,
            fraction_lost=min(255, max(0, lost) * 256 // interval) if interval > 0 else 0,
            packets_lost=min(statistics.lost, 0x7FFFFF),
            highest_sequence=statistics.highest & 0xFFFFFFFF,
            jitter=min(statistics.jitter, 0xFFFFFFFF),
            last_sender_report=middle_bits(instant.ntp_time) if instant else 0,
            delay=short_from_nanoseconds(int((now - instant.arrived) * _NS)) if instant else 0,
        )


def receiver_report(blocks: list[ReportBlock], estimate: int, reference: int = 0) -> bytes:
    """Build the compound for a publisher: report blocks (at most 31) and how many bits a second it may send.

    `reference`, if not 0, is our time (64-bit NTP) for it to answer: that tells the round trip to who only sends.
    """
    ssrcs = tuple(block.ssrc for block in blocks)
    packets: list[RtcpPacket] = [ReceiverReport(SERVER_SSRC, tuple(blocks))]
    if reference:
        packets.append(ExtendedReport(SERVER_SSRC, (ReceiverReferenceTime(reference),)))
    return build_compound([*packets, ReceiverEstimate(SERVER_SSRC, estimate, ssrcs)])


def answer_reference_times(asked: list[tuple[int, int, int]]) -> bytes:
    """Answer receivers' reference times: (SSRC, middle bits of its NTP time, delay since in 1/65,536 s)."""
    answer = ExtendedReport(SERVER_SSRC, (DelaySinceLastReceiverReport(tuple(asked)),))
    return build_compound([ReceiverReport(SERVER_SSRC), answer])


def sender_report(ssrc: Ssrc, instant: SenderInstant, statistics: ConsumerStatistics | None) -> bytes:
    """Build the report for one consumer: the publisher's instant, told in our clock, under the consumer's SSRC.

    RTP timestamps pass the server unchanged, so only the clock is translated: the same for a publisher's audio
    and video, which therefore stay in sync.
    """
    return build_compound(
        [
            SenderReport(
                ssrc=ssrc,
                ntp_time=ntp_from_unix(instant.time),
                rtp_timestamp=instant.rtp_timestamp,
                packet_count=(statistics.packets if statistics else 0) & 0xFFFFFFFF,
                octet_count=(statistics.octets if statistics else 0) & 0xFFFFFFFF,
            )
        ]
    )
