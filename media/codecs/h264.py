"""H.264 in RTP (RFC 6184), packetisation mode 1: single NAL units, STAP-A and FU-A."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .packetisation import (
    MAX_FRAME_LENGTH,
    PAYLOAD_LIMIT,
    CodecError,
    as_units,
    split_aggregate,
    split_evenly,
)
from .parameter_sets import h264_size

#: NAL unit types: H.264, table 7-1, and RFC 6184, table 1.
IDR = 5
SPS = 7
PPS = 8
STAP_A = 24
FU_A = 28

_START = 0x80
_END = 0x40


def starts_key_frame(payload: bytes) -> bool:
    """Tell whether an IDR picture, or the sequence parameter set before it, begins here."""
    kind = _kind(payload)
    if kind == FU_A:
        return len(payload) > 1 and bool(payload[1] & _START) and payload[1] & 0x1F in (IDR, SPS)
    if kind != STAP_A:
        return kind in (IDR, SPS)
    position = 1
    while position + 2 < len(payload):
        length = int.from_bytes(payload[position : position + 2], "big")
        if not 0 < length <= len(payload) - position - 2:
            return False  # it lies
        if payload[position + 2] & 0x1F in (IDR, SPS):
            return True
        position += 2 + length
    return False


def starts_frame(payload: bytes) -> bool:
    """Tell whether a NAL unit begins here: the first packet of a frame always does."""
    kind = _kind(payload)
    if kind == FU_A:
        return len(payload) > 1 and bool(payload[1] & _START)
    return kind > 0


def packetise(access_unit: bytes | Sequence[bytes], limit: int = PAYLOAD_LIMIT) -> list[bytes]:
    """Make the payloads of one access unit (NAL units, or an Annex B byte stream).

    Neighbours that fit together travel in one STAP-A (parameter sets always do), what is too long in FU-A
    of nearly equal length. The marker bit belongs on the last payload.
    """
    if limit < 16:
        raise CodecError("A payload of H.264 needs at least 16 bytes.")
    payloads: list[bytes] = []
    together: list[bytes] = []
    for unit in as_units(access_unit):
        if not 0 < _kind(unit) < STAP_A:
            raise CodecError("A NAL unit of H.264 has a type of 1 to 23.")
        if together and 1 + sum(2 + len(other) for other in (*together, unit)) > limit:
            payloads.append(_aggregate(together))
            together = []
        if len(unit) > limit:
            payloads += _fragment(unit, limit)
        else:
            together.append(unit)
    if together:
        payloads.append(_aggregate(together))
    return payloads


def depacketise(payloads: Iterable[bytes]) -> list[bytes]:
    """Put the NAL units of one frame together again, from its payloads in order; CodecError for a gap."""
    units: list[bytes] = []
    fragments = bytearray()
    total = 0
    for payload in payloads:
        total += len(payload)
        if total > MAX_FRAME_LENGTH:
            raise CodecError("The frame is too large.")
        kind = _kind(payload)
        if kind == FU_A:
            if len(payload) < 3:
                raise CodecError("An FU-A without a byte of its NAL unit.")
            if payload[1] & _START:
                if fragments:
                    raise CodecError("A NAL unit begins before the last one has ended.")
                fragments.append(payload[0] & 0xE0 | payload[1] & 0x1F)
            elif not fragments:
                raise CodecError("The beginning of a fragmented NAL unit is missing.")
            fragments += payload[2:]
            if payload[1] & _END:
                units.append(bytes(fragments))
                fragments.clear()
            continue
        if fragments:
            raise CodecError("The end of a fragmented NAL unit is missing.")
        if kind == STAP_A:
            units += split_aggregate(payload, 1)
        elif 0 < kind < STAP_A:
            units.append(payload)
        else:
            raise CodecError(f"A payload of H.264 of type {kind} is not used in packetisation mode 1.")
    if fragments:
        raise CodecError("The end of a fragmented NAL unit is missing.")
    return units


def picture_size(units: Iterable[bytes]) -> tuple[int, int] | None:
    """Find width and height in the first sequence parameter set among NAL units, or None."""
    for unit in units:
        if _kind(unit) == SPS:
            return h264_size(unit)
    return None


def _kind(unit: bytes) -> int:
    return unit[0] & 0x1F if unit else -1


def _aggregate(units: list[bytes]) -> bytes:
    if len(units) == 1:
        return units[0]
    # the header's importance is the highest of those inside, its forbidden bit is set if one is set
    importance = max(unit[0] & 0x60 for unit in units)
    forbidden = max(unit[0] & 0x80 for unit in units)
    parts = [len(unit).to_bytes(2, "big") + unit for unit in units]
    return bytes([forbidden | importance | STAP_A]) + b"".join(parts)


def _fragment(unit: bytes, limit: int) -> list[bytes]:
    indicator, kind = unit[0] & 0xE0 | FU_A, unit[0] & 0x1F
    pieces = split_evenly(unit[1:], limit - 2)
    last = len(pieces) - 1
    return [
        bytes([indicator, (_START if i == 0 else 0) | (_END if i == last else 0) | kind]) + piece
        for i, piece in enumerate(pieces)
    ]
