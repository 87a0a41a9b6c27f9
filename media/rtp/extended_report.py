"""RTCP extended reports (RFC 3611): the two blocks by which a receiver learns its round-trip time.

A receiver that sends nothing says its time in a receiver reference time block; the other end answers how
long ago it heard that. Browsers also take the sender's clock from the exchange.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .rtcp_header import RtcpError, build_packet

_PACKET_TYPE = 207
_REFERENCE_TIME = 4
_DELAY = 5


@dataclass(frozen=True, slots=True)
class ReceiverReferenceTime:
    """Say the receiver's own NTP time (64 bits; RFC 3611, section 4.4)."""

    ntp_time: int

    def __bytes__(self) -> bytes:
        """Build the block."""
        return struct.pack("!BxHQ", _REFERENCE_TIME, 2, self.ntp_time)


@dataclass(frozen=True, slots=True)
class DelaySinceLastReceiverReport:
    """Answer reference times: (SSRC, middle 32 bits of its NTP time, delay in 1/65,536 s); section 4.5."""

    entries: tuple[tuple[int, int, int], ...]

    def __bytes__(self) -> bytes:
        """Build the block."""
        body = b"".join(struct.pack("!III", *entry) for entry in self.entries)
        return struct.pack("!BxH", _DELAY, len(body) // 4) + body


@dataclass(frozen=True, slots=True)
class UnknownBlock:
    """Keep a block of an unknown type."""

    block_type: int
    specific: int
    body: bytes

    def __bytes__(self) -> bytes:
        """Build the block."""
        return struct.pack("!BBH", self.block_type, self.specific, len(self.body) // 4) + self.body


Block = ReceiverReferenceTime | DelaySinceLastReceiverReport | UnknownBlock


@dataclass(frozen=True, slots=True)
class ExtendedReport:
    """Report by blocks."""

    ssrc: int
    blocks: tuple[Block, ...]

    def __bytes__(self) -> bytes:
        """Build the packet."""
        body = struct.pack("!I", self.ssrc) + b"".join(map(bytes, self.blocks))
        return build_packet(_PACKET_TYPE, 0, body)

    @classmethod
    def parse(cls, body: bytes) -> ExtendedReport:
        """Read what follows the header."""
        if len(body) < 4:
            raise RtcpError("An extended report names its sender.")
        blocks: list[Block] = []
        position = 4
        while position < len(body):
            if len(body) < position + 4:
                raise RtcpError("The extended report ends within a block's header.")
            block_type, specific, words = struct.unpack_from("!BBH", body, position)
            start, position = position + 4, position + 4 + 4 * words
            if position > len(body):
                raise RtcpError("The extended report ends within a block.")
            blocks.append(_parse_block(block_type, specific, body[start:position]))
        return cls(int.from_bytes(body[:4], "big"), tuple(blocks))


def _parse_block(block_type: int, specific: int, body: bytes) -> Block:
    if block_type == _REFERENCE_TIME:
        if len(body) != 8:
            raise RtcpError("A receiver reference time has eight bytes.")
        return ReceiverReferenceTime(int.from_bytes(body, "big"))
    if block_type == _DELAY:
        if len(body) % 12:
            raise RtcpError("A delay since the last receiver report has twelve bytes.")
        return DelaySinceLastReceiverReport(tuple(struct.iter_unpack("!III", body)))
    return UnknownBlock(block_type, specific, body)
