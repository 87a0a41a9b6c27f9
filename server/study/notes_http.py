"""Notes of a recording over HTTP (PROTOCOL.md, section 8), for whoever may replay it."""

from __future__ import annotations

import asyncio

from aiohttp import web

from annotation.dicom import listing
from recorder.journal import JournalError
from recorder.library import JOURNAL, UnknownRecording, read_header
from signalling.permissions import may
from signalling.tokens import Claims

from ..bearer import permitted, person_of
from ..request_body import read_up_to
from ..service import Service
from ..veiling import Reading, Veiled
from .note import BODY_LIMIT, Note, NoteError, number_of, parse_change, parse_note
from .notes import NotesFull, NotYours

PATH = "/api/study/{recording}"
#: What one wrote is in nobody's cache.
PRIVATE = {"Cache-Control": "private, no-store"}
_GONE = "There is no such note."


def add_routes(application: web.Application, service: Service) -> None:
    """Add ``/api/study``."""
    http = StudyHttp(service)
    application.router.add_get(PATH + "/notes", http.list)
    application.router.add_post(PATH + "/notes", http.add)
    application.router.add_patch(PATH + "/notes/{note}", http.change)
    application.router.add_delete(PATH + "/notes/{note}", http.delete)
    application.router.add_post(PATH + "/notes/{note}/restore", http.restore)
    application.router.add_get(PATH + "/images", http.images)


class StudyHttp:
    """Answers for the recordings of the token's room."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._notes = service.notes

    async def list(self, request: web.Request) -> web.Response:
        """List one's own notes and those that are shared."""
        recording, claims = await self._check(request)
        reader = person_of(claims)
        veiled = await self._veiled(recording, claims)
        notes = [_told(note, reader, veiled) for note in await self._notes.of(recording, reader)]
        return web.json_response({"notes": notes}, headers=PRIVATE)

    async def add(self, request: web.Request) -> web.Response:
        """Keep a note."""
        recording, claims = await self._check(request)
        reader = person_of(claims)
        try:
            note = await self._notes.add(recording, reader, claims.name, parse_note(await _body(request)))
        except NoteError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        except NotesFull as error:
            raise web.HTTPConflict(text=str(error)) from None
        return web.json_response(note.to_json(reader), status=201, headers=PRIVATE)

    async def change(self, request: web.Request) -> web.Response:
        """Say other words of one's own note, share it, or share it no more."""
        recording, claims = await self._check(request)
        reader = person_of(claims)
        try:
            change = parse_change(await _body(request))
            note = await self._notes.change(recording, _number(request), reader, change)
        except NoteError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        except NotYours as error:
            raise web.HTTPForbidden(text=str(error)) from None
        except NotesFull as error:
            raise web.HTTPConflict(text=str(error)) from None
        if note is None:
            raise web.HTTPNotFound(text=_GONE)
        return web.json_response(note.to_json(reader), headers=PRIVATE)

    async def delete(self, request: web.Request) -> web.Response:
        """Take a note away."""
        recording, claims = await self._check(request)
        teaches = may(claims.role, "teach")
        try:
            found = await self._notes.delete(recording, _number(request), person_of(claims), teaches=teaches)
        except NotYours as error:
            raise web.HTTPForbidden(text=str(error)) from None
        if not found:
            raise web.HTTPNotFound(text=_GONE)
        return web.Response(status=204)

    async def restore(self, request: web.Request) -> web.Response:
        """Bring back what one took away."""
        recording, claims = await self._check(request)
        reader = person_of(claims)
        try:
            note = await self._notes.restore(recording, _number(request), reader)
        except NotesFull as error:
            raise web.HTTPConflict(text=str(error)) from None
        if note is None:
            raise web.HTTPNotFound(text="There is no such note any more.")
        return web.json_response(_told(note, reader, await self._veiled(recording, claims)), headers=PRIVATE)

    async def images(self, request: web.Request) -> web.Response:
        """Say which images the room still has, as its `studies` notice does: a replay shows what was presented."""
        _, claims = await self._check(request)
        images = self._service.images
        there = images.listed(claims.room, claims.role) if images.store.exists else []
        studies = listing.summary(there, patient=may(claims.role, "patient"))
        return web.json_response({"studies": studies}, headers=PRIVATE)

    async def _veiled(self, recording: str, claims: Claims) -> Veiled:
        return await Reading(self._service, claims.room, claims.role).of(recording)

    async def _check(self, request: web.Request) -> tuple[str, Claims]:
        """Return the recording's name if it is of the token's room, and who asks; others do not exist."""
        claims = permitted(request, self._service, "replay")
        name = request.match_info["recording"]
        try:
            room = await asyncio.to_thread(self._room_of, name)
        except (UnknownRecording, JournalError) as error:
            raise web.HTTPNotFound(text=str(error)) from None
        if room != claims.room:
            raise web.HTTPNotFound(text=f"There is no recording {name!r}.")
        return name, claims

    def _room_of(self, recording: str) -> str:
        return read_header(self._service.archive.library.folder(recording) / JOURNAL).room


def _told(note: Note, reader: str, veiled: Veiled) -> dict[str, object]:
    body = note.to_json(reader)
    return body if note.person == reader else veiled.told(body, "text")


def _number(request: web.Request) -> int:
    number = number_of(request.match_info["note"])
    if number is None:
        raise web.HTTPNotFound(text=_GONE)
    return number


async def _body(request: web.Request) -> bytes:
    """Read the body as far as it may be read. Raise 413."""
    raw = await read_up_to(request, BODY_LIMIT)
    if len(raw) > BODY_LIMIT:
        raise web.HTTPRequestEntityTooLarge(BODY_LIMIT, len(raw), text="The note is too long.")
    return raw
