"""Commands of DIMSE as an SCP of storage meets them (PS3.7, 9.3 and annex E): C-STORE and C-ECHO."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from .room_uids import is_uid
from .upper_layer import UpperLayerError

STORE, ECHO, CANCEL = 0x0001, 0x0030, 0x0FFF
#: Set in the command field of an answer.
_ANSWER: Final = 0x8000
_NO_DATA_SET: Final = 0x0101

_CLASS, _FIELD, _MESSAGE, _ANSWERED = 0x0002, 0x0100, 0x0110, 0x0120
_DATA_SET, _STATUS, _INSTANCE = 0x0800, 0x0900, 0x1000
_ELEMENT: Final = struct.Struct("<HHI")

#: Longest command set: names, a few numbers, and lists that a C-STORE has not.
COMMAND_LIMIT: Final = 1 << 14


@dataclass(frozen=True, slots=True)
class Command:
    """What a peer asks for."""

    field: int
    message: int
    sop_class: str = ""
    sop_instance: str = ""
    has_data: bool = False

    @classmethod
    def parse(cls, data: bytes) -> Command:
        """Read a command set (implicit VR, little endian). Raise UpperLayerError."""
        found: dict[int, bytes] = {}
        at = 0
        while at < len(data):
            if at + _ELEMENT.size > len(data):
                raise UpperLayerError("An element of a command is too short.")
            group, element, length = _ELEMENT.unpack_from(data, at)
            at += _ELEMENT.size
            if group or at + length > len(data):
                raise UpperLayerError("An element of a command is longer than the command, or none of it.")
            found[element] = data[at : at + length]
            at += length
        command = cls(
            _short(found, _FIELD),
            _short(found, _MESSAGE) if _MESSAGE in found else 0,
            _uid(found, _CLASS),
            _uid(found, _INSTANCE),
            _short(found, _DATA_SET) != _NO_DATA_SET,
        )
        if command.field == STORE and not (
            command.has_data and is_uid(command.sop_class) and is_uid(command.sop_instance)
        ):
            raise UpperLayerError("A C-STORE does not say what it stores.")
        return command

    def answer(self, status: int) -> bytes:
        """Write the answer to this command."""
        named = ((_CLASS, self.sop_class), (_INSTANCE, self.sop_instance))
        uids = {element: _even(uid) for element, uid in named if uid}
        numbers = {
            _FIELD: self.field | _ANSWER,
            _ANSWERED: self.message,
            _DATA_SET: _NO_DATA_SET,
            _STATUS: status,
        }
        elements = uids | {element: struct.pack("<H", number) for element, number in numbers.items()}
        rest = b"".join(
            _ELEMENT.pack(0, element, len(value)) + value for element, value in sorted(elements.items())
        )
        return _ELEMENT.pack(0, 0, 4) + struct.pack("<I", len(rest)) + rest


def _even(uid: str) -> bytes:
    raw = uid.encode("ascii", "replace")
    return raw + b"\0" * (len(raw) % 2)


def _short(found: dict[int, bytes], element: int) -> int:
    value = found.get(element, b"")
    if len(value) != 2:
        raise UpperLayerError("A command lacks a number that it needs.")
    return int.from_bytes(value, "little")


def _uid(found: dict[int, bytes], element: int) -> str:
    return found.get(element, b"").decode("ascii", "replace").rstrip(" \0")
