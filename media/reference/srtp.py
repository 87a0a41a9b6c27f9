"""SRTP (RFC 3711, RFC 7714) by the sessions of pylibsrtp, with the reason of each failure.

Its own methods take 1,356 bytes at most and fail with a sentence; the plane needs 1,500 and a reason.
"""

from __future__ import annotations

from typing import Any

from pylibsrtp import Session
from pylibsrtp._binding import ffi, lib

from ..plane import Drop

#: The longest authentication tag and master key identifier, and SRTCP's index (srtp.h).
_TRAILER = 16 + 128 + 4

#: srtp_err_status_t (srtp.h): replay_fail, replay_old. Any other says that the packet is not what its sender
#: protected.
_REASONS = {9: Drop.REPLAYED, 10: Drop.REPLAYED}


def protect(session: Session, packet: bytes) -> bytes | Drop:
    """Protect an RTP packet."""
    result = _process(lib.srtp_protect, session, packet)
    return result if isinstance(result, bytes) else Drop.PROTECT_FAILED


def protect_rtcp(session: Session, packet: bytes) -> bytes | Drop:
    """Protect a compound RTCP packet."""
    result = _process(lib.srtp_protect_rtcp, session, packet)
    return result if isinstance(result, bytes) else Drop.PROTECT_FAILED


def unprotect(session: Session, packet: bytes) -> bytes | Drop:
    """Check and decrypt an SRTP packet."""
    return _process(lib.srtp_unprotect, session, packet)


def unprotect_rtcp(session: Session, packet: bytes) -> bytes | Drop:
    """Check and decrypt an SRTCP packet."""
    return _process(lib.srtp_unprotect_rtcp, session, packet)


def _process(function: Any, session: Session, packet: bytes) -> bytes | Drop:
    buffer = ffi.new("char[]", len(packet) + _TRAILER)
    ffi.memmove(buffer, packet, len(packet))
    length = ffi.new("int *", len(packet))
    status = function(session._srtp[0], buffer, length)
    if status != lib.srtp_err_status_ok:
        return _REASONS.get(status, Drop.AUTHENTICATION)
    return bytes(ffi.buffer(buffer, length[0]))
