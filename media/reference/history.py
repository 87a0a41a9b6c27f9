"""What an encoding sent lately, decrypted, shared by all who may ask for it again."""

from __future__ import annotations

from dataclasses import dataclass

from ..rtp.packet import RtpPacket
from .places import Place

#: What a packet counts for beside its bytes.
RECORD_BYTES = 100

#: Numbers that can be told from each other: one for each so many bytes of the history, within these limits.
BYTES_A_NUMBER = 512
MIN_NUMBERS = 128
MAX_NUMBERS = 16_384


@dataclass(frozen=True, slots=True)
class HeldPacket:
    """Keep one packet of an encoding: `sequence` is extended to 64 bits, `arrival` ns, `data` decrypted,
    `capture_time` as it is passed on, `newest` where redundant sound's newest block begins in the payload."""

    encoding: int
    sequence: int
    arrival: int
    packet: RtpPacket
    data: bytes
    starts_key_frame: bool
    place: Place
    capture_time: bytes = b""
    newest: int = 0


class History:
    """Keep the newest packets, by their extended sequence numbers."""

    def __init__(self, milliseconds: int, size: int) -> None:
        """Make room for what is at most so old, and for so many bytes."""
        self.numbers = MIN_NUMBERS
        while self.numbers * BYTES_A_NUMBER < size and self.numbers < MAX_NUMBERS:
            self.numbers *= 2
        self._keep = milliseconds * 1_000_000
        self._room = size
        self._held: dict[int, HeldPacket] = {}  # in the order in which they came
        self._used = 0
        self._newest = self._highest = 0
        self._received: set[int] = set()

    def put(self, held: HeldPacket) -> None:
        """Keep a packet; what came first leaves for it."""
        self._newest = held.arrival
        self._highest = max(self._highest, held.sequence)
        self._used += len(held.data) + RECORD_BYTES
        while self._used > self._room:
            oldest = self._held.pop(next(iter(self._held)))
            self._used -= len(oldest.data) + RECORD_BYTES
        self._held[held.sequence] = held
        self._received.add(held.sequence)

    def forget_before(self, sequence: int) -> None:
        """Forget that numbers were received which are older than any that is still taken."""
        if len(self._received) > 2 * self.numbers:
            self._received = {number for number in self._received if number >= sequence}

    def received(self, sequence: int) -> bool:
        """Tell whether a packet came, also if it is no longer held."""
        return sequence in self._received

    def held(self, sequence: int) -> HeldPacket | None:
        """Find a packet, however old it is."""
        return self._held.get(sequence)

    def clear(self) -> None:
        """Forget everything: the stream begins anew."""
        self._held.clear()
        self._received.clear()
        self._used = self._newest = self._highest = 0

    def get(self, sequence: int) -> HeldPacket | None:
        """Find a packet by its extended sequence number, if it is not too old."""
        held = self._held.get(sequence)
        if held is None or self._newest - held.arrival > self._keep:
            return None
        return held if self._highest - sequence < self.numbers else None
