"""What the recorder is given: of several encodings the best that flows, as one stream. It changes at key frames only;
its timestamps are canonical, its numbers its own where there are several encodings, and neither runs backwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..rtp.packet import measure_header
from .history import HeldPacket
from .ingress import Encoding, Producer

_MS = 1_000_000

#: A better encoding that sent something so lately is waited for; one that sent nothing for so long is given up.
ALIVE_NS = 500 * _MS
SILENT_NS = 1000 * _MS


@dataclass(slots=True)
class _Tapped:
    """Numbers of an encoding that are copied: from the first on to the end, or for good while it is open."""

    first: int
    end: int
    shift: int
    open: bool = True


class Tapping:
    """Make one stream of a producer's encodings."""

    def __init__(self) -> None:
        """Begin with nothing copied."""
        self._encoding: int | None = None
        self._tapped: dict[int, _Tapped] = {}
        self._highest = 0
        self._newest = 0
        self._doubled: int | None = None
        self._moved = False
        self._first = self._shift = 0  # of one encoding

    def move(self) -> None:
        """Go on with streams that come from elsewhere: the numbers after a gap."""
        self.forget()
        self._moved = True

    def forget(self, index: int | None = None) -> None:
        """Begin anew with one encoding, or with all."""
        for number in list(self._tapped):
            if index in (None, number):
                del self._tapped[number]
        if index in (None, self._encoding):
            self._encoding = None

    def copy(self, producer: Producer, encoding: Encoding, held: HeldPacket) -> HeldPacket | None:
        """Give a packet as it is copied, with its number and timestamp; None where it is not."""
        timestamp = encoding.canonical(held)
        if len(producer.encodings) == 1:
            return self._copy_one(encoding, held, timestamp)
        if self._encoding != encoding.index and self._may_begin(producer, encoding, held):
            self._begin(encoding, held)
        tapped = self._tapped.get(encoding.index)
        if tapped is None or held.sequence < tapped.first:
            return None
        if not tapped.open and held.sequence >= tapped.end:
            return None
        tapped.end = max(tapped.end, held.sequence + 1)
        sequence = held.sequence + tapped.shift
        newest = sequence > self._highest
        self._highest = max(self._highest, sequence)
        if newest or timestamp - self._newest & 0xFFFFFFFF < 1 << 31:
            self._newest = timestamp
        doubled = timestamp == self._doubled and self._encoding == encoding.index
        return _renamed(held, sequence, timestamp + doubled & 0xFFFFFFFF)

    def _copy_one(self, encoding: Encoding, held: HeldPacket, timestamp: int) -> HeldPacket | None:
        if self._moved:
            self._moved, self._first = False, held.sequence
            self._shift = self._highest + 2 - held.sequence if self._highest else 0
        if held.sequence < self._first:
            return None
        sequence = held.sequence + self._shift
        self._highest = max(self._highest, sequence)
        return _renamed(_alone(encoding, held), sequence, timestamp)

    def _may_begin(self, producer: Producer, encoding: Encoding, held: HeldPacket) -> bool:
        if not held.starts_key_frame or not encoding.offset_known:
            return False
        if self._encoding is None:
            return not any(
                better.offset_known
                and better.newest is not None
                and held.arrival - better.last_arrival < ALIVE_NS
                for better in producer.encodings[encoding.index + 1 :]
            )
        if encoding.canonical(held) - self._newest & 0xFFFFFFFF >= 1 << 31:
            return False
        current = producer.encodings[self._encoding]
        return encoding.index > self._encoding or held.arrival - current.last_arrival > SILENT_NS

    def _begin(self, encoding: Encoding, held: HeldPacket) -> None:
        if self._encoding is not None:
            self._tapped[self._encoding].open = False
        self._tapped[encoding.index] = _Tapped(
            held.sequence, held.sequence, self._highest + 1 - held.sequence
        )
        # a picture that was copied already, in another encoding, has a timestamp of its own
        timestamp = encoding.canonical(held)
        self._doubled = timestamp if self._encoding is not None and timestamp == self._newest else None
        self._encoding = encoding.index


class LowTapping:
    """One of several encodings as it comes, once its frames have the producer's names; numbers never run backwards."""

    def __init__(self) -> None:
        """Begin with nothing copied."""
        self._anew = True
        self._highest = self._first = self._shift = 0

    def begin_anew(self) -> None:
        """Go on with other numbers, after a gap."""
        self._anew = True

    def copy(self, encoding: Encoding, held: HeldPacket) -> HeldPacket | None:
        """Give a packet as it is copied, with its number and timestamp; None where it is not."""
        if not encoding.offset_known:
            return None
        if self._anew:
            self._anew, self._first = False, held.sequence
            self._shift = self._highest + 2 - held.sequence
        if held.sequence < self._first:
            return None
        sequence = held.sequence + self._shift
        self._highest = max(self._highest, sequence)
        return _renamed(held, sequence, encoding.canonical(held))


def _alone(encoding: Encoding, held: HeldPacket) -> HeldPacket:
    """Of redundant sound make the newest block, as if it had come alone."""
    if not held.newest:
        return held
    _, start = measure_header(held.data)
    second = held.data[1] & 0x80 | encoding.spec.payload_type
    data = held.data[:1] + bytes([second]) + held.data[2:start] + held.data[start + held.newest :]
    return replace(held, data=data)


def _renamed(held: HeldPacket, sequence: int, timestamp: int) -> HeldPacket:
    data = held.data[:4] + timestamp.to_bytes(4, "big") + held.data[8:]
    return replace(held, sequence=sequence, data=data)
