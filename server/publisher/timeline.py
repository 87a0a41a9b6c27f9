"""One running time for a source whose own clock starts anywhere, jumps, ends and begins again. Exact fractions.

The picture leads: it decides where time begins, what a jump is and how long a pass lasts. Sound follows by the
same offset, and what of it does not fit (before the first picture, over the seam of a loop) is left out.
"""

from __future__ import annotations

from fractions import Fraction

#: A step larger than this, or back by more, is a new beginning and no pause (seconds).
JUMP = Fraction(5)

#: The step assumed until two pictures were seen.
DEFAULT_STEP = Fraction(1, 30)


class OutOfOrderError(ValueError):
    """Pictures do not come in the order in which they are shown: the stream has B-frames."""


class Timeline:
    """Turns timestamps of a source (seconds) into seconds since its first picture, without gap or repeat."""

    def __init__(self) -> None:
        self.step = DEFAULT_STEP
        self._first: Fraction | None = None  # the first picture's own timestamp
        self._offset = Fraction(0)
        self._last: Fraction | None = None  # the last picture's time
        self._end = Fraction(0)
        self._last_sound: Fraction | None = None

    def place_picture(self, raw: Fraction, duration: Fraction = Fraction(0)) -> Fraction:
        """Return the picture's time. `duration` 0: not known. OutOfOrderError when it lies before the last."""
        if self._first is None:
            self._first, self._offset = raw, -raw
        time = raw + self._offset
        if self._last is not None:
            step = time - self._last
            if abs(step) > JUMP:
                time = self._last + self.step
                self._offset = time - raw
            elif step <= 0:
                raise OutOfOrderError("A picture comes before one that is shown earlier.")
            else:
                self.step = step
        self._last = time
        self._end = time + (duration or self.step)
        return time

    @property
    def empty(self) -> bool:
        """Whether no picture was placed yet."""
        return self._last is None

    def place_next(self, step: Fraction | None) -> Fraction:
        """Return the time of a picture without timestamp: one step (default: the last one) after the picture before."""
        return self.place_picture(
            (self._end if self._last is not None else Fraction(0)) - self._offset, step or self.step
        )

    def place_sound(self, raw: Fraction) -> Fraction | None:
        """Return the sound's time, or None where it has no place."""
        if self._last is None:
            return None
        time = raw + self._offset
        if time < 0 or abs(time - self._last) > JUMP:
            return None
        if self._last_sound is not None and time <= self._last_sound:
            return None
        self._last_sound = time
        return time

    def begin_again(self) -> None:
        """Let the same source follow on from its end: its first picture comes just where the last one stops."""
        assert self._first is not None, "a pass without a picture cannot be repeated"
        self._offset = self._end - self._first
