"""What is moved or restyled together: one edit of several marks, one undo, one redo, for all copies of the log."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from annotation.anchors import BoardAnchor
from annotation.document import Document, Replica, parse_tail
from annotation.operations import (
    TOGETHER_LIMIT,
    Add,
    ClearOwn,
    Delete,
    Edit,
    Operation,
    Redo,
    Undo,
    parse_entry,
    parse_operation,
)
from annotation.values import AnnotationError

from .helpers import add, apply, names

NAMES = ("m-1", "m-2", "m-3")


def drawn(author: str = "a", **limits: int) -> Document:
    document = Document(**limits)
    for name in NAMES:
        apply(document, author, add(name))
    return document


def widened(*marks: str, width: float = 0.02, points: int = 2) -> Edit:
    return Edit(tuple([replace(add(name, points).mark, width=width) for name in marks]))


def widths(copy: Document | Replica) -> dict[str, float]:
    return {mark.mark: mark.width for mark in copy.visible()}


def refusal(document: Document, author: str, operation: Operation) -> str:
    before = document.sequence, document.digest()
    with pytest.raises(AnnotationError) as caught:
        apply(document, author, operation)
    assert str(caught.value).endswith(".")
    assert (document.sequence, document.digest()) == before
    return caught.value.code


def test_one_undo_takes_all_of_them_back_and_one_redo_brings_them_again() -> None:
    document, follows = drawn(), Replica()
    assert follows.load(document.after(0))
    for operation, expected in (
        (widened("m-1", "m-3"), {"m-1": 0.02, "m-2": 0.004, "m-3": 0.02}),
        (Undo(), dict.fromkeys(NAMES, 0.004)),
        (Redo(), {"m-1": 0.02, "m-2": 0.004, "m-3": 0.02}),
        (widened(*NAMES, width=0.03), dict.fromkeys(NAMES, 0.03)),
        (Undo(), {"m-1": 0.02, "m-2": 0.004, "m-3": 0.02}),
    ):
        assert follows.receive(parse_entry(apply(document, "a", operation).to_json()))
        late = Replica()
        assert late.load(parse_tail(json.loads(document.after(0).text)))
        assert widths(document) == widths(follows) == widths(late) == expected
        assert document.digest() == follows.digest() == late.digest()


def test_another_page_of_the_same_author_needs_not_know_what_was_together() -> None:
    document = drawn()
    apply(document, "a", widened(*NAMES))
    # it has only just come, and asks for an undo as any page does
    late = Replica()
    assert late.load(document.after(0))
    entry = apply(document, "a", parse_operation({"kind": "undo"}))
    assert late.receive(parse_entry(entry.to_json()))
    assert widths(late) == dict.fromkeys(NAMES, 0.004)


def test_of_half_known_marks_the_known_ones_are_changed() -> None:
    document = drawn()
    apply(document, "a", Delete(("m-2",)))
    entry = apply(document, "a", widened("m-9", *NAMES))
    assert [mark.mark for mark in entry.operation.marks] == ["m-1", "m-3"]  # type: ignore[union-attr]
    apply(document, "a", Undo())
    apply(document, "a", Undo())
    assert widths(document) == dict.fromkeys(NAMES, 0.004)
    assert refusal(document, "a", widened("m-8", "m-9")) == "not_found"


def test_what_must_not_be_done_with_one_is_done_with_none() -> None:
    document = drawn()
    apply(document, "b", add("m-theirs"))
    assert refusal(document, "a", widened("m-1", "m-theirs")) == "not_permitted"
    other = replace(add("m-2").mark, anchor=BoardAnchor(1))
    assert refusal(document, "a", Edit((*widened("m-1").marks, other))) == "bad_message"
    shape = replace(add("m-2").mark, shape="arrow")
    assert refusal(document, "a", Edit((*widened("m-1").marks, shape))) == "bad_message"
    small = drawn(visible_points_limit=10)
    assert refusal(small, "a", widened("m-1", "m-2", points=5)) == "too_many_marks"
    apply(small, "a", widened("m-1", "m-2", points=4))


def test_what_another_wiped_away_is_passed_over_as_long_as_nothing_of_it_is_left() -> None:
    document = drawn()
    apply(document, "a", widened("m-2", "m-3"))
    apply(document, "s", Delete(("m-3",)), over_others=True)
    assert apply(document, "a", Undo()).operation == Undo(4)
    apply(document, "a", Redo())
    apply(document, "s", Delete(("m-2",)), over_others=True)
    # of both the author would see nothing
    assert apply(document, "a", Undo()).operation == Undo(1)
    apply(document, "s", Undo())
    apply(document, "s", Undo())
    assert widths(document) == {"m-2": 0.02, "m-3": 0.02}


@pytest.mark.parametrize("held", [4, 6, 9, 30_000])
def test_what_is_final_leaves_what_is_seen(held: int) -> None:
    document, follows = drawn(held_limit=held), Replica()
    assert follows.load(document.after(0))
    told: list[Operation] = [
        widened(*NAMES),
        ClearOwn(),
        add("m-4"),
        widened("m-4", width=0.03),
        Undo(),
        Redo(),
        add("m-5"),
        *[widened("m-4", "m-5", width=0.01 + n / 1000) for n in range(9)],
        Delete(("m-4",)),
        widened("m-5"),
        Undo(),
        add("m-6"),
    ]
    for operation in told:
        assert follows.receive(apply(document, "a", operation))
        late = Replica(held_limit=held)
        assert late.load(document.after(0))
        assert document.digest() == follows.digest() == late.digest()
        assert document.held <= max(held, len(document.visible()))
    assert widths(document) == {"m-5": 0.01 + 8 / 1000, "m-6": 0.004}
    # a mark of it that went for good leaves it
    edits = [entry.operation for entry in document.after(0).entries if isinstance(entry.operation, Edit)]
    known = {
        entry.operation.mark.mark for entry in document.after(0).entries if isinstance(entry.operation, Add)
    }
    assert {mark.mark for edit in edits for mark in edit.marks} <= known


def test_edits_of_many_take_no_memory_without_end() -> None:
    document = Document(held_limit=300, held_points_limit=2_000)
    marks = [f"m-{n}" for n in range(100)]
    for name in marks:
        apply(document, "a", add(name))
    for n in range(60):
        apply(document, "a", widened(*marks, width=0.002 + n / 10_000))
    assert document.held <= 300
    assert set(widths(document).values()) == {0.002 + 59 / 10_000}
    apply(document, "a", Undo())
    assert set(widths(document).values()) == {0.002 + 58 / 10_000}


def body(*marks: str) -> list[dict[str, Any]]:
    return json.loads(json.dumps([mark.to_json() for mark in widened(*marks).marks]))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "marks",
    [
        [],
        {},
        None,
        "m-1",
        [None],
        [["m-1"]],
        ["m-1", "m-2"],
        body("m-1", "m-1"),
        [*body("m-1"), {"mark": "m-2"}],
        [*body("m-1"), {**body("m-2")[0], "points": [[0, float("nan")]]}],
        body(*[f"m-{n}" for n in range(TOGETHER_LIMIT + 1)]),
    ],
)
def test_bad_groups_are_refused_in_a_sentence(marks: object) -> None:
    with pytest.raises(AnnotationError) as caught:
        parse_operation({"kind": "edit", "marks": marks})
    assert caught.value.code == "bad_message"
    assert str(caught.value).endswith(".")


def test_a_million_are_refused_before_any_is_looked_at() -> None:
    for kind in ("edit", "delete"):
        with pytest.raises(AnnotationError, match=f"a list of 1 to {TOGETHER_LIMIT}"):
            parse_operation({"kind": kind, "marks": [object()] * 1_000_000})


def test_one_or_several_not_both() -> None:
    (one,) = body("m-1")
    with pytest.raises(AnnotationError, match="must not stand beside marks"):
        parse_operation({"kind": "edit", "mark": one, "marks": [one]})
    single = parse_operation({"kind": "edit", "marks": [one]})
    assert single == parse_operation({"kind": "edit", "mark": one})
    assert single.to_json() == {"kind": "edit", "mark": single.marks[0].to_json()}  # type: ignore[union-attr]
    assert len(names(drawn())) == len(NAMES)
