"""RTP packets (RFC 3550, section 5.1) with header extensions of both forms (RFC 8285)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

#: Length of the fixed header, before contributing sources and extensions.
HEADER_LENGTH = 12

#: "defined by profile" of the one-byte form (RFC 8285, section 4.2).
ONE_BYTE_PROFILE = 0xBEDE

#: The same of the two-byte form, whose low four bits are the application's (section 4.3).
TWO_BYTE_PROFILE = 0x1000


class RtpError(ValueError):
    """What should be RTP, or one of its header extensions, is not."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """Hold one RTP packet; `extensions` maps the negotiated id to the value, `padding` is a number of bytes.

    Building chooses the one-byte form of header extensions where every id and length fits. Parsing passes
    over a header extension of a profile that is not RFC 8285's. Both raise RtpError.
    """

    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    marker: bool = False
    csrc: tuple[int, ...] = ()
    extensions: dict[int, bytes] = field(default_factory=dict)
    payload: bytes = b""
    padding: int = 0

    def __post_init__(self) -> None:
        """Refuse what the wire has no room for."""
        if not 0 <= self.payload_type < 128:
            raise RtpError(f"A payload type has 7 bits, {self.payload_type} does not fit.")
        if not 0 <= self.sequence_number < 1 << 16:
            raise RtpError(f"A sequence number has 16 bits, {self.sequence_number} does not fit.")
        if not 0 <= self.timestamp < 1 << 32 or not 0 <= self.ssrc < 1 << 32:
            raise RtpError("Timestamp and SSRC have 32 bits each.")
        if len(self.csrc) > 15 or any(not 0 <= source < 1 << 32 for source in self.csrc):
            raise RtpError("An RTP packet names at most 15 contributing sources, of 32 bits each.")
        if not 0 <= self.padding < 256:
            raise RtpError("Padding is at most 255 bytes long.")

    def __bytes__(self) -> bytes:
        """Build the packet."""
        extensions = build_extensions(self.extensions)
        first = 0x80 | bool(self.padding) << 5 | bool(extensions) << 4 | len(self.csrc)
        second = self.marker << 7 | self.payload_type
        header = struct.pack("!BBHII", first, second, self.sequence_number, self.timestamp, self.ssrc)
        sources = struct.pack(f"!{len(self.csrc)}I", *self.csrc)
        padding = bytes(self.padding - 1) + bytes([self.padding]) if self.padding else b""
        return header + sources + extensions + self.payload + padding

    @classmethod
    def parse(cls, data: bytes) -> RtpPacket:
        """Read one packet; every length is checked against the datagram."""
        extension_start, payload_start = measure_header(data)
        first, second, sequence_number, timestamp, ssrc = struct.unpack_from("!BBHII", data)
        padding = 0
        if first & 0x20:
            padding = data[-1]
            if not 0 < padding <= len(data) - payload_start:
                raise RtpError("The RTP packet claims more padding than it has bytes after its header.")
        return cls(
            payload_type=second & 0x7F,
            sequence_number=sequence_number,
            timestamp=timestamp,
            ssrc=ssrc,
            marker=bool(second & 0x80),
            csrc=struct.unpack_from(f"!{first & 0x0F}I", data, HEADER_LENGTH),
            extensions=parse_extensions(data[extension_start:payload_start]),
            payload=data[payload_start : len(data) - padding],
            padding=padding,
        )


def measure_header(data: bytes) -> tuple[int, int]:
    """Find where the header extension and the payload of an RTP packet begin, or raise RtpError."""
    if len(data) < HEADER_LENGTH:
        raise RtpError(f"An RTP packet has at least 12 bytes, this one has {len(data)}.")
    if data[0] >> 6 != 2:
        raise RtpError(f"RTP is version 2, this is version {data[0] >> 6}.")
    start = end = HEADER_LENGTH + 4 * (data[0] & 0x0F)
    if data[0] & 0x10:
        if len(data) < start + 4:
            raise RtpError("The RTP packet ends within its header extension.")
        end = start + 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if len(data) < end:
        raise RtpError("The RTP packet ends within its header.")
    return start, end


def build_extensions(values: dict[int, bytes]) -> bytes:
    """Build the header extension with its 4 bytes of profile and length, padded; nothing for no values."""
    if not values:
        return b""
    elements = bytearray()
    if all(0 < identifier < 15 and 0 < len(value) <= 16 for identifier, value in values.items()):
        profile = ONE_BYTE_PROFILE
        for identifier, value in values.items():
            elements.append(identifier << 4 | len(value) - 1)
            elements += value
    else:
        profile = TWO_BYTE_PROFILE
        for identifier, value in values.items():
            if not 0 < identifier < 256 or len(value) > 255:
                raise RtpError("A header extension has an id of 1 to 255 and at most 255 bytes.")
            elements += bytes([identifier, len(value)])
            elements += value
    elements += bytes(-len(elements) % 4)
    if len(elements) > 4 * 0xFFFF:
        raise RtpError("The header extensions are too long together.")
    return struct.pack("!HH", profile, len(elements) // 4) + elements


def parse_extensions(data: bytes) -> dict[int, bytes]:
    """Read the elements of a header extension that begins with its profile; of equal ids the first counts."""
    if len(data) < 4:
        return {}
    profile = int.from_bytes(data[:2], "big")
    one_byte = profile == ONE_BYTE_PROFILE
    if not one_byte and profile & 0xFFF0 != TWO_BYTE_PROFILE:
        return {}
    values: dict[int, bytes] = {}
    position, end = 4, len(data)
    while position < end:
        if one_byte:
            identifier, length = data[position] >> 4, (data[position] & 0x0F) + 1
            # "If such an element is encountered, its length field MUST be ignored, processing of the entire
            # extension MUST terminate at that point" (id 0 with a length), and so for id 15.
            if identifier == 15 or (identifier == 0 and data[position] != 0):
                break
            start = position + 1
        else:
            identifier = data[position]
            if identifier and position + 1 == end:
                raise RtpError("A header extension element ends before its length.")
            length = data[position + 1] if identifier else 0
            start = position + 2
        if identifier == 0:
            position += 1
            continue
        position = start + length
        if position > end:
            raise RtpError("A header extension element is longer than the header extension.")
        values.setdefault(identifier, data[start:position])
    return values
