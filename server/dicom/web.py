"""QIDO-RS and WADO-RS of a room (PS3.18, 10.4 and 10.6), below ``/dicom``; the room is that of the token."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Sequence

from aiohttp import web

from annotation.dicom import listing
from annotation.dicom.listing import Listed
from annotation.dicom.search import Query

from ..service import Service
from . import answers
from .answers import OCTETS
from .asking import BASE, INSTANCE, SERIES, STUDY, Asker, Asking
from .files import read_at
from .index import Record

#: Most frames of one request, and bytes of decoded frames kept in memory.
FRAMES_AT_ONCE = 256
FRAMES_KEPT = 64 << 20


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths."""
    images = DicomWeb(service)
    get = application.router.add_get
    get(BASE + "/studies", images.studies)
    get(BASE + "/series", images.series)
    get(BASE + "/instances", images.instances)
    get(STUDY + "/series", images.series)
    get(STUDY + "/instances", images.instances)
    get(SERIES + "/instances", images.instances)
    for path in (STUDY, SERIES, INSTANCE):
        get(path + "/metadata", images.metadata)
    get(INSTANCE + "/frames/{frames}", images.frames)


class DicomWeb(Asking):
    """Answers with what the token's room has."""

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._packed: OrderedDict[tuple[object, ...], tuple[str, bytes]] = OrderedDict()
        self._decoded: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._decoded_bytes = 0

    # -- QIDO-RS -------------------------------------------------------------------------------------------------

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
            raise web.HTTPNotFound(text="The room has no such images.", reason="no image")
        key = (
            room,
            *request.match_info.values(),
            request.query_string,
            asker.patient,
            store.versions.get(room, 0),
        )
        if key not in self._packed:
            found = await store.metadata(room, [item.sop for item in items], deidentified=not asker.patient)
            text = "[" + ",".join(found[item.sop] for item in items if item.sop in found) + "]"
            self._packed[key] = text, await asyncio.to_thread(answers.pack, text)
            while len(self._packed) > 32:
                self._packed.popitem(last=False)
        text, packed = self._packed[key]
        return answers.json_answer(request, text, packed)

    async def frames(self, request: web.Request) -> web.StreamResponse:
        """Give frames, decoded to little-endian samples."""
        asker = self._asker(request)
        record = self._pictured(request, asker)
        numbers = self._numbers(request.match_info["frames"], record)
        kinds = answers.accepted(request)
        single = len(numbers) == 1 and bool(kinds) and kinds[0][0] == OCTETS
        stored = any(parameters.get("transfer-syntax") == "*" for _, parameters in kinds[:1])
        marked = hashlib.sha256(repr((numbers, single, stored)).encode()).hexdigest()[:12]
        tag = f'"{record.digest[:24]}-{marked}"'
        syntax = record.facts.TransferSyntaxUID if stored else "1.2.840.10008.1.2.1"
        part = f"{OCTETS}; transfer-syntax={syntax}"
        if answers.not_modified(request, tag):
            return web.Response(status=304, headers={**answers.CACHED, "ETag": tag})

        async def body_of(number: int) -> bytes:
            if stored:
                return (await self._ask(record, asker, "stored", frame=number))[1]
            return await self._frame(asker, record, number)

        first = await body_of(numbers[0])
        if single:
            return answers.bytes_answer(request, first, part, tag)
        # the same boundary each time, so that a range of one answer fits to the rest of another
        mark = f"konsil-{record.digest[:24]}"
        if len(numbers) == 1:
            whole = answers.parts(mark, [(part, first)])
            return answers.bytes_answer(request, whole, answers.related(mark, OCTETS), tag)
        response = web.StreamResponse(
            headers={**answers.CACHED, "ETag": tag, "Content-Type": answers.related(mark, OCTETS)}
        )
        await response.prepare(request)
        await response.write(answers.part_head(mark, part, len(first)) + first)
        for number in numbers[1:]:
            body = await body_of(number)
            await response.write(answers.part_head(mark, part, len(body)) + body)
        await response.write(f"\r\n--{mark}--\r\n".encode())
        return response

    def _numbers(self, text: str, record: Record) -> list[int]:
        pieces = text.split(",")
        if len(pieces) > FRAMES_AT_ONCE or not all(
            p.isascii() and p.isdigit() and len(p) < 8 for p in pieces
        ):
            raise web.HTTPBadRequest(text=f"Frames are named by numbers, {FRAMES_AT_ONCE} at most.")
        numbers = [int(piece) for piece in pieces]
        if any(not 1 <= number <= record.facts.NumberOfFrames for number in numbers):
            raise web.HTTPNotFound(text="The image has no such frame.", reason="no frame")
        return numbers

    async def _frame(self, asker: Asker, record: Record, number: int) -> bytes:
        """Give a frame's samples: from the file where they lie ready, else decoded by a worker and kept a while."""
        facts = record.facts
        if facts.pixel_offset:
            size, path = facts.frame_bytes, self._store.path(asker.room, record.sop)
            return await asyncio.to_thread(read_at, path, facts.pixel_offset + (number - 1) * size, size)
        key = (record.digest, number)
        if key in self._decoded:
            self._decoded.move_to_end(key)
            return self._decoded[key]
        _, body = await self._ask(record, asker, "frame", frame=number)
        if key not in self._decoded:
            self._decoded[key] = body
            self._decoded_bytes += len(body)
        while self._decoded_bytes > FRAMES_KEPT:
            self._decoded_bytes -= len(self._decoded.popitem(last=False)[1])
        return body
