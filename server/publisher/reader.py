"""Reads a source in a thread of its own, a few units ahead of who takes them.

The thread is a daemon: FFmpeg waits for ever for a capture card that has stopped giving pictures, and nothing outside
can wake it. So a stop is waited for only so long, and then the source is left to its thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable

from .source import READ_TIMEOUT, AccessUnit, Source

#: Seconds that a thread may take to end: what a read takes at most, where FFmpeg keeps to it.
STOP_TIMEOUT = READ_TIMEOUT + 1.0


class Reader:
    """Begins to read at once. To be made and used within a running event loop."""

    def __init__(self, source: Source, ahead: int, ready: Callable[[], None]) -> None:
        """`ahead` units are read before the first is taken; `ready` is called when there is one, or the end."""
        self.ended = False
        self.failure: BaseException | None = None
        self._source = source
        self._ready = ready
        self._loop = asyncio.get_running_loop()
        self._units: deque[AccessUnit] = deque()
        self._places = threading.Semaphore(ahead)
        self._stopping = threading.Event()
        self._finished = asyncio.Event()
        #: when the source last gave something, by the loop's clock
        self.heard = self._loop.time()
        threading.Thread(target=self._read, daemon=True, name="source").start()

    def take(self) -> AccessUnit | None:
        """Take the next unit, None while there is none."""
        if not self._units:
            return None
        self._places.release()
        return self._units.popleft()

    @property
    def waiting(self) -> bool:
        """Whether there is a unit to take."""
        return bool(self._units)

    @property
    def finished(self) -> bool:
        """Whether everything was taken that will ever come."""
        return self.ended and not self._units

    async def stop(self) -> bool:
        """Have the thread end; False where it does not in time, and the source must not be touched any more."""
        self._stopping.set()
        self._places.release()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT):
                await self._finished.wait()
        return self._finished.is_set()

    # -- in the thread -------------------------------------------------------------------------------------------

    def _read(self) -> None:
        failure: BaseException | None = None
        try:
            for unit in self._source.units():
                self._places.acquire()
                if self._stopping.is_set():
                    break
                self._tell(self._receive, unit)
        except BaseException as error:
            failure = error
        self._tell(self._end, failure)

    def _tell(self, call: Callable[..., None], *arguments: object) -> None:
        # the loop may be closed by the time that a left thread comes back
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *arguments)

    # -- in the loop ---------------------------------------------------------------------------------------------

    def _receive(self, unit: AccessUnit) -> None:
        self._units.append(unit)
        self.heard = self._loop.time()
        self._ready()

    def _end(self, failure: BaseException | None) -> None:
        self.ended, self.failure = True, failure
        self._finished.set()
        self._ready()
