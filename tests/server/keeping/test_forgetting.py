"""What is left of a recording that two people deleted: what shows or tells what was in it goes, everywhere."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from server.config import Config, DatabaseConfig
from server.keeping import audit
from server.training import cli, forgetting
from signalling.patient import Identity, Patient
from signalling.permissions import Role
from tests.helpers.kept import keep_recording
from tests.helpers.served import Served, served

Who = tuple[Role, str]
KELLER: Who = ("expert", "Prof. Keller")
MARIA: Who = ("trainee", "Maria")
#: Stands in all that is written of the recording.
SECRET = "Xanthippe"
#: Where the recording's name stays: that it was, by whose word it went, and what people have done.
KNOW_IT = {"audit", "kept", "deletion", "training_watched", "training_assessment"}


async def ask(server: Served, who: Who, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {server.token(*who)}"}
    answered = await server.ask(method, path, headers, b"" if body is None else json.dumps(body).encode())
    assert answered.status < 300, (path, answered.body)
    return answered.json() if answered.body else None


async def used(server: Served, recording: str) -> None:
    """Do with a recording what people do."""
    expert, maria = KELLER, MARIA
    camera = (await ask(server, maria, "GET", f"/api/recordings/{recording}"))["cameras"][0]
    frame = {"producer": 7, "rtp_timestamp": camera["first_rtp_timestamp"]}
    mark = {
        "mark": "m-1",
        "shape": "pin",
        "anchor": frame,
        "points": [[0.5, 0.5]],
        "width": 0.01,
        "text": SECRET,
    }
    asked = {**frame, "at": 0.1, "prompt": SECRET, "words": SECRET, "tolerance": 5, "answer": {"mark": mark}}
    questions = f"/api/training/recordings/{recording}/questions"
    one = (await ask(server, expert, "POST", questions, asked))["question"]
    await ask(server, expert, "PUT", f"/api/training/questions/{one}", {**asked, "version": 1})
    await ask(server, maria, "POST", f"/api/training/questions/{one}/attempts", {"mark": mark})
    played = {"played": [{"from": 0, "to": 0.5, "speed": 1}]}
    await ask(server, maria, "POST", f"/api/training/recordings/{recording}/watched", played)
    note = {"kind": "comment", "at": 0.1, "text": SECRET, "shared": True}
    await ask(server, maria, "POST", f"/api/study/{recording}/notes", note)
    patient = Patient(Identity("4711", "", SECRET), "p-1")
    key = await asyncio.to_thread(server.service.archive.library.key, recording)
    await server.service.recorded_patients.keep(recording, key, (patient,))
    await ask(server, expert, "POST", "/api/training/playlists", listed(recording))
    cookie = {"Authorization": f"Bearer {server.token(*maria)}"}
    assert (await server.ask("GET", f"/api/recordings/{recording}/7/segments.json", cookie)).status == 200


def listed(*recordings: str) -> dict[str, Any]:
    items = [{"recording": one, "title": SECRET if len(recordings) == 1 else ""} for one in recordings]
    return {"title": f"{len(recordings)}", "note": "", "due": None, "items": items, "people": None}


async def tables_with(server: Served, word: str) -> set[str]:
    """Find the tables of the database in which a word stands, sealed ones aside."""

    def look(connection: Any) -> set[str]:
        names = [
            row["name"] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        return {
            name
            for name in names
            for row in connection.execute(f"SELECT * FROM {name}")
            if any(word in str(value) for value in tuple(row))
        }

    return await server.service.database.run(look)


def open_files(folder: Path) -> list[str]:
    """List what this process has open below a folder, deleted or not."""
    links = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return [str(link) for link in links if str(link).startswith(str(folder))]


async def test_what_somebody_has_learned_is_erased_at_his_wish(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jin: Who = ("trainee", "Jin")
    async with served(tmp_path) as server:
        recording = await asyncio.to_thread(keep_recording, tmp_path, "ward")
        await server.service.keeper.take_in()
        await used(server, recording)
        await ask(server, MARIA, "POST", "/api/training/certificates", {})
        mine, other = [(await ask(server, who, "GET", "/api/training/me"))["person"] for who in (MARIA, jin)]
        judged = {"form": "osats", "version": 1, "person": mine, "answers": [3] * 7, "remark": "Steady."}
        await ask(server, KELLER, "POST", "/api/training/assessments", judged)
        for_both = listed(recording) | {"people": [mine, other]}
        await ask(server, KELLER, "POST", "/api/training/playlists", for_both)
        keller = (await ask(server, KELLER, "GET", "/api/training/me"))["person"]
    settings = Config(database=DatabaseConfig(file=str(tmp_path / "konsil.sqlite3")))

    def run(*arguments: str) -> int:
        return cli.main(settings, [*arguments])

    assert await asyncio.to_thread(run, "people", "ward") == 0
    assert f"{mine}  trainee   Maria\n" in capsys.readouterr().out
    assert await asyncio.to_thread(run, "erase", "p-0000") == 2
    assert capsys.readouterr().err == "Nobody has this identifier.\n"
    for person in (mine, keller):
        assert await asyncio.to_thread(run, "erase", person) == 0
        assert capsys.readouterr().out == "Erased, in room ward.\n"
    assert await asyncio.to_thread(run, "people", "ward") == 0
    # of whom others have something the row stays, and says nothing
    assert sorted(capsys.readouterr().out.splitlines()) == sorted(
        [f"{other}  trainee   Jin", f"{keller}  observer  "]
    )
    async with served(tmp_path) as server:
        # that it was done stands in the book, under what says nothing of him; and who opened the replay, as ever
        assert await tables_with(server, mine) == {"audit"}
        assert await tables_with(server, "Maria") == {"audit"}
        (question,) = (await ask(server, jin, "GET", f"/api/training/recordings/{recording}/questions"))[
            "questions"
        ]
        assert question["attempts"] == 0
        lists = (await ask(server, ("chair", "A"), "GET", "/api/training/playlists"))["playlists"]
        assert [one["person"] for one in lists[-1]["people"]] == [other]
        assert (await server.service.database.run(audit.verify)).problem == ""


async def test_a_deleted_recording_takes_along_what_tells_of_it(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        gone, stays = [await asyncio.to_thread(keep_recording, tmp_path, "ward") for _ in range(2)]
        keeper, folder = server.service.keeper, tmp_path / "recordings" / gone
        await keeper.take_in()
        for recording in (gone, stays):
            await used(server, recording)
        expert = KELLER
        await ask(server, expert, "POST", "/api/training/playlists", listed(gone, stays))
        maria = (await ask(server, MARIA, "GET", "/api/training/me"))["person"]
        forms = (await ask(server, expert, "GET", "/api/training/forms"))["forms"]
        answers = [3] * len(forms[0]["items"])
        judged = {"form": "osats", "version": 1, "person": maria, "recording": gone, "answers": answers}
        await ask(server, expert, "POST", "/api/training/assessments", {**judged, "remark": "Steady."})
        code = (await ask(server, MARIA, "POST", "/api/training/certificates", {}))["code"]
        before = (await ask(server, MARIA, "GET", "/api/training/me"))["hours"]
        assert open_files(folder)
        assert {"training_question", "training_question_before", "note"} <= await tables_with(server, SECRET)

        deletion = f"/api/keeping/recordings/{gone}/deletion"
        await ask(server, ("chair", "A"), "POST", deletion, {"reason": "over"})
        line = (await ask(server, ("chair", "A"), "GET", "/api/keeping"))["recordings"]
        number = next(one["request"]["number"] for one in line if one["recording"] == gone)
        await ask(server, ("surgeon", "B"), "POST", f"{deletion}/{number}", {"agree": True})
        await keeper.round()

        assert await tables_with(server, gone) == KNOW_IT
        assert open_files(folder) == []
        # the other's is as it was; of each table what is the other's alone is left
        assert await ask(server, expert, "GET", f"/api/study/{stays}/notes")
        (question,) = (await ask(server, expert, "GET", f"/api/training/recordings/{stays}/questions"))[
            "questions"
        ]
        assert (question["people"], question["prompt"]) == (1, SECRET)
        lists = (await ask(server, expert, "GET", "/api/training/playlists"))["playlists"]
        assert sorted((one["title"], len(one["items"])) for one in lists) == [("1", 1), ("2", 1)]
        assert {item["recording"] for one in lists for item in one["items"]} == {stays}
        # what hid the deleted one's patient is gone: the words of its list are told to nobody from whom he is hidden
        theirs = (await ask(server, MARIA, "GET", "/api/training/playlists"))["playlists"]
        assert sorted((one["title"], one.get("withheld", False)) for one in theirs) == [
            ("", True),
            ("1", False),
        ]
        # what somebody has done is his
        me = await ask(server, MARIA, "GET", "/api/training/me")
        assert me["hours"] == before
        assert [one["recording"] for one in me["assessments"]] == [gone]
        assert [one["recording"] for one in me["answers"]] == [stays]
        checked = await ask(
            server, ("observer", "Eve"), "POST", "/api/training/certificates/check", {"code": code}
        )
        assert checked["valid"] is True

        # a deletion that was cut off is gone on with, and nothing is written twice
        assert await keeper.places.forget(gone) == ""
        rows = "SELECT count(*) FROM training_playlist WHERE removed IS NOT NULL"
        assert await server.service.database.run(lambda c: c.execute(rows).fetchone()[0]) == 1
        # with the other one nothing is left of what was told
        assert await keeper.places.forget(stays) == ""
        assert await tables_with(server, SECRET) == set()
        assert await forgetting.forget(server.service.database, stays, lambda: 0.0) == ""
