"""What a film shows at each moment is what a replay shows: held against the page's own code, from the same log."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from recorder.export.shown import Timeline
from tests.helpers.node import NODE, WEB_CLIENT

FIELD = 7
#: RTP timestamps come round within the recording.
FIRST = 4_294_900_000


def at(seconds: float) -> int:
    """Name the frame at a moment."""
    return (FIRST + round(seconds * 90_000)) % (1 << 32)


def live(seconds: float) -> dict[str, Any]:
    """Anchor something to it."""
    return {"producer": FIELD, "rtp_timestamp": at(seconds)}


def _mark(name: str, rtp: int, **more: Any) -> dict[str, Any]:
    anchor = {"producer": FIELD, "rtp_timestamp": rtp}
    body = {
        "mark": name,
        "shape": "line",
        "anchor": anchor,
        "points": [[0.1, 0.1], [0.5, 0.5]],
        "width": 0.01,
        "text": "",
    }
    return {**body, **more}


def description() -> dict[str, Any]:
    """Describe ten seconds: marks come, go, follow, are moved, undone, wiped away; the picture breaks off."""
    still = {"producer": FIELD, "rtp_timestamp": at(5.0), "still": True}
    moved = {"points": [[0.3, 0.3], [0.7, 0.7]]}
    track = {"mark": "b", "state": "good", "matrix": [1, 0, 0, 1, 0.1, 0.05], "confidence": 0.9}
    deeds: list[tuple[float, str, dict[str, Any]]] = [
        (1.0, "pt-1", {"kind": "add", "mark": _mark("a", at(0.5))}),
        (1.5, "pt-2", {"kind": "add", "mark": _mark("b", at(1.2), follow=True)}),
        (1.9, "pt-1", {"kind": "edit", "mark": _mark("a", at(1.7), points=[[0.2, 0.2], [0.6, 0.6]])}),
        (
            2.0,
            "tracker",
            {"kind": "track", "anchor": live(1.8), "tracks": [track]},
        ),
        (2.2, "pt-1", {"kind": "undo", "target": 3}),
        (
            2.6,
            "tracker",
            {
                "kind": "track",
                "anchor": live(2.5),
                "tracks": [{**track, "state": "lost"}],
            },
        ),
        (3.0, "pt-1", {"kind": "redo", "target": 3}),
        (
            3.5,
            "pt-2",
            {"kind": "edit", "marks": [_mark("b", at(3.4), follow=True, **moved)]},
        ),
        (
            4.0,
            "pt-1",
            {"kind": "add", "mark": _mark("c", at(3.9), shape="pin", points=[[0.4, 0.4]], number=1)},
        ),
        (4.5, "pt-1", {"kind": "delete", "marks": ["c"]}),
        (4.8, "pt-1", {"kind": "undo", "target": 10}),
        (6.0, "pt-2", {"kind": "add", "mark": _mark("d", 0) | {"anchor": still}}),
        (7.0, "pt-2", {"kind": "clear_own"}),
        (8.0, "pt-1", {"kind": "clear_field"}),
        (8.5, "pt-1", {"kind": "undo", "target": 14}),
    ]
    names = {"pt-1": "Dr. L", "pt-2": "Prof. K", "tracker": "tracker"}
    field = {
        "producer": FIELD,
        "participant": "pt-1",
        "source": "field",
        "label": "",
        "codec": "H264",
        "file": "",
    }
    clock = {"offset": 0.0, "seconds": 10.0, "first_rtp_timestamp": FIRST, "clock_rate": 90_000}
    signed = [
        {
            "sequence": number,
            "at": when,
            "author": who,
            "name": names[who],
            "colour": "#ffff00",
            "operation": deed,
        }
        for number, (when, who, deed) in enumerate(deeds, 1)
    ]
    on = {"producer": FIELD, "rtp_timestamp": 0}
    pointers: list[dict[str, Any]] = [
        {"at": 5 + 0.05 * n, "author": "pt-2", "anchor": on, "point": [0.1 + 0.01 * n, 0.5]}
        for n in range(30)
    ]
    pointers.append({"at": 6.5, "author": "pt-2", "anchor": None, "point": None})
    return {
        "recording": "r",
        "room": "demo",
        "started": 1.8e12,
        "seconds": 10.0,
        "state": "complete",
        "participants": [],
        "gaps": [],
        "operations": signed,
        "pointers": pointers,
        "cameras": [{**field, **clock, "type": "", "width": 1920, "height": 1080, "audio": None}],
        "events": [{"at": 9.0, "kind": "producer_resumed", "producer": FIELD, "since": at(8.9)}],
    }


@pytest.fixture(scope="module")
def told() -> tuple[dict[str, Any], list[float], list[dict[str, Any]]]:
    described, positions = description(), [round(0.05 * n, 3) for n in range(200)]
    script = Path(WEB_CLIENT) / "test" / "shown_moments.mjs"
    done = subprocess.run(
        [NODE, str(script)],
        input=json.dumps({"description": described, "positions": positions}).encode(),
        cwd=WEB_CLIENT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return described, positions, json.loads(done.stdout)


def test_a_film_shows_what_a_replay_shows(
    told: tuple[dict[str, Any], list[float], list[dict[str, Any]]],
) -> None:
    described, positions, page = told
    timeline = Timeline(described)
    kinds = set()
    for position, expected in zip(positions, page, strict=True):
        marks = []
        for seen in timeline.marks_at(position):
            track, state = timeline.moved(seen, position)
            matrix = None if track is None else list(track.matrix)
            marks.append(
                [seen.mark.mark, [list(point) for point in seen.mark.points], seen.author, state, matrix]
            )
            kinds.add((seen.mark.mark, state))
        assert marks == expected["marks"], position
        pointers = [
            [p.author, [list(point) for point, _ in p.trail]] for p in timeline.pointers_on(FIELD, position)
        ]
        assert pointers == expected["pointers"], position
        since = timeline.since(FIELD, position)
        assert (since[0] if since else None) == expected["since"], position
    # all of them were met
    assert {
        ("b", "good"),
        ("b", "lost"),
        ("b", "pending"),
        ("b", "stale"),
        ("a", ""),
        ("c", ""),
        ("d", ""),
    } <= kinds
