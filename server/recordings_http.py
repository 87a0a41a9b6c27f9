"""Recordings over HTTP: the list, a description, and the frozen frames (pictures and sounds: `segments_http`).

A ``<video>`` element cannot bear a token, and a URL must not; so the page trades its token for a cookie that only
this path sees.
"""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from annotation.veiled import veil_recording
from recorder.audience import without
from recorder.journal import JournalError
from recorder.library import (
    JOURNAL,
    DamagedFile,
    MovedRecording,
    RecordingSummary,
    UnknownRecording,
    read_header,
)
from recorder.seal.keys import DataKey
from recorder.seal.suites import SealError
from signalling.tokens import Claims

from .bearer import demand, permitted, person_of
from .path_cookie import PathCookie
from .service import Service
from .veiling import Reading, is_veiled

log = logging.getLogger(__name__)

PATH = "/api/recordings"

BEING_PREPARED = "This recording is still being prepared. Please wait a moment."


def add_routes(application: web.Application, service: Service) -> None:
    """Add ``/api/recordings`` and ``/api/replay``."""
    replay = Recordings(service)
    application.router.add_get(PATH, replay.list)
    application.router.add_get(PATH + "/{recording}", replay.describe)
    application.router.add_get(PATH + "/{recording}/{file}", replay.file)
    application.router.add_post("/api/replay", replay.open)


class Recordings:
    """Serves the library to whoever may replay the room's recordings."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._library = service.archive.library
        self._cookie = PathCookie(service, "replay", PATH)

    def _claims(self, request: web.Request) -> Claims:
        claims = self._cookie.claims(request)
        demand(claims, "replay")
        return claims

    async def list(self, request: web.Request) -> web.Response:
        """List the recordings of the token's room, the newest first."""
        claims = self._claims(request)
        running = self._service.archive.running
        found = await asyncio.to_thread(self._library.recordings, claims.room, set(running))
        return web.json_response({"recordings": [self._summary(summary) for summary in found]})

    def _summary(self, summary: RecordingSummary) -> dict[str, object]:
        body: dict[str, object] = {
            "recording": summary.recording,
            "room": summary.room,
            "started": summary.started / 1e6,
            "seconds": round(summary.seconds, 3),
            "state": summary.state,
            "cameras": summary.cameras,
            "marks": summary.marks,
        }
        if (
            summary.state == "moved"
            and (fetched := self._service.keeper.copies.fetching.get(summary.recording)) is not None
        ):
            body["progress"] = round(fetched, 3)
        progress = self._service.archive.progress.get(summary.recording)
        if progress is not None:
            body |= {"state": "preparing", "progress": round(progress, 3)}
        if (preview := self._service.previews.progress.get(summary.recording)) is not None:
            body["preview"] = round(preview, 3)
        return body

    async def open(self, request: web.Request) -> web.Response:
        """Trade the bearer for the cookie."""
        claims = permitted(request, self._service, "replay")
        return self._cookie.give(web.Response(status=204), claims)

    async def describe(self, request: web.Request) -> web.Response:
        """Describe a recording of the token's room (PROTOCOL.md, section 8)."""
        recording, claims = await self.check(request)
        withheld = await self._withheld(recording, claims)
        try:
            description = await asyncio.to_thread(self._library.description, recording)
        except SealError:
            raise _tampered() from None
        if description is None:
            raise web.HTTPConflict(text=BEING_PREPARED)
        await self._service.openings.note(claims, recording)
        # nobody is given a picture that was not for him
        description = without(description, withheld)
        # who may not see the patient reads what was written with him hidden, as he read it live
        hidden = is_veiled(claims.role)
        # and those who are known since, by whoever completed the recording's patients
        hide = (await Reading(self._service, claims.room, claims.role).of(recording)).hide
        given = await asyncio.to_thread(veil_recording, description, hidden=hidden, hide=hide)
        # nor the answers to questions that he has still to answer
        given = await self._service.training.withheld(claims, recording, given)
        return web.json_response(given, headers={"Cache-Control": "private, no-cache"})

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Serve a frozen frame."""
        recording, claims = await self.check(request)
        name = request.match_info["file"]
        producer = name.partition("-")[0]
        if producer.isdecimal():
            await self.check_audience(recording, claims, int(producer[:10]))
        return await self._still(recording, name)

    async def check_audience(self, recording: str, claims: Claims, producer: int) -> None:
        """Raise 403 unless this picture or sound was for whoever asks, 409 while that is not known."""
        if producer in await self._withheld(recording, claims):
            raise web.HTTPForbidden(text="This picture was not for everybody, and is not for you.")

    async def check_track(self, request: web.Request) -> tuple[str, DataKey | None]:
        """Give the recording whose track is asked for, and its key, if who asks may have it, and note that he did."""
        recording, claims = await self.check(request)
        await self.check_audience(recording, claims, int(request.match_info["producer"]))
        await self._service.openings.note(claims, recording)
        return recording, await self.key(recording)

    async def _withheld(self, recording: str, claims: Claims) -> frozenset[int]:
        await self.key(recording)
        try:
            audiences = await asyncio.to_thread(self._library.audiences, recording)
        except FileNotFoundError:
            raise web.HTTPConflict(text=BEING_PREPARED) from None
        except SealError:
            raise _tampered() from None
        return audiences.withheld(claims.role, person_of(claims))

    async def key(self, recording: str) -> DataKey | None:
        """Give what a recording is sealed with, or refuse in words."""
        try:
            return await asyncio.to_thread(self._library.key, recording)
        except SealError as error:
            raise web.HTTPForbidden(text=str(error)) from None

    async def _still(self, recording: str, name: str) -> web.Response:
        await self.key(recording)
        try:
            png = await asyncio.to_thread(self._library.still, recording, name)
        except UnknownRecording as error:
            raise web.HTTPNotFound(text=str(error)) from None
        except (DamagedFile, SealError):
            # SealError: it is the description that was tampered with, which says what the frame must be
            log.error("a frozen frame of a recording is not the one that was recorded")
            raise web.HTTPGone(text="This frozen frame is not the one that was recorded.") from None
        headers = {"Cache-Control": "private, no-store"}
        return web.Response(body=png, content_type="image/png", headers=headers)

    async def check(self, request: web.Request) -> tuple[str, Claims]:
        """Return the recording's name if it is of the token's room, and who asks; others do not exist."""
        name = request.match_info["recording"]
        return name, await self.allow(request, name)

    async def allow(self, request: web.Request, name: str) -> Claims:
        """Tell who asks, if the recording is of his room and he may replay it; raise the refusal if not."""
        claims = self._claims(request)
        try:
            room = await asyncio.to_thread(self._room_of, name)
        except MovedRecording as error:
            if (await asyncio.to_thread(self._library.room_of_moved, name)) != claims.room:
                raise web.HTTPNotFound(text=f"There is no recording {name!r}.") from None
            self._service.keeper.copies.fetch(name)
            raise web.HTTPConflict(text=str(error), reason="moved") from None
        except (UnknownRecording, JournalError) as error:
            raise web.HTTPNotFound(text=str(error)) from None
        if room != claims.room:
            raise web.HTTPNotFound(text=f"There is no recording {name!r}.")
        return claims

    def _room_of(self, recording: str) -> str:
        return read_header(self._library.folder(recording) / JOURNAL).room


def _tampered() -> web.HTTPException:
    # whoever keeps the archive must know; the page says it to whoever looks
    log.error("the description of a recording was tampered with")
    return web.HTTPInternalServerError(text="This recording has been tampered with.")
