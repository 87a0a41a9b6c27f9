"""A camera's own film and clips of it: what was sent, from a key frame on, with its sound."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest

from recorder.export.kinds import ExportError
from tests.exporting.recordings import KEY, job, opened, two_cameras, work, worker


def times(data: bytes, kind: str) -> list[float]:
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.get({kind: 0})[0]
        return [float(p.pts * p.time_base) for p in container.demux(stream) if p.pts is not None]


def test_every_camera_becomes_a_film_with_its_sound(sealed_recording: Path) -> None:
    asked = job(sealed_recording, "camera", {})
    status, said = worker(asked)
    assert status == 0
    shares = [line["progress"] for line in said if "progress" in line]
    assert shares == sorted(shares)
    files = {file["name"]: file for file in said[-1]["files"]}
    assert list(files) == ["field-7.mp4", "camera-9.webm"]
    field = opened(asked, "field-7.mp4")
    assert len(field) == files["field-7.mp4"]["bytes"]
    assert files["field-7.mp4"]["type"] == "video/mp4"
    assert times(field, "video") == pytest.approx([n / 30 for n in range(90)], abs=1e-4)
    assert len(times(field, "audio")) == 150
    assert len(times(opened(asked, "camera-9.webm"), "video")) == 90
    # nothing of it lies open on the disk
    for path in Path(asked["folder"]).iterdir():
        assert path.read_bytes().startswith(b"KONSILSF")


def test_a_clip_begins_at_the_key_frame_before_and_says_so(sealed_recording: Path) -> None:
    folder = sealed_recording
    asked = job(folder, "clip", {"from": 0.9, "to": 1.6, "producers": [7]})
    (file,) = work(asked)["files"]
    # pictures begin at 0.1 s, a key frame every third of a second: that at 0.7667 s is the last before
    assert file["from"] == pytest.approx(0.1 + 20 / 30, abs=1e-3)
    assert file["to"] == pytest.approx(1.6)
    clip = opened(asked, "field-7.mp4")
    assert times(clip, "video") == pytest.approx([n / 30 for n in range(26)], abs=1e-4)
    whole = job(folder, "camera", {"producers": [7]})
    work(whole)
    with av.open(io.BytesIO(opened(whole, "field-7.mp4"))) as container:
        pictures = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    with av.open(io.BytesIO(clip)) as container:
        cut = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert all(np.array_equal(one, other) for one, other in zip(cut, pictures[20:46], strict=True))
    heard = times(clip, "audio")
    assert heard[0] == pytest.approx(0.0, abs=0.021)
    assert heard[-1] == pytest.approx(1.6 - file["from"], abs=0.03)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"producers": [99]}, "no such camera"),
        ({"from": 50, "to": 60}, "neither picture nor sound"),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(
    sealed_recording: Path, options: dict[str, object], words: str
) -> None:
    with pytest.raises(ExportError, match=words):
        work(job(sealed_recording, "camera", options))


def test_without_sound_there_is_none(tmp_path: Path) -> None:
    asked = job(two_cameras(tmp_path, key=None), "camera", {"sound": False, "producers": [7]}, None)
    work(asked, None)
    with av.open(io.BytesIO(opened(asked, "field-7.mp4", None))) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_what_is_whole_is_not_made_again(sealed_recording: Path) -> None:
    asked = job(sealed_recording, "camera", {})
    first = work(asked)
    folder = Path(asked["folder"])
    kept = (folder / "field-7.mp4").read_bytes()
    unbroken = opened(asked, "camera-9.webm")
    # killed while the second film was being written: what is there of it has another name
    (folder / "camera-9.webm").rename(folder / "camera-9.webm.part")
    assert work(asked) == first
    assert (folder / "field-7.mp4").read_bytes() == kept
    assert opened(asked, "camera-9.webm") == unbroken
    assert not (folder / "camera-9.webm.part").exists()
    assert KEY.key not in kept
