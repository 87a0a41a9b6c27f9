"""Other words, another answer or measure for a question: what was answered keeps the question as it was asked."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from annotation.shapes import Mark
from annotation.values import AnnotationError, as_identifier, as_integer, as_number, as_object, as_text, bad

from . import questions
from .questions import PROMPT_LIMIT, TOLERANCES, WORDS_LIMIT, parse_answer

#: So often a question is changed at most.
VERSIONS_LIMIT: Final = 100


@dataclass(frozen=True, slots=True)
class Change:
    """What is asked from now on, on the same frame. `version`: the one that is changed. No answer: it stays."""

    version: int
    prompt: str
    words: str
    tolerance: float
    overlap: float
    drawn: Mark | None
    log_mark: str | None


def parse_change(body: dict[str, Any]) -> Change:
    """Parse a change of a question. Raise AnnotationError bad_message."""
    drawn, log_mark = None, None
    if body.get("answer") is not None:
        answer = as_object(body["answer"], "answer")
        if ("log" in answer) == ("mark" in answer):
            raise bad("answer", "must name a mark of the log, or be one")
        if "mark" in answer:
            drawn = parse_answer(answer)
        else:
            log_mark = as_identifier(answer["log"], "log")
    return Change(
        as_integer(body.get("version"), "version", 1, VERSIONS_LIMIT),
        as_text(body.get("prompt"), "prompt", 1, PROMPT_LIMIT),
        as_text(body.get("words", ""), "words", 0, WORDS_LIMIT, lines=True),
        as_number(body.get("tolerance"), "tolerance", *TOLERANCES),
        as_number(body.get("overlap", 0.5), "overlap", 0, 1),
        drawn,
        log_mark,
    )


def keep(
    connection: sqlite3.Connection,
    room: str,
    identifier: str,
    change: Change,
    answer: tuple[Mark, str] | None,
    by: str,
    now: float,
) -> sqlite3.Row:
    """Change a question, the one before it kept; `answer`: another mark and whose it is. Give it as it is now.

    Raise AnnotationError not_found, conflict where another has changed it meanwhile.
    """
    row = questions.find(connection, room, identifier)
    if row["version"] != change.version:
        raise AnnotationError("conflict", "This question was changed meanwhile. Look at it again.")
    if change.version >= VERSIONS_LIMIT:
        raise AnnotationError("conflict", f"A question is changed {VERSIONS_LIMIT} times at most.")
    connection.execute(
        "INSERT INTO training_question_before SELECT id, version, prompt, words, tolerance, overlap, answer, "
        "log_mark, expert, ?, ? FROM training_question WHERE id = ?",
        (by, now, identifier),
    )
    written, expert, log_mark = row["answer"], row["expert"], row["log_mark"]
    if answer is not None:
        written, expert = json.dumps(answer[0].to_json(), separators=(",", ":")), answer[1]
        log_mark = change.log_mark
    connection.execute(
        "UPDATE training_question SET version = version + 1, prompt = ?, words = ?, tolerance = ?, overlap = ?, "
        "answer = ?, expert = ?, log_mark = ? WHERE id = ?",
        (
            change.prompt,
            change.words,
            change.tolerance,
            change.overlap,
            written,
            expert,
            log_mark,
            identifier,
        ),
    )
    return questions.find(connection, room, identifier)


def before(connection: sqlite3.Connection, identifier: str) -> list[dict[str, Any]]:
    """List what a question was before it was changed, the oldest first, for who teaches."""
    rows = connection.execute(
        "SELECT b.*, p.name FROM training_question_before b JOIN training_person p ON p.id = b.changed_by "
        "WHERE b.question = ? ORDER BY b.version",
        (identifier,),
    )
    return [
        {
            "version": row["version"],
            "prompt": row["prompt"],
            "tolerance": row["tolerance"],
            "overlap": row["overlap"],
            "answer": {"mark": json.loads(row["answer"]), "expert": row["expert"], "words": row["words"]},
            "changed": row["changed"] * 1000,
            "by": row["name"],
        }
        for row in rows
    ]
