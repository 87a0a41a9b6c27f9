"""The first stage: what is this datagram, by its first bytes alone (RFC 7983, RFC 5761)?"""

from __future__ import annotations

from enum import Enum

from ..plane import Drop

#: The longest datagram that the plane takes or sends.
MAX_DATAGRAM = 1500


class Kind(Enum):
    """What a datagram is."""

    STUN = "STUN"
    DTLS = "DTLS"
    RTP = "RTP"
    RTCP = "RTCP"


def classify(data: bytes) -> Kind | Drop:
    """Name what a datagram of at least one byte is, whoever sent it."""
    if not data:
        return Drop.EMPTY
    if len(data) > MAX_DATAGRAM:
        return Drop.OVERSIZED
    first = data[0]
    if first < 4:
        return Kind.STUN
    if 20 <= first < 64:
        return Kind.DTLS
    if not 128 <= first < 192:
        return Drop.UNKNOWN_PROTOCOL
    # RTCP's packet types 192-223 stand where RTP has its marker bit and a payload type of 64-95
    return Kind.RTCP if len(data) > 1 and 192 <= data[1] < 224 else Kind.RTP


def header_length(kind: Kind, first: int) -> int:
    """Tell how many bytes a datagram of this kind and first byte promises at least."""
    match kind:
        case Kind.STUN:
            return 20
        case Kind.DTLS:
            return 13
        case Kind.RTCP:
            return 8
        case Kind.RTP:
            return 12 + 4 * (first & 0x0F) + (4 if first & 0x10 else 0)
