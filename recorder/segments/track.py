"""Makes one producer's segments from its index and the sealed journal: only their own blocks are read and opened."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Iterator
from pathlib import Path

from media.codecs.packetisation import CodecError, split_annex_b
from media.plane import Codec
from media.rtp.packet import RtpError, RtpPacket

from ..export.assembly import Assembler, assembler_for
from ..journal import RECORD_HEADER_SIZE, JournalError, RecordType, record_header, tap_packets
from ..library import read_header
from ..seal.keys import DataKey
from ..sealing import JournalOpener
from ..source import JournalSource
from . import fmp4, webm
from .index import MAX_BYTES, FrameEntry, FrameIndex, Readable, SegmentEntry, SegmentError

#: Opus of 20 ms that is silent, mono and stereo (export/container.py says why).
_SILENCE = (b"\xf8\xff\xfe", b"\xfc\xff\xfe")
#: Its samples hold no VPS, SPS and PPS (ISO/IEC 14496-15, section 8.4.1): they stand in the sample entry.
_NO_SETS_INSIDE = b"hvc1"
_DROPPED_OBUS = (7,)  # a redundant frame header: MP4 has none (AV1-ISOBMFF, section 2.4)


class SegmentedTrack:
    """One producer of a recording, in segments. Not for several threads at once.

    Its methods raise SegmentError, JournalError, SealError when the journal is no more what was indexed, and
    OSError.
    """

    def __init__(self, index: FrameIndex, source: JournalSource) -> None:
        self._index = index
        self._source = source
        self.facts = index.facts

    @property
    def count(self) -> int:
        """How many segments there are."""
        return self._index.segments

    @property
    def bytes_read(self) -> int:
        """How many bytes of the journal were read."""
        return self._source.bytes_read

    @property
    def in_webm(self) -> bool:
        """Whether the container is WebM; MP4 if not."""
        return self.facts.codec is Codec.VP8

    def close(self) -> None:
        """Let the files go."""
        self._index.close()
        self._source.close()

    def init(self) -> bytes:
        """Build what stands before all segments."""
        facts = self.facts
        if self.in_webm:
            return webm.write_init(facts.width, facts.height)
        return fmp4.write_init(facts.entry, facts.timescale, facts.shift, facts.width, facts.height)

    def segments(self) -> Iterator[tuple[int, int, bool]]:
        """Tell start, duration (ticks) and whether a decoder can begin there, of all segments."""
        for segment in self._index.all_segments():
            yield segment.start, segment.duration, segment.key

    def segment(self, number: int) -> bytes:
        """Make one segment; IndexError where there is none."""
        entry = self._index.segment(number)
        frames = self._index.frames(entry)
        data = self._join(entry, frames)
        ends = [frame.decoding for frame in frames[1:]] + [entry.duration]
        if not self.in_webm:
            samples = [
                fmp4.Sample(self._sample(content), end - frame.decoding, frame.composition, frame.key)
                for frame, content, end in zip(frames, data, ends, strict=True)
            ]
            return fmp4.write_fragment(number, entry.start, samples)
        times = [self._milliseconds(entry.start + frame.decoding) for frame in frames]
        times.append(self._milliseconds(entry.start + entry.duration))
        return webm.write_cluster(
            [
                webm.Block(content, time, after - time, frame.key)
                for frame, content, time, after in zip(frames, data, times[:-1], times[1:], strict=True)
            ]
        )

    def _milliseconds(self, ticks: int) -> int:
        """Round as FFmpeg does: to the nearest, halves up."""
        return (ticks * 2000 + self.facts.timescale) // (2 * self.facts.timescale)

    def _sample(self, data: bytes) -> bytes:
        """Give a frame as a sample of MP4."""
        match self.facts.codec:
            case Codec.H264 | Codec.H265:
                units = split_annex_b(data)
                if self.facts.entry[4:8] == _NO_SETS_INSIDE:
                    units = [unit for unit in units if not 32 <= unit[0] >> 1 & 0x3F <= 34]
                return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)
            case Codec.AV1:
                return _without_delimiter(data)
            case _:
                return data

    def _join(self, entry: SegmentEntry, frames: list[FrameEntry]) -> list[bytes]:
        payloads = self._payloads(entry, frames)
        assembler = self._assembler(entry)
        joined = []
        for frame in frames:
            if frame.silence is not None:
                joined.append(_SILENCE[frame.silence])
                continue
            numbers = range(frame.sequence, frame.sequence + frame.packets)
            try:
                pieces = [payload for number in numbers if (payload := payloads[number])]
                if assembler is None:
                    joined.append(pieces[0])
                else:
                    joined.append(assembler.assemble(pieces, beginning_sure=True)[0])
            except (KeyError, IndexError, CodecError):
                raise SegmentError("The journal no longer holds what was indexed.") from None
        return joined

    def _assembler(self, entry: SegmentEntry) -> Assembler | None:
        if self.facts.codec is Codec.OPUS:
            return None
        units = self.facts.sets[entry.sets - 1] if entry.sets else ()
        # a key frame that did not bring its parameter sets gets them as from a session description
        said = ",".join(base64.b64encode(unit).decode() for unit in units)
        return assembler_for(self.facts.codec, f"sprop-parameter-sets={said}" if said else "")

    def _payloads(self, entry: SegmentEntry, frames: list[FrameEntry]) -> dict[int, bytes]:
        """Take the payloads of the segment's packets, by their place after its first; of equal ones the first."""
        count = max((frame.sequence + frame.packets for frame in frames), default=0)
        found: dict[int, bytes] = {}
        total = 0
        for place in self._index.places(entry):
            block = self._source.block(place)
            for sequence, packet in _packets(block, self.facts.producer):
                number = sequence - entry.sequence
                if 0 <= number < count and number not in found:
                    found[number] = payload = _payload(packet, self.facts.payload_type)
                    total += len(payload)
            if total > MAX_BYTES:
                raise SegmentError("A segment has more bytes than any.")
        return found


def open_track(index: Readable, journal: Path, key: DataKey | None) -> SegmentedTrack:
    """Open a track by its index, an open file. Raises SegmentError, JournalError, SealError, OSError."""
    frames = FrameIndex(index)
    opener = JournalOpener(read_header(journal), key) if key is not None else None
    return SegmentedTrack(frames, JournalSource(journal, array("Q"), opener))


def _packets(block: bytes, producer: int) -> Iterator[tuple[int, bytes]]:
    """Walk through one producer's packets of a block: (sequence number, packet)."""
    position = 0
    while position + RECORD_HEADER_SIZE <= len(block):
        kind, _, length = record_header(block, position)
        start = position + RECORD_HEADER_SIZE
        position = start + length
        if position > len(block):
            return
        if kind != RecordType.PACKETS:
            continue
        content = block[start:position]
        try:
            for owner, arrival, sequence, begin, end in tap_packets(content):
                # as the first pass took them (export/index.py)
                if owner != producer or not 12 <= end - begin <= 0xFFFF or content[begin] >> 6 != 2:
                    continue
                if not (sequence >> 62 or arrival >> 63):
                    yield sequence, content[begin:end]
        except JournalError:
            continue


def _payload(packet: bytes, payload_type: int) -> bytes:
    """Give a packet's payload; empty for padding, another payload type or what is no RTP."""
    try:
        parsed = RtpPacket.parse(packet)
    except RtpError:
        return b""
    return b"" if payload_type and parsed.payload_type != payload_type else parsed.payload


def _without_delimiter(data: bytes) -> bytes:
    """Take the temporal delimiter and redundant headers out of a temporal unit whose OBUs have sizes."""
    kept, position = [], 0
    while position < len(data):
        start, head = position, data[position]
        position += 2 if head & 0x04 else 1
        size = shift = 0
        while True:
            byte = data[position]
            position += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        position += size
        if head >> 3 & 0x0F not in (2, *_DROPPED_OBUS):
            kept.append(data[start:position])
    return b"".join(kept)
