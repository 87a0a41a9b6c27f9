"""Marks as W3C Web Annotations (https://www.w3.org/TR/annotation-model/), in JSON-LD.

A target is an image by its WADO-RS address or, for a frame of the stream, by the still that the server keeps of it;
where on it says an SVG selector in pixels. Nothing of the patient stands in it but the image's UIDs. What was
measured stands in the body, and what was asked for by a mark in another.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from ..anchors import DicomAnchor, VideoAnchor
from .outgoing import DrawnMark
from .outlines import Graphic, Words, outline

CONTEXT = "http://www.w3.org/ns/anno.jsonld"

#: Gives the address, width and height of what a mark stands on; None: it cannot be named, and the mark is left out.
Locator = Callable[[DrawnMark], tuple[str, int, int] | None]


def place_of(drawn: DrawnMark) -> str:
    """Name what a mark stands on: an image's UID and frame, or a still; empty: a live picture, or the whiteboard."""
    anchor = drawn.mark.anchor
    if isinstance(anchor, DicomAnchor):
        return f"{anchor.sop_instance_uid} {anchor.frame}"
    if isinstance(anchor, VideoAnchor) and anchor.still:
        return f"{anchor.producer}-{anchor.rtp_timestamp}"
    return ""


def web_annotations(
    marks: Iterable[DrawnMark],
    locate: Locator,
    identifier: str,
    labels: Mapping[str, str] | None = None,
    *,
    instructions: Mapping[str, Sequence[str]] | None = None,
    dated: bool = True,
) -> dict[str, Any]:
    """Write an AnnotationPage; `identifier` is its IRI, such as urn:uuid:…

    By mark: `labels` say what it measures, `instructions` what was asked for by it. Not `dated`: without times.
    """
    items = []
    for drawn in marks:
        found = locate(drawn)
        if found is not None:
            label, asked = (
                (labels or {}).get(drawn.mark.mark, ""),
                (instructions or {}).get(drawn.mark.mark, ()),
            )
            items.append(_annotation(drawn, found, identifier, label, asked, dated=dated))
    return {"@context": CONTEXT, "id": identifier, "type": "AnnotationPage", "items": items}


def _annotation(
    drawn: DrawnMark,
    found: tuple[str, int, int],
    page: str,
    label: str,
    asked: Sequence[str],
    *,
    dated: bool,
) -> dict[str, Any]:
    source, columns, rows = found
    mark = drawn.mark
    created = datetime.datetime.fromtimestamp(drawn.time, datetime.UTC).isoformat(timespec="milliseconds")
    annotation: dict[str, Any] = {
        "@context": CONTEXT,
        "id": f"{page}#{mark.mark}",
        "type": "Annotation",
        "motivation": "assessing" if label else "commenting" if mark.text else "highlighting",
        **({"created": created.replace("+00:00", "Z")} if dated else {}),
        "creator": {"type": "Person", "name": drawn.name},
        "target": {
            "source": source,
            "selector": {"type": "SvgSelector", "value": _svg(drawn, columns, rows)},
        },
    }
    bodies: list[dict[str, Any]] = [
        {"type": "TextualBody", "value": text, "format": "text/plain", "purpose": purpose}
        for text, purpose in (
            (mark.text, "commenting"),
            (label, "assessing"),
            *((a, "describing") for a in asked),
        )
        if text
    ]
    if bodies:
        annotation["body"] = bodies[0] if len(bodies) == 1 else bodies
    return annotation


def _svg(drawn: DrawnMark, columns: int, rows: int) -> str:
    width = max(1.0, drawn.mark.width * rows)
    shapes = "".join(_element(part) for part in outline(drawn.mark, columns, rows))
    colour = escape(drawn.colour, {'"': "&quot;"})
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {columns} {rows}">'
        f'<g fill="none" stroke="{colour}" stroke-width="{width:g}">{shapes}</g></svg>'
    )


def _element(part: Graphic | Words) -> str:
    if isinstance(part, Words):
        x, y = part.at
        return (
            f'<text x="{x:g}" y="{y + part.height:g}" font-size="{part.height:g}">{escape(part.text)}</text>'
        )
    if part.kind == "POINT":
        x, y = part.points[0]
        return f'<circle cx="{x:.6g}" cy="{y:.6g}" r="1"/>'
    if part.kind == "ELLIPSE":
        xs, ys = [point[0] for point in part.points], [point[1] for point in part.points]
        x, y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
        wide, high = (max(xs) - min(xs)) / 2, (max(ys) - min(ys)) / 2
        return f'<ellipse cx="{x:.6g}" cy="{y:.6g}" rx="{wide:.6g}" ry="{high:.6g}"/>'
    points = " ".join(f"{x:.6g},{y:.6g}" for x, y in part.points)
    return f'<polyline points="{points}"/>'
