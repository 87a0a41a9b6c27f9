"""The audit book: what is written in it, that nothing of it can be changed unseen, and what happens where it fails."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtests.caller import calling
from recorder.seal import sm2
from recorder.seal.digest import sm3
from server.__main__ import main
from server.database import Database
from server.keeping import audit
from server.keeping.audit import Doer
from server.keeping.commands import add_tables
from signalling.permissions import Role
from signalling.tokens import Claims
from tests.helpers.kept import keep_recording
from tests.helpers.served import served

CHAIR = Doer("subject 7", "Dr. Wang", "chair", "demo")
NAME = "20261122-101500-demo-3f9a"


async def _database(path: Path) -> Database:
    database = Database(path)
    add_tables(database)
    await database.start()
    return database


def _fill(connection: sqlite3.Connection, count: int = 5) -> None:
    for number in range(count):
        audit.append(connection, CHAIR, "replay_opened", 1_790_000_000_000 + number, NAME, minute=number)


def _does(statement: str) -> Callable[[sqlite3.Connection], sqlite3.Cursor]:
    return lambda c: c.execute(statement)


async def test_entries_follow_each_other_and_nothing_is_changed_in_the_book(tmp_path: Path) -> None:
    database = await _database(tmp_path / "k.sqlite3")
    assert await database.run(audit.verify) == audit.Book(0, 64 * "0")
    await database.run(_fill)
    book = await database.run(audit.verify)
    assert (book.entries, book.problem) == (5, "")
    first, *_, last = reversed(await database.run(audit.entries))
    assert first == {
        "number": 1, "at": 1_790_000_000_000, "deed": "replay_opened", "person": "subject 7", "name": "Dr. Wang",
        "role": "chair", "room": "demo", "recording": NAME, "about": {"minute": 0},
    }  # fmt: skip
    assert last["number"] == 5
    for statement in ("UPDATE audit SET entry = '{}' WHERE number = 2", "DELETE FROM audit WHERE number = 5"):
        with pytest.raises(sqlite3.IntegrityError, match="only added to"):
            await database.run(_does(statement))
    # a stranger follows the chain in the exported lines
    head = bytes(32)
    for line in (await database.run(lambda c: "".join(audit.lines(c)))).splitlines():
        read = json.loads(line)
        head = sm3(head + audit.encode(read["entry"]).encode())
        assert head.hex() == read["sm3"]
    assert head.hex() == book.head
    await database.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE audit SET entry = replace(entry, 'Wang', 'Li') WHERE number = 3", "Entry 3 was changed"),
        ("DELETE FROM audit WHERE number = 3", "Entry 3 is missing"),
        ("DELETE FROM audit WHERE number = 1", "Entry 1 is missing"),
        ("UPDATE audit SET sm3 = (SELECT sm3 FROM audit WHERE number = 4) WHERE number = 3", "Entry 3 was"),
        ("UPDATE audit SET number = 9 WHERE number = 5", "Entry 5 is missing"),
        ("UPDATE audit SET entry = '{}' WHERE number = 2", "Entry 2 was changed"),
    ],
)
async def test_whoever_changes_it_in_the_file_is_found_out(change: str, words: str, tmp_path: Path) -> None:
    database = await _database(tmp_path / "k.sqlite3")
    await database.run(_fill)
    for trigger in ("audit_stays", "audit_keeps"):
        await database.run(_does(f"DROP TRIGGER {trigger}"))
    await database.run(lambda c: c.execute(change))
    assert words in (await database.run(audit.verify)).problem
    await database.close()


async def test_a_book_that_was_written_anew_or_cut_is_not_the_one_that_was_noted(tmp_path: Path) -> None:
    database = await _database(tmp_path / "k.sqlite3")
    await database.run(_fill)
    head = (await database.run(audit.verify)).head
    assert (await database.run(lambda c: audit.verify(c, (5, head)))).problem == ""
    await database.run(lambda c: _fill(c, 2))
    assert (await database.run(lambda c: audit.verify(c, (5, head)))).problem == ""
    assert "another one" in (await database.run(lambda c: audit.verify(c, (4, head)))).problem
    await database.close()
    other = await _database(tmp_path / "other.sqlite3")
    await other.run(lambda c: _fill(c, 3))
    assert "ends at 3, and 5" in (await other.run(lambda c: audit.verify(c, (5, head)))).problem
    await other.close()


async def test_what_cannot_be_written_down_and_not_be_undone_is_not_done(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    claims = Claims("ward", "Dr. A", "chair", None, 2e9)
    async with served(tmp_path) as running:
        await running.service.database.run(lambda c: c.execute("ALTER TABLE audit RENAME TO gone"))
        with pytest.raises(audit.AuditError):
            await audit.note_first(running.service, claims, "key_erased", recording=NAME)
        # what can be undone goes on, and the log tells
        await audit.note(running.service, claims, "replay_opened", recording=NAME)
        assert caplog.text.count("audit book cannot be written") == 2
        assert "Dr. A" not in caplog.text
        await running.service.database.run(lambda c: c.execute("ALTER TABLE gone RENAME TO audit"))


async def test_recordings_and_replays_stand_in_the_book_of_their_room(tmp_path: Path) -> None:
    async with served(tmp_path) as running:
        async with calling(running.url, running.token("surgeon", "Dr. S")) as (surgeon,):
            await surgeon.request("record", action="start")
            live = str((await surgeon.notice("recording"))["recording"]["recording"])
            await surgeon.request("record", action="stop")
        recording = await asyncio.to_thread(keep_recording, tmp_path, "ward")
        looks: tuple[tuple[Role, int], ...] = (("trainee", 200), ("trainee", 200), ("observer", 403))
        for role, status in looks:
            answer = await running.ask("GET", f"/api/recordings/{recording}", running.bearer(role))
            assert answer.status == status
        address = f"/api/keeping/audit?recording={recording}"
        assert (await running.ask("GET", address, running.bearer("expert"))).status == 403
        assert (await running.ask("GET", address)).status == 401
        entries = (await running.ask("GET", address, running.bearer("chair"))).json()["entries"]
        # the second look is the same visit
        assert [(entry["deed"], entry["role"]) for entry in entries] == [("replay_opened", "trainee")]
        whole = (await running.ask("GET", "/api/keeping/audit", running.bearer("chair"))).json()["entries"]
        deeds = [(entry["deed"], entry["name"]) for entry in reversed(whole) if entry["recording"] == live]
        assert deeds == [("recording_started", "Dr. S"), ("recording_stopped", "Dr. S")]
        elsewhere = await running.ask("GET", address, running.bearer("chair", "other"))
        assert elsewhere.json()["entries"] == []


def test_the_command_proves_shows_and_writes_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "k.sqlite3"
    monkeypatch.setenv("KONSIL_DATABASE_FILE", str(path))
    monkeypatch.setenv("KONSIL_SEAL_SIGNING_KEY", str(tmp_path / "signing.pem"))
    assert main(["audit", "verify"]) == 2
    assert "There is no database" in capsys.readouterr().err

    async def fill() -> None:
        database = await _database(path)
        await database.run(_fill)
        await database.close()

    asyncio.run(fill())
    assert main(["audit", "verify"]) == 0
    said = capsys.readouterr().out
    known = said.split()[-1]
    assert "5 entries" in said
    assert main(["audit", "verify", "--known", known]) == 0
    assert main(["audit", "show", "--last", "2", "--recording", NAME]) == 0
    assert capsys.readouterr().out.count("chair Dr. Wang: replay_opened") == 2
    sm2.generate(tmp_path / "signing.pem")
    (tmp_path / "signing.public.pem").write_bytes(sm2.public_of(tmp_path / "signing.pem"))
    assert main(["audit", "export", str(tmp_path / "book.jsonl")]) == 0
    book, signature = (tmp_path / "book.jsonl").read_bytes(), (tmp_path / "book.jsonl.sig").read_bytes()
    assert sm2.verify(tmp_path / "signing.public.pem", book, signature)
    assert not sm2.verify(tmp_path / "signing.public.pem", book[:-1], signature)
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER audit_keeps")
    connection.execute("DELETE FROM audit WHERE number > 3")
    connection.commit()
    connection.close()
    assert main(["audit", "verify"]) == 0  # a book that was cut off is still one,
    capsys.readouterr()
    assert main(["audit", "verify", "--known", known]) == 1  # but not the one whose end was written down
    assert "WRONG: The book ends at 3" in capsys.readouterr().out
