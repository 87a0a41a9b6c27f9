"""Whose consultation a recording was: kept as long as the recording, so that what is written of it later is veiled too.

The journal names no patient, and a room forgets its own when the last one leaves; what people write beside a recording
may name him all the same. Sealed with the recording's key: who destroys that destroys this.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from recorder.journal import JournalError
from recorder.library import UnknownRecording
from recorder.seal.keys import DataKey
from recorder.seal.stream import SALT_SIZE, Opener, Sealer
from recorder.seal.suites import SealError, Suite
from recorder.tombstone import TOMBSTONE
from signalling.patient import Identity, Patient
from signalling.veil import Veil

from .database import DatabaseError

if TYPE_CHECKING:
    from .archive import Archive
    from .database import Database

log = logging.getLogger(__name__)

#: `patients` is sealed where the recording is. A recording without a row is one of which nothing is known.
_SCRIPTS: Final = ("CREATE TABLE recorded_patient (recording TEXT PRIMARY KEY, patients BLOB NOT NULL)",)


class RecordedPatients:
    """Keeps them in the server's database."""

    def __init__(self, database: Database, archive: Archive) -> None:
        self._database = database
        self._archive = archive
        self._order = asyncio.Lock()
        #: of these not all is known: it could not be written down
        self._doubtful: set[str] = set()
        database.add("recorded_patients", _SCRIPTS)

    async def keep(self, recording: str, key: DataKey | None, patients: Sequence[Patient]) -> None:
        """Write down all patients that are known of a recording; none: it is known that none was chosen.

        `key`: what the recording is sealed with.
        """
        try:
            # in the order in which it is asked for: the last one knows most
            async with self._order:
                if await asyncio.to_thread((self._archive.library.root / recording / TOMBSTONE).exists):
                    return
                sealed = _seal(recording, key, patients)
                await self._database.run(
                    lambda c: c.execute(
                        "INSERT OR REPLACE INTO recorded_patient VALUES (?, ?)", (recording, sealed)
                    )
                )
        except (SealError, OSError, DatabaseError, sqlite3.Error) as error:
            self._doubtful.add(recording)
            log.error("whose recording it is could not be written down: %s", type(error).__name__)

    async def veil(self, recording: str) -> Veil | None:
        """Give what hides the recording's patients; None: it is not known who they are."""
        async with self._order:
            row: sqlite3.Row | None = await self._database.run(
                lambda c: c.execute(
                    "SELECT patients FROM recorded_patient WHERE recording = ?", (recording,)
                ).fetchone()
            )
        if row is None or recording in self._doubtful:
            return None
        try:
            return await asyncio.to_thread(self._open, recording, row["patients"])
        except (
            SealError,
            JournalError,
            UnknownRecording,
            OSError,
            ValueError,
            LookupError,
            TypeError,
        ) as error:
            log.error("whose recording it is cannot be read: %s", type(error).__name__)
            return None

    async def forget(self, recording: str) -> str:
        """Forget the patients of a recording that is no more; says what remains: nothing."""
        await self._database.run(
            lambda c: c.execute("DELETE FROM recorded_patient WHERE recording = ?", (recording,))
        )
        return ""

    def _open(self, recording: str, sealed: bytes) -> Veil:
        key = self._archive.library.key(recording)
        if key is not None:
            salt = sealed[:SALT_SIZE]
            sealed = Opener(*_part(key, recording, salt)).open(0, sealed[SALT_SIZE:], last=True)
        return Veil(
            [
                Patient(**fields | {"identity": Identity(**fields["identity"])})
                for fields in json.loads(sealed)
            ]
        )


def _seal(recording: str, key: DataKey | None, patients: Sequence[Patient]) -> bytes:
    plain = json.dumps([asdict(patient) for patient in patients]).encode()
    if key is None:
        return plain
    salt = os.urandom(SALT_SIZE)
    return salt + Sealer(*_part(key, recording, salt)).seal(plain, last=True)


def _part(key: DataKey, recording: str, salt: bytes) -> tuple[Suite, bytes, bytes, bytes]:
    return key.suite, key.key, salt, f"patients of {recording}".encode()
