"""One participant's WebSocket: text in, text out, and nobody waits for a slow one."""

from __future__ import annotations

import asyncio
import logging
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

#: Bytes waiting for one client. Two welcomes with a full log fit (7 MB each); whoever is further behind is cut
#: off, reconnects and asks for what is missing.
BACKLOG_LIMIT = 16 << 20

#: WebSocket close code after `closed` (PROTOCOL.md, section 1).
CLOSE_CODE = 4000


class Socket:
    """The sending half. What is said in one turn of the loop goes out as one piece, its own WebSocket frame each.

    While the client does not read, durable messages wait here, and the ephemeral lane is not asked: it keeps what is
    new. Nobody else is held up.
    """

    def __init__(self, request: web.Request, response: web.WebSocketResponse) -> None:
        assert request.transport is not None
        self._loop = asyncio.get_running_loop()
        self._request = request
        self._response = response
        self._transport = request.transport
        self._waiting: list[bytes] = []
        self._size = 0
        self._due = False
        self._wake = asyncio.Event()
        self._slow = False
        self._closing = False
        #: Gives what the ephemeral lane holds, asked only when it can be written at once: so it never grows stale here.
        self.lane: Callable[[], list[bytes]] = list

    @property
    def closing(self) -> bool:
        """Whether nothing more is sent, and so nothing more is to be heard."""
        return self._closing

    @property
    def slow(self) -> bool:
        """Whether the client does not read, so that what stays waits and what does not is left out."""
        return self._slow

    def send(self, message: ServerMessage) -> None:
        """Queue a message for the end of this turn of the loop."""
        if self._closing:
            return
        data = message.data
        self._size += len(data)
        if self._size > BACKLOG_LIMIT:
            log.warning("a client reads too slowly and is cut off")
            self._waiting.clear()
            self.finish()
            return
        self._waiting.append(data)
        self.nudge()

    def nudge(self) -> None:
        """Have all that waits, here and on the lane, written at the end of this turn of the loop."""
        if not self._due and not self._slow:
            self._due = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write all that waits, if the client reads."""
        self._due = False
        if self._slow:
            return
        if self._transport.is_closing() or self._response.closed:
            # the reader sees the end too
            self._closing = True
            self._waiting.clear()
            return
        parts: list[bytes] = []
        for data in self._waiting:
            parts += (_head(len(data)), data)
        for data in self.lane():
            parts += (_head(len(data)), data)
        self._waiting.clear()
        self._size = 0
        if parts:
            self._transport.write(b"".join(parts))
        if self._request.protocol.writing_paused:
            self._slow = True
            self._wake.set()

    def finish(self, last: ServerMessage | None = None) -> None:
        """Close once everything queued, and `last`, is written."""
        if last is not None:
            self.send(last)
        self._closing = True
        self._wake.set()

    async def attend(self) -> None:
        """Go on where the client was slow, and close in the end: all else is done without a task."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._request.writer.drain()
                self._slow = False
                self.flush()
                if self._closing and not self._slow:
                    await self._response.close(code=CLOSE_CODE)
                    return
        except (ConnectionError, RuntimeError):
            # aiohttp says RuntimeError for a frame after its own close; the reader sees the end too
            self._closing = True


def _head(size: int) -> bytes:
    """Begin an unfragmented, unmasked text frame (RFC 6455, section 5.2)."""
    if size < 126:
        return bytes((0x81, size))
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big")
    return b"\x81\x7f" + size.to_bytes(8, "big")


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
    socket = Socket(request, response)
    attendant = asyncio.create_task(socket.attend())
    member: Member | Guest | None = None
    try:
        member = await _greet(response, socket, service)
        if member is not None:
            await _listen(response, socket, member)
    finally:
        if member is not None:
            member.disconnected(socket, leaving=response.close_code == WSCloseCode.OK)
        socket.finish()
        await asyncio.wait({attendant}, timeout=5)
        attendant.cancel()
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
