"""A field's newest packets, compressed as they came, back to a key frame: what a decoder needs to show a frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from media.codecs import BY_CODEC
from media.plane import Codec
from media.rtp.packet import RtpError, measure_header
from recorder.journal import tap_packets

#: How far back a frame may lie that somebody has on the glass and freezes, ns.
REACH: Final = 8_000_000_000
#: 12 s of 40 Mbit/s. What needs more begins anew at the next key frame.
LIMIT: Final = 64 << 20


@dataclass(slots=True)
class _Group:
    """A group of pictures: pieces of tap records from the first packet of its key frame on."""

    began: int  # arrival of the first packet, ns
    rtp_timestamp: int  # of its key frame
    pieces: list[bytes] = field(default_factory=list)
    size: int = 0


class Backlog:
    """The groups of pictures that reach back far enough; nothing before the first key frame is kept."""

    def __init__(self, codec: Codec, reach: int = REACH, limit: int = LIMIT) -> None:
        self._starts_key_frame = BY_CODEC[codec].starts_key_frame
        self._reach = reach
        self._limit = limit
        self._groups: deque[_Group] = deque()
        self._key_frame: bytes | None = None  # the RTP timestamp of the newest one, as in the packet

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(group.size for group in self._groups)

    @property
    def newest_key_frame(self) -> int | None:
        """When the newest key frame began to arrive, Unix ns; None: none is held."""
        return self._groups[-1].began if self._groups else None

    @property
    def oversized(self) -> bool:
        """Whether the newest group fills half of what is kept: another key frame is due."""
        return bool(self._groups) and self._groups[-1].size > self._limit // 2

    def receive(self, data: bytes) -> None:
        """Take tap records of the field, in order."""
        start = end = arrival = 0
        for _, arrival, _, packet, after in tap_packets(data):
            if data[packet + 4 : packet + 8] != self._key_frame and self._begins(data[packet:after]):
                self._keep(data[start:end])
                start = end
                self._key_frame = data[packet + 4 : packet + 8]
                self._groups.append(_Group(arrival, int.from_bytes(self._key_frame, "big")))
            end = after
        self._keep(data[start:end])
        self._trim(arrival)

    def records(self) -> bytes:
        """Give all that is held, as tap records."""
        return b"".join(piece for group in self._groups for piece in group.pieces)

    def newest_group(self) -> bytes:
        """Give what is held from the newest key frame on, as tap records."""
        return self.records_since(())

    def records_since(self, rtp_timestamps: Iterable[int]) -> bytes:
        """Give what shows these frames and all after them, as tap records: from the key frame before the oldest that
        is held, or from the newest one.
        """
        first = len(self._groups) - 1
        for wanted in rtp_timestamps:
            # half of a wrap before it is before it
            before = [
                number
                for number, group in enumerate(self._groups)
                if (wanted - group.rtp_timestamp) % (1 << 32) < 1 << 31
            ]
            # what is older than everything here is not to be had
            first = min(first, before[-1] if before else first)
        return b"".join(piece for group in list(self._groups)[max(0, first) :] for piece in group.pieces)

    def _begins(self, packet: bytes) -> bool:
        try:
            _, start = measure_header(packet)
        except RtpError:
            return False
        return self._starts_key_frame(packet[start:])

    def _keep(self, piece: bytes) -> None:
        if self._groups and piece:
            self._groups[-1].pieces.append(piece)
            self._groups[-1].size += len(piece)

    def _trim(self, now: int) -> None:
        while len(self._groups) > 1 and (
            self._groups[1].began < now - self._reach or self.size > self._limit
        ):
            self._groups.popleft()
        if self._groups and self.size > self._limit:
            # the one that is left has outgrown everything: a decoder could not begin in its middle
            self._groups.clear()
            self._key_frame = None
