"""When this disk fills the oldest recordings whose second copy is proved leave it, to come back when replayed."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from recorder.moved import move_out

from . import audit, decisions
from .copies import Copies
from .fetching import read_manifest
from .store import StoreError

if TYPE_CHECKING:
    from ..service import Service

log = logging.getLogger(__name__)

#: Milliseconds for which a recording stays that somebody opened, or that was fetched back.
_DAY = 86_400_000


class Moving:
    """Makes room. `service.keeper` calls `round`."""

    def __init__(self, service: Service, copies: Copies, clock: Callable[[], int]) -> None:
        self._service = service
        self._copies = copies
        self._clock = clock
        self._wanted = service.config.copies.free_mb << 20
        #: Bytes that are free on the recordings' disk.
        self.free: Callable[[], int] = lambda: shutil.disk_usage(service.archive.library.root).free

    async def round(self) -> None:
        """Move recordings out until there is room, the oldest first."""
        if not self._wanted or self._copies.store is None:
            return
        free = await asyncio.to_thread(self.free)
        if free >= self._wanted:
            return
        since = self._clock() - _DAY
        for name in await self._service.database.run(lambda c: _may_go(c, since)):
            if free >= self._wanted:
                return
            try:
                free += await self._move(name)
            except (StoreError, OSError, ValueError) as error:
                log.error("a recording could not be moved out: %s", type(error).__name__)

    async def _move(self, name: str) -> int:
        library = self._service.archive.library
        if name in self._service.archive.running or name not in library.names():
            return 0
        folder = library.place(name)
        parts = (await asyncio.to_thread(read_manifest, folder)).parts
        there = await self._copies.sizes(name)
        if any(there.get(part.name) != part.size for part in parts):
            raise StoreError("The second copy is not whole any more.")
        await self._service.previews.stop(name)
        moved = await asyncio.to_thread(move_out, folder, parts)
        library.forget(name)
        await audit.write(self._service, audit.SERVER, "moved_out", name, bytes=moved)
        return moved


def _may_go(c: sqlite3.Connection, since: int) -> list[str]:
    rows = c.execute(
        "SELECT kept.recording FROM kept JOIN copy USING (recording) "
        "WHERE deleted IS NULL AND whole IS NOT NULL AND problem = '' AND NOT EXISTS ("
        "SELECT 1 FROM audit WHERE audit.recording = kept.recording "
        "AND json_extract(entry, '$.deed') IN ('replay_opened', 'fetched_back') AND json_extract(entry, '$.at') > ?"
        ") ORDER BY started, kept.recording",
        (since,),
    ).fetchall()
    return [row["recording"] for row in rows if not decisions.held(c, row["recording"])]
