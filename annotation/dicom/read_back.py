"""Marks out of a hospital's objects: presentation states and measurement reports, ours and others'.

What Konsil wrote comes back as it was: the TrackingID names shape and mark. Of others' objects polylines, ellipses,
circles, points and text come as what is most like them. Read tolerantly and within bounds: what cannot be understood is
counted, not guessed; a lying file costs its own marks and nothing else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from pydicom.dataset import Dataset

from ..shapes import FORMS, POINTS_LIMIT, Point, Shape
from ..values import AnnotationError, as_text
from .cielab import hex_from_lab, lab_from_words
from .reading import FAILURES
from .report_reading import Coordinates, coordinates_of

GRAYSCALE_STATE: Final = "1.2.840.10008.5.1.4.1.1.11.1"
COLOUR_STATE: Final = "1.2.840.10008.5.1.4.1.1.11.2"
#: Basic Text, Enhanced, Comprehensive, Comprehensive 3D.
REPORTS: Final = frozenset(f"1.2.840.10008.5.1.4.1.1.88.{kind}" for kind in ("11", "22", "33", "34"))
#: What of one object is looked at: more than a room holds.
MARKS_LIMIT: Final = 1_000
ITEMS_LIMIT: Final = 5_000
#: Neither object says how wide a line is.
WIDTH: Final = 0.004
UNKNOWN_COLOUR: Final = "#f0f0f0"
UNKNOWN_NAME: Final = "PACS"

_TRACKING: Final = re.compile(r"([a-z_]+) ([A-Za-z0-9-]{1,64})")
#: Columns and rows of an image, by the hospital's SOPInstanceUID; None: the room has no such image.
Sizes = Callable[[str], tuple[int, int] | None]


@dataclass(frozen=True, slots=True)
class ReadMark:
    """A mark as a file has it: on which image (the hospital's UID) and frame, points in fractions."""

    key: str
    shape: Shape
    image: str
    frame: int
    points: tuple[Point, ...]
    text: str
    name: str
    colour: str


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What was understood; `skipped` counts what was not, `missing` names images that marks wait for."""

    marks: tuple[ReadMark, ...]
    skipped: int
    missing: frozenset[str] = frozenset()


class ReadBackError(ValueError):
    """The object is none that bears marks. The text is a sentence without anything of the file."""


def is_readable(sop_class: str) -> bool:
    """Tell whether objects of this class may bear marks."""
    return sop_class in REPORTS or sop_class in (GRAYSCALE_STATE, COLOUR_STATE)


def read_back(dataset: Dataset, sizes: Sizes) -> ReadBack:
    """Read an object's marks. Raise ReadBackError if it is none that has any."""
    try:
        sop_class = str(dataset.get("SOPClassUID", ""))
    except FAILURES:
        sop_class = ""
    if not is_readable(sop_class):
        raise ReadBackError("This is neither a presentation state nor a report.")
    found = _Found(sizes)
    try:
        if sop_class in REPORTS:
            _read_report(dataset, found)
        else:
            _read_state(dataset, found)
    except FAILURES:
        found.skipped += 1
    return ReadBack(tuple(found.marks), found.skipped, frozenset(found.missing))


class _Found:
    """Gathers marks within bounds."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self.marks: list[ReadMark] = []
        self.skipped = 0
        self.missing: set[str] = set()
        self._looked = 0

    def more(self) -> bool:
        """Count one item; False: enough was looked at."""
        self._looked += 1
        return self._looked <= ITEMS_LIMIT and len(self.marks) < MARKS_LIMIT

    def add(
        self, key: str, shape: str, image: str, frame: int, points: Sequence[Point], **words: str
    ) -> None:
        """Add a mark whose points are pixels, if it is a valid one."""
        size = self.sizes(image)
        form = FORMS.get(shape)
        if form is None:
            self.skipped += 1
            return
        if size is None:
            self.missing.add(image)
            return
        points = _thinned(points)
        columns, rows = size
        fractions = tuple((x / columns, y / rows) for x, y in points)
        # a hundredth of a pixel beyond the border is rounding; more is another picture
        slack = 0.01 / min(columns, rows)
        if not form.least <= len(points) <= form.most or not all(
            -slack <= x <= 1 + slack and -slack <= y <= 1 + slack for x, y in fractions
        ):
            self.skipped += 1
            return
        inside = tuple((min(1.0, max(0.0, x)), min(1.0, max(0.0, y))) for x, y in fractions)
        text = "" if form.text is None else _words(words.get("text", ""), form.text[1])
        if form.text is not None and len(text) < form.text[0]:
            self.skipped += 1
            return
        name = _words(words.get("name", ""), 64) or UNKNOWN_NAME
        colour = words.get("colour") or UNKNOWN_COLOUR
        self.marks.append(ReadMark(key, cast(Shape, shape), image, frame, inside, text, name, colour))


# presentation states


def _read_state(dataset: Dataset, found: _Found) -> None:
    layers = _layers(dataset)
    creator = _name(dataset.get("ContentCreatorName"))
    for annotation in _items(dataset, "GraphicAnnotationSequence"):
        try:
            images = list(_references(annotation)) or list(_all_references(dataset))
            name, colour = layers.get(str(annotation.get("GraphicLayer", "")), ("", ""))
            parts = [*_graphics(annotation, found), *_texts(annotation, found)]
        except FAILURES:
            found.skipped += 1
            continue
        for image, frame in images[:64]:
            _place(parts, image, frame, found, name=name or creator, colour=colour)


@dataclass(slots=True)
class _Part:
    """A graphic or text object: its kind, points in pixels, and what tracks it."""

    kind: str
    points: list[Point]
    text: str
    tracking: str
    group: str


def _graphics(annotation: Dataset, found: _Found) -> Iterator[_Part]:
    for item in _items(annotation, "GraphicObjectSequence"):
        if not found.more():
            return
        data = item.get("GraphicData") or []
        numbers = [float(value) for value in data[: 4 * POINTS_LIMIT * 8]]
        if item.get("GraphicAnnotationUnits") != "PIXEL" or not all(map(math.isfinite, numbers)):
            found.skipped += 1
            continue
        points = list(zip(numbers[::2], numbers[1::2], strict=False))
        yield _Part(str(item.get("GraphicType", "")), points, "", *_tracking(item))


def _texts(annotation: Dataset, found: _Found) -> Iterator[_Part]:
    for item in _items(annotation, "TextObjectSequence"):
        if not found.more():
            return
        for corner in ("AnchorPoint", "BoundingBoxTopLeftHandCorner"):
            units = item.get(
                "AnchorPointAnnotationUnits" if corner == "AnchorPoint" else "BoundingBoxAnnotationUnits"
            )
            numbers = [float(value) for value in item.get(corner) or []]
            if len(numbers) == 2 and units == "PIXEL" and all(map(math.isfinite, numbers)):
                text = str(item.get("UnformattedTextValue", ""))
                yield _Part("TEXT", [(numbers[0], numbers[1])], text, *_tracking(item))
                break
        else:
            found.skipped += 1


def _tracking(item: Dataset) -> tuple[str, str]:
    return str(item.get("TrackingID", "") or ""), str(item.get("TrackingUID", "") or "")


def _place(parts: Sequence[_Part], image: str, frame: int, found: _Found, *, name: str, colour: str) -> None:
    """Put an annotation's parts together to marks on one frame: ours by their tracking, others' one by one."""
    groups: dict[str, list[_Part]] = {}
    for number, part in enumerate(parts):
        ours = _TRACKING.fullmatch(part.tracking) and part.group
        groups.setdefault(part.group if ours else f"\0{number}", []).append(part)
    for group, members in groups.items():
        match = _TRACKING.fullmatch(members[0].tracking)
        if match and match[1] in FORMS and not group.startswith("\0"):
            shape, key = match[1], f"{match[2]}"
            text = _text_of(members, shape)
            points = _points_of(shape, [(part.kind, part.points) for part in members])
            found.add(key, shape, image, frame, points, text=text, name=name, colour=colour)
        else:
            for part in members:
                shape, points = _likest(part.kind, part.points)
                text = part.text if shape in ("text", "pin") else ""
                found.add("", shape, image, frame, points, text=text, name=name, colour=colour)


def _text_of(parts: Sequence[_Part], shape: str) -> str:
    text = next((part.text for part in parts if part.kind == "TEXT"), "")
    # the room numbers its pins itself
    return re.sub(r"^\d{1,2}( |$)", "", text) if shape == "pin" else text


def _points_of(shape: str, graphics: Sequence[tuple[str, Sequence[Point]]]) -> list[Point]:
    """Undo what `outlines.outline` does: the points that the mark was drawn by."""
    drawn = [(kind, list(points)) for kind, points in graphics if kind != "TEXT"]
    if shape == "text":
        return [point for kind, points in graphics if kind == "TEXT" for point in points][:1]
    if not drawn:
        return []
    kind, first = drawn[0]
    match shape:
        case "ellipse" | "roi_ellipse":
            return _box(first) if kind == "ELLIPSE" and len(first) == 4 else []
        case "rectangle" | "roi_rectangle":
            return [first[0], first[2]] if len(first) == 5 else []
        case "polygon":
            return first[:-1]
        case "cobb" | "bidirectional":
            return [*first[:2], *drawn[1][1][:2]] if len(drawn) > 1 else []
        case _:
            return first


def _likest(kind: str, points: Sequence[Point]) -> tuple[str, list[Point]]:
    """Find what another's graphic is most like; an empty shape: nothing."""
    if kind == "TEXT":
        return "text", list(points)
    if kind == "POINT" and len(points) == 1:
        return "pin", list(points)
    if kind == "CIRCLE" and len(points) == 2:
        (x, y), edge = points
        radius = math.hypot(edge[0] - x, edge[1] - y)
        return "ellipse", [(x - radius, y - radius), (x + radius, y + radius)]
    if kind == "ELLIPSE" and len(points) == 4:
        upright = any(
            abs(points[0][axis] - points[1][axis]) < 0.5
            and abs(points[2][1 - axis] - points[3][1 - axis]) < 0.5
            for axis in (0, 1)
        )
        return ("ellipse", _box(points)) if upright else ("polygon", _round(points))
    if kind in ("POLYLINE", "INTERPOLATED") and len(points) >= 2:
        if len(points) == 2:
            return "line", list(points)
        if points[0] == points[-1] and 4 <= len(points) <= 201 and kind == "POLYLINE":
            return "polygon", list(points[:-1])
        return "freehand", list(points)
    return "", []


def _box(points: Sequence[Point]) -> list[Point]:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return [(min(xs), min(ys)), (max(xs), max(ys))]


def _round(points: Sequence[Point]) -> list[Point]:
    """Walk round a slanting ellipse, given by the ends of its axes."""
    a, b, c, d = points
    x, y = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
    along, across = (b[0] - x, b[1] - y), (d[0] - (c[0] + d[0]) / 2, d[1] - (c[1] + d[1]) / 2)
    turns = [2 * math.pi * step / 64 for step in range(64)]
    return [
        (
            x + math.cos(t) * along[0] + math.sin(t) * across[0],
            y + math.cos(t) * along[1] + math.sin(t) * across[1],
        )
        for t in turns
    ]


def _layers(dataset: Dataset) -> dict[str, tuple[str, str]]:
    """Read each layer's description, where Konsil has the expert's name, and its colour."""
    found = {}
    for item in _items(dataset, "GraphicLayerSequence"):
        lab = item.get("GraphicLayerRecommendedDisplayCIELabValue")
        colour = ""
        if lab is not None and len(lab) == 3:
            first, second, third = (max(0, min(65535, int(value))) for value in lab)
            colour = hex_from_lab(lab_from_words((first, second, third)))
        name = str(item.get("GraphicLayerDescription", "") or item.get("GraphicLayer", ""))
        found[str(item.get("GraphicLayer", ""))] = (name, colour)
    return found


def _references(annotation: Dataset) -> Iterator[tuple[str, int]]:
    for item in _items(annotation, "ReferencedImageSequence"):
        uid = str(item.get("ReferencedSOPInstanceUID", ""))
        frames = item.get("ReferencedFrameNumber")
        if frames is None or frames == "":
            yield uid, 1
            continue
        for frame in [frames] if isinstance(frames, int | str) else list(frames)[:64]:
            yield uid, max(1, int(frame))


def _all_references(dataset: Dataset) -> Iterator[tuple[str, int]]:
    """An annotation that names no image is on all of the state (PS3.3 C.10.5.1)."""
    for series in _items(dataset, "ReferencedSeriesSequence"):
        yield from _references(series)


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    value = dataset.get(keyword)
    if value is None or isinstance(value, str | bytes):
        return []
    return [item for item in list(value)[:ITEMS_LIMIT] if isinstance(item, Dataset)]


# reports


def _read_report(dataset: Dataset, found: _Found) -> None:
    for group in coordinates_of(dataset):
        if not found.more():
            return
        match = _TRACKING.fullmatch(group.tracking)
        if match and match[1] in FORMS:
            drawn = [(part.kind, part.points) for part in _once(group.parts)]
            points = _points_of(match[1], drawn)
            if match[1] == "bidirectional" and len(drawn) > 1:
                # the long axis stands first in a report, whichever was drawn first: so it is in the mark
                points = [*drawn[0][1][:2], *drawn[1][1][:2]]
            image, frame = group.parts[0].image, group.parts[0].frame
            found.add(match[2], match[1], image, frame, points, name=group.name)
            continue
        for part in group.parts:
            shape, points = _measured_like(part)
            found.add("", shape, part.image, part.frame, points, name=group.name)


def _once(parts: Sequence[Coordinates]) -> list[Coordinates]:
    """A value's coordinates stand at each value that was taken from them."""
    kept: list[Coordinates] = []
    for part in parts:
        if part not in kept:
            kept.append(part)
    return kept


def _measured_like(part: Coordinates) -> tuple[str, list[Point]]:
    if part.kind == "POINT":
        return "probe", list(part.points[:1])
    if part.kind == "POLYLINE" and len(part.points) == 2:
        return "length", list(part.points)
    shape, points = _likest(part.kind, part.points)
    return ("roi_ellipse" if shape == "ellipse" else shape), points


# words


def _words(text: str, limit: int) -> str:
    cleaned = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())[
        :limit
    ].strip()
    try:
        return as_text(cleaned, "text", 0, limit)
    except AnnotationError:
        return ""


def _name(value: Any) -> str:
    return " ".join(str(value or "").replace("^", " ").split())


def _thinned(points: Sequence[Point]) -> Sequence[Point]:
    """Take so many points of a long line as a mark may have, the ends among them."""
    if len(points) <= POINTS_LIMIT:
        return points
    step = (len(points) - 1) / (POINTS_LIMIT - 1)
    return [points[round(at * step)] for at in range(POINTS_LIMIT)]
