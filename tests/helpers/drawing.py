"""A mark of every shape on one image, and a stamp without clock or chance."""

from __future__ import annotations

import itertools
from typing import Any

import pydicom
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from annotation.anchors import DicomAnchor
from annotation.dicom.outgoing import DrawnMark, Stamp
from annotation.dicom.reading import quietly
from annotation.shapes import FORMS, Mark, Point, Shape

EVERY_SHAPE: dict[Shape, tuple[Point, ...]] = {
    "freehand": ((0.1, 0.2), (0.3, 0.4), (0.513, 0.5)),
    "line": ((0.9, 0.2), (0.3, 0.431)),
    "arrow": ((0.1, 0.1), (0.9, 0.02)),
    "ellipse": ((0.1, 0.2), (0.6, 0.4)),
    "rectangle": ((0.1, 0.1), (0.4, 0.5)),
    "polygon": ((0.1, 0.1), (0.4, 0.5), (0.7, 0.1)),
    "text": ((0.998, 0.97),),
    "pin": ((0.5, 0.5),),
    "length": ((0.2, 0.2), (0.4, 0.4)),
    "angle": ((0.1, 0.1), (0.2, 0.2), (0.1, 0.3)),
    "cobb": ((0.1, 0.1), (0.2, 0.2), (0.1, 0.3), (0.4, 0.4)),
    "bidirectional": ((0.1, 0.3), (0.4, 0.4), (0.1, 0.1), (0.2, 0.2)),
    "roi_ellipse": ((0.5, 0.2), (0.6, 0.8)),
    "roi_rectangle": ((0.5, 0.2), (0.6, 0.8)),
    "probe": ((0.3, 0.3),),
}
assert EVERY_SHAPE.keys() == FORMS.keys()

AUTHORS = (("pt-1", "Dr. Li Wei", "#4cc2ff"), ("pt-2", "Anna Meier", "#ffb000"))


def image(name: str) -> Dataset:
    """Read one of pydicom's own test files, whole."""
    path = get_testdata_file(name)
    assert isinstance(path, str)
    return quietly(pydicom.dcmread, path)


def a_stamp(**fields: Any) -> Stamp:
    """Make a stamp whose UIDs count up."""
    numbers = itertools.count(1)
    return Stamp(1_795_305_600.0, lambda: f"2.25.{1_000_000 + next(numbers)}", "0.1.0", **fields)


def mark(shape: Shape, sop: str = "1.2.3", frame: int = 1, text: str = "", number: int = 0) -> Mark:
    """Make a mark of this shape."""
    words = text or ("Look here" if shape == "text" else "")
    numbered = number or (3 if shape == "pin" else 0)
    identifier = f"m-{shape.replace('_', '-')}"
    return Mark(identifier, shape, DicomAnchor(sop, frame), EVERY_SHAPE[shape], 0.004, words, number=numbered)


def every_mark(sop: str, frame: int = 1) -> list[DrawnMark]:
    """Draw every shape, by two authors in turn."""
    return [
        DrawnMark(mark(shape, sop, frame), *AUTHORS[at % 2], 1_795_305_000.0 + at)
        for at, shape in enumerate(EVERY_SHAPE)
    ]
