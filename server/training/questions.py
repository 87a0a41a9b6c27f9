"""The questions of a recording: what an instructor asks on a frame, what a trainee answers, and how that is scored."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from annotation.anchors import VideoAnchor
from annotation.shapes import Mark, parse_mark
from annotation.values import (
    UINT32,
    AnnotationError,
    as_identifier,
    as_integer,
    as_number,
    as_object,
    as_text,
    bad,
)

from .frames import RecordedFrame
from .geometry import compare, figure_of

PROMPT_LIMIT: Final = 300
WORDS_LIMIT: Final = 2_000
#: Questions of one recording, and tries of one person at one of them.
QUESTIONS_LIMIT: Final = 200
ATTEMPTS_LIMIT: Final = 100
#: A tolerance, in mm or in hundredths of the picture's width.
TOLERANCES: Final = (0.1, 100.0)


@dataclass(frozen=True, slots=True)
class Asked:
    """What an instructor asks. The answer is a mark that he draws, or that the log has under a name (`log_mark`)."""

    producer: int
    rtp_timestamp: int
    near: float
    prompt: str
    words: str
    tolerance: float
    overlap: float
    drawn: Mark | None
    log_mark: str | None


@dataclass(frozen=True, slots=True)
class Scored:
    """How an answer compares: `distance` in mm where the field is calibrated, else in % of the picture's width."""

    distance: float
    overlap: float | None
    passed: bool


def parse_asked(body: dict[str, Any]) -> Asked:
    """Parse what an instructor asks. Raise AnnotationError bad_message."""
    producer = as_integer(body.get("producer"), "producer", 1, UINT32)
    rtp_timestamp = as_integer(body.get("rtp_timestamp"), "rtp_timestamp", 0, UINT32)
    answer = as_object(body.get("answer"), "answer")
    if ("log" in answer) == ("mark" in answer):
        raise bad("answer", "must name a mark of the log, or be one")
    drawn = _on_frame(answer["mark"], producer, rtp_timestamp) if "mark" in answer else None
    return Asked(
        producer,
        rtp_timestamp,
        as_number(body.get("at"), "at", 0, 1e6),
        as_text(body.get("prompt"), "prompt", 1, PROMPT_LIMIT),
        as_text(body.get("words", ""), "words", 0, WORDS_LIMIT, lines=True),
        as_number(body.get("tolerance"), "tolerance", *TOLERANCES),
        as_number(body.get("overlap", 0.5), "overlap", 0, 1),
        drawn,
        None if drawn is not None else as_identifier(answer["log"], "log"),
    )


def parse_answer(body: dict[str, Any]) -> Mark:
    """Parse what a trainee answers: a mark. Raise AnnotationError bad_message."""
    return _comparable(parse_mark(body.get("mark")))


def check_frame(mark: Mark, producer: int, rtp_timestamp: int) -> None:
    """Raise AnnotationError bad_message unless a mark lies on this frame."""
    anchor = mark.anchor
    if not isinstance(anchor, VideoAnchor) or (anchor.producer, anchor.rtp_timestamp) != (
        producer,
        rtp_timestamp,
    ):
        raise bad("mark", "must lie on the frame of the question")


def _on_frame(value: object, producer: int, rtp_timestamp: int) -> Mark:
    mark = _comparable(parse_mark(value))
    check_frame(mark, producer, rtp_timestamp)
    return mark


def _comparable(mark: Mark) -> Mark:
    try:
        figure_of(mark.shape, mark.points, 1.0)
    except ValueError as error:
        raise AnnotationError("bad_message", str(error)) from None
    return mark


def of_the_log(description: dict[str, Any], name: str, producer: int, rtp_timestamp: int) -> tuple[Mark, str]:
    """Find an expert's mark on a frame, as it looked there last, and whose it is. Raise AnnotationError not_found."""
    found = None
    for entry in description["operations"]:
        operation = entry["operation"]
        if operation["kind"] not in ("add", "edit"):
            continue
        for value in operation["marks"] if "marks" in operation else (operation["mark"],):
            anchor = value["anchor"]
            if value["mark"] == name and (anchor.get("producer"), anchor.get("rtp_timestamp")) == (
                producer,
                rtp_timestamp,
            ):
                found = parse_mark(value), str(entry["name"])
    if found is None:
        raise AnnotationError("not_found", "No mark of this name stands on this frame.")
    _comparable(found[0])
    return found


def score(question: sqlite3.Row, mark: Mark) -> Scored:
    """Compare a trainee's mark with a question's answer. Takes up to 50 ms: call it in a thread."""
    answer = json.loads(question["answer"])
    aspect = question["width"] / question["height"]
    compared = compare(
        figure_of(answer["shape"], [(x, y) for x, y in answer["points"]], aspect),
        figure_of(mark.shape, mark.points, aspect),
    )
    distance = compared.distance * (question["millimetres"] or 100.0)
    near = distance <= question["tolerance"]
    passed = near if compared.overlap is None else compared.overlap >= question["overlap"]
    return Scored(distance, compared.overlap, passed)


def insert(
    connection: sqlite3.Connection,
    identifier: str,
    recording: str,
    asked: Asked,
    frame: RecordedFrame,
    answer: tuple[Mark, str],
    made: tuple[str, str, float],
) -> None:
    """Keep a question; `made`: the room, who made it, when. Raise AnnotationError conflict where there are too many."""
    _leave_room(connection, recording)
    mark, expert = answer
    room, by, now = made
    connection.execute(
        "INSERT INTO training_question VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, 1)",
        (
            identifier,
            room,
            recording,
            frame.producer,
            frame.rtp_timestamp,
            frame.at,
            frame.width,
            frame.height,
            frame.millimetres,
            asked.prompt,
            asked.words,
            asked.tolerance,
            asked.overlap,
            json.dumps(mark.to_json(), separators=(",", ":")),
            asked.log_mark,
            expert,
            by,
            now,
        ),
    )


def _leave_room(connection: sqlite3.Connection, recording: str) -> None:
    count = connection.execute(
        "SELECT count(*) FROM training_question WHERE recording = ? AND removed IS NULL", (recording,)
    ).fetchone()[0]
    if count >= QUESTIONS_LIMIT:
        raise AnnotationError("conflict", f"A recording has {QUESTIONS_LIMIT} questions at most.")


def remove(connection: sqlite3.Connection, room: str, identifier: str, now: float) -> None:
    """Take a question away; it and what was answered are kept. Raise AnnotationError not_found."""
    row = find(connection, room, identifier)
    connection.execute("UPDATE training_question SET removed = ? WHERE id = ?", (now, row["id"]))


def restore(connection: sqlite3.Connection, room: str, identifier: str) -> sqlite3.Row:
    """Bring a question back that was taken away. Raise AnnotationError not_found, conflict."""
    row = find(connection, room, identifier, removed=True)
    if row["removed"] is not None:
        _leave_room(connection, row["recording"])
        connection.execute("UPDATE training_question SET removed = NULL WHERE id = ?", (row["id"],))
    return row


def find(connection: sqlite3.Connection, room: str, identifier: str, *, removed: bool = False) -> sqlite3.Row:
    """Find a question of a room, or also one that was taken away. Raise AnnotationError not_found."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM training_question WHERE id = ? AND room = ?", (identifier, room)
    ).fetchone()
    if row is None or (row["removed"] is not None and not removed):
        raise AnnotationError("not_found", "There is no such question.")
    return row


def of_recording(connection: sqlite3.Connection, recording: str) -> list[sqlite3.Row]:
    """List a recording's questions, in the order of their frames."""
    return connection.execute(
        "SELECT * FROM training_question WHERE recording = ? AND removed IS NULL ORDER BY at, made",
        (recording,),
    ).fetchall()
