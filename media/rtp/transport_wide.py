"""Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1): what arrived when.

Its body, behind the two SSRCs, is: 16 bits base sequence number, 16 bits number of statuses, 24 bits reference
time (signed, 64 ms), 8 bits count of feedback packets; then chunks of 16 bits with the statuses, then a delta for
each packet that arrived, of 250 µs: one byte, or two (signed) for a large or negative one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .feedback import TransportWideFeedback
from .rtcp_header import RtcpError

#: Nanoseconds of a delta's unit, and units of a reference time's.
TICK_NS = 250_000
TICKS_A_REFERENCE = 256

#: Nobody has more packets under way; who claims more lies.
MAX_STATUSES = 16_384

#: One byte's largest delta, and the two of two.
_SMALL = 0xFF
_LARGE = range(-0x8000, 0x8000)

#: Statuses in a run, and in a vector of one and of two bits.
_MAX_RUN = 0x1FFF
_ONE_BIT = 14
_TWO_BITS = 7


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Say of the packets from `base` (16 bits) on when each arrived; `count` numbers the feedbacks modulo 256.

    `ticks`: for each packet the arrival in 250 µs by the receiver's clock, 32 bits signed, or None.
    """

    base: int
    ticks: tuple[int | None, ...]
    count: int

    def __bytes__(self) -> bytes:
        """Build the body; RtcpError when two arrivals are more than 8 s apart, or there is no packet."""
        if not 0 < len(self.ticks) <= MAX_STATUSES:
            raise RtcpError("A transport-wide feedback tells of 1 to 16,384 packets.")
        reference = next((tick for tick in self.ticks if tick is not None), 0) // TICKS_A_REFERENCE
        symbols, deltas = [], bytearray()
        last = reference * TICKS_A_REFERENCE
        for tick in self.ticks:
            if tick is None:
                symbols.append(0)
                continue
            delta, last = wrap(tick - last), tick
            if 0 <= delta <= _SMALL:
                symbols.append(1)
                deltas.append(delta)
            elif delta in _LARGE:
                symbols.append(2)
                deltas += struct.pack("!h", delta)
            else:
                raise RtcpError("Two arrivals are too far apart for one transport-wide feedback.")
        head = struct.pack("!HHI", self.base, len(self.ticks), (reference & 0xFFFFFF) << 8 | self.count)
        body = head + b"".join(chunk.to_bytes(2, "big") for chunk in build_chunks(symbols)) + deltas
        return body + bytes(-len(body) % 4)

    @classmethod
    def parse(cls, body: bytes) -> Arrivals:
        """Read a body; RtcpError when a length lies or more than 16,384 packets are named."""
        if len(body) < 8:
            raise RtcpError("A transport-wide feedback is longer than eight bytes.")
        base, statuses, reference = struct.unpack_from("!HHI", body)
        if not 0 < statuses <= MAX_STATUSES:
            raise RtcpError(f"A transport-wide feedback tells of 1 to 16,384 packets, not of {statuses}.")
        symbols, position = _read_chunks(body, statuses)
        last = (reference >> 8) * TICKS_A_REFERENCE
        ticks: list[int | None] = []
        for symbol in symbols:
            if symbol in {0, 3}:
                # 3 is reserved: it comes without a delta, and is of no use
                ticks.append(None)
                continue
            if len(body) < position + symbol:
                raise RtcpError("The transport-wide feedback ends within its deltas.")
            last += int.from_bytes(body[position : position + symbol], "big", signed=symbol == 2)
            position += symbol
            ticks.append(wrap(last))
        return cls(base, tuple(ticks), reference & 0xFF)

    def packet(self, sender_ssrc: int, media_ssrc: int) -> TransportWideFeedback:
        """Make the RTCP packet."""
        return TransportWideFeedback(sender_ssrc, media_ssrc, bytes(self))


def build_chunks(symbols: Sequence[int]) -> Iterator[int]:
    """Write statuses (0 not received, 1 small delta, 2 large) as chunks, the greediest that fits first."""
    position = 0
    while position < len(symbols):
        first = symbols[position]
        run = 1
        while position + run < len(symbols) and run < _MAX_RUN and symbols[position + run] == first:
            run += 1
        vector = symbols[position : position + _ONE_BIT]
        if run >= _ONE_BIT or run == len(symbols) - position:
            yield first << 13 | run
            position += run
        elif 2 not in vector:
            bits = sum(symbol << _ONE_BIT - 1 - i for i, symbol in enumerate(vector))
            yield 0x8000 | bits
            position += _ONE_BIT
        elif run >= _TWO_BITS:
            yield first << 13 | run
            position += run
        else:
            vector = vector[:_TWO_BITS]
            bits = sum(symbol << 2 * (_TWO_BITS - 1 - i) for i, symbol in enumerate(vector))
            yield 0xC000 | bits
            position += _TWO_BITS


def _read_chunks(body: bytes, statuses: int) -> tuple[list[int], int]:
    """Give the statuses and where the deltas begin."""
    symbols: list[int] = []
    position = 8
    while len(symbols) < statuses:
        if len(body) < position + 2:
            raise RtcpError("The transport-wide feedback ends within its chunks.")
        chunk = int.from_bytes(body[position : position + 2], "big")
        position += 2
        if not chunk & 0x8000:
            # a run of no packets would let chunks without end stand for nothing; it is passed over, like padding
            symbols += [chunk >> 13 & 3] * (chunk & _MAX_RUN)
        elif chunk & 0x4000:
            symbols += [chunk >> 2 * (_TWO_BITS - 1 - i) & 3 for i in range(_TWO_BITS)]
        else:
            symbols += [chunk >> _ONE_BIT - 1 - i & 1 for i in range(_ONE_BIT)]
    # what the last chunk has beyond the number of statuses is filling
    return symbols[:statuses], position


def wrap(ticks: int) -> int:
    """Bring a number of ticks into 32 bits: a reference time wraps after 12 days."""
    return (ticks + (1 << 31) & 0xFFFFFFFF) - (1 << 31)
