"""What a track shows or lets hear: the word that a publisher gives it."""

from __future__ import annotations

from typing import Final, Literal

Source = Literal["field", "camera", "microphone", "screen", "second"]
SOURCES: Final[frozenset[str]] = frozenset({"field", "camera", "microphone", "screen", "second"})
