"""The slope of the line of least squares through the newest points, at one small cost for each new one.

Its sums follow as a point comes and the oldest goes. They are counted from a point near by, since sums of squares of
large numbers would lose what is looked for, and added up anew now and then, so that what rounding left is gone.
"""

from __future__ import annotations

from collections import deque

#: Points between two additions from the beginning.
ANEW = 64
#: All points lie at one place, as far as a clock of 250 us can tell: then there is no slope.
ONE_PLACE = 1e-3


class Trend:
    """Follows points in the order in which they come."""

    def __init__(self, window: int) -> None:
        """`window`: how many points count."""
        self._window = window
        self._points: deque[tuple[float, float]] = deque()
        self._since_anew = 0
        self._origin = (0.0, 0.0)
        self._x = self._y = self._xx = self._xy = 0.0

    @property
    def full(self) -> bool:
        """Whether there are as many points as count."""
        return len(self._points) == self._window

    def add(self, x: float, y: float) -> None:
        """Take a point, and let go of the oldest."""
        points = self._points
        if self._since_anew == 0:
            self._add_anew(x, y)
        self._since_anew = (self._since_anew + 1) % ANEW
        origin_x, origin_y = self._origin
        if len(points) == self._window:
            old_x, old_y = points.popleft()
            old_x, old_y = old_x - origin_x, old_y - origin_y
            self._x -= old_x
            self._y -= old_y
            self._xx -= old_x * old_x
            self._xy -= old_x * old_y
        points.append((x, y))
        x, y = x - origin_x, y - origin_y
        self._x += x
        self._y += y
        self._xx += x * x
        self._xy += x * y

    def _add_anew(self, origin_x: float, origin_y: float) -> None:
        self._origin = (origin_x, origin_y)
        near = [(x - origin_x, y - origin_y) for x, y in self._points]
        self._x, self._y = sum(x for x, _ in near), sum(y for _, y in near)
        self._xx, self._xy = sum(x * x for x, _ in near), sum(x * y for x, y in near)

    def slope(self) -> float:
        """Return by how much y rises with x; 0 where all points lie at one x."""
        count = len(self._points)
        spread = count * self._xx - self._x * self._x
        return (count * self._xy - self._x * self._y) / spread if spread > ONE_PLACE else 0.0
