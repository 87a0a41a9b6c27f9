"""FlexFEC (draft-ietf-payload-flexible-fec-scheme-03) over one consumer's packets, as browsers read it: R = 0,
F = 0, one stream, a mask of 15 or 46 bits.

A protection packet is the exclusive or of the packets in its mask: whoever has all of them but one has that one too.
Losses come in bursts, so neighbours are spread over four sums. A block ends when it has earned four protection
packets (each sum one), or with a frame: then the sums are put together to as many as have been earned.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..plane import Extension, ExtensionIds
from ..rtp.packet import measure_header

#: Sums of a block.
SUMS = 4

#: Numbers that a mask of two parts holds.
MAX_SPAN = 46
SHORT_SPAN = 15

#: What a protection packet costs of the credit that the packets earn.
COST = 1024


def without_mutable(packet: bytes, ids: ExtensionIds) -> bytes:
    """Put zeros for the values that are written when a packet leaves, as libwebrtc does on both sides."""
    start, end = measure_header(packet)
    mutable = [ids[extension] for extension in (Extension.ABS_SEND_TIME, Extension.TRANSPORT_WIDE)]
    zeroed = bytearray(packet)
    one_byte = packet[start : start + 2] == b"\xbe\xde"
    position = start + 4
    while position < end:
        if not packet[position]:
            position += 1
            continue
        identifier = packet[position] >> 4 if one_byte else packet[position]
        length = (packet[position] & 0x0F) + 1 if one_byte else packet[position + 1]
        position += 1 if one_byte else 2
        if identifier in mutable:
            zeroed[position : position + length] = bytes(length)
        position += length
    return bytes(zeroed)


@dataclass(slots=True)
class _Sum:
    mask: int = 0
    first: int = 0
    second: int = 0
    length: int = 0
    timestamp: int = 0
    rest: bytearray = field(default_factory=bytearray)

    def add(self, packet: bytes, place: int) -> None:
        """Add a packet that has this place in the mask."""
        self.mask |= 1 << place
        self.first ^= packet[0]
        self.second ^= packet[1]
        self.length ^= len(packet) - 12
        self.timestamp ^= int.from_bytes(packet[4:8], "big")
        self._add_rest(packet[12:])

    def merge(self, other: _Sum) -> None:
        """Add all that another sum holds."""
        self.mask |= other.mask
        self.first ^= other.first
        self.second ^= other.second
        self.length ^= other.length
        self.timestamp ^= other.timestamp
        self._add_rest(other.rest)

    def _add_rest(self, rest: bytes | bytearray) -> None:
        self.rest.extend(bytes(max(len(rest) - len(self.rest), 0)))
        for i, byte in enumerate(rest):
            self.rest[i] ^= byte

    def payload(self, ssrc: int, base: int) -> bytes:
        """Build the payload of the protection packet (section 4.2)."""
        head = bytes([self.first & 0x3F, self.second]) + self.length.to_bytes(2, "big")
        head += self.timestamp.to_bytes(4, "big") + b"\x01\0\0\0" + ssrc.to_bytes(4, "big")
        head += base.to_bytes(2, "big")
        # the first number is the most significant bit behind k, which says that the mask ends here
        bits = sum(1 << MAX_SPAN - 1 - place for place in range(MAX_SPAN) if self.mask >> place & 1)
        short, long = bits >> MAX_SPAN - SHORT_SPAN, bits & (1 << MAX_SPAN - SHORT_SPAN) - 1
        if not long:
            return head + (0x8000 | short).to_bytes(2, "big") + bytes(self.rest)
        return head + short.to_bytes(2, "big") + (1 << 31 | long).to_bytes(4, "big") + bytes(self.rest)


class Protection:
    """Make the payloads of protection packets while a consumer's packets pass."""

    def __init__(self, ssrc: int) -> None:
        """Begin without protection."""
        self._ssrc = ssrc
        self._share = 0
        self._credit = 0
        self._base = self._newest = 0
        self._sums: list[_Sum] = []
        self._count = 0

    def set_share(self, share: float) -> None:
        """Make so many protection packets a packet from now on."""
        self._share = round(share * COST)
        self._credit = 0
        self._begin()

    def _begin(self) -> None:
        self._count = 0
        self._sums = [_Sum() for _ in range(SUMS)]

    def add(self, packet: bytes, out: int) -> list[bytes]:
        """Take a packet as it is sent, before it is encrypted; give payloads of protection packets to send now.

        `out` is its sequence number, extended. A packet behind newer ones is not protected.
        """
        if not self._share:
            return []
        if self._count:
            if out <= self._newest:
                return []
            if out - self._base >= MAX_SPAN:
                self._begin()
        if not self._count:
            self._base = out
        self._newest = out
        self._sums[self._count % SUMS].add(packet, out - self._base)
        self._count += 1
        self._credit = min(self._credit + self._share, SUMS * COST)
        full = out - self._base == MAX_SPAN - 1
        frame_ends = bool(packet[1] & 0x80)
        if self._credit == SUMS * COST:
            return self._end(SUMS)
        if (full or frame_ends) and self._credit >= COST:
            return self._end(self._credit // COST)
        return []

    def _end(self, packets: int) -> list[bytes]:
        for i in range(packets, SUMS):
            self._sums[i % packets].merge(self._sums[i])
        payloads = [one.payload(self._ssrc, self._base & 0xFFFF) for one in self._sums[:packets] if one.mask]
        self._credit -= packets * COST
        self._begin()
        return payloads
