"""What a mark is: its shapes and what each may have, and the parser of marks.

Points are fractions of the picture: x right, y down, both 0-1. What is measured is never on the wire: each side
computes it from the points and the spacing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from .anchors import Anchor, Surface, VideoAnchor, parse_anchor
from .values import as_flag, as_identifier, as_integer, as_number, as_object, as_text, bad

#: 33 s of drawing at 60 points a second.
POINTS_LIMIT: Final = 2_000
POLYGON_LIMIT: Final = 200
TEXT_LIMIT: Final = 200
PIN_TEXT_LIMIT: Final = 80
WIDTHS: Final = (0.001, 0.05)
PIN_NUMBERS: Final = 99

Point = tuple[float, float]
Shape = Literal[
    "freehand",
    "line",
    "arrow",
    "ellipse",
    "rectangle",
    "polygon",
    "text",
    "pin",
    "length",
    "angle",
    "cobb",
    "bidirectional",
    "roi_ellipse",
    "roi_rectangle",
    "probe",
]


@dataclass(frozen=True, slots=True)
class Form:
    """What a shape may have: points, least and most; characters of text, least and most; where it may be drawn."""

    least: int
    most: int
    text: tuple[int, int] | None = None
    surfaces: tuple[Surface, ...] = ("field", "dicom", "board")


_IMAGES: Final[tuple[Surface, ...]] = ("dicom",)

FORMS: Final[dict[str, Form]] = {
    "freehand": Form(1, POINTS_LIMIT),
    "line": Form(2, 2),
    "arrow": Form(2, 2),  # tail, head
    "ellipse": Form(2, 2),  # corners of its box
    "rectangle": Form(2, 2),  # opposite corners
    "polygon": Form(3, POLYGON_LIMIT),
    "text": Form(1, 1, (1, TEXT_LIMIT)),  # its top left
    "pin": Form(1, 1, (0, PIN_TEXT_LIMIT)),  # its tip
    # measures: a length on a video where that is calibrated, the others on images only
    "length": Form(2, 2, surfaces=("field", "dicom")),
    "angle": Form(3, 3, surfaces=_IMAGES),  # end, vertex, end
    "cobb": Form(4, 4, surfaces=_IMAGES),  # two lines
    "bidirectional": Form(4, 4, surfaces=_IMAGES),  # long axis, short axis
    "roi_ellipse": Form(2, 2, surfaces=_IMAGES),
    "roi_rectangle": Form(2, 2, surfaces=_IMAGES),
    "probe": Form(1, 1, surfaces=_IMAGES),
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A drawing. `mark` is the client's identifier; `width` a fraction of the picture's height.

    `pressures` (freehand) are empty or as many as the points; `follow` asks that it follows the tissue;
    `number` is a pin's, decided by the server, else 0.
    """

    mark: str
    shape: Shape
    anchor: Anchor
    points: tuple[Point, ...]
    width: float
    text: str = ""
    pressures: tuple[float, ...] = field(default=(), kw_only=True)
    follow: bool = field(default=False, kw_only=True)
    number: int = field(default=0, kw_only=True)

    @property
    def tissue(self) -> tuple[object, ...]:
        """What it lies on, and whether it follows it: as long as this is equal a track of the mark holds."""
        # an arrow points with its head: what lies under its tail is nobody's concern
        return self.anchor, self.points[-1:] if self.shape == "arrow" else self.points, self.follow

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        body: dict[str, Any] = {
            "mark": self.mark,
            "shape": self.shape,
            "anchor": self.anchor.to_json(),
            "points": self.points,  # json writes tuples as lists
            "width": self.width,
            "text": self.text,
        }
        if self.pressures:
            body["pressures"] = self.pressures
        if self.follow:
            body["follow"] = True
        if self.number:
            body["number"] = self.number
        return body


def parse_mark(value: object, *, decided: bool = False) -> Mark:
    """Parse a mark; a pin's number counts where the server `decided` it. Raise AnnotationError bad_message."""
    body = as_object(value, "mark")
    shape = body.get("shape")
    form = FORMS.get(shape) if type(shape) is str else None
    if form is None:
        raise bad("shape", f"must be one of {', '.join(FORMS)}")
    points = parse_points(body.get("points"), form.least, form.most)
    anchor = parse_anchor(body.get("anchor"))
    if anchor.surface not in form.surfaces:
        raise bad("shape", f"must not be {shape} on this kind of picture")
    follow = as_flag(body.get("follow", False), "follow")
    if follow and (type(anchor) is not VideoAnchor or anchor.still):
        raise bad("follow", "must not be true but on a live video")
    number = body.get("number")
    return Mark(
        as_identifier(body.get("mark"), "mark"),
        cast(Shape, shape),
        anchor,
        points,
        as_number(body.get("width"), "width", *WIDTHS),
        "" if form.text is None else as_text(body.get("text", ""), "text", *form.text),
        pressures=_pressures(body.get("pressures"), len(points)) if shape == "freehand" else (),
        follow=follow,
        number=as_integer(number, "number", 1, PIN_NUMBERS) if decided and shape == "pin" else 0,
    )


def parse_points(value: object, least: int, most: int) -> tuple[Point, ...]:
    """Parse a list of points."""
    # a tuple is what to_json gave and no encoder has seen
    if not isinstance(value, list | tuple) or not least <= len(value) <= most:
        raise bad("points", f"must be a list of {least} to {most} points")
    return tuple([parse_point(item) for item in value])


def parse_point(value: object) -> Point:
    """Parse [x, y]."""
    if (type(value) is list or type(value) is tuple) and len(value) == 2:
        x, y = value
        # floats mostly; the comparison refuses NaN and infinities, type() refuses true and false
        if (
            (type(x) is float or type(x) is int)
            and (type(y) is float or type(y) is int)
            and 0 <= x <= 1
            and 0 <= y <= 1
        ):
            return (x, y)
    raise bad("points", "must hold pairs of numbers from 0 to 1")


def _pressures(value: object, count: int) -> tuple[float, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or len(value) != count:
        raise bad("pressures", "must be a list of as many numbers as points")
    return tuple([as_number(item, "pressures", 0, 1) for item in value])
