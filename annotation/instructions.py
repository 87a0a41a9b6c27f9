"""Instructions and their acknowledgement: an expert asks, the surgeon answers seen, done or no.

    sent ──seen──▶ seen ──done, no──▶ closed
      │              └──withdrawn───▶ closed
      └──done, no, withdrawn────────▶ closed

What is closed stays closed: an instruction that was done is not undone by a second answer, and who means something else
gives a new one. What each has come to follows from the notes alone, so that it is the same in every copy of the log.
Each has a number, which the server gives once: what is said aloud ("number three is done") means the same as long as
the room lasts, for everybody, in its recording too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from .notes import Answer, Instruct, Withdraw
from .values import AnnotationError

if TYPE_CHECKING:
    from .operations import Entry

State = Literal["sent", "seen", "done", "no", "withdrawn"]

#: Every legal step; what is not in it is refused.
TRANSITIONS: Final[dict[tuple[State, State], State]] = {
    ("sent", "seen"): "seen",
    ("sent", "done"): "done",
    ("sent", "no"): "no",
    ("sent", "withdrawn"): "withdrawn",
    ("seen", "done"): "done",
    ("seen", "no"): "no",
    ("seen", "withdrawn"): "withdrawn",
}
OPEN: Final[frozenset[State]] = frozenset({"sent", "seen"})

#: A surgeon who operates cannot attend to more at once; who asks for more withdraws something first.
OPEN_BY_AUTHOR: Final = 5
OPEN_LIMIT: Final = 20


@dataclass(frozen=True, slots=True)
class Instruction:
    """What an instruction has come to; times in Unix ms, None: it has not come to that."""

    instruction: str
    author: str
    sent: float
    state: State = "sent"
    seen: float | None = None
    closed: float | None = None


def standing(entries: Iterable[Entry]) -> dict[str, Instruction]:
    """Add the notes up, in their order. What cannot follow (its instruction had to go) is passed over."""
    found: dict[str, Instruction] = {}
    for entry in entries:
        note = entry.operation
        match note:
            case Instruct(identifier):
                found[identifier] = Instruction(identifier, entry.author, entry.time)
            case Answer(identifier) | Withdraw(identifier) if identifier in found:
                step = _step(found[identifier], note)
                if step is not None:
                    found[identifier] = _at(found[identifier], step, entry.time)
    return found


def next_number(entries: Sequence[Entry]) -> int:
    """Find the number of the next instruction. The newest one is always held: few answers can have come since."""
    for entry in reversed(entries):
        if isinstance(entry.operation, Instruct):
            return entry.operation.number + 1
    return 1


def check(entries: Iterable[Entry], note: Instruct | Answer | Withdraw, author: str) -> None:
    """Raise AnnotationError duplicate, too_many_instructions, not_found, not_permitted or not_open."""
    known = standing(entries)
    found = known.get(note.instruction)
    if isinstance(note, Instruct):
        if found is not None:
            raise AnnotationError("duplicate", "An instruction of this identifier was given already.")
        open_now = [one.author for one in known.values() if one.state in OPEN]
        if open_now.count(author) >= OPEN_BY_AUTHOR or len(open_now) >= OPEN_LIMIT:
            raise AnnotationError(
                "too_many_instructions",
                "Too many instructions wait for an answer. Withdraw one first, or wait.",
            )
        return
    if found is None:
        raise AnnotationError("not_found", "This instruction is no longer there.")
    if isinstance(note, Withdraw) and found.author != author:
        raise AnnotationError("not_permitted", "This is somebody else's instruction.")
    if _step(found, note) is None:
        sentence = "This instruction was answered or withdrawn already."
        raise AnnotationError(
            "not_open", sentence if found.state not in OPEN else "This was answered so already."
        )


def _step(found: Instruction, note: Answer | Withdraw) -> State | None:
    deed: State = "withdrawn" if isinstance(note, Withdraw) else note.answer
    return TRANSITIONS.get((found.state, deed))


def _at(found: Instruction, state: State, time: float) -> Instruction:
    seen = time if found.seen is None and state != "withdrawn" else found.seen
    return replace(found, state=state, seen=seen, closed=None if state in OPEN else time)
