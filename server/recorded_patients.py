"""Whose consultation a recording was: kept as long as the recording, so that what is written of it later is veiled too.

The journal names no patient, and a room forgets its own when the last one leaves; what people write beside a recording
may name him all the same. Sealed with the recording's key: who destroys that destroys this.

As long as the consultation lasts one more may be chosen, and a disk that refuses, or a server that is killed, would
leave a row that lacks him. So a row is one of all patients only when it is final, written as the room ended. Until then
the server that writes it knows whether all is in it, and no other one does; or people who know complete it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from recorder.journal import JournalError
from recorder.library import UnknownRecording
from recorder.seal.keys import DataKey
from recorder.seal.stream import SALT_SIZE, Opener, Sealer
from recorder.seal.suites import SealError, Suite
from recorder.tombstone import TOMBSTONE
from signalling.patient import Identity, Patient

from .database import DatabaseError

if TYPE_CHECKING:
    from .archive import Archive
    from .database import Database

log = logging.getLogger(__name__)

#: `patients` is sealed where the recording is. A recording without a row is one of which nothing is known.
_SCRIPTS: Final = (
    "CREATE TABLE recorded_patient (recording TEXT PRIMARY KEY, patients BLOB NOT NULL)",
    # rows of before did not say whether somebody is missing
    "ALTER TABLE recorded_patient ADD COLUMN is_final INTEGER NOT NULL DEFAULT 0",
)

#: Patients of one recording: a consultation hides twenty, and people may add some.
PATIENTS_LIMIT: Final = 50

#: Does something with the database, in a transaction together with what else belongs to it.
Write = Callable[[Callable[[sqlite3.Connection], None]], Awaitable[None]]


class TooManyPatients(Exception):
    """A recording has no more than `PATIENTS_LIMIT`."""


@dataclass(frozen=True, slots=True)
class Known:
    """Who is known of a recording's patients; `is_all`: these are surely all."""

    patients: tuple[Patient, ...] = ()
    is_all: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What they are called, in each script: with spaces between the words, and without, as Chinese is written."""
        names = [group for one in self.patients for group in one.identity.name.split("=") if group]
        return tuple(name.replace("^", between) for name in names for between in (" ", ""))


class RecordedPatients:
    """Keeps them in the server's database."""

    def __init__(self, database: Database, archive: Archive) -> None:
        self._database = database
        self._archive = archive
        self._order = asyncio.Lock()
        #: rows that are not final, and have in them all that this server knows
        self._up_to_date: set[str] = set()
        database.add("recorded_patients", _SCRIPTS)

    async def keep(
        self, recording: str, key: DataKey | None, patients: Sequence[Patient], *, final: bool = False
    ) -> None:
        """Write down all patients that are known of a recording; none: it is known that none was chosen.

        `key`: what the recording is sealed with; `final`: its consultation is over, nobody more will be chosen.
        """
        try:
            # in the order in which it is asked for: the last one knows most
            async with self._order:
                self._up_to_date.discard(recording)
                if await asyncio.to_thread((self._archive.library.root / recording / TOMBSTONE).exists):
                    return
                sealed = _seal(recording, key, patients)
                await self._database.run(lambda c: _write(c, recording, sealed, final=final))
                if not final:
                    self._up_to_date.add(recording)
        except (SealError, OSError, DatabaseError, sqlite3.Error) as error:
            log.error("whose recording it is could not be written down: %s", type(error).__name__)

    async def known(self, recording: str) -> Known:
        """Give those of the recording's patients who are known, and whether these are all."""
        async with self._order:
            return await self._read(recording)

    async def not_all_known(self, recordings: Iterable[str]) -> set[str]:
        """Tell of which recordings it was never written down that all patients are known."""
        final = await self._database.run(
            lambda c: {
                row["recording"] for row in c.execute("SELECT recording FROM recorded_patient WHERE is_final")
            }
        )
        return set(recordings) - final - self._up_to_date

    async def complete(self, recording: str, added: Sequence[Patient], write: Write) -> None:
        """Add patients to those who are known, and write down that these are all.

        `write` does what it is given within a transaction of its own. Raise UnknownRecording, TooManyPatients,
        SealError, JournalError, OSError, and what `write` raises: then nothing was done.
        """
        async with self._order:
            key = await asyncio.to_thread(self._archive.library.key_of_moved, recording)
            known = (await self._read(recording)).patients
            patients = list(dict.fromkeys([*known, *added]))
            if len(patients) > PATIENTS_LIMIT:
                raise TooManyPatients
            sealed = _seal(recording, key, patients)
            await write(lambda c: _write(c, recording, sealed, final=True))
            self._up_to_date.discard(recording)

    async def _read(self, recording: str) -> Known:
        row: sqlite3.Row | None = await self._database.run(
            lambda c: c.execute(
                "SELECT patients, is_final FROM recorded_patient WHERE recording = ?", (recording,)
            ).fetchone()
        )
        is_up_to_date = recording in self._up_to_date
        if row is None:
            return Known()
        try:
            patients = await asyncio.to_thread(self._open, recording, row["patients"])
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
            return Known()
        return Known(patients, is_up_to_date or bool(row["is_final"]))

    async def forget(self, recording: str) -> str:
        """Forget the patients of a recording that is no more; says what remains: nothing."""
        self._up_to_date.discard(recording)
        await self._database.run(
            lambda c: c.execute("DELETE FROM recorded_patient WHERE recording = ?", (recording,))
        )
        return ""

    def _open(self, recording: str, sealed: bytes) -> tuple[Patient, ...]:
        key = self._archive.library.key_of_moved(recording)
        if key is not None:
            salt = sealed[:SALT_SIZE]
            sealed = Opener(*_part(key, recording, salt)).open(0, sealed[SALT_SIZE:], last=True)
        return tuple(
            [
                Patient(**fields | {"identity": Identity(**fields["identity"])})
                for fields in json.loads(sealed)
            ]
        )


def _write(connection: sqlite3.Connection, recording: str, sealed: bytes, *, final: bool) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO recorded_patient (recording, patients, is_final) VALUES (?, ?, ?)",
        (recording, sealed, final),
    )


def _seal(recording: str, key: DataKey | None, patients: Sequence[Patient]) -> bytes:
    plain = json.dumps([asdict(patient) for patient in patients]).encode()
    if key is None:
        return plain
    salt = os.urandom(SALT_SIZE)
    return salt + Sealer(*_part(key, recording, salt)).seal(plain, last=True)


def _part(key: DataKey, recording: str, salt: bytes) -> tuple[Suite, bytes, bytes, bytes]:
    return key.suite, key.key, salt, f"patients of {recording}".encode()
