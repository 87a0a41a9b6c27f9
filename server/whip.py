"""WHIP (RFC 9725): encoders publish with one POST and end with one DELETE.

A session is a participant without a socket. What WHIP has no word for, the sending times of a picture with a barcode,
is a POST of JSON to the session's own resource.
"""

from __future__ import annotations

import json

from aiohttp import web

from media.ids import ProducerId
from media.sdp import SdpError, SessionDescription, over_http
from signalling.message_frame import MessageError
from signalling.messages import LABEL_LIMIT, Barcode, parse_message
from signalling.room import RoomError
from signalling.sources import SOURCES, Source
from signalling.text import check_text

from .bearer import demand
from .naming import Naming
from .service import Service
from .wish import Sessions, read, read_offer, unavailable

#: A sending time of a barcode has about 100 bytes.
MOST_BARCODE = 4096


def add_routes(application: web.Application, service: Service) -> None:
    """Add the endpoint ``/whip/<room>`` and its sessions."""
    whip = Whip(service)
    whip.sessions.add_routes(application, whip.create)
    application.router.add_post("/whip/{room}/{session}/barcode", whip.barcode)


class Whip:
    """Takes offers, and the sending times of barcodes."""

    def __init__(self, service: Service) -> None:
        self.sessions = Sessions(service, "/whip")

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Answer an offer: 201 with the session's Location."""
        room, claims = self.sessions.asked(request)
        source, label = _source(request)
        demand(claims, "publish_field" if source == "field" else "publish")
        self.sessions.admit(room)
        offer = await read_offer(request)
        conductor = self.sessions.service.room(room)
        naming = Naming(source=source, label=label)
        former = self.sessions.former(request.headers.get("Konsil-Former", ""), conductor)
        returned = conductor.publishing.returning(claims, naming, former)
        if returned is None:
            conductor, member = self.sessions.join(room, claims)
        else:
            member = returned
        before = member.publication.transport
        try:
            answer, tracks = member.publication.offer(offer, conductor.publishing.going_on(member, naming))
            _demand_all(offer, answer, len(tracks))
        except (SdpError, RuntimeError) as error:
            if returned is None:
                conductor.leave(member)
            elif before is None or member.publication.transport is not before:
                # what it sent before its connection broke still waits for a better offer
                conductor.publishing.failed(member)
            if isinstance(error, SdpError):
                raise web.HTTPUnprocessableEntity(text=str(error)) from None
            raise unavailable("The server takes no more connections.") from None
        try:
            for track, _ in tracks:
                conductor.room.demand_source(member.identifier, naming.name(track)[0])
        except RoomError as error:
            conductor.leave(member)
            raise web.HTTPForbidden(text=str(error)) from None
        conductor.publishing.announce(member, tracks, naming)
        conductor.pump()
        location = self.sessions.add(conductor, member, member.publication, offer)
        return self.sessions.created(location, over_http(answer))

    async def barcode(self, request: web.Request) -> web.Response:
        """Pass on when the frames of the session's picture are sent (docs/barcode.md)."""
        session = self.sessions.find(request)
        conductor, member = session.conductor, session.member
        video = [
            p for p in conductor.room.producers if p.participant == member.identifier and p.kind == "video"
        ]
        if not video:
            raise web.HTTPConflict(text="This session sends no picture.")
        body = await read(request, MOST_BARCODE)
        try:
            message = parse_message(_complete(body, ProducerId(video[0].producer)))
        except MessageError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        assert isinstance(message, Barcode)
        conductor.barcode(message)
        return web.Response(status=204)


def _demand_all(offer: SessionDescription, answer: SessionDescription, tracks: int) -> None:
    """Refuse what could be published in part only (RFC 9725, section 4.4.3); SdpError."""
    for offered, answered in zip(offer.media, answer.media, strict=True):
        if answered.rejected and not offered.rejected:
            names = ", ".join(dict.fromkeys(codec.name for codec in offered.codecs)) or "what it offers"
            raise SdpError(f"The {offered.kind} cannot be published: {names} is not passed.")
    if not tracks:
        raise SdpError("The offer sends neither picture nor sound.")


def _source(request: web.Request) -> tuple[Source, str]:
    source = request.query.get("source", "field")
    if source not in SOURCES:
        raise web.HTTPBadRequest(text=f"The source must be one of {', '.join(sorted(SOURCES))}.")
    try:
        label = check_text(request.query.get("label", ""), 0, LABEL_LIMIT)
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"The label {error}.") from None
    return source, label  # type: ignore[return-value]


def _complete(body: bytes, producer: ProducerId) -> bytes:
    """Make the signalling message of what the resource already says: its type, its producer."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest(text="The body is not JSON.") from None
    if not isinstance(fields, dict):
        raise web.HTTPBadRequest(text="The body is not a JSON object.")
    return json.dumps({**fields, "type": "barcode", "id": 1, "producer": producer}).encode()
