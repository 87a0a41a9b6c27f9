"""Checks SCTP packets (RFC 9260) before aiortc parses them. Pure.

aiortc 1.16 trusts what an authenticated peer sends: a parameter of length 0 makes it loop for ever while its
memory grows, and gap reports of 65,535 each cost seconds. Whatever fails here is not handed on.
"""

from __future__ import annotations

import struct

_COMMON_HEADER = 12
_DATA, _INIT, _INIT_ACK, _SACK, _HEARTBEAT, _HEARTBEAT_ACK, _ABORT, _ERROR = 0, 1, 2, 3, 4, 5, 6, 9
_RECONFIG, _FORWARD_TSN = 130, 192

#: Where the parameters of a chunk type begin, behind its 4-byte header.
_PARAMETERS_AT = {
    _INIT: 16,
    _INIT_ACK: 16,
    _HEARTBEAT: 0,
    _HEARTBEAT_ACK: 0,
    _ABORT: 0,
    _ERROR: 0,
    _RECONFIG: 0,
}

#: The fixed part of a chunk type's body.
_LEAST = {_DATA: 12, _INIT: 16, _INIT_ACK: 16, _SACK: 12, _FORWARD_TSN: 4}

#: TSNs that gap reports of one SACK may cover: more than we ever have under way.
MAX_GAP_SPAN = 4096

#: Streams are numbered from 0; 16 channels need no more.
MAX_STREAM = 1024


#: Bytes of a data channel's label, and of its protocol.
MAX_LABEL = 64

_OPEN = 3


def is_sound(packet: bytes) -> bool:
    """Tell whether every length in the packet is true and nothing in it asks for unreasonable work."""
    at = _COMMON_HEADER
    if len(packet) < at + 4:
        return False
    while at + 4 <= len(packet):
        kind, _, length = struct.unpack_from("!BBH", packet, at)
        if length < 4 or at + length > len(packet):
            return False
        if not _is_sound_chunk(kind, packet[at + 4 : at + length]):
            return False
        at += length + -length % 4
    return True


def _is_sound_chunk(kind: int, body: bytes) -> bool:
    if len(body) < _LEAST.get(kind, 0):
        return False
    if kind == _DATA:
        # a message of no bytes cannot be sent (RFC 9260, section 3.3.1)
        return len(body) > 12 and struct.unpack_from("!H", body, 4)[0] < MAX_STREAM
    if kind == _SACK:
        return _is_sound_sack(body)
    if kind == _FORWARD_TSN:
        streams = struct.unpack_from(f"!{(len(body) - 4) // 2}H", body, 4)
        return len(body) % 4 == 0 and all(stream < MAX_STREAM for stream in streams[::2])
    at = _PARAMETERS_AT.get(kind, len(body))
    while at + 4 <= len(body):
        parameter, length = struct.unpack_from("!HH", body, at)
        if length < 4 or at + length > len(body):
            return False
        if kind == _RECONFIG and length < {13: 16, 16: 12, 17: 12}.get(parameter, 4):
            return False
        at += length + -length % 4
    return True


def _is_sound_sack(body: bytes) -> bool:
    gaps, duplicates = struct.unpack_from("!HH", body, 8)
    if len(body) < 12 + 4 * (gaps + duplicates):
        return False
    last = 0
    for number in range(gaps):
        start, end = struct.unpack_from("!HH", body, 12 + 4 * number)
        if not last < start <= end <= MAX_GAP_SPAN:
            return False
        last = end
    return True


def is_sound_open(message: bytes) -> bool:
    """Tell whether a DATA_CHANNEL_OPEN (RFC 8832, section 5.1) is as long as it says, and its words are words."""
    if message[:1] != bytes([_OPEN]) or len(message) < 12:
        return False
    label, protocol = struct.unpack_from("!HH", message, 8)
    return (
        len(message) == 12 + label + protocol
        and label <= MAX_LABEL
        and protocol <= MAX_LABEL
        and is_utf8(message[12 : 12 + label])
        and is_utf8(message[12 + label :])
    )


def is_utf8(data: bytes) -> bool:
    """Tell whether bytes are text."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
