"""The second copy: made part by part, proved by the manifest, gone on with after a kill, and fetched back from.

A part counts as copied when it has been read back from the second place and has the SM3 that was signed.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes

from recorder.library import UnknownRecording
from recorder.manifest import MANIFEST, ManifestError, Part
from recorder.moved import MOVED
from recorder.seal.keys import KEY_FILE
from recorder.tombstone import STAYS

from . import audit
from .fetching import fetch_back, object_name, parts_of
from .pace import Pace
from .store import Store, StoreError, open_store

if TYPE_CHECKING:
    from ..service import Service

log = logging.getLogger(__name__)

#: Bytes that are read, hashed and paced at once.
_PIECE = 256 << 10
#: The share of the rate that is left to copying while people are in rooms.
_BESIDE_ROOMS = 0.25
#: Minutes until the next try after a failure, doubled each time up to the longest.
_AGAIN, _LONGEST = 10, 360


class DamagedHere(Exception):
    """What lies on this disk is not what was signed."""


class Dropped(Exception):
    """The recording is being deleted while it is copied."""


class Copies:
    """The recordings' second copies. `service.keeper` calls `round`."""

    def __init__(self, service: Service, clock: Callable[[], int]) -> None:
        """Raise ConfigError. `clock` gives Unix milliseconds."""
        self._service = service
        self._clock = clock
        self.store: Store | None = open_store(service.config.copies)
        self._pace = Pace(service.config.copies.rate_mb * 1e6)
        self._busy = asyncio.Lock()
        #: Recordings that are being deleted: nothing of them is copied or fetched any more.
        self.dropped: set[str] = set()
        #: How far a recording is fetched back, 0-1.
        self.fetching: dict[str, float] = {}

    @property
    def _root(self) -> Path:
        return self._service.archive.library.root

    # -- copying -----------------------------------------------------------------------------------------------------

    async def round(self) -> None:
        """Copy what is finished and not copied yet, the oldest first."""
        if self.store is None:
            return
        for name in await asyncio.to_thread(self._finished):
            async with self._busy:
                await self._try(name)

    def _finished(self) -> list[str]:
        names = sorted(self._service.archive.library.names())
        return [
            name for name in names if (self._root / name / MANIFEST).exists() and not self._is_moved(name)
        ]

    def _is_moved(self, name: str) -> bool:
        return (self._root / name / MOVED).exists()

    async def _try(self, name: str) -> None:
        now = self._clock()
        state = await self._service.database.run(lambda c: _state(c, name))
        if state is not None and state["again"] > now:
            return
        try:
            copied = await self._copy(name)
        except Dropped:
            return
        except DamagedHere as error:
            await self._failed(name, state, str(error), "copy_damaged_here")
        except (StoreError, OSError, ManifestError, UnknownRecording) as error:
            problem = str(error) if isinstance(error, StoreError) else "It could not be read on this disk."
            log.error("a recording could not be copied: %s", type(error).__name__)
            await self._failed(name, state, problem)
        else:
            if copied or state is None or state["whole"] is None:
                await self._service.database.run(lambda c: _whole(c, name, now))

    async def _failed(
        self, name: str, state: sqlite3.Row | None, problem: str, deed: str | None = None
    ) -> None:
        failures = 1 + (state["failures"] if state is not None else 0)
        now = self._clock()
        again = now + 60_000 * min(_AGAIN << min(failures - 1, 10), _LONGEST)

        def work(c: sqlite3.Connection) -> None:
            c.execute(
                "INSERT INTO copy (recording, problem, failures, again) VALUES (?, ?, ?, ?) ON CONFLICT (recording) "
                "DO UPDATE SET problem = excluded.problem, failures = excluded.failures, again = excluded.again",
                (name, problem, failures, again),
            )
            if deed is not None and failures == 1:
                audit.append(c, audit.SERVER, deed, now, name)

        await self._service.database.run(work)

    async def _copy(self, name: str) -> bool:
        """Copy what of a recording is not there yet; tells whether anything was."""
        folder = self._root / name
        parts = await asyncio.to_thread(parts_of, folder)
        known = await self._service.database.run(lambda c: _copied(c, name))
        missing = [part for part in parts if known.get(part.name) != part.sm3]
        for part in missing:
            await self._copy_part(name, folder / part.name, part)
            await self._service.database.run(lambda c, part=part: _note(c, name, part))  # type: ignore[misc]
        return bool(missing)

    async def _copy_part(self, name: str, path: Path, part: Part) -> None:
        assert self.store is not None
        there = object_name(name, part.name)
        digest = hashes.Hash(hashes.SM3())
        await self.store.put(there, self._read(name, path, digest))
        if digest.finalize().hex() != part.sm3:
            await self.store.remove([there])
            raise DamagedHere(f"{part.name} on this disk is not what was signed: it was not copied.")
        if await self._hash_there(there, name) != part.sm3:
            await self.store.remove([there])
            raise StoreError(f"{part.name} came back from the second place as something else.")

    async def _read(self, name: str, path: Path, digest: hashes.Hash) -> AsyncIterator[bytes]:
        file = await asyncio.to_thread(path.open, "rb", 0)
        try:
            while piece := await asyncio.to_thread(file.read, _PIECE):
                digest.update(piece)
                await self._wait(len(piece))
                if name in self.dropped:
                    raise Dropped
                yield piece
        finally:
            file.close()

    async def _hash_there(self, there: str, name: str = "") -> str:
        assert self.store is not None
        digest = hashes.Hash(hashes.SM3())
        async for piece in self.store.get(there):
            for start in range(0, len(piece), _PIECE):
                digest.update(piece[start : start + _PIECE])
                await self._wait(len(piece[start : start + _PIECE]))
            if name in self.dropped:
                raise Dropped
        return digest.finalize().hex()

    async def _wait(self, count: int) -> None:
        share = _BESIDE_ROOMS if self._service.rooms else 1.0
        await asyncio.sleep(self._pace.wait(count, self._service.steady(), share))

    # -- proving, forgetting -----------------------------------------------------------------------------------------

    async def sizes(self, name: str) -> dict[str, int]:
        """Say what the second place holds of a recording, by file. Raise StoreError."""
        assert self.store is not None
        prefix = object_name(name, "")
        return {
            path.removeprefix(prefix): size for path, size in (await self.store.sizes(prefix[:-1])).items()
        }

    async def forget(self, name: str) -> str:
        """Remove the second copy of a recording that is deleted, and leave its tombstone there."""
        self.dropped.add(name)
        async with self._busy:
            known = await self._service.database.run(lambda c: _copied(c, name))
            if self.store is None:
                return "A second copy was made in a place that is not configured now." if known else ""
            folder = self._root / name
            if known or await self.sizes(name):
                there = await self.sizes(name)
                # the key goes first
                going = sorted(there.keys() - STAYS, key=lambda file: file != KEY_FILE)
                await self.store.remove([object_name(name, file) for file in going])
                for file in sorted(STAYS - there.keys()):
                    if (folder / file).exists():
                        await self.store.put(object_name(name, file), _whole_file(folder / file))
            await self._service.database.run(lambda c: _forget(c, name))
            return ""

    # -- fetching back -----------------------------------------------------------------------------------------------

    def fetch(self, name: str) -> None:
        """Begin to fetch a recording back, unless that is under way."""
        if name not in self.fetching and self._is_moved(name):
            self.fetching[name] = 0.0
            self._service.keep(self._fetch(name))

    async def _fetch(self, name: str) -> None:
        try:
            await self.fetch_now(name)
        except (StoreError, OSError, ManifestError) as error:
            log.error("a recording could not be fetched back: %s", type(error).__name__)
        finally:
            self.fetching.pop(name, None)

    async def fetch_now(self, name: str) -> None:
        """Fetch back what is missing of a recording, each part proved. Raise StoreError, OSError, ManifestError."""
        if self.store is None:
            raise StoreError("No second place is configured.")

        def tell(share: float) -> None:
            self.fetching[name] = share
            if name in self.dropped:
                raise StoreError("It is being deleted.")

        await fetch_back(self.store, self._root / name, tell)
        await audit.write(self._service, audit.SERVER, "fetched_back", name)


async def _whole_file(path: Path) -> AsyncIterator[bytes]:
    yield await asyncio.to_thread(path.read_bytes)


def _state(c: sqlite3.Connection, name: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = c.execute("SELECT * FROM copy WHERE recording = ?", (name,)).fetchone()
    return row


def _copied(c: sqlite3.Connection, name: str) -> dict[str, str]:
    rows = c.execute("SELECT name, sm3 FROM copied WHERE recording = ?", (name,))
    return {row["name"]: row["sm3"] for row in rows}


def _note(c: sqlite3.Connection, name: str, part: Part) -> None:
    c.execute("INSERT OR REPLACE INTO copied VALUES (?, ?, ?, ?)", (name, part.name, part.sm3, part.size))


def _whole(c: sqlite3.Connection, name: str, now: int) -> None:
    c.execute("INSERT OR REPLACE INTO copy (recording, whole) VALUES (?, ?)", (name, now))
    audit.append(c, audit.SERVER, "copied", now, name)


def _forget(c: sqlite3.Connection, name: str) -> None:
    c.execute("DELETE FROM copied WHERE recording = ?", (name,))
    c.execute("DELETE FROM copy WHERE recording = ?", (name,))
