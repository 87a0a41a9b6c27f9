"""A probe under way on a transport: more than there is to send, at a rate, to see whether it arrives."""

from __future__ import annotations

from dataclasses import dataclass

_NS = 1_000_000_000

#: What each packet of a probe counts for.
PACKET_BYTES = 1200

#: The most padding that RTP can say (RFC 3550, section 5.1).
PADDING = 255

#: A probe is filled with repeats of so many packets that were sent last, in turn.
REPEATED = 8


@dataclass(slots=True)
class Probe:
    """Count what a probe has still to send, and when."""

    cluster: int
    rate: int
    left: int
    next_at: int
    turn: int = 0

    @property
    def over(self) -> bool:
        """Whether it was sent."""
        return self.left <= 0

    def spend(self, size: int) -> None:
        """Note that so many bytes left, whatever they were."""
        self.left -= size
        self.next_at += size * 8 * _NS // self.rate
