"""The coordinates in a structured report's tree (PS3.3 C.17.3), by the group of measurements that they belong to."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pydicom.dataset import Dataset

from ..shapes import Point

#: A tree of TID 1500 is seven deep.
DEPTH_LIMIT: Final = 16
NODES_LIMIT: Final = 20_000
VALUES_LIMIT: Final = 65_536

_TRACKING_IDENTIFIER: Final = "112039"
_ACTIVITY_SESSION: Final = "C67447"
_OBSERVER_NAME: Final = "121008"
_MEASUREMENT_GROUP: Final = "125007"


@dataclass(frozen=True, slots=True)
class Coordinates:
    """One SCOORD on one frame of one image, in its pixels."""

    kind: str
    points: tuple[Point, ...]
    image: str
    frame: int


@dataclass(slots=True)
class Group:
    """A group of measurements: what tracks it, whose it is, and its coordinates in the tree's order."""

    tracking: str = ""
    name: str = ""
    parts: list[Coordinates] = field(default_factory=list)


def coordinates_of(dataset: Dataset) -> list[Group]:
    """Gather the coordinates of a report."""
    walk = _Walk()
    outside = Group()
    walk.visit(dataset, outside, 0)
    groups = [*walk.groups, outside]
    for group in groups:
        group.name = group.name or walk.observer
    return [group for group in groups if group.parts]


class _Walk:
    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.observer = ""
        self._nodes = 0

    def visit(self, node: Dataset, group: Group, depth: int) -> None:
        """Go through a node's children."""
        content = node.get("ContentSequence")
        if depth > DEPTH_LIMIT or content is None or isinstance(content, str | bytes):
            return
        for child in content:
            self._nodes += 1
            if self._nodes > NODES_LIMIT or not isinstance(child, Dataset):
                return
            kind, concept = str(child.get("ValueType", "")), _concept(child)
            if kind == "TEXT" and concept == _TRACKING_IDENTIFIER:
                group.tracking = str(child.get("TextValue", ""))[:128]
            elif kind == "TEXT" and concept == _ACTIVITY_SESSION:
                group.name = str(child.get("TextValue", ""))[:128]
            elif kind == "PNAME" and concept == _OBSERVER_NAME:
                self.observer = str(child.get("PersonName", "")).replace("^", " ")[:128]
            elif kind == "SCOORD":
                group.parts.extend(_scoord(child))
            if kind == "CONTAINER" and concept == _MEASUREMENT_GROUP:
                inner = Group()
                self.groups.append(inner)
                self.visit(child, inner, depth + 1)
            else:
                self.visit(child, group, depth + 1)


def _concept(node: Dataset) -> str:
    sequence = node.get("ConceptNameCodeSequence")
    if not sequence or isinstance(sequence, str | bytes) or not isinstance(sequence[0], Dataset):
        return ""
    return str(sequence[0].get("CodeValue", ""))


def _scoord(node: Dataset) -> Iterator[Coordinates]:
    kind = str(node.get("GraphicType", ""))
    data: Any = node.get("GraphicData") or []
    numbers = [float(value) for value in data[:VALUES_LIMIT]]
    if len(numbers) < 2 or not all(map(math.isfinite, numbers)):
        return
    points = tuple(zip(numbers[::2], numbers[1::2], strict=False))
    for image, frame in _images(node):
        if kind == "MULTIPOINT":
            for point in points[:100]:
                yield Coordinates("POINT", (point,), image, frame)
        else:
            yield Coordinates(kind, points, image, frame)


def _images(node: Dataset) -> Iterator[tuple[str, int]]:
    content = node.get("ContentSequence")
    if content is None or isinstance(content, str | bytes):
        return
    for child in content:
        if not isinstance(child, Dataset) or child.get("ValueType") != "IMAGE":
            continue
        for item in child.get("ReferencedSOPSequence") or []:
            frames = item.get("ReferencedFrameNumber")
            first = frames if frames is None or isinstance(frames, int | str) else next(iter(frames))
            yield str(item.get("ReferencedSOPInstanceUID", "")), max(1, int(first or 1))
