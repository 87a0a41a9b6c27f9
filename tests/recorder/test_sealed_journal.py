"""A sealed journal: nobody without the key reads it, and whatever was done to it is seen, and where."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.journal import BLOCK_HEADER_SIZE, LAST, BlockHeader, JournalError, JournalHeader, RecordType
from recorder.reader import JournalReader
from recorder.seal.keys import DataKey
from recorder.seal.suites import AES, SM4, SealError, Suite
from recorder.sealing import JournalOpener, JournalSealer, new_seal
from recorder.source import JournalSource
from tests.helpers.journals import header, read_all, small_journal

KEY = DataKey(SM4, bytes(range(16)))
PLAIN = small_journal()
WHOLE = small_journal(sealed_with=KEY)
RECORDS = read_all(WHOLE, key=KEY)[1]


def blocks(data: bytes) -> list[tuple[int, int]]:
    """Where each block begins and ends."""
    reader, _ = read_all(data)
    starts = [base - BLOCK_HEADER_SIZE for base in reader.blocks]
    return list(zip(starts, [*starts[1:], reader.whole_until], strict=True))


BLOCKS = blocks(WHOLE)


@pytest.mark.parametrize("suite", [SM4, AES], ids=["SM4", "AES"])
def test_it_holds_what_a_plain_one_holds_and_shows_nothing_of_it(suite: Suite) -> None:
    key = DataKey.random(suite)
    sealed = small_journal(sealed_with=key)
    reader, records = read_all(sealed, key=key)
    plain = read_all(PLAIN)[1]
    assert [(r.type, r.time, r.payload) for r in records] == [(r.type, r.time, r.payload) for r in plain]
    assert not reader.truncated
    for secret in (b"Dr. Li Wei", b"operation", b"pointer"):
        assert secret in PLAIN
        assert secret not in sealed


def test_without_the_key_its_blocks_are_counted_and_its_end_is_seen() -> None:
    reader, records = read_all(WHOLE)
    assert records == []
    assert reader.unopened == len(BLOCKS)
    assert not reader.truncated
    assert read_all(WHOLE[: BLOCKS[-1][0]])[0].truncated


def test_another_key_opens_nothing() -> None:
    reader, records = read_all(WHOLE, key=DataKey(SM4, bytes(16)))
    assert records == []
    assert reader.truncated
    with pytest.raises(SealError, match="not sealed with this key's suite"):
        read_all(WHOLE, key=DataKey(AES, bytes(32)))


def test_blocks_that_were_swapped_or_dropped_or_doubled_are_seen() -> None:
    first, second, third = (WHOLE[begin:end] for begin, end in BLOCKS[1:4])
    before, after = WHOLE[: BLOCKS[1][0]], WHOLE[BLOCKS[3][1] :]
    for order in (
        [second, first, third],
        [first, third],
        [first, first, second, third],
        [third, second, first],
    ):
        assert read_all(before + b"".join(order) + after, key=KEY)[0].damaged


def renumbered(block: bytes, number: int, flags: int | None = None) -> bytes:
    """Give a block a header that has it elsewhere, with checksums that are right."""
    head, payload = BlockHeader.parse(block), block[BLOCK_HEADER_SIZE:]
    flags = head.flags if flags is None else flags
    return bytes(BlockHeader(flags, number, head.length, zlib.crc32(payload))) + payload


def test_a_block_that_is_made_to_look_like_another_does_not_open() -> None:
    first, second = (WHOLE[begin:end] for begin, end in BLOCKS[:2])
    forged = WHOLE[: BLOCKS[0][0]] + renumbered(second, 0) + renumbered(first, 1) + WHOLE[BLOCKS[1][1] :]
    reader, records = read_all(forged, key=KEY)
    assert reader.damaged == 1
    assert records == [record for record in RECORDS if record.offset >= BLOCKS[2][0]]


def test_an_end_cannot_be_put_earlier() -> None:
    begin, end = BLOCKS[2]
    block = WHOLE[begin:end]
    cut = WHOLE[:begin] + renumbered(block, 2, BlockHeader.parse(block).flags | LAST)
    reader, _ = read_all(cut, key=KEY)
    assert reader.truncated
    assert reader.damaged


def test_a_block_of_another_recording_with_the_same_key_does_not_open() -> None:
    other_header = replace(header(other=True), seal=new_seal(KEY))
    body = PLAIN[len(bytes(header())) :]
    other = JournalSealer(other_header, KEY)(bytes(other_header) + body)
    begin, end = BLOCKS[1]
    there = blocks(other)[1]
    mixed = WHOLE[:begin] + other[there[0] : there[1]] + WHOLE[end:]
    assert len(mixed) == len(WHOLE)
    assert read_all(mixed, key=KEY)[0].damaged == 1


def test_a_block_that_is_not_sealed_is_not_believed_in_a_sealed_journal() -> None:
    plain_blocks = blocks(PLAIN)
    mixed = WHOLE[: BLOCKS[1][0]] + PLAIN[plain_blocks[1][0] : plain_blocks[1][1]] + WHOLE[BLOCKS[1][1] :]
    for key in (KEY, None):
        assert read_all(mixed, key=key)[0].damaged == 1


def test_a_changed_header_opens_nothing() -> None:
    """Somebody gives a recording to another room; the checksum is right."""
    head = JournalHeader.parse(WHOLE)
    moved = bytes(replace(head, room="other")) + WHOLE[len(bytes(head)) :]
    assert read_all(moved, key=KEY)[1] == []


@given(place=st.integers(0, len(WHOLE) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_costs_its_block_and_is_located(place: int, bit: int) -> None:
    changed = bytearray(WHOLE)
    changed[place] ^= 1 << bit
    try:
        reader, records = read_all(bytes(changed), key=KEY)
    except (JournalError, SealError):
        assert place < BLOCKS[0][0]  # the file's header
        return
    if place < BLOCKS[0][0]:
        assert reader.truncated
        return
    begin, end = next(block for block in BLOCKS if block[0] <= place < block[1])
    assert reader.damaged == 1
    assert records == [record for record in RECORDS if not begin <= record.offset < end]


@given(cut=st.integers(0, len(WHOLE)))
def test_cut_anywhere_it_is_read_to_the_last_whole_block(cut: int) -> None:
    reader, records = read_all(WHOLE[:cut], key=KEY, piece=61)
    whole = max([end for _, end in BLOCKS if end <= cut], default=0)
    assert records == [record for record in RECORDS if record.offset < whole]
    assert reader.truncated == (cut < len(WHOLE))


def test_any_byte_is_read_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "journal.kjr"
    path.write_bytes(WHOLE)
    reader = JournalReader(KEY)
    reader.receive_data(WHOLE)
    reader.finish()
    assert reader.header is not None
    with JournalSource(path, reader.blocks, JournalOpener(reader.header, KEY)) as source:
        for record in [*RECORDS, *reversed(RECORDS)]:
            assert source.read(record.offset, len(record.payload)) == record.payload
            assert source.read(record.offset + 1, 1) == record.payload[1:2]
        with pytest.raises(JournalError):
            source.read(3, 1)


def test_a_seal_that_is_said_badly_is_refused() -> None:
    for seal in (
        {"suite": "SM4-GCM-SM3"},
        {"suite": 1, "salt": "00"},
        {"suite": "SM4-GCM-SM3", "salt": "xy"},
        7,
    ):
        head = bytes(replace(header(), seal=new_seal(KEY)))
        text = head[24:-4].decode()
        import json

        fields = json.loads(text) | {"seal": seal}
        changed = json.dumps(fields, separators=(",", ":")).encode()
        start = head[:20] + len(changed).to_bytes(4, "big") + changed
        with pytest.raises(JournalError, match="sealed journal"):
            JournalHeader.parse(start + zlib.crc32(start).to_bytes(4, "big"))
    assert RecordType.END in {record.type for record in RECORDS}
