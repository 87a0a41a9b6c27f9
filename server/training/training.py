"""Training with recordings, as the rest of the server sees it: its tables, and what a description leaves out."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

from annotation.values import AnnotationError
from recorder.journal import JournalError
from recorder.library import JOURNAL, SUMMARY, Library, UnknownRecording, read_header
from recorder.seal.suites import SealError
from signalling.permissions import Permission, may
from signalling.tokens import Claims

from ..bearer import permitted
from ..veiling import Reading
from . import attempts, people
from .body import refused
from .forgetting import forget
from .tables import SCRIPTS
from .withholding import OpenQuestion, withhold

if TYPE_CHECKING:
    from ..database import Database
    from ..service import Service

T = TypeVar("T")


class Training:
    """One server's training. To be made before the database is started."""

    def __init__(self, database: Database, library: Library) -> None:
        self.database = database
        self.library = library
        database.add("training", SCRIPTS)

    async def forget(self, recording: str) -> str:
        """Forget what shows or tells what was in a deleted recording (`keeping.places`)."""
        return await forget(self.database, recording, time.time)

    async def description(self, recording: str) -> dict[str, Any]:
        """Read a recording's description. Raise 404, 409, 500."""
        try:
            found = await asyncio.to_thread(self.library.description, recording)
        except UnknownRecording as error:
            raise web.HTTPNotFound(text=str(error)) from None
        except SealError:
            raise web.HTTPInternalServerError(text="This recording cannot be opened.") from None
        if found is None:
            raise web.HTTPConflict(text="This recording is still being prepared. Please wait a moment.")
        return found

    async def withheld(self, claims: Claims, recording: str, description: dict[str, Any]) -> dict[str, Any]:
        """Give a description without what would answer the questions that its reader has still to answer."""
        if may(claims.role, "teach"):
            return description

        def read(connection: sqlite3.Connection) -> list[OpenQuestion]:
            person = people.known(connection, claims, time.time())
            rows = attempts.open_to(connection, recording, person.id)
            return [OpenQuestion(row["producer"], row["at"], row["log_mark"]) for row in rows]

        questions = await self.database.run(read)
        return await asyncio.to_thread(withhold, description, questions) if questions else description


class TrainingHttp:
    """What all handlers of training have in common."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.training = service.training
        self.database = service.database

    def claims(self, request: web.Request, permission: Permission = "replay") -> Claims:
        """Read who asks. Raise 401, 403."""
        return permitted(request, self.service, permission)

    async def recording(self, claims: Claims, name: str) -> str:
        """Return the name of a recording of the token's room; others do not exist. Raise 404."""
        if await self.room_of(name) != claims.room:
            raise web.HTTPNotFound(text="There is no such recording.")
        return name

    async def room_of(self, recording: str) -> str | None:
        """Read whose room's a recording is; None: there is none of this name."""

        def read() -> str | None:
            try:
                return read_header(self.training.library.folder(recording) / JOURNAL).room
            except (UnknownRecording, JournalError, OSError):
                return None

        return await asyncio.to_thread(read)

    async def seconds(self, recording: str) -> float:
        """Read how long a finished recording is. Raise 409 while it is being made."""

        def read() -> float | None:
            try:
                folder = self.training.library.folder(recording)
                return float(json.loads((folder / SUMMARY).read_bytes())["seconds"])
            except (OSError, LookupError, ValueError, TypeError):
                return None

        seconds = await asyncio.to_thread(read)
        if seconds is None:
            raise web.HTTPConflict(text="This recording is still being prepared. Please wait a moment.")
        return seconds

    def reading(self, claims: Claims) -> Reading:
        """Say how who asks reads what others wrote."""
        return Reading(self.service, claims.room, claims.role)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do this with the database, as one transaction. Raise what was refused as HTTP says it."""
        try:
            return await self.database.run(work)
        except AnnotationError as error:
            raise refused(error) from None
