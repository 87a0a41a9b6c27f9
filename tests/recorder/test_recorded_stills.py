"""Frozen frames in a recording: in parts, behind the packets, whole or not at all, and only as they were announced."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.export.preparing import prepare
from recorder.journal import JournalError, JournalWriter, RecordType
from recorder.library import DamagedFile, Library, UnknownRecording
from recorder.recording import Recording
from recorder.seal.digest import sm3
from recorder.stills import MAX_STILL, MAX_STILLS, PART_SIZE, STILL_BACKLOG, StillPart, StillQueue
from tests.helpers.journals import RECORDING, STARTED, header, read_all

FRAME = (7, 3735928559)


def png(size: int, seed: int = 1) -> bytes:
    """Give a file that begins as a PNG file does."""
    return b"\x89PNG\r\n\x1a\n" + random.Random(seed).randbytes(size - 8)


def announced(file: bytes, frame: tuple[int, int] = FRAME, digest: str | None = None) -> dict[str, Any]:
    """Give the notice by which the log tells of a still."""
    still = {
        "producer": frame[0],
        "rtp_timestamp": frame[1],
        "width": 3840,
        "height": 2160,
        "sm3": digest or sm3(file).hex(),
        "taken_by": "pt-1",
        "for_all": True,
        "label": "",
    }
    return {"type": "operation", "sequence": 1, "operation": {"kind": "still", "still": still}}


def parts(file: bytes, frame: tuple[int, int] = FRAME) -> list[bytes]:
    queue = StillQueue()
    assert queue.receive(frame, sm3(file), file)
    found = []
    while (part := queue.next_part()) is not None:
        found.append(bytes(part))
    return found


def exported(root: Path, notices: list[dict[str, Any]], records: list[bytes]) -> dict[str, Any]:
    """Write a journal of these operations and parts, and export it."""
    writer = JournalWriter(header())
    for notice in notices:
        writer.receive_operation(notice, STARTED + 1)
    for record in records:
        writer.receive_still(record, STARTED + 5)
    writer.finish(STARTED + 2, "stopped")
    folder = root / RECORDING
    folder.mkdir(exist_ok=True)
    (folder / "journal.kjr").write_bytes(writer.blocks_to_write(STARTED + 6))
    prepare(folder)
    assert not list(folder.glob("*.part"))
    body: dict[str, Any] = json.loads((folder / "description.json").read_text())
    return body


@given(st.binary(min_size=1, max_size=200), st.integers(0, 1 << 20))
def test_a_part_is_read_as_it_was_written(data: bytes, position: int) -> None:
    part = StillPart(7, 5, bytes(32), position + len(data) + 3, position, data)
    assert StillPart.parse(bytes(part)) == part


def test_a_part_that_lies_is_refused_with_a_sentence() -> None:
    good = bytes(StillPart(7, 5, bytes(32), 100, 90, bytes(10)))
    for bad, said in (
        (good[:48], "more than 48 bytes"),
        (good + b"x", "beyond its 100 bytes"),
        (bytes(StillPart(7, 5, bytes(32), 0, 0, b"x")), "claims 0 bytes"),
        (bytes(StillPart(7, 5, bytes(32), MAX_STILL + 1, 0, b"x")), f"claims {MAX_STILL + 1} bytes"),
        (bytes(StillPart(7, 5, bytes(32), 100, 0xFFFFFFFF, b"x")), "beyond its 100 bytes"),
    ):
        with pytest.raises(JournalError, match=said):
            StillPart.parse(bad)


def test_each_frame_is_taken_once_one_at_a_time_and_within_bounds() -> None:
    queue = StillQueue()
    small = png(10)
    assert queue.receive(FRAME, sm3(small), small)
    with pytest.raises(ValueError, match="not written yet"):
        queue.receive((7, 1), sm3(small), small)
    assert queue.next_part() is not None
    assert queue.is_idle
    # frozen again by another: it is there
    assert queue.receive(FRAME, sm3(small), small)
    assert queue.is_idle
    assert not queue.receive((7, 2), b"", bytes(MAX_STILL + 1))
    assert not queue.receive((7, 3), b"", b"")
    queue.taken = MAX_STILLS - 9
    assert not queue.receive((7, 4), sm3(small), small)
    assert queue.receive((7, 5), b"", small[:9])


def test_a_still_waits_for_a_slow_disk_and_packets_do_not_wait_for_it() -> None:
    recording = Recording(header(), "Dr. Li Wei", STARTED)
    file = png(20 << 20)
    assert recording.receive_still(FRAME, sm3(file), file)
    given = [recording.awaits_still]
    data = b""
    for tick in range(60):
        data += recording.bytes_to_write(STARTED + 1 + tick)
    # nothing was written: what waits is bounded, and an event is in its place at once
    assert recording.backlog < STILL_BACKLOG + 2 * PART_SIZE
    recording.receive_event({"kind": "lock", "locked": True}, STARTED + 70)
    data += recording.bytes_to_write(STARTED + 71)
    _, records = read_all(data)
    assert records[-1].type is RecordType.EVENT

    recording.close("Dr. Li Wei", STARTED + 72)
    recording.receive_event({"kind": "lock", "locked": False}, STARTED + 73)
    # what was frozen before the end is written to its end, and the recording lasted until it was closed
    for tick in range(60):
        recording.receive_written(len(data))
        data += (more := recording.bytes_to_write(STARTED + 100 + tick))
        recording.receive_written(len(more))
    assert [*given, recording.awaits_still] == [False, True]
    recording.stop("Dr. Li Wei", STARTED + 200)
    assert not recording.receive_still((7, 1), sm3(file), file)
    data += recording.bytes_to_write(STARTED + 200)
    reader, records = read_all(data)
    assert not reader.truncated
    assert sum(record.type is RecordType.EVENT for record in records) == 3
    assert (records[-1].type, records[-1].time) == (RecordType.END, (STARTED + 72) * 10**9)
    pieces = [StillPart.parse(record.payload) for record in records if record.type is RecordType.STILL]
    assert b"".join(piece.data for piece in pieces) == file


def test_a_still_becomes_the_file_that_was_announced(tmp_path: Path) -> None:
    file = png(3 * PART_SIZE + 5)
    # the order of the parts is not the disk's
    description = exported(tmp_path, [announced(file)], parts(file)[::-1])
    assert description["stills"] == [
        {
            "producer": 7,
            "rtp_timestamp": 3735928559,
            "file": "7-3735928559.png",
            "bytes": len(file),
            "sm3": sm3(file).hex(),
        }
    ]
    assert description["seconds"] == 2
    library = Library(tmp_path)
    assert library.still(RECORDING, "7-3735928559.png") == file
    # the same journal, the same bytes
    before = (tmp_path / RECORDING / "description.json").read_bytes()
    prepare(tmp_path / RECORDING)
    assert (tmp_path / RECORDING / "description.json").read_bytes() == before

    for name in ("7-1.png", "../7-3735928559.png", "7.png", "description.json", "7-3735928559.png/"):
        with pytest.raises(UnknownRecording):
            library.still(RECORDING, name)
    path = tmp_path / RECORDING / "7-3735928559.png"
    path.write_bytes(file[:-1] + bytes([file[-1] ^ 1]))
    with pytest.raises(DamagedFile, match="not the one that was recorded"):
        library.still(RECORDING, "7-3735928559.png")
    path.unlink()
    with pytest.raises(UnknownRecording):
        library.still(RECORDING, "7-3735928559.png")
    path.symlink_to(tmp_path / RECORDING / "journal.kjr")
    with pytest.raises(UnknownRecording):
        library.still(RECORDING, "7-3735928559.png")


@pytest.mark.parametrize(
    "case", ["not announced", "another hash", "a part missing", "a part twice", "other bytes", "no picture"]
)
def test_what_is_not_whole_or_not_what_was_announced_is_left_out(tmp_path: Path, case: str) -> None:
    file = png(2 * PART_SIZE + 5)
    notices, records = [announced(file)], parts(file)
    if case == "not announced":
        notices = []
    elif case == "another hash":
        notices = [announced(file, digest="ab" * 32)]
    elif case == "a part missing":
        del records[1]
    elif case == "a part twice":
        records.append(records[1])
    elif case == "other bytes":
        records[1] = records[1][:-1] + bytes([records[1][-1] ^ 1])
    else:
        file = b"<svg/>" * 10
        notices, records = [announced(file)], parts(file)
    description = exported(tmp_path, notices, records)
    assert description["stills"] == []
    assert not list((tmp_path / RECORDING).glob("*.png"))


def test_a_journal_that_was_cut_or_damaged_gives_no_still_that_is_not_whole(tmp_path: Path) -> None:
    file, other = png(2 * PART_SIZE), png(1000, 2)
    notices = [announced(file), announced(other, (7, 2))]
    exported(tmp_path, notices, parts(file) + parts(other, (7, 2)))
    path = tmp_path / RECORDING / "journal.kjr"
    whole = path.read_bytes()
    for data, left in (
        (whole[: len(whole) // 2], []),
        (whole[: whole.index(file[100:200])] + b"\0" + whole[whole.index(file[100:200]) + 1 :], []),
        (whole, [2, 3735928559]),
    ):
        path.write_bytes(data)
        prepare(tmp_path / RECORDING)
        description = json.loads((tmp_path / RECORDING / "description.json").read_text())
        assert [still["rtp_timestamp"] for still in description["stills"]] == left
