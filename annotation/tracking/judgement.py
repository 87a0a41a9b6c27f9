"""Whether a mark may be believed: good, lost or stale.

A mark is **good** as long as its tissue is seen where the mark is drawn. It is **lost** when the tissue is not seen
there for a moment (covered, out of the picture, changed): one picture may be spoilt, two in a row may not. It is
**stale** when nobody can know: the camera was cut or moved fast, or the pictures were not looked at in time.
Whichever it is, the mark stays where it was last right, and it is good again only when its own original tissue was
found again, surely, and twice in a row.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, Literal

State = Literal["good", "lost", "stale"]


class Event(Enum):
    """What one picture says about a mark."""

    SEEN = auto()  # the tissue is where the mark is
    DOUBTED = auto()  # not surely, in this picture
    MISSED = auto()  # nor in those before
    SWEPT = auto()  # the camera was cut or moved fast, or nobody looked
    FOUND = auto()  # the original tissue, again, for sure


TABLE: Final[dict[tuple[State, Event], State]] = {
    ("good", Event.SEEN): "good",
    ("good", Event.DOUBTED): "good",
    ("good", Event.MISSED): "lost",
    ("good", Event.SWEPT): "stale",
    ("good", Event.FOUND): "good",
    ("lost", Event.SEEN): "lost",
    ("lost", Event.DOUBTED): "lost",
    ("lost", Event.MISSED): "lost",
    ("lost", Event.SWEPT): "stale",
    ("lost", Event.FOUND): "good",
    ("stale", Event.SEEN): "stale",
    ("stale", Event.DOUBTED): "stale",
    ("stale", Event.MISSED): "stale",
    ("stale", Event.SWEPT): "stale",
    ("stale", Event.FOUND): "good",
}

#: Confidence that keeps a good mark good, and seconds of less after which it is lost.
ENOUGH: Final = 0.5
DOUBT: Final = 0.05
#: What counts as found: how alike, how much of it within the picture, how many of its points agree; how often in a row.
FOUND_SCORE: Final = 0.72
FOUND_VISIBLE: Final = 0.7
FOUND_AGREED: Final = 0.45
FOUND_TIMES: Final = 2


class Judgement:
    """One mark's state. Times are seconds of the stream."""

    __slots__ = ("_doubted", "_found", "state")

    def __init__(self, state: State = "good") -> None:
        self.state: State = state
        self._doubted: float | None = None
        self._found = 0

    @property
    def hope(self) -> int:
        """How often in a row its tissue was found, of those times that it takes."""
        return self._found

    def seen(self, confidence: float, now: float) -> None:
        """Take what a picture says of a mark that is good."""
        if confidence >= ENOUGH:
            self._doubted = None
            self._take(Event.SEEN)
            return
        if self._doubted is None:
            self._doubted = now
        self._take(Event.MISSED if now - self._doubted >= DOUBT else Event.DOUBTED)

    def swept(self) -> None:
        """Note that nothing is known any more."""
        self._take(Event.SWEPT)

    def sought(self, *, found: bool) -> None:
        """Take whether the original tissue of a mark that is not good was found in this picture."""
        self._found = self._found + 1 if found else 0
        if self._found >= FOUND_TIMES:
            self._take(Event.FOUND)

    def _take(self, event: Event) -> None:
        state = TABLE[self.state, event]
        if state != self.state:
            self._doubted, self._found = None, 0
        self.state = state
