"""A line with a narrow place: rate and queue, delay, jitter, loss by chance and in bursts, reordering, duplicates.

It has no clock: tests drive it in virtual time, `impaired_line.py` between real sockets. Seeded: the same line does the
same twice.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Line:
    """One direction. Times are seconds; `rate` in bit/s, None: no narrow place. All fields may be changed under way.

    `loss` is by chance; `burst_loss` begins a burst (Gilbert) of `burst_length` packets on average. `jitter` is
    added evenly from 0 on and does not reorder, `reordered` is the share that is held up by `held_up` more,
    `duplicated` the share that comes twice. What would wait longer than `queue_seconds` is dropped.
    """

    seed: int
    rate: float | None = None
    queue_seconds: float = 0.3
    delay: float = 0.02
    jitter: float = 0.0
    loss: float = 0.0
    burst_loss: float = 0.0
    burst_length: float = 5.0
    reordered: float = 0.0
    held_up: float = 0.01
    duplicated: float = 0.0
    sent: int = 0
    dropped_by_queue: int = 0
    lost: int = 0
    _chance: random.Random = field(init=False)
    _free_at: float = 0.0
    _last_arrival: float = 0.0
    _bursting: bool = False

    def __post_init__(self) -> None:
        """Begin with an empty queue."""
        self._chance = random.Random(self.seed)

    def pass_on(self, size: int, now: float) -> list[float]:
        """Return when a packet of `size` bytes that enters now arrives: once, never, or twice."""
        self.sent += 1
        if self._is_lost():
            self.lost += 1
            return []
        leaves = now
        if self.rate is not None:
            begins = max(now, self._free_at)
            if begins - now > self.queue_seconds:
                self.dropped_by_queue += 1
                return []
            leaves = self._free_at = begins + size * 8 / self.rate
        arrival = leaves + self.delay + self._chance.random() * self.jitter
        if self._chance.random() < self.reordered:
            arrivals = [arrival + self.held_up]
        else:
            arrival = max(arrival, self._last_arrival)
            self._last_arrival = arrival
            arrivals = [arrival]
        if self._chance.random() < self.duplicated:
            arrivals.append(arrivals[0] + 0.001)
        return arrivals

    def stand_still(self, now: float, seconds: float) -> None:
        """Let nothing arrive for so long, and then all of it at once, in order: a radio that is busy."""
        self._last_arrival = max(self._last_arrival, now + seconds)

    def _is_lost(self) -> bool:
        if self._bursting:
            self._bursting = self._chance.random() >= 1 / self.burst_length
        elif self._chance.random() < self.burst_loss:
            self._bursting = True
        return self._bursting or self._chance.random() < self.loss
