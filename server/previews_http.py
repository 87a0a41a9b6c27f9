"""Previews of a recording's pictures over HTTP (PROTOCOL.md, section 8), to whoever may have their segments."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from recorder.journal import JournalError, JsonObject
from recorder.library import UnknownRecording
from recorder.parts import open_part
from recorder.seal.keys import DataKey
from recorder.seal.suites import SealError
from recorder.segments.preview import SUFFIX, PreviewError, PreviewFile

from .recordings_http import BEING_PREPARED, PATH, Recordings
from .segments_http import CACHED, TAMPERED, OpenTracks, tracks_of
from .service import Service

log = logging.getLogger(__name__)

T = TypeVar("T")


def add_routes(application: web.Application, service: Service) -> None:
    """Add the previews below ``/api/recordings``."""
    previews = PreviewPieces(service)
    track = PATH + "/{recording}/{producer:[0-9]{1,10}}"
    application.router.add_get(track + "/preview.json", previews.list)
    application.router.add_get(track + "/preview/{number:[0-9]{1,9}}.kpv", previews.piece)
    application.on_cleanup.append(previews.close)


class PreviewPieces:
    """Serves previews, a piece a request."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._recordings = Recordings(service)
        self._open = OpenTracks(_opened)
        service.keeper.places.add("what was open of its previews", self.forget)

    async def forget(self, recording: str) -> str:
        """Close a deleted recording's previews: an open file is on the disk still, and its key in memory."""
        self._open.close_below(self._service.archive.library.root / recording)
        return ""

    async def close(self, _: web.Application) -> None:
        """Close what is open."""
        self._open.close()

    async def list(self, request: web.Request) -> web.Response:
        """List a preview's pieces; 204 where there is none, or none yet."""
        squeezed = "gzip" in request.headers.get("Accept-Encoding", "")
        body = await self._read(request, lambda preview: _listed(preview, squeezed=squeezed))
        if body is None:
            return web.Response(status=204, headers={"Cache-Control": "no-store"})
        headers = {**CACHED, "Content-Type": "application/json", "Vary": "Accept-Encoding"}
        if squeezed:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=body, headers=headers)

    async def piece(self, request: web.Request) -> web.Response:
        """Give one piece as it stands in the file."""
        number = int(request.match_info["number"])
        if str(number) != request.match_info["number"]:
            raise web.HTTPNotFound(text="There is no such piece.")
        body = await self._read(request, lambda preview: preview.piece(number))
        if body is None:
            raise web.HTTPNotFound(text="There is no such piece.")
        return web.Response(body=body, headers={**CACHED, "Content-Type": "application/octet-stream"})

    async def _read(self, request: web.Request, work: Callable[[PreviewFile], T]) -> T | None:
        """Let `work` read the preview that is asked for, or refuse; None where there is none."""
        recording, key = await self._recordings.check_track(request)
        producer = int(request.match_info["producer"])
        file = self._service.archive.library.root / recording / f"{producer}{SUFFIX}"
        try:
            return await self._open.use(file, key, work)
        except IndexError:
            raise web.HTTPNotFound(text="There is no such piece.") from None
        except FileNotFoundError:
            await self._missing(recording, producer)
            return None
        except (PreviewError, JournalError, SealError):
            log.error("a preview of a recording is not what was made")
            raise web.HTTPInternalServerError(text=TAMPERED) from None

    async def _missing(self, recording: str, producer: int) -> None:
        """Refuse a track that there is not, and have the preview made of a recording from before there were any."""
        try:
            description = await asyncio.to_thread(self._service.archive.library.description, recording)
        except SealError:
            raise web.HTTPInternalServerError(text=TAMPERED) from None
        except UnknownRecording as error:
            raise web.HTTPNotFound(text=str(error)) from None
        if description is None:
            raise web.HTTPConflict(text=BEING_PREPARED)
        if producer not in tracks_of(description):
            raise web.HTTPNotFound(text="The recording has no such track.")
        if producer in _pictures(description):
            await self._service.previews.ask(recording)


def _pictures(description: JsonObject) -> set[object]:
    cameras: Any = description["cameras"]
    return {camera.get("producer") for camera in cameras if camera.get("width")}


def _opened(path: Path, key: DataKey | None) -> PreviewFile:
    file = open_part(path, key)
    try:
        return PreviewFile(file)
    except BaseException:
        file.close()
        raise


def _listed(preview: PreviewFile, *, squeezed: bool) -> bytes:
    facts = preview.facts
    body = json.dumps(
        {
            "codec": facts.codec,
            "width": facts.width,
            "height": facts.height,
            "timescale": facts.timescale,
            "pieces": [[piece.start, piece.end] for piece in preview.pieces],
        },
        separators=(",", ":"),
    ).encode()
    return gzip.compress(body, 6, mtime=0) if squeezed else body
