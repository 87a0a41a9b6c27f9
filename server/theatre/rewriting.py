"""Recorded packets as one unbroken stream: whatever is sought, paused or left out, a receiver sees one sender go on.

SSRC, payload type, sequence number and timestamp are new; the payload is the recorded one, but for the names that VP8
and VP9 give to pictures (PictureID, TL0PICIDX), which go on as well. Header extensions are left away: what they meant
was the recorded sender's (the times of sending, its encodings' names, how loud somebody was *then*).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

from media.codecs import vp8, vp9
from media.codecs.packetisation import CodecError
from media.plane import Codec
from media.rtp.packet import RtpPacket

_HEADER = struct.Struct("!BBHII")

#: The least padding that is some: its last byte counts it (RFC 3550, section 5.1).
_PADDING = b"\0\0\0\4"

#: What the plane takes of an injected packet, bytes.
MOST = 1452


class Rewriter:
    """One track."""

    def __init__(self, codec: Codec, *, ssrc: int, payload_type: int, sequence: int) -> None:
        """`sequence` is the first number."""
        self._codec = codec
        self._ssrc = ssrc
        self._payload_type = payload_type
        self._sequence = sequence & 0xFFFF
        self._names = _Names(vp8.parse_descriptor if codec is Codec.VP8 else vp9.parse_descriptor)
        self._renames = codec in (Codec.VP8, Codec.VP9)

    def begin(self) -> None:
        """Note that what comes next does not follow on from what was sent."""
        self._names.begin()

    def rewrite(self, packets: Iterable[RtpPacket], timestamp: int, *, spurt: bool = False) -> list[bytes]:
        """Write a picture's packets; `timestamp` counts on and is cut to 32 bits here, `spurt`: sound begins anew.

        A picture with a packet that the plane does not take is not sent at all: the list is empty.
        """
        written = []
        sequence = self._sequence
        for packet in packets:
            payload = self._names.rename(packet.payload) if self._renames else packet.payload
            marker = packet.marker or spurt
            second = marker << 7 | self._payload_type
            header = _HEADER.pack(0x80, second, sequence, timestamp & 0xFFFFFFFF, self._ssrc)
            if len(header) + len(payload) > MOST:
                return []
            written.append(header + payload)
            sequence = sequence + 1 & 0xFFFF
        self._sequence = sequence
        return written

    def fill(self, timestamp: int) -> bytes:
        """Write a packet of nothing but padding: its number tells a receiver whether one before it is missing."""
        header = _HEADER.pack(0xA0, self._payload_type, self._sequence, timestamp & 0xFFFFFFFF, self._ssrc)
        self._sequence = self._sequence + 1 & 0xFFFF
        return header + _PADDING


class _Names:
    """PictureID and TL0PICIDX (RFC 7741 and RFC 9628, section 4.2), each shifted so that it goes on."""

    def __init__(self, parse: Callable[[bytes], vp8.Descriptor | vp9.Descriptor]) -> None:
        self._parse = parse
        self._picture = _Counter()
        self._tl0 = _Counter()

    def begin(self) -> None:
        self._picture.begin()
        self._tl0.begin()

    def rename(self, payload: bytes) -> bytes:
        try:
            found = self._parse(payload)
        except CodecError:
            return payload
        changed = bytearray(payload)
        if found.picture is not None:
            picture = self._picture.next(found.picture, found.picture_bits)
            if found.picture_bits == 15:
                changed[found.picture_at : found.picture_at + 2] = (0x8000 | picture).to_bytes(2, "big")
            else:
                changed[found.picture_at] = picture
        if found.tl0 is not None:
            changed[found.tl0_at] = self._tl0.next(found.tl0, 8)
        return bytes(changed)


class _Counter:
    """A number that counts on, modulo its bits."""

    def __init__(self) -> None:
        self._shift: int | None = 0
        self._newest: int | None = None

    def begin(self) -> None:
        if self._newest is not None:
            self._shift = None

    def next(self, recorded: int, bits: int) -> int:
        if self._shift is None:
            assert self._newest is not None
            self._shift = self._newest + 1 - recorded
        self._newest = (recorded + self._shift) % (1 << bits)
        return self._newest
