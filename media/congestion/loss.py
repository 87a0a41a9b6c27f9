"""What loss says of a line: much of it means that less should be sent, unless sending less does not help.

Radio links lose packets at any rate. Whoever backs off from that ends in the smallest picture for nothing. So backing
off is an experiment: a little less is sent than arrives, and if as much of that is lost as before, the loss is the
line's own, and is no longer held against the rate. A place that is too narrow loses nothing of what is less than it
carries. While a queue stands nothing is concluded: then the loss may be that queue's, and the delay says what to do.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

#: Loss beyond the line's own above which the rate falls, and below which it may rise.
TOO_MUCH, LITTLE = 0.10, 0.02
#: Loss is judged over so many seconds and at least so many packets.
WINDOW_SECONDS = 1.0
WINDOW_PACKETS = 30
#: An experiment sends this share of what arrives. It lasts at least so long (a smaller picture begins at a key frame),
#: and longer until not much more than that is being sent; then it is judged by its last part.
TRIED = 0.95
EXPERIMENT_SECONDS, LONGEST_EXPERIMENT = 1.2, 4.0
OBEYED = 1.15
JUDGED_SECONDS = 0.6
#: What share of the loss must remain for it to be the line's own.
REMAINING = 0.6
#: The line's own loss is believed for so long without a new experiment, and at most this much.
BELIEF_SECONDS = 60.0
MAX_INHERENT = 0.4


@dataclass(frozen=True, slots=True)
class _Experiment:
    """What was lost when it began, the rate before, and the one that is tried."""

    began: float
    loss: float
    before: int
    tried: int


class LossDetector:
    """Follows one line's loss."""

    def __init__(self) -> None:
        self.inherent = 0.0
        self._inherent_until = 0.0
        #: when, packets received and lost, bytes received
        self._window: deque[tuple[float, int, int, int]] = deque()
        self._received = self._lost = 0
        self._experiment: _Experiment | None = None

    def add(self, received: int, lost: int, size: int, now: float) -> None:
        """Count what a feedback says: packets received and lost, and the bytes received."""
        self._window.append((now, received, lost, size))
        self._received, self._lost = self._received + received, self._lost + lost
        while self._window[0][0] < now - WINDOW_SECONDS:
            _, received, lost, _ = self._window.popleft()
            self._received, self._lost = self._received - received, self._lost - lost
        if now > self._inherent_until:
            self.inherent = 0.0

    @property
    def loss(self) -> float:
        """The share lost lately, 0 where too little was sent to tell."""
        return _share(self._received, self._lost)

    def _loss_since(self, start: float) -> float:
        entries = [entry for entry in self._window if entry[0] >= start]
        return _share(sum(entry[1] for entry in entries), sum(entry[2] for entry in entries))

    def _sent_since(self, start: float, now: float) -> float:
        """Bits a second that were sent, counting what was lost as large as what arrived."""
        entries = [entry for entry in self._window if entry[0] >= start]
        received = sum(entry[1] for entry in entries)
        sent = received + sum(entry[2] for entry in entries)
        return sum(entry[3] for entry in entries) * 8 * sent / (received or 1) / (now - start)

    @property
    def excess(self) -> float:
        """What is lost beyond the line's own loss."""
        loss = self.loss
        return max(0.0, (loss - self.inherent) / (1 - self.inherent)) if loss else 0.0

    @property
    def allows_growth(self) -> bool:
        """Whether the rate may rise."""
        return self.excess < LITTLE + 0.5 * self.inherent and self._experiment is None

    def decide(self, rate: int, now: float, *, arrived: int, queueing: bool) -> int:
        """Return the rate that loss permits: `rate` itself, less, or what it was before an experiment that failed.

        `arrived` is what came through lately, bit/s; `queueing`: a queue stands on the line.
        """
        if queueing:
            # what was lost in it says nothing of the time after it, either
            self._window.clear()
            self._received = self._lost = 0
            self._experiment = None
            return rate
        if self._experiment is not None:
            return self._judge(self._experiment, rate, now)
        excess = self.excess
        if excess <= TOO_MUCH:
            return rate
        # the formula is that of draft-ietf-rmcat-gcc-02, section 6; far above what arrives it would change nothing
        tried = min(int(rate * (1 - 0.5 * excess)), int(TRIED * arrived))
        self._experiment = _Experiment(now, self.loss, rate, tried)
        return tried

    def _judge(self, experiment: _Experiment, rate: int, now: float) -> int:
        lasted = now - experiment.began
        start = now - JUDGED_SECONDS
        obeyed = self._sent_since(start, now) <= OBEYED * experiment.tried
        if lasted < EXPERIMENT_SECONDS or (not obeyed and lasted < LONGEST_EXPERIMENT):
            return rate
        self._experiment = None
        remaining = self._loss_since(start)
        if not obeyed or remaining <= REMAINING * experiment.loss:
            return rate
        self.inherent = min(remaining, MAX_INHERENT)
        self._inherent_until = now + BELIEF_SECONDS
        return max(rate, experiment.before)


def _share(received: int, lost: int) -> float:
    return lost / (received + lost) if received + lost >= WINDOW_PACKETS else 0.0
