"""The worker process: it comes last, is bounded, says what is wrong in a sentence, and dies with the server."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from recorder.library import JOURNAL
from tests.exporting.recordings import ROOT, job, worker


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
    asked = job(folder, "camera", {})
    if damage == "key":
        asked["key"] = bytes(32).hex()
    else:
        path = folder / ("description.json" if damage == "description" else JOURNAL)
        data = bytearray(path.read_bytes())
        place = 40 if damage == "header" else len(data) // 2
        data[place : place + 50] = bytes(50)
        path.write_bytes(data)
    status, said = worker(asked)
    if damage == "key":
        assert status == 1
        assert said[-1]["error"].endswith(".")
    if damage in ("header",):
        assert status == 1
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
    assert status == 1
    assert said[-1]["error"].endswith(".")


def test_options_that_cannot_be_are_refused(sealed_recording: Path) -> None:
    asked = job(sealed_recording, "clip", {"from": 3})
    status, said = worker(asked)
    assert (status, said[-1]) == (1, {"error": "A clip has an end: `to`, in seconds."})
