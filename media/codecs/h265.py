"""H.265 in RTP (RFC 7798): single NAL units, aggregation packets and fragmentation units, without DONL."""

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
from .parameter_sets import h265_size

#: NAL unit types: H.265, table 7-1 (16 to 23 are pictures at which a decoder can begin), and RFC 7798.
VPS = 32
SPS = 33
PPS = 34
AGGREGATION = 48
FRAGMENTATION = 49

_KEY = frozenset({*range(16, 22), VPS, SPS})
_START = 0x80
_END = 0x40


def starts_key_frame(payload: bytes) -> bool:
    """Tell whether an intra random access picture, or a parameter set before it, begins here."""
    kind = _kind(payload)
    if kind == FRAGMENTATION:
        return len(payload) > 2 and bool(payload[2] & _START) and payload[2] & 0x3F in _KEY
    if kind != AGGREGATION:
        return kind in _KEY
    position = 2
    while position + 3 < len(payload):
        length = int.from_bytes(payload[position : position + 2], "big")
        if not 2 <= length <= len(payload) - position - 2:
            return False  # it lies
        if payload[position + 2] >> 1 & 0x3F in _KEY:
            return True
        position += 2 + length
    return False


def starts_frame(payload: bytes) -> bool:
    """Tell whether a NAL unit begins here: the first packet of a frame always does."""
    kind = _kind(payload)
    if kind == FRAGMENTATION:
        return len(payload) > 2 and bool(payload[2] & _START)
    return kind >= 0


def packetise(access_unit: bytes | Sequence[bytes], limit: int = PAYLOAD_LIMIT) -> list[bytes]:
    """Make the payloads of one access unit (NAL units, or an Annex B byte stream)."""
    if limit < 16:
        raise CodecError("A payload of H.265 needs at least 16 bytes.")
    payloads: list[bytes] = []
    together: list[bytes] = []
    for unit in as_units(access_unit):
        if not 0 <= _kind(unit) < AGGREGATION:
            raise CodecError("A NAL unit of H.265 has two bytes at least and a type of 0 to 47.")
        if together and 2 + sum(2 + len(other) for other in (*together, unit)) > limit:
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
        if kind == FRAGMENTATION:
            if len(payload) < 4:
                raise CodecError("A fragmentation unit without a byte of its NAL unit.")
            if payload[2] & _START:
                if fragments:
                    raise CodecError("A NAL unit begins before the last one has ended.")
                fragments += bytes([payload[0] & 0x81 | (payload[2] & 0x3F) << 1, payload[1]])
            elif not fragments:
                raise CodecError("The beginning of a fragmented NAL unit is missing.")
            fragments += payload[3:]
            if payload[2] & _END:
                units.append(bytes(fragments))
                fragments.clear()
            continue
        if fragments:
            raise CodecError("The end of a fragmented NAL unit is missing.")
        if kind == AGGREGATION:
            units += split_aggregate(payload, 2)
        elif 0 <= kind < AGGREGATION:
            units.append(payload)
        else:
            raise CodecError(f"A payload of H.265 of type {kind} is not known.")
    if fragments:
        raise CodecError("The end of a fragmented NAL unit is missing.")
    return units


def picture_size(units: Iterable[bytes]) -> tuple[int, int] | None:
    """Find width and height in the first sequence parameter set among NAL units, or None."""
    for unit in units:
        if _kind(unit) == SPS:
            return h265_size(unit)
    return None


def _kind(unit: bytes) -> int:
    return unit[0] >> 1 & 0x3F if len(unit) >= 2 else -1


def _aggregate(units: list[bytes]) -> bytes:
    if len(units) == 1:
        return units[0]
    # layer and temporal id are the lowest of those inside, the forbidden bit is set if one is set
    forbidden = max(unit[0] & 0x80 for unit in units)
    layer = min((unit[0] & 1) << 5 | unit[1] >> 3 for unit in units)
    temporal = min(unit[1] & 7 for unit in units)
    header = bytes([forbidden | AGGREGATION << 1 | layer >> 5, (layer & 0x1F) << 3 | temporal])
    return header + b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)


def _fragment(unit: bytes, limit: int) -> list[bytes]:
    header = bytes([unit[0] & 0x81 | FRAGMENTATION << 1, unit[1]])
    kind = unit[0] >> 1 & 0x3F
    pieces = split_evenly(unit[2:], limit - 3)
    last = len(pieces) - 1
    return [
        header + bytes([(_START if i == 0 else 0) | (_END if i == last else 0) | kind]) + piece
        for i, piece in enumerate(pieces)
    ]
