"""What stands in the log beside marks."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from annotation.document import Document, Replica
from annotation.notebook import LIMITS, Shelf
from annotation.notes import (
    Answer,
    Calibrate,
    Instruct,
    Page,
    Say,
    SharedFile,
    Track,
    Tracked,
    Withdraw,
)
from annotation.operations import Operation, Undo, parse_entry, parse_operation
from annotation.still import Facing, Scale, Still
from annotation.values import AnnotationError

from .helpers import ANCHOR, add, apply

SM3 = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
STILL = Still(7, 1, 3840, 2160, SM3, "pt-1", True, "")
FACTS = replace(
    STILL,
    patient="p-0f3a9c2d",
    orientation=Facing("L", None, True),
    calibration=Scale(((0.1, 0.5), (0.2, 0.5)), 10.0),
)
FILE = SharedFile("f-1", "report.pdf", 48_211, SM3, "application/pdf")
TRACK = Tracked((Track("m-1", "lost", (1.0, 0.0, 0.0, 1.0, 0.5, -0.5), 0.0),), ANCHOR)
CLIENTS: tuple[Operation, ...] = (
    Instruct("i-1", "Clip here", None, False),
    Answer("i-1", "seen"),
    Withdraw("i-1"),
    Say("two\nlines"),
    Calibrate(ANCHOR, ((0.1, 0.5), (0.2, 0.5)), 10.0),
    Calibrate(ANCHOR, (), None),
    Page(3, "Plan"),
)
SERVERS: tuple[Operation, ...] = (STILL, FILE, TRACK, FACTS)


@pytest.mark.parametrize("operation", [*CLIENTS, *SERVERS])
def test_notes_come_back_from_the_wire(operation: Operation) -> None:
    body = json.loads(json.dumps(operation.to_json()))
    entry = {"sequence": 1, "time": 1.0, "author": "a", "name": "A", "colour": "red", "operation": body}
    assert parse_entry(entry).operation == operation
    if operation in CLIENTS:
        assert parse_operation(body) == operation
    else:
        with pytest.raises(AnnotationError, match=r"The field kind must be one of .*\."):
            parse_operation(body)


@pytest.mark.parametrize(
    ("like", "changes"),
    [
        (0, {"instruction": "i 1"}),
        (0, {"text": "x" * 201}),
        (0, {"text": "two\nlines"}),
        (0, {"text": None}),
        (0, {"mark": ""}),
        (0, {"spoken": 1}),
        (1, {"answer": "maybe"}),
        (1, {"answer": ["seen"]}),
        (2, {"instruction": None}),
        (3, {"text": ""}),
        (3, {"text": "x" * 2001}),
        (3, {"text": "a\rb"}),
        (3, {"text": "\u202etfel"}),
        (4, {"anchor": {"board": 1}}),
        (4, {"anchor": {"SOPInstanceUID": "1.2", "frame": 1}}),
        (4, {"points": [[0.1, 0.5]]}),
        (4, {"points": [[0.1, 0.5], [0.1, 0.5]]}),
        (4, {"millimetres": 0}),
        (4, {"millimetres": float("nan")}),
        (4, {"millimetres": True}),
        (6, {"board": 0}),
        (6, {"board": 101}),
        (6, {"title": "x" * 81}),
    ],
)
def test_a_note_out_of_its_limits_is_refused(like: int, changes: dict[str, Any]) -> None:
    with pytest.raises(AnnotationError) as caught:
        parse_operation(CLIENTS[like].to_json() | changes)
    assert caught.value.code == "bad_message"


@pytest.mark.parametrize(
    ("like", "path", "value"),
    [
        (0, "still", None),
        (0, "width", 0),
        (0, "sm3", "66"),
        (0, "for_all", None),
        (1, "size", -1),
        (1, "name", ""),
        (1, "digest", SM3.upper()),
        (2, "tracks", []),
        (2, "tracks", [7]),
        (2, "matrix", [1, 0, 0, 1, 0]),
        (2, "matrix", [1, 0, 0, 1, 0, float("nan")]),
        (2, "matrix", [1, 0, 0, 1, 0, 101]),
        (2, "state", "fine"),
        (2, "confidence", 1.1),
    ],
)
def test_what_the_server_says_is_checked_as_well(like: int, path: str, value: object) -> None:
    body = json.loads(json.dumps(SERVERS[like].to_json()))
    inner = body if path in body else body.get("still") or body.get("file") or body["tracks"][0]
    inner[path] = value
    entry = {"sequence": 1, "time": 1.0, "author": "a", "name": "A", "colour": "red", "operation": body}
    with pytest.raises(AnnotationError):
        parse_entry(entry)


def code(document: Document, author: str, operation: Operation) -> str:
    with pytest.raises(AnnotationError) as caught:
        apply(document, author, operation)
    return caught.value.code


def test_an_instruction_points_at_a_mark_that_is_there() -> None:
    document = Document()
    assert code(document, "a", Instruct("i-1", "Clip", "m-1", False)) == "not_found"
    apply(document, "a", add("m-1"))
    apply(document, "a", Instruct("i-1", "Clip", "m-1", False))
    apply(document, "surgeon", Answer("i-1", "seen"))
    apply(document, "a", Withdraw("i-1"))
    assert [entry.sequence for entry in document.notes("instructions")] == [2, 3, 4]


def test_undo_does_not_see_notes() -> None:
    document = Document()
    apply(document, "a", add("m-1"))
    apply(document, "a", Say("hello"))
    apply(document, "a", Undo())
    assert document.visible() == ()
    assert len(document.notes("chat")) == 1
    apply(document, "a", Say("again"))
    assert code(document, "a", Undo()) == "nothing_to_undo"


@pytest.mark.parametrize(
    ("shelf", "note"),
    [("chat", Say("x")), ("stills", STILL), ("files", FILE)],
)
def test_a_shelf_keeps_the_newest(shelf: Shelf, note: Operation) -> None:
    document, follower = Document(recent_limit=10), Replica()
    most = LIMITS[shelf]
    for _ in range(most + 3):
        assert follower.receive(apply(document, "a", note))
    kept = [entry.sequence for entry in document.notes(shelf)]
    assert kept == list(range(4, most + 4))
    late = Replica()
    assert late.load(document.after(0))
    assert late.digest() == follower.digest() == document.digest()


def test_of_pages_and_calibrations_the_newest_counts() -> None:
    document = Document()
    for title in ("Plan", "Plan B"):
        apply(document, "a", Page(1, title))
        apply(document, "a", Page(2, title))
    assert [entry.sequence for entry in document.notes("boards")] == [3, 4]
    apply(document, "a", CLIENTS[4])
    assert len(document.notes("calibrations")) == 1
    apply(document, "a", CLIENTS[5])
    assert document.notes("calibrations") == ()
