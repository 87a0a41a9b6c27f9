"""The audit book: who did what to which recording, and when. Entries are added, never changed or taken away.

Each entry is bound to the one before by SM3 (sm3(the one before + this entry)), so that none can be changed, left out
or slipped in without all that follow being other ones. Whoever wrote down the last hash, or has an export that was
signed, finds out as well whoever wrote the whole book anew.
"""

from __future__ import annotations

import getpass
import json
import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from recorder.seal.digest import SM3_SIZE, sm3
from signalling.room import Participant
from signalling.tokens import Claims, person_named

from ..bearer import person_of
from ..database import DatabaseError

if TYPE_CHECKING:
    from ..service import Service

log = logging.getLogger(__name__)

PART = "audit"

#: Room and recording are read out of the entry itself: nothing stands beside it that the hash does not cover.
SCRIPTS = (
    """
    CREATE TABLE audit (
        number INTEGER PRIMARY KEY,
        entry TEXT NOT NULL,
        sm3 TEXT NOT NULL,
        room TEXT GENERATED ALWAYS AS (json_extract(entry, '$.room')) VIRTUAL,
        recording TEXT GENERATED ALWAYS AS (json_extract(entry, '$.recording')) VIRTUAL
    );
    CREATE INDEX audit_room ON audit (room, number);
    CREATE INDEX audit_recording ON audit (recording, number);
    CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit book is only added to'); END;
    CREATE TRIGGER audit_keeps BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit book is only added to'); END
    """,
)

#: Seconds for which opening a recording again is the same visit.
VISIT = 3600.0
_VISITS = 4096


class AuditError(web.HTTPServiceUnavailable):
    """The entry could not be written, so the deed is not done; the text is a sentence."""

    def __init__(self) -> None:
        super().__init__(
            text="The audit book cannot be written, so nothing was done. Tell whoever keeps the server."
        )


@dataclass(frozen=True, slots=True)
class Doer:
    """Who did it. `person` is the same in each of somebody's links."""

    person: str
    name: str
    role: str
    room: str = ""


#: What the server does by itself.
SERVER = Doer("server", "", "server")


def doer_of(claims: Claims) -> Doer:
    """Say who bears a link."""
    return Doer(person_of(claims), claims.name, claims.role, claims.room)


def doer_in(room: str, participant: Participant | None) -> Doer:
    """Say who of a room's participants it was; the server, where he is gone."""
    if participant is None:
        return SERVER
    person = person_named(room, participant.name, participant.subject)
    return Doer(person, participant.name, participant.role, room)


def operator() -> Doer:
    """Say who calls a command on the server's own machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return Doer(f"operator {user}", user, "operator")


def append(
    connection: sqlite3.Connection, doer: Doer, deed: str, at: int, recording: str | None = None, **about: Any
) -> int:
    """Add an entry within a transaction, so that the deed's own rows and it are written together; gives its number.

    `at` is Unix milliseconds. `about` are numbers and short words: no patient's name, no reason in free text.
    """
    last = connection.execute("SELECT number, sm3 FROM audit ORDER BY number DESC LIMIT 1").fetchone()
    number, before = (int(last["number"]) + 1, bytes.fromhex(last["sm3"])) if last else (1, bytes(SM3_SIZE))
    entry = encode(
        {
            "number": number,
            "at": at,
            "deed": deed,
            "person": doer.person,
            "name": doer.name,
            "role": doer.role,
            "room": doer.room or room_of(recording),
            "recording": recording,
            "about": about,
        }
    )
    connection.execute(
        "INSERT INTO audit (number, entry, sm3) VALUES (?, ?, ?)",
        (number, entry, sm3(before + entry.encode()).hex()),
    )
    return number


def room_of(recording: str | None) -> str:
    """Read the room out of a recording's name: date-time-ROOM-suffix."""
    return "" if recording is None else recording[16:].rpartition("-")[0]


def encode(entry: dict[str, Any]) -> str:
    """Write an entry as it is hashed: JSON without spaces, the keys in their order."""
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


async def write(service: Service, doer: Doer, deed: str, recording: str | None = None, **about: Any) -> None:
    """Add an entry; where it cannot be written the log says so, and the deed goes on."""
    at = int(service.wall_clock() * 1000)
    try:
        await service.database.run(lambda c: append(c, doer, deed, at, recording, **about))
    except (DatabaseError, sqlite3.Error) as error:
        log.error("the audit book cannot be written: %s", type(error).__name__)


async def note(
    service: Service, claims: Claims, deed: str, *, recording: str | None = None, **about: Any
) -> None:
    """Write down what somebody did; where that cannot be written the log says so."""
    await write(service, doer_of(claims), deed, recording, **about)


async def note_first(
    service: Service, claims: Claims, deed: str, *, recording: str | None = None, **about: Any
) -> None:
    """Write down what somebody is about to do that cannot be undone. Raise AuditError (503): it is not done."""
    at = int(service.wall_clock() * 1000)
    try:
        await service.database.run(lambda c: append(c, doer_of(claims), deed, at, recording, **about))
    except (DatabaseError, sqlite3.Error) as error:
        log.error("the audit book cannot be written: %s", type(error).__name__)
        raise AuditError from None


class Openings:
    """Who has opened which recording: a visit is one entry, however many pieces a player fetches."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._seen: dict[tuple[str, str], float] = {}

    async def note(self, claims: Claims, recording: str) -> None:
        """Write down that somebody opened a recording, unless he did within the last hour."""
        now, visit = self._service.wall_clock(), (person_of(claims), recording)
        if now - self._seen.get(visit, -VISIT) < VISIT:
            return
        self._seen.pop(visit, None)
        self._seen[visit] = now
        while len(self._seen) > _VISITS:
            del self._seen[next(iter(self._seen))]
        await note(self._service, claims, "replay_opened", recording=recording)


# -- reading and proving ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Book:
    """What was found in the book: its last entry, and what is wrong with it (a sentence, empty: nothing)."""

    entries: int
    head: str
    problem: str = ""


def verify(connection: sqlite3.Connection, known: tuple[int, str] | None = None) -> Book:
    """Follow the chain from the first entry. `known`: a number and hash that somebody wrote down earlier."""
    before, count, seen = bytes(SM3_SIZE), 0, known is None
    for row in connection.execute("SELECT number, entry, sm3 FROM audit ORDER BY number"):
        number, text = int(row["number"]), str(row["entry"])
        if number != count + 1:
            return Book(count, before.hex(), f"Entry {count + 1} is missing.")
        hashed = sm3(before + text.encode())
        if hashed.hex() != row["sm3"] or not _says(text, number):
            return Book(
                count, before.hex(), f"Entry {number} was changed, or does not follow the one before."
            )
        before, count = hashed, number
        if known is not None and number == known[0]:
            seen = hashed.hex() == known[1]
            if not seen:
                return Book(count, before.hex(), f"Entry {number} is another one than was written down.")
    if not seen:
        assert known is not None
        return Book(
            count, before.hex(), f"The book ends at {count}, and {known[0]} entries were written down."
        )
    return Book(count, before.hex())


def _says(text: str, number: int) -> bool:
    try:
        return bool(json.loads(text)["number"] == number)
    except (ValueError, KeyError, TypeError):
        return False


def entries(
    connection: sqlite3.Connection, *, room: str | None = None, recording: str | None = None, last: int = 200
) -> list[dict[str, Any]]:
    """Give the last entries, the newest first, of a room or a recording where one is named."""
    where = [f"{name} = ?" for name, value in (("room", room), ("recording", recording)) if value is not None]
    values: list[str | int] = [value for value in (room, recording) if value is not None]
    condition = f"WHERE {' AND '.join(where)}" if where else ""
    rows = connection.execute(
        f"SELECT entry FROM audit {condition} ORDER BY number DESC LIMIT ?",
        [*values, last],
    )
    return [json.loads(row["entry"]) for row in rows]


def lines(connection: sqlite3.Connection) -> Iterator[str]:
    """Give the whole book as JSON lines: each entry as it was hashed, and its hash."""
    for row in connection.execute("SELECT entry, sm3 FROM audit ORDER BY number"):
        yield f'{{"sm3":"{row["sm3"]}","entry":{row["entry"]}}}\n'


async def last_entries(service: Service, room: str, recording: str | None, last: int) -> list[dict[str, Any]]:
    """Give a room's last entries, the newest first."""
    return await service.database.run(lambda c: entries(c, room=room, recording=recording, last=last))
