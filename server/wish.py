"""What WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) share over HTTP.

A session is a resource with a secret address: PATCH brings candidates or restarts ICE, DELETE ends it, GET says that
it is there. Its entity tag names its ICE session, so that a fragment which was overtaken by a restart does no harm.
One that lost its transport, or whose picture is gone for good, is gone too: 404.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from aiohttp import web

from media.sdp import (
    MAX_FRAGMENT,
    MediaSection,
    SdpError,
    SessionDescription,
    TransportParameters,
    parse,
    parse_fragment,
    remote_parameters,
    write_fragment,
)
from media.transport.transport import Transport
from signalling.message_fields import SDP_LIMIT
from signalling.rate import TokenBucket
from signalling.room import RoomError
from signalling.tokens import Claims, is_room_name

from .bearer import bearer
from .conductor import Conductor
from .member import Member
from .request_body import read_up_to
from .service import Service

SDP_TYPE: Final = "application/sdp"
FRAGMENT_TYPE: Final = "application/trickle-ice-sdpfrag"

#: POSTs to a room, PATCHes to a session: a second on average, and at once.
POST_RATE, POST_BURST = 2.0, 40
PATCH_RATE, PATCH_BURST = 10.0, 40

#: Rooms whose rate of POSTs is remembered.
MOST_BUCKETS: Final = 1024

#: Seconds after which it is worth while to ask again.
RETRY_AFTER: Final = "2"

#: Any page may call: what guards is the bearer token, which no browser sends by itself.
CORS: Final[Mapping[str, str]] = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Location, Link, ETag, Accept-Patch, Accept-Post, Retry-After, Konsil-Time",
}

_PREFIXES: Final = ("/whip/", "/whep/")


def cors(path: str) -> Mapping[str, str]:
    """Give the headers by which pages of other origins may read the answers of a path."""
    return CORS if path.startswith(_PREFIXES) else {}


class Connection(Protocol):
    """The one media connection of a session."""

    @property
    def transport(self) -> Transport | None:
        """Where it stands; None when it is over."""

    def restart_ice(self, ufrag: str, pwd: str) -> TransportParameters:
        """Restart ICE with these credentials of the peer's; returns ours."""


@dataclass(slots=True)
class Session:
    """One session: who it is in its room, and the ICE session that it is in."""

    conductor: Conductor
    member: Member
    connection: Connection
    section: MediaSection
    ufrag: str
    pwd: str
    etag: str
    patches: TokenBucket

    @property
    def gone(self) -> bool:
        """Whether the participant is gone; one whose connection alone is may come back."""
        return self.conductor.members.get(self.member.identifier) is not self.member

    @property
    def ended(self) -> bool:
        """Whether the participant is gone, or its connection."""
        transport = self.connection.transport
        return self.gone or transport is None or transport.ended


class Sessions:
    """The sessions under one prefix, ``/whip`` or ``/whep``."""

    def __init__(self, service: Service, prefix: str) -> None:
        self.service = service
        self.prefix = prefix
        self._sessions: dict[str, Session] = {}
        self._posts: dict[str, TokenBucket] = {}

    def add_routes(
        self, application: web.Application, create: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> None:
        """Add the endpoint, made by `create`, and what its sessions answer to."""
        endpoint, session = f"{self.prefix}/{{room}}", f"{self.prefix}/{{room}}/{{session}}"
        router = application.router
        router.add_post(endpoint, create)
        router.add_get(endpoint, self.look)
        router.add_options(endpoint, self.options)
        router.add_patch(session, self.patch)
        router.add_delete(session, self.delete)
        router.add_get(session, self.look_at_session)
        router.add_options(session, self.session_options)

    # -- the endpoint --------------------------------------------------------------------------------------------

    def asked(self, request: web.Request) -> tuple[str, Claims]:
        """Tell the room that a POST is for, and who asks. Raise 401, 403, 404."""
        room = request.match_info["room"]
        claims = bearer(request, self.service, room if is_room_name(room) else None)
        if not is_room_name(room):
            raise web.HTTPNotFound(text="There is no such room.")
        return room, claims

    def admit(self, room: str) -> None:
        """Count a POST. Raise 429 where there are too many, 503 where the server is about to stop."""
        now = self.service.now()
        if room not in self._posts and len(self._posts) >= MOST_BUCKETS:
            self._posts.pop(next(iter(self._posts)))
        bucket = self._posts.setdefault(room, TokenBucket(POST_RATE, POST_BURST, now))
        if not bucket.take(now):
            raise web.HTTPTooManyRequests(
                text="Too many sessions are asked for at once.", headers={"Retry-After": RETRY_AFTER}
            )
        if self.service.stopping:
            raise unavailable("The server is being restarted.")

    def join(self, room: str, claims: Claims) -> tuple[Conductor, Member]:
        """Come into a room. Raise 503 while it is full, 403 where one may not."""
        conductor = self.service.room(room)
        try:
            return conductor, conductor.join(claims)
        except RoomError as error:
            conductor.pump()
            if error.code == "room_full":
                raise unavailable(str(error)) from None
            raise web.HTTPForbidden(text=str(error)) from None

    def add(
        self, conductor: Conductor, member: Member, connection: Connection, offer: SessionDescription
    ) -> str:
        """Keep a session; returns its address."""
        # an encoder that came back has one session, the new one
        self._sessions = {name: s for name, s in self._sessions.items() if s.member is not member}
        self._forget_gone()
        remote = remote_parameters(offer)
        section = next(s for s in offer.media if s.ufrag == remote.ufrag and not s.rejected)
        name = secrets.token_urlsafe(24)
        patches = TokenBucket(PATCH_RATE, PATCH_BURST, self.service.now())
        self._sessions[name] = Session(
            conductor, member, connection, section, remote.ufrag, remote.pwd, _new_etag(), patches
        )
        return f"{self.prefix}/{conductor.room.name}/{name}"

    def created(self, location: str, answer: SessionDescription) -> web.Response:
        """Answer a POST with 201, the session's address, its entity tag and the ICE servers."""
        session = self._sessions[location.rpartition("/")[2]]
        response = web.Response(
            status=201,
            text=str(answer),
            content_type=SDP_TYPE,
            headers={"Location": location, "ETag": session.etag, "Accept-Patch": FRAGMENT_TYPE},
        )
        self._add_ice_servers(response, session.member.identifier)
        return response

    async def look(self, _: web.Request) -> web.StreamResponse:
        """Answer GET and HEAD: there is nothing to see, and the type tells players what this address takes."""
        return web.Response(headers={"Content-Type": SDP_TYPE, "Accept-Post": SDP_TYPE})

    async def options(self, request: web.Request) -> web.StreamResponse:
        """Answer OPTIONS; with the ICE servers if it bears a token, which a browser's preflight does not."""
        response = web.Response(headers=_preflight("POST, GET, HEAD, OPTIONS"))
        response.headers["Accept-Post"] = SDP_TYPE
        if "Authorization" in request.headers:
            bearer(request, self.service, request.match_info["room"])
            self._add_ice_servers(response, f"pt-{secrets.token_hex(4)}")
        return response

    def _add_ice_servers(self, response: web.Response, name: str) -> None:
        # RFC 9725, section 4.6; `name` tells users apart in the TURN server's quotas
        for server in self.service.ice_servers(name):
            for link in server.links():
                response.headers.add("Link", link)

    # -- a session -----------------------------------------------------------------------------------------------

    def find(self, request: web.Request) -> Session:
        """Find the session that a request is for. Raise 401, 403, 404."""
        bearer(request, self.service, request.match_info["room"])
        self._forget_gone()
        session = self._sessions.get(request.match_info["session"])
        if session is None or session.ended or session.conductor.room.name != request.match_info["room"]:
            raise web.HTTPNotFound(text="There is no such session, or it has ended.")
        return session

    async def session_options(self, _: web.Request) -> web.StreamResponse:
        """Answer OPTIONS."""
        response = web.Response(headers=_preflight("PATCH, DELETE, GET, HEAD, OPTIONS"))
        response.headers["Accept-Patch"] = FRAGMENT_TYPE
        return response

    async def look_at_session(self, request: web.Request) -> web.StreamResponse:
        """Answer GET and HEAD: 204 as long as it is there."""
        session = self.find(request)
        return web.Response(status=204, headers={"ETag": session.etag})

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """End a session."""
        session = self.find(request)
        del self._sessions[request.match_info["session"]]
        session.conductor.leave(session.member)
        return web.Response()

    async def patch(self, request: web.Request) -> web.StreamResponse:
        """Take candidates (204), or restart ICE (200 with our half of it)."""
        session = self.find(request)
        if not session.patches.take(self.service.now()):
            raise web.HTTPTooManyRequests(
                text="Too many fragments come at once.", headers={"Retry-After": RETRY_AFTER}
            )
        if request.content_type != FRAGMENT_TYPE:
            raise web.HTTPUnsupportedMediaType(
                text=f"A session takes {FRAGMENT_TYPE}.", headers={"Accept-Patch": FRAGMENT_TYPE}
            )
        condition = request.headers.getall("If-Match", [])
        if not condition:
            raise web.HTTPPreconditionRequired(
                text="If-Match is needed: the session's ETag, or * to restart."
            )
        if not _matches(",".join(condition), session.etag):
            raise web.HTTPPreconditionFailed(text="This ICE session is over; a newer one has begun.")
        try:
            fragment = parse_fragment((await read(request, MAX_FRAGMENT)).decode("utf-8", "replace"))
        except SdpError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        if fragment.ufrag in ("", session.ufrag) and fragment.pwd in ("", session.pwd):
            # a lite agent waits for checks and sends none: it has no use for candidates (RFC 8445, section 2.5)
            return web.Response(status=204)
        local = session.connection.restart_ice(fragment.ufrag, fragment.pwd)
        session.ufrag, session.pwd, session.etag = fragment.ufrag, fragment.pwd, _new_etag()
        return web.Response(
            body=write_fragment(local, session.section).encode(),
            content_type=FRAGMENT_TYPE,
            headers={"ETag": session.etag},
        )

    def former(self, location: str, conductor: Conductor) -> Member | None:
        """Find who had the session of this address, which its owner alone knows, if it may still come back."""
        session = self._sessions.get(location.rpartition("/")[2])
        return (
            session.member
            if session is not None and session.conductor is conductor and not session.gone
            else None
        )

    def _forget_gone(self) -> None:
        for name in [name for name, session in self._sessions.items() if session.gone]:
            del self._sessions[name]


async def read_offer(request: web.Request) -> SessionDescription:
    """Read the offer of a POST. Raise 400, 415."""
    if request.content_type != SDP_TYPE:
        raise web.HTTPUnsupportedMediaType(
            text=f"The offer must be {SDP_TYPE}.", headers={"Accept-Post": SDP_TYPE}
        )
    body = await read(request, SDP_LIMIT)
    try:
        offer = parse(body.decode("utf-8", "replace"))
        if not offer.media:
            raise SdpError("The offer has no media section.")
        return offer
    except SdpError as error:
        raise web.HTTPBadRequest(text=str(error)) from None


async def read(request: web.Request, limit: int) -> bytes:
    """Read a body of at most `limit` bytes. Raise 400."""
    body = await read_up_to(request, limit)
    if len(body) > limit:
        raise web.HTTPBadRequest(text=f"At most {limit} bytes are taken.")
    return body


def unavailable(sentence: str) -> web.HTTPServiceUnavailable:
    """Make a 503 that says when to ask again."""
    return web.HTTPServiceUnavailable(text=sentence, headers={"Retry-After": RETRY_AFTER})


def _preflight(methods: str) -> dict[str, str]:
    return {
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match, Link",
        "Access-Control-Max-Age": "86400",
    }


def _new_etag() -> str:
    return f'"{secrets.token_hex(8)}"'


def _matches(condition: str, etag: str) -> bool:
    # RFC 9725's examples have the star in quotes
    tags = [tag.strip() for tag in condition.split(",")]
    return tags in (["*"], ['"*"']) or etag in tags
