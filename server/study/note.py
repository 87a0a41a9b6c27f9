"""A note of a recording (PROTOCOL.md, section 8): what may be said of one, and who may change it or take it away."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from signalling.text import check_text

Kind = Literal["bookmark", "comment", "clip"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

#: Bytes of a request: a text of 1,000 characters written as `\\ud83d\\ude00` each, and the rest.
BODY_LIMIT: Final = 16 << 10
TEXT_CHARACTERS: Final = 1000
#: A clip is no shorter, in seconds: a frame of the slowest camera.
SHORTEST_CLIP: Final = 0.04
#: Seconds into a recording: no consultation lasts a week.
LATEST: Final = 7 * 86400.0


class NoteError(ValueError):
    """What is said of a note cannot be taken; the text is a sentence for whoever said it."""


@dataclass(frozen=True, slots=True)
class NewNote:
    """A note that somebody makes. `at` and `until` (of a clip) in seconds after the recording's start."""

    kind: Kind
    at: float
    until: float | None
    text: str
    shared: bool


@dataclass(frozen=True, slots=True)
class NoteChange:
    """What is to be said of a note from now on; None: as before."""

    text: str | None
    shared: bool | None


@dataclass(frozen=True, slots=True)
class Note:
    """A note as it is kept. `person` names its author across links and is told to nobody; `written` in Unix seconds."""

    number: int
    person: str
    author: str
    said: NewNote
    written: float

    def to_json(self, reader: str) -> dict[str, object]:
        """Tell it to a person."""
        said = self.said
        body: dict[str, object] = {"id": name_of(self.number), "kind": said.kind, "at": said.at}
        if said.until is not None:
            body["until"] = said.until
        return body | {
            "text": said.text,
            "author": self.author,
            "mine": self.person == reader,
            "shared": said.shared,
            "written": self.written * 1000,
        }

    def may_read(self, reader: str) -> bool:
        """Tell whether it exists for a person."""
        return self.said.shared or self.person == reader

    def may_delete(self, reader: str, *, teaches: bool) -> bool:
        """Tell whether a person may take it away: one's own, and who teaches what is shared."""
        return self.person == reader or (self.said.shared and teaches)


def name_of(number: int) -> str:
    """Name a note."""
    return f"n-{number}"


def number_of(name: str) -> int | None:
    """Read a note's name; None: it is none."""
    digits = name.removeprefix("n-")
    # isdecimal() takes digits of every script
    return (
        int(digits)
        if name.startswith("n-") and digits.isascii() and digits.isdecimal() and len(digits) < 16
        else None
    )


def parse_note(body: bytes) -> NewNote:
    """Parse a new note. Raise NoteError."""
    fields = _object(body)
    kind = fields.get("kind")
    if kind not in KINDS:
        raise NoteError(f"The field kind is one of {', '.join(KINDS)}.")
    at = _seconds(fields, "at")
    until = None
    if kind == "clip":
        until = _seconds(fields, "until")
        if until < at + SHORTEST_CLIP:
            raise NoteError(f"The field until lies at least {SHORTEST_CLIP} seconds behind the field at.")
    elif fields.get("until") is not None:
        raise NoteError("The field until is of a clip alone.")
    text = _text(fields.get("text", ""), 1 if kind == "comment" else 0)
    return NewNote(kind, at, until, text, _flag(fields, "shared", default=False))


def parse_change(body: bytes) -> NoteChange:
    """Parse what is to be changed of a note: its `text`, whether it is `shared`, or both. Raise NoteError."""
    fields = _object(body)
    if not fields.keys() & {"text", "shared"}:
        raise NoteError("The body has the field text, the field shared, or both.")
    text = _text(fields["text"], 0) if "text" in fields else None
    return NoteChange(text, _flag(fields, "shared", default=False) if "shared" in fields else None)


def changed(note: NewNote, change: NoteChange) -> NewNote:
    """Give a note as it is after a change. Raise NoteError where a comment would have no words."""
    text = note.text if change.text is None else change.text
    if note.kind == "comment" and not text:
        raise NoteError("A comment has at least one character.")
    shared = note.shared if change.shared is None else change.shared
    return NewNote(note.kind, note.at, note.until, text, shared)


def _object(body: bytes) -> dict[str, Any]:
    if len(body) > BODY_LIMIT:
        raise NoteError(f"The body must have at most {BODY_LIMIT} bytes.")
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise NoteError("The body is not JSON.") from None
    if not isinstance(fields, dict):
        raise NoteError("The body must be a JSON object.")
    return fields


def _seconds(fields: dict[str, Any], name: str) -> float:
    value = fields.get(name)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 <= value <= LATEST
        or math.isnan(value)
    ):
        raise NoteError(f"The field {name} must be a number of seconds from 0 to {LATEST:.0f}.")
    return round(float(value), 6)


def _text(value: object, low: int) -> str:
    try:
        return check_text(value.strip() if isinstance(value, str) else value, low, TEXT_CHARACTERS)
    except ValueError as error:
        raise NoteError(f"The field text {error}.") from None


def _flag(fields: dict[str, Any], name: str, *, default: bool) -> bool:
    value = fields.get(name, default)
    if not isinstance(value, bool):
        raise NoteError(f"The field {name} is true or false.")
    return value
