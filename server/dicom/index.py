"""The index of all rooms' images: one SQLite file beside them, which holds no name of a room."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from annotation.dicom.errors import DicomError
from annotation.dicom.facts import Facts

_SCHEMA = """
CREATE TABLE IF NOT EXISTS instances (
    room TEXT NOT NULL, sop TEXT NOT NULL, series TEXT NOT NULL, study TEXT NOT NULL, patient_key TEXT NOT NULL,
    facts TEXT NOT NULL, metadata TEXT NOT NULL, deidentified TEXT NOT NULL,
    file TEXT NOT NULL, bytes INTEGER NOT NULL, digest TEXT NOT NULL, added REAL NOT NULL, released INTEGER NOT NULL,
    PRIMARY KEY (room, sop)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS of_series ON instances (room, series);
CREATE TABLE IF NOT EXISTS quarantine (
    number INTEGER PRIMARY KEY, room TEXT NOT NULL, name TEXT NOT NULL, source TEXT NOT NULL, code TEXT NOT NULL,
    reason TEXT NOT NULL, bytes INTEGER NOT NULL, file TEXT NOT NULL, added REAL NOT NULL,
    detail TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS patients (room TEXT PRIMARY KEY, entry TEXT NOT NULL, chosen REAL NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Record:
    """An instance of a room: the room's UIDs, the facts, and the file."""

    sop: str
    series: str
    study: str
    patient_key: str
    facts: Facts
    file: str
    bytes: int
    digest: str
    added: float
    #: whether those who may not see the patient may see it although words may stand in the picture
    released: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that was not taken, and why."""

    number: int
    name: str
    source: str
    code: str
    reason: str
    bytes: int
    file: str
    added: float
    #: what exactly, beside the code
    detail: str = ""


class Index:
    """Records by room. Its methods may be called from any thread."""

    def __init__(self, path: Path) -> None:
        """Open or make the file."""
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _SCHEMA)
        columns = {row[1] for row in self._database.execute("PRAGMA table_info(quarantine)")}
        if "detail" not in columns:
            # a file of before there were details
            self._database.execute("ALTER TABLE quarantine ADD COLUMN detail TEXT NOT NULL DEFAULT ''")

    def close(self) -> None:
        """Close."""
        with self._lock:
            self._database.close()

    def add(self, room: str, record: Record, metadata: str, deidentified: str) -> None:
        """Add an instance."""
        row = (
            *(room, record.sop, record.series, record.study, record.patient_key, record.facts.to_json()),
            *(
                metadata,
                deidentified,
                record.file,
                record.bytes,
                record.digest,
                record.added,
                int(record.released),
            ),
        )
        with self._lock:
            self._database.execute(f"INSERT INTO instances VALUES ({','.join('?' * len(row))})", row)

    def records(self, room: str) -> list[Record]:
        """List the instances of a room."""
        with self._lock:
            rows = self._database.execute(
                "SELECT sop, series, study, patient_key, facts, file, bytes, digest, added, released"
                " FROM instances WHERE room = ?",
                (room,),
            ).fetchall()
        return [
            Record(r[0], r[1], r[2], r[3], Facts.from_json(r[4]), r[5], r[6], r[7], r[8], bool(r[9]))
            for r in rows
        ]

    def metadata(self, room: str, sops: Iterable[str], *, deidentified: bool) -> dict[str, str]:
        """Give the DICOM JSON of instances."""
        column = "deidentified" if deidentified else "metadata"
        found: dict[str, str] = {}
        with self._lock:
            for sop in sops:
                row = self._database.execute(
                    f"SELECT {column} FROM instances WHERE room = ? AND sop = ?", (room, sop)
                ).fetchone()
                if row is not None:
                    found[sop] = row[0]
        return found

    def remove(self, room: str, sops: Iterable[str]) -> None:
        """Forget instances."""
        with self._lock:
            self._database.executemany(
                "DELETE FROM instances WHERE room = ? AND sop = ?", [(room, sop) for sop in sops]
            )

    def release(self, room: str, sops: Iterable[str], *, released: bool) -> None:
        """Note whether instances with words in the picture may be seen by all."""
        with self._lock:
            self._database.executemany(
                "UPDATE instances SET released = ? WHERE room = ? AND sop = ?",
                [(int(released), room, sop) for sop in sops],
            )

    # what was refused

    def refuse(self, room: str, refused: Refused) -> int:
        """Add what was not taken; returns its number."""
        with self._lock:
            row = self._database.execute(
                "INSERT INTO quarantine (room, name, source, code, reason, bytes, file, added, detail)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    room,
                    refused.name,
                    refused.source,
                    refused.code,
                    refused.reason,
                    refused.bytes,
                    refused.file,
                    refused.added,
                    refused.detail,
                ),
            )
            return row.lastrowid or 0

    def refused(self, room: str) -> list[Refused]:
        """List what was not taken, the newest first."""
        with self._lock:
            rows = self._database.execute(
                "SELECT number, name, source, code, reason, bytes, file, added, detail FROM quarantine"
                " WHERE room = ? ORDER BY number DESC",
                (room,),
            ).fetchall()
        return [Refused(*row) for row in rows]

    def count_refused(self, room: str) -> int:
        """Count what was not taken."""
        with self._lock:
            row = self._database.execute("SELECT COUNT(*) FROM quarantine WHERE room = ?", (room,)).fetchone()
        return int(row[0])

    def refuse_again(self, room: str, number: int, error: DicomError, *, kept: bool) -> None:
        """Note why it was not taken this time, and whether its file is kept still."""
        file = "file" if kept else "''"
        with self._lock:
            self._database.execute(
                f"UPDATE quarantine SET code = ?, reason = ?, detail = ?, file = {file} WHERE room = ? AND number = ?",
                (error.code, str(error), error.detail, room, number),
            )

    def forget_refused(self, room: str, number: int) -> None:
        """Take an entry off the list."""
        with self._lock:
            self._database.execute("DELETE FROM quarantine WHERE room = ? AND number = ?", (room, number))

    # whose the room is

    def keep_patient(self, room: str, entry: str, chosen: float) -> None:
        """Keep what a room's patient was chosen by; empty: forget it."""
        with self._lock:
            if entry:
                self._database.execute(
                    "INSERT OR REPLACE INTO patients VALUES (?, ?, ?)", (room, entry, chosen)
                )
            else:
                self._database.execute("DELETE FROM patients WHERE room = ?", (room,))

    def kept_patient(self, room: str) -> str:
        """Give what a room's patient was chosen by; empty: nobody is."""
        with self._lock:
            row = self._database.execute("SELECT entry FROM patients WHERE room = ?", (room,)).fetchone()
        return str(row[0]) if row is not None else ""

    def forget_patients(self, before: float) -> None:
        """Forget who was chosen before a time."""
        with self._lock:
            self._database.execute("DELETE FROM patients WHERE chosen < ?", (before,))

    # age

    def old(self, before: float) -> list[tuple[str, str, str]]:
        """List (room, instance, file) of what came before a time."""
        with self._lock:
            return self._database.execute(
                "SELECT room, sop, file FROM instances WHERE added < ?", (before,)
            ).fetchall()
