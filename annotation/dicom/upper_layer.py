"""DICOM's upper layer on the wire (PS3.8, 9.3): the PDUs that ask for an association, and those that answer.

Only what an acceptor reads and writes. Every length is held against what there is, and every failure is one
`UpperLayerError` with a sentence that quotes nothing of what came.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .errors import DicomError

#: PDU types (PS3.8, 9.3.1).
ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
HEAD: Final = struct.Struct("!BxI")
#: Largest PDU that is taken, which peers are told; a request with 128 contexts of all transfer syntaxes needs 110 kB.
PDU_LIMIT: Final = 1 << 18

_APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"
_REQUEST: Final = struct.Struct("!H2x16s16s32x")
_ITEM: Final = struct.Struct("!BxH")
_VALUE: Final = struct.Struct("!IBB")
_APPLICATION, _CONTEXT, _CONTEXT_RESULT, _ABSTRACT, _TRANSFER, _USER = 0x10, 0x20, 0x21, 0x30, 0x40, 0x50
_MAXIMUM, _CLASS, _VERSION = 0x51, 0x52, 0x55


class UpperLayerError(DicomError):
    """What came is no PDU that this acceptor can read."""

    def __init__(self, sentence: str) -> None:
        super().__init__("broken", sentence)


@dataclass(frozen=True, slots=True)
class Context:
    """A presentation context that is asked for."""

    identifier: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks whom for an association, for what. `maximum` is the largest PDU that he takes, 0: any."""

    called: str
    calling: str
    contexts: tuple[Context, ...]
    maximum: int = 0

    @classmethod
    def parse(cls, body: bytes) -> Request:
        """Read the body of an A-ASSOCIATE-RQ (PS3.8, 9.3.2). Raise UpperLayerError."""
        if len(body) < _REQUEST.size:
            raise UpperLayerError("A request for an association is too short.")
        version, called, calling = _REQUEST.unpack_from(body)
        if not version & 1:
            raise UpperLayerError("A request for an association is of another version of the protocol.")
        contexts: list[Context] = []
        maximum, application = 0, ""
        for kind, value in _items(body[_REQUEST.size :]):
            if kind == _APPLICATION:
                application = _uid(value)
            elif kind == _CONTEXT:
                contexts.append(_context(value))
            elif kind == _USER:
                for inner, part in _items(value):
                    if inner == _MAXIMUM and len(part) == 4:
                        (maximum,) = struct.unpack("!I", part)
        if application != _APPLICATION_CONTEXT:
            raise UpperLayerError("A request for an association names another application context.")
        if not contexts or len({context.identifier for context in contexts}) != len(contexts):
            raise UpperLayerError("A request for an association names no context, or one twice.")
        return cls(_title(called), _title(calling), tuple(contexts), maximum)


def _context(value: bytes) -> Context:
    if len(value) < 4 or not value[0] & 1:
        raise UpperLayerError("A presentation context has no odd number.")
    abstract, transfer = "", []
    for kind, part in _items(value[4:]):
        if kind == _ABSTRACT:
            abstract = _uid(part)
        elif kind == _TRANSFER:
            transfer.append(_uid(part))
    if not abstract or not transfer:
        raise UpperLayerError("A presentation context names no syntaxes.")
    return Context(value[0], abstract, tuple(transfer))


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        if at + _ITEM.size > len(data):
            raise UpperLayerError("An item of a request is too short.")
        kind, length = _ITEM.unpack_from(data, at)
        at += _ITEM.size
        if at + length > len(data):
            raise UpperLayerError("An item of a request is longer than the request.")
        yield kind, data[at : at + length]
        at += length


def _title(raw: bytes) -> str:
    return raw.decode("ascii", "replace").strip(" \0")


def _uid(raw: bytes) -> str:
    return raw.decode("ascii", "replace").rstrip(" \0")[:64]


def pdu(kind: int, body: bytes) -> bytes:
    """Put a head before a PDU's body."""
    return HEAD.pack(kind, len(body)) + body


def accept(request: Request, chosen: dict[int, str], implementation: str) -> bytes:
    """Write an A-ASSOCIATE-AC (PS3.8, 9.3.3); `chosen` is the transfer syntax of each context that is taken.

    A context that is not taken has the abstract syntax that nobody knows here as its reason.
    """
    body = bytearray(_REQUEST.pack(1, _padded(request.called), _padded(request.calling)))
    body += _item(_APPLICATION, _APPLICATION_CONTEXT.encode())
    for context in request.contexts:
        syntax = chosen.get(context.identifier)
        result = struct.pack("!BxBx", context.identifier, 0 if syntax is not None else 3)
        # where nothing was taken this is not looked at (PS3.8, 9.3.3.2)
        transfer = _item(_TRANSFER, (syntax or context.transfer_syntaxes[0]).encode())
        body += _item(_CONTEXT_RESULT, result + transfer)
    user = _item(_MAXIMUM, struct.pack("!I", PDU_LIMIT)) + _item(_CLASS, implementation.encode())
    body += _item(_USER, user + _item(_VERSION, b"KONSIL"))
    return pdu(ASSOCIATE_AC, bytes(body))


def _item(kind: int, value: bytes) -> bytes:
    return _ITEM.pack(kind, len(value)) + value


def _padded(title: str) -> bytes:
    return title.encode("ascii", "replace").ljust(16)[:16]


def reject(result: int, source: int, reason: int) -> bytes:
    """Write an A-ASSOCIATE-RJ (PS3.8, 9.3.4)."""
    return pdu(ASSOCIATE_RJ, struct.pack("!xBBB", result, source, reason))


def abort(reason: int) -> bytes:
    """Write an A-ABORT of the service provider (PS3.8, 9.3.8)."""
    return pdu(ABORT, struct.pack("!xxBB", 2, reason))


def values(body: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Read the presentation data values of a P-DATA-TF: context, control header, data. Raise UpperLayerError."""
    at = 0
    while at < len(body):
        if at + _VALUE.size > len(body):
            raise UpperLayerError("A value of a P-DATA is too short.")
        length, context, control = _VALUE.unpack_from(body, at)
        if length < 2 or at + 4 + length > len(body):
            raise UpperLayerError("A value of a P-DATA is longer than the P-DATA, or empty.")
        yield context, control, body[at + _VALUE.size : at + 4 + length]
        at += 4 + length


def commands(context: int, command: bytes, maximum: int) -> bytes:
    """Write a command as P-DATA-TF, in pieces that a peer takes who takes `maximum` bytes, 0: any."""
    room = max(16, maximum - 6) if maximum else len(command)
    written = bytearray()
    for at in range(0, len(command), room):
        piece = command[at : at + room]
        control = 3 if at + room >= len(command) else 1
        written += pdu(DATA, _VALUE.pack(len(piece) + 2, context, control) + piece)
    return bytes(written)
