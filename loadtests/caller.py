"""A participant in Python: Konsil's signalling over the `websockets` library, for load tests and for tests."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import ssl
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

Message = dict[str, Any]

#: Seconds that an answer may take before something is wrong.
PATIENCE = 10.0


class Refused(Exception):
    """The server answered with an error or closed the socket; `code` is PROTOCOL.md's."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code


class Caller:
    """One participant's signalling connection. Notices go to `on_notice`, and to whoever waits for them."""

    #: What carries it; one that looks at frames before they are queued is a subclass.
    connection: type[ClientConnection] = ClientConnection

    def __init__(self, url: str, token: str, on_notice: Callable[[Message], None] | None = None) -> None:
        """`url` is the server's, such as ``http://127.0.0.1:8080``."""
        parts = urlsplit(url)
        self.url = f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}/ws"
        self.token = token
        self.welcome: Message = {}
        self.on_notice = on_notice
        self.closed: Message | None = None
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Message]] = {}
        self._waiting: list[tuple[Callable[[Message], bool], asyncio.Future[Message]]] = []
        self._seen: list[Message] = []
        #: what its owner does beside, until it is closed
        self.tasks: list[asyncio.Task[None]] = []
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Caller:
        await self.join()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> ClientConnection:
        """Open the socket without a word."""
        context = ssl.create_default_context() if self.url.startswith("wss") else None
        self._socket = await connect(
            self.url,
            subprotocols=[Subprotocol("konsil.1")],
            ssl=context,
            create_connection=self.connection,
            compression=None,
            max_size=16 << 20,
            proxy=None,
        )
        self._reader = asyncio.create_task(self._read(self._socket))
        return self._socket

    async def join(self, **resume: Any) -> Message:
        """Say hello and take the welcome. Raise Refused."""
        await self.open()
        self.welcome = await self.request("hello", version=1, token=self.token, **resume)
        return self.welcome

    @property
    def identifier(self) -> str:
        """Who one is in the room."""
        return str(self.welcome["self"])

    async def request(self, kind: str, *, patience: float = PATIENCE, **fields: Any) -> Message:
        """Ask and wait for the answer, `patience` seconds at most. Raise Refused."""
        identifier = next(self._ids)
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._answers[identifier] = future
        await self.send({"type": kind, "id": identifier, **fields})
        # not wait_for: before Python 3.12 it loses a cancellation that comes together with the answer
        async with asyncio.timeout(patience):
            answer = await future
        if answer["type"] in ("error", "closed"):
            raise Refused(answer["code"], answer["message"])
        return answer

    async def send(self, message: Message) -> None:
        """Send without waiting."""
        await self.send_text(json.dumps(message))

    async def send_text(self, text: str | bytes) -> None:
        """Send a frame as it is."""
        assert self._socket is not None
        await self._socket.send(text)

    async def notice(self, kind: str, **fields: Any) -> Message:
        """Wait for a notice with these fields; one that came before and was not taken counts."""

        def fits(message: Message) -> bool:
            return message["type"] == kind and all(message.get(k) == v for k, v in fields.items())

        for message in self._seen:
            if fits(message):
                self._seen.remove(message)
                return message
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting.append((fits, future))
        async with asyncio.timeout(PATIENCE):
            return await future

    async def close(self) -> None:
        """Close the socket."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            await asyncio.wait({self._reader}, timeout=PATIENCE)

    def abort(self) -> None:
        """Break the connection as a network does."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def _read(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                self._receive(json.loads(text))
        self._fail({"type": "closed", "code": "gone", "message": "The connection ended."})

    def _receive(self, message: Message) -> None:
        identifier = message.get("id")
        if message["type"] in ("welcome", "reply", "error", "pong") and identifier in self._answers:
            future = self._answers.pop(identifier)
            if not future.done():
                future.set_result(message)
            return
        if message["type"] == "closed":
            self.closed = message
            self._fail(message)
        if self.on_notice is not None:
            self.on_notice(message)
            return
        for entry in self._waiting:
            fits, waiting = entry
            if fits(message):
                self._waiting.remove(entry)
                if not waiting.done():
                    waiting.set_result(message)
                return
        self._seen.append(message)

    def _fail(self, closed: Message) -> None:
        for future in self._answers.values():
            if not future.done():
                future.set_result(closed)
        self._answers.clear()


@contextlib.asynccontextmanager
async def calling(url: str, *tokens: str) -> AsyncIterator[list[Caller]]:
    """Join several participants, and close them at the end."""
    callers: list[Caller] = []
    try:
        for token in tokens:
            caller = Caller(url, token)
            callers.append(caller)
            await caller.join()
        yield callers
    finally:
        for caller in callers:
            await caller.close()
