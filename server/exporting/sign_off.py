"""Teaching copies: made only with consent, seen by nobody before a person has looked, and gone with the consent.

A copy that was made waits (`needs_sign_off`): whoever may `export` sees and hears it, and nobody else. When one of them
has said that he looked at its pictures, its sound and its texts, whoever may `replay` in the room is given it. A hold
withholds it as long as it lasts; consent that is withdrawn, or over, takes it away.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from aiohttp import web

from recorder.export.kinds import KINDS
from signalling.permissions import Role, may
from signalling.tokens import Claims

from ..keeping import audit
from . import rows
from .rows import Row

if TYPE_CHECKING:
    from ..service import Service

#: Kinds that wait for somebody's look.
SIGNED_KINDS: Final = frozenset(name for name, kind in KINDS.items() if kind.sign_off)
#: What has to be looked at, all of it.
LOOKED_AT: Final = ("pictures", "sound", "texts")


def may_see(role: Role, row: Row) -> bool:
    """Tell whether a role sees an export in the list."""
    if may(role, "export"):
        return True
    return may(role, "replay") and row.kind in SIGNED_KINDS and row.state == "done"


def is_given(role: Role, row: Row) -> bool:
    """Tell whether a role that sees it is given its files: all that is done, and to whom may sign off what waits."""
    return row.state == "done" or (
        row.state == "needs_sign_off" and row.kind in SIGNED_KINDS and may(role, "export")
    )


async def demand_consent(service: Service, recording: str, kind: str) -> None:
    """Raise 403, in a sentence, where a recording may not be shown for teaching."""
    if kind in SIGNED_KINDS and (why := await service.keeper.why_not_teach(recording)):
        raise web.HTTPForbidden(text=why)


def read_looks(body: object) -> None:
    """Raise 400 unless somebody confirms to have looked at everything."""
    looks = body.get("looked_at") if isinstance(body, dict) else None
    if not isinstance(looks, list) or not all(isinstance(look, str) for look in looks):
        raise web.HTTPBadRequest(text=f"A sign-off says what was `looked_at`: {', '.join(LOOKED_AT)}.")
    missing = [look for look in LOOKED_AT if look not in looks]
    if missing or set(looks) - set(LOOKED_AT):
        raise web.HTTPBadRequest(
            text="Look at pictures, sound and texts of the copy, each of them, and say so."
        )


async def sign(service: Service, claims: Claims, row: Row) -> None:
    """Write down that somebody has looked, and let it out: both or neither. Raise 409, or AuditError (503)."""
    doer, now = audit.doer_of(claims), service.wall_clock()

    def work(c: sqlite3.Connection) -> str:
        if unopened(c, doer.person, row):
            return "Look at the copy first: not all of its files have been opened by you."
        if not rows.sign(c, row.export, doer.person, now):
            return "This export does not wait for a look."
        audit.append(
            c,
            doer,
            "export_signed_off",
            int(now * 1000),
            row.recording,
            export=row.export,
            same_person=doer.person == row.person,
        )
        return ""

    if refusal := await service.keeper.decide(work):
        raise web.HTTPConflict(text=refusal)


def unopened(c: sqlite3.Connection, person: str, row: Row) -> set[str]:
    """Name the files of an export that a person never fetched, by the audit book: he has not looked at them."""
    fetched = c.execute(
        "SELECT json_extract(entry, '$.about.file') FROM audit WHERE recording = ? "
        "AND json_extract(entry, '$.deed') = 'export_fetched' AND json_extract(entry, '$.person') = ? "
        "AND json_extract(entry, '$.about.export') = ?",
        (row.recording, person, row.export),
    )
    return {str(file["name"]) for file in row.files} - {str(name) for (name,) in fetched}


async def withdraw(service: Service, recording: str | None = None) -> None:
    """Take away the copies of recordings (of one, or of all) to which consent does not stand any more."""
    kinds = sorted(SIGNED_KINDS)
    where = f"kind IN ({', '.join('?' * len(kinds))}) AND state != 'cancelled'"
    values: tuple[object, ...] = tuple(kinds)
    if recording is not None:
        where, values = where + " AND recording = ?", (*values, recording)
    for row in await service.database.run(lambda c: rows.select(c, where, values)):
        if not await service.keeper.has_consent(row.recording, "teaching"):
            await service.exports.remove(row.export)
            await audit.write(
                service, audit.SERVER, "teaching_copy_withdrawn", row.recording, export=row.export
            )
