"""What was put aside: files that were not taken, and pictures withheld from those who may not see the patient.

Who may bring images sees the lists; surgeon and chair look closer, try a file once more, throw it away, fetch it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from annotation.dicom.describe import word_of_warning
from annotation.dicom.errors import DicomError
from signalling.permissions import Permission

from ..bearer import permitted
from ..service import Service
from . import answers
from .asking import BASE, Asking
from .index import Record, Refused
from .upload import describe

#: Pictures of a series that are looked at before it is released, spread over it.
SAMPLE = 8
NOBODY = "There is no such file."
NUMBER = BASE + "/quarantine/{number:[0-9]{1,9}}"


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths."""
    aside = Aside(service)
    router = application.router
    router.add_get(BASE + "/quarantine", aside.quarantine)
    router.add_get(NUMBER, aside.file)
    router.add_get(NUMBER + "/look", aside.look)
    router.add_post(NUMBER + "/again", aside.again)
    router.add_delete(NUMBER, aside.forget)
    router.add_get(BASE + "/withheld", aside.withheld)


class Aside(Asking):
    """Answers about what was put aside in the token's room."""

    def _room(self, request: web.Request, permission: Permission = "curate_images") -> str:
        claims = permitted(request, self._service, permission)
        return claims.room

    async def quarantine(self, request: web.Request) -> web.Response:
        """List what was not taken, and why."""
        room = self._room(request, "images")
        entries = await asyncio.to_thread(self._store.refused, room)
        return _fresh({"quarantine": [_listed(entry) for entry in entries]})

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Give a file that was not taken."""
        path = self._store.refused_file(self._room(request), _number(request))
        if path is None:
            raise web.HTTPNotFound(text=NOBODY)
        headers = {
            "Content-Type": answers.OCTETS,
            "Content-Disposition": 'attachment; filename="refused.bin"',
            "Cache-Control": "no-store",
        }
        return web.FileResponse(path, headers=headers)

    async def look(self, request: web.Request) -> web.Response:
        """Tell what a file that was not taken is, and nothing of whose it is."""
        path = self._store.refused_file(self._room(request), _number(request))
        if path is None:
            raise web.HTTPNotFound(text=NOBODY)
        try:
            told, _ = await self._service.images.decoder.ask("look", path)
        except DicomError as error:
            raise web.HTTPUnprocessableEntity(text=str(error)) from None
        return _fresh(told)

    async def again(self, request: web.Request) -> web.Response:
        """Try to take a file once more: the room has place now, or what stood in its way is gone."""
        room, number = self._room(request), _number(request)
        verdict = await self._store.take_again(room, number)
        if verdict is None:
            raise web.HTTPNotFound(text=NOBODY)
        return _fresh(describe(verdict, ""))

    async def forget(self, request: web.Request) -> web.Response:
        """Take a file off the list; it is gone for good."""
        if not await self._store.forget_refused(self._room(request), _number(request)):
            raise web.HTTPNotFound(text=NOBODY)
        return web.Response(status=204)

    async def withheld(self, request: web.Request) -> web.Response:
        """List the series that hold pictures in which words may stand, and how many of them are released."""
        series: dict[str, list[Record]] = {}
        for record in self._store.instances(self._room(request, "images")):
            if record.facts.burned_in != "NO":
                series.setdefault(record.series, []).append(record)
        return _fresh({"withheld": [_series(records) for records in series.values()]})


def _number(request: web.Request) -> int:
    return int(request.match_info["number"])


def _fresh(body: dict[str, Any]) -> web.Response:
    return web.json_response(body, headers={"Cache-Control": "no-store"})


def _listed(entry: Refused) -> dict[str, object]:
    return {
        "number": entry.number,
        "name": entry.name,
        "source": entry.source,
        "code": entry.code,
        "detail": entry.detail,
        "reason": entry.reason,
        "bytes": entry.bytes,
        "kept": bool(entry.file),
        "time": round(entry.added * 1000, 3),
    }


def _series(records: list[Record]) -> dict[str, object]:
    ordered = sorted(records, key=lambda record: (record.facts.InstanceNumber, record.sop))
    first = ordered[0]
    return {
        "StudyInstanceUID": first.study,
        "SeriesInstanceUID": first.series,
        "modality": first.facts.Modality,
        "number": first.facts.SeriesNumber,
        "description": first.facts.SeriesDescription,
        "kind": first.facts.kind,
        "instances": len(records),
        "released": sum(record.released for record in records),
        "sample": _spread([record.sop for record in ordered]),
        "why": sorted({word_of_warning(record.facts.burned_in) for record in records}),
    }


def _spread(sops: list[str]) -> list[str]:
    count = min(SAMPLE, len(sops))
    return [sops[at * (len(sops) - 1) // max(1, count - 1)] for at in range(count)]
