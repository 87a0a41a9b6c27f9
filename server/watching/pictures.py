"""Pictures out of tap records as they come: whole ones only, and only those that a decoder can rely on.

The recorder's `FrameReader` does the same over a finished journal. Here nobody knows what is still to come: a gap may
be closed by a repeat, and is waited for; then everything up to the next key frame is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from media.codecs.packetisation import CodecError
from media.plane import Codec
from media.rtp.packet import RtpError, RtpPacket
from recorder.export.assembly import assembler_for
from recorder.journal import tap_packets

#: How long a repeat may take, ns: beyond it a mark would be good for too long on what nobody sees any more.
PATIENCE: Final = 100_000_000
#: Packets that may wait behind a gap: 4K's largest key frames have 1,000.
_WAITING_LIMIT: Final = 8_192


@dataclass(frozen=True, slots=True)
class Stream:
    """What packets are to be understood as: the track's words."""

    codec: Codec
    payload_type: int
    fmtp: str
    clock_rate: int


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture as a decoder takes it. `arrival` of its last packet in Unix ns."""

    rtp_timestamp: int
    data: bytes
    key: bool
    arrival: int


class Pictures:
    """Puts one stream's pictures together. With `patience` None a gap is never waited for: all is there already."""

    def __init__(self, stream: Stream, patience: int | None = PATIENCE) -> None:
        self._stream = stream
        self._patience = patience
        self._assembler = assembler_for(stream.codec, stream.fmtp)
        self._waiting: dict[int, tuple[int, bytes]] = {}
        self._next: int | None = None
        self._intact = False  # whether the decoder has what the next picture refers to
        self._sure = False  # whether the packet before the next was seen
        self._held: list[tuple[int, RtpPacket]] = []  # of the picture that is being put together
        #: How often something was left out since a picture last came.
        self.losses = 0

    @property
    def intact(self) -> bool:
        """Whether pictures come; otherwise a key frame is waited for."""
        return self._intact

    def receive(self, data: bytes) -> Iterator[Picture]:
        """Take tap records of this stream; yield the pictures that they complete."""
        arrival = 0
        for _, arrival, sequence, start, end in tap_packets(data):
            if self._next is None:
                self._next = sequence
            if sequence >= self._next:
                self._waiting[sequence] = (arrival, data[start:end])
        yield from self._advance(arrival)

    def finish(self) -> Iterator[Picture]:
        """Give what still waits: no more will come."""
        self._patience = None
        yield from self._advance(0)
        if (picture := self._complete()) is not None:
            yield picture

    def _advance(self, now: int) -> Iterator[Picture]:
        while self._waiting:
            assert self._next is not None
            entry = self._waiting.pop(self._next, None)
            if entry is None:
                if not self._give_up(now):
                    return
                continue
            self._next += 1
            arrival, raw = entry
            try:
                packet = RtpPacket.parse(raw)
            except RtpError:
                self._lose()
                continue
            if self._held and packet.timestamp != self._held[0][1].timestamp:
                if (picture := self._complete()) is not None:
                    yield picture
                self._sure = True
            self._held.append((arrival, packet))
            if packet.marker:
                if (picture := self._complete()) is not None:
                    yield picture
                self._sure = True

    def _give_up(self, now: int) -> bool:
        """Pass over a gap that is not closed any more; False: it is waited for."""
        first = min(self._waiting)
        patient = self._patience is not None and len(self._waiting) < _WAITING_LIMIT
        if patient and self._patience is not None and now - self._waiting[first][0] < self._patience:
            return False
        self._lose()
        self._next = first
        return True

    def _lose(self) -> None:
        self._held.clear()
        self._intact = self._sure = False
        self.losses += 1

    def _complete(self) -> Picture | None:
        held, self._held = self._held, []
        ours = [
            entry
            for entry in held
            if entry[1].payload and self._stream.payload_type in (0, entry[1].payload_type)
        ]
        if not ours:
            return None  # padding, or repair data of another payload type
        try:
            data, key = self._assembler.assemble(
                [packet.payload for _, packet in ours], beginning_sure=self._sure
            )
        except CodecError:
            self._intact = False
            self.losses += 1
            return None
        self._intact = self._intact or key
        if not self._intact:
            return None
        self.losses = 0
        return Picture(ours[0][1].timestamp, data, key, ours[-1][0])


def in_order(data: bytes) -> bytes:
    """Sort tap records by their numbers, each once: repeats come late."""
    records: dict[int, bytes] = {}
    start = 0
    for _, _, sequence, _, end in tap_packets(data):
        records.setdefault(sequence, data[start:end])
        start = end
    return b"".join(records[sequence] for sequence in sorted(records))
