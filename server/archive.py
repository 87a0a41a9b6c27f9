"""The archive's errands: one pump for the plane's tap, and one worker at a time that makes containers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from media.plane import Drop, Plane
from recorder.library import Library, UnknownRecording
from recorder.tap import share_out

from .room_recorder import RoomRecorder

log = logging.getLogger(__name__)

#: Seconds between two looks at the tap: 16 MB of it last for 6 s of a 20 Mbit/s field.
TAP_INTERVAL = 0.1

ROOT = Path(__file__).parent.parent


class Archive:
    """Shares the tap out among the running recordings and exports the finished ones, oldest first."""

    def __init__(self, plane: Plane, library: Library, now: Callable[[], float]) -> None:
        self.library = library
        self.running: dict[str, RoomRecorder] = {}
        #: How far the export of a recording has come, 0-1.
        self.progress: dict[str, float] = {}
        self._plane = plane
        self._now = now
        self._tap_full = 0
        self._exports: asyncio.Queue[str] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin, with what an earlier server left unfinished."""
        for name in await asyncio.to_thread(self.library.unfinished):
            self.export(name)
        self._tasks = [asyncio.create_task(self._pump()), asyncio.create_task(self._export_all())]

    async def close(self) -> None:
        """Stop both errands; an export that was cut short is begun anew by the next server."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def export(self, name: str) -> None:
        """Make the containers of a recording as soon as those before it are made."""
        self.progress[name] = 0.0
        self._exports.put_nowait(name)

    async def _pump(self) -> None:
        while True:
            await asyncio.sleep(TAP_INTERVAL)
            self.share_out()

    def share_out(self) -> None:
        """Give each running recording what the tap holds of its producers."""
        now = self._now()
        if self.running:
            full = self._plane.statistics().drops[Drop.TAP_FULL]
            if full > self._tap_full:
                for recorder in self.running.values():
                    recorder.receive_gap(full - self._tap_full, now)
            self._tap_full = full
        owner = {producer: name for name, recorder in self.running.items() for producer in recorder.producers}
        while data := self._plane.read_tap():
            for name, piece in share_out(data, owner).items():
                self.running[name].receive_tap(piece, now)
        for recorder in self.running.values():
            recorder.pump(now)

    async def _export_all(self) -> None:
        while True:
            name = await self._exports.get()
            try:
                await self._export(name)
            except (OSError, UnknownRecording) as error:
                # the next one may do better: this errand never ends
                log.error("the containers of a recording could not be made: %s", type(error).__name__)
            finally:
                self.progress.pop(name, None)

    async def _export(self, name: str) -> None:
        # another process, and a patient one: the live room comes first
        process = await asyncio.create_subprocess_exec(
            "nice", "-n", "15", sys.executable, "-m", "recorder.export", str(self.library.folder(name)),
            cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            async for line in process.stdout:
                with contextlib.suppress(ValueError, TypeError, AttributeError):
                    self.progress[name] = float(json.loads(line).get("progress", 0.0))
            if await process.wait() != 0:
                log.error("the containers of a recording could not be made")
        except asyncio.CancelledError:
            process.terminate()
            await process.wait()
            raise
