"""Notes of a recording: one's own and the room's, over HTTP, kept over a restart, and nobody else's business."""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from recorder.seal import keys
from recorder.seal.keys import DataKey
from recorder.seal.suites import SM4
from recorder.tombstone import TOMBSTONE
from server.database import Database
from server.study.note import (
    TEXT_CHARACTERS,
    NewNote,
    NoteChange,
    NoteError,
    number_of,
    parse_change,
    parse_note,
)
from server.study.notes import MOST_OWN, MOST_SHARED, UNDONE_WITHIN, Notes, NotesFull
from signalling.patient import Identity, Patient
from signalling.permissions import Role
from signalling.veil import Veil
from tests.helpers.journals import RECORDING, small_journal
from tests.helpers.served import Answered, Served, served

ANNA = Patient(Identity("4711", "HIS", "Geheim^Anna", "19700101"), "p-1")
NOTES = f"/api/study/{RECORDING}/notes"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        folder = tmp_path / "recordings" / RECORDING
        folder.mkdir(parents=True)
        (folder / "journal.kjr").write_bytes(small_journal())
        await server.service.recorded_patients.keep(RECORDING, None, ())
        yield server


class Person:
    """Somebody with a link into the room of the recording."""

    def __init__(self, server: Served, role: Role, name: str, room: str = "demo") -> None:
        self._server = server
        self._bearer = {"Authorization": f"Bearer {server.token(role, name, room)}"}

    async def ask(self, method: str, target: str = NOTES, body: Any = None) -> Answered:
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self._server.ask(method, target, self._bearer, raw)

    async def note(self, **fields: Any) -> dict[str, Any]:
        answer = await self.ask("POST", body=fields)
        assert answer.status == 201, answer.body
        made: dict[str, Any] = answer.json()
        return made

    async def texts(self) -> list[str]:
        listed = await self.ask("GET")
        assert listed.headers["cache-control"] == "private, no-store"
        return [note["text"] for note in listed.json()["notes"]]


async def test_own_notes_are_ones_own_and_shared_ones_the_rooms(
    running: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    maria, li = Person(running, "trainee", "Maria"), Person(running, "expert", "Dr. Li Wei")
    own = await maria.note(kind="bookmark", at=12.5, text=" Mine ")
    assert own == {
        "id": "n-1",
        "kind": "bookmark",
        "at": 12.5,
        "text": "Mine",
        "author": "Maria",
        "mine": True,
        "shared": False,
        "written": own["written"],
    }
    assert abs(own["written"] / 1000 - running.service.now()) < 60
    question = await maria.note(kind="comment", at=30, text="Why not clip here?", shared=True)
    clip = await li.note(kind="clip", at=3, until=9.25, text="Calot's triangle", shared=True)
    assert clip["until"] == 9.25
    assert await maria.texts() == ["Calot's triangle", "Mine", "Why not clip here?"]
    # another's own note does not exist, for nobody and for no verb
    assert await li.texts() == ["Calot's triangle", "Why not clip here?"]
    theirs = {note["id"]: note["mine"] for note in (await li.ask("GET")).json()["notes"]}
    assert theirs == {question["id"]: False, clip["id"]: True}
    assert (await li.ask("DELETE", f"{NOTES}/{own['id']}")).status == 404
    assert (await li.ask("PATCH", f"{NOTES}/{own['id']}", {"text": "x"})).status == 404

    # other words, and shared later
    told = (await maria.ask("PATCH", f"{NOTES}/{own['id']}", {"text": "Ours", "shared": True})).json()
    assert (told["text"], told["shared"], told["at"]) == ("Ours", True, 12.5)
    assert "Ours" in await li.texts()
    assert (await li.ask("PATCH", f"{NOTES}/{own['id']}", {"text": "Hers"})).status == 403
    assert (await maria.ask("PATCH", f"{NOTES}/{question['id']}", {"text": " "})).status == 400

    # a trainee takes away his own, who teaches what is shared
    assert (await maria.ask("DELETE", f"{NOTES}/{clip['id']}")).status == 403
    assert (await li.ask("DELETE", f"{NOTES}/{question['id']}")).status == 204
    assert (await li.ask("DELETE", f"{NOTES}/{question['id']}")).status == 404
    assert await maria.texts() == ["Calot's triangle", "Ours"]
    # undone by who did it, and by nobody else
    assert (await maria.ask("POST", f"{NOTES}/{question['id']}/restore")).status == 404
    back = await li.ask("POST", f"{NOTES}/{question['id']}/restore")
    assert (back.status, back.json()["author"], back.json()["mine"]) == (200, "Maria", False)
    assert "Why not clip here?" in await maria.texts()

    said = "\n".join(record.getMessage() for record in caplog.records)
    assert not [word for word in ("Maria", "Calot", "Why not", "Ours", "Li Wei") if word in said]


async def test_whoever_may_not_replay_it_is_told_nothing(running: Served) -> None:
    await Person(running, "expert", "Dr. Li").note(kind="bookmark", at=1, shared=True)
    for person, status in (
        (Person(running, "observer", "Eve"), 403),
        (Person(running, "surgeon", "Mallory", room="other"), 404),
    ):
        for method, target in (
            ("GET", NOTES),
            ("POST", NOTES),
            ("PATCH", f"{NOTES}/n-1"),
            ("DELETE", f"{NOTES}/n-1"),
            ("POST", f"{NOTES}/n-1/restore"),
        ):
            assert (await person.ask(method, target, {"kind": "bookmark", "at": 1})).status == status
    assert (await running.ask("GET", NOTES)).status == 401
    li = Person(running, "expert", "Dr. Li")
    for name in ("../demo", "%2e%2e", "20261122-101500-demo-0000", "x"):
        assert (await li.ask("GET", f"/api/study/{name}/notes")).status == 404
    for name in ("n-2", "n-", "n-x", "n-1x", "1", "n-99999999999999999999"):
        assert (await li.ask("DELETE", f"{NOTES}/{name}")).status == 404
    # what comes as a body is bounded before it is read
    for body, status in ((b"{", 400), (b"[]", 400), (b'{"kind":"bookmark"}', 400), (b" " * 20_000, 413)):
        answer = await li.ask("POST", body=body)
        assert (answer.status, answer.json()["message"][-1]) == (status, ".")


async def test_the_patient_is_hidden_from_who_may_not_see_him(running: Served) -> None:
    li, maria = Person(running, "expert", "Dr. Li"), Person(running, "trainee", "Maria")
    patients = running.service.recorded_patients
    await li.note(kind="comment", at=1, text="Frau Geheim bleeds", shared=True)
    await li.note(kind="bookmark", at=2, shared=True)
    own = await maria.note(kind="comment", at=3, text="Is that Anna Geheim?", shared=True)
    # nobody was chosen, and that is known: as live, nobody can know that this is a name
    assert await maria.texts() == ["Frau Geheim bleeds", "", "Is that Anna Geheim?"]
    # the room is empty, its patient forgotten; the recording's is not
    await patients.keep(RECORDING, None, (ANNA,))
    assert await li.texts() == ["Frau Geheim bleeds", "", "Is that Anna Geheim?"]
    assert await maria.texts() == ["Frau ▮▮▮ bleeds", "", own["text"]]
    # whom the room has chosen now is hidden too
    room = running.service.room("demo")
    room.veiling.chosen(Patient(Identity("0815", "HIS", "Heimlich^Bert", "19710101"), "p-2"))
    back = await li.note(kind="comment", at=4, text="unlike Heimlich, Geheim", shared=True)
    assert (await maria.texts())[-1] == "unlike ▮▮▮, ▮▮▮"
    # nor does taking away and bringing back tell more
    assert (await li.ask("DELETE", f"{NOTES}/{back['id']}")).status == 204
    restored = (await li.ask("POST", f"{NOTES}/{back['id']}/restore")).json()
    assert restored["text"] == "unlike Heimlich, Geheim"


def _say_whose(patients: bytes, connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE recorded_patient SET patients = ? WHERE recording = ?", (patients, RECORDING))


async def test_what_cannot_be_veiled_is_withheld(running: Served, caplog: pytest.LogCaptureFixture) -> None:
    li, maria = Person(running, "expert", "Dr. Li"), Person(running, "trainee", "Maria")
    patients = running.service.recorded_patients
    await li.note(kind="comment", at=1, text="Frau Geheim bleeds", shared=True)
    await li.note(kind="bookmark", at=2, shared=True)
    own = await maria.note(kind="comment", at=3, text="And here?")

    async def told() -> list[tuple[str, bool]]:
        notes = (await maria.ask("GET")).json()["notes"]
        return [(note["text"], note.get("withheld", False)) for note in notes]

    withheld = [("", True), ("", False), (own["text"], False)]
    # a recording of which no server ever noted whose it is
    assert await patients.forget(RECORDING) == ""
    assert await told() == withheld
    assert (await li.texts())[0] == "Frau Geheim bleeds"
    # what was noted cannot be read: it is another's, or was changed
    database = running.service.database
    for changed in (b"", b"[1]", b'[{"identity": {}}]', b"\xff", b"null"):
        await database.run(partial(_say_whose, changed))
        assert await told() == withheld
    # what could not be written down makes all that is known of it doubtful, until it is written down after all
    await patients.keep(RECORDING, None, ())
    assert (await told())[0] == ("Frau Geheim bleeds", False)
    await patients.keep(RECORDING, DataKey(SM4, b"short"), (ANNA,))
    assert await told() == withheld
    await patients.keep(RECORDING, None, (ANNA,))
    assert (await told())[0] == ("Frau ▮▮▮ bleeds", False)
    assert "Geheim" not in caplog.text


async def test_whose_recording_it_is_lies_sealed_and_goes_with_it(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        patients, key = server.service.recorded_patients, DataKey.random(SM4)
        folder = tmp_path / "recordings" / RECORDING
        folder.mkdir(parents=True)
        (folder / "journal.kjr").write_bytes(small_journal(sealed_with=key))
        keys.write(folder, keys.wrap(RECORDING, key, [tmp_path / "keys" / "archive.public.pem"]))
        await patients.keep(RECORDING, key, (ANNA,))
        known = await patients.known(RECORDING)
        assert known.is_all
        assert Veil(known.patients).hide("Geheim, 1.1.1970, 4711") == "▮▮▮, ▮▮▮, ▮▮▮"
        rows = await server.service.database.run(
            lambda c: [bytes(row["patients"]) for row in c.execute("SELECT * FROM recorded_patient")]
        )
        assert len(rows) == 1
        assert not [word for word in (b"Geheim", b"4711", b"1970") if word in rows[0]]
        # another recording's does not open
        other = RECORDING[:-4] + "ffff"
        shutil.copytree(folder, folder.with_name(other))
        await server.service.database.run(
            lambda c: c.execute("INSERT INTO recorded_patient VALUES (?, ?, 1)", (other, rows[0]))
        )
        assert not (await patients.known(other)).is_all
        # without the key nothing of him is left, even before the row goes
        keys.erase(folder)
        server.service.archive.library.forget(RECORDING)
        assert not (await patients.known(RECORDING)).is_all
        # and nothing comes again once the recording is deleted
        assert await server.service.keeper.places.forget(RECORDING) == ""
        (folder / TOMBSTONE).touch()
        await patients.keep(RECORDING, key, (ANNA,))
        left = "SELECT count(*) FROM recorded_patient WHERE recording = ?"
        assert await server.service.database.run(lambda c: c.execute(left, (RECORDING,)).fetchone()[0]) == 0


async def test_notes_have_bounds_and_outlive_the_server(tmp_path: Path) -> None:
    now = [1000.0]

    async def opened() -> tuple[Database, Notes]:
        database = Database(tmp_path / "konsil.sqlite3")
        notes = Notes(database, lambda: now[0])
        await database.start()
        return database, notes

    database, notes = await opened()
    said = NewNote("bookmark", 1.0, None, "", shared=False)
    fill = "INSERT INTO note (recording, person, author, kind, at, text, shared, written) VALUES "
    await database.run(
        lambda c: c.executemany(
            fill + "('r', 'a', 'A', 'bookmark', ?, '', 0, 0)", [(n,) for n in range(MOST_OWN)]
        )
    )
    with pytest.raises(NotesFull):
        await notes.add("r", "a", "A", said)
    other = await notes.add("r", "b", "B", said)
    await database.run(
        lambda c: c.executemany(
            fill + "('r', 'c', 'C', 'bookmark', ?, '', 1, 0)", [(n,) for n in range(MOST_SHARED)]
        )
    )
    with pytest.raises(NotesFull):
        await notes.add("r", "b", "B", NewNote("bookmark", 1.0, None, "", shared=True))
    with pytest.raises(NotesFull):
        await notes.change("r", other.number, "b", NoteChange(None, shared=True))
    # one less, one more
    first = (await notes.of("r", "a"))[0]
    assert await notes.delete("r", first.number, "a", teaches=False)
    await notes.add("r", "a", "A", said)
    with pytest.raises(NotesFull):
        await notes.restore("r", first.number, "a")
    await database.close()

    database, notes = await opened()
    assert len(await notes.of("r", "b")) == MOST_SHARED + 1
    assert await notes.delete("r", other.number, "b", teaches=False)
    now[0] += UNDONE_WITHIN - 1
    assert await notes.restore("r", other.number, "b") is not None
    assert await notes.delete("r", other.number, "b", teaches=False)
    now[0] += UNDONE_WITHIN + 1
    # what nobody wanted back is deleted, not kept for ever
    assert await notes.restore("r", other.number, "b") is None
    gone = "SELECT COUNT(*) FROM note WHERE number = ?"
    assert await database.run(lambda c: c.execute(gone, (other.number,)).fetchone()[0]) == 0
    assert len(await notes.of("r", "a")) == MOST_OWN + MOST_SHARED
    assert await notes.forget("r") == ""
    assert await notes.of("r", "a") == []
    await database.close()


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "mark", "at": 1},
        {"kind": ["clip"], "at": 1},
        {"kind": "bookmark"},
        {"kind": "bookmark", "at": -1},
        {"kind": "bookmark", "at": True},
        {"kind": "bookmark", "at": "1"},
        {"kind": "bookmark", "at": 1e9},
        {"kind": "bookmark", "at": float("nan")},
        {"kind": "bookmark", "at": 10**400},
        {"kind": "bookmark", "at": 1, "until": 2},
        {"kind": "bookmark", "at": 1, "shared": 1},
        {"kind": "bookmark", "at": 1, "text": 5},
        {"kind": "bookmark", "at": 1, "text": "a\nb"},
        {"kind": "bookmark", "at": 1, "text": "x" * (TEXT_CHARACTERS + 1)},
        {"kind": "comment", "at": 1},
        {"kind": "comment", "at": 1, "text": "  "},
        {"kind": "clip", "at": 1},
        {"kind": "clip", "at": 1, "until": 1},
        {"kind": "clip", "at": 2, "until": 1},
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(fields: dict[str, Any]) -> None:
    with pytest.raises(NoteError, match=r"^[A-Z].*\.$"):
        parse_note(json.dumps(fields).encode())


def test_what_can_be_said_is_taken() -> None:
    longest = "字" * TEXT_CHARACTERS
    body = json.dumps({"kind": "clip", "at": 0, "until": 0.04, "text": longest, "shared": True}).encode()
    assert parse_note(body) == NewNote("clip", 0.0, 0.04, longest, shared=True)
    assert parse_change(b'{"text":""}') == NoteChange("", None)
    assert [number_of(name) for name in ("n-12", "n-٣", "n--1", "m-1")] == [12, None, None, None]
    for change in (b"{}", b'{"text":null}', b'{"shared":null}', b"[" * 9000):
        with pytest.raises(NoteError):
            parse_change(change)
