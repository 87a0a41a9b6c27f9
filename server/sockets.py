"""One participant's WebSocket: text in, text out, and nobody waits for a slow one."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import WSCloseCode, WSMsgType, web

from signalling import notices
from signalling.message_frame import MessageError
from signalling.messages import Ephemeral, Hello, parse_message
from signalling.notices import ServerMessage
from signalling.presenter_messages import Viewport
from signalling.rate import MESSAGE_BURST, MESSAGE_RATE, TokenBucket, message_cost
from signalling.tokens import TokenError, verify

if TYPE_CHECKING:
    from .member import Member
    from .reception import Guest
    from .service import Service

log = logging.getLogger(__name__)

SUBPROTOCOL = "konsil.1"

#: Seconds between opening and `hello`.
HELLO_TIMEOUT = 10.0

#: Frames above this are refused by closing; up to it the sender gets a sentence (PROTOCOL.md, limits).
FRAME_LIMIT = 1 << 20

#: Characters waiting for one client. Two welcomes with a full log fit (7 MB each); whoever is further behind is cut
#: off, reconnects and asks for what is missing.
BACKLOG_LIMIT = 16 << 20

#: WebSocket close code after `closed` (PROTOCOL.md, section 1).
CLOSE_CODE = 4000


class Socket:
    """The sending half: messages queue here and a task writes them."""

    def __init__(self, response: web.WebSocketResponse) -> None:
        self._response = response
        self._waiting: deque[str] = deque()
        self._size = 0
        self._wake = asyncio.Event()
        self._closing = False
        #: Gives what the ephemeral lane holds, asked only when nothing else waits: so it never grows stale here.
        self.lane: Callable[[], list[str]] = list

    @property
    def closing(self) -> bool:
        """Whether nothing more is sent, and so nothing more is to be heard."""
        return self._closing

    def nudge(self) -> None:
        """Say that the lane has something."""
        self._wake.set()

    def send(self, message: ServerMessage) -> None:
        """Queue a message."""
        self.send_text(message.text)

    def send_text(self, text: str) -> None:
        """Queue an encoded message."""
        if self._closing:
            return
        self._size += len(text)
        if self._size > BACKLOG_LIMIT:
            log.warning("a client reads too slowly and is cut off")
            self._waiting.clear()
            self.finish()
            return
        self._waiting.append(text)
        self._wake.set()

    def finish(self, last: ServerMessage | None = None) -> None:
        """Close once everything queued, and `last`, is written."""
        if last is not None:
            self.send(last)
        self._closing = True
        self._wake.set()

    async def write(self) -> None:
        """Write until the socket is finished or broken."""
        try:
            while True:
                while self._waiting:
                    text = self._waiting.popleft()
                    self._size -= len(text)
                    await self._response.send_str(text)
                for text in self.lane():
                    await self._response.send_str(text)
                if self._waiting:
                    continue
                if self._closing:
                    await self._response.close(code=CLOSE_CODE)
                    return
                self._wake.clear()
                await self._wake.wait()
        except (ConnectionError, RuntimeError):
            # aiohttp says RuntimeError for a frame after its own close; the reader sees the end too
            self._closing = True


def same_origin(request: web.Request, public_url: str) -> bool:
    """Tell whether a page of ours asks. A request without Origin is no browser's."""
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    return urlsplit(origin).netloc in (request.host, urlsplit(public_url).netloc)


async def serve_socket(request: web.Request, service: Service) -> web.StreamResponse:
    """Serve ``GET /ws`` from `hello` to the end."""
    if not same_origin(request, service.config.public_url):
        raise web.HTTPForbidden(text="This page is not of this server.")
    response = web.WebSocketResponse(
        protocols=(SUBPROTOCOL,), heartbeat=15.0, max_msg_size=FRAME_LIMIT, compress=False
    )
    await response.prepare(request)
    socket = Socket(response)
    writer = asyncio.create_task(socket.write())
    member: Member | Guest | None = None
    try:
        member = await _greet(response, socket, service)
        if member is not None:
            await _listen(response, socket, member)
    finally:
        if member is not None:
            member.disconnected(socket, leaving=response.close_code == WSCloseCode.OK)
        socket.finish()
        await asyncio.wait({writer}, timeout=5)
        writer.cancel()
    return response


async def _greet(response: web.WebSocketResponse, socket: Socket, service: Service) -> Member | Guest | None:
    """Wait for `hello`, and admit or say why not."""
    try:
        frame = await response.receive(timeout=HELLO_TIMEOUT)
    except TimeoutError:
        socket.finish(notices.closed("hello_timeout", "No hello came within 10 seconds."))
        return None
    if frame.type is WSMsgType.BINARY:
        socket.finish(notices.closed("not_json", "Messages are text frames."))
    if frame.type is not WSMsgType.TEXT:
        return None
    try:
        hello = parse_message(frame.data)
    except MessageError as error:
        socket.finish(notices.closed(error.code, str(error)))
        return None
    if not isinstance(hello, Hello):
        socket.finish(notices.closed("out_of_order", "The first message must be hello."))
        return None
    if hello.version != 1:
        socket.finish(notices.closed("version", "This server speaks version 1. Please reload the page."))
        return None
    try:
        claims = verify(service.secret, hello.token, service.wall_clock())
    except TokenError as error:
        socket.finish(notices.closed(error.code, str(error)))
        return None
    return service.admit(claims, hello, socket)


async def _listen(response: web.WebSocketResponse, socket: Socket, member: Member | Guest) -> None:
    """Hand each message to the member until the socket ends."""
    loop = asyncio.get_running_loop()
    bucket = TokenBucket(MESSAGE_RATE, MESSAGE_BURST, loop.time())
    async for frame in response:
        if socket.closing:
            # taken over, gone or too slow: what still arrives speaks for nobody
            return
        if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            continue
        # what is wrong counts too
        allowed = bucket.take(loop.time(), message_cost(frame.data))
        try:
            if frame.type is WSMsgType.BINARY:
                raise MessageError("not_json", "Messages are text frames.")
            message = parse_message(frame.data)
            if allowed:
                await member.receive(message, socket)
            elif not isinstance(message, Ephemeral | Viewport):
                socket.send(notices.error(message.id, "too_fast", "More than 200 messages a second."))
        except MessageError as error:
            socket.send(notices.error(error.id, error.code, str(error)))
        if not allowed:
            # the others go first
            await asyncio.sleep(0)
