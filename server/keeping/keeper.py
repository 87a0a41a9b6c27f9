"""Keeps the archive: its tables, its rounds (what is due, agreed deletions), and what others ask of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from recorder.journal import JournalError
from recorder.library import JOURNAL, UnknownRecording, read_header

from ..database import DatabaseError
from . import audit, decisions
from .backup import forget_in_backup
from .commands import add_tables
from .copies import Copies
from .deletion import carry_out
from .moving import Moving
from .places import Places

if TYPE_CHECKING:
    from ..service import Service

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds between two rounds.
ROUND = 600.0


class Keeper:
    """One a server. Its rounds run in the background; `look` begins one at once."""

    def __init__(self, service: Service) -> None:
        add_tables(service.database)
        self._service = service
        #: The system's clock (Unix seconds): tests have their own.
        self.clock: Callable[[], float] = service.wall_clock
        self.places = Places()
        self.copies = Copies(service, self.now)
        self.moving = Moving(service, self.copies, self.now)
        self.places.add("the second place", self.copies.forget)
        self.places.add("the backups", self._forget_in_backups)
        self.places.add("the notes on it", service.notes.forget)
        self.places.add("the rooms that it is shown in", self._take_off_stage)
        self._wanted = asyncio.Event()
        self._finished = asyncio.Event()
        self._one = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    def now(self) -> int:
        """Unix milliseconds, as the tables have them."""
        return int(self.clock() * 1000)

    async def decide(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do this as one transaction with its entry in the audit book. Raise Refused, or AuditError: not done."""
        try:
            return await self._service.database.run(work)
        except (DatabaseError, sqlite3.Error) as error:
            log.error("a decision could not be written down: %s", type(error).__name__)
            raise audit.AuditError from None

    async def may_teach(self, recording: str) -> bool:
        """Tell whether a recording may be shown for teaching: with consent, and while no hold lies on it."""
        return not await self.why_not_teach(recording)

    async def why_not_teach(self, recording: str) -> str:
        """Say in a sentence why a recording may not be shown for teaching; empty where it may."""
        now = self.now()

        def ask(c: sqlite3.Connection) -> str:
            if decisions.held(c, recording):
                return "A legal hold lies on this recording."
            if not decisions.may_use(c, recording, "teaching", now):
                return "There is no consent to teaching with this recording."
            return ""

        return await self._service.database.run(ask)

    async def has_consent(self, recording: str, purpose: str) -> bool:
        """Tell whether there is consent to a use now, whatever else stands against it."""
        now = self.now()
        return await self._service.database.run(lambda c: decisions.may_use(c, recording, purpose, now))

    async def _take_off_stage(self, recording: str) -> str:
        """End it where a room is shown it: the worker there has it open, and its key."""
        for conductor in list(self._service.rooms.values()):
            conductor.theatre.forget(recording)
        return ""

    async def _forget_in_backups(self, recording: str) -> str:
        """Destroy a deleted recording's key in the backups; says which cannot be reached."""
        made = await self._service.database.run(
            lambda c: [
                (Path(row["folder"]), row["made"]) for row in c.execute("SELECT * FROM backup").fetchall()
            ]
        )
        away = [
            datetime.fromtimestamp(when / 1000, UTC)
            for folder, when in made
            if not await asyncio.to_thread(forget_in_backup, folder, recording)
        ]
        days = ", ".join(f"{when:%Y-%m-%d}" for when in sorted(away))
        return f"Its wrapped key is in backups that cannot be reached, made on {days}." if away else ""

    # -- rounds ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin the rounds; copying has its own, since it may take days."""
        rounds = ((self.round, self._wanted), (self.copy_round, self._finished))
        self._tasks = [asyncio.create_task(self._rounds(make, wanted)) for make, wanted in rounds]

    async def close(self) -> None:
        """Stop; what was begun is gone on with by the next server."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def look(self) -> None:
        """Make a round at once."""
        self._wanted.set()

    async def _rounds(self, make: Callable[[], Awaitable[None]], wanted: asyncio.Event) -> None:
        while True:
            try:
                await make()
            except Exception as error:
                # the next round may do better: this errand never ends
                log.error("a round through the archive broke off: %s", type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wanted.wait(), ROUND)
            wanted.clear()

    async def copy_round(self) -> None:
        """Copy what is finished to the second place, and make room on this disk."""
        await self.copies.round()
        await self.moving.round()

    async def round(self) -> None:
        """Take in new recordings, note what is due, let requests expire, carry out what was agreed."""
        async with self._one:
            await self.take_in()
            now = self.now()

            def judge(c: sqlite3.Connection) -> list[sqlite3.Row]:
                decisions.expire(c, now)
                decisions.propose(c, now)
                return decisions.deletions_agreed(c)

            for agreed in await self._service.database.run(judge):
                await self._delete(agreed["number"], agreed["recording"])

    async def take_in(self) -> None:
        """Take in recordings that are not known yet, running ones too."""
        found = await asyncio.to_thread(self._found)
        await self._service.database.run(lambda c: decisions.register(c, found))

    def _found(self) -> list[tuple[str, str, int]]:
        library = self._service.archive.library
        found = []
        for name in library.names():
            with contextlib.suppress(OSError, JournalError, UnknownRecording):
                header = read_header(library.folder(name) / JOURNAL)
                found.append((name, header.room, header.started // 1_000_000))
        return found

    async def _delete(self, number: int, recording: str) -> None:
        remaining = await carry_out(self._service.archive, self.places, recording, number, self.clock())
        now = self.now()
        await self._service.database.run(
            lambda c: decisions.deletion_went(c, now, number, recording, remaining)
        )
