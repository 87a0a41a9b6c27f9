"""Recordings to export: real encoded media in a journal, prepared as a server prepares them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from media.plane import Codec
from recorder.export.preparing import prepare
from recorder.export.work import REQUEST
from recorder.parts import read_part, write_part
from recorder.recording import Recording
from recorder.seal.keys import DataKey
from recorder.seal.suites import suite_named
from recorder.sealing import JournalSealer, new_seal
from tests.helpers import coded
from tests.helpers.journal_media import Encoded, Sent, camera, encode, encode_sound, record, sound, video
from tests.helpers.journals import RECORDING, STARTED, header

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
    prepare(folder, key=key)
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
    errand.tidy()
    return {"files": errand.files}


def worker(asked: object, module: str = "recorder.export.job") -> tuple[int, list[dict[str, Any]]]:
    """Have a real worker process do an errand; gives its status and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", module],
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


#: Field: producer 7 from 0.1 s on, its first RTP timestamp; a face, its sound with a beep.
FIELD, SOUND, FACE = 7, 8, 9
FIELD_RTP = 1_000_000
BEEP_AT, FLASH = 50, 27
PICTURES = 60


def consultation(
    root: Path, operations: Sequence[tuple[float, dict[str, Any]]], *, key: DataKey | None = KEY
) -> Path:
    """Record two seconds of a field whose pictures bear their numbers, with a beep at 1.1 s and these operations."""
    pictures = coded.encode(Codec.H264, 320, 180, PICTURES, range(0, PICTURES, 15))
    field = [Encoded(picture.data, number) for number, picture in enumerate(pictures)]
    packets = by_time(
        video(FIELD, Codec.H264, field, timestamp=FIELD_RTP),
        sound(SOUND, encode_sound(100, BEEP_AT)),
        video(FACE, Codec.VP8, encode(Codec.VP8, 45), begin=0.5, timestamp=77_000_000, sequence=900),
    )
    head = header() if key is None else replace(header(), seal=new_seal(key))
    recording = Recording(head, "Dr. Li Wei", STARTED)
    for participant, name, role, colour in (
        ("pt-1", "Dr. Li Wei", "surgeon", "#00c3ff"),
        ("pt-2", "Prof. Keller", "expert", "#ffff00"),
    ):
        event: dict[str, Any] = {
            "kind": "participant_joined",
            "participant": participant,
            "name": name,
            "role": role,
            "colour": colour,
        }
        recording.receive_event(event, STARTED)
    for producer in (
        camera(FIELD),
        camera(SOUND, Codec.OPUS),
        camera(FACE, Codec.VP8, participant="pt-2", source="camera", label="Camera"),
    ):
        recording.add_producer(producer, STARTED)
    data, waiting = b"", list(operations)
    now = 0.0
    for packet in packets:
        now = max(now, packet.at)
        while waiting and waiting[0][0] <= now:
            at, operation = waiting.pop(0)
            if "event" in operation:
                recording.receive_event(operation["event"], STARTED + at)
            elif "pointer" in operation:
                recording.receive_pointer(operation["pointer"], STARTED + at)
            else:
                recording.receive_operation({"type": "operation", **operation}, STARTED + at)
        recording.receive_tap(packet.tap(), STARTED + now)
        data += recording.bytes_to_write(STARTED + now)
    recording.stop("Dr. Li Wei", STARTED + now + 0.1)
    data += recording.bytes_to_write(STARTED + now + 1)
    folder = root / RECORDING
    folder.mkdir(parents=True)
    (folder / "journal.kjr").write_bytes(data if key is None else JournalSealer(head, key)(data))
    prepare(folder, key=key)
    return folder


def drawn(
    sequence: int, at: float, operation: dict[str, Any], author: str = "pt-2"
) -> tuple[float, dict[str, Any]]:
    """Make an entry of the log, decided at a position."""
    names = {"pt-1": ("Dr. Li Wei", "#00c3ff"), "pt-2": ("Prof. Keller", "#ffff00")}
    name, colour = names[author]
    entry = {
        "sequence": sequence,
        "time": (STARTED + at) * 1000,
        "author": author,
        "name": name,
        "colour": colour,
    }
    return at, {**entry, "operation": operation}


def mark(
    identifier: str, shape: str, picture: int, points: Sequence[Sequence[float]], **more: Any
) -> dict[str, Any]:
    """Make an `add` of a mark on a picture of the field."""
    anchor = {"producer": FIELD, "rtp_timestamp": FIELD_RTP + picture * coded.STEP}
    body = {"mark": identifier, "shape": shape, "anchor": anchor, "points": points, "width": 0.01, "text": ""}
    return {"kind": "add", "mark": {**body, **more}}
