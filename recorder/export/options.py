"""What whoever exports may choose, read from the JSON of a request."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from .kinds import ExportError
from .masks import Mask

Language = Literal["en", "zh"]

#: A recording of a day is none.
MOST_SECONDS = 86_400.0
#: Bookmarks, and characters of each, that become chapters.
MOST_BOOKMARKS = 200
BOOKMARK_CHARACTERS = 200
#: A clip shorter than this is a picture.
SHORTEST_CLIP = 0.2
HEIGHTS = (360, 720, 1080, 2160)
RATES = (25, 30, 50, 60)


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A place that somebody named, in seconds of the recording."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for. Times are seconds of the recording.

    `producers`: which cameras, empty for all; `main`: the large one, else the field; `rate` and `kbit`: 0, as it suits;
    `clock`: the time of day is shown.
    """

    begin: float = 0.0
    end: float | None = None
    producers: tuple[int, ...] = ()
    main: int | None = None
    names: bool = True
    marks: bool = True
    pointers: bool = True
    sound: bool = True
    title: bool = True
    language: Language = "en"
    height: int = 1080
    rate: int = 0
    kbit: int = 0
    bookmarks: tuple[Bookmark, ...] = field(default=())
    masks: tuple[Mask, ...] = ()
    clock: bool = True


_RANGE = ("from", "to")


def camera_options(fields: Mapping[str, object]) -> Options:
    """Read what a camera's own film may be."""
    return read(fields, {*_RANGE, "producers", "sound"})


def clip_options(fields: Mapping[str, object]) -> Options:
    """Read the same with a beginning and an end, which a clip must have."""
    options = camera_options(fields)
    if options.end is None:
        raise ExportError("A clip has an end: `to`, in seconds.")
    return options


def captions_options(fields: Mapping[str, object]) -> Options:
    """Read how captions are written."""
    return read(fields, {*_RANGE, "names", "language", "bookmarks"})


def annotations_options(fields: Mapping[str, object]) -> Options:
    """Read how annotations are written."""
    return read(fields, {*_RANGE, "names", "language"})


def composed_options(fields: Mapping[str, object]) -> Options:
    """Read how the one film is made."""
    allowed = {*_RANGE, "producers", "main", "names", "marks", "pointers", "sound", "title", "language"}
    return read(fields, {*allowed, "height", "rate", "kbit", "bookmarks"})


def read(fields: Mapping[str, object], allowed: Collection[str]) -> Options:
    """Read the fields that a kind knows. Raises ExportError for any other, and for a value that cannot be."""
    unknown = sorted(set(fields) - set(allowed))
    if unknown:
        raise ExportError(f"This kind of export has no option {unknown[0][:40]!r}.")
    begin = _seconds(fields, "from") or 0.0
    end = _seconds(fields, "to")
    if end is not None and end - begin < SHORTEST_CLIP:
        raise ExportError(f"An export lasts at least {SHORTEST_CLIP} s: `to` comes after `from`.")
    language = fields.get("language", "en")
    if language not in ("en", "zh"):
        raise ExportError("`language` is en or zh.")
    main = fields.get("main")
    return Options(
        begin=begin,
        end=end,
        producers=_producers(fields.get("producers")),
        main=None if main is None else _producer(main),
        names=_flag(fields, "names"),
        marks=_flag(fields, "marks"),
        pointers=_flag(fields, "pointers"),
        sound=_flag(fields, "sound"),
        title=_flag(fields, "title"),
        language="zh" if language == "zh" else "en",
        height=_one_of(fields, "height", HEIGHTS, 1080),
        rate=_one_of(fields, "rate", (0, *RATES), 0),
        kbit=_kbit(fields),
        bookmarks=_bookmarks(fields.get("bookmarks")),
    )


def _seconds(fields: Mapping[str, object], name: str) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ExportError(f"`{name}` is a number of seconds.")
    if not 0 <= value <= MOST_SECONDS:
        raise ExportError(f"`{name}` lies within the recording.")
    return float(value)


def _flag(fields: Mapping[str, object], name: str) -> bool:
    value = fields.get(name, True)
    if not isinstance(value, bool):
        raise ExportError(f"`{name}` is true or false.")
    return value


def _one_of(fields: Mapping[str, object], name: str, values: tuple[int, ...], usual: int) -> int:
    value = fields.get(name, usual)
    if type(value) is not int or value not in values:
        raise ExportError(f"`{name}` is one of {', '.join(str(each) for each in values)}.")
    return value


def _kbit(fields: Mapping[str, object]) -> int:
    value = fields.get("kbit", 0)
    if type(value) is not int or not (value == 0 or 500 <= value <= 80_000):
        raise ExportError("`kbit` is 0 or from 500 to 80000.")
    return value


def _producer(value: object) -> int:
    if type(value) is not int or not 0 < value < 1 << 32:
        raise ExportError("A producer is named by its number.")
    return value


def _producers(value: object) -> tuple[int, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not 0 < len(value) <= 64:
        raise ExportError("`producers` is a list of 1 to 64 numbers.")
    return tuple(sorted({_producer(each) for each in value}))


def _bookmarks(value: object) -> tuple[Bookmark, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MOST_BOOKMARKS:
        raise ExportError(f"`bookmarks` is a list of at most {MOST_BOOKMARKS}.")
    found = []
    for each in value:
        text = each.get("text") if isinstance(each, dict) else None
        at = _seconds(each, "at") if isinstance(each, dict) else None
        if at is None or not isinstance(text, str) or not 0 < len(text) <= BOOKMARK_CHARACTERS:
            raise ExportError("A bookmark has a time `at`, and a `text` of 1 to 200 characters.")
        found.append(Bookmark(at, " ".join(text.split())))
    return tuple(sorted(found, key=lambda bookmark: bookmark.at))
