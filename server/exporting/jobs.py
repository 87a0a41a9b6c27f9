"""The exports: asked for, done one after another, gone on with, cancelled, removed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import secrets
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from recorder.export.dicom_options import DicomOptions
from recorder.export.failing import KILLED, Failure, why
from recorder.export.kinds import kind_of, read_options
from recorder.export.work import CONTEXT, REQUEST
from recorder.journal import JournalError
from recorder.library import UnknownRecording
from recorder.parts import write_part
from recorder.seal.suites import SealError
from signalling.permissions import Role

from ..recorded_patients import Known
from . import dicom_films, rows, sign_off
from .rows import Row
from .worker import Errand, Outcome, Worker

if TYPE_CHECKING:
    from ..service import Service

T = TypeVar("T")

log = logging.getLogger(__name__)

#: The folder beside the recordings: no recording can be called so.
FOLDER = "exports"

#: A worker that is killed so often has met its end.
ATTEMPTS = 3
_SWEEP_SECONDS = 600.0
_JOB = re.compile(r"e-[0-9a-f]{16}")


#: Images that one film shows.
_IMAGES = 5000


class TooManyExports(Exception):
    """More is waiting than one recording may have."""


#: Exports of one recording at a time.
MOST = 50


class _Running:
    """A worker, how far it is, and since when."""

    def __init__(self, since: float) -> None:
        self.worker = Worker()
        self.since = since
        self.first: float | None = None
        self.progress = 0.0

    def tell(self, share: float) -> None:
        # an errand that goes on begins where it was: only what this worker does says how fast it is
        self.first = share if self.first is None else self.first
        self.progress = max(self.progress, share)

    def seconds_left(self, now: float) -> float | None:
        """Estimate from what was done since the worker began; None: too little."""
        done = self.progress - (self.first or 0.0)
        return (now - self.since) * (1 - self.progress) / done if done >= 0.02 else None


class Exports:
    """What the server exports. Starts with the service, after the database."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._config = service.config.exports
        self.root = service.archive.library.root / FOLDER
        self._running: dict[str, _Running] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._something = asyncio.Event()
        service.database.add("exports", rows.SCRIPTS)

    # -- life ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Go on with what an earlier server left, and take away what it meant to."""
        self._service.keeper.places.add("exports", self.forget)
        await self._run(lambda c: c.execute("UPDATE export SET state = 'waiting' WHERE state = 'running'"))
        for row in await self._run(lambda c: rows.select(c, "state = 'cancelled'")):
            await self._take_away(row.export)
        await asyncio.to_thread(self._tidy, await self._run(_names))
        self._something.set()
        self._tasks = [asyncio.create_task(self._work_on()) for _ in range(self._config.at_once)]
        self._tasks.append(asyncio.create_task(self._sweep_on()))

    async def close(self) -> None:
        """Stop; what was running is gone on with by the next server."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _tidy(self, known: set[str]) -> None:
        if not self.root.is_dir():
            return
        for entry in self.root.iterdir():
            if entry.name not in known:
                shutil.rmtree(entry, ignore_errors=True)

    # -- asking --------------------------------------------------------------------------------------------------

    async def ask(
        self, recording: str, room: str, kind: str, fields: dict[str, Any], person: str, by: str = ""
    ) -> str:
        """Take an export on and give its name; `by` is what who asks is called.

        Raises ExportError, TooManyExports, UnknownRecording, SealError, OSError.
        """
        options = read_options(kind_of(kind), fields)
        context = None
        if isinstance(options, DicomOptions):
            context = await dicom_films.context_for(self._service, recording, room, options, by)
        there = await self._run(lambda c: rows.select(c, "recording = ?", (recording,)))
        if len(there) >= MOST:
            raise TooManyExports
        export = f"e-{secrets.token_hex(8)}"
        row = Row(export, recording, room, kind, person, self._service.wall_clock(), "waiting")
        # the row first: a folder without one is tidied away, a row without one fails with a sentence
        await self._run(lambda c: rows.insert(c, row))
        try:
            await asyncio.to_thread(self._lay_down, row, fields, context)
        except BaseException:
            await self._take_away(export)
            raise
        self._something.set()
        return export

    def _lay_down(self, row: Row, fields: dict[str, Any], context: dict[str, Any] | None) -> None:
        key = self._service.archive.library.key(row.recording)
        self.root.mkdir(mode=0o750, exist_ok=True)
        folder = self.root / row.export
        folder.mkdir(mode=0o750)
        write_part(folder / REQUEST, json.dumps(fields).encode(), key)
        if context is not None:
            write_part(folder / CONTEXT, json.dumps(context).encode(), key)

    async def list(self, recording: str, role: Role) -> list[dict[str, Any]]:
        """List a recording's exports that a role sees, the newest first, as PROTOCOL.md, section 6 has them."""
        found = await self._run(
            lambda c: rows.select(c, "recording = ? AND state != 'cancelled'", (recording,))
        )
        return [self._say(row) for row in reversed(found) if sign_off.may_see(role, row)]

    def _say(self, row: Row) -> dict[str, Any]:
        running = self._running.get(row.export)
        left = None if running is None else running.seconds_left(self._service.steady())
        return {
            "export": row.export,
            "kind": row.kind,
            "state": row.state,
            "asked": row.asked * 1000,
            "progress": 1.0
            if row.state in ("done", "needs_sign_off")
            else running.progress
            if running
            else 0.0,
            "seconds_left": None if left is None else round(left),
            "signed": None if row.signed is None else row.signed * 1000,
            "files": dicom_films.on_its_way(self._service, row.files)
            if row.state in ("done", "needs_sign_off")
            else [],
            "error": row.error,
            "code": row.code,
        }

    async def find(self, export: str) -> Row | None:
        """Find one that is not being taken away."""
        if not _JOB.fullmatch(export):
            return None
        row = await self._run(lambda c: rows.find(c, export))
        return None if row is None or row.state == "cancelled" else row

    def file(self, row: Row, name: str) -> Path | None:
        """Give the place of a file that is listed; None: there is none of this name."""
        path = self.root / row.export / name
        listed = any(file["name"] == name for file in row.files)
        return path if listed and path.parent == self.root / row.export and not path.is_symlink() else None

    # -- taking away ---------------------------------------------------------------------------------------------

    async def remove(self, export: str) -> None:
        """Cancel and remove, wherever it stands: nothing is left of it."""
        await self._run(lambda c: rows.mark(c, export, "cancelled"))
        await self._take_away(export)

    async def forget(self, recording: str) -> str:
        """Remove all that was made of a recording (`keeping.places`); nothing remains, so nothing is said."""
        for row in await self._run(lambda c: rows.select(c, "recording = ?", (recording,))):
            await self.remove(row.export)
        return ""

    async def sweep(self, now: float) -> None:
        """Remove what was finished too long ago (`now` in Unix seconds), and what consent does not cover any more."""
        await sign_off.withdraw(self._service)
        before = now - self._config.keep_hours * 3600
        # a teaching copy that was signed off stays as long as the consent
        for row in await self._run(lambda c: rows.select(c, "finished < ? AND signed IS NULL", (before,))):
            await self.remove(row.export)

    async def _take_away(self, export: str) -> None:
        if (running := self._running.get(export)) is not None:
            running.worker.kill()
            if running.worker.process is not None:
                await running.worker.process.wait()
        await asyncio.to_thread(shutil.rmtree, self.root / export, ignore_errors=True)
        await self._run(lambda c: rows.delete(c, export))

    async def _sweep_on(self) -> None:
        while True:
            with contextlib.suppress(sqlite3.Error):
                await self.sweep(self._service.wall_clock())
            await asyncio.sleep(_SWEEP_SECONDS)

    # -- working -------------------------------------------------------------------------------------------------

    async def _work_on(self) -> None:
        while True:
            row = await self._run(_take_next)
            if row is None:
                self._something.clear()
                await self._something.wait()
                continue
            try:
                await self._work(row)
            except (OSError, SealError, JournalError, UnknownRecording, sqlite3.Error) as error:
                # the next one may do better: this errand never ends
                log.error("an export could not be made: %s", type(error).__name__)
                await self._end(row, why(error))

    async def _work(self, row: Row) -> None:
        running = self._running[row.export] = _Running(self._service.steady())
        try:
            library = self._service.archive.library
            key = await asyncio.to_thread(library.key, row.recording)
            folder = await asyncio.to_thread(library.folder, row.recording)
            kind = kind_of(row.kind)
            images = await asyncio.to_thread(self._images, row) if kind.images else {}
            known = await self._service.recorded_patients.known(row.recording) if kind.patients else Known()
            errand = Errand(row.kind, folder, self.root / row.export, key, self._config, images, known.names)
            outcome = await running.worker.run(errand, running.tell)
            await self._came_of(row, outcome)
        finally:
            del self._running[row.export]

    def _images(self, row: Row) -> dict[str, Path]:
        """Find the images that somebody presented in a recording, as far as its room still has them."""
        description: dict[str, Any] = self._service.archive.library.description(row.recording) or {}
        found: dict[str, Path] = {}
        for event in description.get("events") or []:
            state = event.get("state") if event.get("kind") == "viewport" else None
            for pane in state.get("panes") or [] if isinstance(state, dict) else []:
                uid = pane.get("instance") if isinstance(pane, dict) else None
                if isinstance(uid, str) and uid not in found and len(found) < _IMAGES:
                    with contextlib.suppress(KeyError):
                        found[uid] = self._service.images.store.path(row.room, uid)
        return found

    async def _came_of(self, row: Row, outcome: Outcome) -> None:
        if outcome.files is not None:
            state: rows.State = "needs_sign_off" if kind_of(row.kind).sign_off else "done"
            files = await dicom_films.hand_over(self._service, row, self.root / row.export, outcome.files)
            if await self.find(row.export) is None:
                dicom_films.take_back(self._service, files)
            now = self._service.wall_clock()
            await self._run(lambda c: rows.finish(c, row.export, state, files, now))
            # consent may have been withdrawn while it was made
            await sign_off.withdraw(self._service, row.recording)
        elif outcome.failure is not None or row.attempts + 1 >= ATTEMPTS:
            await self._end(row, outcome.failure or KILLED)
        else:
            # killed from outside: what is whole stays, and the next worker goes on
            log.warning("a worker of an export was killed; it is begun anew")
            await self._run(
                lambda c: c.execute(
                    "UPDATE export SET state = 'waiting' WHERE export = ? AND state = 'running'",
                    (row.export,),
                )
            )
            self._something.set()

    async def _end(self, row: Row, failure: Failure) -> None:
        """Say that nothing comes of it; what was begun of it goes at once."""

        def fail(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE export SET state = 'failed', error = ?, code = ?, finished = ? "
                "WHERE export = ? AND state = 'running'",
                (failure.sentence, failure.code, self._service.wall_clock(), row.export),
            )

        await self._run(fail)
        await asyncio.to_thread(shutil.rmtree, self.root / row.export, ignore_errors=True)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._service.database.run(work)


def _names(connection: sqlite3.Connection) -> set[str]:
    """Name those whose folders stay: of one that failed nothing does."""
    return {row.export for row in rows.select(connection, "state != 'failed'")}


def _take_next(connection: sqlite3.Connection) -> Row | None:
    waiting = rows.select(connection, "state = 'waiting'")
    if not waiting:
        return None
    rows.begin(connection, waiting[0].export)
    return waiting[0]
