"""Changing and taking away what was drawn: by whom, and back again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from annotation.anchors import BoardAnchor, DicomAnchor, VideoAnchor
from annotation.document import Document, Replica
from annotation.notes import Calibrate, Track, Tracked, TrackState
from annotation.operations import Add, ClearField, ClearOwn, Delete, Edit, Operation, Redo, Undo
from annotation.shapes import Mark
from annotation.values import AnnotationError

from .helpers import ANCHOR, add, apply, names

IMAGE = DicomAnchor("1.2.840.113619.2.55.3", 4)


def refusal(document: Document, author: str, operation: Operation, *, over_others: bool = False) -> str:
    before = document.sequence, document.digest()
    with pytest.raises(AnnotationError) as caught:
        apply(document, author, operation, over_others=over_others)
    assert str(caught.value).endswith(".")
    assert (document.sequence, document.digest()) == before
    return caught.value.code


def pin(name: str, anchor: VideoAnchor | DicomAnchor | BoardAnchor = ANCHOR) -> Add:
    return Add(Mark(name, "pin", anchor, ((0.5, 0.5),), 0.004))


def numbers(document: Document) -> list[int]:
    return [mark.number for mark in document.visible()]


def moved(operation: Add, width: float) -> Edit:
    return Edit((replace(operation.mark, width=width),))


def test_an_edit_takes_the_marks_place_and_comes_off_again() -> None:
    document = Document()
    first, second = add("m-1"), add("m-2")
    for operation in (first, second, moved(first, 0.01), moved(first, 0.02)):
        apply(document, "a", operation)
    assert [(mark.mark, mark.width) for mark in document.visible()] == [("m-1", 0.02), ("m-2", 0.004)]
    (entry, _) = document.visible_entries()
    assert (entry.sequence, entry.author) == (1, "a")
    for expected in (0.01, 0.004):
        apply(document, "a", Undo())
        assert document.visible()[0].width == expected
    apply(document, "a", Redo())
    assert document.visible()[0].width == 0.01


def test_only_ones_own_visible_mark_can_be_edited() -> None:
    document = Document()
    apply(document, "a", add("m-1"))
    edit = moved(add("m-1"), 0.01)
    assert refusal(document, "b", edit) == "not_permitted"
    assert refusal(document, "b", edit, over_others=True) == "not_permitted"
    assert refusal(document, "a", moved(add("m-2"), 0.01)) == "not_found"
    apply(document, "a", Undo())
    assert refusal(document, "a", edit) == "not_found"


@pytest.mark.parametrize(
    "mark",
    [
        Mark("m-1", "freehand", BoardAnchor(1), ((0, 0), (1, 1)), 0.004),
        Mark("m-1", "arrow", ANCHOR, ((0, 0), (1, 1)), 0.004),
    ],
)
def test_an_edit_keeps_shape_and_surface(mark: Mark) -> None:
    document = Document()
    apply(document, "a", add("m-1"))
    assert refusal(document, "a", Edit((mark,))) == "bad_message"


def test_a_delete_is_undone_like_an_add() -> None:
    document = Document()
    for name in ("m-1", "m-2", "m-3"):
        apply(document, "a", add(name))
    assert apply(document, "a", Delete(("m-1", "m-9", "m-3"))).operation == Delete(("m-1", "m-3"))
    assert names(document) == ["m-2"]
    apply(document, "a", Undo())
    assert names(document) == ["m-1", "m-2", "m-3"]
    apply(document, "a", Redo())
    assert names(document) == ["m-2"]
    assert refusal(document, "a", Delete(("m-1",))) == "not_found"


def test_others_marks_are_deleted_by_whom_the_field_belongs_to() -> None:
    document = Document()
    apply(document, "a", add("m-1"))
    apply(document, "b", add("m-2"))
    assert refusal(document, "a", Delete(("m-1", "m-2"))) == "not_permitted"
    apply(document, "surgeon", Delete(("m-1", "m-2")), over_others=True)
    assert names(document) == []
    # the author would see nothing happen
    assert refusal(document, "a", Undo()) == "nothing_to_undo"
    apply(document, "surgeon", Undo())
    assert names(document) == ["m-1", "m-2"]
    apply(document, "a", Undo())
    assert names(document) == ["m-2"]


def test_undo_passes_over_what_another_took_away() -> None:
    document = Document()
    apply(document, "a", add("m-1"))
    apply(document, "a", add("m-2"))
    apply(document, "surgeon", Delete(("m-2",)), over_others=True)
    assert apply(document, "a", Undo()).operation == Undo(1)
    assert names(document) == []


def test_a_clear_keeps_to_its_surface() -> None:
    document = Document()
    for name, anchor in (
        ("m-live", ANCHOR),
        ("m-still", VideoAnchor(7, 1, still=True)),
        ("m-image", IMAGE),
        ("m-board", BoardAnchor(1)),
    ):
        apply(document, "a", Add(replace(add(name).mark, anchor=anchor)))
    apply(document, "surgeon", ClearField())
    assert names(document) == ["m-image", "m-board"]
    apply(document, "a", ClearOwn("board"))
    assert names(document) == ["m-image"]
    apply(document, "b", ClearOwn("dicom"))
    assert names(document) == ["m-image"]
    # the field is wiped for good, the board is not
    assert apply(document, "a", Undo()).operation == Undo(6)
    assert names(document) == ["m-image", "m-board"]
    apply(document, "surgeon", Undo())
    assert names(document) == ["m-live", "m-still", "m-image", "m-board"]


def test_pins_are_numbered_through_in_each_place() -> None:
    document = Document()
    for name, anchor in (
        ("p-1", ANCHOR),
        ("p-2", ANCHOR),
        ("p-3", IMAGE),
        ("p-4", BoardAnchor(1)),
        ("p-5", ANCHOR),
    ):
        apply(document, "a", pin(name, anchor))
    apply(document, "b", pin("p-6", VideoAnchor(9, 1)))
    assert numbers(document) == [1, 2, 1, 1, 3, 1]


def test_two_pins_are_never_called_the_same() -> None:
    document = Document()
    apply(document, "a", pin("p-1"))
    apply(document, "b", pin("p-2"))
    apply(document, "surgeon", ClearField())
    apply(document, "b", pin("p-3"))
    assert numbers(document) == [3]
    apply(document, "surgeon", Undo())
    assert numbers(document) == [1, 2, 3]
    apply(document, "b", Edit((replace(pin("p-3").mark, points=((0.1, 0.1),), text="clip"),)))
    assert numbers(document) == [1, 2, 3]
    # taken back, and something else done since: nothing can bring it back
    apply(document, "a", Undo())
    apply(document, "a", add("m-1"))
    apply(document, "a", pin("p-4"))
    assert numbers(document)[-1] == 1


def test_there_are_99_pins_in_a_place() -> None:
    document = Document()
    for n in range(99):
        apply(document, "a", pin(f"p-{n}"))
    assert refusal(document, "a", pin("p-99")) == "too_many_marks"
    apply(document, "a", pin("p-99", BoardAnchor(1)))


def test_a_length_on_a_video_needs_its_calibration() -> None:
    document = Document()
    length = Add(Mark("m-1", "length", ANCHOR, ((0.1, 0.1), (0.2, 0.1)), 0.004))
    assert refusal(document, "a", length) == "not_calibrated"
    apply(document, "surgeon", Calibrate(VideoAnchor(8, 5), ((0, 0), (1, 0)), 30.0))
    assert refusal(document, "a", length) == "not_calibrated"
    apply(document, "surgeon", Calibrate(ANCHOR, ((0, 0), (1, 0)), 30.0))
    apply(document, "a", length)
    apply(document, "surgeon", Calibrate(VideoAnchor(7, 6), (), None))
    assert refusal(document, "a", Add(replace(length.mark, mark="m-2"))) == "not_calibrated"
    apply(document, "a", Add(replace(length.mark, mark="m-3", anchor=IMAGE)))


def test_points_of_edits_count() -> None:
    document = Document(visible_points_limit=10)
    apply(document, "a", add("m-1", points=6))
    assert refusal(document, "a", Edit((add("m-1", points=11).mark,))) == "too_many_marks"
    apply(document, "a", Edit((add("m-1", points=10).mark,)))
    assert refusal(document, "a", add("m-2", points=1)) == "too_many_marks"
    apply(document, "a", Undo())
    apply(document, "a", add("m-2", points=4))


def test_edits_without_end_take_no_memory_and_change_nothing() -> None:
    document = Document(held_limit=20, held_points_limit=400, recent_limit=5)
    apply(document, "a", add("m-1"))
    for n in range(500):
        apply(document, "a", moved(add("m-1", points=10), 0.002 + n / 1e5))
    assert document.held <= 20
    assert [mark.width for mark in document.visible()] == [0.002 + 499 / 1e5]
    tail = document.after(0)
    assert len(tail.entries) <= 20
    late = Replica()
    assert late.load(tail)
    assert late.digest() == document.digest()


def track(name: str, confidence: float) -> Tracked:
    return Tracked((Track(name, "good", (1.0, 0.0, 0.0, 1.0, 0.0, 0.0), confidence),), ANCHOR)


def test_of_a_mark_the_newest_track_counts() -> None:
    document = Document()
    for operation in (add("m-1"), track("m-1", 0.5), track("m-1", 0.75), track("m-unknown", 1.0)):
        apply(document, "a", operation)
    known = document.track("m-1")
    assert known is not None
    assert known.confidence == 0.75
    assert document.track("m-unknown") is None
    # of an hour of tracking a late comer is told the last moment
    assert [entry.sequence for entry in document.after(0).entries] == [1, 3]


def tracked(state: TrackState) -> Tracked:
    return Tracked((Track("m-1", state, (1.0, 0.0, 0.0, 1.0, 0.1, 0.0), 0.0),), ANCHOR)


@pytest.mark.parametrize("state", ["good", "stale", "lost"])
def test_what_is_not_moved_keeps_its_track_and_what_is_moved_has_none(state: TrackState) -> None:
    document, copy = Document(), Replica()
    mark = Mark("m-1", "arrow", ANCHOR, ((0.1, 0.1), (0.2, 0.1)), 0.004, follow=True)

    def do(operation: Operation) -> TrackState | None:
        assert copy.receive(document.apply(operation, "a", "A", "red", 1.0))
        late = Replica()
        late.load(document.after(0))
        assert document.digest() == copy.digest() == late.digest()
        track = document.track("m-1")
        return None if track is None else track.state

    do(Add(mark))
    assert do(tracked(state)) == state
    # restyled, reworded, another tail of the arrow; each taken back and done again
    for looks in (
        replace(mark, width=0.01),
        replace(mark, width=0.01, text="here"),
        replace(mark, points=((0.3, 0.3), (0.2, 0.1))),
    ):
        assert [do(Edit((looks,))), do(Undo()), do(Redo())] == [state] * 3
    moved = replace(mark, points=((0.1, 0.1), (0.2, 0.5)))
    assert do(Edit((moved,))) is None
    assert do(tracked("good")) == "good"
    assert do(Undo()) is None
    assert do(tracked(state)) == state
    assert do(Redo()) is None
    for elsewhere in (replace(moved, follow=False), replace(moved, anchor=VideoAnchor(7, 5))):
        assert do(tracked(state)) == state
        assert do(Edit((elsewhere,))) is None
