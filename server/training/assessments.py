"""What an instructor found of a trainee, by a form, on a recording or a part of it: signed by name and time."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from annotation.values import AnnotationError, as_identifier, as_integer, as_number, as_text, bad

from ..veiling import Reading
from . import forms, people

REMARK_LIMIT: Final = 2_000


@dataclass(frozen=True, slots=True)
class Assessed:
    """What is asked to be kept; `begins` and `ends` are seconds of the recording."""

    form: str
    version: int
    person: str
    recording: str | None
    begins: float | None
    ends: float | None
    answers: object
    remark: str


def parse_assessed(body: dict[str, Any]) -> Assessed:
    """Parse an assessment; its answers are checked against the form afterwards. Raise AnnotationError bad_message."""
    recording, begins, ends = body.get("recording"), body.get("from"), body.get("until")
    if (begins is None) != (ends is None) or (begins is not None and recording is None):
        raise bad("from", "must stand with until, and both with a recording")
    if begins is not None and as_number(ends, "until", 0, 1e6) <= as_number(begins, "from", 0, 1e6):
        raise bad("until", "must be greater than from")
    return Assessed(
        as_identifier(body.get("form"), "form"),
        as_integer(body.get("version"), "version", 1, 10_000),
        as_identifier(body.get("person"), "person"),
        None if recording is None else as_text(recording, "recording", 1, 100),
        begins,
        ends,
        body.get("answers"),
        as_text(body.get("remark", ""), "remark", 0, REMARK_LIMIT, lines=True),
    )


def insert(
    connection: sqlite3.Connection,
    identifier: str,
    room: str,
    assessed: Assessed,
    by: people.Person,
    now: float,
) -> dict[str, Any]:
    """Keep an assessment. Raise AnnotationError."""
    title, items = forms.find_form(connection, room, assessed.form, assessed.version)
    answers, points, most = forms.check_answers(items, assessed.answers)
    person = people.require(connection, room, assessed.person)
    if person.id == by.id:
        raise AnnotationError("conflict", "Nobody assesses himself.")
    connection.execute(
        "INSERT INTO training_assessment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            identifier,
            room,
            assessed.form,
            assessed.version,
            title,
            json.dumps(items, ensure_ascii=False),
            person.id,
            assessed.recording,
            assessed.begins,
            assessed.ends,
            json.dumps(answers, ensure_ascii=False),
            points,
            most,
            assessed.remark,
            by.id,
            by.name,
            now,
        ),
    )
    return _told(connection.execute(_ONE + "WHERE a.id = ?", (identifier,)).fetchone())


def of_person(connection: sqlite3.Connection, person: str) -> list[dict[str, Any]]:
    """List the assessments of somebody, the oldest first."""
    return [_told(row) for row in connection.execute(_ONE + "WHERE a.person = ? ORDER BY a.made", (person,))]


def of_room(connection: sqlite3.Connection, room: str) -> list[dict[str, Any]]:
    """List the assessments of everybody in a room, the oldest first."""
    return [_told(row) for row in connection.execute(_ONE + "WHERE a.room = ? ORDER BY a.made", (room,))]


async def veiled(assessment: dict[str, Any], reading: Reading) -> dict[str, Any]:
    """Give an assessment as somebody may read it.

    A form is no recording's: in its words those are hidden who are known. What was written by it is told as a note is.
    """
    recording = assessment["recording"]
    how = await (reading.of() if recording is None else reading.of(recording))
    written = {
        str(index): answer for index, answer in enumerate(assessment["answers"]) if isinstance(answer, str)
    }
    words = how.told({"remark": assessment["remark"], **written}, "remark", *written)
    answers = [words.get(str(index), answer) for index, answer in enumerate(assessment["answers"])]
    told = assessment | {"remark": words["remark"], "answers": answers}
    if "withheld" in words:
        told["withheld"] = True
    if assessment["form"] == forms.OSATS:
        return told
    return told | {
        "title": how.hide(assessment["title"]),
        "items": forms.veiled(assessment["items"], how.hide),
    }


_ONE: Final = "SELECT a.*, p.name FROM training_assessment a JOIN training_person p ON p.id = a.person "


def _told(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "assessment": row["id"],
        "form": row["form"],
        "version": row["version"],
        "title": row["title"],
        "items": json.loads(row["items"]),
        "answers": json.loads(row["answers"]),
        "points": row["points"],
        "most": row["most"],
        "remark": row["remark"],
        "person": row["person"],
        "name": row["name"],
        "recording": row["recording"],
        "from": row["begins"],
        "until": row["ends"],
        "by": row["by_name"],
        "made": row["made"] * 1000,
    }
