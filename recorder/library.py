"""The folder of recordings: `<root>/<id>/journal.kjr`, `description.json` and the containers.

Names come from links and requests, so they are checked against a pattern before they touch a path.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
from .seal.digest import sm3
from .stills import MAX_STILL
from .writer import DiskError, describe

JOURNAL = "journal.kjr"
DESCRIPTION = "description.json"

#: Media types by a container's ending; no other file of a recording is ever given out.
MEDIA_TYPES = {".mp4": "video/mp4", ".m4a": "audio/mp4", ".webm": "video/webm"}

_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}-[0-9a-f]{4,8}")
_FILE = re.compile(r"[0-9]{1,10}\.(?:mp4|m4a|webm)")
_STILL = re.compile(r"[0-9]{1,10}-[0-9]{1,10}\.png")
_TAIL = 4096  # the end record stands in a block of its own, far smaller than this


class UnknownRecording(LookupError):
    """There is no such recording, or no such file of it."""


class DamagedFile(Exception):
    """A file of a recording is not what was recorded; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class RecordingSummary:
    """One line of the list. `state`: recording, preparing (its containers are being made), complete, truncated."""

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
    """What has been recorded. Reads the disk at each call: call it in a thread."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self, recording: str) -> Path:
        """Make a new recording's folder and return its journal's path. Raises DiskError."""
        folder = self._folder(recording)
        try:
            folder.mkdir(parents=True, mode=0o750)
        except OSError as error:
            raise DiskError(describe(error)) from error
        return folder / JOURNAL

    def folder(self, recording: str) -> Path:
        """Return the folder of a recording that exists. Raises UnknownRecording."""
        folder = self._folder(recording)
        if folder.is_symlink() or not (folder / JOURNAL).is_file():
            raise UnknownRecording(f"There is no recording {recording!r}.")
        return folder

    def container(self, recording: str, name: str) -> tuple[Path, str]:
        """Return the path and the media type of a camera's container. Raises UnknownRecording."""
        path = self.folder(recording) / name if _FILE.fullmatch(name) else None
        if path is None or path.is_symlink() or not path.is_file():
            raise UnknownRecording(f"Recording {recording!r} has no file of this name.")
        return path, MEDIA_TYPES[path.suffix]

    def still(self, recording: str, name: str) -> bytes:
        """Return a frozen frame's PNG file, held against its hash. Raises UnknownRecording, DamagedFile."""
        path = self.folder(recording) / name if _STILL.fullmatch(name) else None
        listed: Any = (self.description(recording) or {}).get("stills", [])
        digest = next((still["sm3"] for still in listed if still["file"] == name), None) if path else None
        if path is None or digest is None or path.is_symlink() or not path.is_file():
            raise UnknownRecording(f"Recording {recording!r} has no file of this name.")
        with path.open("rb") as file:
            png = file.read(MAX_STILL + 1)
        if sm3(png).hex() != digest:
            raise DamagedFile("This frozen frame is not the one that was recorded: it is not shown.")
        return png

    def description(self, recording: str) -> JsonObject | None:
        """Return a recording's description, or None while it is not made yet. Raises UnknownRecording."""
        try:
            value = json.loads((self.folder(recording) / DESCRIPTION).read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:
            raise UnknownRecording(f"The description of {recording!r} cannot be read.") from None
        return value if isinstance(value, dict) else None

    def recordings(
        self, room: str | None = None, being_written: Container[str] = ()
    ) -> list[RecordingSummary]:
        """List a room's recordings (or all), newest first. What cannot be read is left out."""
        found = []
        for name in self._names():
            try:
                summary = self._summary(name, name in being_written)
            except (OSError, ValueError, LookupError, TypeError):
                continue
            if room is None or summary.room == room:
                found.append(summary)
        return sorted(found, key=lambda summary: (summary.started, summary.recording), reverse=True)

    def unfinished(self, being_written: Container[str] = ()) -> list[str]:
        """List the recordings that have no description and are not being written: to be exported, oldest first."""
        return [
            name
            for name in sorted(self._names())
            if name not in being_written and not (self.root / name / DESCRIPTION).exists()
        ]

    def _folder(self, recording: str) -> Path:
        if not _ID.fullmatch(recording):
            raise UnknownRecording("This is not the name of a recording.")
        return self.root / recording

    def _names(self) -> list[str]:
        try:
            entries = [entry.name for entry in os.scandir(self.root) if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return []
        return [name for name in entries if _ID.fullmatch(name) and (self.root / name / JOURNAL).is_file()]

    def _summary(self, name: str, being_written: bool) -> RecordingSummary:
        description = None if being_written else self.description(name)
        if description is not None:
            return _from_description(description)
        path = self.root / name / JOURNAL
        header = read_header(path)
        seconds = max(0.0, path.stat().st_mtime - header.started / 1e9)
        state = "recording" if being_written else "preparing" if has_end(path) else "truncated"
        return RecordingSummary(header.recording, header.room, header.started, seconds, state)


def read_header(path: Path) -> JournalHeader:
    """Read a journal's header. Raises JournalError, OSError."""
    with path.open("rb") as file:
        start = file.read(FILE_HEADER_SIZE)
        return JournalHeader.parse(start + file.read(header_size(start) - FILE_HEADER_SIZE))


def has_end(path: Path) -> bool:
    """Tell whether a journal's last block is there, which holds the end record alone, without reading the rest."""
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


def _from_description(description: JsonObject) -> RecordingSummary:
    cameras, operations = description["cameras"], description["operations"]
    assert isinstance(cameras, list)
    assert isinstance(operations, list)
    marks = sum(1 for operation in operations if operation["operation"]["kind"] == "add")
    return RecordingSummary(
        recording=str(description["recording"]),
        room=str(description["room"]),
        started=round(float(str(description["started"])) * 1_000_000),
        seconds=float(str(description["seconds"])),
        state=str(description["state"]),
        cameras=sum(1 for camera in cameras if camera["source"] != "microphone"),
        marks=marks,
    )
