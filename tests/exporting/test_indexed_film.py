"""Films by frame indices are those that are made by going through the whole journal."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import av
import pytest

from media.plane import Codec
from recorder.export.index import index_journal
from recorder.export.indexed_film import run_indexed
from recorder.export.options import camera_options
from recorder.export.pieces import film_name
from recorder.export.preparing import prepare
from recorder.export.work import Work
from recorder.segments.index import SUFFIX, SegmentError
from recorder.source import JournalSource
from tests.exporting.recordings import KEY, by_time, job, opened, two_cameras, work
from tests.helpers.journal_media import camera, encode, encode_sound, record, sound, video
from tests.helpers.journals import RECORDING

#: How far apart the same moment may be: sound is laid on the picture's clock before a piece is cut, or after.
TICK = 1.5 / 48_000


def streams(data: bytes) -> dict[str, list[tuple[float, bytes]]]:
    with av.open(io.BytesIO(data)) as container:
        found: dict[str, list[tuple[float, bytes]]] = {stream.type: [] for stream in container.streams}
        for packet in container.demux():
            if packet.pts is not None:
                found[packet.stream.type].append((float(packet.pts * packet.time_base), bytes(packet)))
    return found


def both(recording: Path, kind: str, options: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Export by the indices and, from a copy without them, through the journal: the films' streams, in order."""
    copy = recording.with_name(f"copy-of-{recording.name}")
    if not copy.exists():
        shutil.copytree(recording, copy)
        for index in copy.glob(f"*{SUFFIX}"):
            index.unlink()
    results = []
    for folder in (recording, copy):
        asked = job(folder, kind, options)
        files = work(asked)["files"]
        results.append(
            [(file["name"], file["from"], file["to"], streams(opened(asked, file["name"]))) for file in files]
        )
    return results[0], results[1]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Record pictures out of order with sound before them, and three other codecs."""
    root = tmp_path_factory.mktemp("indexed")
    made = {"two": two_cameras(root / "two")}
    field = video(7, Codec.H264, encode(Codec.H264, 60, b_frames=2), begin=0.6)
    folder = record(
        root / "early" / RECORDING,
        [camera(7), camera(8, Codec.OPUS)],
        by_time(field, sound(8, encode_sound(120), begin=0.1)),
        sealed_with=KEY,
    )
    prepare(folder, key=KEY)
    made["early"] = folder
    producers = [camera(n, codec, participant=f"pt-{n}") for n, codec in enumerate(Codec, 1)]
    packets = by_time(
        *(
            sound(n, encode_sound(60)) if codec is Codec.OPUS else video(n, codec, encode(codec, 40))
            for n, codec in enumerate(Codec, 1)
        )
    )
    folder = record(root / "all" / RECORDING, producers, packets, sealed_with=KEY)
    prepare(folder, key=KEY)
    made["all"] = folder
    return made


@pytest.mark.parametrize(
    ("which", "kind", "options"),
    [
        ("two", "camera", {}),
        ("two", "camera", {"sound": False}),
        ("two", "clip", {"from": 0.9, "to": 1.6}),
        ("two", "clip", {"from": 2.0, "to": 2.5, "producers": [9]}),
        ("early", "camera", {}),
        ("early", "clip", {"from": 0.0, "to": 1.2}),
        ("early", "clip", {"from": 1.4, "to": 2.2}),
        ("all", "camera", {}),
        ("all", "clip", {"from": 0.5, "to": 1.1}),
    ],
)
def test_they_are_the_same(
    recordings: dict[str, Path], which: str, kind: str, options: dict[str, Any]
) -> None:
    indexed, through = both(recordings[which], kind, options)
    assert [film[0] for film in indexed] == [film[0] for film in through]
    for (_, begin, end, one), (_, begin_too, end_too, other) in zip(indexed, through, strict=True):
        assert (begin, end) == (pytest.approx(begin_too, abs=1e-4), pytest.approx(end_too, abs=1e-4))
        assert list(one) == list(other)
        assert [data for _, data in one.get("video", [])] == [data for _, data in other.get("video", [])]
        for kind_of_stream, packets in one.items():
            # by the journal, silence before the first packet of a piece and after the last is left away
            expected = dict(other[kind_of_stream])
            first, last = min(expected) - TICK, max(expected) + TICK
            times = {time: data for time, data in packets if first <= time <= last}
            assert list(times) == pytest.approx(list(expected), abs=TICK)
            assert list(times.values()) == list(expected.values())


def test_only_the_blocks_of_a_clip_are_opened(
    recordings: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: set[int] = set()
    block = JournalSource.block

    def noted(source: JournalSource, base: int) -> bytes:
        read.add(base)
        return block(source, base)

    monkeypatch.setattr(JournalSource, "block", noted)
    asked = job(recordings["two"], "clip", {"from": 2.6, "to": 2.9, "producers": [7]})
    work(asked)
    size = (recordings["two"] / "journal.kjr").stat().st_size
    assert read
    assert min(read) > size / 2


def test_what_an_index_cannot_tell_is_left_to_the_journal(tmp_path: Path) -> None:
    # sound that began long before its picture stands for itself
    packets = by_time(
        video(7, Codec.H264, encode(Codec.H264, 20), begin=7.0), sound(8, encode_sound(50) * 8, begin=0.1)
    )
    folder = record(tmp_path / RECORDING, [camera(7), camera(8, Codec.OPUS)], packets, sealed_with=KEY)
    prepare(folder, key=KEY)
    asked = job(folder, "camera", {})
    assert not run_indexed(Work(folder, Path(asked["folder"]), KEY), camera_options({}))
    (film,) = work(asked)["files"]
    assert list(streams(opened(asked, film["name"]))) == ["video", "audio"]


def test_an_index_that_was_changed_is_not_believed(tmp_path: Path) -> None:
    folder = two_cameras(tmp_path, key=None, frames=20)
    good = job(folder, "camera", {}, None)
    expected = work(good, None)
    path = folder / f"7{SUFFIX}"
    path.write_bytes(path.read_bytes()[:-1])
    asked = job(folder, "camera", {}, None)
    with pytest.raises(SegmentError, match="index"):
        run_indexed(Work(folder, Path(asked["folder"]), None), camera_options({}))
    # the journal itself says what was recorded
    made = work(asked, None)
    assert [file["name"] for file in made["files"]] == [file["name"] for file in expected["files"]]
    with av.open(io.BytesIO(opened(asked, "field-7.mp4", None))) as container:
        assert sum(1 for _ in container.decode(video=0)) == 20


def test_where_an_index_or_a_block_is_damaged_the_journal_says_what_is_left(tmp_path: Path) -> None:
    folder = two_cameras(tmp_path, frames=60)
    whole = job(folder, "camera", {"producers": [7]})
    work(whole)
    in_the_middle = int(index_journal(folder / "journal.kjr", key=KEY).packets[7].offsets[100])

    def film_with(damaged: str, place: int) -> list[tuple[float, bytes]]:
        path = folder / damaged
        data = bytearray(path.read_bytes())
        data[place] ^= 1
        path.write_bytes(data)
        asked = job(folder, "camera", {"producers": [7]})
        (file,) = work(asked)["files"]
        assert not list(Path(asked["folder"]).glob("*.part"))
        data[place] ^= 1
        path.write_bytes(data)
        return streams(opened(asked, file["name"]))["video"]

    other = streams(opened(whole, "field-7.mp4"))["video"]
    assert film_with(f"7{SUFFIX}", 200) == other
    assert 10 < len(film_with("journal.kjr", in_the_middle)) < len(other)


def test_a_source_never_becomes_a_path() -> None:
    assert film_name("field", 7, ".mp4") == "field-7.mp4"
    for source in ("../field", "", "a/b", ".", "Ä", "a\0b"):
        assert film_name(source, 7, ".mp4") == "camera-7.mp4"
