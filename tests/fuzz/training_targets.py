"""What is asked of training over HTTP: questions and answers."""

from __future__ import annotations

import json

from annotation.values import AnnotationError
from server.training.assessments import parse_assessed
from server.training.body import parse_body
from server.training.certificates import parse_code
from server.training.changes import parse_change
from server.training.forms import check_answers, parse_form
from server.training.geometry import compare, figure_of
from server.training.playlists import parse_playlist
from server.training.questions import parse_answer, parse_asked
from server.training.watched import length, merge, parse_played

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
        {**_ASKED, "version": 3, "answer": {"mark": _MARK}},
        {**_ASKED, "version": 1},
        {"mark": _MARK | {"shape": "ellipse"}},
        {"mark": _MARK | {"shape": "pin", "points": [[1, 1]]}},
    )
)


def read_asked(data: bytes) -> None:
    """Read a request: an answer that is one can be compared."""
    body = parse_body(data)
    if "version" in body:
        change = parse_change(body)
        assert change.drawn is None or change.log_mark is None
        return
    if "answer" in body:
        parse_asked(body)
        return
    mark = parse_answer(body)
    figure = figure_of(mark.shape, mark.points, 1.5)
    compared = compare(figure, figure)
    assert 0 <= compared.distance < 1
    assert compared.overlap is None or 0 <= compared.overlap <= 1


_ITEMS = [
    {"kind": "scale", "label": "a", "low": 1, "high": 5, "anchors": {"1": "b"}},
    {"kind": "yes_no", "label": "c"},
    {"kind": "text", "label": "d"},
]
LEARNED = tuple(
    json.dumps(value).encode()
    for value in (
        {"played": [{"from": 0, "to": 5, "speed": 1}, {"from": 4, "to": 9.5, "speed": 2}]},
        {"title": "T", "items": [{"recording": "r", "from": 1, "until": 2}], "due": 1, "people": ["p-1"]},
        {"title": "T", "items": _ITEMS, "answers": [3, True, "x"]},
        {
            "form": "osats",
            "version": 1,
            "person": "p-1",
            "recording": "r",
            "from": 1,
            "until": 2,
            "answers": [],
        },
        {"code": "abcd-efgh 2345-67AB"},
    )
)


def read_learned(data: bytes) -> None:
    """Read what is told of learning: each parser takes it or refuses it."""
    body = parse_body(data)
    if "played" in body:
        played = parse_played(body)
        merged = merge((part.begins, part.ends) for part in played)
        assert 0 < length(merged) <= 1e6
    elif "code" in body:
        assert len(parse_code(body)) == 16
    elif "form" in body:
        parse_assessed(body)
    elif "answers" in body:
        answers, points, most = check_answers(parse_form(body)[1], body["answers"])
        assert any(answer is not None for answer in answers)
        assert points is None or 0 <= points <= (most or 0)
    else:
        assert parse_playlist(body).items
