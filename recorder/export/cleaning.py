"""A recording's description without anybody in it: what a teaching copy is made of.

Only what a film needs is taken over, field by field: what nobody thought of does not pass. People are roles; the
room, the recording's name, all labels and the date are gone (the time line begins in 1970); images that were presented,
frozen frames, chat, files and the board's titles are left out. Words in marks and instructions go, or stay without what
could name somebody: names of those who were there, long numbers, dates, addresses. That is a help and no guarantee: a
person reads them all before anybody else does (`server/exporting/sign_off.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from annotation.notes import Answer, Calibrate, Instruct, Tracked, Withdraw
from annotation.operations import (
    Add,
    ClearField,
    ClearOwn,
    Delete,
    Edit,
    Operation,
    Redo,
    Undo,
    parse_entry,
)
from annotation.shapes import Mark
from annotation.values import AnnotationError
from annotation.veiled import veil_recording

from ..audience import Audiences, without

#: Stands for what is hidden, as in the veil of a room.
HIDDEN: Final = "▮▮▮"

#: Names of fewer letters are hidden as they are spelt alone: else they stand in too much that is nobody's name.
_LETTERS: Final = 3
_UNSPACED: Final = re.compile(r"[\u1100-\u11ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]{2,}")
_WORD: Final = re.compile(r"[^\W\d_]+")
#: Titles are before many names, and are nobody's.
_TITLES: Final = frozenset(
    {"prof", "med", "herr", "frau", "mrs", "miss", "the", "von", "van", "der", "医生", "教授", "主任"}
)

_NUMBERS: Final = re.compile(
    # an address of mail or of a page
    r"\S+@\S+|(?:https?://|www\.)\S+"
    # a date, by digits or with a month's name beside them
    r"|\d{1,4}\s*[年./-]\s*\d{1,2}\s*[月./-]\s*\d{1,4}\s*日?"
    r"|\d{1,2}\.?\s*(?:jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[a-zä]*\.?\s*\d{0,4}"
    r"|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\s*\d{1,2}(?:,?\s*\d{4})?"
    # a number of four digits and more, also where it is parted
    r"|\d(?:[\s./-]?\d){3,}",
    re.IGNORECASE,
)

#: An entry has a name: this is nobody's.
_NOBODY: Final = "–"

#: Events that a film is made by, and what of each it needs.
_EVENTS: Final[dict[str, tuple[str, ...]]] = {
    "participant_joined": ("participant",),
    "participant_left": ("participant",),
    "producer_added": ("participant", "producer", "source"),
    "producer_removed": ("producer",),
    "producer_resumed": ("producer", "since"),
    "speaker": ("participant",),
}
_CAMERA: Final = (
    *("producer", "participant", "source", "codec", "type", "audio_type", "offset", "seconds"),
    *("first_rtp_timestamp", "clock_rate", "picture_at", "picture_until", "width", "height", "audio"),
)
_KEPT: Final = ("seconds", "state", "ignored_bytes")
_LINES: Final = (Add, Edit, Delete, Undo, Redo, ClearOwn, ClearField, Tracked, Calibrate)

Hide = Callable[[str], str]


def cleaned(description: dict[str, Any], *, texts: bool, patients: Iterable[str] = ()) -> dict[str, Any]:
    """Give a description of the same recording that names nobody; `texts`: words stay as far as they can.

    `patients`: what those are called who are known by now; the journal hid those who were known then.
    """
    withheld = restricted_in(description)
    readable = {
        **description,
        **{name: _objects(description, name) for name in ("events", "cameras", "stills", "gaps", "problems")},
        "operations": [
            one for one in _objects(description, "operations") if "sequence" in one and "operation" in one
        ],
    }
    shown = without(veil_recording(readable, hidden=True), withheld)
    people = [one for one in _objects(description, "participants") if isinstance(one.get("participant"), str)]
    hide = hiding([*(str(one.get("name") or "") for one in people), *patients]) if texts else None
    return {
        **{name: shown.get(name) for name in _KEPT},
        "recording": "",
        "room": "",
        "started": 0.0,
        "participants": [
            {
                "participant": one["participant"],
                "name": "",
                "role": one.get("role"),
                "colour": one.get("colour"),
            }
            for one in people
        ],
        "cameras": [
            {**{name: one[name] for name in _CAMERA if name in one}, "label": ""}
            for one in _objects(shown, "cameras")
        ],
        "operations": list(_operations(_objects(shown, "operations"), hide)),
        "pointers": [
            {name: one.get(name) for name in ("at", "author", "anchor", "point")}
            for one in _objects(shown, "pointers")
        ],
        "events": list(_events(_objects(shown, "events"), withheld)),
        "stills": [],
        "gaps": [
            {name: one.get(name) for name in ("producer", "at", "seconds", "packets")}
            for one in _objects(shown, "gaps")
        ],
        # sentences of ours, about streams
        "problems": shown.get("problems", []),
    }


def restricted_in(description: dict[str, Any]) -> frozenset[int]:
    """Name the producers that were for some people only, at any time: nobody's film shows them."""
    return Audiences(str(description.get("recording") or ""), _objects(description, "events")).restricted


def hiding(names: Iterable[str]) -> Hide:
    """Make what hides names, long numbers, dates and addresses in a text."""
    found: set[str] = set()
    for name in names:
        for word in _WORD.findall(name):
            if len(word) > 1 and word.casefold() not in _TITLES:
                found.add(_as_written(word))
    pattern = re.compile("|".join(sorted(found, key=len, reverse=True)), re.IGNORECASE) if found else None

    def hide(text: str) -> str:
        shown = _NUMBERS.sub(HIDDEN, text)
        return pattern.sub(HIDDEN, shown) if pattern is not None else shown

    return hide


def _as_written(word: str) -> str:
    """Give the pattern of a name's word."""
    if _UNSPACED.fullmatch(word):
        return re.escape(word)
    # where words have spaces between them a name is one of its own, with or without an s behind it
    begin, end = r"(?<![^\W\d_])", r"(?:['’]?s)?(?![^\W\d_])"
    # Li is a name, li is not
    return (
        f"{begin}{re.escape(word)}{end}" if len(word) >= _LETTERS else f"{begin}(?-i:{re.escape(word)}){end}"
    )


def _operations(entries: Iterable[dict[str, Any]], hide: Hide | None) -> Iterator[dict[str, Any]]:
    for fields in entries:
        try:
            entry = parse_entry({**fields, "time": 0.0})
        except AnnotationError:
            continue
        operation = _without_words(entry.operation, hide)
        if operation is not None:
            yield {
                "at": fields.get("at"),
                "sequence": entry.sequence,
                "author": entry.author,
                "name": _NOBODY,
                "colour": entry.colour,
                "operation": operation.to_json(),
            }


def _without_words(operation: Operation, hide: Hide | None) -> Operation | None:
    """Give an operation as a teaching copy has it; None: not at all."""
    match operation:
        case Add(mark):
            return Add(_mark(mark, hide))
        case Edit(marks):
            return Edit(tuple([_mark(mark, hide) for mark in marks]))
        case Instruct(text=text):
            return replace(operation, text=hide(text)) if hide is not None else None
        case Answer() | Withdraw():
            return operation if hide is not None else None
    return operation if isinstance(operation, _LINES) else None


def _mark(mark: Mark, hide: Hide | None) -> Mark:
    if not mark.text:
        return mark
    if hide is not None:
        return replace(mark, text=hide(mark.text))
    # a text has nothing but its words: where they go its place is seen
    return replace(mark, text=HIDDEN if mark.shape == "text" else "")


def _events(events: Iterable[dict[str, Any]], withheld: frozenset[int]) -> Iterator[dict[str, Any]]:
    for event in events:
        kind = event.get("kind")
        names = _EVENTS.get(kind) if isinstance(kind, str) else None
        if names is not None and event.get("producer") not in withheld:
            yield {"kind": kind, "at": event.get("at"), **{n: event[n] for n in names if n in event}}


def _objects(description: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = description.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
