"""Who asks for images, and whether what is asked for is his to have."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from annotation.dicom.errors import DicomError
from annotation.dicom.listing import Listed
from annotation.dicom.search import Query, parse_query
from signalling.permissions import may
from signalling.tokens import Claims

from ..bearer import permitted
from ..service import Service
from .images import withheld
from .index import Record
from .store import Store

#: Where it all stands.
BASE = "/dicom"
STUDY = BASE + "/studies/{study}"
SERIES = STUDY + "/series/{series}"
INSTANCE = SERIES + "/instances/{sop}"

WITHHELD = "Words may stand in this picture; the surgeon or the chair has not released it."


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the room, and whether he may see the patient."""

    claims: Claims
    patient: bool

    @property
    def room(self) -> str:
        """The room whose images he sees."""
        return self.claims.room


class Asking:
    """What all requests for images begin with."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @property
    def _store(self) -> Store:
        return self._service.images.store

    def _asker(self, request: web.Request) -> Asker:
        claims = permitted(request, self._service, "watch")
        return Asker(claims, may(claims.role, "patient"))

    def _found(self, request: web.Request, asker: Asker) -> tuple[Query, list[Listed]]:
        """Find what path and query string name."""
        pairs = [(name, value) for name, value in request.query.items() if name != "accept"]
        named = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID", "sop": "SOPInstanceUID"}
        pairs += [(named[key], value) for key, value in request.match_info.items() if key in named]
        try:
            query = parse_query(pairs)
        except DicomError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        every = self._service.images.listed(asker.room, asker.claims.role)
        return query, [
            item for item in every if query.matches((item.study, item.series, item.sop), item.facts)
        ]

    def _record(self, request: web.Request, asker: Asker) -> Record:
        """Find the instance that the path names."""
        record = self._store.find(asker.room, request.match_info["sop"])
        named = request.match_info
        if record is None or (record.study, record.series) != (named["study"], named["series"]):
            raise web.HTTPNotFound(text="The room has no such image.", reason="no image")
        return record

    def _pictured(self, request: web.Request, asker: Asker) -> Record:
        """Find an instance whose pixels may be shown to who asks."""
        record = self._record(request, asker)
        if not record.facts.NumberOfFrames:
            raise web.HTTPNotFound(text="This object has no pictures.", reason="no pictures")
        if withheld(record, asker.claims.role):
            raise web.HTTPForbidden(text=WITHHELD, reason="withheld")
        return record

    async def _ask(
        self, record: Record, asker: Asker, do: str, **fields: object
    ) -> tuple[dict[str, object], bytes]:
        """Have a worker do something with an instance's file; what cannot be done is answered with why."""
        try:
            return await self._service.images.decoder.ask(
                do, self._store.path(asker.room, record.sop), **fields
            )
        except DicomError as error:
            if error.code == "bad_query":
                raise web.HTTPBadRequest(text=str(error)) from None
            # the code of an error is its reason phrase (`application.guard`)
            reason = (error.detail or error.code).replace("_", " ")
            raise web.HTTPUnprocessableEntity(text=str(error), reason=reason) from None
