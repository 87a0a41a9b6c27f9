"""One worker process: started, listened to, killed with all that it may have started."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recorder.export.failing import OUT_OF_TIME, Failure
from recorder.seal.keys import DataKey

from ..config import ExportsConfig

ROOT = Path(__file__).parent.parent.parent

#: Longest line that a worker says, with all its files.
_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a worker said last. With neither files nor a failure it was killed."""

    files: list[dict[str, Any]] | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Errand:
    """What a worker is told."""

    kind: str
    recording: Path
    folder: Path
    key: DataKey | None = field(repr=False)
    limits: ExportsConfig
    #: The room's images that the recording shows, by their UIDs.
    images: dict[str, Path] = field(default_factory=dict, repr=False)
    #: What the recording's patients are called.
    patients: tuple[str, ...] = field(default=(), repr=False)

    def line(self) -> bytes:
        """Give what stands on its standard input."""
        fields = {
            "kind": self.kind,
            "recording": str(self.recording.absolute()),
            "folder": str(self.folder.absolute()),
            "suite": None if self.key is None else self.key.suite.name,
            "key": None if self.key is None else self.key.key.hex(),
            "memory_mb": self.limits.memory_mb,
            "cpu_seconds": round(self.limits.cpu_hours * 3600),
            "images": {uid: str(path.absolute()) for uid, path in self.images.items()},
            "patients": self.patients,
        }
        return json.dumps(fields).encode()


class Worker:
    """A process on an errand."""

    def __init__(self, module: str = "recorder.export.job") -> None:
        """`module` is what runs."""
        self._module = module
        self.process: asyncio.subprocess.Process | None = None
        self._killed = False

    async def run(self, errand: Errand, progress: Callable[[float], None]) -> Outcome:
        """Have the errand done. Cancelled, it takes the process with it. Raises OSError."""
        if self.is_killed():
            return Outcome()
        process = self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", self._module),
            cwd=ROOT,
            limit=_LINE,
            start_new_session=True,  # a process group of its own
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # libraries quote what they read
        )
        outcome = Outcome()
        try:
            if self.is_killed():
                self.kill()
            outcome = await self._listen(process, errand, progress)
        finally:
            self.kill()
            # what was cancelled once may be cancelled again, and a process must not be left behind
            status = await asyncio.shield(process.wait())
        return Outcome(failure=OUT_OF_TIME) if status == -signal.SIGXCPU else outcome

    async def _listen(
        self, process: asyncio.subprocess.Process, errand: Errand, progress: Callable[[float], None]
    ) -> Outcome:
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(ConnectionError):
            process.stdin.write(errand.line())
            process.stdin.close()
        outcome = Outcome()
        with contextlib.suppress(ValueError):  # a line without end
            async for line in process.stdout:
                said = _parse(line)
                if "files" in said:
                    outcome = Outcome(files=said["files"])
                elif "error" in said:
                    outcome = Outcome(failure=Failure(str(said["error"]), str(said.get("code") or "")))
                elif isinstance(share := said.get("progress"), float | int):
                    progress(min(max(float(share), 0.0), 1.0))
        return outcome

    def is_killed(self) -> bool:
        """Tell whether it has been ended, if need be before it began."""
        return self._killed

    def kill(self) -> None:
        """End the process and its group, wherever they are."""
        self._killed = True
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


def _parse(line: bytes) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
