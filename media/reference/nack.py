"""What a producer lost on its way here, and when to ask for it (generic NACK, RFC 4585)."""

from __future__ import annotations

from dataclasses import dataclass

_MS = 1_000_000

#: A packet may be this many numbers or this long late before it counts as missing: networks reorder.
REORDER_PACKETS = 3
REORDER_NS = 5 * _MS

#: How long an answer may take (a round trip and its queues), and how often to ask.
RETRY_NS = 40 * _MS
MIN_RETRY_NS = 20 * _MS
MAX_REQUESTS = 10

#: What has not come by then would be of no use any more.
GIVE_UP_NS = 1000 * _MS

#: A jump of more than this is a new beginning, not a loss: nobody would repeat so much.
MAX_JUMP = 1000


@dataclass(slots=True)
class _Missing:
    due: int
    noticed: int
    asked: int = 0


class MissingPackets:
    """Keep the numbers that one producer skipped. Times are ns."""

    def __init__(self) -> None:
        """Begin with nothing missing."""
        self._missing: dict[int, _Missing] = {}
        self._retry = RETRY_NS

    def set_round_trip(self, round_trip: int) -> None:
        """Note how long an answer takes, ns; 0: not known."""
        self._retry = max(round_trip * 11 // 10, MIN_RETRY_NS) if round_trip else RETRY_NS

    def clear(self) -> None:
        """Ask for nothing that was missing so far."""
        self._missing.clear()

    def __contains__(self, sequence: int) -> bool:
        """Tell whether this number is still waited for."""
        return sequence in self._missing

    def arrived(self, sequence: int, highest: int, now: int) -> bool:
        """Note a packet that arrived while `highest` was the newest; True if it had been asked for."""
        if sequence <= highest:
            missing = self._missing.pop(sequence, None)
            return missing is not None and missing.asked > 0
        if sequence - highest > MAX_JUMP:
            self._missing.clear()
            return False
        for skipped in range(highest + 1, sequence):
            self._missing[skipped] = _Missing(due=now + REORDER_NS, noticed=now)
        # what the history could no longer hold in order is not worth asking for
        for old in [number for number in self._missing if number < sequence - MAX_JUMP]:
            del self._missing[old]
        for number, missing in self._missing.items():
            if not missing.asked and sequence - number >= REORDER_PACKETS:
                missing.due = min(missing.due, now)
        return False

    def take_due(self, now: int) -> list[int]:
        """Take the numbers to ask for now, in order; give up what was asked for often enough."""
        due = []
        for number in sorted(self._missing):
            missing = self._missing[number]
            if missing.due > now:
                continue
            if missing.asked == MAX_REQUESTS or now - missing.noticed >= GIVE_UP_NS:
                del self._missing[number]
                continue
            missing.asked += 1
            missing.due = now + self._retry
            due.append(number)
        return due

    def get_timer(self) -> int | None:
        """Tell when to take due numbers next."""
        return min((missing.due for missing in self._missing.values()), default=None)
