"""What is asked of training over HTTP: questions and answers."""

from __future__ import annotations

import json

from annotation.values import AnnotationError
from server.training.body import parse_body
from server.training.geometry import compare, figure_of
from server.training.questions import parse_answer, parse_asked

REFUSALS = (AnnotationError,)

_ANCHOR = {"producer": 7, "rtp_timestamp": 9}
_MARK = {
    "mark": "m-1",
    "shape": "freehand",
    "anchor": _ANCHOR,
    "points": [[0.1, 0.2], [0.3, 0]],
    "width": 0.01,
}
_ASKED = {**_ANCHOR, "at": 1.5, "prompt": "Mark it", "words": "a\nb", "tolerance": 5, "overlap": 0.5}
ASKED = tuple(
    json.dumps(value).encode()
    for value in (
        {**_ASKED, "answer": {"log": "m-1"}},
        {**_ASKED, "answer": {"mark": _MARK}},
        {"mark": _MARK | {"shape": "ellipse"}},
        {"mark": _MARK | {"shape": "pin", "points": [[1, 1]]}},
    )
)


def read_asked(data: bytes) -> None:
    """Read a request: an answer that is one can be compared."""
    body = parse_body(data)
    if "answer" in body:
        parse_asked(body)
        return
    mark = parse_answer(body)
    figure = figure_of(mark.shape, mark.points, 1.5)
    compared = compare(figure, figure)
    assert 0 <= compared.distance < 1
    assert compared.overlap is None or 0 <= compared.overlap <= 1
