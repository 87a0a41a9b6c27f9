"""An independent reader of FlexFEC (draft-ietf-payload-flexible-fec-scheme-03, section 4.2), for tests.

It works on whole integers, unlike the planes, which work on bytes as they come.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class _Repair:
    ssrc: int
    missing: set[int]
    header: int  # first two bytes, length, timestamp, as one number of 8 bytes
    rest: int  # everything behind the fixed header, as one number, left-aligned to `size` bytes
    size: int


@dataclass(slots=True)
class FlexFecDecoder:
    """Take packets of a stream and of its protection stream; `recovered` are those that never came, as bytes.

    `mutable` are the ids of header extensions that count as zeros.
    """

    mutable: tuple[int, ...] = ()
    packets: dict[int, bytes] = field(default_factory=dict)
    recovered: dict[int, bytes] = field(default_factory=dict)
    _repairs: list[_Repair] = field(default_factory=list)

    def receive(self, packet: bytes) -> None:
        """Take an RTP packet of the protected stream, decrypted."""
        self.packets[int.from_bytes(packet[2:4], "big")] = self.zeroed(packet)
        self._solve()

    def zeroed(self, packet: bytes) -> bytes:
        """Blot out the mutable values of a packet (one-byte form, RFC 8285)."""
        start = 12 + 4 * (packet[0] & 15)
        if not packet[0] & 0x10:
            return packet
        assert packet[start : start + 2] == b"\xbe\xde"
        blotted, position = bytearray(packet), start + 4
        while position < start + 4 + 4 * int.from_bytes(packet[start + 2 : start + 4], "big"):
            length = (packet[position] & 15) + 1 if packet[position] else 0
            if packet[position] >> 4 in self.mutable:
                blotted[position + 1 : position + 1 + length] = bytes(length)
            position += 1 + length
        return bytes(blotted)

    def receive_protection(self, payload: bytes) -> None:
        """Take the payload of a protection packet."""
        assert payload[0] & 0xC0 == 0, "Retransmission and inflexible masks are another scheme."
        assert payload[8] == 1, "One stream is protected."
        assert payload[9:12] == b"\0\0\0"
        ssrc, base = int.from_bytes(payload[12:16], "big"), int.from_bytes(payload[16:18], "big")
        mask, bits, end = int.from_bytes(payload[18:20], "big"), 15, 20
        if not mask & 0x8000:
            more = int.from_bytes(payload[20:24], "big")
            assert more & 0x80000000, "No block here is longer than 46 packets."
            mask, bits, end = mask << 31 | more & 0x7FFFFFFF, 46, 24
        numbers = {base + i & 0xFFFF for i in range(bits) if mask >> (bits - 1 - i) & 1}
        rest = payload[end:]
        repair = _Repair(
            ssrc, numbers, int.from_bytes(payload[:8], "big"), int.from_bytes(rest, "big"), len(rest)
        )
        self._repairs.append(repair)
        self._solve()

    def _solve(self) -> None:
        progress = True
        while progress:
            progress = False
            for repair in self._repairs:
                for number in [n for n in repair.missing if n in self.packets]:
                    self._take_out(repair, self.packets[number])
                    repair.missing.discard(number)
                if len(repair.missing) == 1:
                    [number] = repair.missing
                    self.recovered[number] = self.packets[number] = self._packet(repair, number)
                    repair.missing.clear()
                    progress = True
        self._repairs = [repair for repair in self._repairs if repair.missing]

    @staticmethod
    def _take_out(repair: _Repair, packet: bytes) -> None:
        head = bytes([packet[0] & 0x3F, packet[1]]) + (len(packet) - 12).to_bytes(2, "big") + packet[4:8]
        repair.header ^= int.from_bytes(head, "big")
        rest = packet[12:]
        assert len(rest) <= repair.size
        repair.rest ^= int.from_bytes(rest, "big") << 8 * (repair.size - len(rest))

    @staticmethod
    def _packet(repair: _Repair, number: int) -> bytes:
        head = repair.header.to_bytes(8, "big")
        length = int.from_bytes(head[2:4], "big")
        rest = repair.rest.to_bytes(repair.size, "big")
        assert not any(rest[length:]), "Behind the recovered packet there is nothing."
        return (
            bytes([0x80 | head[0] & 0x3F, head[1]])
            + number.to_bytes(2, "big")
            + head[4:8]
            + repair.ssrc.to_bytes(4, "big")
            + rest[:length]
        )
