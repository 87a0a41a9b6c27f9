"""Sequence numbers: 16 bits on the wire, 64 behind the ingress, so that nothing behind it sees a wrap."""

from __future__ import annotations


def difference(newer: int, older: int) -> int:
    """Subtract two 16-bit sequence numbers the short way round: -32,768 to 32,767."""
    return (newer - older + 0x8000 & 0xFFFF) - 0x8000


def extend(sequence_number: int, near: int) -> int:
    """Find the extended number nearest to `near` that ends in these 16 bits."""
    return near + difference(sequence_number, near & 0xFFFF)


class SequenceExtender:
    """Extend the sequence numbers of one stream; `highest` is the highest so far, None before the first.

    The first packet keeps its own number. What was sent before it and comes later may get a negative one.
    """

    __slots__ = ("highest",)

    def __init__(self) -> None:
        """Begin a stream."""
        self.highest: int | None = None

    def extend(self, sequence_number: int) -> int:
        """Extend the number of an arriving packet and move `highest` up; late packets stay below it."""
        if self.highest is None:
            self.highest = sequence_number
            return self.highest
        extended = extend(sequence_number, self.highest)
        self.highest = max(self.highest, extended)
        return extended
