"""What the line test page asks of the server: an echo over the media port, and bytes each way over HTTP.

It belongs to no room. Who holds a signed link may use it, within bounds that keep it from hurting a consultation that
runs meanwhile: few sessions, each short; an echo of small messages at a slow pace; bytes from a budget for each link
and one for all. The echo proves a way to the real media port and measures delay, loss and jitter on it. Bytes go over
HTTP because SCTP in Python would be measured instead of the line.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
from functools import partial

from aiohttp import web

from media.sdp import SdpError, answer_publisher, parse, remote_parameters
from media.transport import Transport, TransportState
from signalling.message_fields import SDP_LIMIT
from signalling.rate import TokenBucket

from .bearer import bearer, token_of
from .request_body import read_up_to
from .service import Service

log = logging.getLogger(__name__)

PATH = "/api/linetest"

#: Sessions at once, for all and for one link: a page has one each for UDP, TCP and TURN.
MOST_SESSIONS = 24
MOST_OF_LINK = 4

#: Seconds that a session lasts; a test takes about eight.
LIFETIME = 25.0

#: The data channel that is echoed: messages a second, at once, and bytes of one.
LABEL = "echo"
ECHO_RATE, ECHO_BURST = 100.0, 100.0
MOST_ECHOED = 1200

#: Bytes in one answer or one upload.
PIECE = 256 * 1024

#: Bytes a second and at once in each direction: for one link a test of 100 Mbit/s each minute; for all five in a row.
LINK_RATE, LINK_BURST = 0.6e6, 36e6
ALL_RATE, ALL_BURST = 3e6, 180e6
MOST_LINKS = 256


def add_routes(application: web.Application, service: Service) -> None:
    """Add ``/api/linetest``, its sessions and its bytes."""
    test = LineTest(service)
    application.router.add_get(PATH, test.describe)
    application.router.add_post(PATH, test.open)
    application.router.add_get(PATH + "/bytes", test.download)
    application.router.add_post(PATH + "/bytes", test.upload)


class LineTest:
    """The sessions and the budgets."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._sessions: dict[Transport, str] = {}
        self._budgets: dict[tuple[str, str], TokenBucket] = {}
        now = service.steady()
        self._budget = {way: TokenBucket(ALL_RATE, ALL_BURST, now) for way in ("down", "up")}
        # not zeros: what compresses on the way is no measure
        self._piece = os.urandom(PIECE)

    async def describe(self, request: web.Request) -> web.Response:
        """Say which TURN servers there are, with credentials."""
        link = self._link(request)
        servers = [server.to_json() for server in self._service.ice_servers(f"linetest-{link[:16]}")]
        return web.json_response({"ice_servers": servers}, headers={"Cache-Control": "no-store"})

    async def open(self, request: web.Request) -> web.Response:
        """Answer an offer of one data channel; what comes on it goes back."""
        link = self._link(request)
        body = await read_up_to(request, SDP_LIMIT)
        if len(body) > SDP_LIMIT:
            raise web.HTTPBadRequest(text=f"An offer has at most {SDP_LIMIT} bytes.")
        if len(self._sessions) >= MOST_SESSIONS or list(self._sessions.values()).count(link) >= MOST_OF_LINK:
            raise web.HTTPTooManyRequests(
                text="Too many line tests are running. Please try again in half a minute.",
                headers={"Retry-After": str(int(LIFETIME))},
            )
        try:
            transport = self._service.endpoint.create()
        except RuntimeError:
            raise web.HTTPServiceUnavailable(text="The server takes no more connections.") from None
        try:
            offer = parse(_text(body))
            if any(section.kind != "application" for section in offer.media):
                raise SdpError("A line test has a data channel and nothing else.")
            answer, _ = answer_publisher(offer, transport.parameters)
            remote = remote_parameters(offer)
        except ValueError as error:
            transport.close()
            raise web.HTTPBadRequest(text=str(error)) from None
        self._serve(transport, link)
        transport.start(remote)
        return web.json_response({"sdp": str(answer)}, headers={"Cache-Control": "no-store"})

    def _serve(self, transport: Transport, link: str) -> None:
        self._sessions[transport] = link
        pace = TokenBucket(ECHO_RATE, ECHO_BURST, self._service.steady())
        ending = asyncio.get_running_loop().call_later(LIFETIME, transport.close)

        def changed(state: TransportState, _: str) -> None:
            if state in (TransportState.FAILED, TransportState.CLOSED):
                ending.cancel()
                self._sessions.pop(transport, None)

        transport.callbacks.on_state = changed
        transport.callbacks.on_message = partial(self._echo, transport, pace)

    def _echo(self, transport: Transport, pace: TokenBucket, label: str, message: str | bytes) -> None:
        if label == LABEL and len(message) <= MOST_ECHOED and pace.take(self._service.steady()):
            transport.send_message(label, message)

    async def download(self, request: web.Request) -> web.Response:
        """Give a piece of noise."""
        self._spend("down", self._link(request))
        return web.Response(
            body=self._piece, content_type="application/octet-stream", headers={"Cache-Control": "no-store"}
        )

    async def upload(self, request: web.Request) -> web.Response:
        """Take a piece and forget it."""
        self._spend("up", self._link(request))
        size = 0
        async for data in request.content.iter_any():
            size += len(data)
            if size > PIECE:
                raise web.HTTPRequestEntityTooLarge(PIECE, size, text=f"A piece has at most {PIECE} bytes.")
        return web.Response(status=204)

    def _link(self, request: web.Request) -> str:
        """Verify the link and name it by its hash: several people may hold the same."""
        bearer(request, self._service)
        return hashlib.sha256(token_of(request).encode()).hexdigest()

    def _spend(self, way: str, link: str) -> None:
        now = self._service.steady()
        budget = self._budgets.pop((way, link), None) or TokenBucket(LINK_RATE, LINK_BURST, now)
        self._budgets[way, link] = budget
        while len(self._budgets) > MOST_LINKS:
            del self._budgets[next(iter(self._budgets))]
        if not budget.take(now, PIECE) or not self._budget[way].take(now, PIECE):
            raise web.HTTPTooManyRequests(
                text="The budget for line tests is used up. Please try again in a minute.",
                headers={"Retry-After": "60"},
            )


def _text(body: bytes) -> str:
    """Read the offer out of ``{"sdp": …}``. Raise ValueError."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("The body is not JSON.") from None
    sdp = fields.get("sdp") if isinstance(fields, dict) else None
    if not isinstance(sdp, str):
        raise ValueError("The body is a JSON object with the offer under sdp.")
    return sdp
