"""What a trainee is not told before he has answered: the answer, and whatever would give it away.

A question is answered by an expert's mark, and marks stand in the description that the page loads long before it comes
to the frame. So the server leaves out, of a description for somebody who has open questions: the answer's mark; every
mark on the same camera's picture, live or frozen, of a frame within `WINDOW` of the question's; where laser pointers
were in that time; what was told of those marks' tissue; and the instructions that name one of them. The numbers of the
other operations stay: a log with holes is still one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .frames import camera_of, moment

#: Seconds before and behind a question's frame in which nothing that was drawn there is told.
WINDOW: Final = 60.0


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A question that somebody has not answered: camera and moment of its frame, the answer's name in the log."""

    producer: int
    at: float
    mark: str | None


def withhold(description: dict[str, Any], questions: Sequence[OpenQuestion]) -> dict[str, Any]:
    """Give the description without what would answer these questions; the same object where there is none."""
    if not questions:
        return description
    hidden = {question.mark for question in questions if question.mark is not None}
    for entry in description["operations"]:
        hidden |= {
            mark["mark"]
            for mark in _marks(entry["operation"])
            if _is_near(description, mark["anchor"], entry["at"], questions)
        }
    secret = {
        entry["operation"]["instruction"]
        for entry in description["operations"]
        if entry["operation"]["kind"] == "instruct" and entry["operation"].get("mark") in hidden
    }
    operations = []
    for entry in description["operations"]:
        told = _told(entry["operation"], hidden, secret)
        if told is not None:
            operations.append(entry if told is entry["operation"] else entry | {"operation": told})
    pointers = [
        pointer
        for pointer in description["pointers"]
        if not any(
            _is_on(pointer["anchor"], one) and abs(pointer["at"] - one.at) <= WINDOW for one in questions
        )
    ]
    return {**description, "operations": operations, "pointers": pointers}


def _marks(operation: dict[str, Any]) -> Iterable[dict[str, Any]]:
    if operation["kind"] not in ("add", "edit"):
        return ()
    return operation["marks"] if "marks" in operation else (operation["mark"],)


def _is_on(anchor: dict[str, Any] | None, question: OpenQuestion) -> bool:
    return anchor is not None and anchor.get("producer") == question.producer


def _is_near(
    description: dict[str, Any], anchor: dict[str, Any], near: float, questions: Sequence[OpenQuestion]
) -> bool:
    concerned = [question for question in questions if _is_on(anchor, question)]
    camera = camera_of(description, anchor["producer"]) if concerned else None
    if camera is None:
        return False
    at = moment(camera, anchor["rtp_timestamp"], near)
    return any(abs(at - question.at) <= WINDOW for question in concerned)


def _told(operation: dict[str, Any], hidden: set[str], secret: set[str]) -> dict[str, Any] | None:
    """Give an operation without what is hidden, the same object where it has nothing of it; None: nothing is left."""
    kind = operation["kind"]
    if kind in ("add", "edit"):
        marks = list(_marks(operation))
        left = [mark for mark in marks if mark["mark"] not in hidden]
        if len(left) == len(marks):
            return operation
        return {"kind": kind, "marks": left} if left else None
    if kind == "delete":
        names = [name for name in operation["marks"] if name not in hidden]
        return (
            operation
            if len(names) == len(operation["marks"])
            else operation | {"marks": names}
            if names
            else None
        )
    if kind == "track":
        tracks = [track for track in operation["tracks"] if track["mark"] not in hidden]
        if len(tracks) == len(operation["tracks"]):
            return operation
        return operation | {"tracks": tracks} if tracks else None
    if kind in ("instruct", "answer", "withdraw") and operation.get("instruction") in secret:
        return None
    return operation
