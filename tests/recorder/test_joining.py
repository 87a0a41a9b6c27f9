"""Packets are walked through and put together in C as in Python: the same bytes, the same refusals."""

from __future__ import annotations

import random
import struct
from array import array
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from media.codecs.packetisation import MAX_FRAME_LENGTH, split_annex_b
from media.native import _native
from media.native.frames import REFUSED, SURE, WALKED, WALKED_SIZE, PictureJoiner, walk_tap
from media.plane import Codec
from media.rtp.packet import RtpPacket
from recorder.export.frames import Frame, FrameReader
from recorder.export.index import JournalIndex, index_journal, packets_within
from recorder.journal import JournalError
from recorder.sealing import JournalOpener
from recorder.source import JournalSource
from tests.helpers.joined import ReferenceJoiner, laid, places_of, reference_walk
from tests.helpers.journal_media import (
    Sent,
    camera,
    encode,
    encode_sound,
    payloads_of,
    record,
    sound,
    video,
)
from tests.helpers.journals import STARTED_NS, rtp, tap_record
from tests.recorder.test_sealed_journal import KEY


def packet(chance: random.Random, number: int, payload: bytes) -> bytes:
    """Put a payload into an RTP packet that has any of the parts that a header may have."""
    return bytes(
        RtpPacket(
            payload_type=chance.choice([96, 96, 96, 97]),
            sequence_number=number,
            timestamp=3000,
            ssrc=1,
            csrc=tuple(range(chance.choice([0, 0, 0, 2, 15]))),
            extensions=chance.choice([{}, {}, {3: b"abc"}, {20: bytes(40)}, {1: b"x", 2: bytes(16)}]),
            payload=payload,
            padding=chance.choice([0, 0, 0, 1, 255]),
        )
    )


def streams(codec: Codec) -> list[list[bytes]]:
    """Make the payloads of each picture of a real stream."""
    if codec is Codec.OPUS:
        return [[payload] for payload in encode_sound(40)]
    frames = encode(codec, 30, slices=4) if codec is Codec.H264 else encode(codec, 30)
    return [payloads_of(codec, frame.data) for frame in frames]


@pytest.mark.parametrize("codec", list(Codec))
@pytest.mark.parametrize("payload_type", [0, 96])
def test_real_streams_are_put_together_as_in_python(codec: Codec, payload_type: int) -> None:
    chance = random.Random(int(codec))
    joiner, reference = PictureJoiner(codec, payload_type), ReferenceJoiner(codec, payload_type)
    whole = refused = 0
    for _ in range(8):
        pictures = []
        for payloads in streams(codec):
            sent = [packet(chance, number, payload) for number, payload in enumerate(payloads)]
            if chance.random() < 0.2 and codec is not Codec.OPUS:
                del sent[chance.randrange(len(sent))]
            if chance.random() < 0.1 and sent:
                hurt = bytearray(sent[0])
                hurt[chance.randrange(min(len(hurt), 40))] ^= 1 << chance.randrange(8)
                sent[0] = bytes(hurt)
            pictures.append((sent, chance.choice([SURE, SURE, SURE, 0, REFUSED])))
        expected = [reference.join(sent, flags) for sent, flags in pictures]
        assert joiner.join(*laid(pictures)) == expected
        whole += sum(1 for picture in expected if picture is not None and picture[0])
        refused += sum(1 for picture in expected if picture == (b"", False))
    assert whole > 20
    assert refused > 20


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265, Codec.VP8, Codec.VP9, Codec.AV1])
def test_a_picture_that_is_too_large_is_refused(codec: Codec) -> None:
    first = payloads_of(codec, encode(codec)[0].data)[0]
    more = {
        Codec.H264: b"\x41" + bytes(60_000),
        Codec.H265: b"\x02\x01" + bytes(60_000),
        Codec.VP8: b"\0" + bytes(60_000),
        Codec.VP9: b"\0" + bytes(60_000),
        Codec.AV1: b"\x10\x32" + bytes(60_000),
    }[codec]
    fragment, large = rtp(1, 1, first), rtp(2, 1, more)
    count = MAX_FRAME_LENGTH // 60_000 + 1
    data, lengths = fragment + large, [len(fragment)] + [len(large)] * count
    arrays = (
        np.array([0] + [len(fragment)] * count, np.uint32),
        np.array(lengths, np.uint16),
        np.array([count + 1], np.uint32),
        np.array([SURE], np.uint8),
    )
    joiner = PictureJoiner(codec, 0)
    assert joiner.join(data, *(array.data for array in arrays)) == [(b"", False)]


def test_arrays_that_lie_are_refused() -> None:
    joiner = PictureJoiner(Codec.OPUS, 0)
    data = rtp(1, 1, b"\xfc")

    def join(places: Sequence[int], lengths: Sequence[int], counts: Sequence[int], flags: bytes) -> None:
        joiner.join(
            data,
            struct.pack(f"={len(places)}I", *places),
            struct.pack(f"={len(lengths)}H", *lengths),
            struct.pack(f"={len(counts)}I", *counts),
            flags,
        )

    join([0], [13], [1], b"\1")
    assert joiner.join(b"", array("I"), array("H"), array("I"), b"") == []
    for places, lengths, counts, flags in (
        ([1], [13], [1], b"\1"),
        ([0], [14], [1], b"\1"),
        ([0xFFFFFFFF], [2], [1], b"\1"),
        ([0, 0], [13], [1], b"\1"),
        ([0], [13], [2], b"\1"),
        ([0], [13], [0], b"\1"),
        ([0], [13], [1, 0xFFFFFFFF], b"\1\1"),
        ([0], [13], [1], b"\1\1"),
        ([0], [13], [1], b""),
    ):
        with pytest.raises(ValueError, match="arrays"):
            join(places, lengths, counts, flags)
    for codec, payload_type in ((6, 0), (-1, 0), (0, 128), (0, -1)):
        with pytest.raises(ValueError, match="no such codec"):
            _native.Joiner(codec, payload_type)
    with pytest.raises(ValueError, match="arrays"):
        _native.Joiner.__new__(_native.Joiner).join(b"", b"", b"", b"", b"")


def test_tap_records_are_walked_through_as_in_python() -> None:
    assert np.dtype(list(WALKED)).itemsize == WALKED_SIZE
    chance = random.Random(3)
    for _ in range(300):
        data = b""
        for number in range(chance.randrange(12)):
            body = chance.choice([rtp(number, 5, b"x", marker=True), b"short", bytes(30), rtp(1, 9, b"")])
            data += tap_record(
                chance.choice([7, 7, 7, 8]),
                chance.choice([STARTED_NS, STARTED_NS, 1 << 63]),
                chance.choice([5, 6, 1 << 62]),
                body,
            )
        if chance.random() < 0.3:
            data = data[: chance.randrange(len(data) + 1)]
        runs, unreadable, whole = walk_tap(data, 1000)
        assert (places_of(runs), unreadable, whole) == reference_walk(data, 1000)
    assert walk_tap(tap_record(7, 1, 1, rtp(1, 1, bytes(65_600))), 0) == ([], 1, True)


def sealed(folder: Path, packets: list[Sent]) -> JournalIndex:
    record(
        folder, [camera(7), camera(8, Codec.OPUS)], sorted(packets, key=lambda sent: sent.at), sealed_with=KEY
    )
    return index_journal(folder / "journal.kjr", key=KEY)


class TestOneRange:
    """What a segment needs: the packets of some pictures out of the blocks that they lie in, and no others."""

    def test_its_frames_are_those_of_the_whole_pass(self, tmp_path: Path) -> None:
        packets = video(7, Codec.H264, encode(Codec.H264, 30)) + sound(8, encode_sound(50))
        index = sealed(tmp_path, packets)
        track, every = index.tracks[7], index.packets[7]
        with JournalSource(
            tmp_path / "journal.kjr", index.blocks, JournalOpener(index.header, KEY)
        ) as source:
            whole = list(FrameReader(track, every, source.read).frames())
            assert len(whole) == 30
            # frames 13 to 16, which need those before them
            times = [int(time) for time in every.timestamps]
            first, end = times.index(whole[13].timestamp), times.index(whole[17].timestamp)
            blocks = {
                max(base for base in index.blocks if base < offset) for offset in every.offsets[first:end]
            }
            assert len(blocks) < len(index.blocks)
            opened = [(base, source.block(base)) for base in sorted(blocks)]
            some = packets_within(opened, 7, int(every.sequence[first]), int(every.sequence[end]))
            assert list(some.offsets) == list(every.offsets[first:end])
            assert some.first_timestamp == every.first_timestamp + whole[13].timestamp
            alone = list(FrameReader(track, some, source.read, continues=True).frames())
            assert [frame.data for frame in alone] == [frame.data for frame in whole[13:17]]
            assert [frame.timestamp for frame in alone] == [n * 3000 for n in range(4)]
            # where it is not said that they continue, they are left out
            assert list(FrameReader(track, some, source.read).frames()) == []

    def test_parameter_sets_come_from_before(self, tmp_path: Path) -> None:
        frames = encode(Codec.H264)
        units = split_annex_b(frames[0].data)
        sets = [unit for unit in units if unit[0] & 0x1F in (7, 8)]
        bare = replace(
            frames[0], data=b"".join(b"\0\0\0\1" + unit for unit in units if unit[0] & 0x1F not in (7, 8))
        )
        index = sealed(tmp_path, video(7, Codec.H264, [bare]))

        def read(sets: list[bytes]) -> list[Frame]:
            with JournalSource(
                tmp_path / "journal.kjr", index.blocks, JournalOpener(index.header, KEY)
            ) as source:
                return list(FrameReader(index.tracks[7], index.packets[7], source.read, sets=sets).frames())

        assert read([]) == []
        (frame,) = read(sets)
        assert split_annex_b(frame.data)[:2] == sets
        assert frame.key

    def test_blocks_that_hold_nothing_of_it_give_nothing(self) -> None:
        assert len(packets_within([(28, b"\1\2"), (99, b"\1" + bytes(8) + b"\xff" * 4)], 7, 0, 1 << 62)) == 0


def test_a_journal_that_became_shorter_is_told(tmp_path: Path) -> None:
    record(tmp_path, [camera(7)], video(7, Codec.H264, encode(Codec.H264)))
    index = index_journal(tmp_path / "journal.kjr")
    reader = FrameReader(index.tracks[7], index.packets[7], lambda offset, length: bytes(length - 1))
    with pytest.raises(JournalError, match="no longer"):
        next(reader.frames())
