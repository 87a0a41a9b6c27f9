"""What people decide about a recording: its class, holds, consents, its deletion. Each is one transaction with its
entry in the audit book, so that neither is there without the other.

All take the connection of a transaction (`Database.run`), who decides, and the time in Unix milliseconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from .audit import SERVER, Doer, append
from .terms import BY_CONSENT, Consent, due

DAY = 86_400_000


class Refused(Exception):
    """It is not decided so; the text is a sentence, `code` a word for pages that have their own."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


# -- classes ---------------------------------------------------------------------------------------------------------


def classes(c: sqlite3.Connection) -> list[dict[str, Any]]:
    """Give the table of classes and terms."""
    rows = c.execute("SELECT * FROM retention ORDER BY recordings, class")
    return [dict(row) for row in rows]


def set_term(c: sqlite3.Connection, doer: Doer, now: int, name: str, years: int | None) -> None:
    """Change a class's term in years, or make a new class; None: kept by consent to teaching."""
    row = c.execute("SELECT years, least FROM retention WHERE class = ?", (name,)).fetchone()
    if (name == BY_CONSENT) != (years is None):
        raise Refused(
            "bad_term", f"The class {BY_CONSENT}, and it alone, is kept by consent and has no years."
        )
    if years is not None and not max(1, row["least"] if row else 1) <= years <= 200:
        raise Refused("bad_term", f"{name} is kept for {max(1, row['least'] if row else 1)} to 200 years.")
    if row is None:
        c.execute("INSERT INTO retention VALUES (?, ?, 0, 0, 1)", (name, years))
    else:
        c.execute("UPDATE retention SET years = ? WHERE class = ?", (years, name))
    # a longer term takes back what was proposed
    c.execute("UPDATE kept SET proposed = NULL WHERE class = ?", (name,))
    append(
        c, doer, "retention_changed", now, retention=name, years=years, before=row["years"] if row else None
    )


def set_usual(c: sqlite3.Connection, doer: Doer, now: int, name: str) -> None:
    """Say which class new recordings have."""
    _class(c, name)
    c.execute("UPDATE retention SET usual = (class = ?)", (name,))
    append(c, doer, "usual_class_changed", now, retention=name)


def _class(c: sqlite3.Connection, name: str) -> sqlite3.Row:
    row: sqlite3.Row | None = c.execute(
        "SELECT * FROM retention WHERE class = ? AND recordings", (name,)
    ).fetchone()
    if row is None:
        raise Refused("unknown_class", f"There is no class {name!r} for recordings.")
    return row


# -- recordings ------------------------------------------------------------------------------------------------------


def register(c: sqlite3.Connection, found: Iterable[tuple[str, str, int]]) -> None:
    """Take in recordings (name, room, start) that are not known yet, with the usual class."""
    c.executemany(
        "INSERT OR IGNORE INTO kept (recording, room, started, class) "
        "SELECT ?, ?, ?, class FROM retention WHERE usual",
        found,
    )


def choose_class(c: sqlite3.Connection, doer: Doer, now: int, recording: str, name: str) -> None:
    """Put a recording into a class."""
    kept = check_there(c, recording)
    _class(c, name)
    if name == BY_CONSENT and not may_use(c, recording, "teaching", now):
        raise Refused("no_consent", "A recording is kept for teaching only with consent to it.")
    c.execute("UPDATE kept SET class = ?, proposed = NULL WHERE recording = ?", (name, recording))
    append(c, doer, "class_chosen", now, recording, retention=name, before=kept["class"])


def check_there(c: sqlite3.Connection, recording: str) -> sqlite3.Row:
    """Give how a recording is kept. Raise Refused where it is deleted or never was."""
    row: sqlite3.Row | None = c.execute("SELECT * FROM kept WHERE recording = ?", (recording,)).fetchone()
    if row is None:
        raise Refused("unknown_recording", f"There is no recording {recording!r}.")
    if row["deleted"] is not None or _deletion(c, recording, "agreed") is not None:
        raise Refused("deleted", "This recording has been deleted.")
    return row


# -- holds -----------------------------------------------------------------------------------------------------------


def hold(c: sqlite3.Connection, doer: Doer, now: int, recording: str, reason: str) -> int:
    """Lay a hold on a recording: nothing deletes it until it is lifted. An open request for deletion falls."""
    check_there(c, recording)
    number = c.execute(
        "INSERT INTO hold (recording, reason, since, person, name) VALUES (?, ?, ?, ?, ?)",
        (recording, reason, now, doer.person, doer.name),
    ).lastrowid
    assert number is not None
    append(c, doer, "hold_laid", now, recording, hold=number)
    if (asked := _deletion(c, recording, "asked")) is not None:
        _answer(c, doer, now, asked, "refused")
    return number


def lift(c: sqlite3.Connection, doer: Doer, now: int, recording: str, number: int, reason: str) -> None:
    """Lift one hold; others on the same recording stay."""
    changed = c.execute(
        "UPDATE hold SET lifted = ?, lifted_name = ?, lifted_reason = ? "
        "WHERE number = ? AND recording = ? AND lifted IS NULL",
        (now, doer.name, reason, number, recording),
    )
    if not changed.rowcount:
        raise Refused("no_hold", "There is no such hold on this recording.")
    append(c, doer, "hold_lifted", now, recording, hold=number)


def held(c: sqlite3.Connection, recording: str) -> bool:
    """Tell whether a hold lies on a recording."""
    return (
        c.execute("SELECT 1 FROM hold WHERE recording = ? AND lifted IS NULL", (recording,)).fetchone()
        is not None
    )


# -- consent ---------------------------------------------------------------------------------------------------------


def record_consent(
    c: sqlite3.Connection, doer: Doer, now: int, recording: str, purpose: str, reference: str,
    *, given: bool, until: int | None = None,
) -> None:  # fmt: skip
    """Write down that consent to a use was given or withdrawn, and where the paper form lies."""
    check_there(c, recording)
    if until is not None and (not given or until <= now):
        raise Refused("bad_until", "Consent that is given ends later than now.")
    c.execute(
        "INSERT INTO consent (recording, purpose, given, until, reference, at, person, name) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (recording, purpose, given, until, reference, now, doer.person, doer.name),
    )
    # what was proposed because consent ended is judged anew
    c.execute("UPDATE kept SET proposed = NULL WHERE recording = ?", (recording,))
    append(c, doer, "consent_given" if given else "consent_withdrawn", now, recording, purpose=purpose)


def may_use(c: sqlite3.Connection, recording: str, purpose: str, now: int) -> bool:
    """Tell whether there is consent to a use."""
    found = _consent(c, recording, purpose)
    return found is not None and found.stands(now)


def _consent(c: sqlite3.Connection, recording: str, purpose: str) -> Consent | None:
    row = c.execute(
        "SELECT given, at, until FROM consent WHERE recording = ? AND purpose = ? ORDER BY number DESC LIMIT 1",
        (recording, purpose),
    ).fetchone()
    return None if row is None else Consent(bool(row["given"]), row["at"], row["until"])


# -- deletion --------------------------------------------------------------------------------------------------------


def ask(c: sqlite3.Connection, doer: Doer, now: int, recording: str, reason: str, days: int) -> int:
    """Ask for a recording's deletion; another person agrees within so many days, or nothing happens."""
    check_there(c, recording)
    expire(c, now)
    if held(c, recording):
        raise Refused("held", "A legal hold lies on this recording: nothing deletes it.")
    if _deletion(c, recording, "asked") is not None:
        raise Refused("asked_already", "The deletion of this recording has been asked for already.")
    number = c.execute(
        "INSERT INTO deletion (recording, reason, person, name, asked, expires, state) "
        "VALUES (?, ?, ?, ?, ?, ?, 'asked')",
        (recording, reason, doer.person, doer.name, now, now + days * DAY),
    ).lastrowid
    assert number is not None
    append(c, doer, "deletion_asked", now, recording, request=number)
    return number


def agree(c: sqlite3.Connection, doer: Doer, now: int, recording: str, number: int) -> None:
    """Agree to a deletion that somebody else asked for: from here on it is carried out, and no hold comes before it."""
    asked = _asked(c, now, recording, number)
    if asked["person"] == doer.person:
        raise Refused("same_person", "Who asked for a deletion cannot agree to it: another person must.")
    if held(c, recording):
        raise Refused("held", "A legal hold lies on this recording: nothing deletes it.")
    _answer(c, doer, now, asked, "agreed")


def refuse(c: sqlite3.Connection, doer: Doer, now: int, recording: str, number: int) -> None:
    """Refuse a deletion, or take back one's own request."""
    asked = _asked(c, now, recording, number)
    _answer(c, doer, now, asked, "withdrawn" if asked["person"] == doer.person else "refused")


def _asked(c: sqlite3.Connection, now: int, recording: str, number: int) -> sqlite3.Row:
    expire(c, now)
    asked = _deletion(c, recording, "asked")
    if asked is None or asked["number"] != number:
        raise Refused("no_request", "This request has been answered, or its time is over.")
    return asked


def _answer(c: sqlite3.Connection, doer: Doer, now: int, asked: sqlite3.Row, state: str) -> None:
    c.execute(
        "UPDATE deletion SET state = ?, answered_person = ?, answered_name = ?, answered = ? WHERE number = ?",
        (state, doer.person, doer.name, now, asked["number"]),
    )
    append(c, doer, f"deletion_{state}", now, asked["recording"], request=asked["number"])


def _deletion(c: sqlite3.Connection, recording: str, state: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = c.execute(
        "SELECT * FROM deletion WHERE recording = ? AND state = ?", (recording, state)
    ).fetchone()
    return row


def expire(c: sqlite3.Connection, now: int) -> None:
    """Let requests fall whose time is over."""
    for asked in c.execute(
        "SELECT * FROM deletion WHERE state = 'asked' AND expires <= ?", (now,)
    ).fetchall():
        _answer(c, SERVER, now, asked, "expired")


def propose(c: sqlite3.Connection, now: int) -> list[str]:
    """Find the recordings whose time is over and write that down, once each; nothing is deleted by it."""
    found = []
    for row in c.execute(
        "SELECT kept.*, retention.years FROM kept JOIN retention USING (class) "
        "WHERE deleted IS NULL AND proposed IS NULL"
    ).fetchall():
        recording = str(row["recording"])
        end = due(row["started"], row["years"], _consent(c, recording, "teaching"))
        if end is None or end > now or held(c, recording):
            continue
        c.execute("UPDATE kept SET proposed = ? WHERE recording = ?", (now, recording))
        append(c, SERVER, "retention_ended", now, recording, retention=row["class"])
        found.append(recording)
    return found


def deletions_agreed(c: sqlite3.Connection) -> list[sqlite3.Row]:
    """Give the deletions that are to be carried out, or gone on with."""
    return c.execute("SELECT * FROM deletion WHERE state = 'agreed' ORDER BY number").fetchall()


def deletion_went(c: sqlite3.Connection, now: int, number: int, recording: str, remaining: str) -> None:
    """Note how far a deletion has come: what remains (a sentence), or that all is gone."""
    before = c.execute("SELECT remaining FROM deletion WHERE number = ?", (number,)).fetchone()["remaining"]
    c.execute("UPDATE deletion SET remaining = ? WHERE number = ?", (remaining, number))
    if remaining:
        if remaining != before:
            append(c, SERVER, "deletion_not_complete", now, recording, request=number)
        return
    c.execute("UPDATE deletion SET state = 'done', done = ? WHERE number = ?", (now, number))
    c.execute("UPDATE kept SET deleted = ? WHERE recording = ?", (now, recording))
    append(c, SERVER, "recording_deleted", now, recording, request=number)
