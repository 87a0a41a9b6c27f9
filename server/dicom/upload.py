"""Files come into a room over HTTP: ``POST /dicom/upload``, one file or ZIP file a request, and STOW-RS."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote

from aiohttp import BodyPartReader, web

from annotation.dicom.describe import word_of_warning
from annotation.dicom.errors import DicomError
from annotation.dicom.packing import PIECE, Archive, Packed, is_zip
from annotation.dicom.stow import Stored, stow_answer
from signalling.permissions import Permission
from signalling.tokens import Claims

from ..bearer import permitted
from ..service import Service
from . import answers
from .asking import BASE
from .store import Added, Quarantined, Store

log = logging.getLogger(__name__)

#: Files of a ZIP file that are read at the same time.
AT_ONCE = 4

#: Objects of one STOW request.
STOW_LIMIT = 5000


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths."""
    uploads = Uploads(service)
    application.router.add_post(BASE + "/upload", uploads.upload)
    application.router.add_post(BASE + "/studies", uploads.stow)


class Uploads:
    """Takes files for the token's room."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @property
    def _store(self) -> Store:
        return self._service.images.store

    def _claims(self, request: web.Request, permission: Permission = "images") -> Claims:
        return permitted(request, self._service, permission)

    async def upload(self, request: web.Request) -> web.Response:
        """Take one file, or all files of a ZIP file; answer what became of each."""
        claims = self._claims(request)
        name = file_name(request.headers.get("Konsil-File-Name", ""))
        async with self._spooled(request.content.iter_chunked(PIECE)) as path:
            start = await asyncio.to_thread(_start, path)
            if is_zip(start):
                files = await self._unpack(path, claims.room, name)
            else:
                files = [describe(await self._store.add(path, claims.room, source="upload", name=name), name)]
        return web.json_response({"files": files})

    @contextlib.asynccontextmanager
    async def _spooled(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[Path]:
        """Write what comes in to a file of its own, which is gone afterwards. Raise 413, 507."""
        store = self._store
        path = store.spool()
        try:
            size = 0
            with await asyncio.to_thread(path.open, "wb") as file:
                async for piece in pieces:
                    size += len(piece)
                    if size > store.file_bytes:
                        raise web.HTTPRequestEntityTooLarge(
                            store.file_bytes,
                            size,
                            text=f"A file has {store.file_bytes >> 20} MiB at most.",
                            reason="file too large",
                        )
                    await asyncio.to_thread(file.write, piece)
            yield path
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise web.HTTPInsufficientStorage(text="The server's disk is full.", reason="disk full") from None
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def _unpack(self, path: Path, room: str, name: str) -> list[dict[str, object]]:
        """Take every file of a ZIP file."""
        with await asyncio.to_thread(path.open, "rb") as source:
            try:
                await self._store.judge(path)
                archive = await asyncio.to_thread(Archive, source, self._store.room_bytes)
            except DicomError as error:
                refused = await self._store.refuse(path, room, error, source="upload", name=name)
                return [describe(refused, name)]
            # one reader: the ZIP file's position is shared
            reading, places = asyncio.Lock(), asyncio.Semaphore(AT_ONCE)

            async def take(packed: Packed) -> dict[str, object]:
                async with places:
                    target = self._store.spool()
                    try:
                        async with reading:
                            await asyncio.to_thread(_extract, archive, packed, target)
                        verdict = await self._store.add(target, room, source="zip", name=packed.name)
                    except DicomError as error:
                        verdict = await self._store.refuse(None, room, error, source="zip", name=packed.name)
                    finally:
                        await asyncio.to_thread(target.unlink, missing_ok=True)
                    return describe(verdict, packed.name)

            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(take(packed)) for packed in archive.files]
            archive.close()
        return [task.result() for task in tasks]

    async def stow(self, request: web.Request) -> web.Response:
        """Store objects (PS3.18, 10.5): each part of a multipart body is one."""
        claims = self._claims(request)
        if request.content_type != "multipart/related":
            raise web.HTTPUnsupportedMediaType(
                text='Objects are stored as multipart/related; type="application/dicom".'
            )
        stored: list[Stored] = []
        try:
            parts = await request.multipart()
            while (part := await parts.next()) is not None:
                if not isinstance(part, BodyPartReader) or len(stored) >= STOW_LIMIT:
                    raise ValueError
                async with self._spooled(_pieces(part)) as path:
                    verdict = await self._store.add(path, claims.room, source="stow")
                stored.append(_stored(verdict))
        except (ValueError, AssertionError, LookupError):
            if not stored:
                raise web.HTTPBadRequest(text="The parts of the request cannot be told apart.") from None
            stored.append(Stored(code="broken"))
        if not stored:
            raise web.HTTPBadRequest(text="The request holds no object.")
        status, text = stow_answer(stored, self._service.config.public_url + BASE)
        answered = answers.json_answer(request, text)
        answered.set_status(status)
        return answered


async def _pieces(part: BodyPartReader) -> AsyncIterator[bytes]:
    while piece := await part.read_chunk(1 << 16):
        yield piece


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(8)


def _extract(archive: Archive, packed: Packed, target: Path) -> None:
    with target.open("wb") as file:
        for piece in archive.read(packed):
            file.write(piece)


def _stored(verdict: Added | Quarantined) -> Stored:
    if isinstance(verdict, Quarantined):
        return Stored(code=verdict.code)
    facts, record = verdict.record.facts, verdict.record
    where = f"/studies/{record.study}/series/{record.series}/instances/{record.sop}"
    return Stored(facts.SOPClassUID, facts.SOPInstanceUID, where)


def file_name(header: str) -> str:
    """Read the name that a page gives a file, percent-encoded."""
    name = unquote(header[:2000], errors="replace")
    return "".join(c if c.isprintable() else "?" for c in name)[-200:]


def describe(verdict: Added | Quarantined, name: str) -> dict[str, object]:
    """Say what became of a file."""
    if isinstance(verdict, Quarantined):
        return {
            "name": name,
            "taken": False,
            "code": verdict.code,
            "detail": verdict.detail,
            "message": verdict.reason,
        }
    record = verdict.record
    return {
        "name": name,
        "taken": True,
        "again": verdict.again,
        "StudyInstanceUID": record.study,
        "SeriesInstanceUID": record.series,
        "SOPInstanceUID": record.sop,
        "kind": record.facts.kind,
        # why those who may not see the patient do not see it; empty: they do
        "withheld": "" if record.released else word_of_warning(record.facts.burned_in),
    }
