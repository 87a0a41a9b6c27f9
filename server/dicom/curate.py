"""What surgeon and chair decide of a room's images: what goes, what is released, what becomes of what was not taken."""

from __future__ import annotations

import asyncio

from aiohttp import web

from annotation.dicom.room_uids import is_uid

from ..bearer import bearer, demand
from ..service import Service
from . import answers
from .asking import BASE, INSTANCE, SERIES, STUDY, Asking

#: Bytes of a release request.
BODY_LIMIT = 4096


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths."""
    curate = Curate(service)
    router = application.router
    router.add_get(BASE + "/quarantine", curate.quarantine)
    router.add_get(BASE + "/quarantine/{number:[0-9]{1,9}}", curate.file)
    router.add_delete(BASE + "/quarantine/{number:[0-9]{1,9}}", curate.forget)
    router.add_post(BASE + "/release", curate.release)
    for path in (STUDY, SERIES, INSTANCE):
        router.add_delete(path, curate.remove)


class Curate(Asking):
    """Carries out what they decide."""

    async def quarantine(self, request: web.Request) -> web.Response:
        """List what was not taken, and why."""
        claims = bearer(request, self._service)
        demand(claims, "images")
        entries = await asyncio.to_thread(self._store.refused, claims.room)
        listed = [
            {
                "number": entry.number,
                "name": entry.name,
                "source": entry.source,
                "code": entry.code,
                "reason": entry.reason,
                "bytes": entry.bytes,
                "kept": bool(entry.file),
                "time": round(entry.added * 1000, 3),
            }
            for entry in entries
        ]
        return web.json_response({"quarantine": listed}, headers={"Cache-Control": "no-store"})

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Give a file that was not taken, for somebody to look at it."""
        claims = bearer(request, self._service)
        demand(claims, "curate_images")
        path = self._store.refused_file(claims.room, int(request.match_info["number"]))
        if path is None:
            raise web.HTTPNotFound(text="There is no such file.")
        headers = {
            "Content-Type": answers.OCTETS,
            "Content-Disposition": 'attachment; filename="refused.bin"',
            "Cache-Control": "no-store",
        }
        return web.FileResponse(path, headers=headers)

    async def forget(self, request: web.Request) -> web.Response:
        """Take a file off the list."""
        claims = bearer(request, self._service)
        demand(claims, "curate_images")
        if not await self._store.forget_refused(claims.room, int(request.match_info["number"])):
            raise web.HTTPNotFound(text="There is no such file.")
        return web.Response(status=204)

    async def release(self, request: web.Request) -> web.Response:
        """Show pictures in which words may stand to those who may not see the patient, or no more."""
        asker = self._asker(request)
        demand(asker.claims, "curate_images")
        if (request.content_length or 0) > BODY_LIMIT:
            raise web.HTTPRequestEntityTooLarge(BODY_LIMIT, request.content_length or 0)
        try:
            body = await request.json()
            keys = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
            named = {key: body[key] for key in keys if key in body}
            released = body["released"]
            if not named or type(released) is not bool or not all(is_uid(str(uid)) for uid in named.values()):
                raise ValueError
        except (ValueError, KeyError, TypeError):
            raise web.HTTPBadRequest(text="A release names UIDs, and released: true or false.") from None
        chosen = [
            record.sop
            for record in self._store.instances(asker.room)
            if named.get("StudyInstanceUID", record.study) == record.study
            and named.get("SeriesInstanceUID", record.series) == record.series
            and named.get("SOPInstanceUID", record.sop) == record.sop
        ]
        if not chosen:
            raise web.HTTPNotFound(text="The room has no such images.")
        await self._store.release(asker.room, chosen, released=released)
        return web.json_response({"instances": len(chosen), "released": released})

    async def remove(self, request: web.Request) -> web.Response:
        """Take images out of the room."""
        asker = self._asker(request)
        demand(asker.claims, "curate_images")
        _, items = self._found(request, asker)
        if not items:
            raise web.HTTPNotFound(text="The room has no such images.")
        await self._store.remove(asker.room, [item.sop for item in items])
        return web.Response(status=204)
