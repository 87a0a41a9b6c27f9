"""What the codecs share: the one error, NAL units as they come from files, and reading bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

#: A payload that leaves room for RTP header, header extensions, RTX and SRTP in a datagram of 1,500 bytes
#: with an IPv6 header and a tunnel around it.
PAYLOAD_LIMIT = 1200

#: Codecs code sizes of their own; a frame above this is not from a camera.
MAX_FRAME_LENGTH = 32 << 20


class CodecError(ValueError):
    """A payload or a bitstream is not what its codec says."""


class PayloadFormat(Protocol):
    """Peek into the RTP payloads of one codec; both never raise, whatever the bytes are."""

    def starts_key_frame(self, payload: bytes) -> bool:
        """Tell whether a decoder can begin at this packet."""

    def starts_frame(self, payload: bytes) -> bool:
        """Tell whether this packet begins a frame, as far as its payload shows."""


def split_annex_b(data: bytes) -> list[bytes]:
    """Split a byte stream (H.264 or H.265, Annex B) into NAL units without start codes."""
    units = []
    start = data.find(b"\0\0\1")
    while start >= 0:
        following = data.find(b"\0\0\1", start + 3)
        unit = data[start + 3 : following if following >= 0 else len(data)].rstrip(b"\0")
        if unit:
            units.append(unit)
        start = following
    return units


def split_avcc(data: bytes, length_size: int = 4) -> list[bytes]:
    """Split a sample of an MP4 (ISO/IEC 14496-15): each NAL unit after its length of 1, 2 or 4 bytes."""
    if length_size not in (1, 2, 4):
        raise CodecError(f"The length of a NAL unit has 1, 2 or 4 bytes, not {length_size}.")
    units = []
    position = 0
    while position < len(data):
        start = position + length_size
        position = start + int.from_bytes(data[position:start], "big")
        if position > len(data):
            raise CodecError("A NAL unit is longer than its sample.")
        if position > start:
            units.append(data[start:position])
    return units


def join_annex_b(units: Sequence[bytes]) -> bytes:
    """Join NAL units by start codes of four bytes."""
    return b"".join(b"\0\0\0\1" + unit for unit in units)


def as_units(access_unit: bytes | Sequence[bytes]) -> list[bytes]:
    """Take an access unit as NAL units, or as an Annex B byte stream."""
    units = split_annex_b(access_unit) if isinstance(access_unit, bytes) else list(access_unit)
    if not units:
        raise CodecError("The access unit holds no NAL unit.")
    return units


def split_aggregate(payload: bytes, position: int) -> Iterator[bytes]:
    """Yield the NAL units of an aggregation packet: each after its length of 2 bytes."""
    while position < len(payload):
        start = position + 2
        position = start + int.from_bytes(payload[position:start], "big")
        if position > len(payload) or position == start:
            raise CodecError("A NAL unit of an aggregation packet is empty or longer than the packet.")
        yield payload[start:position]


def split_evenly(data: bytes, limit: int) -> list[bytes]:
    """Cut into as few pieces of at most `limit` bytes as possible, of nearly equal length.

    Equal datagrams travel in one batch (UDP GSO), and no tiny last packet delays a frame.
    """
    count = max(-(-len(data) // limit), 1)
    size, longer = divmod(len(data), count)
    pieces = []
    position = 0
    for number in range(count):
        end = position + size + (number < longer)
        pieces.append(data[position:end])
        position = end
    return pieces


class BitReader:
    """Read the bits of a raw byte sequence payload, after emulation prevention was taken out."""

    def __init__(self, data: bytes) -> None:
        """Begin at the most significant bit of the first byte."""
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def bits(self, count: int) -> int:
        """Read an unsigned number of this many bits (u(n))."""
        if count > self._left:
            raise CodecError("The parameter set ends too early.")
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def flag(self) -> bool:
        """Read one bit."""
        return self.bits(1) == 1

    def golomb(self) -> int:
        """Read an unsigned Exp-Golomb number of at most 32 bits (ue(v))."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > 32:
                raise CodecError("An Exp-Golomb number has at most 32 bits.")
        return (1 << zeros) - 1 + self.bits(zeros)

    def signed_golomb(self) -> int:
        """Read a signed Exp-Golomb number (se(v))."""
        value = self.golomb()
        return (value + 1) // 2 if value & 1 else -(value // 2)


def unescape(unit: bytes) -> bytes:
    """Take out the emulation prevention bytes of a NAL unit."""
    return unit.replace(b"\0\0\3", b"\0\0")
