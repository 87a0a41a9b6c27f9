"""A recording of hours to replay: a 4K field of real pictures with barcodes, as a room's recorder would have left it.

The pictures are encoded once and repeated; their packets go through `Recording`, `JournalSealer` and the disk thread,
faster than they would come. It is kept below `build/replay`, since two hours take as long to make as to write.
"""

from __future__ import annotations

import json
import random
import shutil
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from media.ids import ProducerId
from media.plane import Codec
from media.rtp.ntp import ntp_from_unix
from recorder.export.preparing import prepare
from recorder.journal import JournalHeader, nanoseconds
from recorder.library import Library, recording_id
from recorder.manifest import MANIFEST
from recorder.recording import RecordedProducer, Recording
from recorder.seal import keys, sm2
from recorder.seal.keys import DataKey
from recorder.seal.suites import SM4
from recorder.sealing import JournalSealer, new_seal
from recorder.segments.preview import SUFFIX as PREVIEW
from recorder.signing import sign_recording
from recorder.volumes import VolumePlan
from recorder.writer import DiskWriter

from .field import H264_FMTP, PAYLOAD
from .following import ROOT, payloads_of
from .server_process import ROOM

FOLDER: Final = ROOT / "build" / "replay"
PRODUCER: Final = ProducerId(7)
#: A microphone that is silent: a replay waits for sound and picture alike.
SOUND: Final = ProducerId(8)
#: Of the first picture: timestamps come round after 55 minutes.
FIRST_TIMESTAMP: Final = (1 << 32) - 55 * 60 * 90_000
#: As the server looks at the tap (server/tap.py).
INTERVAL = 0.1
#: As senders do, about.
REPORT_EACH = 5.0
#: Bytes that may wait for the disk: far below what a recorder would leave out.
_AHEAD = 16 << 20
#: As `[recordings] volume_mb` is, if nobody says otherwise.
_VOLUME = 4096 << 20
#: Seconds that a disk may take for one helping.
_PATIENCE = 60.0
#: What a clip holds: its pictures are repeated after so long, or after one distance of key frames.
_CLIP_S = 10
#: Of the worker that makes the preview.
_LIMITS: Final = {"memory_mb": 4096, "cpu_seconds": 24 * 3600}

_TAP: Final = struct.Struct("!IIQQ")
_RTP: Final = struct.Struct("!BBHII")
#: Twenty milliseconds of silence (RFC 6716): fullband CELT, mono.
_SILENCE: Final = b"\xf8\xff\xfe"
_SOUND_S: Final = 0.02

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is recorded: hours, bit/s, frames a second, and seconds from one key frame to the next."""

    hours: float = 2.0
    bitrate: int = 20_000_000
    fps: int = 30
    key_frame_s: int = 10

    @property
    def name(self) -> str:
        """Name its folder."""
        return f"{self.hours:g}h-{self.bitrate / 1e6:g}M-{self.fps}fps-{self.key_frame_s}s"

    @property
    def bytes(self) -> float:
        """Tell about how large it becomes."""
        return self.hours * 3600 * self.bitrate / 8 * 1.03

    @property
    def clip_frames(self) -> int:
        """After so many pictures the first one comes again."""
        return max(1, _CLIP_S // self.key_frame_s) * self.key_frame_s * self.fps

    @property
    def frames(self) -> int:
        """Count its pictures."""
        return round(self.hours * 3600 * self.fps)

    def timestamp(self, number: int) -> int:
        """Name a picture by its RTP timestamp."""
        return (FIRST_TIMESTAMP + number * 90_000 // self.fps) % (1 << 32)


@dataclass(frozen=True, slots=True)
class Made:
    """Where a recording lies: `archive` holds recordings and keys, as a server is told."""

    wanted: Wanted
    archive: Path
    recording: str

    @property
    def folder(self) -> Path:
        """Its own folder."""
        return self.archive / "recordings" / self.recording

    @property
    def library(self) -> Library:
        """Open the archive."""
        return Library(self.archive / "recordings", self.archive / "keys" / "archive.pem")


def ensure_recording(
    wanted: Wanted,
    progress: Progress = lambda *_: None,
    folder: Path = FOLDER,
    pictures: Callable[[Wanted, Path], Sequence[Sequence[bytes]]] | None = None,
) -> Made:
    """Give the recording with its preview, made first where there is none; what was not finished is made anew.

    `pictures` gives what is repeated, as payloads; if not given, the demo's 4K clip. `progress` is told what is done
    and how far, 0-1. Raise RuntimeError when the disk is too small.
    """
    archive = folder / wanted.name
    for manifest in archive.glob(f"recordings/*/{MANIFEST}"):
        return _with_preview(Made(wanted, archive, manifest.parent.name), progress)
    shutil.rmtree(archive, ignore_errors=True)
    archive.mkdir(parents=True)
    if (free := shutil.disk_usage(archive).free) < wanted.bytes * 1.1 + (1 << 30):
        raise RuntimeError(f"The recording takes {wanted.bytes / 1e9:.1f} GB, and {free / 1e9:.1f} are free.")
    return _with_preview(_make(wanted, archive, (pictures or encoded)(wanted, folder), progress), progress)


def _with_preview(made: Made, progress: Progress) -> Made:
    """Have a server's worker make the preview where it is missing. Raise RuntimeError where it cannot."""
    if (made.folder / f"{PRODUCER}{PREVIEW}").exists():
        return made
    key = made.library.key(made.recording)
    assert key is not None
    asked = {"recording": str(made.folder), "suite": key.suite.name, "key": key.key.hex(), **_LIMITS}
    said: dict[str, Any] = {}
    command = [sys.executable, "-m", "recorder.export.previews"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(json.dumps(asked).encode())
        worker.stdin.close()
        for line in worker.stdout:
            said = json.loads(line)
            if "progress" in said:
                progress("making the preview", said["progress"])
    if not said.get("files"):
        raise RuntimeError(said.get("error") or "The preview could not be made.")
    return made


def encoded(wanted: Wanted, folder: Path) -> Sequence[Sequence[bytes]]:
    """Encode the pictures, where they are not there yet, and give their payloads."""
    path = folder / f"clip-{wanted.bitrate / 1e6:g}M-{wanted.fps}fps-{wanted.key_frame_s}s.mp4"
    command = [
        sys.executable, "-m", "server.demo.clip_units", str(path), "--rate", str(wanted.fps),
        "--seconds", str(wanted.clip_frames // wanted.fps), "--bitrate", str(wanted.bitrate),
        "--key-frame-every", str(wanted.key_frame_s * wanted.fps),
    ]  # fmt: skip
    data = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    return payloads_of(data, PAYLOAD)


def helpings(wanted: Wanted, clip: Sequence[Sequence[bytes]], started: int) -> Iterator[tuple[float, bytes]]:
    """Give what the tap would, helping by helping: seconds after the beginning, and tap records.

    `started`: Unix ns. A picture's packets come one after the other within half of its time.
    """
    chance = random.Random(1)
    sequence = chance.randrange(1 << 16)
    upto, helping, spoken = INTERVAL, bytearray(), 0
    for number in range(wanted.frames):
        at = number / wanted.fps
        while at >= upto:
            yield upto, bytes(helping)
            helping.clear()
            upto += INTERVAL
        while spoken * _SOUND_S <= at:
            arrival = started + round(spoken * _SOUND_S * 1e9)
            helping += _TAP.pack(20 + 12 + len(_SILENCE), SOUND, arrival, 65536 + spoken)
            helping += _RTP.pack(0x80, 111, spoken & 0xFFFF, spoken * 960, 0x5678) + _SILENCE
            spoken += 1
        payloads = clip[number % len(clip)]
        timestamp = wanted.timestamp(number)
        apart = 5e8 / wanted.fps / len(payloads)
        for place, payload in enumerate(payloads):
            marker = 0x80 if place == len(payloads) - 1 else 0
            arrival = started + round(at * 1e9 + place * apart)
            helping += _TAP.pack(20 + 12 + len(payload), PRODUCER, arrival, 65536 + sequence)
            helping += _RTP.pack(0x80, marker | 96, sequence & 0xFFFF, timestamp, 0x1234)
            helping += payload
            sequence += 1
    yield wanted.frames / wanted.fps, bytes(helping)


def _make(wanted: Wanted, archive: Path, clip: Sequence[Sequence[bytes]], progress: Progress) -> Made:
    public = {}
    for name in ("archive", "signing"):
        pair = archive / "keys" / f"{name}.pem"
        pair.parent.mkdir(exist_ok=True)
        sm2.generate(pair)
        public[name] = pair.with_suffix(".public.pem")
        public[name].write_bytes(sm2.public_of(pair))
    # it ended a minute ago
    begun = time.time() - wanted.hours * 3600 - 60
    recording = recording_id(nanoseconds(begun), ROOM, "4b4b")
    journal = Library(archive / "recordings").create(recording)
    key = DataKey.random(SM4)
    keys.write(journal.parent, keys.wrap(recording, key, [public["archive"]]))
    header = JournalHeader(recording, ROOM, nanoseconds(begun), seal=new_seal(key))
    _record(wanted, clip, header, key, journal, begun, progress)
    prepare(journal.parent, lambda share: progress("preparing", share), key)
    sign_recording(journal.parent, archive / "keys" / "signing.pem", time.time())
    return Made(wanted, archive, recording)


def _record(
    wanted: Wanted,
    clip: Sequence[Sequence[bytes]],
    header: JournalHeader,
    key: DataKey,
    journal: Path,
    begun: float,
    progress: Progress,
) -> None:
    recorder = Recording(header, "Dr. Load", begun)
    who = {"participant": "pt-1", "name": "Dr. Load", "role": "surgeon", "colour": "#4cc2ff"}
    recorder.receive_event({"kind": "participant_joined", **who}, begun)
    field = RecordedProducer(
        PRODUCER, "pt-1", "field", Codec.H264, "Operating field", 90_000, 96, fmtp=H264_FMTP
    )
    recorder.add_producer(field, begun)
    microphone = RecordedProducer(SOUND, "pt-1", "microphone", Codec.OPUS, "", 48_000, 111)
    recorder.add_producer(microphone, begun)
    room = threading.Semaphore(0)
    plan = VolumePlan(_VOLUME, header)
    writer = DiskWriter(journal, room.release, encode=JournalSealer(header, key), plan=plan)
    taken, reported = 0, 0.0
    try:
        for at, helping in helpings(wanted, clip, header.started):
            now = begun + at
            recorder.receive_tap(helping, now)
            if at >= reported:
                arrival = nanoseconds(now)
                for producer, first, rate in ((PRODUCER, FIRST_TIMESTAMP, 90_000), (SOUND, 0, 48_000)):
                    timestamp = (first + round(at * rate)) % (1 << 32)
                    recorder.receive_sender_report(producer, ntp_from_unix(arrival), timestamp, arrival, now)
                reported += REPORT_EACH
                progress("recording", at / (wanted.hours * 3600))
            writer.write(recorder.bytes_to_write(now))
            deadline = time.monotonic() + _PATIENCE
            while writer.backlog > _AHEAD and writer.failure is None and time.monotonic() < deadline:
                room.acquire(timeout=1.0)
            recorder.receive_written(writer.taken - taken)
            taken = writer.taken
            if recorder.packets_left_out or writer.failure is not None:
                raise RuntimeError(
                    writer.failure or "The disk did not follow: a recording with holes is of no use."
                )
        now = begun + wanted.hours * 3600
        recorder.stop("Dr. Load", now)
        writer.write(recorder.bytes_to_write(now + 1))
    finally:
        writer.close()
        if not writer.join(_PATIENCE) or writer.failure is not None:
            raise RuntimeError(writer.failure or "The disk takes too long.")
    progress("recording", 1.0)
