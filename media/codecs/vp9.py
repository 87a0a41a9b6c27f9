"""VP9 in RTP (RFC 9628)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .packetisation import MAX_FRAME_LENGTH, BitReader, CodecError

#: frame_marker, profile and the sync code of a key frame (VP9 bitstream specification, section 6.2).
_SYNC_CODE = 0x498342
_COLOUR_RGB = 7


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Hold what the payload descriptor says; `length` is its own, the `_at`s are positions in the payload (0: none).

    `switches_up` (U): higher temporal layers can begin here.
    """

    length: int
    predicted: bool
    begins: bool
    ends: bool
    picture: int | None
    spatial_layer: int | None
    temporal_layer: int | None
    switches_up: bool = False
    tl0: int | None = None
    picture_at: int = 0
    picture_bits: int = 7
    tl0_at: int = 0


def parse_descriptor(payload: bytes) -> Descriptor:
    """Read the payload descriptor (section 4.2), or raise CodecError."""
    first = _byte(payload, 0)
    position = 1
    picture: int | None = None
    spatial_layer: int | None = None
    temporal_layer: int | None = None
    tl0: int | None = None
    switches_up = False
    picture_at = tl0_at = 0
    picture_bits = 7
    if first & 0x80:  # I: a picture id of 7 or 15 bits
        picture_at = position
        picture = _byte(payload, position)
        position += 1
        if picture & 0x80:
            picture = (picture & 0x7F) << 8 | _byte(payload, position)
            picture_bits = 15
            position += 1
    if first & 0x20:  # L: layer indices
        layers = _byte(payload, position)
        position += 1
        temporal_layer, spatial_layer = layers >> 5, layers >> 1 & 0x07
        switches_up = bool(layers & 0x10)
        if not first & 0x10:  # in non-flexible mode
            tl0_at = position
            tl0 = _byte(payload, position)
            position += 1
    if first & 0x50 == 0x50:  # P and F: up to three reference indices
        for number in range(3):
            more = _byte(payload, position) & 0x01
            position += 1
            if not more:
                break
            if number == 2:
                raise CodecError("A VP9 payload names at most three references.")
    if first & 0x02:  # V: scalability structure
        position = _structure_end(payload, position)
    if position > len(payload):
        raise CodecError("The VP9 payload ends within its descriptor.")
    return Descriptor(
        length=position,
        predicted=bool(first & 0x40),
        begins=bool(first & 0x08),
        ends=bool(first & 0x04),
        picture=picture,
        spatial_layer=spatial_layer,
        temporal_layer=temporal_layer,
        switches_up=switches_up,
        tl0=tl0,
        picture_at=picture_at,
        picture_bits=picture_bits,
        tl0_at=tl0_at,
    )


def starts_frame(payload: bytes) -> bool:
    """Tell whether a picture begins here: the first packet of its lowest spatial layer."""
    try:
        descriptor = parse_descriptor(payload)
    except CodecError:
        return False
    return descriptor.begins and not descriptor.spatial_layer


def starts_key_frame(payload: bytes) -> bool:
    """Tell whether a picture begins here that is predicted from no other."""
    try:
        descriptor = parse_descriptor(payload)
    except CodecError:
        return False
    return descriptor.begins and not descriptor.spatial_layer and not descriptor.predicted


def depacketise(payloads: Iterable[bytes]) -> bytes:
    """Put one picture together again, with all its spatial layers, from its payloads in order."""
    frame = bytearray()
    for payload in payloads:
        descriptor = parse_descriptor(payload)
        if not frame and not descriptor.begins:
            raise CodecError("The beginning of the VP9 frame is missing.")
        if len(payload) == descriptor.length:
            raise CodecError("A VP9 payload holds nothing behind its descriptor.")
        frame += payload[descriptor.length :]
        if len(frame) > MAX_FRAME_LENGTH:
            raise CodecError("The frame is too large.")
    return bytes(frame)


def picture_size(frame: bytes) -> tuple[int, int] | None:
    """Read (width, height) in pixels from a key frame's uncompressed header; None for any other frame."""
    reader = BitReader(frame[:32])
    try:
        if reader.bits(2) != 2:
            return None
        profile = reader.bits(1) | reader.bits(1) << 1
        if profile == 3:
            reader.flag()
        if reader.flag() or reader.flag():  # show_existing_frame; frame_type: 0 is a key frame
            return None
        reader.bits(2)  # show_frame, error_resilient_mode
        if reader.bits(24) != _SYNC_CODE:
            return None
        if profile >= 2:
            reader.flag()  # ten or twelve bits
        if reader.bits(3) != _COLOUR_RGB:
            reader.flag()  # colour range
            if profile & 1:
                reader.bits(3)  # subsampling
        elif profile & 1:
            reader.flag()
        return reader.bits(16) + 1, reader.bits(16) + 1
    except CodecError:
        return None


def _structure_end(payload: bytes, position: int) -> int:
    """Find the end of a scalability structure (section 4.2.1)."""
    head = _byte(payload, position)
    position += 1
    if head & 0x10:
        position += 4 * ((head >> 5) + 1)
    if head & 0x08:
        pictures = _byte(payload, position)
        position += 1
        for _ in range(pictures):
            position += 1 + (_byte(payload, position) >> 2 & 0x03)
    return position


def _byte(payload: bytes, position: int) -> int:
    if position >= len(payload):
        raise CodecError("The VP9 payload ends within its descriptor.")
    return payload[position]
