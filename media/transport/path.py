"""The way of DTLS datagrams between the plane and aiortc: what aiortc takes for an ICE transport."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

#: Datagrams that wait for DTLS. A handshake has about ten; a data channel's burst is limited by its window.
QUEUE = 256

#: Larger datagrams are not sent: with IPv6 and UDP headers they must pass a 1,280-byte link (RFC 8200).
MAX_DATAGRAM = 1232

#: Larger ones are not taken.
MAX_RECEIVED = 1500


class Path:
    """A queue in, a function out. aiortc uses `role`, `_recv`, `_send` and `stop`."""

    def __init__(self, send: Callable[[bytes], None], role: str) -> None:
        self.role = role
        self.dropped = 0
        self._transmit = send
        self._queue: deque[bytes] = deque()
        self._arrived = asyncio.Event()
        self._closed = False

    def feed(self, data: bytes) -> None:
        """Take a datagram from the plane. Empty ones are dropped (aiortc reads the first byte of each)."""
        if self._closed or not 0 < len(data) <= MAX_RECEIVED or len(self._queue) >= QUEUE:
            self.dropped += 1
            return
        self._queue.append(data)
        self._arrived.set()

    def close(self) -> None:
        """Wake the reader with a ConnectionError and drop everything from now on."""
        self._closed = True
        self._queue.clear()
        self._arrived.set()

    async def _recv(self) -> bytes:
        while not self._queue:
            if self._closed:
                raise ConnectionError("The path is closed.")
            self._arrived.clear()
            await self._arrived.wait()
        return self._queue.popleft()

    async def _send(self, data: bytes) -> None:
        if self._closed:
            raise ConnectionError("The path is closed.")
        if len(data) > MAX_DATAGRAM:
            self.dropped += 1
            return
        self._transmit(data)

    async def stop(self) -> None:
        """Do what aiortc asks of an ICE transport at its end."""
        self.close()
