"""The worker process: it comes last, is bounded, says what is wrong in a sentence, and dies with the server."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from recorder.export.work import REQUEST
from recorder.library import JOURNAL
from tests.exporting.recordings import ROOT, job, worker
from tests.helpers.disks import small_disk


async def test_it_takes_what_the_live_rooms_leave() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "recorder.export.job"),
        cwd=ROOT,
        start_new_session=True,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        asked = {
            "memory_mb": 700,
            "cpu_seconds": 77,
            "suite": None,
            "recording": "",
            "folder": "",
            "kind": "?",
        }
        # it yields before it reads a word: by its first answer all of it is done
        process.stdin.write(json.dumps(asked).encode())
        process.stdin.close()
        async with asyncio.timeout(30):
            status, said = await process.wait(), await process.stdout.read()
    finally:
        if process.returncode is None:
            process.kill()
    assert status == 1
    assert "not told what to do" in json.loads(said)["error"]


_LOOK = """
import ctypes, json, os, platform, resource, signal, sys
from recorder.export import worker
worker.yield_to_others(15)
worker.bound(700 << 20, 77)
number = {"x86_64": 252, "aarch64": 31}.get(platform.machine())
disk = ctypes.CDLL(None).syscall(number, 1, 0) >> 13 if number else 3
ends_with = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(ends_with))
limits = [resource.getrlimit(what)[0] for what in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_CORE)]
print(json.dumps([os.nice(0), disk, ends_with.value, limits]))
"""


async def test_its_bounds_hold() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _LOOK, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        said, _ = await process.communicate()
    nice, disk, ends_with, limits = json.loads(said)
    assert nice >= 15
    assert disk == 3  # the idle class
    assert ends_with == signal.SIGKILL
    assert limits == [700 << 20, 77, 0]


@pytest.mark.parametrize("damage", ["header", "middle", "description", "key"])
def test_a_hostile_recording_is_refused_in_a_sentence(recording_copy: Path, damage: str) -> None:
    folder = recording_copy
    # a film of a camera needs no description
    asked = job(folder, "captions" if damage == "description" else "camera", {})
    if damage == "key":
        asked["key"] = bytes(32).hex()
    else:
        path = folder / ("description.json" if damage == "description" else JOURNAL)
        data = bytearray(path.read_bytes())
        place = 40 if damage == "header" else len(data) // 2
        data[place : place + 50] = bytes(50)
        path.write_bytes(data)
    status, said = worker(asked)
    if damage in ("key", "header", "description"):
        assert (status, said[-1]["code"]) == (1, "damaged")
        assert said[-1]["error"].endswith(".")
    if status == 0:
        # half a second is missing, and what is there is whole
        assert said[-1]["files"]
    names = {path.name for path in Path(asked["folder"]).iterdir()}
    assert not [name for name in names if name.endswith(".part")]


def test_it_is_told_when_its_time_is_over(sealed_recording: Path) -> None:
    asked = job(sealed_recording, "composed", {"height": 2160})
    status, said = worker({**asked, "cpu_seconds": 1})
    # the server tells this from a worker that somebody killed: it is not begun again
    assert status == -signal.SIGXCPU
    assert [line for line in said if "files" in line or "error" in line] == []


def test_it_says_when_its_memory_is_over(sealed_recording: Path) -> None:
    asked = job(sealed_recording, "camera", {})
    status, said = worker({**asked, "memory_mb": 300})
    assert (status, said[-1]["code"]) == (1, "out_of_memory")
    assert said[-1]["error"].endswith(".")


@pytest.mark.parametrize("kind", ["camera", "composed", "captions", "teaching"])
def test_it_says_that_the_disk_is_full(sealed_recording: Path, tmp_path: Path, kind: str) -> None:
    with small_disk(tmp_path, 1) as disk:
        asked = job(sealed_recording, kind, {})
        place = disk.folder / "e-1"
        shutil.move(asked["folder"], place)
        disk.fill()
        status, said = worker({**asked, "folder": str(place)})
        left = sorted(path.name for path in place.iterdir())
    assert (status, said[-1]["code"]) == (1, "disk_full")
    assert left == [REQUEST]


ON_A_FACE = {"producer": 9, "x": 0, "y": 0, "width": 1, "height": 1}
IN_VAIN: list[tuple[str, dict[str, Any], str]] = [
    ("camera", {"producers": [99]}, "no_such_camera"),
    ("composed", {"producers": [99]}, "no_such_camera"),
    ("clip", {"from": 500, "to": 510}, "nothing_in_range"),
    ("composed", {"from": 500, "to": 510}, "nothing_in_range"),
    ("teaching", {"view": "camera", "from": 500, "to": 510}, "no_picture"),
    ("teaching", {"view": "camera", "masks": [ON_A_FACE]}, "masks_elsewhere"),
]


@pytest.mark.parametrize(("kind", "options", "code"), IN_VAIN)
def test_it_says_what_the_recording_does_not_have(
    sealed_recording: Path, kind: str, options: dict[str, Any], code: str
) -> None:
    status, said = worker(job(sealed_recording, kind, options))
    assert (status, said[-1]["code"]) == (1, code)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("camera", {}),
        ("composed", {"from": 0, "to": 1, "height": 360}),
        ("teaching", {"view": "camera", "height": 360}),
    ],
)
def test_it_says_when_damage_leaves_nothing(
    recording_copy: Path, kind: str, options: dict[str, object]
) -> None:
    journal = bytearray((recording_copy / JOURNAL).read_bytes())
    journal[2000::500] = bytes(byte ^ 0xFF for byte in journal[2000::500])
    (recording_copy / JOURNAL).write_bytes(journal)
    status, said = worker(job(recording_copy, kind, options))
    assert (status, said[-1]["code"]) == (1, "damaged")


def test_a_film_of_a_recording_that_is_not_there_is_told_so(recording_copy: Path) -> None:
    asked = job(recording_copy, "camera", {})
    (recording_copy / JOURNAL).unlink()
    status, said = worker(asked)
    assert (status, said[-1]["code"]) == (1, "missing")


def test_options_that_cannot_be_are_refused(sealed_recording: Path) -> None:
    asked = job(sealed_recording, "clip", {"from": 3})
    status, said = worker(asked)
    assert (status, said[-1]) == (1, {"error": "A clip has an end: `to`, in seconds.", "code": "bad_request"})
