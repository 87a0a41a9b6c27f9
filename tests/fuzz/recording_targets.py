"""What stands in a recording: a part of a frozen frame's file, a manifest, a key, a journal's header, packets."""

from __future__ import annotations

import json
import struct

from media.native.frames import PictureJoiner, walk_tap
from media.plane import Codec
from recorder.export.assembly import sets_of_fmtp
from recorder.journal import Gap, JournalError, JournalHeader, JournalWriter, Seal
from recorder.manifest import Link, Manifest, ManifestError, Part
from recorder.moved import parse_moved
from recorder.reader import JournalReader
from recorder.seal.keys import WrappedKey
from recorder.seal.suites import SM4, SealError
from recorder.stills import MAX_STILL, StillPart
from recorder.tombstone import Tombstone
from recorder.volumes import VolumeHeader, journal_digest
from tests.helpers.joined import ReferenceJoiner, laid, places_of, reference_walk

from . import corpora

REFUSALS = (JournalError, ManifestError, SealError)

#: The second begins so far in that its end goes beyond 32 bits.
PARTS = (
    bytes(StillPart(7, 3735928559, bytes(range(32)), 12, 4, b"\x89PNG")),
    bytes(StillPart(1, 0, bytes(32), MAX_STILL, 0xFFFFFFFF, b"x")),
)


def read_part(data: bytes) -> None:
    """Read a part: it lies within its file, whose size is allowed, and is written as it was read."""
    part = StillPart.parse(data)
    assert part.data
    assert part.position + len(part.data) <= part.size <= MAX_STILL
    assert bytes(part) == data


HEADERS = (
    bytes(JournalHeader("20261122-101500-demo-3f9a", "demo", 1, {}, Seal("SM4-GCM-SM3", bytes(16)))),
    bytes(JournalHeader("r", "demo", 1, {"a": [1]})),
)
_PARTS = (Part("journal.kjr", 5, "ab" * 32), Part("7.mp4", 1 << 40, "00" * 32))
MANIFESTS = (
    bytes(Manifest("r", "demo", 1, "complete", 2, "cd" * 32, _PARTS, 3, "ef" * 32, Link("q", "12" * 32))),
    bytes(Manifest("r", "demo", 1, "truncated", 2, "cd" * 32, (), 0, "00" * 32)),
)
TOMBSTONES = (bytes(Tombstone("r", "ab" * 32, 2, 3)), bytes(Tombstone("r", "", 0, 1)))
VOLUMES = (bytes(VolumeHeader("20261122-101500-demo-3f9a", 2, 1 << 32, "ab" * 32)),)
MOVED = (
    b'{"version": 1, "parts": [{"name": "journal.kjr", "bytes": 5}, {"name": "7.mp4", "bytes": 1099511627776}]}',
)
KEYS = (bytes(WrappedKey("r", SM4, {"ab" * 32: bytes(range(120))})),)


def read_header(data: bytes) -> None:
    """Read a journal's header, and write it so that it is read as the same."""
    header = JournalHeader.parse(data)
    assert JournalHeader.parse(bytes(header)) == header


def read_volume_header(data: bytes) -> None:
    """Read a volume's header, and write it so that it is read as the same."""
    header = VolumeHeader.parse(data)
    assert header.number >= 2
    assert VolumeHeader.parse(bytes(header)) == header


def read_journal(data: bytes) -> None:
    """Read a journal of any bytes, in pieces: what is given stands where it says, and everything is counted once."""
    reader = JournalReader()
    records, given = 0, 0
    for start in range(0, len(data), 97):
        reader.receive_data(data[start : start + 97])
        while (record := reader.next_record()) is not None:
            records += 1
            given += len(record.payload)
    reader.finish()
    assert given <= len(data)
    assert reader.ignored <= len(data)
    assert reader.truncated or reader.header is not None


def _small_journal() -> bytes:
    header = JournalHeader("r", "demo", 1)
    writer = JournalWriter(header)
    writer.receive_event({"kind": "recording_started", "by": "x"}, 1.0)
    data = writer.blocks_to_write(2.0)
    data += bytes(VolumeHeader("r", 2, len(data), journal_digest(header)))
    writer.receive_gap(Gap(7, 3), 1, 2.0)
    writer.finish(3.0, "stopped")
    return data + writer.blocks_to_write(4.0)


JOURNALS = (_small_journal(),)


def read_manifest(data: bytes) -> None:
    """Read a manifest: none of its names leads out of the recording's folder."""
    manifest = Manifest.parse(data)
    assert all("/" not in part.name and part.name not in ("", ".", "..") for part in manifest.parts)
    assert Manifest.parse(bytes(manifest)) == manifest


def read_tombstone(data: bytes) -> None:
    """Read the note of a deletion."""
    tombstone = Tombstone.parse(data)
    assert Tombstone.parse(bytes(tombstone)) == tombstone


def read_moved(data: bytes) -> None:
    """Read which parts were moved out: none of their names leads out of the recording's folder."""
    assert all("/" not in name and name not in ("", ".", "..") for name in parse_moved(data))


def read_wrapped_key(data: bytes) -> None:
    """Read a key file."""
    wrapped = WrappedKey.parse(data)
    assert 0 < len(wrapped.wrapped) <= 16
    assert json.loads(bytes(wrapped))["recording"] == wrapped.recording


def _pictures(data: bytes) -> list[tuple[list[bytes], int]]:
    """Read pictures: flags, then packets behind their length; 0xff ends one. Odd flags of 4: without an RTP header."""
    pictures: list[tuple[list[bytes], int]] = []
    at = 0
    while at < len(data):
        how, packets = data[at], list[bytes]()
        at += 1
        while at < len(data) and data[at] != 0xFF:
            packet = data[at + 1 : at + 1 + data[at]]
            at += 1 + data[at]
            packets.append(packet if how & 4 else _RTP_HEADER + packet)
        at += 1
        pictures.append((packets, how & 3))
    return pictures


_RTP_HEADER = b"\x80\x60" + bytes(10)


def join_both(data: bytes) -> None:
    """Put pictures together in C and in Python: the same bytes, or the same refusal."""
    codec, payload_type = Codec((data[0] & 127) % len(Codec)), 96 * (data[0] >> 7)
    pictures = _pictures(data[1:])
    reference = ReferenceJoiner(codec, payload_type, _FMTP[codec])
    joiner = PictureJoiner(codec, payload_type, sets_of_fmtp(_FMTP[codec]))
    expected = [reference.join(packets, flags) for packets, flags in pictures]
    assert joiner.join(*laid(pictures)) == expected


_FMTP = dict.fromkeys(Codec, "") | {Codec.H264: "sprop-parameter-sets=Z0LAHw==,aM48gA=="}


def walk_both(data: bytes) -> None:
    """Walk through tap records in C and in Python."""
    runs, unreadable, whole = walk_tap(data, 1 << 40)
    assert all(runs)
    assert (places_of(runs), unreadable, whole) == reference_walk(data, 1 << 40)


def _joined(codec: Codec, *pictures: tuple[int, tuple[bytes, ...]]) -> bytes:
    return bytes([codec]) + b"\xff".join(
        bytes([how]) + b"".join(bytes([len(packet)]) + packet for packet in packets)
        for how, packets in pictures
    )


_VP8_KEY = b"\x10\0\0\0\x9d\1\x2a\0\5\xd0\2"
_VP9_KEY = b"\x82\x49\x83\x42\0\4\xff\2\xcf\0\0\0"
PICTURES = (
    _joined(
        Codec.OPUS, (0, (b"\xfc\1\2",)), (0, (b"\xff\1\2",)), (1, (b"",)), (4, (_RTP_HEADER + b"\xf8\xff",))
    ),
    _joined(
        Codec.H264,
        (1, (b"\x78\0\4\x67\x42\xc0\x1f\0\4\x68\xce\x3c\x80", b"\x7c\x85\x88\1", b"\x7c\5\2", b"\x7c\x45\3")),
        (1, (b"\x41\x9a\1", b"\x41\x1a\2")),
        (0, (b"\x41\x1a\1",)),
        (1, (b"\x65\x88\1",)),
        (1, (b"\x67\x42\xc0\x1e",)),
        (3, (b"\x41\x9a\1",)),
    ),
    _joined(Codec.H264, (1, (b"\x18\0\3\x65\x88\0", b"\x5c\x81\1", b"\x5c\1\1", b"\x5c\x41\1"))),
    _joined(Codec.H264, (4, (b"\xb2\xe0" + bytes(10) + bytes(8) + b"\xbe\xde\0\1\x10\7\0\0\x65\x88\1\0\2",))),
    _joined(
        Codec.H265,
        (1, (b"\x60\1\0\4\x40\1\x0c\1\0\4\x42\1\1\1\0\4\x44\1\xc1\x72", b"\x62\1\x93\xaf", b"\x62\1\x53\2")),
        (0, (b"\2\1\xd0\1",)),
        (1, (b"\x28\1\xaf",)),
    ),
    _joined(Codec.VP8, (1, (_VP8_KEY, b"\0\1")), (0, (b"\x90\xf0\x80\1\2\x20\1\2",)), (1, (b"\0\1",))),
    _joined(
        Codec.VP9,
        (1, (b"\x8a\x81\1\x18\5\0\2\xd0\1\4\1" + _VP9_KEY, b"\x84\1\2")),
        (0, (b"\xad\1\0\0" + _VP9_KEY, b"\xad\1\2\0\1\2", b"\xb5\1\4\1")),
        (1, (b"\xde\1\2\5\0\x18\1\2\3\4\1\4\1\2",)),
    ),
    _joined(
        Codec.AV1,
        (0, (b"\x68\2\x08\1\x30\5", b"\xd0\6", b"\x90\7")),
        (1, (b"\0\3\x2a\1\7\2\x12\0\3\x34\x20\1",)),
        (1, (b"\x50\x30\1\2",)),
    ),
)


def _tap(producer: int, sequence: int, packet: bytes) -> bytes:
    return struct.pack("!IIQQ", 20 + len(packet), producer, 1 << 60, sequence) + packet


TAPPED = (
    _tap(7, 1, _RTP_HEADER + b"one") + _tap(7, 2, _RTP_HEADER) + _tap(8, 1, b"\x80\xe0" + bytes(13)),
    _tap(7, 1, b"short") + _tap(7, 1 << 62, _RTP_HEADER) + _tap(7, 3, _RTP_HEADER)[:-1],
)

#: What reaches everything in C is held against Python, too.
JOINED = PICTURES + corpora.read("native-frames")
WALKED = TAPPED + corpora.read("native-tapped")
