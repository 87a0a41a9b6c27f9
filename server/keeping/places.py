"""Where else something of a recording lies: exports, the second copy, backups. Each is told when one is deleted."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

#: Removes what a place holds of a recording, once or again; where something remains there it says so in a sentence.
Forget = Callable[[str], Awaitable[object]]


class Places:
    """The places, by a word each."""

    def __init__(self) -> None:
        self._places: dict[str, Forget] = {}

    def add(self, name: str, forget: Forget) -> None:
        """Name a place; whoever keeps anything of recordings outside their folder calls this at the start."""
        self._places[name] = forget

    async def forget(self, recording: str) -> str:
        """Remove a recording from every place; says in sentences what remains."""
        remaining: list[str] = []
        for name, forget in self._places.items():
            try:
                said = await forget(recording)
                remaining += [said] if isinstance(said, str) and said else []
            except Exception as error:
                # one place that fails leaves the others to be cleared, and is asked again
                log.error("a deleted recording remains in %s: %s", name, type(error).__name__)
                remaining.append(f"It could not be removed from {name} yet.")
        return " ".join(remaining)
