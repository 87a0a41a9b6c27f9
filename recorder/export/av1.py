"""AV1 from RTP: OBUs put together again (AOM's "RTP Payload Format For AV1", section 4)."""

from __future__ import annotations

from collections.abc import Iterable

from media.codecs.packetisation import MAX_FRAME_LENGTH, CodecError

_CONTINUES = 0x80  # Z
_CONTINUED = 0x40  # Y
_HAS_EXTENSION = 0x04
_HAS_SIZE = 0x02
_TEMPORAL_DELIMITER = b"\x12\x00"
#: OBU types (AV1 specification, section 6.2.2) that do not travel: delimiters, tile lists, padding.
_DROPPED = (2, 8, 15)


def depacketise(payloads: Iterable[bytes]) -> bytes:
    """Make a temporal unit in the low-overhead format of a frame's payloads; CodecError for a gap."""
    elements: list[bytearray] = []
    open_element = False
    total = 0
    for payload in payloads:
        total += len(payload)
        if len(payload) < 2 or total > MAX_FRAME_LENGTH:
            raise CodecError("A payload of AV1 is empty, or its frame too large.")
        header = payload[0]
        if bool(header & _CONTINUES) != open_element:
            raise CodecError("A part of an AV1 OBU is missing.")
        for number, element in enumerate(_elements(payload)):
            if number == 0 and open_element:
                elements[-1] += element
            else:
                elements.append(bytearray(element))
        open_element = bool(header & _CONTINUED)
    if open_element:
        raise CodecError("The end of an AV1 OBU is missing.")
    return _TEMPORAL_DELIMITER + b"".join(_sized(bytes(element)) for element in elements)


def _elements(payload: bytes) -> list[bytes]:
    count = payload[0] >> 4 & 3  # W: 0 means that each element has its length
    elements: list[bytes] = []
    position = 1
    while position < len(payload):
        if count and len(elements) == count - 1:
            elements.append(payload[position:])
            return elements
        size, position = _leb128(payload, position)
        if position + size > len(payload):
            raise CodecError("An OBU element of AV1 is longer than its packet.")
        elements.append(payload[position : position + size])
        position += size
    if not elements or (count and len(elements) != count):
        raise CodecError("A payload of AV1 holds fewer OBU elements than it says.")
    return elements


def _sized(obu: bytes) -> bytes:
    """Give an OBU a size field, as it needs outside RTP."""
    if not obu or obu[0] & 0x80:
        raise CodecError("An OBU of AV1 has no valid header.")
    if obu[0] >> 3 & 0x0F in _DROPPED:
        return b""
    start = 2 if obu[0] & _HAS_EXTENSION else 1
    if len(obu) < start:
        raise CodecError("An OBU of AV1 ends within its header.")
    head = bytes([obu[0] | _HAS_SIZE]) + obu[1:start]
    if not obu[0] & _HAS_SIZE:
        body = obu[start:]
    else:
        size, start = _leb128(obu, start)
        body = obu[start : start + size]
        if len(body) != size:
            raise CodecError("An OBU of AV1 is longer than its element.")
    return head + _to_leb128(len(body)) + body


def _leb128(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 35, 7):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
    raise CodecError("A length of AV1 ends too late.")


def _to_leb128(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
