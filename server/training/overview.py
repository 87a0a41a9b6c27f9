"""Who has watched what, answered how, and was assessed: for who teaches, as figures and as a table to take along."""

from __future__ import annotations

import csv
import io
import sqlite3
from datetime import UTC, datetime
from typing import Any, Final

from ..veiling import Reading
from . import assessments, attempts, people, playlists, watched

#: What a spreadsheet would take for a formula.
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")


def results_of(
    connection: sqlite3.Connection, room: str, person: people.Person, now: float
) -> dict[str, Any]:
    """Tell all that is known of one person: hours, playlists, answers, assessments."""
    rows = connection.execute(
        "SELECT * FROM training_question q WHERE room = ? AND EXISTS "
        "(SELECT 1 FROM training_attempt a WHERE a.question = q.id AND a.person = ?) ORDER BY recording, at",
        (room, person.id),
    ).fetchall()
    answered = [
        {
            "question": row["id"],
            "recording": row["recording"],
            "at": row["at"],
            "prompt": row["prompt"],
            "unit": "percent" if row["millimetres"] is None else "mm",
            **attempts.results(connection, row["id"], person.id),
        }
        for row in rows
    ]
    lists = [
        {
            "playlist": row["id"],
            "title": row["title"],
            "concerned": playlists.concerned(row),
            **playlists.progress(connection, row, person.id, now),
        }
        for row in playlists.of_room(connection, room)
        if playlists.is_for(row, person.id, person.role)
    ]
    return {
        "person": person.id,
        "name": person.name,
        "role": person.role,
        "hours": watched.hours_of(connection, person.id),
        "answers": answered,
        "playlists": lists,
        "assessments": assessments.of_person(connection, person.id),
    }


async def veiled(results: dict[str, Any], reading: Reading) -> dict[str, Any]:
    """Give somebody's results as they may be read; what was asked is told in any case, as it is in the question."""
    answers = [
        one | {"prompt": (await reading.of(one["recording"])).hide(one["prompt"])}
        for one in results["answers"]
    ]
    lists = [(await reading.of(*one["concerned"])).told(one, "title") for one in results["playlists"]]
    found = [await assessments.veiled(one, reading) for one in results["assessments"]]
    return results | {"answers": answers, "playlists": lists, "assessments": found}


def of_room(connection: sqlite3.Connection, room: str, now: float) -> dict[str, Any]:
    """Tell of all who learn in a room, and of its questions."""
    everybody = [results_of(connection, room, one, now) for one in people.everybody(connection, room)]
    asked = []
    for row in connection.execute(
        "SELECT * FROM training_question WHERE room = ? AND removed IS NULL ORDER BY recording, at", (room,)
    ).fetchall():
        first = [one for one in attempts.of_question(connection, row["id"]) if one["first"]]
        distances = sorted(one["distance"] for one in first)
        asked.append(
            {
                "question": row["id"],
                "recording": row["recording"],
                "at": row["at"],
                "prompt": row["prompt"],
                "unit": "percent" if row["millimetres"] is None else "mm",
                "people": len(first),
                "passed": sum(one["passed"] for one in first),
                "median": distances[len(distances) // 2] if distances else None,
            }
        )
    return {"people": everybody, "questions": asked}


def table_of(overview: dict[str, Any]) -> str:
    """Write the overview as CSV (RFC 4180), a line a fact, with the byte order mark that spreadsheets ask for."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        ["name", "role", "kind", "what", "recording", "at", "value", "of", "passed", "by", "time"]
    )
    for one in overview["people"]:
        who = [_cell(one["name"]), one["role"]]
        for seen in one["hours"]["recordings"]:
            row = ["watched_seconds", "once", seen["recording"], "", seen["once"], round(seen["seconds"], 1)]
            writer.writerow([*who, *row, "", "", _time(seen["heard"])])
            row = ["watched_seconds", "total", seen["recording"], "", seen["total"], ""]
            writer.writerow([*who, *row, "", "", _time(seen["heard"])])
        for answer in one["answers"]:
            for name in ("first", "best"):
                given = answer[name]
                row = [
                    f"question_{name}",
                    _cell(answer["prompt"]),
                    answer["recording"],
                    round(answer["at"], 2),
                ]
                value = [given["distance"], answer["unit"], given["passed"], "", _time(given["made"])]
                writer.writerow([*who, *row, *value])
        for playlist in one["playlists"]:
            share = [item["watched"] for item in playlist["progress"]]
            row = ["playlist", _cell(playlist["title"]), "", "", round(sum(share) / len(share), 3), 1]
            writer.writerow([*who, *row, playlist["done"], "", ""])
        for found in one["assessments"]:
            row = ["assessment", _cell(f"{found['title']} v{found['version']}"), found["recording"] or "", ""]
            value = [found["points"], found["most"], "", _cell(found["by"]), _time(found["made"])]
            writer.writerow([*who, *row, *value])
    return "\ufeff" + out.getvalue()


def _cell(text: str) -> str:
    return "'" + text if text.startswith(_FORMULAS) else text


def _time(milliseconds: float) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")
