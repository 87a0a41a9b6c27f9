"""What people are shown of how a room's recordings are kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from .terms import PURPOSES, Consent, due

Row = dict[str, Any]


def kept(c: sqlite3.Connection, room: str, person: str, now: int) -> dict[str, Row]:
    """Give each recording's class, end, holds, consents and open request, by its name; `person`: who looks."""
    found = {
        row["recording"]: {
            "recording": row["recording"],
            "started": row["started"],
            "class": row["class"],
            "years": row["years"],
            "deleted": row["deleted"],
            "holds": [],
            "consent": dict.fromkeys(PURPOSES),
            "request": None,
            "copy": None
            if row["copy_problem"] is None
            else {"whole": row["whole"], "problem": row["copy_problem"]},
        }
        for row in c.execute(
            "SELECT kept.*, retention.years, whole, problem AS copy_problem FROM kept JOIN retention USING (class) "
            "LEFT JOIN copy USING (recording) WHERE room = ?",
            (room,),
        )
    }
    for row in _of(c, "hold", "lifted IS NULL", room):
        found[row["recording"]]["holds"].append(
            {"number": row["number"], "reason": row["reason"], "since": row["since"], "by": row["name"]}
        )
    for row in _of(c, "consent", "TRUE", room):
        consent = Consent(bool(row["given"]), row["at"], row["until"])
        found[row["recording"]]["consent"][row["purpose"]] = {
            "given": consent.given,
            "stands": consent.stands(now),
            "at": row["at"],
            "until": row["until"],
            "reference": row["reference"],
            "by": row["name"],
        }
    for row in _of(c, "deletion", "state IN ('asked', 'agreed', 'done')", room):
        if row["state"] == "asked" and row["expires"] <= now:
            continue
        found[row["recording"]]["request"] = {
            "number": row["number"],
            "state": row["state"],
            "reason": row["reason"],
            "by": row["name"],
            "mine": row["person"] == person,
            "asked": row["asked"],
            "expires": row["expires"],
            "agreed_by": row["answered_name"],
            "remaining": row["remaining"],
        }
    for each in found.values():
        teaching = each["consent"]["teaching"]
        consent = teaching and Consent(teaching["given"], teaching["at"], teaching["until"])
        each["due"] = due(each["started"], each.pop("years"), consent)
        each["over"] = each["due"] is not None and each["due"] <= now and each["deleted"] is None
    return found


def _of(c: sqlite3.Connection, table: str, condition: str, room: str) -> Iterable[sqlite3.Row]:
    return c.execute(
        f"SELECT {table}.* FROM {table} JOIN kept USING (recording) WHERE room = ? AND {condition} "
        f"ORDER BY {table}.number",
        (room,),
    )
