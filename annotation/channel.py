"""The ephemeral lane to one subscriber: a queue that holds only what is worth sending now.

The server offers it every pointer and stroke; it gives back what to send as soon as the subscriber's connection
takes it. While that is slow, a newer pointer replaces the older, and parts of a stroke join to one; what has
become older than 100 ms is dropped. So the lane is never longer than what is happening now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .ephemeral import FORGET_SECONDS, STROKES_LIMIT, EphemeralMessage, Pointer, Stroke

MAX_AGE_SECONDS: Final = 0.1


@dataclass(slots=True)
class ChannelCounters:
    """What became of everything offered: sent, or why not. `joined` is in what was sent."""

    offered: int = 0
    sent: int = 0
    replaced: int = 0  # by a newer pointer
    joined: int = 0  # with a later part of the same stroke
    stale: int = 0  # older than 100 ms when it could have been sent
    out_of_order: int = 0  # its n was not newer
    gap: int = 0  # of a stroke whose part before was lost on the way here
    superseded: int = 0  # by the durable add, or its author left


class Channel:
    """One subscriber's lane. `now` is in Unix seconds."""

    __slots__ = ("_heard", "_max_age_ms", "_pending", "counters")

    def __init__(self, max_age: float = MAX_AGE_SECONDS) -> None:
        self._max_age_ms = max_age * 1000
        self._heard: dict[str, tuple[int, float]] = {}
        # key: an author's pointer, or one of its strokes; in the order of n for each author
        self._pending: dict[tuple[str, str], EphemeralMessage] = {}
        self.counters = ChannelCounters()

    def offer(self, message: EphemeralMessage, now: float) -> None:
        """Queue a message for this subscriber."""
        counters = self.counters
        counters.offered += 1
        author = message.author
        heard = self._heard.get(author)
        if heard is not None and message.n <= heard[0] and now - heard[1] < FORGET_SECONDS:
            counters.out_of_order += 1
            return
        self._heard[author] = (message.n, now)
        if isinstance(message, Pointer):
            key = (author, "")  # no mark's identifier is empty
            if self._pending.pop(key, None) is not None:
                counters.replaced += 1
            self._pending[key] = message
        else:
            self._offer_stroke(message)

    def to_send(self, now: float) -> list[EphemeralMessage]:
        """Take all that is still worth sending, each author's in the order of `n`."""
        if not self._pending:
            return []
        oldest = now * 1000 - self._max_age_ms
        messages = [message for message in self._pending.values() if message.sent >= oldest]
        self.counters.stale += len(self._pending) - len(messages)
        self.counters.sent += len(messages)
        self._pending.clear()
        return messages

    def finish(self, author: str, mark: str) -> None:
        """Note that the mark's durable add is sent: what waits of its stroke is superfluous."""
        if self._pending.pop((author, mark), None) is not None:
            self.counters.superseded += 1

    def forget(self, author: str) -> None:
        """Note that the author left."""
        self._heard.pop(author, None)
        for key in [key for key in self._pending if key[0] == author]:
            del self._pending[key]
            self.counters.superseded += 1

    def _offer_stroke(self, message: Stroke) -> None:
        key = (message.author, message.mark)
        waiting = self._pending.get(key)
        if isinstance(waiting, Stroke):
            joined = waiting.continued_by(message)
            if joined is None:
                self.counters.gap += 1  # nobody could show it; what waits is still good
                return
            self.counters.joined += 1
            del self._pending[key]
            message = joined
        elif len(self._pending) >= STROKES_LIMIT:
            mine = [other for other in self._pending if other[0] == message.author and other[1]]
            if len(mine) >= STROKES_LIMIT:
                del self._pending[mine[0]]
                self.counters.replaced += 1
        self._pending[key] = message
