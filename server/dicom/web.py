"""QIDO-RS and WADO-RS of a room (PS3.18, 10.4 and 10.6), below ``/dicom``; the room is that of the token."""

from __future__ import annotations

import asyncio
import json
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from annotation.dicom import listing
from annotation.dicom.errors import DicomError
from annotation.dicom.listing import Listed
from annotation.dicom.search import Query, parse_query
from signalling.permissions import may
from signalling.tokens import Claims

from ..bearer import bearer, demand
from ..service import Service
from . import answers
from .answers import OCTETS
from .images import withheld
from .index import Record

#: Where it all stands.
BASE = "/dicom"
_STUDY = BASE + "/studies/{study}"
_SERIES = _STUDY + "/series/{series}"
_INSTANCE = _SERIES + "/instances/{sop}"

#: Most frames of one request, and bytes of decoded frames kept in memory.
FRAMES_AT_ONCE = 256
FRAMES_KEPT = 64 << 20

WITHHELD = "Words may stand in this picture; the surgeon or the chair has not released it."


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the room, and whether he may see the patient."""

    claims: Claims
    patient: bool


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths."""
    images = DicomWeb(service)
    get = application.router.add_get
    get(BASE + "/studies", images.studies)
    get(BASE + "/series", images.series)
    get(BASE + "/instances", images.instances)
    get(_STUDY + "/series", images.series)
    get(_STUDY + "/instances", images.instances)
    get(_SERIES + "/instances", images.instances)
    for path in (_STUDY, _SERIES, _INSTANCE):
        get(path + "/metadata", images.metadata)
    get(_INSTANCE + "/frames/{frames}", images.frames)


class DicomWeb:
    """Answers with what the token's room has."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._packed: OrderedDict[tuple[object, ...], tuple[str, bytes]] = OrderedDict()
        self._decoded: OrderedDict[tuple[str, str, int], bytes] = OrderedDict()
        self._decoded_bytes = 0

    def _asker(self, request: web.Request) -> Asker:
        claims = bearer(request, self._service)
        demand(claims, "watch")
        return Asker(claims, may(claims.role, "patient"))

    # -- QIDO-RS -------------------------------------------------------------------------------------------------

    def _found(self, request: web.Request, asker: Asker) -> tuple[Query, list[Listed]]:
        pairs = [(name, value) for name, value in request.query.items() if name != "accept"]
        named = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID", "sop": "SOPInstanceUID"}
        try:
            query = parse_query(pairs + [(named[key], value) for key, value in request.match_info.items()])
        except DicomError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        every = self._service.images.listed(asker.claims.room, asker.claims.role)
        return query, [
            item for item in every if query.matches((item.study, item.series, item.sop), item.facts)
        ]

    def _grouped(self, items: Sequence[Listed], key: Callable[[Listed], str]) -> list[list[Listed]]:
        groups: dict[str, list[Listed]] = {}
        for item in items:
            groups.setdefault(key(item), []).append(item)
        return list(groups.values())

    def _base(self) -> str:
        return self._service.config.public_url + BASE

    def _answer(self, request: web.Request, query: Query, bodies: Sequence[listing.Json]) -> web.Response:
        chosen = bodies[query.offset : query.offset + query.limit]
        return answers.json_answer(request, json.dumps(chosen, separators=(",", ":"), ensure_ascii=False))

    async def studies(self, request: web.Request) -> web.Response:
        """Look for studies."""
        asker = self._asker(request)
        query, items = self._found(request, asker)
        bodies = [
            listing.study(group, self._base(), patient=asker.patient)
            for group in self._grouped(items, lambda item: item.study)
            if query.modalities(item.facts.Modality for item in group)
        ]
        return self._answer(request, query, bodies)

    async def series(self, request: web.Request) -> web.Response:
        """Look for series."""
        asker = self._asker(request)
        query, items = self._found(request, asker)
        groups = self._grouped(items, lambda item: item.series)
        bodies = [listing.series(group, self._base(), patient=asker.patient) for group in groups]
        return self._answer(request, query, bodies)

    async def instances(self, request: web.Request) -> web.Response:
        """Look for instances."""
        query, items = self._found(request, self._asker(request))
        return self._answer(request, query, [listing.instance(item, self._base()) for item in items])

    # -- WADO-RS -------------------------------------------------------------------------------------------------

    async def metadata(self, request: web.Request) -> web.Response:
        """Give the attributes of a study, a series or an instance, as DICOM JSON."""
        asker = self._asker(request)
        room, store = asker.claims.room, self._service.images.store
        _, items = self._found(request, asker)
        if not items:
            raise web.HTTPNotFound(text="The room has no such images.")
        key = (room, *request.match_info.values(), asker.patient, store.versions.get(room, 0))
        if key not in self._packed:
            found = await store.metadata(room, [item.sop for item in items], deidentified=not asker.patient)
            text = "[" + ",".join(found[item.sop] for item in items if item.sop in found) + "]"
            self._packed[key] = text, await asyncio.to_thread(answers.pack, text)
            while len(self._packed) > 32:
                self._packed.popitem(last=False)
        text, packed = self._packed[key]
        return answers.json_answer(request, text, packed)

    def _record(self, request: web.Request, asker: Asker) -> Record:
        record = self._service.images.store.find(asker.claims.room, request.match_info["sop"])
        matches = request.match_info
        if record is None or (record.study, record.series) != (matches["study"], matches["series"]):
            raise web.HTTPNotFound(text="The room has no such image.")
        return record

    def _pictured(self, request: web.Request, asker: Asker) -> Record:
        """Find an instance whose pixels may be shown to who asks."""
        record = self._record(request, asker)
        if not record.facts.NumberOfFrames:
            raise web.HTTPNotFound(text="This object has no pictures.")
        if withheld(record, asker.claims.role):
            raise web.HTTPForbidden(text=WITHHELD)
        return record

    async def frames(self, request: web.Request) -> web.StreamResponse:
        """Give frames, decoded to little-endian samples."""
        asker = self._asker(request)
        record = self._pictured(request, asker)
        numbers = self._numbers(request.match_info["frames"], record)
        room = asker.claims.room
        kinds = answers.accepted(request)
        single = len(numbers) == 1 and bool(kinds) and kinds[0][0] == OCTETS
        tag = (
            f'"{record.digest[:24]}-{"-".join(map(str, numbers[:8]))}-{len(numbers)}{"s" if single else ""}"'
        )
        part = f"{OCTETS}; transfer-syntax=1.2.840.10008.1.2.1"
        if answers.not_modified(request, tag):
            return web.Response(status=304, headers={**answers.CACHED, "ETag": tag})
        if len(numbers) == 1:
            body = await self._frame(room, record, numbers[0])
            if single:
                return answers.bytes_answer(request, body, part, tag)
            # the same boundary each time, so that a range of an answer fits to the rest of another
            mark = f"konsil-{record.digest[:24]}"
            return answers.bytes_answer(
                request, answers.parts(mark, [(part, body)]), answers.related(mark, OCTETS), tag
            )
        return await self._stream(request, room, record, numbers, part, tag)

    def _numbers(self, text: str, record: Record) -> list[int]:
        pieces = text.split(",")
        if len(pieces) > FRAMES_AT_ONCE or not all(
            p.isascii() and p.isdigit() and len(p) < 8 for p in pieces
        ):
            raise web.HTTPBadRequest(text=f"Frames are named by numbers, {FRAMES_AT_ONCE} at most.")
        numbers = [int(piece) for piece in pieces]
        if any(not 1 <= number <= record.facts.NumberOfFrames for number in numbers):
            raise web.HTTPNotFound(text="The image has no such frame.")
        return numbers

    async def _stream(
        self, request: web.Request, room: str, record: Record, numbers: Sequence[int], part: str, tag: str
    ) -> web.StreamResponse:
        mark = answers.boundary()
        headers = {**answers.CACHED, "ETag": tag, "Content-Type": answers.related(mark, OCTETS)}
        bodies = [await self._frame(room, record, numbers[0])]
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        for number in numbers:
            body = bodies.pop() if bodies else await self._frame(room, record, number)
            await response.write(answers.part_head(mark, part, len(body)) + body)
        await response.write(f"\r\n--{mark}--\r\n".encode())
        return response

    async def _frame(self, room: str, record: Record, number: int) -> bytes:
        """Give a frame's samples: from the file where they lie ready, else decoded by a worker and kept a while."""
        facts, path = record.facts, self._service.images.store.path(room, record.sop)
        if facts.pixel_offset:
            size = facts.frame_bytes
            return await asyncio.to_thread(_slice, path, facts.pixel_offset + (number - 1) * size, size)
        key = (room, record.sop, number)
        if key in self._decoded:
            self._decoded.move_to_end(key)
            return self._decoded[key]
        try:
            _, body = await self._service.images.decoder.ask("frame", path, frame=number)
        except DicomError as error:
            raise web.HTTPUnprocessableEntity(text=str(error)) from None
        self._decoded[key] = body
        self._decoded_bytes += len(body)
        while self._decoded_bytes > FRAMES_KEPT:
            self._decoded_bytes -= len(self._decoded.popitem(last=False)[1])
        return body


def _slice(path: os.PathLike[str], offset: int, size: int) -> bytes:
    with open(path, "rb") as file:
        return os.pread(file.fileno(), size, offset)
