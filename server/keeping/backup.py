"""A backup of what the recordings are known by: the database, and of each recording its wrapped key, its signed
manifest and its line of the list. The recordings themselves lie in the second place, from where a server that was
restored fetches them when they are replayed.

The hospital's own keys (`[seal]`, `[secrets]`) are not in it: without them a backup that is lost opens nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from recorder.library import SUMMARY, Library
from recorder.manifest import MANIFEST, SIGNATURE, Manifest, Part, hash_file
from recorder.moved import STAYS_HERE, note_moved
from recorder.seal import sm2
from recorder.seal.keys import KEY_FILE
from recorder.signing import LAST
from recorder.tombstone import STAYS, TOMBSTONE

DATABASE = "konsil.sqlite3"
LIST = "backup.json"
LIST_SIGNATURE = "backup.sig"

_VERSION = 1
_MAX_LIST = 256 << 20
#: What is taken of a recording's folder.
_TAKEN = (SUMMARY, MANIFEST, SIGNATURE, KEY_FILE, *sorted(STAYS - {MANIFEST, SIGNATURE}))


class BackupError(Exception):
    """It cannot be backed up or restored so; the text is a sentence."""


def make_backup(folder: Path, database: Path, library: Library, signing: Path, now: float) -> int:
    """Write a backup into a new folder, beside a running server; gives how many recordings it names.

    Raises BackupError, sqlite3.Error, SealError, OSError.
    """
    try:
        folder.mkdir(parents=True, mode=0o700)
    except FileExistsError:
        raise BackupError(f"{folder} is there already: a backup has a folder of its own.") from None
    with (
        closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(folder / DATABASE)) as target,
    ):
        source.backup(target)
    (folder / DATABASE).chmod(0o600)
    taken = [hash_file(folder / DATABASE)]
    names = sorted({*library.names(), *library.deleted()})
    for name in names:
        (folder / "recordings" / name).mkdir(parents=True)
        taken += [
            _take(library.root / name / file, folder, f"recordings/{name}/{file}")
            for file in _TAKEN
            if (library.root / name / file).exists()
        ]
    if (library.root / LAST).exists():
        taken.append(_take(library.root / LAST, folder, f"recordings/{LAST}"))
    fields = {
        "version": _VERSION,
        "made": int(now),
        "files": [{"name": part.name, "bytes": part.size, "sm3": part.sm3} for part in taken],
    }
    data = json.dumps(fields, indent=1).encode() + b"\n"
    (folder / LIST_SIGNATURE).write_bytes(sm2.sign(signing, data))
    (folder / LIST).write_bytes(data)
    os.sync()
    return len(names)


def _take(source: Path, folder: Path, name: str) -> Part:
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    part = hash_file(target)
    return Part(name, part.size, part.sm3)


def check_backup(folder: Path, public: Path) -> list[str]:
    """Hold a backup against its signed list; gives the files that are there. Raises BackupError, SealError, OSError.

    Keys may be missing: those of recordings that were deleted since are taken out of backups.
    """
    with (folder / LIST).open("rb") as file:
        data = file.read(_MAX_LIST + 1)
    if not sm2.verify(public, data, (folder / LIST_SIGNATURE).read_bytes()):
        raise BackupError("The backup's list is not signed by the hospital's key: nothing of it is believed.")
    there = []
    for part in parse_list(data):
        path = folder / part.name
        if not path.is_file() and path.name == KEY_FILE:
            continue
        if not path.is_file() or path.is_symlink() or hash_file(path).sm3 != part.sm3:
            raise BackupError(f"{part.name} of the backup is missing or was changed.")
        there.append(part.name)
    return there


def parse_list(data: bytes) -> list[Part]:
    """Parse a backup's list. Raises BackupError."""
    try:
        fields: dict[str, Any] = json.loads(data)
        version, files = fields["version"], fields["files"]
        parts = [Part(str(each["name"]), int(each["bytes"]), str(each["sm3"])) for each in files]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BackupError("The backup's list cannot be read.") from None
    if version != _VERSION:
        raise BackupError(f"The backup is not of version {_VERSION}.")
    for part in parts:
        path = Path(part.name)
        if path.is_absolute() or not path.name or ".." in path.parts or "\0" in part.name:
            raise BackupError("The backup's list names a file outside of it.")
    return parts


def restore_backup(folder: Path, public: Path, database: Path, library: Library) -> list[str]:
    """Put a backup in the place of a server that has nothing yet; gives the recordings that are to be fetched.

    Raises BackupError, ManifestError, SealError, OSError.
    """
    if database.exists() or library.names() or library.deleted():
        raise BackupError(
            "This server has a database or recordings: a backup is restored where there is nothing."
        )
    files = check_backup(folder, public)
    library.root.mkdir(parents=True, exist_ok=True)
    names = set()
    for name in files:
        if not name.startswith("recordings/"):
            continue
        target = library.root / name.removeprefix("recordings/")
        target.parent.mkdir(mode=0o750, exist_ok=True)
        shutil.copyfile(folder / name, target)
        if target.parent != library.root:
            names.add(target.parent.name)
    for recording in sorted(names):
        place = library.root / recording
        if (place / MANIFEST).exists() and not (place / TOMBSTONE).exists():
            parts = Manifest.parse((place / MANIFEST).read_bytes()).parts
            note_moved(place, [part for part in parts if part.name not in STAYS_HERE])
    # last: as long as it is not there, restoring may be begun anew after what is there was removed
    database.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / DATABASE, database)
    database.chmod(0o600)
    return sorted(names & set(library.names()))


def forget_in_backup(folder: Path, recording: str) -> bool:
    """Destroy a deleted recording's key in a backup; tells whether the backup could be reached. Raises OSError."""
    if not (folder / LIST).is_file():
        return False
    key = folder / "recordings" / recording / KEY_FILE
    if key.is_file():
        with key.open("r+b") as file:
            file.write(bytes(key.stat().st_size))
            os.fsync(file.fileno())
        key.unlink()
    return True
