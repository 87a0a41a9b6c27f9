"""An archive that has one study, finds it as it should, and then does something wrong when it is to be fetched."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal

from pydicom.dataset import Dataset
from pynetdicom.dsutils import encode

from annotation.dicom import upper_layer
from annotation.dicom.command_set import Command
from annotation.dicom.upper_layer import Request, pdu

from .dicom_sending import command, element, value

#: silent: it never answers; lying: what it sends is shorter than it says; empty: it says that all was sent.
Wrong = Literal["silent", "lying", "empty"]
STUDY = "1.2.826.0.1.4711"
FIND, SUCCESS, PENDING = 0x0020, 0x0000, 0xFF00


@dataclass(slots=True)
class BadArchive:
    """What it does wrong, and where it is."""

    wrong: Wrong = "silent"
    port: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    server: asyncio.Server | None = None

    def go_away(self) -> None:
        """Listen no more."""
        assert self.server is not None
        self.server.close()

    async def web(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer DICOMweb: a search, and a study."""
        head = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
        if b"?" in head:
            body = json.dumps([{"0020000D": {"vr": "UI", "Value": [STUDY]}}]).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        elif self.wrong == "silent":
            await self.ended.wait()
        else:
            body = b"--b--\r\n" if self.wrong == "empty" else b"--b\r\n\r\nhalf an object"
            length = len(body) if self.wrong == "empty" else 1 << 30
            kind = b"multipart/related; boundary=b"
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n" % (kind, length)
            )
            writer.write(body)

    async def dimse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer C-FIND, C-GET and C-MOVE."""
        asked: Command | None = None
        while True:
            kind, length = upper_layer.HEAD.unpack(await reader.readexactly(upper_layer.HEAD.size))
            body = await reader.readexactly(length)
            if kind == upper_layer.ASSOCIATE_RQ:
                request = Request.parse(body)
                chosen = {one.identifier: one.transfer_syntaxes[0] for one in request.contexts}
                writer.write(upper_layer.accept(request, chosen, "2.25.1"))
            elif kind == upper_layer.RELEASE_RQ:
                writer.write(pdu(upper_layer.RELEASE_RP, bytes(4)))
            elif kind != upper_layer.DATA:
                return
            for context, control, data in upper_layer.values(body) if kind == upper_layer.DATA else ():
                if control == 3:
                    asked = Command.parse(data)
                elif control == 2:
                    assert asked is not None
                    if await self._asked(context, asked, writer):
                        return

    async def _asked(self, context: int, asked: Command, writer: asyncio.StreamWriter) -> bool:
        """Answer a request; returns whether the connection is over."""
        if asked.field == FIND:
            found = Dataset()
            found.QueryRetrieveLevel, found.StudyInstanceUID = "STUDY", STUDY
            data = encode(found, True, True)
            assert data is not None
            writer.write(answer(asked, context, PENDING, data))
        elif self.wrong == "silent":
            await self.ended.wait()
            return True
        elif self.wrong == "lying":
            writer.write(b"\4\0\xff\xff\xff\xf0" + bytes(1000))
            return True
        writer.write(answer(asked, context, SUCCESS))
        return False


def answer(asked: Command, context: int, status: int, data: bytes = b"") -> bytes:
    """Write an answer, with a data set if there is one."""
    numbers = (element(0x0120, struct.pack("<H", asked.message)), element(0x0900, struct.pack("<H", status)))
    written = command(asked.field | 0x8000, *numbers, data=bool(data), context=context)
    return written + (value(data, 2, context) if data else b"")


@contextlib.asynccontextmanager
async def bad_archive(way: str) -> AsyncIterator[BadArchive]:
    """Be there while the context lasts; `way` is web or another."""
    archive = BadArchive()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await (archive.web if way == "web" else archive.dimse)(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    archive.server = await asyncio.start_server(serve, "127.0.0.1", 0)
    archive.port = archive.server.sockets[0].getsockname()[1]
    try:
        yield archive
    finally:
        archive.ended.set()
        archive.server.close()
