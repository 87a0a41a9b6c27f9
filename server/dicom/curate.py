"""What surgeon and chair decide of a room's images: what goes, and what all may see although words may stand in it."""

from __future__ import annotations

from aiohttp import web

from annotation.dicom.room_uids import is_uid

from ..bearer import demand
from ..service import Service
from .asking import BASE, INSTANCE, SERIES, STUDY, Asking

#: Bytes of a release request.
BODY_LIMIT = 4096


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths."""
    curate = Curate(service)
    router = application.router
    router.add_post(BASE + "/release", curate.release)
    for path in (STUDY, SERIES, INSTANCE):
        router.add_delete(path, curate.remove)


class Curate(Asking):
    """Carries out what they decide."""

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
