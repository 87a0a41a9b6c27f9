"""NTP timestamps (RFC 5905, section 6: 32 bits of seconds since 1900, 32 bits of fraction) and Unix time."""

from __future__ import annotations

#: Seconds from 1900-01-01 to 1970-01-01.
NTP_EPOCH = 2_208_988_800

_NS = 1_000_000_000
_ERA = 1 << 64


def ntp_from_unix(time: int) -> int:
    """Convert Unix nanoseconds to a 64-bit NTP timestamp, rounded (modulo 136 years)."""
    return (((time + NTP_EPOCH * _NS) << 32) + _NS // 2) // _NS % _ERA


def unix_from_ntp(timestamp: int) -> int:
    """Convert a 64-bit NTP timestamp to Unix nanoseconds; below 1968 it is of the era from 2036 on."""
    if timestamp < 1 << 63:
        timestamp += _ERA
    return ((timestamp * _NS + (1 << 31)) >> 32) - NTP_EPOCH * _NS


def middle_bits(timestamp: int) -> int:
    """Take the middle 32 bits of an NTP timestamp, as LSR and LRR do (RFC 3550, section 6.4.1)."""
    return timestamp >> 16 & 0xFFFFFFFF


def short_from_nanoseconds(duration: int) -> int:
    """Convert a duration to units of 1/65,536 s, as DLSR and DLRR count; clamped to 32 bits."""
    return min(max(duration, 0) * 65536 // _NS, 0xFFFFFFFF)


def nanoseconds_from_short(duration: int) -> int:
    """Convert units of 1/65,536 s to nanoseconds."""
    return duration * _NS // 65536
