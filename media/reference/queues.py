"""What waits for Python: events, and the packets of tapped producers. What does not fit is dropped, counted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..ids import ProducerId
from ..plane import Drop, EventKind, PlaneEvent
from .history import HeldPacket

#: Events that are taken at once.
MAX_TAKEN = 1024


class EventQueue:
    """Keep events in order; a REMOVED event always fits, since SRTP sessions wait for it."""

    def __init__(self, capacity: int, drop: Callable[[Drop], None]) -> None:
        """Make room for `capacity` events; what does not fit is told to `drop`."""
        self._events: deque[PlaneEvent] = deque()
        self._capacity = capacity
        self._drop = drop

    def put(self, event: PlaneEvent) -> None:
        """Add an event."""
        if len(self._events) < self._capacity or event.kind is EventKind.REMOVED:
            self._events.append(event)
        else:
            self._drop(Drop.EVENT_QUEUE_FULL)

    def take(self) -> list[PlaneEvent]:
        """Take up to 1,024 events."""
        return [self._events.popleft() for _ in range(min(len(self._events), MAX_TAKEN))]


class Tap:
    """Keep whole records in order; `backlog` is how many bytes wait."""

    def __init__(self, capacity: int, drop: Callable[[Drop], None]) -> None:
        """Make room for `capacity` bytes; what does not fit is told to `drop`."""
        self._records: deque[bytes] = deque()
        self._capacity = capacity
        self._drop = drop
        self.backlog = 0

    def put(self, producer: ProducerId, held: HeldPacket) -> None:
        """Add a packet, as media.plane.Plane.read_tap describes its record."""
        numbers = ((producer, 4), (held.arrival, 8), (held.sequence, 8))
        content = b"".join(number.to_bytes(size, "big") for number, size in numbers) + held.data
        record = len(content).to_bytes(4, "big") + content
        if self.backlog + len(record) > self._capacity:
            self._drop(Drop.TAP_FULL)
            return
        self._records.append(record)
        self.backlog += len(record)

    def take(self, limit: int) -> bytes:
        """Take whole records of at most `limit` bytes together."""
        taken = []
        while self._records and len(self._records[0]) <= limit:
            record = self._records.popleft()
            limit -= len(record)
            self.backlog -= len(record)
            taken.append(record)
        return b"".join(taken)
