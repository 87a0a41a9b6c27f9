"""VP8 in RTP (RFC 7741)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .packetisation import MAX_FRAME_LENGTH, CodecError


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Hold what the payload descriptor says; `length` is its own, the `_at`s are positions in the payload (0: none).

    `synchronises` (Y): the frame depends on the base layer alone.
    """

    length: int
    start_of_partition: bool
    partition: int
    picture: int | None
    temporal_layer: int | None
    synchronises: bool = False
    tl0: int | None = None
    picture_at: int = 0
    picture_bits: int = 7
    tl0_at: int = 0


def parse_descriptor(payload: bytes) -> Descriptor:
    """Read the payload descriptor (section 4.2), or raise CodecError."""
    first = _byte(payload, 0)
    position = 1
    picture: int | None = None
    temporal_layer: int | None = None
    tl0: int | None = None
    synchronises = False
    picture_at = tl0_at = 0
    picture_bits = 7
    if first & 0x80:
        extended = _byte(payload, position)
        position += 1
        if extended & 0x80:
            picture_at = position
            picture = _byte(payload, position)
            position += 1
            if picture & 0x80:
                picture = (picture & 0x7F) << 8 | _byte(payload, position)
                picture_bits = 15
                position += 1
        if extended & 0x40:
            tl0_at = position
            tl0 = _byte(payload, position)
            position += 1
        if extended & 0x30:
            layers = _byte(payload, position)
            position += 1
            if extended & 0x20:
                temporal_layer, synchronises = layers >> 6, bool(layers & 0x20)
    if position > len(payload):
        raise CodecError("The VP8 payload ends within its descriptor.")
    return Descriptor(
        length=position,
        start_of_partition=bool(first & 0x10),
        partition=first & 0x07,
        picture=picture,
        temporal_layer=temporal_layer,
        synchronises=synchronises,
        tl0=tl0,
        picture_at=picture_at,
        picture_bits=picture_bits,
        tl0_at=tl0_at,
    )


def starts_frame(payload: bytes) -> bool:
    """Tell whether the first partition of a frame begins here."""
    try:
        descriptor = parse_descriptor(payload)
    except CodecError:
        return False
    return descriptor.start_of_partition and descriptor.partition == 0


def starts_key_frame(payload: bytes) -> bool:
    """Tell whether a frame begins here whose header has the inverse key frame bit P at 0 (section 4.3)."""
    try:
        descriptor = parse_descriptor(payload)
    except CodecError:
        return False
    begins = descriptor.start_of_partition and descriptor.partition == 0
    return begins and len(payload) > descriptor.length and not payload[descriptor.length] & 0x01


def depacketise(payloads: Iterable[bytes]) -> bytes:
    """Put one frame together again, from its payloads in order."""
    frame = bytearray()
    for payload in payloads:
        descriptor = parse_descriptor(payload)
        if not frame and not (descriptor.start_of_partition and descriptor.partition == 0):
            raise CodecError("The beginning of the VP8 frame is missing.")
        if len(payload) == descriptor.length:
            raise CodecError("A VP8 payload holds nothing behind its descriptor.")
        frame += payload[descriptor.length :]
        if len(frame) > MAX_FRAME_LENGTH:
            raise CodecError("The frame is too large.")
    return bytes(frame)


def picture_size(frame: bytes) -> tuple[int, int] | None:
    """Read (width, height) in pixels from a key frame (RFC 6386, section 9.1); None for any other."""
    if len(frame) < 10 or frame[0] & 0x01 or frame[3:6] != b"\x9d\x01\x2a":
        return None
    width = int.from_bytes(frame[6:8], "little") & 0x3FFF
    height = int.from_bytes(frame[8:10], "little") & 0x3FFF
    return width, height


def _byte(payload: bytes, position: int) -> int:
    if position >= len(payload):
        raise CodecError("The VP8 payload ends within its descriptor.")
    return payload[position]
