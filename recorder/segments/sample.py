"""A frame as it stands in MP4: NAL units after their lengths, AV1 without its delimiters, all else as it is."""

from __future__ import annotations

from media.codecs.packetisation import split_annex_b
from media.plane import Codec

#: Its samples hold no VPS, SPS and PPS (ISO/IEC 14496-15, section 8.4.1): they stand in the sample entry.
NO_SETS_INSIDE = b"hvc1"
#: A temporal delimiter and a redundant frame header: MP4 has none (AV1-ISOBMFF, section 2.4).
_DROPPED_OBUS = (2, 7)


def as_sample(codec: Codec, data: bytes, *, sets_inside: bool = True) -> bytes:
    """Give a frame as a sample of MP4; of H.265 with its parameter sets or without."""
    match codec:
        case Codec.H264 | Codec.H265:
            units = split_annex_b(data)
            if not sets_inside:
                units = [unit for unit in units if not 32 <= unit[0] >> 1 & 0x3F <= 34]
            return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)
        case Codec.AV1:
            return _without_delimiter(data)
        case _:
            return data


def _without_delimiter(data: bytes) -> bytes:
    """Take the temporal delimiter and redundant headers out of a temporal unit whose OBUs have sizes."""
    kept, position = [], 0
    while position < len(data):
        start, head = position, data[position]
        position += 2 if head & 0x04 else 1
        size = shift = 0
        while True:
            byte = data[position]
            position += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        position += size
        if head >> 3 & 0x0F not in _DROPPED_OBUS:
            kept.append(data[start:position])
    return b"".join(kept)
