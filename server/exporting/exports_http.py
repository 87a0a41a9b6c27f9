"""Exports over HTTP (PROTOCOL.md, section 6): asked for, listed, cancelled, fetched in ranges.

What a browser saves it fetches without the page, so without a bearer: the list gives a cookie for that, which only
these paths see and which opens files and nothing else.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from aiohttp import web

from recorder.export.failing import why
from recorder.export.kinds import ExportError
from recorder.journal import JournalError
from recorder.library import JOURNAL, UnknownRecording, read_header
from recorder.manifest import MANIFEST
from recorder.seal.suites import SealError
from signalling.permissions import Permission, may
from signalling.tokens import Claims

from ..bearer import bearer, demand, person_of
from ..keeping import audit
from ..path_cookie import PathCookie
from ..sealed_response import give_sealed
from ..service import Service
from . import sign_off
from .jobs import MOST, TooManyExports
from .restricted import without_restricted
from .rows import Row

log = logging.getLogger(__name__)

PATH = "/api/exports"
#: Longest request: two hundred bookmarks of two hundred characters.
REQUEST_LIMIT = 256 << 10
#: Who has fetched what of late: so many are remembered.
_FETCHES = 1024


def add_routes(application: web.Application, service: Service) -> None:
    """Add ``/api/exports``."""
    http = Exporting(service)
    application.router.add_post(PATH, http.ask)
    application.router.add_get(PATH, http.list)
    application.router.add_delete(PATH + "/{export}", http.remove)
    application.router.add_post(PATH + "/{export}/sign-off", http.sign)
    application.router.add_get(PATH + "/{export}/{file}", http.give)


class Exporting:
    """Answers to whoever may export, for the recordings of the token's room."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._exports = service.exports
        self._library = service.archive.library
        self._fetches: dict[tuple[str, str, str], float] = {}
        self._cookie = PathCookie(service, "exports", PATH)

    async def ask(self, request: web.Request) -> web.Response:
        """Take an export on."""
        claims = self._claims(request)
        recording, kind, fields = await self._read(request)
        await self._check(recording, claims)
        await sign_off.demand_consent(self._service, recording, kind)
        try:
            fields = await asyncio.to_thread(self._for_everybody, recording, kind, fields)
            export = await self._exports.ask(
                recording, claims.room, kind, fields, person_of(claims), claims.name
            )
        except ExportError as error:
            raise web.HTTPBadRequest(text=str(error), reason=error.code) from None
        except TooManyExports:
            raise web.HTTPTooManyRequests(
                text=f"A recording has at most {MOST} exports at a time: remove some first."
            ) from None
        except UnknownRecording as error:
            raise web.HTTPNotFound(text=str(error)) from None
        except SealError as error:
            raise web.HTTPForbidden(text=str(error), reason=why(error).code) from None
        except OSError:
            log.exception("an export could not be laid down")
            raise web.HTTPInsufficientStorage(
                text="The server cannot write the export to its disk."
            ) from None
        await audit.note(self._service, claims, "export_asked", recording=recording, export=export, kind=kind)
        return web.json_response({"export": export}, status=201)

    async def list(self, request: web.Request) -> web.Response:
        """List the exports of a recording, and renew the cookie that fetches their files.

        Who may replay alone sees its teaching copies that were signed off.
        """
        claims = self._claims(request, "replay")
        recording = request.query.get("recording", "")
        await self._check_room(recording, claims)
        response = web.json_response(
            await self._exports.list(recording, claims.role), headers={"Cache-Control": "private, no-store"}
        )
        return self._cookie.give(response, claims)

    async def remove(self, request: web.Request) -> web.Response:
        """Cancel an export, or remove what came of it."""
        claims = self._claims(request)
        row = await self._row(request, claims)
        await self._exports.remove(row.export)
        await audit.note(
            self._service, claims, "export_removed", recording=row.recording, export=row.export, kind=row.kind
        )
        return web.Response(status=204)

    async def give(self, request: web.Request) -> web.StreamResponse:
        """Send a file, or a range of it, opened on its way."""
        claims = self._claims(request, "replay", cookie=True)
        row = await self._row(request, claims)
        if not sign_off.may_see(claims.role, row):
            # who may not export learns of a copy when it was signed off; of the rest only that it is not for him
            demand(claims, "export")
        if not sign_off.is_given(claims.role, row):
            raise web.HTTPConflict(text="This export is not done.")
        await sign_off.demand_consent(self._service, row.recording, row.kind)
        name = request.match_info["file"]
        path = await asyncio.to_thread(self._exports.file, row, name)
        if path is None or not await asyncio.to_thread(path.is_file):
            raise web.HTTPNotFound(text="This export has no file of this name.")
        media_type = next(str(file["type"]) for file in row.files if file["name"] == name)
        headers = {
            "Content-Type": media_type,
            # names of recordings and files are ours, and ASCII
            "Content-Disposition": f'attachment; filename="{_saved_as(row, name)}"',
            "Cache-Control": "private, no-store",
        }
        try:
            key = await asyncio.to_thread(self._library.key, row.recording)
        except SealError as error:
            raise web.HTTPForbidden(text=str(error)) from None
        except UnknownRecording as error:
            raise web.HTTPNotFound(text=str(error)) from None
        await self._note_fetch(claims, row, name)
        if key is None:
            return web.FileResponse(path, headers=headers)
        return await give_sealed(request, path, key, headers)

    async def sign(self, request: web.Request) -> web.Response:
        """Take somebody's word that he has looked at all of a teaching copy: it is given to who may replay."""
        claims = self._claims(request)
        row = await self._row(request, claims)
        sign_off.read_looks(await self._body(request))
        await sign_off.demand_consent(self._service, row.recording, row.kind)
        await sign_off.sign(self._service, claims, row)
        return web.Response(status=204)

    async def _note_fetch(self, claims: Claims, row: Row, name: str) -> None:
        """Write down that somebody takes a file, once an hour, in however many ranges; else it is not given."""
        now, fetch = self._service.wall_clock(), (person_of(claims), row.export, name)
        if now - self._fetches.get(fetch, -audit.VISIT) < audit.VISIT:
            return
        await audit.note_first(
            self._service, claims, "export_fetched", recording=row.recording, export=row.export, file=name
        )
        self._fetches.pop(fetch, None)
        self._fetches[fetch] = now
        while len(self._fetches) > _FETCHES:
            del self._fetches[next(iter(self._fetches))]

    def _for_everybody(self, recording: str, kind: str, fields: dict[str, object]) -> dict[str, object]:
        description = self._library.description(recording)
        if description is None:
            raise ExportError("This recording is still being prepared.", "being_prepared")
        return without_restricted(kind, fields, description, self._library.audiences(recording))

    # -- who asks, and for what ----------------------------------------------------------------------------------

    def _claims(
        self, request: web.Request, permission: Permission = "export", *, cookie: bool = False
    ) -> Claims:
        claims = self._cookie.claims(request) if cookie else bearer(request, self._service)
        if not may(claims.role, "export"):
            demand(claims, permission)
        return claims

    async def _body(self, request: web.Request) -> Any:
        raw = bytearray()
        async for piece in request.content.iter_chunked(1 << 16):
            raw += piece
            if len(raw) > REQUEST_LIMIT:
                raise web.HTTPRequestEntityTooLarge(REQUEST_LIMIT, len(raw), text="The request is too long.")
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            raise web.HTTPBadRequest(text="The request is not JSON.") from None

    async def _read(self, request: web.Request) -> tuple[str, str, dict[str, Any]]:
        body = await self._body(request)
        fields = body.get("options", {}) if isinstance(body, dict) else None
        recording, kind = (body.get(name) for name in ("recording", "kind")) if fields is not None else (0, 0)
        if not isinstance(recording, str) or not isinstance(kind, str) or not isinstance(fields, dict):
            raise web.HTTPBadRequest(
                text="An export names its `recording` and `kind`, and may have `options`."
            )
        return recording, kind, fields

    async def _row(self, request: web.Request, claims: Claims) -> Row:
        row = await self._exports.find(request.match_info["export"])
        if row is None or row.room != claims.room:
            raise web.HTTPNotFound(text="There is no such export.")
        return row

    async def _check(self, recording: str, claims: Claims) -> None:
        """See that the recording is of the room, and finished."""
        await self._check_room(recording, claims)
        folder = self._library.root / recording
        being_made = recording in self._service.archive.running or recording in self._service.archive.progress
        if being_made or not await asyncio.to_thread((folder / MANIFEST).exists):
            raise web.HTTPConflict(text="This recording is still being prepared. Please wait a moment.")

    async def _check_room(self, recording: str, claims: Claims) -> None:
        def room_of() -> str:
            return read_header(self._library.folder(recording) / JOURNAL).room

        try:
            room = await asyncio.to_thread(room_of)
        except (UnknownRecording, JournalError) as error:
            raise web.HTTPNotFound(text=str(error)) from None
        if room != claims.room:
            raise web.HTTPNotFound(text=f"There is no recording {recording!r}.")


def _saved_as(row: Row, name: str) -> str:
    """Name a file as it is saved: a recording's name tells room and time, so a copy that names nobody lacks it."""
    if row.kind in sign_off.SIGNED_KINDS:
        return f"teaching-{row.export}-{name}"
    return f"{row.export}-{name}" if row.kind == "dicom" else f"{row.recording}-{name}"
