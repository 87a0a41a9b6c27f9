"""The folder of recordings: what is listed, what is given out, what never is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from media.plane import Codec
from recorder.export.preparing import prepare
from recorder.library import Library, UnknownRecording, recording_id
from recorder.writer import DiskError
from tests.helpers.journal_media import camera, encode, record, video
from tests.helpers.journals import RECORDING, STARTED_NS, small_journal


def put(library: Library, name: str, data: bytes) -> Path:
    path = library.create(name)
    path.write_bytes(data)
    return path


def test_recordings_are_named_by_time_room_and_chance() -> None:
    assert recording_id(STARTED_NS, "demo", "3f9a") == RECORDING
    for room, suffix in (("a/b", "3f9a"), ("..", "3f9a"), ("", "3f9a"), ("demo", "zz"), ("x" * 65, "3f9a")):
        with pytest.raises(ValueError):
            recording_id(STARTED_NS, room, suffix)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../20261122-101500-demo-3f9a",
        "20261122-101500-demo-3f9a/..",
        "20261122-101500-../x-3f9a",
        "20261122-101500-..-3f9a",
        "20261122-101500-demo-3f9a\n",
        "20261122-101500-demo-3f9a\0",
        "/etc/passwd",
        "20261122-101500-de%2e%2e-3f9a",
        "２0261122-101500-demo-3f9a",
    ],
)
def test_names_that_are_none_touch_no_path(tmp_path: Path, name: str) -> None:
    library = Library(tmp_path / "recordings")
    put(library, RECORDING, small_journal())
    for access in (library.folder, library.description, library.create):
        with pytest.raises(UnknownRecording):
            access(name)


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    library = Library(tmp_path / "recordings")
    journal = put(library, RECORDING, small_journal())
    other = "20261122-101500-demo-0000"
    os.symlink(journal.parent, library.root / other)
    with pytest.raises(UnknownRecording):
        library.folder(other)
    assert [summary.recording for summary in library.recordings()] == [RECORDING]


def test_states_before_the_export(tmp_path: Path) -> None:
    library = Library(tmp_path)
    put(library, RECORDING, small_journal())
    assert [summary.state for summary in library.recordings()] == ["preparing"]
    assert [summary.state for summary in library.recordings(being_written={RECORDING})] == ["recording"]
    assert library.unfinished() == [RECORDING]
    assert library.unfinished(being_written={RECORDING}) == []
    (library.folder(RECORDING) / "journal.kjr").write_bytes(small_journal(finished=False))
    assert [summary.state for summary in library.recordings()] == ["truncated"]
    assert library.description(RECORDING) is None


def test_after_the_export_the_description_speaks(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.create(RECORDING)
    record(library.root / RECORDING, [camera(7)], video(7, Codec.H264, encode(Codec.H264)))
    prepare(library.folder(RECORDING))
    (summary,) = library.recordings("demo")
    assert (summary.state, summary.cameras, summary.marks) == ("complete", 1, 0)
    assert summary.started == STARTED_NS
    assert summary.seconds == pytest.approx(0.83, abs=0.1)
    # its manifest is signed by who has the key for it
    assert library.unfinished() == [RECORDING]
    description = library.description(RECORDING)
    assert description is not None
    assert description["recording"] == RECORDING


def test_the_list_is_of_one_room_and_newest_first(tmp_path: Path) -> None:
    library = Library(tmp_path)
    names = []
    for minute, room in enumerate(["demo", "demo", "other"]):
        started = STARTED_NS + minute * 60 * 10**9
        name = recording_id(started, room, "00ff")
        path = put(library, name, b"")
        from recorder.journal import JournalHeader

        path.write_bytes(bytes(JournalHeader(name, room, started)))
        names.append(name)
    assert [summary.recording for summary in library.recordings("demo")] == [names[1], names[0]]
    assert [summary.recording for summary in library.recordings()] == names[::-1]
    assert library.recordings("nobody's") == []
    assert Library(tmp_path / "not made yet").recordings() == []


def test_what_cannot_be_read_is_left_out_of_the_list(tmp_path: Path) -> None:
    library = Library(tmp_path)
    put(library, "20261122-101500-demo-0001", b"")
    put(library, "20261122-101500-demo-0002", b"no journal at all, but long enough for a header")
    for number, text in enumerate([b"{", b"[]", b"{}", json.dumps({"cameras": 1}).encode()]):
        journal = put(library, f"20261122-101500-demo-1{number:03}", small_journal()[:20])
        (journal.parent / "description.json").write_bytes(text)
    put(library, RECORDING, small_journal())
    (tmp_path / "lost+found").mkdir()
    assert [summary.recording for summary in library.recordings()] == [RECORDING]


def test_a_recording_is_made_once(tmp_path: Path) -> None:
    library = Library(tmp_path / "recordings")
    library.create(RECORDING)
    with pytest.raises(DiskError):
        library.create(RECORDING)
