"""Playlists, assessments, certificates and the overview over HTTP: who sets, who sees, what is counted."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from recorder.seal.keys import DataKey
from recorder.seal.suites import SM4
from signalling.patient import Identity, Patient
from tests.helpers.journals import RECORDING
from tests.helpers.served import Served, served
from tests.helpers.taught import Who, call, lay_down, mark, question

EXPERT: Who = ("expert", "Prof. Keller")
MARIA: Who = ("trainee", "Maria Lopez")
JIN: Who = ("trainee", "=Jin Tao")


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        lay_down(tmp_path)
        yield server


async def person(server: Served, who: Who) -> str:
    """Open the training area once; give the server's identifier."""
    identifier: str = (await call(server, who, "GET", "me")).json()["person"]
    return identifier


async def watch(server: Served, who: Who, begins: float, ends: float) -> None:
    body = {"played": [{"from": begins, "to": ends, "speed": 1}]}
    answered = await call(server, who, "POST", f"recordings/{RECORDING}/watched", body)
    assert answered.status == 200, answered.body


async def playlist(server: Served, **changes: Any) -> dict[str, Any]:
    body = {"title": "Calot's triangle", "items": [{"recording": RECORDING}], "due": 1} | changes
    answered = await call(server, EXPERT, "POST", "playlists", body)
    assert answered.status == 201, answered.body
    made: dict[str, Any] = answered.json()
    return made


async def mine(server: Served, who: Who) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await call(server, who, "GET", "playlists")).json()["playlists"]
    return found


async def test_a_playlist_is_done_when_all_is_seen_and_answered(running: Served) -> None:
    made = await playlist(running)
    asked = await call(
        running, EXPERT, "POST", f"recordings/{RECORDING}/questions", question({"log": "m-tip"})
    )
    (seen,) = await mine(running, MARIA)
    assert seen["progress"] == [{"watched": 0, "questions": 1, "answered": 0, "passed": 0}]
    assert (seen["done"], seen["late"]) == (False, True)
    await watch(running, MARIA, 0, 0.3)
    await watch(running, MARIA, 0.1, made["items"][0]["until"])
    body = {"mark": mark("a", "pin", [[0.9, 0.4]])}
    to = f"questions/{asked.json()['question']}/attempts"
    await call(running, MARIA, "POST", to, body)
    (seen,) = await mine(running, MARIA)
    assert seen["progress"] == [
        {"watched": pytest.approx(1, abs=0.001), "questions": 1, "answered": 1, "passed": 0}
    ]
    assert seen["done"] is False
    await call(running, MARIA, "POST", to, {"mark": mark("b", "pin", [[0.5, 0.4]])})
    (seen,) = await mine(running, MARIA)
    assert (seen["done"], seen["late"]) == (True, False)
    # who teaches sees how far everybody is; another trainee sees himself alone
    (theirs,) = await mine(running, EXPERT)
    assert [(one["name"], one["done"]) for one in theirs["people"]] == [("Maria Lopez", True)]
    assert (await mine(running, JIN))[0]["done"] is False


async def test_a_playlist_is_for_those_whom_it_is_set_to(running: Served) -> None:
    maria = await person(running, MARIA)
    made = await playlist(
        running, people=[maria], due=None, items=[{"recording": RECORDING, "from": 0.2, "until": 0.4}]
    )
    assert len(await mine(running, MARIA)) == 1
    assert await mine(running, JIN) == []
    change = {"title": "Later", "items": [{"recording": RECORDING}], "people": []}
    assert (await call(running, EXPERT, "PUT", f"playlists/{made['playlist']}", change)).json()[
        "title"
    ] == "Later"
    assert await mine(running, MARIA) == []
    assert (await call(running, EXPERT, "DELETE", f"playlists/{made['playlist']}")).status == 204
    assert await mine(running, EXPERT) == []


#: Changes to a playlist, and how it is refused.
REFUSED: list[tuple[dict[str, Any], int]] = [
    ({"items": []}, 400),
    ({"items": [{"recording": "20261122-101500-demo-ffff"}]}, 404),
    ({"items": [{"recording": RECORDING, "from": 5000}]}, 400),
    ({"items": [{"recording": RECORDING, "from": 1, "until": 1}]}, 400),
    ({"people": ["p-nobody"]}, 404),
    ({"title": "a\u202eb"}, 400),
    ({"due": "soon"}, 400),
]


async def test_what_is_no_playlist_is_refused(running: Served) -> None:
    for changes, status in REFUSED:
        body = {"title": "A", "items": [{"recording": RECORDING}]} | changes
        answered = await call(running, EXPERT, "POST", "playlists", body)
        assert answered.status == status, changes
        assert answered.json()["message"].endswith(".")


async def test_who_learns_sets_nothing_and_sees_nobody_else(running: Served) -> None:
    made = await playlist(running)
    for method, path in (
        ("POST", "playlists"),
        ("PUT", f"playlists/{made['playlist']}"),
        ("DELETE", f"playlists/{made['playlist']}"),
        ("GET", "forms"),
        ("POST", "forms"),
        ("POST", "assessments"),
        ("GET", "overview"),
        ("GET", "overview.csv"),
    ):
        assert (await call(running, MARIA, method, path, {})).status == 403, path
        assert (await call(running, ("observer", "Mr. O"), method, path, {})).status == 403, path
    jin = await person(running, JIN)
    assert (await call(running, MARIA, "POST", "certificates", {"person": jin})).status == 403
    # another room's are as if they were not
    assert (await call(running, EXPERT, "DELETE", f"playlists/{made['playlist']}", room="ward")).status == 404
    assert (await call(running, EXPERT, "GET", "playlists", room="ward")).json() == {"playlists": []}


async def test_a_trainee_is_assessed_by_osats_and_compares_himself_over_time(running: Served) -> None:
    maria, keller = await person(running, MARIA), await person(running, EXPERT)
    (osats,) = (await call(running, EXPERT, "GET", "forms")).json()["forms"]
    assert (osats["form"], len(osats["items"])) == ("osats", 7)
    body = {"form": "osats", "version": 1, "person": maria, "recording": RECORDING, "from": 0.1, "until": 0.5}
    for answers in ([3, 3, 4, 3, 2, 3, 3], [4, 4, 4, None, 5, 4, 4]):
        answered = await call(
            running, EXPERT, "POST", "assessments", body | {"answers": answers, "remark": "Better."}
        )
        assert answered.status == 201, answered.body
    found = (await call(running, MARIA, "GET", "assessments")).json()["assessments"]
    assert [(one["points"], one["most"], one["by"]) for one in found] == [
        (21, 35, "Prof. Keller"),
        (25, 30, "Prof. Keller"),
    ]
    assert found[0]["made"] < found[1]["made"]
    assert (await call(running, JIN, "GET", "assessments")).json() == {"assessments": []}
    for wrong, status in (
        ({"answers": [1] * 6}, 400),
        ({"answers": [6] * 7}, 400),
        ({"answers": [None] * 7}, 400),
        ({"answers": [True] * 7}, 400),
        ({"version": 2, "answers": [1] * 7}, 404),
        ({"person": keller, "answers": [1] * 7}, 400),
        ({"until": 0.1, "answers": [1] * 7}, 400),
    ):
        answered = await call(running, EXPERT, "POST", "assessments", body | wrong)
        assert answered.status in (status, 409), wrong
        assert answered.json()["message"].endswith(".")


async def test_forms_of_ones_own_come_in_versions(running: Served) -> None:
    maria = await person(running, MARIA)
    items: list[dict[str, Any]] = [
        {
            "kind": "scale",
            "label": "Exposure",
            "low": 0,
            "high": 3,
            "anchors": {"0": "none", "3": "complete"},
        },
        {"kind": "yes_no", "label": "Critical view"},
        {"kind": "text", "label": "What next?"},
    ]
    first = (await call(running, EXPERT, "POST", "forms", {"title": "Own", "items": items})).json()
    body = {"form": first["form"], "version": 1, "person": maria, "answers": [2, True, "Clip\nthe duct"]}
    assert (await call(running, EXPERT, "POST", "assessments", body)).status == 201
    second = await call(
        running, EXPERT, "PUT", f"forms/{first['form']}", {"title": "Own", "items": items[:1]}
    )
    assert second.json()["version"] == 2
    listed = (await call(running, EXPERT, "GET", "forms")).json()["forms"]
    assert [(one["title"], one["version"], len(one["items"])) for one in listed] == [
        ("OSATS", 1, 7),
        ("Own", 2, 1),
    ]
    # what was found by the first version is read with it
    (found,) = (await call(running, MARIA, "GET", "assessments")).json()["assessments"]
    assert [item["label"] for item in found["items"]] == ["Exposure", "Critical view", "What next?"]
    assert (await call(running, EXPERT, "DELETE", f"forms/{first['form']}")).status == 204
    assert (await call(running, EXPERT, "DELETE", f"forms/{first['form']}")).status == 404
    for wrong in (
        {"kind": "scale", "label": "x", "low": 3, "high": 3},
        {"kind": "scale", "label": "x", "low": 1, "high": 5, "anchors": {"6": "y"}},
        {"kind": "slider", "label": "x"},
        {"kind": "text", "label": ""},
    ):
        assert (await call(running, EXPERT, "POST", "forms", {"title": "X", "items": [wrong]})).status == 400


async def test_a_certificate_is_signed_and_checked_by_its_code(running: Served, tmp_path: Path) -> None:
    nothing = await call(running, MARIA, "POST", "certificates", {})
    assert (nothing.status, nothing.json()["message"]) == (409, "There is nothing to certify yet.")
    await watch(running, MARIA, 0, 0.4)
    await watch(running, MARIA, 0, 0.4)
    made = (await call(running, MARIA, "POST", "certificates", {})).json()
    assert (made["name"], made["seconds_once"], made["seconds_total"]) == ("Maria Lopez", 0.4, 0.8)
    assert (await call(running, MARIA, "GET", "certificates")).json()["certificates"] == [made]
    # whoever has the paper, without a link
    typed = " ".join(made["code"].lower()[k : k + 4] for k in range(0, 16, 4))
    check = json.dumps({"code": typed}).encode()
    checked = (await running.ask("POST", "/api/training/certificates/check", body=check)).json()
    assert checked == {"valid": True, "certificate": made}
    unknown = await running.ask(
        "POST", "/api/training/certificates/check", body=b'{"code": "AAAAAAAAAAAAAAAA"}'
    )
    assert unknown.status == 404
    assert (
        await running.ask("POST", "/api/training/certificates/check", body=b'{"code": "x"}')
    ).status == 400

    def forge(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE training_certificate SET body = CAST(replace(body, '0.4', '400') AS BLOB)")

    await running.service.database.run(forge)
    checked = (await running.ask("POST", "/api/training/certificates/check", body=check)).json()
    assert checked["valid"] is False


async def test_the_overview_tells_all_and_no_formula(running: Served) -> None:
    asked = await call(
        running,
        EXPERT,
        "POST",
        f"recordings/{RECORDING}/questions",
        question({"log": "m-tip"}, prompt="+ Artery"),
    )
    await playlist(running)
    for who, x in ((MARIA, 0.51), (JIN, 0.7)):
        await watch(running, who, 0, 0.5)
        body = {"mark": mark("a", "pin", [[x, 0.4]])}
        await call(running, who, "POST", f"questions/{asked.json()['question']}/attempts", body)
    told = (await call(running, EXPERT, "GET", "overview")).json()
    assert [(one["name"], one["hours"]["once"]) for one in told["people"]] == [
        ("=Jin Tao", 0.5),
        ("Maria Lopez", 0.5),
        ("Prof. Keller", 0),
    ]
    (summary,) = told["questions"]
    assert (summary["people"], summary["passed"], summary["median"]) == (2, 1, pytest.approx(20))
    answered = await call(running, EXPERT, "GET", "overview.csv")
    assert answered.headers["content-type"] == "text/csv; charset=utf-8"
    text = answered.body.decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text)))
    first = next(one for one in lines if one["kind"] == "question_first" and one["name"] == "Maria Lopez")
    assert (first["what"], first["passed"]) == ("'+ Artery", "True")
    assert float(first["value"]) == pytest.approx(1)
    assert {one["name"] for one in lines} == {"'=Jin Tao", "Maria Lopez"}


ANNA = Patient(Identity("4711", "HIS", "Geheim^Anna", "19700101"), "p-1")


async def test_what_others_wrote_is_told_to_who_learns_with_the_patient_hidden(running: Served) -> None:
    patients = running.service.recorded_patients
    await patients.keep(RECORDING, None, (ANNA,))
    maria = await person(running, MARIA)
    asked = await call(
        running,
        EXPERT,
        "POST",
        f"recordings/{RECORDING}/questions",
        question({"log": "m-tip"}, prompt="Anna's artery"),
    )
    body = {"mark": mark("a", "pin", [[0.5, 0.4]])}
    await call(running, MARIA, "POST", f"questions/{asked.json()['question']}/attempts", body)
    items = [{"recording": RECORDING, "title": "4711, first part"}]
    made = await playlist(running, title="Frau Geheim", note="Watch Anna's duct.", items=items)
    await watch(running, MARIA, 0, made["items"][0]["until"])
    form = {"title": "On Anna", "items": [{"kind": "text", "label": "Was Geheim safe?"}]}
    own = (await call(running, EXPERT, "POST", "forms", form)).json()["form"]
    judged = {"form": own, "version": 1, "person": maria, "answers": ["Geheim was."], "remark": "See Anna."}
    for recording in ({"recording": RECORDING}, {}):
        answered = await call(running, EXPERT, "POST", "assessments", judged | recording)
        assert answered.status == 201, answered.body

    async def read(who: Who) -> list[Any]:
        """Read every word that training tells of the patient."""
        (listed,) = await mine(running, who)
        me = (await call(running, MARIA, "GET", "me")).json()
        found = (await call(running, who, "GET", "assessments")).json()["assessments"]
        words = [listed["title"], listed["note"], listed["items"][0]["title"], listed.get("withheld", False)]
        if who == MARIA:
            assert me["assessments"] == found
            assert [one["title"] for one in me["playlists"]] == [listed["title"]]
            assert (await call(running, who, "POST", "certificates", {})).json()["playlists"] == [
                listed["title"] or "▮▮▮"
            ]
            words.append(me["answers"][0]["prompt"])
        for one in found:
            words += [one["title"], one["items"][0]["label"], *one["answers"], one["remark"]]
            words.append(one.get("withheld", False))
        return words

    as_written = ["On Anna", "Was Geheim safe?", "Geheim was.", "See Anna.", False]
    assert await read(EXPERT) == [
        *("Frau Geheim", "Watch Anna's duct.", "4711, first part", False),
        *as_written * 2,
    ]
    hidden = ["On ▮▮▮", "Was ▮▮▮ safe?", "▮▮▮ was.", "See ▮▮▮.", False]
    # on no recording: of nobody's consultation
    assert await read(MARIA) == [
        *("Frau ▮▮▮", "Watch ▮▮▮'s duct.", "▮▮▮, first part", False, "▮▮▮'s artery"),
        *hidden,
        *as_written,
    ]
    # who teaches makes the same certificate
    theirs = (await call(running, EXPERT, "POST", "certificates", {"person": maria})).json()
    assert theirs["playlists"] == ["Frau ▮▮▮"]
    # another may be missing: what was asked and the form's own words hide who is known, the others are withheld
    await patients.keep(RECORDING, DataKey(SM4, b"short"), (ANNA,) * 2)
    assert await read(MARIA) == [
        *("", "", "", True, "▮▮▮'s artery"),
        *("On ▮▮▮", "Was ▮▮▮ safe?", "", "", True),
        *as_written,
    ]
    assert (await read(EXPERT))[:2] == ["Frau Geheim", "Watch Anna's duct."]
    # who is in the room now is hidden, too
    running.service.room("demo").veiling.chosen(ANNA)
    assert (await read(MARIA))[-5:] == hidden
