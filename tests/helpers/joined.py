"""What media/native/frames.py does, in Python: packet by packet, by the depacketisers of media/codecs."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from media.codecs import opus
from media.codecs.packetisation import CodecError
from media.native.frames import REFUSED, SURE, WALKED_STRUCT, Joined
from media.plane import Codec
from media.rtp.packet import RtpError, RtpPacket
from recorder.export.assembly import assembler_for
from recorder.journal import JournalError, tap_packets


class ReferenceJoiner:
    """PictureJoiner, taking pictures as packets and flags."""

    def __init__(self, codec: Codec, payload_type: int, fmtp: str = "") -> None:
        self._payload_type = payload_type
        self._assembler = None if codec is Codec.OPUS else assembler_for(codec, fmtp)

    def join(self, packets: Sequence[bytes], flags: int) -> Joined:
        """Put one picture together."""
        payloads = [payload for payload in map(self._payload, packets) if payload]
        if not payloads:
            return None
        try:
            if flags & REFUSED:
                raise CodecError("It is not whole.")
            if self._assembler is not None:
                return self._assembler.assemble(payloads, beginning_sure=bool(flags & SURE))
            (payload,) = payloads
            opus.duration(payload)
        except (CodecError, ValueError):
            return b"", False
        return payload, True

    def _payload(self, packet: bytes) -> bytes:
        try:
            parsed = RtpPacket.parse(packet)
        except RtpError:
            return b""
        return b"" if self._payload_type and parsed.payload_type != self._payload_type else parsed.payload


def laid(pictures: Sequence[tuple[Sequence[bytes], int]]) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """Lay pictures out as PictureJoiner.join takes them: their packets and their flags, with something between."""
    data, places, lengths = bytearray(), [], []
    for packets, _ in pictures:
        for packet in packets:
            data += b"\xff\xff\xff"
            places.append(len(data))
            lengths.append(len(packet))
            data += packet
    return (
        bytes(data),
        struct.pack(f"={len(places)}I", *places),
        struct.pack(f"={len(lengths)}H", *lengths),
        struct.pack(f"={len(pictures)}I", *(len(packets) for packets, _ in pictures)),
        bytes(flags for _, flags in pictures),
    )


#: A packet's place: producer, offset, arrival, sequence, timestamp, length, second byte.
Place = tuple[int, int, int, int, int, int, int]


def reference_walk(data: bytes, base: int) -> tuple[list[Place], int, bool]:
    """Do what walk_tap does; the places are not in runs."""
    places: list[Place] = []
    unreadable = 0
    try:
        for producer, arrival, sequence, start, end in tap_packets(data):
            length = end - start
            if length < 12 or length > 0xFFFF or data[start] >> 6 != 2 or sequence >> 62 or arrival >> 63:
                unreadable += 1
                continue
            _, second, _, timestamp = struct.unpack_from("!BBHI", data, start)
            places.append((producer, base + start, arrival, sequence, timestamp, length, second))
    except JournalError:
        return places, unreadable, False
    return places, unreadable, True


def places_of(runs: Sequence[tuple[int, bytes]]) -> list[Place]:
    """Take the runs of walk_tap apart."""
    return [(producer, *fields) for producer, run in runs for fields in WALKED_STRUCT.iter_unpack(run)]
