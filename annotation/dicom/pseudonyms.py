"""Marks without the names of those who drew them, and without words that nobody has reviewed."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ..notes import Instruct
from ..operations import Entry
from ..shapes import FORMS
from .outgoing import DrawnMark
from .room_uids import RoomUids

#: How roles are called in a copy; whoever has left before anybody noted his is a participant.
_LABELS: Final = {"surgeon": "Surgeon", "chair": "Chair", "expert": "Expert"}


@dataclass(frozen=True, slots=True)
class Words:
    """A text that people wrote, to be reviewed: `words_id` names this very text of this mark or instruction."""

    words_id: str
    kind: str
    mark: str
    words: str
    name: str


def words_of(marks: Iterable[DrawnMark], instructions: Iterable[Entry]) -> list[Words]:
    """List what was written on and about these marks, in the order of drawing."""
    drawn = list(marks)
    found = [
        Words(_words_id(one.mark.mark, one.mark.text), "mark", one.mark.mark, one.mark.text, one.name)
        for one in drawn
        if one.mark.text
    ]
    known = {one.mark.mark for one in drawn}
    for entry in instructions:
        note = entry.operation
        if isinstance(note, Instruct) and note.mark in known and note.text:
            name = _words_id(note.instruction, note.text)
            found.append(Words(name, "instruction", note.mark, note.text, entry.name))
    return found


def _words_id(whose: str, words: str) -> str:
    """Name a text by what it says: what is rewritten after its review is another one."""
    return "t-" + hashlib.sha256(f"{whose}\0{words}".encode()).hexdigest()[:24]


def role_labels(authors: Sequence[str], roles: Mapping[str, str]) -> dict[str, str]:
    """Give each author, in this order, his role for a name; with a number where there are several of it."""
    labels = {author: _LABELS.get(roles.get(author, ""), "Participant") for author in authors}
    counted: dict[str, int] = {}
    many = {label for label in labels.values() if list(labels.values()).count(label) > 1}
    for author, label in labels.items():
        if label in many:
            counted[label] = counted.get(label, 0) + 1
            labels[author] = f"{label} {counted[label]}"
    return labels


def pseudonymous(
    marks: Iterable[DrawnMark], roles: Mapping[str, str], kept: Container[str], uids: RoomUids
) -> list[DrawnMark]:
    """Give marks under other identifiers and their authors' roles, with the texts (`Words.words_id`) that are kept.

    A mark that is nothing but its text goes with it.
    """
    drawn = list(marks)
    labels = role_labels(list(dict.fromkeys(one.author for one in drawn)), roles)
    found = []
    for one in drawn:
        mark = one.mark
        if mark.text and _words_id(mark.mark, mark.text) not in kept:
            form = FORMS[mark.shape]
            if form.text is not None and form.text[0] > 0:
                continue
            mark = replace(mark, text="")
        label = labels[one.author]
        found.append(
            replace(one, mark=replace(mark, mark=mark_id(mark.mark, uids)), author=label, name=label)
        )
    return found


def mark_id(mark: str, uids: RoomUids) -> str:
    """Give a mark's identifier within the copy."""
    return "m-" + uids.file_name(f"mark {mark}")[:24]


def kept_instructions(words: Iterable[Words], kept: Container[str], uids: RoomUids) -> dict[str, list[str]]:
    """Give the instructions that are kept, by the mark's identifier within the copy."""
    found: dict[str, list[str]] = {}
    for one in words:
        if one.kind == "instruction" and one.words_id in kept:
            found.setdefault(mark_id(one.mark, uids), []).append(one.words)
    return found
