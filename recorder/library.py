"""The folder of recordings: `<root>/<id>/journal.kjr`, `description.json` and the containers.

Names come from links and requests, so they are checked against a pattern before they touch a path.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections import OrderedDict
from collections.abc import Container
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .audience import Audiences
from .journal import (
    BLOCK_HEADER_SIZE,
    FILE_HEADER_SIZE,
    LAST,
    BlockHeader,
    JournalError,
    JournalHeader,
    JsonObject,
    header_size,
)
from .manifest import MANIFEST
from .moved import MOVED
from .parts import read_part
from .seal import keys
from .seal.digest import sm3
from .seal.keys import DataKey
from .seal.suites import NoKeyError, SealError
from .stills import MAX_STILL
from .tombstone import TOMBSTONE
from .volumes import is_being_written, volumes_of
from .writer import DiskError, describe

JOURNAL = "journal.kjr"
DESCRIPTION = "description.json"
SUMMARY = "summary.json"

#: Media types by a container's ending; no other file of a recording is ever given out.
MEDIA_TYPES = {".mp4": "video/mp4", ".m4a": "audio/mp4", ".webm": "video/webm"}

_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}-[0-9a-f]{4,8}")
_STILL = re.compile(r"[0-9]{1,10}-[0-9]{1,10}\.png")
_KEYS = 64
_MAX_DESCRIPTION = 1 << 30
_TAIL = 4096  # the end record stands in a block of its own, far smaller than this


class UnknownRecording(LookupError):
    """There is no such recording, or no such file of it."""


class MovedRecording(UnknownRecording):
    """The recording lies in the second place; nothing of it can be opened until it is fetched back."""


class DamagedFile(Exception):
    """A file of a recording is not what was recorded; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class RecordingSummary:
    """One line of the list. `state`: recording, preparing (its containers are being made), complete, truncated, moved
    (to the second place)."""

    recording: str
    room: str
    started: int  # Unix ns
    seconds: float
    state: str
    cameras: int = 0
    marks: int = 0


def recording_id(started: int, room: str, suffix: str) -> str:
    """Name a recording by its start (Unix ns, in UTC), room and 4 to 8 random hexadecimal digits."""
    moment = datetime.fromtimestamp(started // 1_000_000_000, UTC)
    name = f"{moment:%Y%m%d-%H%M%S}-{room}-{suffix}"
    if not _ID.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a recording.")
    return name


class Library:
    """What has been recorded. Reads the disk at each call: call it in a thread.

    `private` is the hospital's SM2 key pair, without which sealed recordings are listed and not opened.
    """

    def __init__(self, root: Path, private: Path | None = None) -> None:
        self.root = root
        self._private = private
        self._keys: OrderedDict[str, DataKey] = OrderedDict()
        self._audiences: OrderedDict[str, tuple[int, Audiences]] = OrderedDict()

    def create(self, recording: str) -> Path:
        """Make a new recording's folder and return its journal's path. Raises DiskError."""
        folder = self._folder(recording)
        try:
            folder.mkdir(parents=True, mode=0o750)
        except OSError as error:
            raise DiskError(describe(error)) from error
        return folder / JOURNAL

    def folder(self, recording: str) -> Path:
        """Return the folder of a recording that exists and is here. Raises UnknownRecording, MovedRecording."""
        folder = self.place(recording)
        if (folder / MOVED).exists():
            raise MovedRecording("This recording is kept in another place: it has to be fetched back first.")
        return folder

    def place(self, recording: str) -> Path:
        """Return the folder of a recording, even if its parts have been moved out. Raises UnknownRecording."""
        folder = self._folder(recording)
        if folder.is_symlink() or not _is_recording(folder):
            raise UnknownRecording(f"There is no recording {recording!r}.")
        return folder

    def room_of_moved(self, recording: str) -> str:
        """Say of which room a recording is whose journal was moved out. Raises UnknownRecording."""
        try:
            return self._summary(recording, being_written=False).room
        except (OSError, ValueError, LookupError, TypeError):
            raise UnknownRecording(f"There is no recording {recording!r}.") from None

    def key(self, recording: str) -> DataKey | None:
        """Give the key of a sealed recording, None of one that is not sealed. Raises SealError, OSError."""
        folder = self.folder(recording)
        return None if read_header(folder / JOURNAL).seal is None else self._unwrapped(recording, folder)

    def key_of_moved(self, recording: str) -> DataKey | None:
        """Give the same of a recording whose parts may have been moved out: its key stays here."""
        folder = self.place(recording)
        if not (folder / MOVED).exists():
            return self.key(recording)
        return None if keys.read(folder) is None else self._unwrapped(recording, folder)

    def _unwrapped(self, recording: str, folder: Path) -> DataKey:
        if (wrapped := keys.read(folder)) is None:
            self._keys.pop(recording, None)
            raise NoKeyError("The key of this recording has been destroyed.")
        if (known := self._keys.get(recording)) is not None:
            return known
        if self._private is None:
            raise NoKeyError("The recording is sealed, and this server has no key to open it.")
        key = wrapped.open(self._private)
        self.remember(recording, key)
        return key

    def forget(self, recording: str) -> None:
        """Let go of an opened key."""
        self._keys.pop(recording, None)

    def remember(self, recording: str, key: DataKey) -> None:
        """Keep an opened key, the newest few: unwrapping takes 20 ms."""
        self._keys[recording] = key
        if len(self._keys) > _KEYS:
            self._keys.popitem(last=False)

    def still(self, recording: str, name: str) -> bytes:
        """Return a frozen frame's PNG file, held against its hash. Raises UnknownRecording, DamagedFile."""
        path = self.folder(recording) / name if _STILL.fullmatch(name) else None
        listed: Any = (self.description(recording) or {}).get("stills", [])
        digest = next((still["sm3"] for still in listed if still["file"] == name), None) if path else None
        if path is None or digest is None or path.is_symlink() or not path.is_file():
            raise UnknownRecording(f"Recording {recording!r} has no file of this name.")
        key = self.key(recording)
        with contextlib.suppress(SealError):
            png = read_part(path, key, MAX_STILL)
            if sm3(png).hex() == digest:
                return png
        raise DamagedFile("This frozen frame is not the one that was recorded: it is not shown.")

    def description(self, recording: str) -> JsonObject | None:
        """Return a recording's description, or None while it is not made yet. Raises UnknownRecording, SealError."""
        try:
            value = json.loads(
                read_part(self.folder(recording) / DESCRIPTION, self.key(recording), _MAX_DESCRIPTION)
            )
        except FileNotFoundError:
            return None
        except json.JSONDecodeError:
            raise UnknownRecording(f"The description of {recording!r} cannot be read.") from None
        return value if isinstance(value, dict) else None

    def audiences(self, recording: str) -> Audiences:
        """Tell who may see which picture of a prepared recording.

        Raises UnknownRecording, SealError, FileNotFoundError.
        """
        stamp = (self.folder(recording) / DESCRIPTION).stat().st_mtime_ns
        known = self._audiences.get(recording)
        if known is None or known[0] != stamp:
            events: Any = (self.description(recording) or {}).get("events", [])
            known = self._audiences[recording] = stamp, Audiences(recording, events)
            if len(self._audiences) > _KEYS:
                self._audiences.popitem(last=False)
        return known[1]

    def recordings(
        self, room: str | None = None, being_written: Container[str] = ()
    ) -> list[RecordingSummary]:
        """List a room's recordings (or all), newest first. What cannot be read is left out."""
        found = []
        for name in self.names():
            try:
                summary = self._summary(name, name in being_written)
            except (OSError, ValueError, LookupError, TypeError):
                continue
            if room is None or summary.room == room:
                found.append(summary)
        return sorted(found, key=lambda summary: (summary.started, summary.recording), reverse=True)

    def unfinished(self, being_written: Container[str] = ()) -> list[str]:
        """List the recordings without a manifest that are not being written: to be finished, oldest first."""
        return [
            name
            for name in sorted(self.names())
            if name not in being_written
            and not (self.root / name / MANIFEST).exists()
            and not is_being_written(self.root / name / JOURNAL)
        ]

    def _folder(self, recording: str) -> Path:
        if not _ID.fullmatch(recording):
            raise UnknownRecording("This is not the name of a recording.")
        return self.root / recording

    def names(self) -> list[str]:
        """Name every recording, in no order."""
        try:
            entries = [entry.name for entry in os.scandir(self.root) if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return []
        return [name for name in entries if _ID.fullmatch(name) and _is_recording(self.root / name)]

    def deleted(self) -> list[str]:
        """Name the recordings of which a tombstone alone is left, or soon will be."""
        return [
            path.parent.name for path in self.root.glob(f"*/{TOMBSTONE}") if _ID.fullmatch(path.parent.name)
        ]

    def _summary(self, name: str, being_written: bool) -> RecordingSummary:
        path = self.root / name / JOURNAL
        if not being_written:
            with contextlib.suppress(FileNotFoundError):
                summary = _summary_of(json.loads((path.parent / SUMMARY).read_bytes()))
                return replace(summary, state="moved") if (path.parent / MOVED).exists() else summary
        header = read_header(path)
        last = volumes_of(path)[-1]
        seconds = max(0.0, last.stat().st_mtime - header.started / 1e9)
        state = "recording" if being_written else "preparing" if has_end(last) else "truncated"
        return RecordingSummary(header.recording, header.room, header.started, seconds, state)


def _is_recording(folder: Path) -> bool:
    there = (folder / JOURNAL).is_file() or (folder / MOVED).is_file()
    return there and not (folder / TOMBSTONE).exists()


def read_header(path: Path) -> JournalHeader:
    """Read a journal's header. Raises JournalError, OSError."""
    with path.open("rb") as file:
        start = file.read(FILE_HEADER_SIZE)
        return JournalHeader.parse(start + file.read(header_size(start) - FILE_HEADER_SIZE))


def has_end(path: Path) -> bool:
    """Tell whether this volume ends with the last block, which holds the end record alone, without reading the rest."""
    with path.open("rb") as file:
        file.seek(-min(_TAIL, file.seek(0, os.SEEK_END)), os.SEEK_END)
        tail = file.read()
    for start in range(len(tail) - BLOCK_HEADER_SIZE, -1, -1):
        try:
            block = BlockHeader.parse(tail[start : start + BLOCK_HEADER_SIZE])
        except JournalError:
            continue
        return bool(block.flags & LAST) and len(tail) - start == BLOCK_HEADER_SIZE + block.length
    return False


def summarise(description: JsonObject) -> JsonObject:
    """Take from a description what a list shows: this lies beside a sealed recording and is not sealed."""
    cameras, operations = description["cameras"], description["operations"]
    assert isinstance(cameras, list)
    assert isinstance(operations, list)
    return {
        **{name: description[name] for name in ("recording", "room", "started", "seconds", "state")},
        "cameras": sum(1 for camera in cameras if camera["source"] != "microphone"),
        "marks": sum(1 for operation in operations if operation["operation"]["kind"] == "add"),
    }


def _summary_of(fields: JsonObject) -> RecordingSummary:
    return RecordingSummary(
        recording=str(fields["recording"]),
        room=str(fields["room"]),
        started=round(float(str(fields["started"])) * 1_000_000),
        seconds=float(str(fields["seconds"])),
        state=str(fields["state"]),
        cameras=int(str(fields["cameras"])),
        marks=int(str(fields["marks"])),
    )
