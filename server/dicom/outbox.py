"""What goes to the archive lies on the disk until it is there: nothing is lost when the archive is away, or we are.

A folder a job: its objects as DICOM files, and `job.json` with what each is and what became of it. A file goes when the
archive has taken its object; the rest is tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from .pacs import Pacs
from .pacs_error import PacsError

log = logging.getLogger(__name__)

State = Literal["writing", "waiting", "sending", "done", "refused", "cancelled", "failed"]
#: Seconds for which a job that is over is still shown.
SHOWN = 86_400.0
#: Jobs at once of all rooms.
JOBS_LIMIT = 1_000


@dataclass(slots=True)
class Outgoing:
    """One object: `state` is waiting, sent or refused; `why` a few words, `code` a word, `status` the archive's own."""

    file: str
    kind: str
    images: int
    marks: int
    bytes: int
    state: str = "waiting"
    why: str = ""
    code: str = ""
    status: str = ""


@dataclass(slots=True)
class OutboxJob:
    """What one person sent from one room."""

    job: str
    room: str
    by: str
    created: float
    state: State = "writing"
    problem: str = ""
    #: the problem as a word for pages
    code: str = ""
    objects: list[Outgoing] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Describe for clients."""
        return {
            "job": self.job,
            "kind": "send",
            "by": self.by,
            "time": self.created * 1000,
            "state": self.state,
            "message": self.problem,
            "code": self.code,
            "done": sum(one.state != "waiting" for one in self.objects),
            "total": len(self.objects),
            "objects": [
                {
                    "kind": o.kind,
                    "images": o.images,
                    "marks": o.marks,
                    "state": o.state,
                    "message": o.why,
                    "code": o.code,
                    "status": o.status,
                }
                for o in self.objects
            ],
        }


class Outbox:
    """Keeps jobs and sends them, one object after the other."""

    def __init__(
        self, folder: Path, pacs: Pacs, retry: float, now: Callable[[], float], changed: Callable[[str], None]
    ) -> None:
        self.folder, self._pacs, self._retry, self._now = folder, pacs, retry, now
        #: is told the name of a room one of whose jobs changed
        self._changed = changed
        self.jobs: dict[str, OutboxJob] = {}
        self._nudge = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Take up what an earlier server left, and begin to send."""
        for path in sorted(self.folder.glob("*/job.json")):
            try:
                body = json.loads(path.read_bytes())
                objects = [Outgoing(**one) for one in body.pop("objects")]
                job = OutboxJob(**body, objects=objects)
            except (OSError, ValueError, TypeError, KeyError):
                log.warning("a job of the outbox cannot be read and is left where it is")
                continue
            if job.state in ("writing", "sending"):
                # half a job is not sent: whoever asked for it sees that it failed
                job.state = "waiting" if job.state == "sending" else "failed"
            self.jobs[job.job] = job
        self._task = asyncio.create_task(self._run())
        self._nudge.set()

    async def close(self) -> None:
        """Stop sending; what is left is taken up by the next server."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def of(self, room: str) -> list[OutboxJob]:
        """List a room's jobs, the newest first."""
        return sorted((job for job in self.jobs.values() if job.room == room), key=lambda j: -j.created)

    def begin(self, room: str, by: str) -> OutboxJob:
        """Make a job whose objects are still to be written. Raise OSError; PacsError when there are too many."""
        if len(self.jobs) >= JOBS_LIMIT:
            raise PacsError("too_large", "Too much waits to be sent already.")
        job = OutboxJob(f"s-{secrets.token_hex(6)}", room, by, self._now())
        self.path(job).mkdir(mode=0o700, parents=True)
        self.jobs[job.job] = job
        self.keep(job)
        return job

    def path(self, job: OutboxJob) -> Path:
        """Name a job's folder."""
        return self.folder / job.job

    def keep(self, job: OutboxJob) -> None:
        """Write a job down, whole or not at all, and tell its room."""
        path = self.path(job) / "job.json"
        half = path.with_suffix(".half")
        half.write_text(json.dumps(asdict(job)))
        half.rename(path)
        self._changed(job.room)

    def ready(self, job: OutboxJob) -> None:
        """Send a job whose objects are written."""
        job.state = "waiting" if job.objects else "failed"
        self.keep(job)
        self._nudge.set()

    def retry(self, job: OutboxJob) -> None:
        """Try again now, also what was refused."""
        if job.state in ("cancelled", "writing") or not job.objects:
            return
        for one in job.objects:
            if one.state == "refused":
                one.state, one.why, one.code, one.status = "waiting", "", "", ""
        job.state, job.problem, job.code = "waiting", "", ""
        self.keep(job)
        self._nudge.set()

    def cancel(self, job: OutboxJob) -> None:
        """Send nothing more of a job; what is sent stays sent."""
        if job.state in ("writing", "waiting", "sending", "refused"):
            job.state = "cancelled"
            self.keep(job)

    def dismiss(self, job: OutboxJob) -> None:
        """Take a job that is over off the list, with what was not sent of it."""
        if job.state in ("done", "cancelled", "failed", "refused"):
            self._forget(job)

    def _forget(self, job: OutboxJob) -> None:
        self.jobs.pop(job.job, None)
        shutil.rmtree(self.path(job), ignore_errors=True)
        self._changed(job.room)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._retry):
                    await self._nudge.wait()
            self._nudge.clear()
            for job in list(self.jobs.values()):
                try:
                    if job.state == "waiting":
                        await self._send(job)
                    elif job.state in ("done", "cancelled", "failed") and job.created + SHOWN < self._now():
                        self._forget(job)
                except OSError:
                    log.error("the disk refuses the outbox")

    async def _send(self, job: OutboxJob) -> None:
        job.state = "sending"
        self.keep(job)
        for one in job.objects:
            if one.state != "waiting":
                continue
            path = self.path(job) / one.file
            try:
                taken, one.why, one.code, one.status = await self._pacs.send(path)
            except PacsError as error:
                # nobody knows: the same object sent twice is the same object
                job.problem, job.code = str(error), error.word
                if job.state == "sending":
                    job.state = "waiting"
                self.keep(job)
                return
            if self._is_cancelled(job):
                self.keep(job)
                return
            one.state = "sent" if taken else "refused"
            job.problem = job.code = ""
            if taken:
                path.unlink(missing_ok=True)
            self.keep(job)
        job.state = "refused" if any(one.state == "refused" for one in job.objects) else "done"
        self.keep(job)

    def _is_cancelled(self, job: OutboxJob) -> bool:
        return job.state == "cancelled"
