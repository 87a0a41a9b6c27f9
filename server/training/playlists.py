"""Playlists: recordings and parts of them in an order, until when, and for whom; and how far somebody is."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from annotation.values import AnnotationError, as_identifier, as_number, as_object, as_text, bad

from ..veiling import Veiled
from . import watched
from .body import as_list

TITLE_LIMIT: Final = 120
NOTE_LIMIT: Final = 1_000
ITEMS_LIMIT: Final = 50
PEOPLE_LIMIT: Final = 500
PLAYLISTS_LIMIT: Final = 200
#: So much of a part must have been seen for it to be watched: credits and pauses may be left out.
ENOUGH: Final = 0.9


@dataclass(frozen=True, slots=True)
class Item:
    """A recording, or a part of it; `ends` None: to its end."""

    recording: str
    begins: float
    ends: float | None
    title: str


@dataclass(frozen=True, slots=True)
class Playlist:
    """What an instructor sets. `due` in Unix seconds; `people` None: all trainees of the room."""

    title: str
    note: str
    due: float | None
    items: tuple[Item, ...]
    people: tuple[str, ...] | None


def parse_playlist(body: dict[str, Any]) -> Playlist:
    """Parse a playlist. Raise AnnotationError bad_message."""
    due, people = body.get("due"), body.get("people")
    return Playlist(
        as_text(body.get("title"), "title", 1, TITLE_LIMIT),
        as_text(body.get("note", ""), "note", 0, NOTE_LIMIT, lines=True),
        None if due is None else as_number(due, "due", 0, 1e14) / 1000,
        tuple(_item(value) for value in as_list(body.get("items"), "items", ITEMS_LIMIT, 1)),
        None
        if people is None
        else tuple(as_identifier(one, "people") for one in as_list(people, "people", PEOPLE_LIMIT)),
    )


def _item(value: object) -> Item:
    body = as_object(value, "items")
    begins = as_number(body.get("from", 0), "from", 0, 1e6)
    ends = body.get("until")
    if ends is not None and as_number(ends, "until", 0, 1e6) <= begins:
        raise bad("until", "must be greater than from")
    return Item(
        as_text(body.get("recording"), "recording", 1, 100),
        begins,
        None if ends is None else float(ends),
        as_text(body.get("title", ""), "title", 0, TITLE_LIMIT),
    )


def keep(
    connection: sqlite3.Connection,
    identifier: str,
    room: str,
    playlist: Playlist,
    lengths: dict[str, float],
    by: str,
    now: float,
) -> None:
    """Write a playlist, or change it. Raise AnnotationError conflict where there are too many."""
    count = connection.execute(
        "SELECT count(*) FROM training_playlist WHERE room = ? AND removed IS NULL AND id != ?",
        (room, identifier),
    ).fetchone()[0]
    if count >= PLAYLISTS_LIMIT:
        raise AnnotationError("conflict", f"A room has {PLAYLISTS_LIMIT} playlists at most.")
    items = []
    for item in playlist.items:
        whole = lengths[item.recording]
        ends = whole if item.ends is None else min(item.ends, whole)
        if ends <= item.begins:
            raise bad("from", "must lie within the recording")
        items.append({"recording": item.recording, "from": item.begins, "until": ends, "title": item.title})
    people = None if playlist.people is None else json.dumps(playlist.people)
    connection.execute(
        "INSERT INTO training_playlist VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, 0) ON CONFLICT (id) DO UPDATE SET "
        "title = excluded.title, note = excluded.note, due = excluded.due, items = excluded.items, "
        "people = excluded.people, lost = 0",
        (
            identifier,
            room,
            playlist.title,
            playlist.note,
            playlist.due,
            json.dumps(items),
            people,
            by,
            now,
        ),
    )


def find(connection: sqlite3.Connection, room: str, identifier: str) -> sqlite3.Row:
    """Find a playlist of a room. Raise AnnotationError not_found."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM training_playlist WHERE id = ? AND room = ? AND removed IS NULL", (identifier, room)
    ).fetchone()
    if row is None:
        raise AnnotationError("not_found", "There is no such playlist.")
    return row


def of_room(connection: sqlite3.Connection, room: str) -> list[sqlite3.Row]:
    """List a room's playlists, those due first before the others."""
    return connection.execute(
        "SELECT * FROM training_playlist WHERE room = ? AND removed IS NULL ORDER BY due IS NULL, due, made",
        (room,),
    ).fetchall()


def is_for(row: sqlite3.Row, person: str, role: str) -> bool:
    """Tell whether a playlist is set to somebody."""
    return role == "trainee" if row["people"] is None else person in json.loads(row["people"])


def told(row: sqlite3.Row) -> dict[str, Any]:
    """Give a playlist as it was set."""
    return {
        "playlist": row["id"],
        "title": row["title"],
        "note": row["note"],
        "due": None if row["due"] is None else row["due"] * 1000,
        "items": json.loads(row["items"]),
    }


def concerned(row: sqlite3.Row) -> list[str | None]:
    """Name the recordings that a playlist's words may tell of; None: one that was deleted since they were written."""
    named: list[str | None] = [item["recording"] for item in json.loads(row["items"])]
    return [*named, None] if row["lost"] else named


def veiled(playlist: dict[str, Any], how: Veiled) -> dict[str, Any]:
    """Give a playlist as somebody may read it."""
    items = [how.told(item, "title") for item in playlist["items"]]
    return how.told(playlist, "title", "note") | {"items": items}


def progress(connection: sqlite3.Connection, row: sqlite3.Row, person: str, now: float) -> dict[str, Any]:
    """Tell how far somebody is: of each item what was seen (0-1), and its questions; whether all is done, or late."""
    items: list[dict[str, Any]] = []
    for item in json.loads(row["items"]):
        seen = watched.within(
            watched.ranges_of(connection, person, item["recording"]), item["from"], item["until"]
        )
        asked = connection.execute(
            "SELECT count(*) AS questions, coalesce(sum(a.answered), 0) AS answered, "
            "coalesce(sum(a.passed), 0) AS passed "
            "FROM training_question q LEFT JOIN (SELECT question, 1 AS answered, max(passed) AS passed "
            "FROM training_attempt WHERE person = ? GROUP BY question) a ON a.question = q.id "
            "WHERE q.recording = ? AND q.removed IS NULL AND q.at BETWEEN ? AND ?",
            (person, item["recording"], item["from"], item["until"]),
        ).fetchone()
        share = min(1.0, seen / (item["until"] - item["from"]))
        items.append({"watched": round(share, 4), **{name: asked[name] for name in asked.keys()}})  # noqa: SIM118
    done = all(one["watched"] >= ENOUGH and one["passed"] == one["questions"] for one in items)
    late = not done and row["due"] is not None and row["due"] < now
    return {"progress": items, "done": done, "late": late}
