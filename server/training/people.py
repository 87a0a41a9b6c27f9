"""Who learns and who teaches in a room, as the database knows them: by an identifier that says nothing of them."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass

from annotation.values import AnnotationError
from signalling.tokens import Claims

from ..bearer import person_of


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a room. `id` may stand in an address, name and role are those of the link that was used last."""

    id: str
    room: str
    name: str
    role: str


def known(connection: sqlite3.Connection, claims: Claims, now: float) -> Person:
    """Find who asks, or note him for the first time; his name and role are brought up to date."""
    identifier = noted(connection, claims.room, person_of(claims), claims.name, claims.role, now)
    return Person(identifier, claims.room, claims.name, claims.role)


def noted(connection: sqlite3.Connection, room: str, person: str, name: str, role: str, now: float) -> str:
    """Find a person of a room, or note him for the first time; give his identifier."""
    row = connection.execute(
        "SELECT id FROM training_person WHERE room = ? AND person = ?", (room, person)
    ).fetchone()
    identifier: str = row["id"] if row is not None else "p-" + secrets.token_hex(8)
    connection.execute(
        "INSERT INTO training_person VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET name = excluded.name, role = excluded.role, seen = excluded.seen",
        (identifier, room, person, name, role, now),
    )
    return identifier


def everybody(connection: sqlite3.Connection, room: str) -> list[Person]:
    """List the people of a room who ever opened a recording or its training, by name."""
    rows = connection.execute(
        "SELECT id, room, name, role FROM training_person WHERE room = ? ORDER BY name, id", (room,)
    )
    return [Person(row["id"], row["room"], row["name"], row["role"]) for row in rows]


def find(connection: sqlite3.Connection, room: str, identifier: str) -> Person | None:
    """Find somebody of a room by the identifier."""
    row = connection.execute(
        "SELECT id, room, name, role FROM training_person WHERE room = ? AND id = ?", (room, identifier)
    ).fetchone()
    return None if row is None else Person(row["id"], row["room"], row["name"], row["role"])


def require(connection: sqlite3.Connection, room: str, identifier: str) -> Person:
    """Find somebody of a room. Raise AnnotationError not_found."""
    person = find(connection, room, identifier)
    if person is None:
        raise AnnotationError("not_found", "Nobody of this room has this identifier.")
    return person
