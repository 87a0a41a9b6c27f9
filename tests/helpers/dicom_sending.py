"""What a device says on the wire, byte by byte, for tests of those that lie."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator

from annotation.dicom.upper_layer import ASSOCIATE_RQ, DATA, pdu

CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT = "1.2.840.10008.1.2"


def item(kind: int, value: bytes) -> bytes:
    """Write an item of a request."""
    return struct.pack("!BxH", kind, len(value)) + value


def asking(called: str = "THEATRE1", calling: str = "MODALITY", *, abstract: str = CT) -> bytes:
    """Ask for an association with one presentation context, number 1."""
    context = b"\1\0\0\0" + item(0x30, abstract.encode()) + item(0x40, IMPLICIT.encode())
    body = struct.pack("!H2x16s16s32x", 1, called.ljust(16).encode(), calling.ljust(16).encode())
    body += item(0x10, b"1.2.840.10008.3.1.1.1") + item(0x20, context)
    return pdu(ASSOCIATE_RQ, body + item(0x50, item(0x51, struct.pack("!I", 16384))))


def element(number: int, value: bytes) -> bytes:
    """Write an element of a command."""
    return struct.pack("<HHI", 0, number, len(value)) + value


def value(data: bytes, control: int, context: int = 1) -> bytes:
    """Write a P-DATA-TF with one value; `control`: 1 command, 2 last."""
    return pdu(DATA, struct.pack("!IBB", len(data) + 2, context, control) + data)


def command(field: int, *more: bytes, data: bool, context: int = 1) -> bytes:
    """Write a command as a P-DATA-TF."""
    numbers = {0x0100: field, 0x0110: 7, 0x0800: 1 if data else 0x0101}
    written = b"".join(element(number, struct.pack("<H", what)) for number, what in numbers.items())
    return value(written + b"".join(more), 3, context)


#: A C-STORE of a CT slice, and the first bytes of its data set, of which more are to come.
STORE_CT = command(1, element(2, CT.encode() + b"\0"), element(0x1000, b"1.2.3.4.5\0"), data=True)
LITTLE = value(b"\x08\0\x05\0" + bytes(100), 0)


@contextlib.asynccontextmanager
async def speaking(port: int, *said: bytes) -> AsyncIterator[asyncio.StreamReader]:
    """Connect and say something; gives what is answered. The connection ends with the context."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"".join(said))
        await writer.drain()
        yield reader
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
