"""What loss says of a line: much of it means that less should be sent, unless sending less does not help.

Radio links lose packets at any rate. Whoever backs off from that ends in the smallest picture for nothing. So backing
off is an experiment: if a second later as much is lost as before, the loss is the line's own, and is no longer held
against the rate.
"""

from __future__ import annotations

from collections import deque

#: Loss beyond the line's own above which the rate falls, and below which it may rise.
TOO_MUCH, LITTLE = 0.10, 0.02
#: Loss is judged over so many seconds and at least so many packets.
WINDOW_SECONDS = 1.0
WINDOW_PACKETS = 30
#: How long an experiment lasts, and what share of the loss must remain for it to be the line's own.
EXPERIMENT_SECONDS = 1.2
REMAINING = 0.6
#: The line's own loss is believed for so long without a new experiment, and at most this much.
BELIEF_SECONDS = 60.0
MAX_INHERENT = 0.4


class LossDetector:
    """Follows one line's loss."""

    def __init__(self) -> None:
        self.inherent = 0.0
        self._inherent_until = 0.0
        self._window: deque[tuple[float, int, int]] = deque()
        self._experiment: tuple[float, float, int] | None = None

    def add(self, received: int, lost: int, now: float) -> None:
        """Count what a feedback says."""
        self._window.append((now, received, lost))
        while self._window and self._window[0][0] < now - WINDOW_SECONDS:
            self._window.popleft()
        if now > self._inherent_until:
            self.inherent = 0.0

    @property
    def loss(self) -> float:
        """The share lost lately, 0 where too little was sent to tell."""
        received = sum(entry[1] for entry in self._window)
        lost = sum(entry[2] for entry in self._window)
        return lost / (received + lost) if received + lost >= WINDOW_PACKETS else 0.0

    @property
    def excess(self) -> float:
        """What is lost beyond the line's own loss."""
        loss = self.loss
        return max(0.0, (loss - self.inherent) / (1 - self.inherent)) if loss else 0.0

    @property
    def allows_growth(self) -> bool:
        """Whether the rate may rise."""
        return self.excess < LITTLE + 0.5 * self.inherent and self._experiment is None

    def decide(self, rate: int, now: float) -> int:
        """Return the rate that loss permits: `rate` itself, less, or what it was before an experiment that failed."""
        if self._experiment is not None:
            began, loss, before = self._experiment
            if now - began < EXPERIMENT_SECONDS:
                return rate
            self._experiment = None
            if self.loss > REMAINING * loss:
                self.inherent = min(self.loss, MAX_INHERENT)
                self._inherent_until = now + BELIEF_SECONDS
                return max(rate, before)
            return rate
        excess = self.excess
        if excess <= TOO_MUCH:
            return rate
        self._experiment = (now, self.loss, rate)
        # draft-ietf-rmcat-gcc-02, section 6
        return int(rate * (1 - 0.5 * excess))
