"""Sequence numbers: 16 bits on the wire, 64 behind the ingress, so that nothing behind it sees a wrap."""

from __future__ import annotations

#: The first packet of a stream gets this plus its sequence number, so that what was sent before it still
#: has a positive number.
FIRST_CYCLE = 1 << 16


def difference(newer: int, older: int) -> int:
    """Subtract two 16-bit sequence numbers the short way round: -32,768 to 32,767."""
    return (newer - older + 0x8000 & 0xFFFF) - 0x8000


def extend(sequence_number: int, near: int) -> int:
    """Find the extended number nearest to `near` that ends in these 16 bits."""
    return near + difference(sequence_number, near & 0xFFFF)


class SequenceExtender:
    """Extend the sequence numbers of one stream; `highest` is the highest so far, None before the first."""

    __slots__ = ("highest",)

    def __init__(self) -> None:
        """Begin a stream."""
        self.highest: int | None = None

    def extend(self, sequence_number: int) -> int:
        """Extend the number of an arriving packet and move `highest` up; late packets stay below it."""
        if self.highest is None:
            self.highest = FIRST_CYCLE + sequence_number
            return self.highest
        extended = extend(sequence_number, self.highest)
        self.highest = max(self.highest, extended)
        return extended
