"""The archive's errand: one worker at a time that makes the containers of finished recordings."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from recorder.export import INDICES
from recorder.journal import JournalError
from recorder.library import Library, UnknownRecording
from recorder.manifest import MANIFEST, ManifestError
from recorder.seal.keys import DataKey
from recorder.seal.suites import SealError
from recorder.signing import catch_up, sign_recording
from recorder.writer import DiskError, describe

from .archive_keys import ArchiveKeys
from .room_recorder import RoomRecorder

log = logging.getLogger(__name__)

ROOT = Path(__file__).parent.parent


class Archive:
    """Knows the running recordings and exports the finished ones, oldest first."""

    def __init__(self, library: Library, keys: ArchiveKeys) -> None:
        self.library = library
        self.signing = keys.signing
        self._keys = keys
        self.running: dict[str, RoomRecorder] = {}
        #: Packets that recordings which are over lack.
        self.left_out = 0
        #: How far the export of a recording has come, 0-1.
        self.progress: dict[str, float] = {}
        #: What is told of each recording that has been prepared and signed.
        self.followed_by: Callable[[str], Awaitable[None]] | None = None
        self._exports: asyncio.Queue[str] = asyncio.Queue()
        #: Of these, signed before there were frame indices, nothing but those is made.
        self._indices_only: set[str] = set()
        self._indexed: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin, with what an earlier server left unfinished."""
        try:
            await asyncio.to_thread(catch_up, self.library.root)
        except (ManifestError, OSError) as error:
            # consultations do not wait for the archive's order
            log.error("recordings cannot be signed: %s", error)
        for name in await asyncio.to_thread(self.library.unfinished):
            self.export(name)
        self._task = asyncio.create_task(self._export_all())

    async def close(self) -> None:
        """Stop; an export that was cut short is begun anew by the next server."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def create(self, name: str) -> tuple[Path, DataKey | None]:
        """Make a new recording's folder: its journal's path, and what it is sealed with. Call it in a thread.

        Raises DiskError.
        """
        journal = self.library.create(name)
        try:
            key = self._keys.new(journal.parent)
        except SealError as error:
            raise DiskError(str(error)) from None
        except OSError as error:
            raise DiskError(describe(error)) from error
        if key is not None:
            self.library.remember(name, key)
        return journal, key

    def finish(self, recorder: RoomRecorder) -> None:
        """Let go of a recording that was stopped, and have its containers made."""
        if self.running.pop(recorder.name, None) is not None:
            self.left_out += recorder.packets_left_out
        self.export(recorder.name)

    def export(self, name: str) -> None:
        """Make the containers of a recording as soon as those before it are made."""
        self.progress[name] = 0.0
        self._exports.put_nowait(name)

    def index(self, name: str) -> bool:
        """Make the frame indices that a recording of an earlier server has not; False where that was tried."""
        if name in self._indexed:
            return False
        self._indexed.add(name)
        if (self.library.folder(name) / MANIFEST).exists():
            self._indices_only.add(name)
        self.export(name)
        return True

    async def _export_all(self) -> None:
        while True:
            name = await self._exports.get()
            try:
                await self._export(name)
            except (OSError, UnknownRecording, JournalError, SealError, ManifestError) as error:
                # the next one may do better: this errand never ends
                log.error("the containers of a recording could not be made: %s", type(error).__name__)
            finally:
                self.progress.pop(name, None)

    async def _export(self, name: str) -> None:
        key = await asyncio.to_thread(self.library.key, name)
        suite = [] if key is None else [key.suite.name]
        if name in self._indices_only:
            self._indices_only.discard(name)
            suite.append(INDICES)
        # another process, and a patient one: the live room comes first
        process = await asyncio.create_subprocess_exec(
            "nice", "-n", "15", sys.executable, "-m", "recorder.export", str(self.library.folder(name)), *suite,
            cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(b"" if key is None else key.key)
            process.stdin.close()
            async for line in process.stdout:
                with contextlib.suppress(ValueError, TypeError, AttributeError):
                    self.progress[name] = float(json.loads(line).get("progress", 0.0))
            if await process.wait() != 0:
                log.error("the containers of a recording could not be made")
                return
            await asyncio.to_thread(
                sign_recording, self.library.folder(name), self._keys.signing, time.time()
            )
            if self.followed_by is not None:
                await self.followed_by(name)
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):  # it was being signed already
                process.terminate()
            await process.wait()
            raise
