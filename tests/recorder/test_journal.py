"""What the journal holds when it is whole."""

from __future__ import annotations

import pytest

from recorder.journal import (
    FLUSH_INTERVAL,
    FLUSH_SIZE,
    MAX_RECORD,
    Gap,
    JournalError,
    JournalHeader,
    JournalWriter,
    RecordType,
    SenderReport,
    decode_json,
    tap_packets,
)
from recorder.tap import share_out
from tests.helpers.journals import STARTED, STARTED_NS, header, read_all, rtp, small_journal, tap_record


def test_everything_comes_back_in_order_with_its_time() -> None:
    reader, records = read_all(small_journal())
    assert reader.header == header()
    assert [record.type for record in records] == [
        RecordType.EVENT,
        RecordType.PACKETS,
        RecordType.SENDER_REPORT,
        RecordType.OPERATION,
        RecordType.POINTER,
        RecordType.END,
    ]
    assert [record.time - STARTED_NS for record in records] == [
        0,
        0,
        0,
        1_000_000_000,
        2_000_000_000,
        2_500_000_000,
    ]
    assert SenderReport.parse(records[2].payload) == SenderReport(7, 1 << 40, 1000)
    assert decode_json(records[3].payload)["sequence"] == 1
    assert reader.ended
    assert not reader.truncated
    assert reader.ignored == 0


def test_offsets_point_at_the_payloads_in_the_file() -> None:
    data = small_journal()
    for record in read_all(data)[1]:
        assert data[record.offset : record.offset + len(record.payload)] == record.payload


@pytest.mark.parametrize("piece", [1, 7, 28, 100])
def test_pieces_of_any_size_give_the_same_records(piece: int) -> None:
    assert read_all(small_journal(), piece=piece)[1] == read_all(small_journal())[1]


def test_tap_chunks_are_kept_byte_for_byte() -> None:
    chunk = b"".join(tap_record(7, n, 65536 + n, rtp(n, n, bytes(n))) for n in range(50))
    writer = JournalWriter(header())
    writer.receive_packets(7, chunk, STARTED)
    records = read_all(writer.blocks_to_write(STARTED + 1))[1]
    assert records[0].payload == chunk
    walked = list(tap_packets(chunk))
    assert [(producer, arrival, number) for producer, arrival, number, _, _ in walked] == [
        (7, n, 65536 + n) for n in range(50)
    ]
    assert [chunk[start:end] for *_, start, end in walked] == [rtp(n, n, bytes(n)) for n in range(50)]


def test_a_block_leaves_after_half_a_second_and_not_before() -> None:
    writer = JournalWriter(header())
    assert writer.get_timer() == 0.0  # the header is due at once
    assert writer.blocks_to_write(STARTED) == bytes(header())
    assert writer.get_timer() is None
    writer.receive_event({"kind": "mute"}, STARTED + 1)
    assert writer.get_timer() == STARTED + 1 + FLUSH_INTERVAL
    assert writer.blocks_to_write(STARTED + 1.4) == b""
    assert writer.blocks_to_write(STARTED + 1.5) != b""
    assert writer.backlog == 0


def test_a_full_block_leaves_at_once() -> None:
    writer = JournalWriter(header())
    writer.receive_packets(7, bytes(FLUSH_SIZE), STARTED)
    assert writer.get_timer() == 0.0
    assert len(writer.blocks_to_write(STARTED)) > FLUSH_SIZE


def test_a_journal_without_an_end_is_truncated() -> None:
    reader, records = read_all(small_journal(finished=False))
    assert reader.truncated
    assert not reader.ended
    assert records[-1].type is RecordType.POINTER


def test_records_of_a_later_version_are_passed_over() -> None:
    writer = JournalWriter(header())
    writer._append(200, STARTED_NS, b"who knows", STARTED)  # type: ignore[arg-type]
    writer.receive_event({"kind": "mute"}, STARTED)
    reader, records = read_all(writer.blocks_to_write(STARTED + 1))
    assert [record.type for record in records] == [RecordType.EVENT]
    assert reader.damaged == 0


def test_misuse_is_refused() -> None:
    writer = JournalWriter(header())
    with pytest.raises(ValueError, match="at most"):
        writer.receive_packets(7, bytes(MAX_RECORD + 1), STARTED)
    with pytest.raises(ValueError):
        writer.receive_event({"number": float("nan")}, STARTED)
    writer.finish(STARTED, "stopped")
    with pytest.raises(ValueError, match="finished"):
        writer.receive_event({}, STARTED)


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{", b'{"a":NaN}', b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10_000],
)
def test_json_that_is_none_is_one_error(text: bytes) -> None:
    with pytest.raises(JournalError):
        decode_json(text)


def test_lengths_of_fixed_records_are_checked() -> None:
    with pytest.raises(JournalError):
        SenderReport.parse(bytes(15))
    with pytest.raises(JournalError):
        Gap.parse(bytes(13))


@pytest.mark.parametrize("length", [0, 19, 21, 1 << 31])
def test_a_tap_record_whose_length_lies_ends_the_walk(length: int) -> None:
    good = tap_record(7, 1, 2, b"")
    walk = tap_packets(good + length.to_bytes(4, "big") + bytes(20))
    assert next(walk)[:3] == (7, 1, 2)
    with pytest.raises(JournalError):
        next(walk)


def test_header_metadata_survives_and_is_bounded() -> None:
    kept = header(scope="olympus 中文")
    assert JournalHeader.parse(bytes(kept)) == kept
    with pytest.raises(ValueError, match="at most"):
        bytes(header(text="x" * 70_000))


def test_rooms_never_see_each_others_packets() -> None:
    records = [tap_record(producer, n, n, bytes([producer])) for n, producer in enumerate([1, 1, 2, 3, 1, 2])]
    shared = share_out(b"".join(records), {1: "a", 2: "b"})  # type: ignore[dict-item]
    assert shared == {
        "a": records[0] + records[1] + records[4],
        "b": records[2] + records[5],
    }
    assert share_out(b"", {}) == {}
