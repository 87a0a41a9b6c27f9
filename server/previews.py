"""The previews of finished recordings, made one after another by a worker that takes what nobody else wants.

Nothing waits for them: until one is made, and without it, a replay begins with the sharp picture.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from typing import TYPE_CHECKING, Final

from recorder.journal import JournalError
from recorder.library import UnknownRecording
from recorder.seal.suites import SealError
from recorder.segments.preview import SUFFIX

from .database import DatabaseError
from .exporting.worker import Errand, Worker

if TYPE_CHECKING:
    from .service import Service

log = logging.getLogger(__name__)

#: Those that are to be made, in the order in which they were asked for.
_SCRIPTS: Final = ("CREATE TABLE preview (number INTEGER PRIMARY KEY, recording TEXT NOT NULL UNIQUE)",)
_MODULE: Final = "recorder.export.previews"
#: A worker that is killed so often has met its end.
ATTEMPTS: Final = 3


class Previews:
    """Makes them. Starts with the service, after the database."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._wanted = service.config.recordings.previews
        #: How far each is that is to be made, 0-1; the first is being made.
        self.progress: dict[str, float] = {}
        #: Of these nothing more can be made, and how often a worker was killed over others.
        self._given_up: set[str] = set()
        self._killed: dict[str, int] = {}
        self._making: tuple[str, Worker] | None = None
        self._something = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        service.database.add("previews", _SCRIPTS)

    async def start(self) -> None:
        """Go on with what an earlier server left."""
        self._service.keeper.places.add("its preview", self.forget)
        if self._wanted:
            for row in await self._service.database.run(
                lambda c: c.execute("SELECT recording FROM preview ORDER BY number").fetchall()
            ):
                self.progress.setdefault(row["recording"], 0.0)
            self._task = asyncio.create_task(self._work_on())

    async def close(self) -> None:
        """Stop; the next server goes on with the minute of a track that was being made."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def ask(self, recording: str) -> None:
        """Have the preview of a prepared recording made, unless nothing can be made of it."""
        if not self._wanted or recording in self.progress or recording in self._given_up:
            return
        self.progress[recording] = 0.0
        self._something.set()
        await self._note("INSERT OR IGNORE INTO preview (recording) VALUES (?)", recording)

    async def ask_anew(self, recording: str) -> None:
        """The same for a recording that has just been prepared."""
        self._given_up.discard(recording)
        await self.ask(recording)

    async def forget(self, recording: str) -> str:
        """Stop making it, and remove what there is of it (`keeping.places`); nothing remains, so nothing is said."""
        await self.stop(recording)
        folder = self._service.archive.library.root / recording
        for path in await asyncio.to_thread(lambda: list(folder.glob(f"*{SUFFIX}*"))):
            path.unlink(missing_ok=True)
        return ""

    async def stop(self, recording: str) -> None:
        """Make it no more, until it is asked for; what is whole of it stays."""
        await self._done(recording)
        if self._making is not None and self._making[0] == recording:
            worker = self._making[1]
            worker.kill()
            if worker.process is not None:
                await worker.process.wait()

    async def _work_on(self) -> None:
        while True:
            self._something.clear()
            recording = next(iter(self.progress), None)
            if recording is None:
                await self._something.wait()
                continue
            try:
                await self._make(recording)
            except (OSError, SealError, JournalError, UnknownRecording) as error:
                # the next one may do better: this errand never ends
                log.error("the preview of a recording could not be made: %s", type(error).__name__)
                await self._done(recording)
            finally:
                self._making = None

    async def _make(self, recording: str) -> None:
        worker = Worker(_MODULE)
        self._making = recording, worker
        library = self._service.archive.library
        folder = await asyncio.to_thread(library.folder, recording)
        key = await asyncio.to_thread(library.key, recording)

        def tell(share: float) -> None:
            if recording in self.progress:
                # a worker that goes on begins where the one before was
                self.progress[recording] = max(self.progress[recording], share)

        outcome = await worker.run(Errand("preview", folder, folder, key, self._service.config.exports), tell)
        if recording not in self.progress:
            return  # it was stopped
        if outcome.files is None and outcome.failure is None:
            # killed from outside: what is whole stays, and the next worker goes on
            self._killed[recording] = self._killed.get(recording, 0) + 1
            if self._killed[recording] < ATTEMPTS:
                return
        if outcome.files is None:
            sentence = outcome.failure.sentence if outcome.failure else "its worker was ended"
            log.error("the preview of a recording could not be made: %s", sentence)
        if not outcome.files:
            self._given_up.add(recording)
        self._killed.pop(recording, None)
        await self._done(recording)

    async def _done(self, recording: str) -> None:
        self.progress.pop(recording, None)
        await self._note("DELETE FROM preview WHERE recording = ?", recording)

    async def _note(self, statement: str, recording: str) -> None:
        # where the database is full or gone, a replay that finds no preview asks for it again
        with contextlib.suppress(DatabaseError, sqlite3.Error):
            await self._service.database.run(lambda c: c.execute(statement, (recording,)))
