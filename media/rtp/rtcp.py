"""RTCP (RFC 3550, section 6): reports, source descriptions, goodbyes, and the compound packet.

Feedback messages stand in ``feedback.py``, extended reports in ``extended_report.py``; `parse_compound`
reads them all. What it does not know it keeps as `UnknownPacket`, byte for byte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from .extended_report import (
    DelaySinceLastReceiverReport,
    ExtendedReport,
    ReceiverReferenceTime,
    UnknownBlock,
)
from .feedback import (
    FullIntraRequest,
    GenericNack,
    PictureLossIndication,
    ReceiverEstimate,
    TransportWideFeedback,
    UnknownFeedback,
    parse_feedback,
)
from .rtcp_header import RtcpError, build_packet

__all__ = [
    "CNAME",
    "DelaySinceLastReceiverReport",
    "ExtendedReport",
    "FullIntraRequest",
    "GenericNack",
    "Goodbye",
    "PictureLossIndication",
    "ReceiverEstimate",
    "ReceiverReferenceTime",
    "ReceiverReport",
    "ReportBlock",
    "RtcpError",
    "RtcpPacket",
    "SenderReport",
    "SourceDescription",
    "TransportWideFeedback",
    "UnknownBlock",
    "UnknownFeedback",
    "UnknownPacket",
    "build_compound",
    "parse_compound",
    "split_compound",
]

SENDER_REPORT = 200
RECEIVER_REPORT = 201
SOURCE_DESCRIPTION = 202
GOODBYE = 203
TRANSPORT_FEEDBACK = 205
PAYLOAD_FEEDBACK = 206
EXTENDED_REPORT = 207

#: The item of a source description that names an end point (RFC 3550, section 6.5.1).
CNAME = 1

#: A compound packet travels in one datagram, and no peer has reason to put more packets into it.
MAX_COMPOUND_LENGTH = 1500
MAX_COMPOUND_PACKETS = 64


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """Report on one source (RFC 3550, section 6.4.1).

    `fraction_lost` in 1/256; `packets_lost` 24 bits signed; `jitter` in timestamp units;
    `last_sender_report` the middle 32 bits of its NTP time; `delay` since then in 1/65,536 s.
    """

    ssrc: int
    fraction_lost: int
    packets_lost: int
    highest_sequence: int
    jitter: int
    last_sender_report: int
    delay: int

    def __bytes__(self) -> bytes:
        """Build 24 bytes; the count of lost packets is clamped."""
        lost = min(max(self.packets_lost, -(1 << 23)), (1 << 23) - 1)
        return (
            struct.pack("!IB", self.ssrc, self.fraction_lost)
            + lost.to_bytes(3, "big", signed=True)
            + struct.pack("!IIII", self.highest_sequence, self.jitter, self.last_sender_report, self.delay)
        )

    @classmethod
    def parse(cls, data: bytes) -> ReportBlock:
        """Read 24 bytes."""
        ssrc, fraction = struct.unpack_from("!IB", data)
        lost = int.from_bytes(data[5:8], "big", signed=True)
        return cls(ssrc, fraction, lost, *struct.unpack_from("!IIII", data, 8))


@dataclass(frozen=True, slots=True)
class SenderReport:
    """Say what was sent, and which RTP timestamp belongs to which NTP time (64 bits)."""

    ssrc: int
    ntp_time: int
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    reports: tuple[ReportBlock, ...] = ()

    def __bytes__(self) -> bytes:
        """Build the packet; the counters wrap at 32 bits."""
        body = struct.pack(
            "!IQIII",
            self.ssrc,
            self.ntp_time,
            self.rtp_timestamp,
            self.packet_count & 0xFFFFFFFF,
            self.octet_count & 0xFFFFFFFF,
        )
        return build_packet(SENDER_REPORT, len(self.reports), body + b"".join(map(bytes, self.reports)))

    @classmethod
    def parse(cls, count: int, body: bytes) -> SenderReport:
        """Read what follows the header; profile-specific extensions at the end are passed over."""
        if len(body) < 24 + 24 * count:
            raise RtcpError("The sender report is shorter than its report blocks.")
        ssrc, ntp_time, rtp_timestamp, packets, octets = struct.unpack_from("!IQIII", body)
        return cls(ssrc, ntp_time, rtp_timestamp, packets, octets, _parse_reports(count, body, 24))


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """Say what was received."""

    ssrc: int
    reports: tuple[ReportBlock, ...] = ()

    def __bytes__(self) -> bytes:
        """Build the packet."""
        body = struct.pack("!I", self.ssrc) + b"".join(map(bytes, self.reports))
        return build_packet(RECEIVER_REPORT, len(self.reports), body)

    @classmethod
    def parse(cls, count: int, body: bytes) -> ReceiverReport:
        """Read what follows the header; profile-specific extensions at the end are passed over."""
        if len(body) < 4 + 24 * count:
            raise RtcpError("The receiver report is shorter than its report blocks.")
        return cls(int.from_bytes(body[:4], "big"), _parse_reports(count, body, 4))


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """Describe sources: for each its SSRC and (item type, value) pairs."""

    chunks: tuple[tuple[int, tuple[tuple[int, bytes], ...]], ...]

    def __bytes__(self) -> bytes:
        """Build the packet; each chunk ends with at least one zero, at a multiple of four bytes."""
        body = bytearray()
        for ssrc, items in self.chunks:
            body += struct.pack("!I", ssrc)
            for kind, value in items:
                if not 0 < kind < 256 or len(value) > 255:
                    raise RtcpError("A description item has a type of 1 to 255 and at most 255 bytes.")
                body += bytes([kind, len(value)]) + value
            body += bytes(4 - len(body) % 4)
        return build_packet(SOURCE_DESCRIPTION, len(self.chunks), bytes(body))

    @classmethod
    def parse(cls, count: int, body: bytes) -> SourceDescription:
        """Read what follows the header."""
        chunks = []
        position = 0
        for _ in range(count):
            if len(body) < position + 5:
                raise RtcpError("The source description ends within a chunk.")
            ssrc = int.from_bytes(body[position : position + 4], "big")
            position += 4
            items = []
            while (kind := _byte(body, position)) != 0:
                start = position + 2
                position = start + _byte(body, position + 1)
                if position > len(body):
                    raise RtcpError("A description item is longer than the source description.")
                items.append((kind, body[start:position]))
            position += 4 - position % 4
            chunks.append((ssrc, tuple(items)))
        return cls(tuple(chunks))


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Say that sources have left, and perhaps why."""

    sources: tuple[int, ...]
    reason: bytes = b""

    def __bytes__(self) -> bytes:
        """Build the packet."""
        body = struct.pack(f"!{len(self.sources)}I", *self.sources)
        if self.reason:
            if len(self.reason) > 255:
                raise RtcpError("The reason of a goodbye has at most 255 bytes.")
            body += bytes([len(self.reason)]) + self.reason
        return build_packet(GOODBYE, len(self.sources), body + bytes(-len(body) % 4))

    @classmethod
    def parse(cls, count: int, body: bytes) -> Goodbye:
        """Read what follows the header."""
        if len(body) < 4 * count:
            raise RtcpError("The goodbye is shorter than its sources.")
        rest = body[4 * count :]
        if rest and rest[0] >= len(rest):
            raise RtcpError("The reason is longer than the goodbye.")
        return cls(struct.unpack_from(f"!{count}I", body), rest[1 : 1 + rest[0]] if rest else b"")


@dataclass(frozen=True, slots=True)
class UnknownPacket:
    """Keep a packet of an unknown type; `count` are the five bits after the padding bit."""

    packet_type: int
    count: int
    body: bytes

    def __bytes__(self) -> bytes:
        """Build the packet."""
        return build_packet(self.packet_type, self.count, self.body)


RtcpPacket = (
    SenderReport
    | ReceiverReport
    | SourceDescription
    | Goodbye
    | GenericNack
    | PictureLossIndication
    | FullIntraRequest
    | ReceiverEstimate
    | TransportWideFeedback
    | UnknownFeedback
    | ExtendedReport
    | UnknownPacket
)


def parse_compound(data: bytes) -> list[RtcpPacket]:
    """Read the packets of one datagram, at most 1,500 bytes and 64 packets; RtcpError if one length lies.

    Reduced-size packets (RFC 5506) are as welcome as full compounds.
    """
    return [_parse_packet(packet_type, count, body) for packet_type, count, body in split_compound(data)]


def split_compound(data: bytes) -> list[tuple[int, int, bytes]]:
    """Split a datagram into (packet type, count, body without padding), as `parse_compound` does first."""
    if len(data) > MAX_COMPOUND_LENGTH:
        raise RtcpError(f"A compound packet has at most 1,500 bytes, this one has {len(data)}.")
    packets: list[tuple[int, int, bytes]] = []
    position = 0
    while position < len(data):
        if len(packets) == MAX_COMPOUND_PACKETS:
            raise RtcpError("A compound packet holds at most 64 packets.")
        if len(data) < position + 4:
            raise RtcpError("The compound packet ends within a header.")
        first, packet_type, words = struct.unpack_from("!BBH", data, position)
        if first >> 6 != 2:
            raise RtcpError(f"RTCP is version 2, this is version {first >> 6}.")
        start, position = position + 4, position + 4 + 4 * words
        if position > len(data):
            raise RtcpError("The compound packet ends within a packet.")
        body = data[start:position]
        if first & 0x20:
            if not body or not 0 < body[-1] <= len(body):
                raise RtcpError("An RTCP packet claims more padding than it has bytes.")
            body = body[: -body[-1]]
        packets.append((packet_type, first & 0x1F, body))
    if not packets:
        raise RtcpError("A compound packet holds at least one packet.")
    return packets


def build_compound(packets: Iterable[RtcpPacket]) -> bytes:
    """Build the packets one after another."""
    return b"".join(map(bytes, packets))


def _parse_packet(packet_type: int, count: int, body: bytes) -> RtcpPacket:
    match packet_type:
        case 200:
            return SenderReport.parse(count, body)
        case 201:
            return ReceiverReport.parse(count, body)
        case 202:
            return SourceDescription.parse(count, body)
        case 203:
            return Goodbye.parse(count, body)
        case 205 | 206:
            return parse_feedback(packet_type, count, body)
        case 207:
            return ExtendedReport.parse(body)
        case _:
            return UnknownPacket(packet_type, count, body)


def _parse_reports(count: int, body: bytes, start: int) -> tuple[ReportBlock, ...]:
    return tuple(ReportBlock.parse(body[start + 24 * i : start + 24 * i + 24]) for i in range(count))


def _byte(body: bytes, position: int) -> int:
    if position >= len(body):
        raise RtcpError("The source description ends within a chunk.")
    return body[position]
