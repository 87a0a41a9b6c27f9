"""A journal that was cut or damaged: everything whole is read, the rest is counted, nothing else happens."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.journal import (
    BLOCK_HEADER_SIZE,
    BLOCK_MAGIC,
    MAX_BLOCK,
    BlockHeader,
    JournalError,
    RecordType,
)
from tests.helpers.journals import header, read_all, small_journal

WHOLE = small_journal()
HEADER = len(bytes(header()))
RECORDS = read_all(WHOLE)[1]


def block_ends() -> list[int]:
    ends, position = [HEADER], HEADER
    while position < len(WHOLE):
        block = BlockHeader.parse(WHOLE[position : position + BLOCK_HEADER_SIZE])
        position += BLOCK_HEADER_SIZE + block.length
        ends.append(position)
    return ends


ENDS = block_ends()


def test_cut_at_any_byte_everything_up_to_the_last_whole_block_is_read() -> None:
    for cut in range(len(WHOLE)):
        if cut < HEADER:
            reader, records = read_all(WHOLE[:cut])
            assert reader.header is None
            assert records == []
            continue
        reader, records = read_all(WHOLE[:cut])
        last = max(end for end in ENDS if end <= cut)
        assert records == [record for record in RECORDS if record.offset < last]
        assert reader.ignored == cut - last
        assert reader.whole_until == last
        assert reader.truncated
    assert len(ENDS) == 6


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_any_flipped_byte_costs_at_most_its_block(place: int, flip: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[place] ^= flip
    if place < HEADER:
        # lengths that grew make the header incomplete, everything else is an error
        try:
            reader, records = read_all(bytes(damaged))
        except JournalError:
            return
        assert reader.header is None
        assert records == []
        return
    reader, records = read_all(bytes(damaged))
    number = next(n for n, end in enumerate(ENDS) if place < end)
    lost = range(ENDS[number - 1], ENDS[number])
    assert records == [record for record in RECORDS if record.offset not in lost]
    assert reader.truncated
    assert reader.ignored == len(lost)


@given(st.binary(max_size=400), st.integers(0, len(WHOLE)), st.integers(0, 60))
def test_garbage_anywhere_raises_nothing_but_journal_error(garbage: bytes, place: int, removed: int) -> None:
    damaged = WHOLE[:place] + garbage + WHOLE[place + removed :]
    try:
        reader, records = read_all(damaged, piece=97)
    except JournalError:
        return
    assert reader.ignored <= len(damaged)
    assert all(damaged[r.offset : r.offset + len(r.payload)] == r.payload for r in records)


@given(st.binary(max_size=2000))
def test_a_file_that_is_no_journal_is_refused(data: bytes) -> None:
    try:
        reader, records = read_all(data)
    except JournalError:
        return
    assert reader.header is None
    assert records == []


def block(payload: bytes, number: int = 0, *, flags: int = 0, length: int | None = None) -> bytes:
    head = BlockHeader(flags, number, len(payload) if length is None else length, zlib.crc32(payload))
    return bytes(head) + payload


def test_a_lying_block_length_allocates_nothing_and_is_searched_past() -> None:
    lying = block(b"", length=MAX_BLOCK + 1)
    reader, records = read_all(bytes(header()) + lying + WHOLE[HEADER:])
    assert [record.payload for record in records] == [record.payload for record in RECORDS]
    assert reader.ignored == len(lying)
    assert reader.damaged == 1


def test_lying_record_lengths_cost_the_rest_of_their_block() -> None:
    good = struct.pack("!BQI", RecordType.EVENT, 1, 2) + b"{}"
    for length in (1, 0xFFFFFFFF):
        lying = block(good + struct.pack("!BQI", RecordType.EVENT, 1, length))
        reader, records = read_all(bytes(header()) + lying)
        assert [record.payload for record in records] == [b"{}"]
        assert reader.ignored == 13
        assert reader.damaged == 1


def test_sealed_blocks_are_passed_over_and_counted() -> None:
    sealed = block(b"ciphertext", 0, flags=1)
    reader, _ = read_all(bytes(header()) + sealed)
    assert reader.ignored == len(sealed)
    assert reader.truncated


def test_a_block_that_is_missing_without_a_trace_is_noticed() -> None:
    reader, records = read_all(WHOLE[: ENDS[0]] + WHOLE[ENDS[1] :])
    kept = [record for record in RECORDS if record.offset >= ENDS[1]]
    assert [record.payload for record in records] == [record.payload for record in kept]
    assert reader.damaged == 1
    assert reader.truncated


def test_a_repeated_block_is_read_once() -> None:
    repeated = WHOLE[: ENDS[1]] + WHOLE[ENDS[0] : ENDS[1]] + WHOLE[ENDS[1] :]
    reader, records = read_all(repeated)
    assert [record.payload for record in records] == [record.payload for record in RECORDS]
    assert reader.damaged == 1


def test_packets_that_look_like_blocks_are_not_read_as_blocks() -> None:
    inner = block(struct.pack("!BQI", RecordType.END, 1, 2) + b"{}", 5)
    outer = block(struct.pack("!BQI", RecordType.PACKETS, 1, len(inner)) + inner)
    reader, records = read_all(bytes(header()) + outer)
    assert [record.type for record in records] == [RecordType.PACKETS]
    assert not reader.ended
    # nor when the outer block's payload is damaged: it is passed over whole
    reader, records = read_all(bytes(header()) + outer[:29] + b"?" + outer[30:])
    assert records == []
    assert reader.truncated
    assert BLOCK_MAGIC in inner


def test_a_journal_can_be_read_while_it_is_being_written() -> None:
    from recorder.reader import JournalReader

    reader = JournalReader()
    seen = 0
    for cut in range(0, len(WHOLE), 50):
        reader.receive_data(WHOLE[cut : cut + 50])
        while reader.next_record() is not None:
            seen += 1
    assert seen == len(RECORDS)
    assert reader.ended


@pytest.mark.parametrize("change", [(0, b"X"), (9, b"\x02"), (20, b"\xff"), (40, b"?")])
def test_a_header_that_is_not_ours_is_a_sentence(change: tuple[int, bytes]) -> None:
    place, value = change
    with pytest.raises(JournalError, match=r"\.$"):
        read_all(WHOLE[:place] + value + WHOLE[place + 1 :])
