"""When a paced transport's packets leave: repeats before video, no faster than a rate, not later than a limit."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from .fan_out import Consumer
from .history import HeldPacket
from .ingress import Producer

_MS = 1_000_000
_NS = 1_000_000_000

#: What may leave at once after a pause: ten packets.
BURST_BYTES = 12_500

#: How long a packet may wait. A key frame on a thin line takes longer, and nothing is seen without it.
MAX_WAIT_NS = 250 * _MS
MAX_KEY_FRAME_WAIT_NS = 1000 * _MS

#: Packets that may wait.
MAX_REPEATS = 512
MAX_VIDEO = 2048


@dataclass(slots=True)
class Waiting:
    """A reference to a packet in a history, and what it is to become."""

    producer: Producer
    consumer: Consumer
    held: HeldPacket
    out: int
    repeat: bool
    since: int
    key_frame: bool

    def overdue(self, now: int) -> bool:
        """Tell whether it has waited too long to be of use."""
        return now - self.since > (MAX_KEY_FRAME_WAIT_NS if self.key_frame else MAX_WAIT_NS)


class Pacer:
    """One transport's rate and its two queues."""

    def __init__(self) -> None:
        """Begin without a rate."""
        self.rate = 0
        self.repeats: deque[Waiting] = deque()
        self.video: deque[Waiting] = deque()
        self.paced = 0
        self._free_at = 0
        self._key_timestamps: dict[int, int] = {}

    def spend(self, size: int, now: int) -> None:
        """Note that so many bytes left."""
        if self.rate:
            burst = BURST_BYTES * 8 * _NS // self.rate
            self._free_at = max(self._free_at, now - burst) + size * 8 * _NS // self.rate

    def set_rate(self, rate: int, now: int) -> None:
        """Change the rate; what was sent by the old one is paid."""
        self.rate, self._free_at = rate, now

    def free(self, now: int) -> bool:
        """Tell whether a packet may leave now."""
        return not self.rate or self._free_at <= now

    def goes_at_once(self, now: int, *, repeat: bool) -> bool:
        """Tell whether a packet need not wait, neither for the rate nor for others."""
        return self.free(now) and not self.repeats and (repeat or not self.video)

    def put(self, waiting: Waiting) -> bool:
        """Queue a packet; False when there is no room."""
        queue, room = (self.repeats, MAX_REPEATS) if waiting.repeat else (self.video, MAX_VIDEO)
        if len(queue) == room:
            return False
        queue.append(waiting)
        return True

    def belongs_to_key_frame(self, consumer: Consumer, held: HeldPacket) -> bool:
        """Tell whether a packet is of the key frame that began last."""
        if held.starts_key_frame:
            self._key_timestamps[consumer.spec.consumer] = held.packet.timestamp
        return self._key_timestamps.get(consumer.spec.consumer) == held.packet.timestamp

    def next(self) -> Waiting | None:
        """Take who is first."""
        for queue in (self.repeats, self.video):
            if queue:
                self.paced += 1
                return queue.popleft()
        return None

    def discard(self, consumer: Consumer, *, repeats: bool) -> int:
        """Forget what waits of a consumer's video, and of its `repeats` too; tell how much."""
        before = len(self.video) + len(self.repeats)
        self.video = deque(waiting for waiting in self.video if waiting.consumer is not consumer)
        if repeats:
            self.repeats = deque(waiting for waiting in self.repeats if waiting.consumer is not consumer)
        return before - len(self.video) - len(self.repeats)

    def get_timer(self) -> int | None:
        """Tell when the next packet may leave."""
        return self._free_at if self.repeats or self.video else None
