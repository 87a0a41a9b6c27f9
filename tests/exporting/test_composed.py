"""The one film: every picture at its moment, marks on their exact frame, sound in sync, gone on with to the byte."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from recorder.export import muxing
from recorder.export.composed.letters import written
from recorder.export.kinds import ExportError, kind_of, read_options, run_kind
from recorder.export.work import Work
from recorder.segments.index import SUFFIX
from tests.exporting.recordings import (
    BEEP_AT,
    KEY,
    PICTURES,
    consultation,
    drawn,
    job,
    mark,
    opened,
    work,
    worker,
)
from tests.helpers.coded import BITS

RATE = 30
TITLE = 3 * RATE
#: Pictures of the field begin at 0.1 s, three frames after the recording.
LATE = 3
#: The field in a film of 360 lines with others beside it: 512 × 288, in the middle of 324 lines.
FIELD = (slice(18, 306), slice(0, 512))

Frames = list[Any]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    box = [[0.6, 0.7], [0.9, 0.9]]
    operations = [
        (0.3, {"event": {"kind": "speaker", "participant": "pt-2"}}),
        # on picture 10, though it was finished half a second later
        drawn(1, 0.95, mark("m-1", "rectangle", 10, box, width=0.02)),
        drawn(
            2, 1.2, {"kind": "instruct", "instruction": "i-1", "text": "Clip", "mark": "m-1", "spoken": False}
        ),
        drawn(3, 1.6, {"kind": "delete", "marks": ["m-1"]}),
    ]
    return consultation(tmp_path_factory.mktemp("film"), operations)


@pytest.fixture(scope="module")
def made(recorded: Path) -> tuple[dict[str, Any], bytes, Frames]:
    asked = job(recorded, "composed", {"height": 360})
    status, said = worker(asked)
    assert status == 0, said
    (file,) = said[-1]["files"]
    assert sorted(path.name for path in Path(asked["folder"]).iterdir()) == ["film.mp4", "request.json"]
    data = opened(asked, "film.mp4")
    with av.open(io.BytesIO(data)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return file, data, frames


def number_of(frame: Any) -> int:
    """Read the number that the field's picture bears, as bars in its upper half."""
    field = frame[FIELD].mean(axis=2)
    height, width = field.shape
    middles = [(2 * bit + 1) * width // (2 * BITS) for bit in range(BITS)]
    bright = [
        field[height // 8 : 3 * height // 8, middle - 3 : middle + 3].mean() > 128 for middle in middles
    ]
    return sum(1 << bit for bit, on in enumerate(bright) if on)


def test_every_picture_stands_at_its_moment(made: tuple[dict[str, Any], bytes, Frames]) -> None:
    file, _, frames = made
    assert (file["width"], file["height"]) == (640, 360)
    assert file["seconds"] == pytest.approx(len(frames) / RATE, abs=0.001)
    moments = frames[TITLE:]
    assert [number_of(frame) for frame in moments[LATE : LATE + PICTURES]] == list(range(PICTURES))
    # before the first one and on the title there is no field
    assert max(frame[FIELD].max() for frame in frames[10:12]) > 100
    assert moments[0][FIELD][50:100, :100].max() < 40


def test_a_mark_is_there_from_its_own_frame_on(made: tuple[dict[str, Any], bytes, Frames]) -> None:
    moments = made[2][TITLE:]
    height, width = 288, 512

    def is_marked(frame: Any) -> bool:
        # the lower edge of the rectangle, between the gaps of a dash: yellow is not grey
        rows = slice(round(0.9 * height) - 1, round(0.9 * height) + 1)
        edge = frame[FIELD][rows, round(0.65 * width) : round(0.85 * width)].astype(int)
        yellow = (edge[..., 0] + edge[..., 1] - 2 * edge[..., 2]) > 200
        return bool(yellow.mean() > 0.3)

    marked = [number for number in range(PICTURES) if is_marked(moments[LATE + number])]
    # deleted at 1.6 s: picture 45 stands there
    assert marked == list(range(10, 45))


def test_all_sound_is_in_sync(made: tuple[dict[str, Any], bytes, Frames]) -> None:
    with av.open(io.BytesIO(made[1])) as container:
        stream = container.streams.audio[0]
        samples, first = [], None
        for frame in container.decode(stream):
            first = frame.pts * frame.time_base if first is None else first
            samples.append(np.abs(frame.to_ndarray()).max(axis=0))
    loud = np.concatenate(samples)
    onset = float(first or 0) + int(np.argmax(loud > 0.2)) / 48_000
    # Opus begins a tone up to 7 ms late
    assert onset == pytest.approx(3 + 0.1 + BEEP_AT * 0.02, abs=0.015)
    before = loud[: int((onset - 0.05 - float(first or 0)) * 48_000)]
    assert before.max() < 0.05


def test_chapters_stand_in_it(made: tuple[dict[str, Any], bytes, Frames]) -> None:
    with av.open(io.BytesIO(made[1])) as container:
        chapters = [
            (one["start"] * one["time_base"], one["metadata"]["title"]) for one in container.chapters()
        ]
        video = container.streams.video[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert "creation_time" not in container.metadata
    assert [title for _, title in chapters] == ["Beginning", "Prof. Keller asks: Clip"]
    assert float(chapters[1][0]) == pytest.approx(3 + 1.2, abs=0.002)


def test_gone_on_with_it_has_the_same_bytes(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(muxing, "PIECE", 0.4)
    options = {"height": 360, "title": False, "from": 0.2, "to": 1.4, "language": "zh"}
    whole = job(recorded, "composed", options)
    work(whole)
    expected = opened(whole, "film.mp4")

    class Killed(BaseException):
        pass

    for stop_at in (0.5, 0.96):
        broken = job(recorded, "composed", options)

        def stop(share: float, stop_at: float = stop_at) -> None:
            if share >= stop_at:
                raise Killed

        errand = Work(recorded, Path(broken["folder"]), KEY, stop)
        kind = kind_of("composed")
        with pytest.raises(Killed):
            run_kind(kind, errand, read_options(kind, errand.request()))
        # what SIGKILL leaves: something begun, under another name
        (Path(broken["folder"]) / "piece-00001.part").write_bytes(b"KONSILSF")
        work(broken)
        assert opened(broken, "film.mp4") == expected, stop_at
        assert sorted(path.name for path in Path(broken["folder"]).glob("piece*")) == []


def test_by_the_journal_it_is_the_same_film(recorded: Path, tmp_path: Path) -> None:
    """Take a recording's indices away, or damage them: what is seen and heard is the same."""
    options = {"height": 360, "title": False, "from": 0.5, "to": 1.2}
    films = []
    for change in ("", "gone", "damaged"):
        folder = Path(shutil.copytree(recorded, tmp_path / (change or "whole") / recorded.name))
        for index in folder.glob(f"*{SUFFIX}"):
            if change == "gone":
                index.unlink()
            elif change == "damaged":
                index.write_bytes(index.read_bytes()[:-1])
        assert list(folder.glob(f"*{SUFFIX}")) or change == "gone"
        asked = job(folder, "composed", options)
        work(asked)
        with av.open(io.BytesIO(opened(asked, "film.mp4"))) as container:
            films.append([frame.to_ndarray(format="gray") for frame in container.decode(video=0)])
        with av.open(io.BytesIO(opened(asked, "film.mp4"))) as container:
            films[-1].append(
                np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
            )
    by_index, *by_journal = films
    assert len(by_index) == 22
    for other in by_journal:
        assert len(other) == len(by_index)
        assert all(np.array_equal(one, two) for one, two in zip(by_index[:-1], other[:-1], strict=True))
        # laid on the picture's clock before it is cut, or after: a sample at most
        assert np.abs(by_index[-1] - other[-1]).max() < 0.1


def test_what_stands_for_hidden_words_can_be_written() -> None:
    ink, _ = written("▮", 40.0, "#ffffff")
    rows, columns = np.nonzero(ink[:, :, 3] > 128)
    # a block, where a font that lacks it would draw a frame
    whole = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1, 3]
    assert whole.mean() > 240


def test_a_range_without_anything_is_refused(recorded: Path) -> None:
    with pytest.raises(ExportError, match="neither picture nor sound"):
        work(job(recorded, "composed", {"from": 50, "to": 60}))
