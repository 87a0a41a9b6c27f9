"""What the server decides: undo, redo, clearing, limits, and what it tells those who missed something."""

from __future__ import annotations

import pytest

from annotation.document import Document, Replica
from annotation.operations import ClearField, ClearOwn, Operation, Redo, Undo
from annotation.values import AnnotationError

from .helpers import add, apply, names


def refused(document: Document, author: str, operation: Operation) -> str:
    before = (document.sequence, document.visible(), document.after(0))
    with pytest.raises(AnnotationError) as caught:
        apply(document, author, operation)
    assert (document.sequence, document.visible(), document.after(0)) == before
    return caught.value.code


@pytest.fixture
def document() -> Document:
    return Document()


def test_operations_are_numbered_from_one(document: Document) -> None:
    assert document.sequence == 0
    first, second = apply(document, "a", add("1"), 1e9), apply(document, "b", add("2"), 1e9 + 0.0125)
    assert (first.sequence, second.sequence, document.sequence) == (1, 2, 2)
    assert (first.time, second.time) == (1e12, 1e12 + 12.5)
    assert (second.author, second.name, second.colour) == ("b", "B", "#00c3ff")
    assert document.visible_entries() == (first, second)


def test_undo_takes_the_authors_newest(document: Document) -> None:
    for author, name in (("a", "1"), ("a", "2"), ("b", "3")):
        apply(document, author, add(name))
    assert apply(document, "a", Undo()).operation == Undo(2)
    assert names(document) == ["1", "3"]
    assert apply(document, "a", Undo()).operation == Undo(1)
    assert refused(document, "a", Undo()) == "nothing_to_undo"
    assert names(document) == ["3"]


def test_redo_brings_back_in_the_opposite_order(document: Document) -> None:
    apply(document, "a", add("1"))
    apply(document, "a", add("2"))
    apply(document, "a", Undo())
    apply(document, "a", Undo())
    assert apply(document, "a", Redo()).operation == Redo(1)
    assert apply(document, "a", Redo()).operation == Redo(2)
    assert refused(document, "a", Redo()) == "nothing_to_redo"
    assert names(document) == ["1", "2"]


def test_who_did_something_since_cannot_redo(document: Document) -> None:
    apply(document, "a", add("1"))
    apply(document, "a", Undo())
    apply(document, "b", add("2"))
    apply(document, "a", add("3"))
    assert refused(document, "a", Redo()) == "nothing_to_redo"
    assert apply(document, "a", Undo()).operation == Undo(4)


def test_what_others_do_does_not_forbid_to_redo(document: Document) -> None:
    apply(document, "a", add("1"))
    apply(document, "a", Undo())
    apply(document, "b", add("2"))
    apply(document, "a", Redo())
    assert names(document) == ["1", "2"]


def test_nobody_undoes_or_redoes_for_another(document: Document) -> None:
    apply(document, "a", add("1"))
    assert refused(document, "b", Undo()) == "nothing_to_undo"
    apply(document, "a", Undo())
    assert refused(document, "b", Redo()) == "nothing_to_redo"


def test_clear_own_clears_and_can_be_undone(document: Document) -> None:
    apply(document, "a", add("1"))
    apply(document, "b", add("2"))
    apply(document, "a", ClearOwn())
    apply(document, "a", add("3"))
    assert names(document) == ["2", "3"]
    apply(document, "a", Undo())
    apply(document, "a", Undo())
    assert names(document) == ["1", "2"]
    assert refused(document, "a", add("2")) == "duplicate_mark"


def test_clear_field_clears_everybodys_and_can_be_undone(document: Document) -> None:
    apply(document, "a", add("1"))
    apply(document, "surgeon", ClearField())
    apply(document, "b", add("2"))
    assert names(document) == ["2"]
    apply(document, "surgeon", Undo())
    assert names(document) == ["1", "2"]


def test_a_clear_that_comes_back_covers_what_it_covered(document: Document) -> None:
    apply(document, "a", add("1"))
    apply(document, "surgeon", ClearField())
    apply(document, "surgeon", Undo())
    apply(document, "a", add("2"))
    apply(document, "surgeon", Redo())
    assert names(document) == ["2"]


def test_what_the_surgeon_wiped_away_is_not_undone_unseen(document: Document) -> None:
    apply(document, "a", add("1"))
    apply(document, "b", add("2"))
    apply(document, "b", Undo())
    apply(document, "surgeon", ClearField())
    assert refused(document, "a", Undo()) == "nothing_to_undo"
    assert refused(document, "b", Redo()) == "nothing_to_redo"
    apply(document, "surgeon", Undo())
    assert apply(document, "a", Undo()).operation == Undo(1)
    assert apply(document, "b", Redo()).operation == Redo(2)


def test_two_clears_are_undone_one_by_one(document: Document) -> None:
    apply(document, "a", add("1"))
    apply(document, "s", ClearField())
    apply(document, "s", ClearField())
    apply(document, "s", Undo())
    assert names(document) == []
    apply(document, "s", Undo())
    assert names(document) == ["1"]


def test_an_identifier_is_used_once(document: Document) -> None:
    apply(document, "a", add("1"))
    assert refused(document, "b", add("1")) == "duplicate_mark"
    apply(document, "a", Undo())
    assert refused(document, "b", add("1")) == "duplicate_mark"  # it may come back


def test_visible_marks_are_limited() -> None:
    document = Document(visible_limit=2)
    apply(document, "a", add("1"))
    apply(document, "b", add("2"))
    assert refused(document, "c", add("3")) == "too_many_marks"
    apply(document, "s", ClearField())
    apply(document, "c", add("3"))


def test_visible_points_are_limited() -> None:
    document = Document(visible_points_limit=10)
    apply(document, "a", add("1", 6))
    assert refused(document, "a", add("2", 5)) == "too_many_marks"
    apply(document, "a", add("2", 4))
    apply(document, "a", Undo())
    apply(document, "a", add("3", 4))


# what was missed


def test_who_missed_a_few_is_told_these(document: Document) -> None:
    entries = [apply(document, "a", add(str(i))) for i in range(5)]
    tail = document.after(3)
    assert (tail.after, tail.sequence, tail.entries) == (3, 5, tuple(entries[3:]))
    assert document.after(5).entries == ()
    assert document.after(5).after == 5


def test_a_late_comer_is_not_told_what_is_dead(document: Document) -> None:
    apply(document, "a", add("1"))
    apply(document, "a", Undo())
    kept = apply(document, "a", add("2"))
    tail = document.after(0)
    assert (tail.after, tail.sequence, tail.entries) == (0, 3, (kept,))


def test_a_late_comer_can_follow_an_undo_of_what_was_before(document: Document) -> None:
    apply(document, "a", add("1"))
    apply(document, "s", ClearField())
    replica = Replica()
    assert replica.load(document.after(0))
    assert replica.visible() == ()
    assert replica.receive(apply(document, "s", Undo()))
    assert replica.visible() == document.visible() != ()


@pytest.mark.parametrize("sequence", [1, 99, -5])
def test_who_stands_elsewhere_is_told_from_the_beginning(sequence: int) -> None:
    document = Document(recent_limit=3)
    for i in range(6):
        apply(document, "a", add(str(i)))
    assert document.after(sequence).after == 0
    assert len(document.after(sequence).entries) == 6
    assert document.after(3).after == 3
    assert document.after(2).after == 0


def test_recent_entries_are_few_in_points_too() -> None:
    document = Document(recent_points_limit=10)
    for i in range(4):
        apply(document, "a", add(str(i), 4))
    assert document.after(2).after == 2
    assert document.after(1).after == 0


# memory


def test_a_day_of_drawing_and_clearing_stays_small() -> None:
    document = Document(held_limit=50, held_points_limit=120)
    replica = Replica()
    for i in range(1000):
        replica.receive(apply(document, f"author {i % 7}", add(str(i), 1 + i % 5)))
        if i % 11 == 0:
            replica.receive(apply(document, f"author {i % 3}", ClearOwn()))
        if i % 13 == 0:
            replica.receive(apply(document, "surgeon", ClearField()))
        assert document.held <= 50
        assert replica.visible() == document.visible()
        assert sum(len(mark.points) for mark in document.visible()) <= 120


def test_undone_operations_do_not_pile_up() -> None:
    document = Document(held_limit=10)
    for i in range(100):
        apply(document, f"author {i}", add(str(i)))
        apply(document, f"author {i}", Undo())
    assert document.held == 10
    assert refused(document, "author 0", Redo()) == "nothing_to_redo"
    apply(document, "author 99", Redo())


def test_all_that_is_visible_is_kept_however_much() -> None:
    document = Document(held_limit=10)
    for i in range(30):
        apply(document, "a", add(str(i)))
    assert len(names(document)) == document.held == 30


# a copy that is not whole


def test_a_copy_notices_a_gap_and_takes_nothing_until_it_is_closed(document: Document) -> None:
    replica = Replica()
    entries = [apply(document, "a", add(str(i))) for i in range(4)]
    assert replica.receive(entries[0])
    assert not replica.receive(entries[2])
    assert not replica.receive(entries[3])
    assert replica.sequence == 1
    assert not replica.load(document.after(2))
    assert replica.load(document.after(1))
    assert replica.visible() == document.visible()


def test_a_copy_that_knows_too_little_asks_from_the_beginning(document: Document) -> None:
    replica = Replica(held_limit=1)
    for operation in (add("1"), ClearOwn(), ClearField()):
        replica.receive(apply(document, "a", operation))
    apply(document, "a", Undo())
    undo = apply(document, "a", Undo())
    assert not replica.load(document.after(3))
    assert replica.sequence == 0
    assert not replica.receive(undo)
    whole = Replica()
    assert whole.load(document.after(replica.sequence))
    assert whole.visible() == document.visible()


def test_after_a_restart_of_the_server_nothing_old_is_left() -> None:
    before, after = Document(), Document()
    replica = Replica()
    for i in range(9):
        replica.receive(apply(before, "a", add(str(i))))
    apply(after, "b", add("new"))
    assert replica.load(after.after(replica.sequence))
    assert replica.sequence == 1
    assert replica.visible() == after.visible()
