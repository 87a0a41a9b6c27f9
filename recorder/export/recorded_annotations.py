"""The kind `annotations`: every mark of a recording as a W3C Web Annotation, in JSON-LD.

A mark's target is its camera's film, a part of it in time (Media Fragments URI 1.0) and within that an outline (SVG);
on an image its UID, on a frozen frame the frame. What a mark is and how it is drawn says
`annotation/dicom/web_annotation`, as for what leaves a live room.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

from annotation.anchors import VideoAnchor
from annotation.dicom.outgoing import DrawnMark
from annotation.dicom.web_annotation import web_annotations
from annotation.notes import Instruct

from .options import Options
from .people import People
from .shown import Seen, Timeline
from .work import Work

NAME = "annotations.jsonld"
JSON_LD = 'application/ld+json; profile="http://www.w3.org/ns/anno.jsonld"'

#: A page of the whiteboard is 16 by 9; of an image only the shape counts.
_BOARD = (1600, 900)
_IMAGE = (1000, 1000)


@dataclass(slots=True)
class Life:
    """A mark as it last looked, and from when to when it was seen."""

    seen: Seen
    begin: float
    end: float


def run(work: Work, options: Options) -> None:
    """Write the file."""
    timeline = Timeline(work.description)
    if not work.has(NAME):
        page = annotation_page(timeline, work.description, options)
        work.write(NAME, json.dumps(page, ensure_ascii=False, indent=1).encode())
    work.add(NAME, JSON_LD)
    work.part(0.0, 1.0)(1.0)


def annotation_page(timeline: Timeline, description: dict[str, Any], options: Options) -> dict[str, Any]:
    """Write the AnnotationPage; the same recording gives the same identifiers each time."""
    people = People(description, options)
    space = uuid.uuid5(uuid.NAMESPACE_URL, f"konsil:{description.get('recording')}")
    lives = [
        life
        for life in lives_of(timeline)
        if life.end > options.begin and (options.end is None or life.begin < options.end)
    ]
    asked: dict[str, list[str]] = {}
    for _, _, written in timeline.words():
        if isinstance(written, Instruct) and written.mark is not None and written.text:
            asked.setdefault(written.mark, []).append(written.text)
    by_mark = {life.seen.mark.mark: life for life in lives}
    sizes = _sizes(description)

    def locate(drawn: DrawnMark) -> tuple[str, int, int]:
        anchor = drawn.mark.anchor
        if isinstance(anchor, VideoAnchor):
            return f"urn:uuid:{uuid.uuid5(space, f'camera {anchor.producer}')}", *sizes.get(
                anchor.producer, _BOARD
            )
        place = f"{anchor.place[0]} {anchor.place[1]}"
        return f"urn:uuid:{uuid.uuid5(space, place)}", *(_BOARD if anchor.surface == "board" else _IMAGE)

    drawn = [
        DrawnMark(
            life.seen.mark,
            life.seen.author,
            people.name(life.seen.author),
            life.seen.colour,
            max(0.0, life.seen.anchored / 1000),
        )
        for life in lives
    ]
    page = web_annotations(drawn, locate, f"urn:uuid:{space}", instructions=asked)
    for item in page["items"]:
        life = by_mark[item["id"].partition("#")[2]]
        _lay_in_time(item, life, timeline)
    return page


def _lay_in_time(item: dict[str, Any], life: Life, timeline: Timeline) -> None:
    """Say when the mark is seen on its film, and within that where."""
    anchor = life.seen.mark.anchor
    if not isinstance(anchor, VideoAnchor):
        return
    camera = timeline.cameras.get(anchor.producer)
    offset = camera.offset if camera is not None else 0.0
    begin, end = max(0.0, life.begin - offset), max(0.0, life.end - offset)
    item["target"]["selector"] = {
        "type": "FragmentSelector",
        "conformsTo": "http://www.w3.org/TR/media-frags/",
        "value": f"t={begin:.3f},{max(end, begin + 0.001):.3f}",
        "refinedBy": item["target"]["selector"],
    }


def lives_of(timeline: Timeline) -> list[Life]:
    """List every mark that was ever seen, in the order of its beginning."""
    lives: dict[str, Life] = {}
    for number, turn in enumerate(timeline.turns):
        until = (
            timeline.turns[number + 1] if number + 1 < len(timeline.turns) else max(timeline.seconds, turn)
        )
        for seen in timeline.marks_at(turn):
            life = lives.setdefault(seen.mark.mark, Life(seen, turn, until))
            life.seen, life.end = seen, max(life.end, until)
    return sorted(lives.values(), key=lambda life: (life.begin, life.seen.sequence))


def _sizes(description: dict[str, Any]) -> dict[int, tuple[int, int]]:
    found = {}
    for camera in description.get("cameras") or []:
        size = camera.get("width"), camera.get("height")
        if all(type(side) is int and side > 0 for side in size):
            found[camera["producer"]] = size
    return found
