"""A worker is told of marks what is new, not all of them again."""

from __future__ import annotations

import json
from typing import Any

from annotation.anchors import VideoAnchor
from annotation.shapes import Mark
from media.ids import Mid, ProducerId, TransportId
from media.plane import Codec
from media.producer import Producer
from media.sdp import OfferedTrack
from server.watching import wire
from server.watching.field import MARKS_LIMIT, Field


class Told:
    """Takes a worker's messages."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def send(self, message: bytes, *, dispensable: bool = False) -> bool:
        ((kind, payload),) = wire.Messages().receive(message)
        assert kind == wire.MARKS
        assert not dispensable
        self.bodies.append(json.loads(payload))
        return True


def mark(number: int, x: float = 0.5) -> Mark:
    return Mark(f"m-{number}", "line", VideoAnchor(7, 1000), ((x, 0.5), (0.6, 0.6)), 0.004, "")


def watched() -> tuple[Field, Told]:
    track = OfferedTrack(Mid("0"), "video", Codec.H264, 90_000, 102, "")
    told = Told()
    field = Field(
        Producer(ProducerId(7), TransportId(1), track),
        tracks=True,
        decide=lambda _: None,
        vouch=lambda *_: None,
        known=lambda _: None,
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


def test_the_newest_are_watched_and_the_older_ones_let_go() -> None:
    field, told = watched()
    marks = [mark(number) for number in range(MARKS_LIMIT)]
    field.watch(marks, 0.0)
    field.watch([*marks, mark(MARKS_LIMIT)], 0.1)
    assert [one["mark"] for one in told.bodies[1]["marks"]] == [f"m-{MARKS_LIMIT}"]
    assert told.bodies[1]["gone"] == ["m-0"]
