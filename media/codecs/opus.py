"""Opus in RTP (RFC 7587): a payload is a packet, and a decoder can begin at any."""

from __future__ import annotations

from .packetisation import CodecError

#: The RTP clock, whatever the sampling rate.
CLOCK_RATE = 48_000

#: The frame length in samples of 48 kHz, by the 5 bits of the configuration (RFC 6716, table 2).
_SILK = (480, 960, 1920, 2880)
_HYBRID = (480, 960)
_CELT = (120, 240, 480, 960)
_MAX_DURATION = 5760  # 120 ms


def starts_key_frame(payload: bytes) -> bool:
    """Tell whether there is anything: every packet of Opus is a beginning."""
    return len(payload) > 0


def starts_frame(payload: bytes) -> bool:
    """Tell whether there is anything: every packet of Opus is a frame."""
    return len(payload) > 0


def duration(payload: bytes) -> int:
    """Read how long a packet sounds, in samples of 48 kHz (RFC 6716, section 3.1)."""
    if not payload:
        raise CodecError("A packet of Opus has at least one byte.")
    configuration, code = payload[0] >> 3, payload[0] & 0x03
    if configuration < 12:
        length = _SILK[configuration % 4]
    elif configuration < 16:
        length = _HYBRID[configuration % 2]
    else:
        length = _CELT[configuration % 4]
    if code < 3:
        return length * (1 if code == 0 else 2)
    if len(payload) < 2:
        raise CodecError("A packet of Opus with a number of frames has at least two bytes.")
    total = length * (payload[1] & 0x3F)
    if not 0 < total <= _MAX_DURATION:
        raise CodecError("A packet of Opus holds 1 frame to 120 ms.")
    return total
