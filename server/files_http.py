"""Files over HTTP (PROTOCOL.md, section 13): announced, sent in pieces from an offset, finished by their hash; fetched.

A piece is streamed to the disk by a thread while the next one is read; what came before a connection broke is kept,
and the sender asks where to go on.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import NoReturn

from aiohttp import web

from annotation.notes import SharedFile
from signalling.entities import Participant, State
from signalling.files import (
    BODY_LIMIT,
    FileError,
    disposition,
    is_file_id,
    parse_finish,
    parse_new,
    parse_offset,
)
from signalling.permissions import may
from signalling.tokens import Claims

from .bearer import bearer, permitted
from .files import FileRefused, FileStore, Incoming, StoredFile
from .request_body import read_up_to
from .service import Service

PATH = "/api/files"
PIECE_TYPE = "application/offset+octet-stream"

#: Bytes that go to the disk at once: with more, each piece ends with a longer wait for its last ones.
BATCH = 1 << 20
#: Seconds that a sender may be silent within a piece.
SILENCE = 60.0
#: Pieces that are received at once, for all.
MOST_AT_ONCE = 16
#: Seconds after which who waits for the scanner is told to ask again.
SCAN_WAIT = 20.0

_REFUSALS: dict[int, type[web.HTTPClientError | web.HTTPServerError]] = {
    403: web.HTTPForbidden,
    404: web.HTTPNotFound,
    409: web.HTTPConflict,
    422: web.HTTPUnprocessableEntity,
    429: web.HTTPTooManyRequests,
    503: web.HTTPServiceUnavailable,
    507: web.HTTPInsufficientStorage,
}


def add_routes(application: web.Application, service: Service) -> None:
    """Add ``/api/files``."""
    files = Files(service)
    router = application.router
    router.add_get(PATH, files.list)
    router.add_post(PATH, files.begin)
    router.add_head(PATH + "/{file}", files.tell)
    router.add_patch(PATH + "/{file}", files.receive)
    router.add_post(PATH + "/{file}", files.finish)
    router.add_get(PATH + "/{file}", files.fetch, allow_head=False)
    router.add_delete(PATH + "/{file}", files.delete)


class Files:
    """Serves the store to those who are let into the room."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._store: FileStore = service.files
        self._receiving = 0

    # -- sending -------------------------------------------------------------------------------------------------

    async def begin(self, request: web.Request) -> web.Response:
        """Announce a file; answers under which name its pieces are taken."""
        claims = permitted(request, self._service, "message")
        self._present(claims)
        try:
            new = parse_new(await read_up_to(request, BODY_LIMIT))
            incoming = self._store.begin(
                new, room=claims.room, link=claims.link, by=claims.name, now=self._service.now()
            )
        except FileError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        except FileRefused as error:
            _raise(error)
        about = incoming.about
        return web.json_response(
            {"file": about.file, "offset": 0},
            status=201,
            headers={"Location": f"{PATH}/{about.file}", "Upload-Offset": "0"},
        )

    async def tell(self, request: web.Request) -> web.StreamResponse:
        """Tell how much of a file has come, or how large it is that may be fetched."""
        claims = bearer(request, self._service)
        file = _file(request)
        incoming = self._store.incoming.get(file)
        if incoming is None:
            return await self.fetch(request)
        self._own(claims, incoming)
        await _settled(incoming)
        headers = {
            "Upload-Offset": str(incoming.offset),
            "Upload-Length": str(incoming.about.size),
            "Cache-Control": "no-store",
        }
        return web.Response(status=204, headers=headers)

    async def receive(self, request: web.Request) -> web.Response:
        """Take the piece that begins at Upload-Offset."""
        incoming = self._mine(request)
        if request.content_type != PIECE_TYPE:
            raise web.HTTPUnsupportedMediaType(
                text=f"A piece is sent as {PIECE_TYPE}.", headers={"Accept-Patch": PIECE_TYPE}
            )
        try:
            offset = parse_offset(request.headers.get("Upload-Offset"))
        except FileError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        if self._receiving >= MOST_AT_ONCE:
            raise web.HTTPTooManyRequests(
                text="Too many files arrive just now. Please wait a little.", headers={"Retry-After": "2"}
            )
        # who comes back has given the broken connection up, even if we have not noticed yet
        while incoming.piece is not None and not incoming.piece.done():
            incoming.piece.cancel()
            await _settled(incoming)
        if incoming.finishing is not None or offset != incoming.offset:
            raise web.HTTPConflict(
                text=f"This file goes on at byte {incoming.offset}.",
                headers={"Upload-Offset": str(incoming.offset)},
            )
        if (request.content_length or 0) > incoming.lacking:
            raise web.HTTPRequestEntityTooLarge(
                incoming.lacking,
                request.content_length or 0,
                text="This is more than the file was said to have.",
            )
        self._receiving += 1
        incoming.piece = asyncio.create_task(self._stream(request, incoming))
        try:
            await asyncio.shield(incoming.piece)
        except asyncio.CancelledError:
            raise web.HTTPConflict(text="The file is being sent over another connection.") from None
        except FileRefused as error:
            _raise(error)
        finally:
            self._receiving -= 1
            incoming.touched = self._service.now()
        return web.Response(status=204, headers={"Upload-Offset": str(incoming.offset)})

    async def _stream(self, request: web.Request, incoming: Incoming) -> None:
        """Read the body and write it down behind; when the line breaks, what came counts. Raise FileRefused."""
        batch: list[bytes] = []
        size, room = 0, incoming.lacking
        writing: asyncio.Future[None] | None = None
        try:
            while True:
                async with asyncio.timeout(SILENCE):
                    data = await request.content.readany()
                if not data:
                    break
                room -= len(data)
                if room < 0:
                    raise FileRefused(409, "file_too_long", "This is more than the file was said to have.")
                batch.append(data)
                size += len(data)
                if size >= BATCH:
                    if writing is not None:
                        await writing
                    writing = asyncio.ensure_future(asyncio.to_thread(incoming.append, batch))
                    batch, size = [], 0
                    incoming.touched = self._service.now()
        except (OSError, web.RequestPayloadError):
            # the line broke, or was silent for too long: what came counts
            pass
        finally:
            if writing is not None:
                await asyncio.shield(writing)
            if batch:
                await asyncio.shield(asyncio.to_thread(incoming.append, batch))

    async def finish(self, request: web.Request) -> web.Response:
        """End a file by its hash; it is passed on once it is found clean. To be asked again after 202."""
        claims = permitted(request, self._service, "message")
        file = _file(request)
        try:
            digest = parse_finish(await read_up_to(request, BODY_LIMIT))
        except FileError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        kept = self._store.kept.get(file)
        if kept is not None and (kept.room, kept.link, kept.digest) == (claims.room, claims.link, digest):
            return web.json_response(self._describe(kept, claims))
        if file in self._store.refusals:
            _raise(self._store.refusals[file])
        incoming = self._mine(request)
        await _settled(incoming)
        if incoming.finishing is None:
            incoming.finishing = asyncio.create_task(self._finish(incoming, digest, self._present(claims)))
        finishing = incoming.finishing
        await asyncio.wait({finishing}, timeout=SCAN_WAIT)
        if not finishing.done():
            return web.json_response({"file": file, "state": "scanning"}, status=202)
        # what failed for the moment may be tried again
        incoming.finishing = None
        try:
            about = finishing.result()
        except asyncio.CancelledError:
            raise web.HTTPNotFound(text="There is no such file any more.") from None
        except FileRefused as error:
            _raise(error)
        return web.json_response(self._describe(about, claims))

    def _present(self, claims: Claims) -> Participant:
        """Find who asks in the room: the link alone, of one at the door or shown out, opens no file. Raise 403."""
        conductor = self._service.rooms.get(claims.room)
        here = [p for p in conductor.room.participants if p.link == claims.link] if conductor else []
        if not here:
            _raise(
                FileRefused(403, "not_present", "Files are for those who are in the room. Please join first.")
            )
        return min(here, key=lambda participant: participant.state is not State.CONNECTED)

    async def _finish(self, incoming: Incoming, digest: str, author: Participant) -> StoredFile:
        """Have the file kept, then tell everybody in the room's log. Raise FileRefused."""
        about = await self._store.finish(incoming, digest, self._service.now())
        conductor = self._service.rooms.get(about.room)
        if conductor is not None:
            note = SharedFile(about.file, about.name, about.size, about.digest, about.type)
            conductor.decide(note, author.participant, author.name, author.colour)
        return about

    # -- fetching ------------------------------------------------------------------------------------------------

    async def list(self, request: web.Request) -> web.Response:
        """List the room's files, the oldest first."""
        claims = permitted(request, self._service, "fetch_files")
        self._present(claims)
        files = [self._describe(about, claims) for about in self._store.of_room(claims.room)]
        limits = {"size": self._store.config.size_mb << 20, "scanned": self._service.scanner.exists}
        return web.json_response({"files": files, **limits}, headers={"Cache-Control": "no-store"})

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """Give a file, or a range of it, for saving and for nothing else."""
        claims = permitted(request, self._service, "fetch_files")
        self._present(claims)
        try:
            about = self._store.find(_file(request), claims.room)
        except FileRefused as error:
            _raise(error)
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": disposition(about.name),
            "Cache-Control": "private, no-store",
            "Konsil-Digest": about.digest,
        }
        return web.FileResponse(self._store.path(about), headers=headers, chunk_size=1 << 20)

    async def delete(self, request: web.Request) -> web.Response:
        """Delete one's own file, whole or not; or anybody's, by who may show others out."""
        claims = bearer(request, self._service)
        file = _file(request)
        incoming = self._store.incoming.get(file)
        about = incoming.about if incoming is not None else self._store.kept.get(file)
        if about is None or about.room != claims.room:
            raise web.HTTPNotFound(text="There is no such file any more.")
        if about.link != claims.link and not may(claims.role, "remove"):
            raise web.HTTPForbidden(text="This is somebody else's file.")
        if incoming is not None and incoming.finishing is not None:
            incoming.finishing.cancel()
        self._store.remove(file)
        return web.Response(status=204)

    # -- who and which -------------------------------------------------------------------------------------------

    def _mine(self, request: web.Request) -> Incoming:
        claims = permitted(request, self._service, "message")
        incoming = self._store.incoming.get(_file(request))
        if incoming is None:
            raise web.HTTPNotFound(text="There is no such file, or it is whole already.")
        self._own(claims, incoming)
        return incoming

    @staticmethod
    def _own(claims: Claims, incoming: Incoming) -> None:
        # of another's file nothing is told, not even that it exists
        if (incoming.about.room, incoming.about.link) != (claims.room, claims.link):
            raise web.HTTPNotFound(text="There is no such file, or it is whole already.")

    def _describe(self, about: StoredFile, claims: Claims) -> dict[str, object]:
        return about.to_json() | {
            "by": about.by,
            "since": about.since * 1000,
            "until": self._store.until(about) * 1000,
            "scanned": about.scanned,
            "deletable": about.link == claims.link or may(claims.role, "remove"),
        }


def _raise(refusal: FileRefused) -> NoReturn:
    # the code of an error is its reason phrase (`application.guard`)
    reason = refusal.code.replace("_", " ")
    if refusal.status == 413:
        raise web.HTTPRequestEntityTooLarge(0, 0, text=str(refusal), reason=reason) from None
    raise _REFUSALS[refusal.status](text=str(refusal), reason=reason) from None


def _file(request: web.Request) -> str:
    file = request.match_info["file"]
    if not is_file_id(file):
        raise web.HTTPNotFound(text="There is no such file.")
    return file


async def _settled(incoming: Incoming) -> None:
    """Wait until a piece before is written down as far as it came."""
    if incoming.piece is not None:
        with contextlib.suppress(asyncio.CancelledError, FileRefused):
            await asyncio.wait({incoming.piece})
