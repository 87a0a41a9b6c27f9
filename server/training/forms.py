"""Assessment forms: the OSATS global rating scale, which every room has, and a room's own, in versions.

OSATS: Martin and others, Objective structured assessment of technical skill, Br J Surg 1997: seven items, 1-5,
described at 1, 3 and 5. The page has its words in each language (`osats_…`); a form of one's own is in the words of
who wrote it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from annotation.values import AnnotationError, as_flag, as_integer, as_object, as_text, bad
from annotation.veiled import Hide

from .body import as_list

TITLE_LIMIT: Final = 120
LABEL_LIMIT: Final = 300
ANSWER_LIMIT: Final = 2_000
ITEMS_LIMIT: Final = 40
FORMS_LIMIT: Final = 100
#: A scale's values.
SCALE: Final = (0, 10)

OSATS: Final = "osats"
OSATS_ITEMS: Final = tuple(
    {"kind": "scale", "label": f"osats:{name}", "low": 1, "high": 5, "anchors": {}}
    for name in ("tissue", "motion", "handling", "instruments", "assistants", "flow", "procedure")
)

Items = tuple[dict[str, Any], ...]


def parse_form(body: dict[str, Any]) -> tuple[str, Items]:
    """Parse a form: its title and its items. Raise AnnotationError bad_message."""
    title = as_text(body.get("title"), "title", 1, TITLE_LIMIT)
    return title, tuple(_item(value) for value in as_list(body.get("items"), "items", ITEMS_LIMIT, 1))


def _item(value: object) -> dict[str, Any]:
    body = as_object(value, "items")
    kind = body.get("kind")
    if kind not in ("scale", "yes_no", "text"):
        raise bad("kind", "must be scale, yes_no or text")
    label = as_text(body.get("label"), "label", 1, LABEL_LIMIT)
    if kind != "scale":
        return {"kind": kind, "label": label}
    low, high = as_integer(body.get("low"), "low", *SCALE), as_integer(body.get("high"), "high", *SCALE)
    if high <= low:
        raise bad("high", "must be greater than low")
    anchors = {}
    for step, words in as_object(body.get("anchors", {}), "anchors").items():
        if not step.isascii() or not step.isdigit() or len(step) > 2 or not low <= int(step) <= high:
            raise bad("anchors", "must be named by values of the scale")
        anchors[str(int(step))] = as_text(words, "anchors", 1, LABEL_LIMIT)
    return {"kind": kind, "label": label, "low": low, "high": high, "anchors": anchors}


def check_answers(items: Items, value: object) -> tuple[list[Any], float | None, float | None]:
    """Check the answers to a form; give them, their points, and the most that there can be (None: it has no scale).

    None answers an item that could not be judged, and then its points are not counted either way.
    """
    answers = as_list(value, "answers", len(items), len(items))
    points = most = 0.0
    checked: list[Any] = []
    for item, answer in zip(items, answers, strict=True):
        if answer is None:
            checked.append(None)
        elif item["kind"] == "scale":
            checked.append(as_integer(answer, "answers", item["low"], item["high"]))
            points, most = points + answer, most + item["high"]
        elif item["kind"] == "yes_no":
            checked.append(as_flag(answer, "answers"))
        else:
            checked.append(as_text(answer, "answers", 0, ANSWER_LIMIT, lines=True))
    if all(answer is None or answer == "" for answer in checked):
        raise bad("answers", "must judge something")
    return checked, points if most else None, most or None


def list_forms(connection: sqlite3.Connection, room: str) -> list[dict[str, Any]]:
    """List the forms of a room, each in its newest version, OSATS first."""
    osats = {"form": OSATS, "version": 1, "title": "OSATS", "items": OSATS_ITEMS, "by": "", "made": 0}
    rows = connection.execute(
        "SELECT * FROM training_form f WHERE room = ? AND removed IS NULL AND version = "
        "(SELECT max(version) FROM training_form WHERE form = f.form) ORDER BY title, form",
        (room,),
    )
    return [osats, *(_told(row) for row in rows)]


def veiled(items: Sequence[dict[str, Any]], hide: Hide) -> list[dict[str, Any]]:
    """Give a form's items as somebody may read them."""
    told = []
    for item in items:
        words: dict[str, Any] = {"label": hide(item["label"])}
        if "anchors" in item:
            words["anchors"] = {step: hide(text) for step, text in item["anchors"].items()}
        told.append(item | words)
    return told


def find_form(connection: sqlite3.Connection, room: str, form: str, version: int) -> tuple[str, Items]:
    """Find a version of a form: its title and items. Raise AnnotationError not_found."""
    if form == OSATS and version == 1:
        return "OSATS", OSATS_ITEMS
    row = connection.execute(
        "SELECT * FROM training_form WHERE room = ? AND form = ? AND version = ? AND removed IS NULL",
        (room, form, version),
    ).fetchone()
    if row is None:
        raise AnnotationError("not_found", "There is no such form.")
    return row["title"], tuple(json.loads(row["items"]))


def keep_form(
    connection: sqlite3.Connection,
    room: str,
    form: str,
    new: bool,
    content: tuple[str, Items],
    by: str,
    now: float,
) -> dict[str, Any]:
    """Keep a new form, or another version of one: the versions before stay, for what was assessed by them."""
    version = connection.execute(
        "SELECT max(version) FROM training_form WHERE room = ? AND form = ? AND removed IS NULL", (room, form)
    ).fetchone()[0]
    count = connection.execute("SELECT count(*) FROM training_form WHERE room = ?", (room,)).fetchone()[0]
    if version is None and not new:
        raise AnnotationError("not_found", "There is no such form.")
    if count >= FORMS_LIMIT:
        raise AnnotationError("conflict", f"A room has {FORMS_LIMIT} versions of forms at most.")
    title, items = content
    number = (version or 0) + 1
    connection.execute(
        "INSERT INTO training_form VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
        (form, number, room, title, json.dumps(items, ensure_ascii=False), by, now),
    )
    return {"form": form, "version": number, "title": title, "items": items, "by": by, "made": now * 1000}


def remove_form(connection: sqlite3.Connection, room: str, form: str, now: float) -> None:
    """Offer a form no more; what was assessed by it stays. Raise AnnotationError not_found."""
    done = connection.execute(
        "UPDATE training_form SET removed = ? WHERE room = ? AND form = ? AND removed IS NULL",
        (now, room, form),
    )
    if done.rowcount == 0:
        raise AnnotationError("not_found", "There is no such form.")


def _told(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "form": row["form"],
        "version": row["version"],
        "title": row["title"],
        "items": json.loads(row["items"]),
        "by": row["made_name"],
        "made": row["made"] * 1000,
    }
