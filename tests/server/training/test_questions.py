"""Questions on a recording over HTTP: who asks, who answers, what is scored, and that no answer leaves too early."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from recorder.seal.keys import DataKey
from recorder.seal.suites import SM4
from signalling.patient import Identity, Patient
from tests.helpers.journals import RECORDING
from tests.helpers.served import Served, served
from tests.helpers.taught import FIRST, ON, ROOM, Who, call, entry, lay_down, mark, question

ON_IT = f"recordings/{RECORDING}/questions"
EXPERT: Who = ("expert", "Prof. Keller")
MARIA: Who = ("trainee", "Maria Lopez")
JIN: Who = ("trainee", "Jin Tao")
CHANGE = {"version": 1, "prompt": "Mark the cystic duct", "words": "Look again.", "tolerance": 12}


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        lay_down(tmp_path)
        yield server


async def asked(server: Served, **changes: Any) -> dict[str, Any]:
    answered = await call(server, EXPERT, "POST", ON_IT, question({"log": "m-tip"}, **changes))
    assert answered.status == 201, answered.body
    made: dict[str, Any] = answered.json()
    return made


async def described(server: Served, who: tuple[Any, str]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {server.token(*who, room=ROOM)}"}
    description: dict[str, Any] = (await server.ask("GET", f"/api/recordings/{RECORDING}", headers)).json()
    return description


async def test_a_question_is_asked_answered_and_scored(running: Served) -> None:
    made = await asked(running)
    assert made["answer"]["mark"]["points"] == [[0.2, 0.2], [0.5, 0.4]]
    assert made["answer"]["expert"] == "Prof. Keller"
    assert made["at"] == pytest.approx(0.4, abs=0.01)
    assert made["unit"] == "percent"

    (seen,) = (await call(running, MARIA, "GET", ON_IT)).json()["questions"]
    assert seen["prompt"] == "Mark the cystic artery"
    assert (seen["answer"], seen["attempts"], seen["first"], seen["best"]) == (None, 0, None, None)
    assert "people" not in seen

    to = f"questions/{made['question']}/attempts"
    far = await call(running, MARIA, "POST", to, {"mark": mark("a", "pin", [[0.6, 0.4]])})
    assert far.status == 201
    assert far.json()["attempt"] == {"distance": pytest.approx(10), "overlap": None, "passed": False}
    # now he sees it
    assert far.json()["question"]["answer"]["words"] == "It crosses\nCalot's triangle."
    near = await call(running, MARIA, "POST", to, {"mark": mark("b", "pin", [[0.52, 0.4]])})
    assert near.json()["attempt"] == {"distance": pytest.approx(2), "overlap": None, "passed": True}
    (seen,) = (await call(running, MARIA, "GET", ON_IT)).json()["questions"]
    assert seen["attempts"] == 2
    assert seen["first"]["distance"] == pytest.approx(10)
    assert seen["best"]["distance"] == pytest.approx(2)
    assert seen["best"]["mark"]["points"] == [[0.52, 0.4]]

    # of another trainee's results nobody is told but who teaches
    (others,) = (await call(running, JIN, "GET", ON_IT)).json()["questions"]
    assert (others["answer"], others["attempts"]) == (None, 0)
    assert (await call(running, JIN, "GET", to)).status == 403
    given = (await call(running, EXPERT, "GET", to)).json()["attempts"]
    assert [(one["name"], one["first"], one["passed"]) for one in given] == [
        ("Maria Lopez", True, False),
        ("Maria Lopez", False, True),
    ]
    assert (await call(running, EXPERT, "GET", ON_IT)).json()["questions"][0]["people"] == 1
    one = f"questions/{made['question']}"
    assert (await call(running, EXPERT, "DELETE", one)).status == 204
    assert (await call(running, MARIA, "GET", ON_IT)).json() == {"questions": []}
    assert (await call(running, MARIA, "POST", to, {"mark": mark("c", "pin", [[0, 0]])})).status == 404
    assert (await call(running, EXPERT, "PUT", one, CHANGE)).status == 404
    # it is brought back with all that was answered
    assert (await call(running, MARIA, "POST", f"{one}/restore")).status == 403
    assert (await call(running, EXPERT, "POST", f"{one}/restore", room="ward")).status == 404
    for _ in range(2):
        back = await call(running, EXPERT, "POST", f"{one}/restore")
        assert (back.status, back.json()["people"]) == (200, 1)
    (seen,) = (await call(running, MARIA, "GET", ON_IT)).json()["questions"]
    assert (seen["attempts"], seen["best"]["passed"]) == (2, True)


async def test_a_changed_question_leaves_what_was_answered_as_it_was_asked(running: Served) -> None:
    made = await asked(running)
    one, to = f"questions/{made['question']}", f"questions/{made['question']}/attempts"
    far = {"mark": mark("a", "pin", [[0.6, 0.4]])}
    assert (await call(running, MARIA, "POST", to, far)).json()["attempt"]["passed"] is False
    # other words and a wider measure, the same answer
    changed = await call(running, EXPERT, "PUT", one, CHANGE)
    assert changed.status == 200, changed.body
    told = changed.json()
    assert (told["version"], told["prompt"], told["tolerance"]) == (2, "Mark the cystic duct", 12)
    assert told["answer"] == {**made["answer"], "words": "Look again."}
    # he who answered is not judged anew, and is not asked again; who answers now is judged by what is asked now
    (seen,) = (await call(running, MARIA, "GET", ON_IT)).json()["questions"]
    assert (seen["attempts"], seen["best"]["passed"], seen["best"]["version"]) == (1, False, 1)
    assert (await call(running, JIN, "POST", to, far)).json()["attempt"]["passed"] is True
    # another answer, drawn
    drawn = {"answer": {"mark": mark("x", "pin", [[0.1, 0.1]])}, "version": 2}
    told = (await call(running, ("surgeon", "Dr. Ott"), "PUT", one, CHANGE | drawn)).json()
    assert (told["version"], told["answer"]["expert"]) == (3, "Dr. Ott")
    assert (await call(running, JIN, "POST", to, far)).json()["attempt"]["passed"] is False
    given = (await call(running, EXPERT, "GET", to)).json()
    assert [(a["name"], a["version"], a["passed"]) for a in given["attempts"]] == [
        ("Maria Lopez", 1, False),
        ("Jin Tao", 2, True),
        ("Jin Tao", 3, False),
    ]
    assert [(b["version"], b["prompt"], b["tolerance"], b["by"]) for b in given["before"]] == [
        (1, "Mark the cystic artery", 5, "Prof. Keller"),
        (2, "Mark the cystic duct", 12, "Dr. Ott"),
    ]
    assert given["before"][0]["answer"] == made["answer"]
    # the log's mark again: its name is kept from who has not answered
    log = {"answer": {"log": "m-tip"}, "version": 3}
    assert (await call(running, EXPERT, "PUT", one, CHANGE | log)).json()["answer"][
        "expert"
    ] == "Prof. Keller"
    assert "m-tip" not in json.dumps(await described(running, ("trainee", "New One")))


async def test_what_is_no_change_is_refused(running: Served) -> None:
    made = await asked(running)
    one = f"questions/{made['question']}"
    assert (await call(running, MARIA, "PUT", one, CHANGE)).status == 403
    assert (await call(running, EXPERT, "PUT", one, CHANGE, room="ward")).status == 404
    for changes, status in (
        ({"version": None}, 400),
        ({"version": 0}, 400),
        ({"prompt": ""}, 400),
        ({"tolerance": 1000}, 400),
        ({"answer": {}}, 400),
        ({"answer": 5}, 400),
        ({"answer": {"log": "m-other"}}, 404),
        ({"answer": {"mark": mark("x", "pin", [[0, 0]], FIRST)}}, 400),
        # another has changed it meanwhile, or it never was
        ({"version": 2}, 409),
    ):
        answered = await call(running, EXPERT, "PUT", one, CHANGE | changes)
        assert (answered.status, answered.json()["message"][-1]) == (status, "."), changes
    assert (await call(running, EXPERT, "GET", ON_IT)).json()["questions"] == [made]


async def test_a_name_in_a_question_is_hidden_from_trainees(running: Served) -> None:
    anna = Patient(Identity("4711", "HIS", "Geheim^Anna", "19700101"), "p-1")
    await running.service.recorded_patients.keep(RECORDING, None, (anna,))
    made = await asked(running, prompt="Where did Frau Geheim bleed?", words="Anna bled here.")
    assert made["prompt"] == "Where did Frau Geheim bleed?"
    (seen,) = (await call(running, MARIA, "GET", ON_IT)).json()["questions"]
    assert seen["prompt"] == "Where did Frau ▮▮▮ bleed?"
    body = {"mark": mark("a", "pin", [[0.1, 0.1]])}
    told = (await call(running, MARIA, "POST", f"questions/{made['question']}/attempts", body)).json()
    assert told["question"]["answer"]["words"] == "▮▮▮ bled here."
    # of another patient nothing is known: who is known stays hidden
    await running.service.recorded_patients.keep(RECORDING, DataKey(SM4, b"short"), (anna,) * 2)
    assert not (await running.service.recorded_patients.known(RECORDING)).is_all
    (seen,) = (await call(running, MARIA, "GET", ON_IT)).json()["questions"]
    assert seen["prompt"] == "Where did Frau ▮▮▮ bleed?"


async def test_millimetres_where_the_field_is_calibrated(tmp_path: Path) -> None:
    scale = {"kind": "calibrate", "anchor": {"producer": 7, "rtp_timestamp": FIRST}, "millimetres": 30}
    async with served(tmp_path) as server:
        operations = [
            entry(1, 0.2, scale | {"points": [[0.1, 0.5], [0.4, 0.5]]}),
            entry(2, 0.5, {"kind": "add", "mark": mark("m-tip", "pin", [[0.5, 0.5]])}),
        ]
        lay_down(tmp_path, operations=operations)
        made = await asked(server)
        assert made["unit"] == "mm"
        # 320 x 240: a tenth of the height is 24 px, of 100 mm a width of 320 px
        body = {"mark": mark("a", "pin", [[0.5, 0.6]])}
        answered = await call(server, MARIA, "POST", f"questions/{made['question']}/attempts", body)
        assert answered.json()["attempt"] == {
            "distance": pytest.approx(7.5),
            "overlap": None,
            "passed": False,
        }
        # an interruption ends what a calibration says
        lay_down(
            tmp_path, operations=operations, events=[{"kind": "producer_resumed", "producer": 7, "at": 0.3}]
        )
        assert (await asked(server))["unit"] == "percent"


async def test_areas_are_scored_by_their_overlap(running: Served) -> None:
    drawn = {"mark": mark("x", "rectangle", [[0.2, 0.2], [0.4, 0.4]])}
    answered = await call(
        running, EXPERT, "POST", ON_IT, question(drawn, overlap=0.6, prompt="The gallbladder")
    )
    made = answered.json()
    assert made["answer"]["expert"] == "Prof. Keller"
    half = {"mark": mark("y", "rectangle", [[0.2, 0.2], [0.4, 0.3]])}
    attempt = (await call(running, MARIA, "POST", f"questions/{made['question']}/attempts", half)).json()[
        "attempt"
    ]
    assert attempt["overlap"] == pytest.approx(0.5, abs=0.005)
    assert attempt["passed"] is False
    again = (await call(running, MARIA, "POST", f"questions/{made['question']}/attempts", drawn)).json()[
        "attempt"
    ]
    assert (again["overlap"], again["distance"], again["passed"]) == (
        pytest.approx(1),
        pytest.approx(0),
        True,
    )


async def test_no_answer_leaves_before_an_attempt(running: Served) -> None:
    whole = await described(running, MARIA)
    assert json.dumps(whole).count("m-tip") == 3
    made = await asked(running)
    told = await described(running, MARIA)
    # neither the mark, nor another expert's on the frozen frame, nor what names them, nor the laser pointer
    text = json.dumps(told)
    assert "m-tip" not in text
    assert "m-frozen" not in text
    assert "Clip it" not in text
    assert "0.4]" not in text
    assert [one["operation"]["kind"] for one in told["operations"]] == ["say", "undo"]
    assert [pointer["point"] for pointer in told["pointers"]] == [None]
    # who teaches is told all, and so is who has answered, for himself alone
    assert await described(running, EXPERT) == whole
    body = {"mark": mark("a", "pin", [[0.1, 0.1]])}
    assert (await call(running, MARIA, "POST", f"questions/{made['question']}/attempts", body)).status == 201
    assert await described(running, MARIA) == whole
    assert await described(running, JIN) == told


async def test_marks_of_other_times_are_told(tmp_path: Path) -> None:
    later = entry(9, 100, {"kind": "add", "mark": mark("m-later", "pin", [[0.1, 0.1]], FIRST + 100 * 90_000)})
    both = {
        "kind": "edit",
        "marks": [mark("m-tip", "pin", [[0.9, 0.9]], FIRST + 101 * 90_000), later["operation"]["mark"]],
    }
    first = entry(1, 0.5, {"kind": "add", "mark": mark("m-tip", "pin", [[0.5, 0.5]])})
    async with served(tmp_path) as server:
        lay_down(tmp_path, operations=[first, later, entry(10, 101, both)], seconds=200)
        await asked(server)
        told = (await described(server, MARIA))["operations"]
        assert [one["sequence"] for one in told] == [9, 10]
        # the answer itself is not told wherever it was moved to
        assert told[1]["operation"] == {"kind": "edit", "marks": [later["operation"]["mark"]]}


async def test_only_who_teaches_asks_and_only_in_his_room(running: Served) -> None:
    body = question({"log": "m-tip"})
    assert (await call(running, MARIA, "POST", ON_IT, body)).status == 403
    assert (await call(running, ("observer", "Mr. O"), "GET", ON_IT)).status == 403
    assert (await call(running, EXPERT, "POST", ON_IT, body, room="ward")).status == 404
    assert (await call(running, MARIA, "GET", ON_IT, room="ward")).status == 404
    assert (await running.ask("GET", f"/api/training/{ON_IT}")).status == 401
    made = await asked(running)
    to = f"questions/{made['question']}/attempts"
    assert (
        await call(running, JIN, "POST", to, {"mark": mark("a", "pin", [[0, 0]])}, room="ward")
    ).status == 404
    assert (await call(running, EXPERT, "DELETE", f"questions/{made['question']}", room="ward")).status == 404


#: Changes to a question, and what is said of it.
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"prompt": ""}, "The field prompt must be a string of 1 to 300 characters."),
    ({"tolerance": 0}, "The field tolerance must be a number from 0.1 to 100."),
    ({"rtp_timestamp": -1}, "The field rtp_timestamp must be an integer from 0 to 4294967295."),
    ({"rtp_timestamp": FIRST + 90_000 * 60}, "This recording has no such frame."),
    ({"producer": 8}, "This recording has no such frame."),
    ({"answer": {}}, "The field answer must name a mark of the log, or be one."),
    ({"answer": {"log": "m-other"}}, "No mark of this name stands on this frame."),
    (
        {"answer": {"log": "m-tip"}, "rtp_timestamp": ON + 3000},
        "No mark of this name stands on this frame.",
    ),
    (
        {"answer": {"mark": mark("x", "pin", [[0, 0]], FIRST)}},
        "The field mark must lie on the frame of the question.",
    ),
    (
        {"answer": {"mark": mark("x", "pin", [[0, 0]]) | {"anchor": {"board": 1}}}},
        "The field mark must lie on the frame of the question.",
    ),
]


async def test_what_cannot_be_asked_is_refused_in_a_sentence(running: Served) -> None:
    for changes, sentence in REFUSED:
        answered = await call(running, EXPERT, "POST", ON_IT, question({"log": "m-tip"}) | changes)
        assert answered.status in (400, 404), changes
        assert answered.json()["message"] == sentence


async def test_what_is_no_answer_is_refused(running: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made = await asked(running)
    to = f"questions/{made['question']}/attempts"
    for body, sentence in (
        (b"{", "The request is not JSON."),
        (b"[]", "The field request must be an object."),
        (b'{"mark": NaN}', "The request is not JSON."),
        (b'{"mark": ' + b"[" * 100_000, "The request is not JSON."),
        (b" " * 200_001, "The request must not have more than 200000 bytes."),
        ({"mark": mark("a", "pin", [[0, 2]])}, "The field points must hold pairs of numbers from 0 to 1."),
        (
            {"mark": mark("a", "pin", [[0, 0]], FIRST)},
            "The field mark must lie on the frame of the question.",
        ),
    ):
        answered = await call(running, MARIA, "POST", to, body)
        assert (answered.status, answered.json()["message"]) == (400, sentence)
    assert not any(word in caplog.text for word in ("Maria", "Keller", "cystic", "Calot"))
