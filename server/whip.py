"""WHIP (RFC 9725): encoders publish with one POST and end with one DELETE.

A session is a participant without a socket. What WHIP has no word for, the sending times of a picture with a barcode,
is a POST of JSON to the session's own resource.
"""

from __future__ import annotations

import json
import logging
import secrets

from aiohttp import web

from media.ids import ProducerId
from media.sdp import SdpError
from signalling.messages import (
    LABEL_LIMIT,
    SDP_LIMIT,
    SOURCES,
    Barcode,
    MessageError,
    PublishedSource,
    Source,
    parse_message,
)
from signalling.room import RoomError
from signalling.text import check_text
from signalling.tokens import is_room_name

from .bearer import bearer, demand
from .conductor import Conductor
from .member import Member
from .service import Service

log = logging.getLogger(__name__)

SDP_TYPE = "application/sdp"


def add_routes(application: web.Application, service: Service) -> None:
    """Add the endpoint ``/whip/<room>`` and its sessions."""
    whip = Whip(service)
    application.router.add_post("/whip/{room}", whip.create)
    application.router.add_delete("/whip/{room}/{session}", whip.delete)
    application.router.add_post("/whip/{room}/{session}/barcode", whip.barcode)


class Whip:
    """The sessions. One that lost its transport is gone, as any participant's."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._sessions: dict[str, tuple[Conductor, Member]] = {}

    async def create(self, request: web.Request) -> web.Response:
        """Answer an offer: 201 with the session's Location."""
        service, room = self._service, request.match_info["room"]
        claims = bearer(request, service, room if is_room_name(room) else None)
        if not is_room_name(room):
            raise web.HTTPNotFound(text="There is no such room.")
        source, label = _source(request)
        demand(claims, "publish_field" if source == "field" else "publish")
        if request.content_type != SDP_TYPE:
            raise web.HTTPUnsupportedMediaType(text=f"The offer must be {SDP_TYPE}.")
        body = await request.content.read(SDP_LIMIT + 1)
        while len(body) <= SDP_LIMIT and (more := await request.content.read(SDP_LIMIT)):
            body += more
        if len(body) > SDP_LIMIT:
            raise web.HTTPBadRequest(text=f"An offer has at most {SDP_LIMIT} bytes.")
        if service.stopping:
            raise web.HTTPServiceUnavailable(text="The server is being restarted.")
        conductor = service.room(room)
        try:
            member = conductor.join(claims, watching=False)
        except RoomError as error:
            conductor.pump()
            raise web.HTTPServiceUnavailable(text=str(error)) from None
        try:
            sdp, tracks = member.publication.offer(body.decode("utf-8", "replace"))
        except SdpError as error:
            conductor.leave(member)
            raise web.HTTPBadRequest(text=str(error)) from None
        except RuntimeError:
            conductor.leave(member)
            raise web.HTTPServiceUnavailable(text="The server takes no more connections.") from None
        sources = [
            PublishedSource(track.mid, source if track.kind == "video" else "microphone", label)
            for track, _ in tracks
        ]
        conductor.announce(member, tracks, sources)
        conductor.pump()
        session = secrets.token_urlsafe(24)
        self._forget_ended()
        self._sessions[session] = (conductor, member)
        location = f"/whip/{room}/{session}"
        return web.Response(
            status=201,
            text=sdp,
            content_type=SDP_TYPE,
            headers={"Location": location, "Access-Control-Expose-Headers": "Location"},
        )

    async def delete(self, request: web.Request) -> web.Response:
        """End a session."""
        conductor, member = self._find(request)
        del self._sessions[request.match_info["session"]]
        conductor.leave(member)
        return web.Response()

    async def barcode(self, request: web.Request) -> web.Response:
        """Pass on when the frames of the session's picture are sent (docs/barcode.md)."""
        conductor, member = self._find(request)
        video = [
            p for p in conductor.room.producers if p.participant == member.identifier and p.kind == "video"
        ]
        if not video:
            raise web.HTTPConflict(text="This session sends no picture.")
        body = await request.content.read(4096)
        try:
            message = parse_message(_complete(body, ProducerId(video[0].producer)))
        except MessageError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        assert isinstance(message, Barcode)
        conductor.barcode(message)
        return web.Response(status=204)

    def _find(self, request: web.Request) -> tuple[Conductor, Member]:
        bearer(request, self._service, request.match_info["room"])
        self._forget_ended()
        entry = self._sessions.get(request.match_info["session"])
        if entry is None or entry[0].room.name != request.match_info["room"]:
            raise web.HTTPNotFound(text="There is no such session, or it has ended.")
        return entry

    def _forget_ended(self) -> None:
        ended = [
            session
            for session, (conductor, member) in self._sessions.items()
            if conductor.members.get(member.identifier) is not member
        ]
        for session in ended:
            del self._sessions[session]


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
