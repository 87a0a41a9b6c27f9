"""Where TCP connections come in: one port for pages and for media that UDP does not carry (ICE-TCP, RFC 6544).

In HTTP, TLS and ICE alike the caller speaks first, so the first bytes say where a connection belongs:

- a number from 0 to 1,500 (two bytes, RFC 4571), then a STUN message of that length which names one of our transports:
  ICE-TCP, for the plane;
- anything else with a first byte above 5, such as a letter (HTTP) or 0x16 (TLS): pages, for aiohttp, through TLS where
  that is configured;
- anything else, or nothing for `PATIENCE` seconds: nobody we know, closed.

Nothing is read before that is decided, only looked at (MSG_PEEK), and whoever dawdles costs one socket for a bounded
time. A door without pages takes media alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from media.transport.endpoint import Endpoint
from media.transport.stun import MAGIC_COOKIE

from .config import Config

log = logging.getLogger(__name__)

#: Seconds that a caller has for its first words: an HTTP request's first bytes, a whole STUN message.
PATIENCE = 10.0

#: Connections that have not said what they are; beyond it the oldest is closed.
MAX_UNDECIDED = 256

#: The longest frame of ICE-TCP that we take, the length before it, and what must be there to recognise STUN.
MAX_FRAME = 1500
_LENGTH = 2
_RECOGNISABLE = _LENGTH + 8

#: Seconds without taking anybody, after the system had no descriptor left.
_BREATH = 1.0

Protocols = Callable[[], asyncio.BaseProtocol]


@dataclass(slots=True)
class _Caller:
    connection: socket.socket
    timer: asyncio.TimerHandle


class FrontDoor:
    """One listening socket. To be made within a running event loop, which it uses until `close`."""

    def __init__(
        self,
        listening: socket.socket,
        endpoint: Endpoint | None,
        *,
        pages: Protocols | None = None,
        tls: ssl.SSLContext | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """Take calls on a bound socket; without `endpoint` there is no ICE-TCP, without `pages` no HTTP."""
        self._listening = listening
        self._endpoint = endpoint
        self._pages = pages
        self._tls = tls
        self._patience = patience
        self._undecided: dict[int, _Caller] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._loop = asyncio.get_running_loop()
        listening.setblocking(False)
        listening.listen(512)
        self._loop.add_reader(listening.fileno(), self._accept)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listening.getsockname()[1])

    @property
    def undecided(self) -> int:
        """How many callers have not said yet what they are."""
        return len(self._undecided)

    async def close(self) -> None:
        """Take nobody any more; who has been let in stays."""
        self._closed = True
        self._loop.remove_reader(self._listening.fileno())
        self._listening.close()
        for caller in list(self._undecided.values()):
            self._turn_away(caller)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(64):  # then the others of the event loop have their turn
            try:
                connection, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                log.error("no caller can be taken in: %s", error)
                self._loop.remove_reader(self._listening.fileno())
                self._loop.call_later(_BREATH, self._accept_again)
                return
            self._meet(connection)

    def _accept_again(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._listening.fileno(), self._accept)

    def _meet(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        while len(self._undecided) >= MAX_UNDECIDED:
            self._turn_away(next(iter(self._undecided.values())))
        timer = self._loop.call_later(self._patience, self._give_up, connection.fileno())
        self._undecided[connection.fileno()] = _Caller(connection, timer)
        # readable only when enough is there: no caller can have us look at every byte
        _wait_for(connection, _RECOGNISABLE)
        self._loop.add_reader(connection.fileno(), self._look, connection.fileno())

    def _give_up(self, descriptor: int) -> None:
        self._turn_away(self._undecided[descriptor])

    def _turn_away(self, caller: _Caller) -> None:
        self._decided(caller).close()

    def _decided(self, caller: _Caller) -> socket.socket:
        connection = caller.connection
        self._loop.remove_reader(connection.fileno())
        caller.timer.cancel()
        del self._undecided[connection.fileno()]
        return connection

    def _look(self, descriptor: int) -> None:
        caller = self._undecided[descriptor]
        connection = caller.connection
        try:
            words = connection.recv(_LENGTH + MAX_FRAME, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            words = b""
        if words and words[0] > MAX_FRAME >> 8:
            if self._pages is None:
                self._turn_away(caller)
            else:
                self._serve_pages(self._decided(caller), self._pages)
            return
        frame = _LENGTH + int.from_bytes(words[:_LENGTH], "big")
        if (
            len(words) < _RECOGNISABLE
            or not _is_stun(words)
            or not _RECOGNISABLE <= frame <= _LENGTH + MAX_FRAME
        ):
            self._turn_away(caller)  # its end, or not one of ours
        elif len(words) < frame:
            if words and _wait_for(connection, frame) < frame:
                self._turn_away(caller)
        elif self._endpoint is None or not self._endpoint.knows(words[_LENGTH:frame]):
            self._turn_away(caller)
        else:
            self._endpoint.adopt_stream(self._decided(caller), words[_LENGTH:frame])

    def _serve_pages(self, connection: socket.socket, pages: Protocols) -> None:
        _wait_for(connection, 1)
        task = self._loop.create_task(self._greet(connection, pages))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _greet(self, connection: socket.socket, pages: Protocols) -> None:
        # a handshake that fails is the caller's affair: the event loop has closed the socket
        with contextlib.suppress(OSError, ssl.SSLError):
            await self._loop.connect_accepted_socket(
                pages,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self._patience if self._tls is not None else None,
            )


def _is_stun(words: bytes) -> bool:
    """Whether a STUN message begins behind the length (RFC 8489, section 5)."""
    return words[_LENGTH] < 4 and words[_LENGTH + 4 : _RECOGNISABLE] == MAGIC_COOKIE.to_bytes(4, "big")


def _wait_for(connection: socket.socket, size: int) -> int:
    """Have a socket count as readable only when so many bytes are there; tell how many it will be."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)


def listen(host: str, port: int) -> list[socket.socket]:
    """Bind TCP sockets as a server's: all addresses of a name, and of `::` IPv4 too. Raise OSError."""
    opened: list[socket.socket] = []
    try:
        for family, kind, protocol, _, name in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            listening = socket.socket(family, kind, protocol)
            opened.append(listening)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, name[0] != "::")
            # further addresses of the name take the port that the first was given
            first = opened[0].getsockname()[1] if len(opened) > 1 else name[1]
            listening.bind((name[0], first, *name[2:]))
    except OSError:
        for listening in opened:
            listening.close()
        raise
    return opened


def media_ports(config: Config, pages: int, media: int | None) -> list[int]:
    """Say which TCP ports peers are told: the media's own (0: the number that each address has), then the pages'.

    The pages' port is not theirs to call where it is not what `public_url` says, since a proxy stands before it, and
    where it serves this machine alone and the media do not.
    """
    ports = [] if media is None else [media]
    url = urlsplit(config.http.public_url)
    ours = "https" if config.http.certificate else "http"
    if url.scheme not in {"", ours}:
        return ports
    if _is_loopback(config.http.host) and not _is_loopback(config.media.host):
        return ports
    if url.scheme:
        pages = url.port or (443 if ours == "https" else 80)
    return [*ports, pages]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
