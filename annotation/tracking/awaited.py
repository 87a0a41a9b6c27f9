"""Pictures that something is being drawn on: a line takes time, and its mark hangs on the frame that it was begun on.

Such a picture is kept longer than the newest seconds, with the way that the camera has gone since: that leads to about
where the tissue is when the mark comes. Whether it is there only the tissue itself can say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from .patch import Pyramid
from .similarity import Matrix, compose, identity

#: For so long after the last news of a line its picture is kept, seconds; and so many pictures, of 0.7 MB each.
KEPT_SECONDS: Final = 60.0
KEPT: Final = 16


@dataclass(slots=True)
class Begun:
    """A picture that something was begun on. `way` leads from it to the newest one, px, `before` to the one before."""

    until: float
    picture: Pyramid | None = None
    before: Matrix = field(default_factory=identity)
    way: Matrix = field(default_factory=identity)
    #: the camera was cut or fast since: the way leads nowhere
    swept: bool = False

    def step(self, matrix: Matrix | None, *, swept: bool) -> None:
        """Go on by one picture; None: nothing is known of the step."""
        self.swept = self.swept or swept or matrix is None
        self.before = self.way
        if matrix is not None:
            self.way = compose(matrix, self.way)


class Awaited:
    """The pictures of one field that something is being drawn on, by their RTP timestamps. Times are of the stream."""

    def __init__(self) -> None:
        self._begun: dict[int, Begun] = {}

    def expect(self, rtp_timestamp: int, now: float) -> bool:
        """Keep this picture, or go on keeping it. True: it is to be kept from now on."""
        known = self._begun.get(rtp_timestamp)
        if known is not None:
            known.until = now + KEPT_SECONDS
            return False
        if len(self._begun) >= KEPT:
            del self._begun[min(self._begun, key=lambda timestamp: self._begun[timestamp].until)]
        self._begun[rtp_timestamp] = Begun(now + KEPT_SECONDS)
        return True

    def find(self, rtp_timestamp: int) -> Begun | None:
        """Give a picture that was seen and is kept."""
        begun = self._begun.get(rtp_timestamp)
        return begun if begun is not None and begun.picture is not None else None

    @property
    def unseen(self) -> list[int]:
        """Those that have not been seen yet."""
        return [timestamp for timestamp, begun in self._begun.items() if begun.picture is None]

    def take(self, rtp_timestamp: int, picture: Pyramid) -> Begun:
        """Take the picture itself, the newest one or an older; its way from there on is the caller's to go."""
        begun = self._begun[rtp_timestamp]
        begun.picture = picture
        return begun

    def step(self, matrix: Matrix | None, now: float, *, swept: bool) -> None:
        """Go on by one picture, and let go what nothing was heard of for long."""
        self._begun = {timestamp: begun for timestamp, begun in self._begun.items() if begun.until >= now}
        for begun in self._begun.values():
            if begun.picture is not None:
                begun.step(matrix, swept=swept)

    def drop(self, gone: Callable[[int], bool]) -> None:
        """Let go those that can never be seen."""
        for timestamp in [timestamp for timestamp in self.unseen if gone(timestamp)]:
            del self._begun[timestamp]
