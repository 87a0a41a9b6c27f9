"""The hospital over HTTP: worklist, search, fetching, sending. What is of a patient stands in bodies, never in URLs."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from annotation.anchors import DicomAnchor, VideoAnchor
from annotation.dicom.kinds import KINDS
from annotation.dicom.outgoing import DrawnMark
from annotation.dicom.query import QueryError, StudyQuery
from signalling.permissions import Permission
from signalling.tokens import Claims

from .bearer import permitted
from .conductor import Conductor
from .dicom.pacs_error import PacsError
from .request_body import read_object
from .service import Service

BASE = "/api/hospital"
#: Bytes of a question.
QUESTION_LIMIT = 16 << 10
#: What is a patient's stays in nobody's cache.
PRIVATE = {"Cache-Control": "private, no-store"}

_STATUS = {
    "not_present": 403,
    "not_found": 404,
    "not_configured": 404,
    "nothing": 409,
    "patient_changed": 409,
    "too_large": 429,
    "bad_request": 400,
}


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths."""
    http = HospitalHttp(service)
    application.router.add_get(BASE, http.describe)
    application.router.add_post(BASE + "/worklist", http.worklist)
    application.router.add_post(BASE + "/search", http.search)
    application.router.add_post(BASE + "/fetch", http.fetch)
    application.router.add_post(BASE + "/preview", http.preview)
    application.router.add_post(BASE + "/send", http.send)
    application.router.add_post(BASE + "/jobs/{job}", http.job)
    application.router.add_get(BASE + "/annotations", http.annotations)


class HospitalHttp:
    """Answers for the token's room."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def claims(self, request: web.Request, permission: Permission = "images") -> Claims:
        """Find who asks: a link alone, of one at the door or shown out, opens no hospital. Raise 401, 403."""
        claims = permitted(request, self.service, permission)
        conductor = self.service.rooms.get(claims.room)
        if conductor is None or all(one.link != claims.link for one in conductor.room.participants):
            raise refused(
                PacsError("not_present", "The hospital is for those who are in the room. Please join first.")
            )
        return claims

    def room(self, claims: Claims) -> Conductor:
        return self.service.rooms[claims.room]

    async def describe(self, request: web.Request) -> web.Response:
        """Say what of a hospital is there, and how the room's jobs stand."""
        return web.json_response(self.service.hospital.describe(self.claims(request).room))

    async def worklist(self, request: web.Request) -> web.Response:
        """Say who is to be treated on a day."""
        claims = self.claims(request, "choose_patient")
        date = _text(await _body(request), "date", 8)
        if date and not (date.isdecimal() and len(date) == 8):
            raise refused(PacsError("bad_request", "The date is written YYYYMMDD."))
        bedside = self.room(claims).bedside
        try:
            entries = await self.service.hospital.pacs.worklist(date)
        except PacsError as error:
            raise refused(error) from None
        named = zip(bedside.offer(entries), entries, strict=True)
        return web.json_response({"entries": [entry.to_json(name) for name, entry in named]})

    async def search(self, request: web.Request) -> web.Response:
        """Look for studies in the archive."""
        claims = self.claims(request)
        body = await _body(request)
        fields = {
            key: _text(body, key, 64) for key in ("patient_id", "name", "accession", "date", "modality")
        }
        try:
            return web.json_response(await self.service.hospital.search(claims.room, StudyQuery(**fields)))
        except QueryError as error:
            raise refused(PacsError("bad_request", str(error))) from None
        except PacsError as error:
            raise refused(error) from None

    async def fetch(self, request: web.Request) -> web.Response:
        """Begin to fetch a study."""
        claims = self.claims(request)
        name = _text(await _body(request), "study", 64)
        try:
            fetch = self.service.hospital.fetch(claims.room, name, claims.name)
        except PacsError as error:
            raise refused(error) from None
        return web.json_response({"job": fetch.job}, status=202)

    async def preview(self, request: web.Request) -> web.Response:
        """Say what would go to the archive."""
        conductor = self.room(self.claims(request))
        return web.json_response(self.service.hospital.export.preview(conductor))

    async def send(self, request: web.Request) -> web.Response:
        """Begin to send."""
        claims = self.claims(request)
        body = await _body(request)
        want = body.get("want")
        patient = _text(body, "patient", 64) if "patient" in body else None
        if not isinstance(want, list) or not want or not all(kind in KINDS for kind in want):
            raise refused(PacsError("bad_request", f"The field want lists some of {', '.join(KINDS)}."))
        try:
            job = self.service.hospital.export.send(self.room(claims), want, claims.name, patient)
        except PacsError as error:
            raise refused(error) from None
        return web.json_response({"job": job.job}, status=202)

    async def job(self, request: web.Request) -> web.Response:
        """Cancel, retry or dismiss a job."""
        claims = self.claims(request)
        action = _text(await _body(request), "action", 16)
        if action not in ("cancel", "retry", "dismiss"):
            raise refused(PacsError("bad_request", "The field action is cancel, retry or dismiss."))
        try:
            self.service.hospital.act(claims.room, request.match_info["job"], action)
        except PacsError as error:
            raise refused(error) from None
        return web.Response(status=204)

    async def annotations(self, request: web.Request) -> web.Response:
        """Give the chosen patient's marks as W3C Web Annotations, with what they measure."""
        claims = self.claims(request)
        conductor, export = self.room(claims), self.service.hospital.export
        store, base = self.service.images.store, self.service.config.public_url

        def locate(drawn: DrawnMark) -> tuple[str, int, int] | None:
            anchor = drawn.mark.anchor
            if isinstance(anchor, DicomAnchor):
                record = store.find(claims.room, anchor.sop_instance_uid) if store.exists else None
                if record is None:
                    return None
                path = f"/dicom/studies/{record.study}/series/{record.series}/instances/{record.sop}"
                return f"{base}{path}/frames/{anchor.frame}", record.facts.Columns, record.facts.Rows
            if isinstance(anchor, VideoAnchor) and anchor.still:
                name = f"{anchor.producer}-{anchor.rtp_timestamp}"
                still = self.service.stills.find(claims.room, name)
                if still is not None:
                    return f"{base}/api/stills/{claims.room}/{name}.png", still.width, still.height
            return None

        try:
            body = await export.annotations(conductor, locate, f"{base}{BASE}/annotations")
        except PacsError as error:
            raise refused(error) from None
        return web.Response(body=body, content_type="application/ld+json", headers=PRIVATE)


def refused(error: PacsError) -> web.HTTPException:
    """Make the answer for what could not be done: 502 where it is the hospital's system."""
    status = _STATUS.get(error.code, 502)
    kind = {
        400: web.HTTPBadRequest,
        403: web.HTTPForbidden,
        404: web.HTTPNotFound,
        409: web.HTTPConflict,
        429: web.HTTPTooManyRequests,
    }
    return kind.get(status, web.HTTPBadGateway)(reason=error.code, text=str(error))


async def _body(request: web.Request) -> dict[str, Any]:
    body = await read_object(request, QUESTION_LIMIT)
    if body is None:
        raise refused(PacsError("bad_request", "The body is a JSON object."))
    return body


def _text(body: dict[str, Any], field: str, limit: int) -> str:
    value = body.get(field, "")
    if not isinstance(value, str) or len(value) > limit:
        raise refused(PacsError("bad_request", f"The field {field} is a text of at most {limit} characters."))
    return value.strip()
