"""The journal: everything that a recording keeps, on one time line, in one append-only file (FORMAT.md).

A journal is a header and then blocks. A block is what reaches the disk at once, with a checksum of its own;
inside it are records. Whoever is killed loses at most the block that was being gathered, and the reader
(reader.py) opens whatever is left. Each producer's packets lie in blocks of their own, so that whoever wants one
camera reads, and opens, no other. `sealing.py` seals the blocks on their way to the disk.

`now` is Unix time in seconds; the times that are stored are Unix nanoseconds.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

#: What a JSON object is once it is parsed.
JsonObject = dict[str, object]

FILE_MAGIC = b"KONSILJR"
VERSION = 1
BLOCK_MAGIC = b"\xb1KBL"  # no ASCII text and no RTP packet begins so

#: Flags of a block: its payload is sealed (sealing.py); it is the last one, alone with the end record.
SEALED, LAST = 1, 2

#: A block is closed when it is this old (seconds): with the way to the disk, a kill costs less than a second.
FLUSH_INTERVAL = 0.5
#: A block is also closed when it holds this much: a 4K field gathers about 1.3 MB in FLUSH_INTERVAL.
FLUSH_SIZE = 4 << 20

# the limits of a reader: nobody's length makes it allocate more
MAX_METADATA = 64 << 10
MAX_RECORD = 8 << 20  # twice the most that Plane.read_tap gives
MAX_BLOCK = MAX_RECORD + FLUSH_SIZE + 4096
#: A signalling message has at most 256 KiB; a letter of it that is masked may take three bytes for one.
MAX_JSON = 1 << 20

_FILE_HEADER = struct.Struct("!8sHHQI")  # magic, version, flags, started, length of the metadata
_BLOCK_HEADER = struct.Struct("!4sIQII")  # magic, flags, number, length, CRC-32 of the payload
_RECORD_HEADER = struct.Struct("!BQI")  # type, time, length
_CHECKSUM = struct.Struct("!I")
_SENDER_REPORT = struct.Struct("!IQI")
_GAP = struct.Struct("!IQ")
_TAP = struct.Struct("!IIQQ")  # length of the rest, producer, arrival, sequence number (media/plane.py)

FILE_HEADER_SIZE = _FILE_HEADER.size
BLOCK_HEADER_SIZE = _BLOCK_HEADER.size + _CHECKSUM.size
RECORD_HEADER_SIZE = _RECORD_HEADER.size
TAP_HEADER_SIZE = _TAP.size


class JournalError(ValueError):
    """A journal, or a record in it, is not what FORMAT.md describes."""


class RecordType(IntEnum):
    """What a record holds."""

    PACKETS = 1  # tap records as Plane.read_tap gives them
    SENDER_REPORT = 2
    OPERATION = 3  # JSON: the `operation` notice of PROTOCOL.md, section 4
    POINTER = 4  # JSON: a `pointer` or `stroke` message with its author
    EVENT = 5  # JSON: who came and went, which tracks there are
    GAP = 6  # packets that never reached the journal
    END = 7  # JSON: the recording was ended in order
    STILL = 8  # a part of a frozen frame's PNG file (stills.py)


@dataclass(frozen=True, slots=True)
class Seal:
    """What a journal's blocks are sealed with: a suite's name and the salt of this file's key."""

    suite: str
    salt: bytes


@dataclass(frozen=True, slots=True)
class JournalHeader:
    """Who, where and since when. `started` is the zero of the recording's time line, Unix ns."""

    recording: str
    room: str
    started: int
    metadata: JsonObject = field(default_factory=dict)
    seal: Seal | None = None

    def __bytes__(self) -> bytes:
        fields: JsonObject = {"recording": self.recording, "room": self.room, "metadata": self.metadata}
        if self.seal is not None:
            fields["seal"] = {"suite": self.seal.suite, "salt": self.seal.salt.hex()}
        text = encode_json(fields)
        if len(text) > MAX_METADATA:
            raise ValueError(f"A journal's metadata has at most {MAX_METADATA} bytes, not {len(text)}.")
        flags = SEALED if self.seal is not None else 0
        start = _FILE_HEADER.pack(FILE_MAGIC, VERSION, flags, self.started, len(text)) + text
        return start + _CHECKSUM.pack(zlib.crc32(start))

    @classmethod
    def parse(cls, data: bytes) -> JournalHeader:
        """Parse a whole header (`header_size` tells how long it is). Raises JournalError."""
        if len(data) < header_size(data):
            raise JournalError("The journal ends within its header.")
        magic, version, flags, started, length = _FILE_HEADER.unpack_from(data)
        assert magic == FILE_MAGIC
        assert version == VERSION
        end = FILE_HEADER_SIZE + length
        if _CHECKSUM.unpack_from(data, end)[0] != zlib.crc32(data[:end]):
            raise JournalError("The checksum of the journal's header is wrong.")
        if flags & ~SEALED:
            raise JournalError(f"The journal's header bears unknown flags ({flags:#x}).")
        fields = decode_json(data[FILE_HEADER_SIZE:end])
        recording, room, metadata = fields.get("recording"), fields.get("room"), fields.get("metadata")
        if not isinstance(recording, str) or not isinstance(room, str) or not isinstance(metadata, dict):
            raise JournalError("The journal's header does not name its recording and room.")
        return cls(recording, room, started, metadata, _seal_of(fields) if flags & SEALED else None)


def _seal_of(fields: JsonObject) -> Seal:
    seal = fields.get("seal")
    suite, salt = (seal.get("suite"), seal.get("salt")) if isinstance(seal, dict) else (None, None)
    if not isinstance(suite, str) or not isinstance(salt, str):
        raise JournalError("The header of a sealed journal does not say how it is sealed.")
    try:
        return Seal(suite, bytes.fromhex(salt))
    except ValueError:
        raise JournalError("The salt of a sealed journal is not hexadecimal.") from None


def header_size(data: bytes) -> int:
    """Tell how long the header is that begins with these FILE_HEADER_SIZE bytes. Raises JournalError."""
    if len(data) < FILE_HEADER_SIZE:
        raise JournalError("The journal ends within its header.")
    magic, version, _, _, length = _FILE_HEADER.unpack_from(data)
    if magic != FILE_MAGIC:
        raise JournalError("This is not a journal: its first bytes are others.")
    if version != VERSION:
        raise JournalError(f"The journal has version {version}; version {VERSION} can be read.")
    if length > MAX_METADATA:
        raise JournalError(f"The journal's header claims {length} bytes of metadata, above {MAX_METADATA}.")
    return FILE_HEADER_SIZE + int(length) + _CHECKSUM.size


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """What stands before a block: SEALED and LAST, its number, length and checksum."""

    flags: int
    number: int
    length: int
    checksum: int

    def __bytes__(self) -> bytes:
        start = _BLOCK_HEADER.pack(BLOCK_MAGIC, self.flags, self.number, self.length, self.checksum)
        return start + _CHECKSUM.pack(zlib.crc32(start))

    @classmethod
    def parse(cls, data: bytes) -> BlockHeader:
        """Parse BLOCK_HEADER_SIZE bytes. Raises JournalError."""
        if len(data) < BLOCK_HEADER_SIZE:
            raise JournalError("A block header is cut short.")
        magic, flags, number, length, checksum = _BLOCK_HEADER.unpack_from(data)
        if magic != BLOCK_MAGIC:
            raise JournalError("There is no block where one should be.")
        if _CHECKSUM.unpack_from(data, _BLOCK_HEADER.size)[0] != zlib.crc32(data[: _BLOCK_HEADER.size]):
            raise JournalError("The checksum of a block header is wrong.")
        if length > MAX_BLOCK:
            raise JournalError(f"A block claims {length} bytes, above {MAX_BLOCK}.")
        return cls(flags, number, length, checksum)


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `time` is Unix ns, `offset` where its payload stands in the file."""

    type: RecordType
    time: int
    payload: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class SenderReport:
    """Which RTP timestamp a producer's clock shows at which NTP time (RFC 3550, section 6.4.1)."""

    producer: int
    ntp: int  # 64 bits, seconds since 1900 in the upper half
    rtp_timestamp: int

    def __bytes__(self) -> bytes:
        return _SENDER_REPORT.pack(self.producer, self.ntp, self.rtp_timestamp)

    @classmethod
    def parse(cls, data: bytes) -> SenderReport:
        """Parse a SENDER_REPORT record's payload. Raises JournalError."""
        if len(data) != _SENDER_REPORT.size:
            raise JournalError(f"A sender report has {_SENDER_REPORT.size} bytes, not {len(data)}.")
        return cls(*_SENDER_REPORT.unpack(data))


@dataclass(frozen=True, slots=True)
class Gap:
    """Packets that were received but never written. `producer` 0: it is not known whose."""

    producer: int
    packets: int

    def __bytes__(self) -> bytes:
        return _GAP.pack(self.producer, self.packets)

    @classmethod
    def parse(cls, data: bytes) -> Gap:
        """Parse a GAP record's payload. Raises JournalError."""
        if len(data) != _GAP.size:
            raise JournalError(f"A gap has {_GAP.size} bytes, not {len(data)}.")
        return cls(*_GAP.unpack(data))


def tap_packets(data: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """Walk through tap records: (producer, arrival ns, sequence number, start of the packet, its end).

    Raises JournalError at the record whose length lies, after those before it.
    """
    position, size = 0, len(data)
    header, unpack = _TAP.size, _TAP.unpack_from
    while position < size:
        if size - position < header:
            raise JournalError("A tap record is cut short.")
        length, producer, arrival, sequence = unpack(data, position)
        end = position + 4 + length
        if length < header - 4 or end > size:
            raise JournalError(f"A tap record claims {length} bytes, but {size - position - 4} follow.")
        yield producer, arrival, sequence, position + header, end
        position = end


def encode_json(value: JsonObject) -> bytes:
    """Write an object as compact UTF-8; the same object is always the same bytes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def decode_json(data: bytes) -> JsonObject:
    """Parse a JSON object of at most MAX_JSON bytes. Raises JournalError."""
    if len(data) > MAX_JSON:
        raise JournalError(f"A record's JSON has {len(data)} bytes, above {MAX_JSON}.")
    try:
        value = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise JournalError(f"A record's JSON cannot be read ({error}).") from None
    if not isinstance(value, dict):
        raise JournalError("A record's JSON is not an object.")
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


#: The lanes of frozen frames, and of everything else that is no packet; a producer's number is above 0.
_STILLS, _TALK = -1, 0


@dataclass(slots=True)
class _Lane:
    """The records that will be one block."""

    records: list[bytes] = field(default_factory=list)
    size: int = 0


class JournalWriter:
    """Turns what happens into the bytes of a journal.

    Call `receive_*` as things happen, `blocks_to_write` at `get_timer()` and whenever it suits, and append
    what it returns to the file. `finish` once at the end. Misuse (a record above its limit) is a ValueError.
    """

    def __init__(self, header: JournalHeader) -> None:
        self._ready: list[bytes] = [bytes(header)]
        # the lane of everything but packets is the first: a track is announced before its packets
        self._lanes: dict[int, _Lane] = {_TALK: _Lane()}
        self._since: float | None = None
        self._number = 0
        self._finished = False

    @property
    def backlog(self) -> int:
        """Bytes that were received and not yet handed out."""
        return sum(lane.size for lane in self._lanes.values()) + sum(map(len, self._ready))

    def receive_packets(self, producer: int, data: bytes, now: float) -> None:
        """Keep a chunk of tap records of one producer as it is."""
        self._append(
            RecordType.PACKETS, nanoseconds(now), data, now, self._lanes.setdefault(producer, _Lane())
        )

    def receive_sender_report(self, report: SenderReport, arrival: int, now: float) -> None:
        """Keep a sender report that arrived at `arrival` (Unix ns)."""
        self._append(RecordType.SENDER_REPORT, arrival, bytes(report), now)

    def receive_operation(self, notice: JsonObject, now: float) -> None:
        """Keep an `operation` notice of PROTOCOL.md, section 4."""
        self._append_json(RecordType.OPERATION, notice, now)

    def receive_pointer(self, message: JsonObject, now: float) -> None:
        """Keep an ephemeral message, as the others are sent it."""
        self._append_json(RecordType.POINTER, message, now)

    def receive_event(self, event: JsonObject, now: float) -> None:
        """Keep a room event (FORMAT.md lists their kinds)."""
        self._append_json(RecordType.EVENT, event, now)

    def receive_gap(self, gap: Gap, since: int, now: float) -> None:
        """Say that packets were lost on the way to the journal, the first of them at `since` (Unix ns)."""
        self._append(RecordType.GAP, since, bytes(gap), now)

    def receive_still(self, part: bytes, now: float) -> None:
        """Keep a part of a frozen frame's file (stills.StillPart)."""
        lane = self._lanes.setdefault(_STILLS, _Lane())
        self._append(RecordType.STILL, nanoseconds(now), part, now, lane)

    def finish(self, now: float, reason: str) -> None:
        """Write the end record, in a block of its own at the file's very end. Nothing may follow."""
        self._close_blocks()
        self._append_json(RecordType.END, {"reason": reason[:200]}, now)
        self._close(self._lanes[_TALK], LAST)
        self._finished = True

    def blocks_to_write(self, now: float) -> bytes:
        """Take the bytes that are due: whole blocks only, or nothing."""
        if self._since is not None and now - self._since >= FLUSH_INTERVAL:
            self._close_blocks()
        data = b"".join(self._ready)
        self._ready.clear()
        return data

    def get_timer(self) -> float | None:
        """Tell when `blocks_to_write` has something to give, Unix seconds."""
        if self._ready:
            return 0.0
        return None if self._since is None else self._since + FLUSH_INTERVAL

    def _append_json(self, kind: RecordType, value: JsonObject, now: float) -> None:
        text = encode_json(value)
        if len(text) > MAX_JSON:
            raise ValueError(f"A record's JSON has at most {MAX_JSON} bytes, not {len(text)}.")
        self._append(kind, nanoseconds(now), text, now)

    def _append(
        self, kind: RecordType, time: int, payload: bytes, now: float, lane: _Lane | None = None
    ) -> None:
        if self._finished:
            raise ValueError("The journal has been finished.")
        if len(payload) > MAX_RECORD:
            raise ValueError(f"A record has at most {MAX_RECORD} bytes, not {len(payload)}.")
        if self._since is None:
            self._since = now
        lane = lane or self._lanes[_TALK]
        lane.records += (_RECORD_HEADER.pack(kind, time, len(payload)), payload)
        lane.size += RECORD_HEADER_SIZE + len(payload)
        if lane.size >= FLUSH_SIZE:
            self._close(self._lanes[_TALK])
            self._close(lane)

    def _close_blocks(self) -> None:
        for lane in self._lanes.values():
            self._close(lane)
        self._lanes = {_TALK: self._lanes[_TALK]}
        self._since = None

    def _close(self, lane: _Lane, flags: int = 0) -> None:
        if not lane.records:
            return
        payload = b"".join(lane.records)
        header = BlockHeader(flags, self._number, len(payload), zlib.crc32(payload))
        self._ready += (bytes(header), payload)
        self._number += 1
        lane.records.clear()
        lane.size = 0


def end_block(number: int, time: int, reason: str) -> bytes:
    """Write the last block of a journal that was not ended when it was time. `time` is Unix ns."""
    content = encode_json({"reason": reason})
    payload = _RECORD_HEADER.pack(RecordType.END, time, len(content)) + content
    return bytes(BlockHeader(LAST, number, len(payload), zlib.crc32(payload))) + payload


def nanoseconds(now: float) -> int:
    """Turn Unix seconds into Unix nanoseconds."""
    return max(0, round(now * 1e9))


def record_header(data: bytes, position: int) -> tuple[int, int, int]:
    """Unpack a record header: (type, time, length). RECORD_HEADER_SIZE bytes must be there."""
    kind, time, length = _RECORD_HEADER.unpack_from(data, position)
    return kind, time, length
