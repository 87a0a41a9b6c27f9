"""First pass over a journal: where each packet stands, and everything that is small.

Of a packet only its place, numbers and times are kept (31 bytes, found in C, a record of the journal at a time): two
hours of a 4K field are 15 million packets and 18 GB, of which nothing but that is in memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from media.native.frames import WALKED, WALKED_SIZE, walk_tap
from media.plane import Codec

from ..journal import (
    RECORD_HEADER_SIZE,
    Gap,
    JournalError,
    JournalHeader,
    JsonObject,
    Record,
    RecordType,
    SenderReport,
    decode_json,
    record_header,
)
from ..manifest import chain
from ..reader import JournalReader
from ..seal.digest import SM3_SIZE
from ..seal.keys import DataKey
from ..stills import PART_HEADER_SIZE, FrameName, StillPart
from ..volumes import JournalFiles

_READ_SIZE = 1 << 20
_MAX_PRODUCERS = 10_000
_MAX_STILLS = 10_000
WALKED_TYPE = np.dtype(list(WALKED))


@dataclass(frozen=True, slots=True)
class Track:
    """A producer as the journal announces it."""

    producer: int
    participant: str
    source: str
    codec: Codec
    label: str
    clock_rate: int
    payload_type: int  # 0: any
    fmtp: str


@dataclass(frozen=True, slots=True)
class Packets:
    """A track's packets in the order in which they were sent, each once.

    `timestamps` count from the first packet's, `first_timestamp` on the wire, and never wrap; `markers` are
    RTP's.
    """

    offsets: NDArray[np.uint64]
    lengths: NDArray[np.uint16]
    sequence: NDArray[np.int64]
    timestamps: NDArray[np.int64]
    arrivals: NDArray[np.int64]
    markers: NDArray[np.bool_]
    first_timestamp: int

    def __len__(self) -> int:
        return len(self.offsets)


@dataclass(frozen=True, slots=True)
class StillPiece:
    """A piece of a still: its place in the file, and where it stands in the journal. `digest`, `size`: of the whole."""

    digest: bytes
    size: int
    position: int
    offset: int
    length: int


def packets_of(walked: bytes | bytearray) -> Packets:
    """Bring what `walk_tap` found of one producer, in any order, into the order of sending."""
    found = np.frombuffer(walked, WALKED_TYPE)
    sequence = found["sequence"].astype(np.int64)
    if not np.all(sequence[1:] > sequence[:-1]):
        # the first of equal numbers stays: what arrived first was forwarded
        sequence, order = np.unique(sequence, return_index=True)
        found = found[order]
    wrapped = found["timestamp"].copy()
    steps = np.diff(wrapped).view(np.int32).astype(np.int64)  # the short way round
    timestamps = np.concatenate(([0], np.cumsum(steps))) if len(wrapped) else steps
    return Packets(
        offsets=found["offset"].copy(),
        lengths=found["length"].copy(),
        sequence=sequence,
        timestamps=timestamps,
        arrivals=found["arrival"].astype(np.int64),
        markers=found["second"] >= 0x80,
        first_timestamp=int(wrapped[0]) if len(wrapped) else 0,
    )


def packets_within(blocks: Iterable[tuple[int, bytes]], producer: int, first: int, end: int) -> Packets:
    """Find one producer's packets of the numbers `first` to before `end`, in the order of sending.

    `blocks` are opened ones with the places where their payloads begin (JournalSource.block). What is no packet, or
    lies, is passed over as `index_journal` does.
    """
    walked = bytearray()
    for base, payload in blocks:
        position = 0
        while position + RECORD_HEADER_SIZE <= len(payload):
            kind, _, length = record_header(payload, position)
            start = position + RECORD_HEADER_SIZE
            position = start + length
            if position > len(payload):
                break
            if kind == RecordType.PACKETS:
                runs, _, _ = walk_tap(payload[start:position], base + start)
                walked += b"".join(run for whose, run in runs if whose == producer)
    found = np.frombuffer(walked, WALKED_TYPE)
    return packets_of(found[(found["sequence"] >= first) & (found["sequence"] < end)].tobytes())


@dataclass(slots=True)
class JournalIndex:
    """What the first pass found. Lists are in the order of the journal, with their record's time in ns."""

    header: JournalHeader
    last_time: int
    ended: bool = False
    repaired: bool = False
    truncated: bool = True
    ignored: int = 0
    #: Records and packets whose content could not be read.
    unreadable: int = 0
    #: Where the payload of each whole block begins.
    blocks: array[int] = field(default_factory=lambda: array("Q"))
    tracks: dict[int, Track] = field(default_factory=dict)
    packets: dict[int, Packets] = field(default_factory=dict)
    reports: dict[int, list[tuple[int, SenderReport]]] = field(default_factory=dict)
    operations: list[tuple[int, JsonObject]] = field(default_factory=list)
    pointers: list[tuple[int, JsonObject]] = field(default_factory=list)
    events: list[tuple[int, JsonObject]] = field(default_factory=list)
    gaps: list[tuple[int, Gap]] = field(default_factory=list)
    #: The SM3 that chains the operations.
    log_head: bytes = bytes(SM3_SIZE)
    stills: dict[FrameName, list[StillPiece]] = field(default_factory=dict)


class Watcher(Protocol):
    """Who wants to see packets as they go by (early.EarlyTracks)."""

    def take(self, track: Track, walked: bytes, record: Record) -> None:
        """Take what `walk_tap` found of a track in a record."""


def index_journal(
    path: Path,
    progress: Callable[[float], None] = lambda _: None,
    key: DataKey | None = None,
    watcher: Watcher | None = None,
) -> JournalIndex:
    """Read a journal once, whatever state it is in. Raises JournalError when it has no header, SealError, OSError."""
    reader = JournalReader(key)
    index: JournalIndex | None = None
    gathering: dict[int, bytearray] = {}
    with JournalFiles(path) as file:
        size = max(file.size, 1)
        while data := file.read(_READ_SIZE):
            reader.receive_data(data)
            if index is None and reader.header is not None:
                index = JournalIndex(reader.header, reader.header.started)
            while index is not None and (record := reader.next_record()) is not None:
                try:
                    _take(record, index, gathering, watcher)
                except JournalError:
                    index.unreadable += 1
            progress(min(file.position / size, 1.0))
    reader.finish()
    if index is None:
        raise JournalError("The journal ends within its header.")
    index.ended, index.truncated, index.ignored = reader.ended, reader.truncated, reader.ignored
    index.truncated = index.truncated or index.repaired
    index.blocks = reader.blocks
    for producer in list(gathering):
        index.packets[producer] = packets_of(gathering.pop(producer))
    return index


def _take(
    record: Record, index: JournalIndex, gathering: dict[int, bytearray], watcher: Watcher | None
) -> None:
    if record.type is not RecordType.STILL:
        # a still is written when the disk has time for it, which may be after the end
        index.last_time = max(index.last_time, record.time)
    match record.type:
        case RecordType.PACKETS:
            _take_packets(record, index, gathering, watcher)
        case RecordType.SENDER_REPORT:
            report = SenderReport.parse(record.payload)
            if report.producer in index.tracks:
                index.reports.setdefault(report.producer, []).append((record.time, report))
        case RecordType.OPERATION:
            index.operations.append((record.time, _operation(decode_json(record.payload))))
            index.log_head = chain(index.log_head, record.payload)
        case RecordType.POINTER:
            index.pointers.append((record.time, decode_json(record.payload)))
        case RecordType.EVENT:
            event = decode_json(record.payload)
            if not isinstance(event.get("kind"), str):
                raise JournalError("An event has no kind.")
            if event["kind"] == "producer_added":
                track = track_of(event)
                if len(index.tracks) >= _MAX_PRODUCERS:
                    raise JournalError(f"The journal has more than {_MAX_PRODUCERS} producers.")
                index.tracks.setdefault(track.producer, track)
                gathering.setdefault(track.producer, bytearray())
            index.events.append((record.time, event))
        case RecordType.GAP:
            index.gaps.append((record.time, Gap.parse(record.payload)))
        case RecordType.STILL:
            _take_still(record, index)
        case RecordType.END:
            # what a kill cut off is not there since somebody ended the journal after it
            index.repaired = decode_json(record.payload).get("reason") == "repaired"


def _take_packets(
    record: Record, index: JournalIndex, gathering: dict[int, bytearray], watcher: Watcher | None
) -> None:
    runs, unreadable, whole = walk_tap(record.payload, record.offset)
    index.unreadable += unreadable
    for producer, walked in runs:
        if producer in gathering:
            gathering[producer] += walked
            if watcher is not None:
                watcher.take(index.tracks[producer], walked, record)
        else:
            index.unreadable += len(walked) // WALKED_SIZE  # nobody said what it is
    if not whole:
        raise JournalError("The length of a tap record lies.")


def _take_still(record: Record, index: JournalIndex) -> None:
    part = StillPart.parse(record.payload)
    name = part.producer, part.rtp_timestamp
    if name not in index.stills and len(index.stills) >= _MAX_STILLS:
        raise JournalError(f"The journal has more than {_MAX_STILLS} stills.")
    offset = record.offset + PART_HEADER_SIZE
    piece = StillPiece(part.digest, part.size, part.position, offset, len(part.data))
    index.stills.setdefault(name, []).append(piece)


def _operation(notice: JsonObject) -> JsonObject:
    operation = notice.get("operation")
    if not isinstance(operation, dict) or not isinstance(operation.get("kind"), str):
        raise JournalError("An operation has no kind.")
    return notice


def track_of(event: JsonObject) -> Track:
    """Read a `producer_added` event. Raises JournalError for a field of another type or range."""
    numbers = [event.get(name) for name in ("producer", "clock_rate", "payload_type")]
    words = [event.get(name) for name in ("participant", "source", "codec", "label", "fmtp")]
    producer, clock_rate, payload_type = (value if type(value) is int else -1 for value in numbers)
    participant, source, codec, label, fmtp = (value if isinstance(value, str) else None for value in words)
    if participant is None or source is None or codec is None or label is None or fmtp is None:
        raise JournalError("A producer's participant, source, codec, label and fmtp are texts.")
    if codec not in Codec.__members__:
        raise JournalError(f"The codec {codec[:20]!r} of a producer is not known.")
    if not 0 < producer < 1 << 32 or not 0 <= payload_type < 128:
        raise JournalError("A producer's number or payload type is out of range.")
    # the payload formats leave no choice (RFC 7587, section 4.1: 48,000; video: 90,000)
    if clock_rate != (48_000 if codec == "OPUS" else 90_000):
        raise JournalError(f"A clock rate of {clock_rate} is not {codec}'s.")
    return Track(producer, participant, source, Codec[codec], label, clock_rate, payload_type, fmtp)
