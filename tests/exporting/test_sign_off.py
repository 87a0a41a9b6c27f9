"""Who sees a copy that waits for a look, who lets it out, and what takes it away; no film has to be made for that."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.exporting import rows
from server.exporting.rows import Row
from server.keeping import decisions
from server.keeping.audit import Doer
from signalling.permissions import Role
from tests.helpers.journals import RECORDING, STARTED, small_journal
from tests.helpers.served import Answered, Served, served

ROOM = "demo"
COPY, CAMERA = "e-0000000000000001", "e-0000000000000002"
FILM = f"/api/exports/{COPY}/film.mp4"
WHO = Doer("p", "Dr. Test", "surgeon", ROOM)
LOOKED = {"looked_at": ["pictures", "sound", "texts"]}


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    """A server with consent to teaching, a copy that waits, and a camera's film beside it."""
    folder = tmp_path / "recordings" / RECORDING
    folder.mkdir(parents=True)
    (folder / "journal.kjr").write_bytes(small_journal())
    async with served(tmp_path) as server:
        files: list[dict[str, Any]] = [{"name": "film.mp4", "bytes": 4, "type": "video/mp4"}]
        for export, kind, state in ((COPY, "teaching", "needs_sign_off"), (CAMERA, "camera", "done")):
            place = tmp_path / "recordings" / "exports" / export
            place.mkdir(parents=True)
            (place / "film.mp4").write_bytes(b"film")
            await add(server, Row(export, RECORDING, ROOM, kind, "p", time.time(), "running"), state, files)
        await server.service.database.run(
            lambda c: decisions.register(c, [(RECORDING, ROOM, STARTED * 1000)])
        )
        await consent(server, given=True)
        yield server


async def add(server: Served, row: Row, state: Any, files: list[dict[str, Any]]) -> None:
    def work(c: sqlite3.Connection) -> None:
        rows.insert(c, row)
        rows.finish(c, row.export, state, files, time.time())

    await server.service.database.run(work)


async def consent(server: Served, *, given: bool) -> None:
    body = json.dumps({"purpose": "teaching", "given": given, "reference": "F-2026/118"}).encode()
    address = f"/api/keeping/recordings/{RECORDING}/consent"
    answer = await server.ask("POST", address, server.bearer("surgeon", ROOM), body)
    assert answer.status == 200, answer.body


async def seen(server: Served, role: Role) -> list[str]:
    address = f"/api/exports?recording={RECORDING}"
    answer = await server.ask("GET", address, server.bearer(role, ROOM))
    assert answer.status == 200
    return [one["export"] for one in answer.json()]


async def sign(server: Served, role: Role, body: object = LOOKED, export: str = COPY) -> Answered:
    address = f"/api/exports/{export}/sign-off"
    return await server.ask("POST", address, server.bearer(role, ROOM), json.dumps(body).encode())


async def taken(server: Served, role: Role, address: str = FILM) -> int:
    return (await server.ask("GET", address, server.bearer(role, ROOM))).status


async def test_a_copy_is_for_learners_when_a_person_has_looked(running: Served) -> None:
    assert sorted(await seen(running, "surgeon")) == [COPY, CAMERA]
    for role in ("expert", "trainee"):
        assert await seen(running, role) == []
        assert await taken(running, role) == 403
        assert (await sign(running, role)).status == 403
    # nobody has looked at what he has not opened
    unseen = await sign(running, "chair")
    assert (unseen.status, "Look at the copy first" in unseen.json()["message"]) == (409, True)
    assert await taken(running, "chair") == 200
    body: object
    for body in (
        {},
        [],
        7,
        {"looked_at": "all"},
        {"looked_at": ["pictures", "sound"]},
        {"looked_at": [*LOOKED["looked_at"], "x"]},
    ):
        assert (await sign(running, "chair", body)).status == 400
    # of another kind nothing is signed off
    assert (await sign(running, "chair", export=CAMERA)).status == 409
    assert (await sign(running, "chair", export="e-000000000000ffff")).status == 404
    assert (await sign(running, "chair")).status == 204
    assert (await sign(running, "chair")).status == 409
    assert await seen(running, "trainee") == [COPY]
    assert await taken(running, "trainee") == 200
    assert await taken(running, "trainee", f"/api/exports/{CAMERA}/film.mp4") == 403
    assert await taken(running, "observer") == 403
    ward = await running.ask("GET", FILM, running.bearer("trainee", "ward"))
    assert ward.status == 404
    # no name of the room or of its day is in what is saved
    answer = await running.ask("GET", FILM, running.bearer("trainee", ROOM))
    assert answer.headers["content-disposition"] == f'attachment; filename="teaching-{COPY}-film.mp4"'
    entries = await running.service.database.run(
        lambda c: [json.loads(entry) for (entry,) in c.execute("SELECT entry FROM audit")]
    )
    (signed,) = [entry for entry in entries if entry["deed"] == "export_signed_off"]
    assert (signed["role"], signed["about"]) == ("chair", {"export": COPY, "same_person": False})
    # it outlasts other exports
    await running.service.exports.sweep(time.time() + 10_000 * 3600)
    assert await seen(running, "surgeon") == [COPY]


async def test_a_hold_withholds_and_withdrawn_consent_takes_away(running: Served) -> None:
    service = running.service
    assert await taken(running, "surgeon") == 200
    assert (await sign(running, "surgeon")).status == 204
    number = await service.database.run(
        lambda c: decisions.hold(c, WHO, service.keeper.now(), RECORDING, "A case is open")
    )
    assert await taken(running, "trainee") == 403
    await service.exports.sweep(time.time())
    await service.database.run(
        lambda c: decisions.lift(c, WHO, service.keeper.now(), RECORDING, number, "It is closed")
    )
    assert await taken(running, "trainee") == 200
    await consent(running, given=False)
    assert await taken(running, "trainee") == 404
    assert await seen(running, "surgeon") == [CAMERA]
    assert not (running.folder / "recordings" / "exports" / COPY).exists()


async def test_consent_that_is_over_takes_a_copy_away_by_itself(running: Served) -> None:
    keeper = running.service.keeper
    now = keeper.now()
    await running.service.database.run(
        lambda c: decisions.record_consent(
            c, WHO, now, RECORDING, "teaching", "F-2026/119", given=True, until=now + 3_600_000
        )
    )
    await running.service.exports.sweep(time.time())
    assert len(await seen(running, "surgeon")) == 2
    keeper.clock = lambda: (now + 3_600_001) / 1000
    assert (await sign(running, "surgeon")).status == 403
    await running.service.exports.sweep(time.time())
    assert await seen(running, "surgeon") == [CAMERA]


async def test_a_book_that_cannot_be_written_lets_nothing_out(running: Served) -> None:
    assert await taken(running, "chair") == 200
    await running.service.database.run(
        lambda c: c.execute(
            "CREATE TRIGGER torn BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    )
    assert (await sign(running, "chair")).status == 503
    await running.service.database.run(lambda c: c.execute("DROP TRIGGER torn"))
    assert await seen(running, "trainee") == []
    assert (await sign(running, "chair")).status == 204
