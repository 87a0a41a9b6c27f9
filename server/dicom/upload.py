"""Files come into a room over HTTP: ``POST /dicom/upload``, one file a request, and what became of those not taken."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from signalling.tokens import Claims

from ..bearer import bearer, demand
from ..service import Service
from .store import Added, Quarantined, Store
from .web import BASE

log = logging.getLogger(__name__)

#: Bytes that are taken from a connection at once.
PIECE = 1 << 20


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths."""
    uploads = Uploads(service)
    application.router.add_post(BASE + "/upload", uploads.upload)
    application.router.add_get(BASE + "/quarantine", uploads.quarantine)


class Uploads:
    """Takes files for the token's room."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @property
    def _store(self) -> Store:
        return self._service.images.store

    def _claims(self, request: web.Request) -> Claims:
        claims = bearer(request, self._service)
        demand(claims, "images")
        return claims

    async def upload(self, request: web.Request) -> web.Response:
        """Take one file; answer what became of it."""
        claims = self._claims(request)
        name = request.headers.get("Konsil-File-Name", "")
        path = self._store.spool()
        try:
            size = 0
            with path.open("wb") as file:
                async for piece in request.content.iter_chunked(PIECE):
                    size += len(piece)
                    if size > self._store.file_bytes:
                        raise web.HTTPRequestEntityTooLarge(
                            self._store.file_bytes, size, text="The file is larger than this server takes."
                        )
                    await asyncio.to_thread(file.write, piece)
            verdict = await self._store.add(path, claims.room, source="upload", name=name)
        finally:
            path.unlink(missing_ok=True)
        return web.json_response({"files": [describe(verdict, name)]})

    async def quarantine(self, request: web.Request) -> web.Response:
        """List what was not taken, and why."""
        claims = bearer(request, self._service)
        demand(claims, "images")
        entries = await asyncio.to_thread(self._store.refused, claims.room)
        return web.json_response(
            {
                "quarantine": [
                    {
                        "number": entry.number,
                        "name": entry.name,
                        "source": entry.source,
                        "code": entry.code,
                        "reason": entry.reason,
                        "bytes": entry.bytes,
                        "kept": bool(entry.file),
                        "time": entry.added * 1000,
                    }
                    for entry in entries
                ]
            }
        )


def describe(verdict: Added | Quarantined, name: str) -> dict[str, object]:
    """Say what became of a file."""
    if isinstance(verdict, Quarantined):
        return {"name": name, "taken": False, "code": verdict.code, "message": verdict.reason}
    record = verdict.record
    return {
        "name": name,
        "taken": True,
        "again": verdict.again,
        "StudyInstanceUID": record.study,
        "SeriesInstanceUID": record.series,
        "SOPInstanceUID": record.sop,
        "kind": record.facts.kind,
    }
