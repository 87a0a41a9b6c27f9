"""Devices send images into rooms by C-STORE (PS3.4, annex B): the AE title that they call names the room.

What is said on the wire is `annotation/dicom/acceptor.py`'s; here are the sockets, the files and the clock. An object
comes to the disk piece by piece and then goes the way of an upload.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from annotation.dicom.acceptor import (
    NOT_AUTHORISED,
    NOT_UNDERSTOOD,
    OUT_OF_RESOURCES,
    TAKEN,
    Acceptor,
    Begun,
    Ended,
    Event,
    Piece,
    Rejection,
)
from annotation.dicom.errors import DicomError
from annotation.dicom.storing import IMPLEMENTATION, file_head, transfer_syntaxes_taken
from signalling.tokens import is_room_name

from ..config import ScpConfig
from .dicom_tls import server_context
from .pacs import Pacs
from .store import Quarantined, Store

log = logging.getLogger(__name__)

#: Connections, and associations of them, at once; further ones are closed, or rejected.
CONNECTIONS, ASSOCIATIONS = 32, 8
#: Bytes that are read at once, and bytes of an object that wait for the disk.
READ, GATHERED = 1 << 18, 1 << 20
#: Seconds in which TLS is agreed on, in which a peer takes an answer, and in which it takes the last one.
HANDSHAKE, SENDING, CLOSING = 10.0, 20.0, 2.0


class Scp:
    """Listens for associations while the server runs; does nothing while the port is -1."""

    def __init__(self, config: ScpConfig, store: Store, pacs: Pacs, aet: str) -> None:
        """Check the section; `aet` is what `pacs` calls to send what it was asked for. Raise ValueError."""
        self._config, self._store, self._pacs, self._aet = config, store, pacs, aet
        #: the room that each called title names
        self._rooms: dict[str, str] = {}
        #: who may send: title and address, the address empty where any will do
        self._senders: set[tuple[str, str]] = set()
        self._syntaxes = frozenset(transfer_syntaxes_taken())
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._associations = 0
        self._tls: ssl.SSLContext | None = None
        if config.port < 0:
            if pacs.sender:
                raise ValueError("[pacs] move is set, but [scp] has no port to which the archive could send.")
            return
        for entry in config.rooms:
            title, _, room = (part.strip() for part in entry.partition("="))
            if not is_room_name(room):
                raise ValueError("[scp] rooms: write TITLE=room, with the name of a room.")
            self._rooms[checked_title(title, "rooms")] = room
        for entry in config.senders:
            title, _, address = (part.strip() for part in entry.partition("@"))
            self._senders.add((checked_title(title, "senders"), address))
        if pacs.sender and aet in self._rooms:
            raise ValueError(
                "[scp] rooms: the title that [pacs] aet names is for what the archive is asked to send."
            )
        if not pacs.sender and not (self._senders and self._rooms):
            raise ValueError("[scp] has a port, but senders or rooms are empty: nobody could send anything.")
        if config.certificate:
            self._tls = server_context(config.ca_file, config.certificate, config.private_key)
        elif config.ca_file or config.private_key:
            raise ValueError(
                "[scp] has ca_file or private_key, but no certificate, so nothing would be encrypted."
            )

    @property
    def port(self) -> int:
        """The TCP port that is listened on; -1: none."""
        return self._server.sockets[0].getsockname()[1] if self._server is not None else -1

    async def start(self) -> None:
        """Listen. Raise OSError."""
        config = self._config
        if config.port < 0:
            return
        self._server = await asyncio.start_server(
            self._connected,
            config.host,
            config.port,
            limit=READ,
            ssl=self._tls,
            ssl_handshake_timeout=HANDSHAKE if self._tls is not None else None,
        )
        secured = " over TLS" if self._tls is not None else ""
        log.info("C-STORE on TCP port %d%s, for %d titles", self.port, secured, len(self._rooms))

    async def close(self) -> None:
        """Listen no more and abort what is open; an object that is not in its room yet is not taken."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- who may, and where to -----------------------------------------------------------------------------------

    def permit(self, address: str, called: str, calling: str) -> Rejection | None:
        """Say why an association is not taken."""
        if self._moved_to(called):
            if calling != self._pacs.sender:
                return Rejection.CALLING
        elif called not in self._rooms:
            return Rejection.CALLED
        elif not {(calling, ""), (calling, address)} & self._senders:
            return Rejection.CALLING
        return Rejection.BUSY if self._associations >= ASSOCIATIONS else None

    def _moved_to(self, called: str) -> bool:
        """Tell whether this is the title to which the archive sends what it was asked for."""
        return bool(self._pacs.sender) and called == self._aet

    async def deliver(self, called: str, path: Path) -> int:
        """Have an object put where its called title says; gives the status. Raise OSError."""
        if self._moved_to(called):
            try:
                found, _ = await self._store.decoder.ask("study", path)
            except DicomError:
                return NOT_UNDERSTOOD
            return TAKEN if await self._pacs.moves.deliver(found["study"], path) else NOT_AUTHORISED
        verdict = await self._store.add(path, self._rooms[called], source="device")
        if not isinstance(verdict, Quarantined):
            return TAKEN
        # either may be otherwise when the device tries again
        return OUT_OF_RESOURCES if verdict.code in {"too_large", "not_scanned"} else NOT_UNDERSTOOD

    async def too_large(self, called: str) -> None:
        """Put on the room's list that an object was too large; of what is moved the archive's count says so."""
        if called not in self._rooms:
            return
        error = DicomError(
            "too_large", f"The file has more than {self._store.file_bytes >> 20} MiB.", "file_too_large"
        )
        await self._store.refuse(None, self._rooms[called], error, source="device", name="")

    # -- connections ---------------------------------------------------------------------------------------------

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._tasks) >= CONNECTIONS or self._server is None:
            writer.transport.abort()
            return
        self._tasks.add(task)
        now = asyncio.get_running_loop().time
        address = writer.get_extra_info("peername")[0]
        permit = partial(self.permit, address)
        acceptor = Acceptor(permit, self._syntaxes, IMPLEMENTATION, self._store.file_bytes, now())
        incoming = Incoming(self._store.spool, self.deliver, self.too_large)
        counted = False
        try:
            while not acceptor.over:
                try:
                    async with asyncio.timeout_at(acceptor.get_timer()):
                        data = await reader.read(READ)
                except TimeoutError:
                    acceptor.handle_timer(now())
                except (OSError, ssl.SSLError):
                    acceptor.receive_data(b"", now())
                else:
                    acceptor.receive_data(data, now())
                if acceptor.established and not counted:
                    counted = True
                    self._associations += 1
                while (event := acceptor.next_event()) is not None:
                    status = await incoming.take(event)
                    if status is not None:
                        acceptor.answer(status, now())
                await _send(writer, acceptor)
        except (OSError, TimeoutError):
            log.info("a DICOM association ended: the peer takes no answers")
        finally:
            acceptor.abort("the server stops")
            self._associations -= counted
            self._tasks.discard(task)
            incoming.drop()
            await _closed(reader, writer, acceptor.data_to_send())


async def _closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, last: bytes) -> None:
    """Say a last thing and let the peer close, as PS3.8 has it: else what is on its way may be lost."""
    try:
        async with asyncio.timeout(CLOSING):
            writer.write(last)
            if writer.can_write_eof():
                writer.write_eof()
            while await reader.read(READ):
                pass
    except (OSError, RuntimeError, TimeoutError):
        pass
    try:
        async with asyncio.timeout(CLOSING):
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


async def _send(writer: asyncio.StreamWriter, acceptor: Acceptor) -> None:
    data = acceptor.data_to_send()
    if data:
        writer.write(data)
        async with asyncio.timeout(SENDING):
            await writer.drain()


async def _on_disk(work: Callable[[], object]) -> None:
    """Do something in a thread; who is stopped meanwhile waits for it: else it would be done after all was let go."""
    doing = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(doing)
    finally:
        await asyncio.wait({doing})


class Incoming:
    """The object that comes over one association, on its way to the disk."""

    def __init__(
        self,
        spool: Callable[[], Path],
        deliver: Callable[[str, Path], Awaitable[int]],
        too_large: Callable[[str], Awaitable[None]],
    ) -> None:
        self._spool, self._deliver, self._too_large = spool, deliver, too_large
        self._called = ""
        self._path: Path | None = None
        self._file: io.BufferedWriter | None = None
        self._gathered = bytearray()
        self._failed = False

    async def take(self, event: Event) -> int | None:
        """Do what an event asks for; gives the status when an object is whole."""
        if isinstance(event, Ended):
            log.info("a DICOM association ended: %s", event.why)
            if event.too_large:
                await self._too_large(self._called)
            return None
        try:
            if isinstance(event, Begun):
                self._called, self._failed = event.called, False
                self._path = self._spool()
                await _on_disk(self._open)
                self._gathered += file_head(event.sop_class, event.sop_instance, event.transfer_syntax)
            elif isinstance(event, Piece):
                if not self._failed:
                    self._gathered += event.data
                    if len(self._gathered) >= GATHERED:
                        await self._write()
            elif not self._failed:
                await self._write()
                return await self._whole()
        except OSError:
            log.warning("a DICOM object could not be written")
            self._failed = True
            self.drop()
        return None if isinstance(event, Begun | Piece) else OUT_OF_RESOURCES

    def drop(self) -> None:
        """Let go of what is not whole."""
        self._gathered.clear()
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None

    def _open(self) -> None:
        assert self._path is not None
        self._file = self._path.open("wb")

    async def _write(self) -> None:
        assert self._file is not None
        data, self._gathered = self._gathered, bytearray()
        await _on_disk(partial(self._file.write, data))

    async def _whole(self) -> int:
        assert self._path is not None
        assert self._file is not None
        # what its buffer still holds may be what the disk refuses
        await _on_disk(self._file.close)
        try:
            return await self._deliver(self._called, self._path)
        finally:
            self.drop()


def checked_title(title: str, key: str) -> str:
    """Check an AE title (PS3.5, 6.2). Raise ValueError."""
    if not 0 < len(title) <= 16 or not title.isascii() or not title.isprintable() or "\\" in title:
        raise ValueError(f"[scp] {key}: a title has from 1 to 16 characters of ASCII, and no backslash.")
    return title
