"""Any interleaving, loss, duplication and reconnection ends in the same marks everywhere.

The judge is a third way of counting: all entries ever decided, added up by the words of PROTOCOL.md.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.anchors import BoardAnchor
from annotation.document import Document, Replica, Tail, parse_tail
from annotation.operations import (
    Add,
    ClearField,
    ClearOwn,
    Delete,
    Edit,
    Entry,
    Operation,
    Redo,
    Undo,
    parse_entry,
)
from annotation.shapes import Mark
from annotation.values import AnnotationError

from .helpers import add, apply

AUTHORS = ("a", "b", "surgeon")
KINDS: dict[str, Operation] = {
    "undo": Undo(),
    "redo": Redo(),
    "clear_own": ClearOwn(),
    "clear_field": ClearField(),
    "clear_board": ClearField("board"),
}
ON_MARKS = ("edit", "edit_together", "delete")


def undone_by(entries: list[Entry]) -> set[int | None]:
    """Add up which operations are undone."""
    undone: set[int | None] = set()
    for entry in entries:
        match entry.operation:
            case Undo(target):
                undone.add(target)
            case Redo(target):
                undone.remove(target)
    return undone


def judged(entries: list[Entry]) -> tuple[Mark, ...]:
    """Add all entries up: visible is what is neither undone, nor cleared by a later clear that stands, nor deleted by a
    delete that stands; it looks as its newest edit that stands."""
    undone = undone_by(entries)
    standing = [entry for entry in entries if entry.sequence not in undone]
    marks = []
    for entry in standing:
        if not isinstance(entry.operation, Add):
            continue
        mark, surface = entry.operation.mark, entry.operation.mark.anchor.surface
        gone = False
        for other in standing:
            match other.operation:
                case ClearField(of):
                    gone |= of == surface and other.sequence > entry.sequence
                case ClearOwn(of):
                    gone |= of == surface and other.author == entry.author and other.sequence > entry.sequence
                case Delete(names):
                    gone |= mark.mark in names
                case Edit(newer):
                    mark = next((look for look in newer if look.mark == mark.mark), mark)
        if not gone:
            marks.append(mark)
    return tuple(marks)


def undoable(entries: list[Entry], author: str) -> int | None:
    """Find the author's newest operation that stands and that no other has wiped away."""
    undone = undone_by(entries)
    standing = [entry for entry in entries if entry.sequence not in undone]
    adds = {entry.operation.mark.mark: entry for entry in entries if isinstance(entry.operation, Add)}
    cleared = {"field": 0, "board": 0}
    for entry in standing:
        if isinstance(entry.operation, ClearField):
            cleared[entry.operation.of] = entry.sequence

    def wiped(name: str) -> bool:
        add = adds[name]
        assert isinstance(add.operation, Add)
        return add.sequence < cleared[add.operation.mark.anchor.surface] or any(
            isinstance(entry.operation, Delete) and name in entry.operation.marks and entry.author != author
            for entry in standing
        )

    for entry in reversed(standing):
        if entry.author != author:
            continue
        match entry.operation:
            case ClearOwn(of) | ClearField(of):
                stands = entry.sequence >= cleared[of]
            case Add(mark):
                stands = not wiped(mark.mark)
            case Edit(marks):
                stands = not all(wiped(mark.mark) for mark in marks)
            case Delete(names):
                stands = not all(wiped(name) for name in names)
            case _:
                stands = False
        if stands:
            return entry.sequence
    return None


def operation_of(kind: str, author: str, document: Document, count: int) -> Operation | None:
    """Make the operation of a step; None where there is nothing to do it to."""
    if kind == "add":
        mark = add(f"m-{count}").mark
        return Add(replace(mark, anchor=BoardAnchor(1)) if count % 3 == 0 else mark)
    if kind not in ON_MARKS:
        return KINDS[kind]
    seen = [
        entry.operation.mark
        for entry in document.visible_entries()
        if isinstance(entry.operation, Add)
        and (entry.author == author or (kind, author) == ("delete", "surgeon"))
    ]
    if not seen:
        return None
    if kind == "delete":
        return Delete(tuple(mark.mark for mark in seen[-2:]))
    width = 0.002 + count / 1e5
    if kind == "edit_together":
        return Edit(tuple([replace(mark, width=width) for mark in seen[-3:]]))
    return Edit((replace(seen[count % len(seen)], width=width),))


class Client:
    """A client whose connection carries whole JSON in order, until it breaks and loses what was on its way."""

    def __init__(self) -> None:
        self.replica = Replica()
        self.line: list[str] = []

    def send(self, message: Entry | Tail) -> None:
        self.line.append(json.dumps(message.to_json()))

    def read(self, document: Document, count: int) -> None:
        for _ in range(min(count, len(self.line))):
            body: Any = json.loads(self.line.pop(0))
            if "operations" in body:
                taken = self.replica.load(parse_tail(body))
            else:
                taken = self.replica.receive(parse_entry(body))
            if not taken:
                self.send(document.after(self.replica.sequence))

    def reconnect(self, document: Document) -> None:
        self.line.clear()
        self.send(document.after(self.replica.sequence))

    def settle(self, document: Document) -> None:
        self.send(document.after(self.replica.sequence))
        for _ in range(20):
            self.read(document, 1_000)
        assert not self.line


steps = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(AUTHORS)),
    st.tuples(st.sampled_from(["add", *ON_MARKS, *sorted(KINDS)]), st.sampled_from(AUTHORS)),
    st.tuples(st.sampled_from(ON_MARKS), st.just("a")),
    st.tuples(st.just("undo"), st.just("a")),
    st.tuples(st.just("read"), st.integers(0, 2), st.integers(1, 5)),
    st.tuples(st.just("reconnect"), st.integers(0, 2)),
    st.tuples(st.just("lose"), st.integers(0, 2)),
    st.tuples(st.just("repeat"), st.integers(0, 2)),
    st.tuples(st.just("ask"), st.integers(0, 2), st.integers(0, 60)),
)


@settings(max_examples=90, deadline=None)
@given(
    st.integers(0, 60).flatmap(lambda size: st.lists(steps, min_size=size, max_size=size)),
    st.sampled_from([3, 6, 10_000]),
    st.sampled_from([1, 4, 1_000]),
    st.sampled_from([3, 10_000]),
)
def test_everybody_ends_with_the_same_marks(
    script: list[tuple[Any, ...]], held: int, recent: int, held_by_clients: int
) -> None:
    document = Document(held_limit=held, recent_limit=recent)
    clients = [Client() for _ in range(3)]
    clients[2].replica = Replica(held_limit=max(held, held_by_clients))
    entries: list[Entry] = []
    for step in script:
        match step:
            case ("read", number, count):
                clients[number].read(document, count)
            case ("reconnect", number):
                clients[number].reconnect(document)
            case ("lose", number):
                # no connection loses from its middle; a client notices even that
                del clients[number].line[:1]
            case ("repeat", number):
                clients[number].line += clients[number].line[:1]
            case ("ask", number, after):
                clients[number].send(document.after(after))
            case (kind, author):
                operation = operation_of(kind, author, document, len(entries))
                if operation is None:
                    continue
                expected = undoable(entries, author)
                try:
                    entry = apply(document, author, operation, over_others=author == "surgeon")
                except AnnotationError:
                    assert kind == "redo" or (kind == "undo" and (expected is None or held < 10_000))
                    continue
                # what was settled, for want of room, cannot be undone any more
                assert kind != "undo" or held < 10_000 or entry.operation == Undo(expected)
                entries.append(entry)
                for client in clients:
                    client.send(entry)
        assert document.visible() == judged(entries)
        assert document.held <= max(held, len(document.visible()))
    for client in clients:
        client.settle(document)
        assert client.replica.visible() == document.visible()
        assert client.replica.digest() == document.digest()
        assert client.replica.sequence == document.sequence
    late = Replica(held_limit=held)
    assert late.load(document.after(0))
    assert late.visible() == document.visible()
    assert late.visible_entries() == document.visible_entries()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["add", *ON_MARKS, *KINDS]), st.sampled_from(AUTHORS)), max_size=40),
    st.data(),
)
def test_at_every_number_a_copy_shows_what_the_server_showed(
    script: list[tuple[str, str]], data: st.DataObject
) -> None:
    document = Document(recent_limit=10)
    shown = [document.visible()]
    tails = [document.after(0)]
    entries: list[Entry] = []
    for kind, author in script:
        operation = operation_of(kind, author, document, len(entries))
        if operation is None:
            continue
        try:
            entries.append(apply(document, author, operation, over_others=author == "surgeon"))
        except AnnotationError:
            continue
        shown.append(document.visible())
        tails.append(document.after(0))
    # join at any number, then follow entry by entry
    start = data.draw(st.integers(0, len(entries)))
    replica = Replica()
    assert replica.load(tails[start])
    for number in range(start, len(entries) + 1):
        assert (replica.sequence, replica.visible()) == (number, shown[number])
        if number < len(entries):
            assert replica.receive(entries[number])
