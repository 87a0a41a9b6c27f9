"""A worker is told of marks what is new, not all of them again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from annotation.anchors import VideoAnchor
from annotation.notes import Track
from annotation.shapes import Mark
from media.ids import Mid, ProducerId, TransportId
from media.plane import Codec
from media.producer import Producer
from media.sdp import OfferedTrack
from server.watching import wire
from server.watching.field import DRAWN_LIMIT, MARKS_LIMIT, Field


class Told:
    """Takes a worker's messages."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        #: frames that something is being drawn on, as often as it was told
        self.drawn: list[int] = []
        self.forgot = 0

    def send(self, message: bytes, *, dispensable: bool = False) -> bool:
        ((kind, payload),) = wire.Messages().receive(message)
        assert not dispensable
        if kind == wire.DRAWN:
            self.drawn += json.loads(payload)["rtp_timestamps"]
            return True
        if kind == wire.FORGET:
            self.forgot += 1
            return True
        assert kind == wire.MARKS
        self.bodies.append(json.loads(payload))
        return True


def mark(number: int, x: float = 0.5, *, follow: bool = False) -> Mark:
    return Mark(f"m-{number}", "line", VideoAnchor(7, 1000), ((x, 0.5), (0.6, 0.6)), 0.004, "", follow=follow)


def watched(log: dict[str, Track] | None = None) -> tuple[Field, Told]:
    """Make a field and what its worker is told; `log` takes the newest track of each mark."""
    tracks: dict[str, Track] = {} if log is None else log
    track = OfferedTrack(Mid("0"), "video", Codec.H264, 90_000, 102, "")
    told = Told()
    field = Field(
        Producer(ProducerId(7), TransportId(1), track),
        tracks=True,
        decide=lambda told: tracks.update({track.mark: track for track in told.tracks}),
        vouch=lambda *_: None,
        known=tracks.get,
        ended=lambda _: None,
    )
    field.follower = told  # type: ignore[assignment]
    return field, told


def test_only_what_changed_is_told() -> None:
    field, told = watched()
    field.watch([mark(1), mark(2)], 0.0)
    field.watch([mark(1), mark(2)], 0.1)
    field.watch([mark(2, 0.7), mark(3)], 0.2)
    assert [[one["mark"] for one in body["marks"]] for body in told.bodies] == [
        ["m-1", "m-2"],
        ["m-2", "m-3"],
    ]
    assert [body["gone"] for body in told.bodies] == [[], ["m-1"]]
    assert told.bodies[1]["marks"][0]["points"][0] == [0.7, 0.5]


def test_while_something_is_drawn_on_a_frame_its_worker_is_told_once_a_second() -> None:
    field, told = watched()
    for tick in range(60):
        # two pens, thirty parts a second each
        field.expect(1000, tick / 30)
        field.expect(2000, tick / 30)
    assert told.drawn == [1000, 2000, 1000, 2000]
    # whoever claims a frame a message is not told of for ever
    for frame in range(100):
        field.expect(10_000 + frame, 3.0)
    assert len(field._drawn) == DRAWN_LIMIT


def test_the_newest_are_watched_and_the_older_ones_let_go() -> None:
    field, told = watched()
    marks = [mark(number) for number in range(MARKS_LIMIT)]
    field.watch(marks, 0.0)
    field.watch([*marks, mark(MARKS_LIMIT)], 0.1)
    assert [one["mark"] for one in told.bodies[1]["marks"]] == [f"m-{MARKS_LIMIT}"]
    assert told.bodies[1]["gone"] == ["m-0"]


def looked(field: Field, *tracks: dict[str, Any], swept: bool = False) -> None:
    """Let the worker say what it saw."""
    kind = wire.TRACKS if tracks else wire.ALIVE
    body = {"arrival": 1, "rtp_timestamp": 2000, "late": False, "swept": swept, "tracks": list(tracks)}
    field._receive(kind, body)


def seen(name: str, place: int, state: str) -> dict[str, Any]:
    matrix = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    return {"mark": name, "place": place, "state": state, "matrix": matrix, "confidence": 0.5, "seen": True}


def test_what_is_only_restyled_is_not_told_and_what_was_seen_of_it_counts() -> None:
    log: dict[str, Track] = {}
    field, told = watched(log)
    field.watch([mark(1)], 0.0)
    field.watch([replace(mark(1), width=0.01, text="here")], 0.1)
    assert len(told.bodies) == 1
    looked(field, seen("m-1", 1, "stale"))
    assert log["m-1"].state == "stale"


def test_what_was_seen_where_a_mark_lay_before_it_was_moved_is_no_news_of_it() -> None:
    log: dict[str, Track] = {}
    field, told = watched(log)
    field.watch([mark(1, follow=True)], 0.0)
    field.watch([mark(1, 0.7, follow=True)], 0.1)
    assert [body["marks"][0]["place"] for body in told.bodies] == [1, 2]
    looked(field, seen("m-1", 1, "good"))
    assert log == {}
    looked(field, seen("m-1", 2, "good"))
    assert log["m-1"].state == "good"


def test_a_worker_that_was_late_says_nothing_final_of_a_mark_that_does_not_follow() -> None:
    log: dict[str, Track] = {}
    field, told = watched(log)
    field.watch([mark(1)], 0.0)
    looked(field)
    field._disbelieve()
    told_of = [log["m-1"].state]
    assert told.forgot == 1
    # which has it told anew of everything
    looked(field, seen("m-1", 1, "good"))
    assert [*told_of, log["m-1"].state] == ["stale", "good"]


def test_at_a_cut_all_marks_are_stale_however_many_there_are() -> None:
    log: dict[str, Track] = {}
    field, _ = watched(log)
    field.watch([mark(number) for number in range(3 * MARKS_LIMIT)], 0.0)
    looked(field)
    assert log == {}
    # the worker tells of those that it watches; of the others nobody else does
    looked(field, swept=True)
    assert {name for name, track in log.items() if track.state == "stale"} == {
        f"m-{number}" for number in range(2 * MARKS_LIMIT)
    }


def test_those_that_follow_are_watched_first_and_one_that_nobody_watches_any_more_is_stale() -> None:
    log: dict[str, Track] = {}
    field, told = watched(log)
    first = [mark(number, follow=True) for number in range(3)]
    rest = [mark(number) for number in range(3, MARKS_LIMIT + 3)]
    field.watch([*first, *rest], 0.0)
    assert {"m-0", "m-1", "m-2"} <= {one["mark"] for one in told.bodies[0]["marks"]}
    looked(field, seen("m-0", 1, "good"))
    field.watch([*first, *(replace(one, mark=f"f-{one.mark}", follow=True) for one in rest)], 0.1)
    assert {name: track.state for name, track in log.items()} == {
        f"m-{number}": "stale" for number in range(3)
    }
