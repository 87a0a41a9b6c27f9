"""RTCP feedback (RFC 4585, RFC 5104, REMB): what a receiver asks of a sender."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from .rtcp_header import RtcpError, build_packet

#: The format of a generic NACK among transport feedback.
GENERIC_NACK = 1

#: And that of transport-wide feedback.
TRANSPORT_WIDE = 15

_TRANSPORT = 205
_PAYLOAD = 206
_REMB = b"REMB"


@dataclass(frozen=True, slots=True)
class GenericNack:
    """Ask for packets again (RFC 4585, section 6.2.1); `lost` are 16-bit sequence numbers."""

    sender_ssrc: int
    media_ssrc: int
    lost: tuple[int, ...]

    def __bytes__(self) -> bytes:
        """Build the packet: each pair names a number and a mask of the 16 that follow it."""
        return _build(
            _TRANSPORT, GENERIC_NACK, self.sender_ssrc, self.media_ssrc, b"".join(_pairs(self.lost))
        )

    @classmethod
    def parse_body(cls, sender_ssrc: int, media_ssrc: int, rest: bytes) -> GenericNack:
        """Read the pairs."""
        if not rest or len(rest) % 4:
            raise RtcpError("A NACK holds one or more pairs of four bytes.")
        lost: list[int] = []
        for first, mask in struct.iter_unpack("!HH", rest):
            lost.append(first)
            lost += (first + bit + 1 & 0xFFFF for bit in range(16) if mask >> bit & 1)
        return cls(sender_ssrc, media_ssrc, tuple(lost))


@dataclass(frozen=True, slots=True)
class PictureLossIndication:
    """Ask for a key frame (RFC 4585, section 6.3.1)."""

    sender_ssrc: int
    media_ssrc: int

    def __bytes__(self) -> bytes:
        """Build the packet."""
        return _build(_PAYLOAD, 1, self.sender_ssrc, self.media_ssrc, b"")


@dataclass(frozen=True, slots=True)
class FullIntraRequest:
    """Command key frames (RFC 5104, section 4.3.1): (SSRC, command number of 8 bits) pairs."""

    sender_ssrc: int
    entries: tuple[tuple[int, int], ...]

    def __bytes__(self) -> bytes:
        """Build the packet; its media SSRC is 0."""
        rest = b"".join(struct.pack("!IBxxx", ssrc, number) for ssrc, number in self.entries)
        return _build(_PAYLOAD, 4, self.sender_ssrc, 0, rest)

    @classmethod
    def parse_body(cls, sender_ssrc: int, rest: bytes) -> FullIntraRequest:
        """Read the entries."""
        if not rest or len(rest) % 8:
            raise RtcpError("A full intra request holds one or more entries of eight bytes.")
        return cls(sender_ssrc, tuple(struct.iter_unpack("!IBxxx", rest)))


@dataclass(frozen=True, slots=True)
class ReceiverEstimate:
    """Say how much a receiver can take (draft-alvestrand-rmcat-remb-03): bits a second for all `ssrcs`."""

    sender_ssrc: int
    bitrate: int
    ssrcs: tuple[int, ...]

    def __bytes__(self) -> bytes:
        """Build the packet; the bitrate keeps its 18 most significant bits."""
        exponent = max(self.bitrate.bit_length() - 18, 0)
        if self.bitrate < 0 or exponent > 63 or len(self.ssrcs) > 255:
            raise RtcpError("The estimate does not fit its message.")
        word = len(self.ssrcs) << 24 | exponent << 18 | self.bitrate >> exponent
        rest = _REMB + struct.pack(f"!I{len(self.ssrcs)}I", word, *self.ssrcs)
        return _build(_PAYLOAD, 15, self.sender_ssrc, 0, rest)

    @classmethod
    def parse_body(cls, sender_ssrc: int, rest: bytes) -> ReceiverEstimate:
        """Read what follows the two SSRCs."""
        if len(rest) < 8 or len(rest) < 8 + 4 * rest[4]:
            raise RtcpError("The receiver estimate is shorter than its SSRCs.")
        word = int.from_bytes(rest[4:8], "big")
        ssrcs = struct.unpack_from(f"!{word >> 24}I", rest, 8)
        return cls(sender_ssrc, (word & 0x3FFFF) << (word >> 18 & 0x3F), ssrcs)


@dataclass(frozen=True, slots=True)
class TransportWideFeedback:
    """Keep a congestion feedback unread (draft-holmer-rmcat-transport-wide-cc-extensions-01)."""

    sender_ssrc: int
    media_ssrc: int
    body: bytes

    def __bytes__(self) -> bytes:
        """Build the packet."""
        return _build(_TRANSPORT, TRANSPORT_WIDE, self.sender_ssrc, self.media_ssrc, self.body)


@dataclass(frozen=True, slots=True)
class UnknownFeedback:
    """Keep a feedback message of an unknown format."""

    packet_type: int
    format: int
    sender_ssrc: int
    media_ssrc: int
    body: bytes

    def __bytes__(self) -> bytes:
        """Build the packet."""
        return _build(self.packet_type, self.format, self.sender_ssrc, self.media_ssrc, self.body)


Feedback = (
    GenericNack
    | PictureLossIndication
    | FullIntraRequest
    | ReceiverEstimate
    | TransportWideFeedback
    | UnknownFeedback
)


def parse_feedback(packet_type: int, fmt: int, body: bytes) -> Feedback:
    """Read what follows the header of a packet of type 205 or 206."""
    if len(body) < 8:
        raise RtcpError("A feedback message names two SSRCs.")
    sender, media = struct.unpack_from("!II", body)
    rest = body[8:]
    match packet_type, fmt:
        case 205, 1:
            return GenericNack.parse_body(sender, media, rest)
        case 205, 15:
            return TransportWideFeedback(sender, media, rest)
        case 206, 1:
            return PictureLossIndication(sender, media)
        case 206, 4:
            return FullIntraRequest.parse_body(sender, rest)
        case 206, 15 if rest[:4] == _REMB:
            return ReceiverEstimate.parse_body(sender, rest)
        case _:
            return UnknownFeedback(packet_type, fmt, sender, media, rest)


def _build(packet_type: int, fmt: int, sender_ssrc: int, media_ssrc: int, rest: bytes) -> bytes:
    return build_packet(packet_type, fmt, struct.pack("!II", sender_ssrc, media_ssrc) + rest)


def _pairs(lost: Iterable[int]) -> Iterable[bytes]:
    first: int | None = None
    mask = 0
    for number in lost:
        distance = 0 if first is None else number - first & 0xFFFF
        if first is not None and 1 <= distance <= 16:
            mask |= 1 << distance - 1
            continue
        if first is not None:
            yield struct.pack("!HH", first, mask)
        first, mask = number, 0
    if first is None:
        raise RtcpError("A NACK names at least one packet.")
    yield struct.pack("!HH", first, mask)
