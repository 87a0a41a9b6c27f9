"""WADO-RS beside frames and metadata: whole objects, rendered frames, large values, curves and films."""

from __future__ import annotations

import asyncio
import json
import re
import time

from aiohttp import web

from annotation.dicom.errors import DicomError
from annotation.dicom.listing import Listed
from annotation.dicom.rendering import Viewport, parse_viewport, parse_window

from ..service import Service
from . import answers
from .asking import INSTANCE, SERIES, STUDY, WITHHELD, Asker, Asking
from .files import slice_of
from .index import Record

DICOM = "application/dicom"

THUMBNAIL = Viewport(160, 160)

#: Bytes of a film that one answer brings; players ask for the rest.
FILM_PIECE = 4 << 20

#: An object up to this size is kept, as it was written, for the next range of it.
WRITTEN_KEPT = 128 << 20


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths."""
    retrieve = Retrieve(service)
    get = application.router.add_get
    for path in (STUDY, SERIES, INSTANCE):
        get(path, retrieve.whole)
    get(INSTANCE + "/rendered", retrieve.rendered)
    get(INSTANCE + "/thumbnail", retrieve.rendered)
    get(INSTANCE + "/frames/{frame}/rendered", retrieve.rendered)
    get(INSTANCE + "/bulkdata/{tag}", retrieve.bulk)
    get(INSTANCE + "/waveform", retrieve.waveform)
    get(INSTANCE + "/video", retrieve.video)


class Retrieve(Asking):
    """Answers with what the token's room has."""

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        #: the object of which a range was asked for last, as it was written
        self._written: tuple[tuple[object, ...], bytes] | None = None

    async def whole(self, request: web.Request) -> web.StreamResponse:
        """Give objects as files, one part each, written with the room's UIDs."""
        asker = self._asker(request)
        _, items = self._found(request, asker)
        shown = [item for item in items if not item.withheld]
        if not shown:
            if items:
                raise web.HTTPForbidden(text=WITHHELD, reason="withheld")
            raise web.HTTPNotFound(text="The room has no such images.", reason="no image")
        kinds = answers.accepted(request)
        if len(shown) == 1:
            return await self._one(request, shown[0], asker, alone=bool(kinds) and kinds[0][0] == DICOM)
        mark = answers.boundary()
        first = await self._whole(shown[0], asker)
        response = web.StreamResponse(
            headers={**answers.UNCACHED, "Content-Type": answers.related(mark, DICOM)}
        )
        await response.prepare(request)
        for item in shown:
            body = first if item is shown[0] else await self._whole(item, asker)
            await response.write(answers.part_head(mark, DICOM, len(body)) + body)
        await response.write(f"\r\n--{mark}--\r\n".encode())
        return response

    async def _one(self, request: web.Request, item: Listed, asker: Asker, *, alone: bool) -> web.Response:
        """Give one object, or the range of its bytes that is asked for; `alone`: not as a part."""
        record = self._existing(item, asker)
        digest = record.digest[:24]
        # it is written anew for each room, and for those who may not see the patient
        tag = f'"{digest}-{asker.patient:d}{alone:d}"'
        if answers.not_modified(request, tag):
            return web.Response(status=304, headers={**answers.CACHED, "ETag": tag})
        key = (asker.room, item.sop, record.digest, asker.patient)
        kept = self._written
        body = kept[1] if kept is not None and kept[0] == key else await self._whole(item, asker)
        if "Range" in request.headers and len(body) <= WRITTEN_KEPT:
            # who asks for a piece soon asks for the next one
            self._written = key, body
        if alone:
            return answers.bytes_answer(request, body, DICOM, tag)
        # the same boundary each time, so that a range of one answer fits to the rest of another
        mark = f"konsil-{digest}"
        return answers.bytes_answer(
            request, answers.parts(mark, [(DICOM, body)]), answers.related(mark, DICOM), tag
        )

    def _existing(self, item: Listed, asker: Asker) -> Record:
        record = self._store.find(asker.room, item.sop)
        if record is None:
            raise web.HTTPNotFound(text="The room has no such image.", reason="no image")
        return record

    async def _whole(self, item: Listed, asker: Asker) -> bytes:
        record = self._existing(item, asker)
        stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(record.added))
        key = self._store.uids(asker.room).key.hex()
        _, body = await self._ask(record, asker, "whole", key=key, time=stamp, patient=asker.patient)
        return body

    async def rendered(self, request: web.Request) -> web.StreamResponse:
        """Give a frame as PNG or JPEG; `window` and `viewport` as DICOMweb has them."""
        asker = self._asker(request)
        record = self._pictured(request, asker)
        film = record.facts.kind == "video"
        if film and "frame" not in request.match_info and not request.path.endswith("/thumbnail"):
            return await self._film(request, record, asker)
        frame = _frame_number(request.match_info.get("frame", "1"), record)
        thumbnail = request.path.endswith("/thumbnail")
        try:
            window = parse_window(request.query["window"]) if "window" in request.query else None
            asked = request.query.get("viewport")
            viewport = THUMBNAIL if thumbnail else parse_viewport(asked) if asked is not None else None
        except DicomError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        kind = _kind(request)
        shown = (window.centre, window.width, window.function) if window else None
        place = viewport.to_json() if viewport else None
        tag = f'"{record.digest[:24]}-{frame}-{kind}-{place}-{shown}"'.replace(" ", "").replace("'", "")
        if answers.not_modified(request, tag):
            return web.Response(status=304, headers={**answers.CACHED, "ETag": tag})
        if film:
            _, body = await self._ask(record, asker, "film_picture", frame=frame, format=kind, viewport=place)
        else:
            _, body = await self._ask(
                record, asker, "rendered", frame=frame, window=shown, format=kind, viewport=place
            )
        return answers.bytes_answer(request, body, f"image/{kind}", tag)

    async def bulk(self, request: web.Request) -> web.Response:
        """Give a value that the metadata name by `BulkDataURI`."""
        asker = self._asker(request)
        record = self._record(request, asker)
        tag = request.match_info["tag"].upper()
        metadata = await self._store.metadata(asker.room, [record.sop], deidentified=not asker.patient)
        if not re.fullmatch(r"[0-9A-F]{8}", tag) or f'"bulkdata/{tag}"' not in metadata.get(record.sop, ""):
            raise web.HTTPNotFound(text="The object has no such value.")
        _, body = await self._ask(record, asker, "bulk", tag=int(tag, 16))
        return answers.bytes_answer(request, body, answers.OCTETS, f'"{record.digest[:24]}-{tag}"')

    async def waveform(self, request: web.Request) -> web.Response:
        """Give curves as JSON (DICOMWEB.md)."""
        asker = self._asker(request)
        record = self._record(request, asker)
        if record.facts.kind != "waveform":
            raise web.HTTPNotFound(text="This object has no curves.")
        _, body = await self._ask(record, asker, "waveform")
        answered = answers.json_answer(request, body.decode())
        answered.content_type = "application/json"
        return answered

    async def video(self, request: web.Request) -> web.StreamResponse:
        """Give a film in the container that it came in, by ranges."""
        asker = self._asker(request)
        record = self._pictured(request, asker)
        if record.facts.kind != "video":
            raise web.HTTPNotFound(text="This object is no film.", reason="no film")
        return await self._film(request, record, asker)

    async def _film(self, request: web.Request, record: Record, asker: Asker) -> web.Response:
        head, _ = await self._ask(record, asker, "fragments")
        pieces = json.loads(json.dumps(head["fragments"]))
        length = sum(size for _, size in pieces)
        path = self._store.path(asker.room, record.sop)
        start = await asyncio.to_thread(slice_of, path, pieces, 0, 16)
        headers = {**answers.CACHED, "Accept-Ranges": "bytes", "Content-Type": _container(start)}
        asked = request.headers.get("Range")
        span = answers.parse_range(asked, length) if asked else None
        if span is None:
            response = web.StreamResponse(headers={**headers, "Content-Length": str(length)})
            await response.prepare(request)
            for at in range(0, length, FILM_PIECE):
                await response.write(await asyncio.to_thread(slice_of, path, pieces, at, FILM_PIECE))
            return response  # type: ignore[return-value]
        first, end = span[0], min(span[1], span[0] + FILM_PIECE)
        if first >= end:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{length}"})
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{length}"
        return web.Response(
            status=206,
            body=await asyncio.to_thread(slice_of, path, pieces, first, end - first),
            headers=headers,
        )


def _container(start: bytes) -> str:
    """Tell a film's container by its first bytes (PS3.5, A.4.5 to A.4.9 let each of these)."""
    if start[4:8] == b"ftyp":
        return "video/mp4"
    if start[:1] == b"\x47":
        return "video/mp2t"
    return "video/mpeg" if start[:3] == b"\0\0\x01" else answers.OCTETS


def _frame_number(value: str, record: Record) -> int:
    if not (value.isascii() and value.isdigit()) or len(value) > 7:
        raise web.HTTPBadRequest(text="A frame is named by a number.")
    number = int(value)
    if not 1 <= number <= record.facts.NumberOfFrames:
        raise web.HTTPNotFound(text="The image has no such frame.", reason="no frame")
    return number


def _kind(request: web.Request) -> str:
    kinds = answers.accepted(request)
    for kind, _ in kinds:
        if kind in ("image/png", "image/jpeg"):
            return kind.removeprefix("image/")
        if kind in ("image/*", "*/*"):
            break
    else:
        if kinds:
            raise web.HTTPNotAcceptable(text="Frames are rendered as image/png or image/jpeg.")
    return "jpeg" if request.path.endswith("/thumbnail") else "png"
