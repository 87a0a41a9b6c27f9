"""WHEP (draft-ietf-wish-whep): a player that only shows, such as a wall in a lecture hall, is sent a room's picture.

A session is a participant without a socket, in everybody's list under its link's name. What it is sent, and how it
goes on when the picture's sender changes, stands in `wall.py`.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from media.ids import ProducerId
from media.sdp import SdpError
from signalling.sources import SOURCES

from .bearer import demand
from .conductor import Conductor
from .member import Member
from .service import Service
from .wall import Wall
from .wish import Sessions, read_offer, unavailable


def add_routes(application: web.Application, service: Service) -> None:
    """Add the endpoint ``/whep/<room>`` and its sessions."""
    whep = Whep(service)
    whep.sessions.add_routes(application, whep.create)


class Whep:
    """Takes players' offers."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.sessions = Sessions(service, "/whep")

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Answer an offer: 201 with the session's Location, also when there is no picture yet."""
        room, claims = self.sessions.asked(request)
        demand(claims, "watch")
        source = request.query.get("source", "field")
        if source not in SOURCES or source == "microphone":
            raise web.HTTPBadRequest(
                text=f"The source must be one of {', '.join(sorted(SOURCES - {'microphone'}))}."
            )
        pinned = _pinned(request)
        if pinned is not None and pinned not in _pictures(self._service, room):
            raise web.HTTPNotFound(text="This room has no such picture.")
        self.sessions.admit(room)
        offer = await read_offer(request)
        conductor, member = self.sessions.join(room, claims)
        try:
            wall = _wall(self._service, conductor, member, source, pinned)
        except RuntimeError:
            conductor.leave(member)
            raise unavailable("The server takes no more connections.") from None
        try:
            answer = wall.offer(offer, member.identifier)
            _demand_codec(conductor, wall)
        except SdpError as error:
            wall.close()
            conductor.leave(member)
            raise web.HTTPUnprocessableEntity(text=str(error)) from None
        conductor.view(member, wall)
        conductor.pump()
        location = self.sessions.add(conductor, member, wall, offer)
        return self.sessions.created(location, answer)


def _wall(
    service: Service, conductor: Conductor, member: Member, source: str, pinned: ProducerId | None
) -> Wall:
    def ended() -> None:
        # a turn of the loop later: it is found out while the room's members are being gone through
        asyncio.get_running_loop().call_soon(leave)

    def leave() -> None:
        if conductor.members.get(member.identifier) is member:
            conductor.leave(member)

    return Wall(
        service.endpoint,
        conductor.router,
        conductor.describe_producer,
        conductor.receive_rtcp,
        conductor.receive_plane_event,
        conductor.pump,
        member.heard,
        ended,
        source=source,
        pinned=pinned,
        shard=conductor.shard,
    )


def _pinned(request: web.Request) -> ProducerId | None:
    text = request.query.get("producer")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise web.HTTPBadRequest(text="The producer is a number.")
    return ProducerId(int(text))


def _pictures(service: Service, room: str) -> set[int]:
    # a room that nobody is in is not opened for the question
    conductor = service.rooms.get(room)
    return {p.producer for p in conductor.room.producers if p.kind == "video"} if conductor else set()


def _demand_codec(conductor: Conductor, wall: Wall) -> None:
    """Refuse a player that cannot show what there is; SdpError. What comes later is shown if it fits."""
    picture = wall.picture(ProducerId(p.producer) for p in conductor.room.producers)
    if picture is not None and not wall.fits(picture):
        codec = conductor.router.producers[picture].track.codec.name
        raise SdpError(f"The picture is {codec}, which the offer does not take.")
