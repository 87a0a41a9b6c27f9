"""An operation with other words is the same operation: same marks, same places, same numbers."""

from __future__ import annotations

from annotation.document import Document, Replica
from annotation.notes import Instruct, Page, Say, SharedFile
from annotation.operations import Add, Edit, Operation, Undo, parse_entry
from annotation.shapes import parse_mark
from annotation.still import Still
from annotation.veiled import veil_recording, veiled, veiled_entry, veiled_tail


def hide(text: str) -> str:
    return text.replace("Anna", "▮▮▮")


def mark(text: str, name: str = "m-1") -> Add:
    body = {"mark": name, "shape": "text", "anchor": {"board": 1}, "points": [[0.5, 0.5]], "width": 0.004}
    return Add(parse_mark({**body, "text": text}))


HASH = "0" * 64
WRITTEN: list[Operation] = [
    mark("Anna"),
    Edit((mark("for Anna").mark,)),
    Edit((mark("plain").mark, mark("to Anna", "m-2").mark)),
    Say("Anna, lines\nand more"),
    Instruct("i-1", "clip Anna", None, spoken=False),
    Page(2, "Anna"),
    SharedFile("f-1", "Anna.pdf", 1, HASH, "application/pdf"),
    Still(7, 1, 64, 48, HASH, "pt-1", for_all=True, label="Anna"),
]


def test_all_that_people_write_is_hidden_and_nothing_else_changes() -> None:
    for operation in WRITTEN:
        read = veiled(operation, hide)
        assert "Anna" in str(operation.to_json())
        assert str(read.to_json()) == str(operation.to_json()).replace("Anna", "▮▮▮")


def test_where_nothing_is_hidden_it_is_the_very_same() -> None:
    for operation in (mark("here"), Say("hello"), Undo(3), Page(1, "")):
        assert veiled(operation, hide) is operation


def test_a_copy_that_is_told_other_words_agrees_with_all_who_are() -> None:
    document, live, late = Document(), Replica(), Replica()
    for number, operation in enumerate([*WRITTEN, mark("Anna again", "m-2"), Undo()]):
        entry = document.apply(operation, "pt-1", "Dr. Li", "#4cc2ff", number)
        assert live.receive(parse_entry(veiled_entry(entry, hide).to_json()))
    assert late.load(veiled_tail(document.after(0), hide))
    # those who may not read it have a hash of their own, and it is one for all of them
    assert live.digest() == late.digest() != document.digest()
    assert live.sequence == late.sequence == document.sequence
    assert [m.mark for m in live.visible()] == [m.mark for m in document.visible()]


def test_a_recording_is_read_by_each_in_its_words() -> None:
    first, second = Say("Anna").to_json(), Say("good").to_json()
    description = {
        "seconds": 2.0,
        "operations": [{"sequence": 1, "at": 0.0, "operation": first}, {"sequence": 2, "operation": second}],
        "events": [
            {"kind": "veiled", "sequence": 1, "operation": Say("A▮▮▮").to_json()},
            {"kind": "veiled", "sequence": 1, "operation": Say("▮▮▮").to_json()},
            {"kind": "message", "text": "hello Anna", "veiled": "hello ▮▮▮"},
            {"kind": "lock", "locked": True},
        ],
    }
    before = str(description)
    hidden, whole = (veil_recording(description, hidden=one) for one in (True, False))
    assert str(description) == before
    assert [one["operation"]["text"] for one in hidden["operations"]] == ["▮▮▮", "good"]
    assert [one["operation"]["text"] for one in whole["operations"]] == ["Anna", "good"]
    assert hidden["events"] == [
        {"kind": "message", "text": "hello ▮▮▮"},
        {"kind": "lock", "locked": True},
    ]
    assert whole["events"][0] == {"kind": "message", "text": "hello Anna"}
    assert hidden["seconds"] == 2.0


def test_who_is_known_since_is_hidden_in_a_recording_besides() -> None:
    written = [one.to_json() for one in WRITTEN]
    description = {
        "operations": [
            {"sequence": number, "name": "Anna", "operation": one} for number, one in enumerate(written, 1)
        ],
        "events": [
            {"kind": "veiled", "sequence": 4, "operation": Say("▮▮▮, lines of Anna").to_json()},
            {"kind": "message", "text": "hello Anna"},
            {"kind": "joined", "name": "Anna"},
        ],
    }
    before = str(description)
    read = veil_recording(description, hidden=True, hide=hide)
    assert str(description) == before
    told = [one["operation"] for one in read["operations"]]
    expected = [veiled(one, hide).to_json() for one in WRITTEN]
    assert told == [*expected[:3], Say("▮▮▮, lines of ▮▮▮").to_json(), *expected[4:]]
    # who takes part is nobody's patient
    assert read["events"] == [{"kind": "message", "text": "hello ▮▮▮"}, {"kind": "joined", "name": "Anna"}]
    assert {one["name"] for one in read["operations"]} == {"Anna"}
