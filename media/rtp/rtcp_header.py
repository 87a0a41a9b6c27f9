"""The header that all RTCP packets share, and the one error."""

from __future__ import annotations

import struct


class RtcpError(ValueError):
    """What should be RTCP is not."""


def build_packet(packet_type: int, count: int, body: bytes) -> bytes:
    """Put the header before a body of whole 32-bit words."""
    if not 0 <= count < 32:
        raise RtcpError(f"The count of an RTCP packet has 5 bits, {count} does not fit.")
    if len(body) % 4 or len(body) > 4 * 0xFFFF:
        raise RtcpError("An RTCP packet is a number of 32-bit words, at most 65,536.")
    return struct.pack("!BBH", 0x80 | count, packet_type, len(body) // 4) + body
