"""Whose a recording is, completed by people where no server knows it: trainees read again, with the patient hidden."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from loadtests.caller import calling
from server.keeping import audit
from server.recorded_patients import PATIENTS_LIMIT
from signalling.patient import Identity, Patient
from signalling.permissions import Role
from tests.helpers.journals import RECORDING
from tests.helpers.kept import keep_recording
from tests.helpers.served import Answered, Served, served
from tests.helpers.taught import ROOM, lay_down

ANNA = Patient(Identity("4711", "HIS", "Geheim^Anna", "19700101"), "p-1")
BERT = {"name": "Bert Heimlich", "patient_id": "0815", "birth_date": "19710202", "accession": ""}


async def ask(server: Served, role: Role, method: str, path: str, body: Any = None) -> Answered:
    headers = {"Authorization": f"Bearer {server.token(role, 'The ' + role)}"}
    return await server.ask(method, path, headers, b"" if body is None else json.dumps(body).encode())


@contextlib.asynccontextmanager
async def killed(folder: Path, *patients: Patient) -> AsyncIterator[tuple[Served, str, str]]:
    """Serve after another was killed in a consultation, of whose patients these are known; with a note on it.

    Gives the server, the recording and the path of its patients.
    """
    async with served(folder) as server:
        recording = await asyncio.to_thread(keep_recording, folder, "ward")
        key = await asyncio.to_thread(server.service.archive.library.key, recording)
        await server.service.recorded_patients.keep(recording, key, patients)
        note = {"kind": "comment", "at": 0.1, "text": "Geheim, then Heimlich", "shared": True}
        assert (await ask(server, "expert", "POST", f"/api/study/{recording}/notes", note)).status == 201
    async with served(folder) as server:
        await server.service.keeper.take_in()
        yield server, recording, f"/api/keeping/recordings/{recording}/patients"


async def read(server: Served, recording: str) -> tuple[str, bool]:
    """Read the note as a trainee."""
    (note,) = (await ask(server, "trainee", "GET", f"/api/study/{recording}/notes")).json()["notes"]
    return note["text"], note.get("withheld", False)


async def test_who_may_know_completes_the_patients_and_trainees_read_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with killed(tmp_path, ANNA) as (server, recording, path):
        assert await read(server, recording) == ("", True)
        (line,) = (await ask(server, "chair", "GET", "/api/keeping")).json()["recordings"]
        assert line["patients_known"] is False
        known = {"name": "Geheim^Anna", "patient_id": "4711", "birth_date": "19700101", "accession": ""}
        told = await ask(server, "surgeon", "GET", path)
        assert told.json() == {"patients": [known], "all_known": False}
        assert told.headers["cache-control"] == "private, no-store"

        confirmed = await ask(server, "surgeon", "POST", path, {"added": [BERT]})
        assert confirmed.status == 200, confirmed.body
        assert [one["patients_known"] for one in confirmed.json()["recordings"]] == [True]
        assert await read(server, recording) == ("▮▮▮, then ▮▮▮", False)
        assert (await ask(server, "chair", "GET", path)).json() == {
            "patients": [known, BERT],
            "all_known": True,
        }
        # it lies sealed, and the book says who did it, not whose it is
        (entry,) = [
            one
            for one in await audit.last_entries(server.service, "ward", recording, 10)
            if one["deed"] == "patients_confirmed"
        ]
        assert (entry["name"], entry["role"], entry["about"]) == ("The surgeon", "surgeon", {"added": 1})

        def words(connection: Any) -> str:
            return str(
                [
                    tuple(row)
                    for table in ("recorded_patient", "audit")
                    for row in connection.execute(f"SELECT * FROM {table}")
                ]
            )

        stored = await server.service.database.run(words)
        assert not [word for word in ("Geheim", "Heimlich", "4711", "0815") if word in stored + caplog.text]
        # one who was forgotten is added afterwards, nobody twice
        more = {"added": [BERT, {"name": "Then^Ute"}]}
        assert (await ask(server, "chair", "POST", path, more)).status == 200
        assert await read(server, recording) == ("▮▮▮, ▮▮▮ ▮▮▮", False)
        assert len((await ask(server, "chair", "GET", path)).json()["patients"]) == 3
    async with served(tmp_path) as server:
        assert await read(server, recording) == ("▮▮▮, ▮▮▮ ▮▮▮", False)


async def test_nobody_was_chosen_can_be_confirmed_too(tmp_path: Path) -> None:
    async with killed(tmp_path) as (server, recording, path):
        # one of an earlier server has no row at all
        assert await server.service.recorded_patients.forget(recording) == ""
        assert await read(server, recording) == ("", True)
        assert (await ask(server, "chair", "POST", path, {"added": []})).status == 200
        assert await read(server, recording) == ("Geheim, then Heimlich", False)


async def test_who_may_not_and_what_is_no_patient_is_refused(tmp_path: Path) -> None:
    async with killed(tmp_path, ANNA) as (server, recording, path):
        for role in ("expert", "trainee", "observer"):
            for method in ("GET", "POST"):
                assert (await ask(server, role, method, path, {"added": []})).status == 403, role
        for added, code in (
            (None, "bad_request"),
            ([{}], "hides_nothing"),
            ([{"name": "Li", "patient_id": "12"}], "hides_nothing"),
            ([{"name": "Bert Heimlich", "birth_date": "1970"}], "bad_request"),
            ([{"name": "a\u202eb"}], "bad_request"),
            ([{"name": "x" * 300}], "bad_request"),
            ([BERT] * 21, "bad_request"),
        ):
            answered = await ask(server, "chair", "POST", path, {"added": added})
            assert (answered.status, answered.json()["code"]) == (400, code), added
            assert answered.json()["message"].endswith(".")
        for other in (recording[:-4] + "ffff", ".."):
            gone = path.replace(recording, other)
            assert (await ask(server, "chair", "GET", gone)).status == 404
            assert (await ask(server, "chair", "POST", gone, {"added": []})).status == 404
        many = [[{"name": f"Somebody{number}-{part}"} for number in range(20)] for part in range(3)]
        statuses = [(await ask(server, "chair", "POST", path, {"added": added})).status for added in many]
        assert statuses == [200, 200, 409]
        assert len((await ask(server, "chair", "GET", path)).json()["patients"]) == 41 < PATIENTS_LIMIT


async def test_without_its_entry_in_the_book_nothing_is_confirmed(tmp_path: Path) -> None:
    async with killed(tmp_path, ANNA) as (server, recording, path):
        refuse = "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        await server.service.database.run(lambda c: c.execute(refuse))
        assert (await ask(server, "chair", "POST", path, {"added": [BERT]})).status == 503
        assert await read(server, recording) == ("", True)
        known = (await ask(server, "chair", "GET", path)).json()
        assert ([one["name"] for one in known["patients"]], known["all_known"]) == (["Geheim^Anna"], False)


async def test_while_the_consultation_lasts_the_server_writes_it_down(tmp_path: Path) -> None:
    async with served(tmp_path) as server, calling(server.url, server.token("surgeon")) as (surgeon,):
        await surgeon.request("record", action="start")
        recording = str((await surgeon.notice("recording"))["recording"]["recording"])
        await server.service.keeper.take_in()
        path = f"/api/keeping/recordings/{recording}/patients"
        answered = await ask(server, "chair", "POST", path, {"added": [BERT]})
        assert (answered.status, answered.json()["code"]) == (409, "consultation_open")


async def test_who_is_added_is_hidden_in_what_was_written_during_the_consultation_too(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        lay_down(tmp_path)
        await server.service.keeper.take_in()

        async def said(role: Role) -> str:
            path = f"/api/recordings/{RECORDING}"
            described = (await server.ask("GET", path, server.bearer(role, room=ROOM))).json()
            (text,) = [
                one["operation"]["text"]
                for one in described["operations"]
                if one["operation"]["kind"] == "say"
            ]
            return str(text)

        assert await said("trainee") == "Well seen."
        path = f"/api/keeping/recordings/{RECORDING}/patients"
        body = json.dumps({"added": [{"name": "Seen^Well"}]}).encode()
        answered = await server.ask("POST", path, server.bearer("chair", room=ROOM), body)
        assert answered.status == 200, answered.body
        assert await said("trainee") == "▮▮▮."
        assert await said("expert") == "Well seen."
