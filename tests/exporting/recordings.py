"""Recordings to export: real encoded media in a journal, prepared as a server prepares them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from media.plane import Codec
from recorder.export.remux import export
from recorder.export.work import REQUEST
from recorder.parts import read_part, write_part
from recorder.seal.keys import DataKey
from recorder.seal.suites import suite_named
from tests.helpers.journal_media import Sent, camera, encode, encode_sound, record, sound, video
from tests.helpers.journals import RECORDING

ROOT = Path(__file__).parents[2]

#: A key that all of these recordings are sealed with.
KEY = DataKey(suite_named("AES-256-GCM-SHA256"), bytes(range(32)))


def by_time(*streams: list[Sent]) -> list[Sent]:
    """Mix streams as they arrive."""
    return sorted((packet for stream in streams for packet in stream), key=lambda packet: packet.at)


def two_cameras(root: Path, *, key: DataKey | None = KEY, frames: int = 90) -> Path:
    """Record a field in H.264 with its sound, a face in VP8, and prepare it; a key frame each ten pictures."""
    packets = by_time(
        video(7, Codec.H264, encode(Codec.H264, frames)),
        sound(8, encode_sound(frames * 5 // 3)),
        video(9, Codec.VP8, encode(Codec.VP8, frames), begin=0.4, timestamp=77_000_000, sequence=900),
    )
    producers = [
        camera(7),
        camera(8, Codec.OPUS),
        camera(9, Codec.VP8, participant="pt-2", source="camera", label="Camera"),
    ]
    folder = record(root / RECORDING, producers, packets, sealed_with=key)
    export(folder, key=key)
    return folder


def job(folder: Path, kind: str, options: dict[str, Any], key: DataKey | None = KEY) -> dict[str, Any]:
    """Lay an export down as the server does; gives what the worker is told."""
    place = folder.parent / "exports" / f"e-{os.urandom(8).hex()}"
    place.mkdir(parents=True)
    write_part(place / REQUEST, json.dumps(options).encode(), key)
    return {
        "kind": kind,
        "recording": str(folder),
        "folder": str(place),
        "suite": key.suite.name if key else None,
        "key": key.key.hex() if key else None,
        "memory_mb": 4096,
        "cpu_seconds": 600,
    }


def work(asked: dict[str, Any], key: DataKey | None = KEY) -> dict[str, Any]:
    """Do an export in this process, without the worker's limits; gives what it would have said last."""
    from recorder.export.kinds import kind_of, read_options, run_kind
    from recorder.export.work import Work

    errand = Work(Path(asked["recording"]), Path(asked["folder"]), key)
    kind = kind_of(asked["kind"])
    run_kind(kind, errand, read_options(kind, errand.request()))
    return {"files": errand.files}


def worker(asked: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
    """Have a real worker process do an export; gives its status and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "recorder.export.job"],
        input=json.dumps(asked).encode(),
        stdout=subprocess.PIPE,
        cwd=ROOT,
        timeout=120,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def opened(asked: dict[str, Any], name: str, key: DataKey | None = KEY) -> bytes:
    """Read a file that an export made."""
    return read_part(Path(asked["folder"]) / name, key, 1 << 30)
