"""A step that had to be taken back soon after it was tried is not tried again for a while: pictures must not flicker.

Where the line carries almost, but not quite, what the next step needs, each try ends in a queue. Each failure doubles
the wait; one success forgets them. A line that has become much wider than the step needs is tried at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..ids import ProducerId
from .allocator import Demand, Offer, Priority

#: A step down so soon after a step up was its failure, seconds.
SOON = 6.0
#: The first wait after a failure, and the longest, seconds; the field's is never longer than the first.
WAIT, LONGEST_WAIT = 8.0, 60.0
#: A line that is taken to carry so much more than the failed step needed is another one.
WIDER = 1.5


@dataclass(slots=True)
class _Tried:
    quality: float = 0.0
    since: float = float("-inf")
    wait: float = 0.0
    needs: float = 0.0
    held: float | None = None
    held_needs: float = 0.0
    until: float = float("-inf")


def quality(offer: Offer) -> float:
    """Order the offers of one producer, whose rates change: lines of picture a second."""
    return offer.height * offer.fps


class Patience:
    """Remembers what was tried on one line."""

    def __init__(self) -> None:
        self._tried: dict[ProducerId, _Tried] = {}

    def held(
        self, producer: ProducerId, offers: Sequence[Offer], current: float, budget: float, now: float
    ) -> frozenset[int]:
        """Return the keys of the offers that are not to be tried now; `current` is the quality being sent."""
        tried = self._tried.get(producer)
        if tried is None or tried.held is None or now >= tried.until or budget > WIDER * tried.held_needs:
            return frozenset()
        least = max(tried.held, current + 1)
        return frozenset(offer.key for offer in offers if quality(offer) >= least)

    def note(
        self,
        demand: Demand,
        before: float,
        after: float,
        needs: float,
        now: float,
        *,
        narrow: bool,
    ) -> None:
        """Note that a producer is sent another quality, with which all together need so many bit/s.

        `narrow`: because the line carries no more.
        """
        tried = self._tried.setdefault(demand.producer, _Tried())
        if after > before:
            tried.quality, tried.since, tried.needs = after, now, needs
        elif narrow and now - tried.since < SOON:
            longest = WAIT if demand.priority is Priority.FIELD else LONGEST_WAIT
            tried.wait = min(max(WAIT, 2 * tried.wait), longest)
            tried.held, tried.held_needs = tried.quality, tried.needs
            tried.until = now + tried.wait
        elif now - tried.since >= SOON:
            tried.wait = 0.0

    def forgive(self) -> None:
        """What was taken back lately was not the line's fault: try it again."""
        for tried in self._tried.values():
            tried.wait, tried.until = 0.0, float("-inf")

    def forget(self, producer: ProducerId) -> None:
        """A producer has ended."""
        self._tried.pop(producer, None)
