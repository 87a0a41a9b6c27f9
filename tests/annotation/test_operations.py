"""What a mark may be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.anchors import VideoAnchor
from annotation.document import Document, Tail, parse_tail
from annotation.operations import Add, ClearField, ClearOwn, Redo, Undo, parse_entry, parse_operation
from annotation.shapes import Mark, parse_mark
from annotation.values import AnnotationError

from .helpers import add, apply

MARK: dict[str, Any] = {
    "mark": "m-5f0c2a9e-1",
    "shape": "freehand",
    "anchor": {"producer": 7, "rtp_timestamp": 3735928559},
    "points": [[0.41, 0.52], [0, 1]],
    "width": 0.004,
    "text": "",
}


def refused(parse: Any, value: object) -> str:
    with pytest.raises(AnnotationError) as caught:
        parse(value)
    assert caught.value.code == "bad_message"
    assert str(caught.value).endswith(".")
    return str(caught.value)


def test_a_mark_is_parsed() -> None:
    mark = Mark("m-5f0c2a9e-1", "freehand", VideoAnchor(7, 3735928559), ((0.41, 0.52), (0, 1)), 0.004)
    assert parse_mark(MARK) == mark
    assert parse_mark(json.loads(json.dumps(mark.to_json()))) == mark
    assert parse_mark(mark.to_json()) == mark


@pytest.mark.parametrize(
    ("shape", "points", "text"),
    [
        ("freehand", 1, ""),
        ("freehand", 2000, ""),
        ("arrow", 2, ""),
        ("ellipse", 2, ""),
        ("text", 1, "胆囊 gall"),
    ],
)
def test_each_shape_has_its_number_of_points(shape: str, points: int, text: str) -> None:
    body = MARK | {"shape": shape, "points": [[0.5, 0.5]] * points, "text": text}
    assert parse_mark(body).text == text
    for wrong in (0, points + 1):
        if shape != "freehand" or wrong in (0, 2001):
            assert "points" in refused(parse_mark, body | {"points": [[0.5, 0.5]] * wrong})


def test_only_a_text_has_text() -> None:
    assert parse_mark(MARK | {"text": "ignored"}).text == ""
    body = {key: value for key, value in MARK.items() if key != "text"}
    assert parse_mark(body).text == ""
    assert "text" in refused(parse_mark, body | {"shape": "text", "points": [[0, 0]]})


@pytest.mark.parametrize(
    "changes",
    [
        {"mark": ""},
        {"mark": "x" * 65},
        {"mark": "m 1"},
        {"mark": "m\n"},
        {"mark": "é"},
        {"mark": 5},
        {"shape": "star"},
        {"shape": ["freehand"]},
        {"anchor": None},
        {"anchor": {}},
        {"anchor": {"producer": 0, "rtp_timestamp": 0}},
        {"anchor": {"producer": 2**32, "rtp_timestamp": 0}},
        {"anchor": {"producer": 7, "rtp_timestamp": 2**32}},
        {"anchor": {"producer": 7, "rtp_timestamp": -1}},
        {"anchor": {"producer": 7, "rtp_timestamp": 1.5}},
        {"anchor": {"producer": True, "rtp_timestamp": 0}},
        {"points": None},
        {"points": {}},
        {"points": [[0.5]]},
        {"points": [[0.5, 0.5, 0.5]]},
        {"points": [["0.5", 0.5]]},
        {"points": [[0.5, True]]},
        {"points": [[0.5, None]]},
        {"points": [[-0.0001, 0.5]]},
        {"points": [[0.5, 1.0001]]},
        {"points": [[float("nan"), 0.5]]},
        {"points": [[0.5, float("inf")]]},
        {"points": [[10**400, 0.5]]},
        {"width": 0.0009},
        {"width": 0.051},
        {"width": float("nan")},
        {"width": True},
        {"shape": "text", "points": [[0, 0]], "text": "x" * 201},
        {"shape": "text", "points": [[0, 0]], "text": "a\nb"},
        {"shape": "text", "points": [[0, 0]], "text": "\u202etfel"},
        {"shape": "text", "points": [[0, 0]], "text": "\ud800"},
        {"shape": "text", "points": [[0, 0]], "text": None},
    ],
)
def test_a_mark_out_of_its_limits_is_refused(changes: dict[str, Any]) -> None:
    assert "field" in refused(parse_operation, {"kind": "add", "mark": MARK | changes})


@pytest.mark.parametrize("operation", [Undo(), Redo(), ClearOwn(), ClearField(), Add(parse_mark(MARK))])
def test_operations_come_back_from_the_wire(operation: Any) -> None:
    assert parse_operation(operation.to_json()) == operation


def test_a_client_does_not_choose_what_it_undoes() -> None:
    assert parse_operation({"kind": "undo", "target": 5}) == Undo()


@pytest.mark.parametrize("value", [None, [], "undo", {}, {"kind": 5}, {"kind": "destroy"}, {"kind": "add"}])
def test_what_is_no_operation_is_refused(value: object) -> None:
    refused(parse_operation, value)


def test_entries_and_tails_come_back_from_the_wire() -> None:
    document = Document()
    for operation in (add("m-1"), Undo(), Redo(), ClearOwn(), Undo(), ClearField()):
        entry = apply(document, "a", operation)
        assert parse_entry(json.loads(json.dumps(entry.to_json()))) == entry
    assert parse_entry({"type": "operation", **entry.to_json()}) == entry
    for tail in (document.after(0), document.after(2)):
        assert parse_tail(json.loads(json.dumps(tail.to_json()))) == tail
    assert parse_tail(Tail(0, 0, ()).to_json()) == Tail(0, 0, ())


@pytest.mark.parametrize(
    "changes",
    [
        {"sequence": 0},
        {"time": "now"},
        {"author": ""},
        {"name": None},
        {"colour": 5},
        {"operation": {"kind": "undo"}},
        {"operation": {"kind": "undo", "target": 0}},
        {"operation": {"kind": "redo", "target": 2}},
    ],
)
def test_a_broken_entry_is_refused(changes: dict[str, Any]) -> None:
    entry = apply(Document(), "a", add("m-1")).to_json() | changes
    refused(parse_entry, entry)
    refused(parse_tail, {"after": 0, "sequence": 1, "operations": [entry]})
    refused(parse_tail, {"after": 0, "sequence": 1})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=12,
)


@given(st.sets(st.sampled_from(sorted(MARK))), st.data())
def test_any_value_in_any_field_parses_or_is_refused(fields: set[str], data: st.DataObject) -> None:
    body = MARK | {field: data.draw(json_values) for field in fields}
    code = ""
    try:
        parse_operation({"kind": "add", "mark": body})
    except AnnotationError as error:
        code = error.code
    assert code == ("bad_message" if code else "")
