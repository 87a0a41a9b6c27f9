"""Studies that an archive was asked to send to our port (C-MOVE, PS3.4 annex C), and who waits for each.

What arrives does not say for which room it is. It says of which study it is: a study is moved for one at a time, and
what nobody waits for is not taken.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .pacs_error import PacsError


@dataclass(slots=True)
class Arrival:
    """An object that has come. Whoever waits for it takes the file away and then answers."""

    path: Path
    taken: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def answer(self, *, taken: bool) -> None:
        """Say whether it was taken; whoever brought it may be gone."""
        if not self.taken.done():
            self.taken.set_result(taken)


#: What has come of one study: objects, lines of its errand, how that ended (None: well).
Queue = asyncio.Queue[Arrival | dict[str, Any] | PacsError | None]


class Moves:
    """Brings together who asked and what comes."""

    def __init__(self) -> None:
        self._waiting: dict[str, Queue] = {}
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def waiting(self, study: str) -> AsyncIterator[Queue]:
        """Wait for a study's objects while the context lasts; for whoever waits for the same this waits first."""
        async with self._changed:
            await self._changed.wait_for(lambda: study not in self._waiting)
            queue = self._waiting[study] = asyncio.Queue()
        try:
            yield queue
        finally:
            del self._waiting[study]
            while not queue.empty():
                left = queue.get_nowait()
                if isinstance(left, Arrival):
                    left.answer(taken=False)
            async with self._changed:
                self._changed.notify_all()

    async def deliver(self, study: str, path: Path) -> bool:
        """Give an object to whoever waits for its study; returns whether somebody did and took it."""
        queue = self._waiting.get(study)
        if queue is None:
            return False
        arrival = Arrival(path)
        queue.put_nowait(arrival)
        return await arrival.taken
