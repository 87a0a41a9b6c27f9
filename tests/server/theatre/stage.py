"""A theatre's worker in virtual time: what it sends, when, and what a decoder makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.theatre import wire
from server.theatre.opening import Opened
from server.theatre.worker import Worker

EPOCH = 1_800_000_000.0
FAST = 100_000_000


@dataclass
class Stage:
    """Drives one worker; `now` is virtual, seconds after EPOCH."""

    opened: Opened
    firsts: dict[int, int] = field(default_factory=dict)
    now: float = 0.0

    def __post_init__(self) -> None:
        streams = {
            str(number): {
                "ssrc": 1000 + number,
                "payload_type": 96,
                "sequence": 65_500,
                "timestamp": self.firsts.get(number, (1 << 32) - 5000),
            }
            for number in self.opened.tracks
        }
        self.worker = Worker(self.opened, streams, EPOCH)
        #: (when, track, packets)
        self.sent: list[tuple[float, int, list[bytes]]] = []
        self.states: list[dict[str, Any]] = []

    def ask(self, action: str, **more: object) -> None:
        """Command, and take what comes of it at once."""
        self.worker.carry_out({"action": action, "bits_per_second": FAST, **more}, EPOCH + self.now)
        self._take()

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while True:
            timer = self.worker.get_timer()
            if timer is None or timer - EPOCH > end:
                break
            self.now = max(self.now, timer - EPOCH)
            self._take()
        self.now = end
        self._take()

    def stall(self, seconds: float) -> None:
        """Let time pass without being called."""
        self.now += seconds

    def packets(self, track: int) -> list[bytes]:
        """All that was sent of a track."""
        return [packet for _, number, packets in self.sent if number == track for packet in packets]

    def _take(self) -> None:
        for message in self.worker.output(EPOCH + self.now):
            kind, length = wire.head(message[: wire.HEAD_SIZE])
            body = message[wire.HEAD_SIZE :]
            assert len(body) == length
            if kind == wire.PACKETS:
                self.sent.append((self.now, *wire.read_burst(body)))
            else:
                self.states.append(wire.read_state(body))


def opened(folder: Path, *wanted: int) -> Opened:
    """Open a recording as the worker does."""
    return Opened(folder, None, wanted, lambda _: None)
