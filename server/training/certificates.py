"""Certificates: what somebody watched and passed by a day, signed with the archive's key (SM2), checked by a code."""

from __future__ import annotations

import base64
import json
import re
import secrets
import sqlite3
from typing import Any, Final

from annotation.values import AnnotationError, bad
from signalling.veil import MASK, MASKED

from . import people

_CODE: Final = re.compile(r"[A-Z2-7]{16}")
CERTIFICATES_LIMIT: Final = 100


def new_code() -> str:
    """Draw a code of 80 bits: who has it has the paper."""
    return base64.b32encode(secrets.token_bytes(10)).decode()


def parse_code(body: dict[str, Any]) -> str:
    """Parse a code as people type it, in groups and small letters too. Raise AnnotationError bad_message."""
    code = body.get("code")
    plain = re.sub(r"[\s-]", "", code).upper() if type(code) is str and len(code) <= 40 else ""
    if not _CODE.fullmatch(plain):
        raise bad("code", "must have 16 of A-Z and 2-7")
    return plain


def compose(
    connection: sqlite3.Connection, person: people.Person, results: dict[str, Any], code: str, now: float
) -> bytes:
    """Write down what somebody has done until now: the bytes that are signed. Raise AnnotationError conflict.

    `results`: as they may be read by who may not see the patient: a certificate is read by anybody who has its code.
    """
    count = connection.execute(
        "SELECT count(*) FROM training_certificate WHERE person = ?", (person.id,)
    ).fetchone()[0]
    if count >= CERTIFICATES_LIMIT:
        raise AnnotationError("conflict", f"Nobody has more than {CERTIFICATES_LIMIT} certificates.")
    hours, answers = results["hours"], results["answers"]
    if not hours["recordings"] and not answers:
        raise AnnotationError("conflict", "There is nothing to certify yet.")
    body = {
        "version": 1,
        "code": code,
        "name": person.name,
        "room": person.room,
        "issued": round(now * 1000),
        "seconds_once": hours["once"],
        "seconds_total": hours["total"],
        "recordings": len(hours["recordings"]),
        "playlists": [one["title"] or MASK * MASKED for one in results["playlists"] if one["done"]],
        "questions": {
            "answered": len(answers),
            "passed": sum(one["best"]["passed"] for one in answers),
            "passed_first": sum(one["first"]["passed"] for one in answers),
        },
    }
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def keep(
    connection: sqlite3.Connection,
    person: people.Person,
    code: str,
    signed: tuple[bytes, bytes],
    now: float,
) -> None:
    """Keep a certificate: its bytes and their signature."""
    connection.execute(
        "INSERT INTO training_certificate VALUES (?, ?, ?, ?, ?, ?)",
        (code, person.room, person.id, *signed, now),
    )


def find(connection: sqlite3.Connection, code: str) -> tuple[bytes, bytes]:
    """Find a certificate's bytes and their signature. Raise AnnotationError not_found."""
    row = connection.execute(
        "SELECT body, signature FROM training_certificate WHERE code = ?", (code,)
    ).fetchone()
    if row is None:
        raise AnnotationError("not_found", "No certificate has this code.")
    return row["body"], row["signature"]


def of_person(connection: sqlite3.Connection, person: str) -> list[dict[str, Any]]:
    """List somebody's certificates, the newest first."""
    rows = connection.execute(
        "SELECT body FROM training_certificate WHERE person = ? ORDER BY made DESC", (person,)
    )
    return [json.loads(row["body"]) for row in rows]
