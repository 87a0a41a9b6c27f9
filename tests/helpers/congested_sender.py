"""A sender before a line, in virtual time: frames at the rate that is permitted, feedback as the plane joins it."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from media.congestion.estimator import BandwidthEstimator
from media.congestion.prober import Prober
from media.feedback_group import FeedbackGroup

from .line import Line

PACKET = 1200
FPS = 60
FEEDBACK_INTERVAL = 0.05
FEEDBACK_DELAY = 0.02
GROUP_SECONDS = 0.005

#: The receiver's clock has another origin than ours.
CLOCK_OFFSET = 1_000_000


@dataclass(slots=True)
class _Sent:
    time: float
    cluster: int
    arrival: float | None = None


@dataclass(slots=True)
class CongestedSender:
    """Sends min(wish, target); `history` has the target each 0.1 s, `delays` each packet's (arrival, delay)."""

    line: Line
    estimator: BandwidthEstimator
    wish: Callable[[float], float]
    prober: Prober | None = None
    fps: float = FPS
    now: float = 0.0
    history: list[tuple[float, int]] = field(default_factory=list)
    delays: list[tuple[float, float]] = field(default_factory=list)
    _due: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = field(default_factory=list)
    _order: int = 0
    _carried: float = 0.0
    _unreported: list[_Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin."""
        self._at(0.0, self._frame)
        self._at(FEEDBACK_INTERVAL, self._report)
        self._at(0.1, self._note)

    def _at(self, time: float, what: Callable[..., None], *arguments: Any) -> None:
        self._order += 1
        heapq.heappush(self._due, (time, self._order, what, arguments))

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self.now + seconds
        while self._due[0][0] <= end:
            self.now, _, what, arguments = heapq.heappop(self._due)
            what(*arguments)
        self.now = end

    def target_between(self, start: float, end: float) -> list[int]:
        """List the targets of a stretch of time."""
        return [target for time, target in self.history if start <= time <= end]

    def delays_between(self, start: float, end: float) -> list[float]:
        """List, in order of size, how long the packets took that arrived within a stretch of time."""
        return sorted(delay for time, delay in self.delays if start <= time <= end)

    def _frame(self) -> None:
        wish, target = self.wish(self.now), self.estimator.target(self.now)
        self._carried += (wish if target is None else min(wish, target)) / self.fps / 8 / PACKET
        count = int(self._carried)
        self._carried -= count
        for i in range(count):
            self._at(self.now + i / count / self.fps * 0.8, self._send, 0)
        self._at(self.now + 1 / self.fps, self._frame)
        if self.prober is None:
            return
        trouble = self.estimator.last_trouble
        order = self.prober.next_probe(self.now, target or int(wish), int(wish), quiet_since=trouble)
        if order is not None:
            for i in range(order.packets):
                self._at(self.now + i * PACKET * 8 / order.rate, self._send, order.cluster)

    def _send(self, cluster: int) -> None:
        packet = _Sent(self.now, cluster)
        arrivals = self.line.pass_on(PACKET, self.now)
        if arrivals:
            packet.arrival = min(arrivals)
            self.delays.append((packet.arrival, packet.arrival - self.now))
        self._unreported.append(packet)

    def _report(self) -> None:
        """What has arrived by now, and what was sent before the newest of it and has not."""
        newest = max(
            (i for i, p in enumerate(self._unreported) if p.arrival and p.arrival <= self.now), default=-1
        )
        told, self._unreported = self._unreported[: newest + 1], self._unreported[newest + 1 :]
        late = [p for p in told if p.arrival is not None and p.arrival > self.now]
        groups: list[list[_Sent]] = []
        for packet in told:
            last = groups[-1] if groups else None
            if last and packet.time - last[0].time < GROUP_SECONDS and packet.cluster == last[0].cluster:
                last.append(packet)
            else:
                groups.append([packet])
        if told:
            self._at(self.now + FEEDBACK_DELAY, self._receive, [_group(g, self.now) for g in groups])
        self._unreported = late + self._unreported
        self._at(self.now + FEEDBACK_INTERVAL, self._report)

    def _receive(self, groups: list[FeedbackGroup]) -> None:
        self.estimator.receive_feedback(groups, self.now)

    def _note(self) -> None:
        self.history.append((self.now, self.estimator.target(self.now) or 0))
        self._at(self.now + 0.1, self._note)


def _group(packets: list[_Sent], now: float) -> FeedbackGroup:
    arrived = [p.arrival for p in packets if p.arrival is not None and p.arrival <= now]
    return FeedbackGroup(
        first_sent=int(packets[0].time * 1e9),
        last_sent=int(packets[-1].time * 1e9),
        last_arrival=int((max(arrived) + CLOCK_OFFSET) * 1e9) if arrived else 0,
        bytes_received=PACKET * len(arrived),
        packets_received=len(arrived),
        packets_lost=len(packets) - len(arrived),
        probe_cluster=packets[0].cluster,
    )
