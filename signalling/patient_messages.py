"""What a client may say about the patient (PROTOCOL.md, section 12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from .message_fields import text

ENTRY_LIMIT: Final = 64


@dataclass(frozen=True, slots=True)
class ChoosePatient:
    """Choose the room's patient by an entry of the worklist; None: nobody."""

    id: int
    entry: str | None


def _choose(identifier: int, body: dict[str, Any]) -> ChoosePatient:
    return ChoosePatient(
        identifier, None if body.get("entry") is None else text(body, "entry", 1, ENTRY_LIMIT)
    )


#: The parsers, by type.
PATIENT: Final[dict[str, Callable[[int, dict[str, Any]], ChoosePatient]]] = {"choose_patient": _choose}
