"""``python -m server backup`` and ``restore``: what recordings are known by, and a new server that has it again."""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
import time
from pathlib import Path

from recorder import tombstone
from recorder.library import Library
from recorder.manifest import ManifestError
from recorder.seal.suites import SealError

from ..config import Config, ConfigError
from ..database import DatabaseError
from . import audit
from .backup import BackupError, make_backup, restore_backup
from .commands import at_once
from .fetching import fetch_back, object_name
from .store import Store, StoreError, open_store

_MISTAKES = (
    BackupError, ConfigError, DatabaseError, ManifestError, SealError, StoreError, sqlite3.Error, OSError,
)  # fmt: skip


def backup(config: Config, arguments: list[str]) -> int:
    """Make a backup, or let go of one; returns 0, or 2 for a mistake."""
    parser = argparse.ArgumentParser(prog="python -m server backup", description=__doc__)
    parser.add_argument("folder", type=Path, help="a new folder, best on another machine's disk")
    parser.add_argument(
        "--forget",
        action="store_true",
        help="the backup is gone: deletions do not wait any more for the keys in it",
    )
    options = parser.parse_args(arguments)
    folder, now = options.folder.resolve(), time.time()
    try:
        if options.forget:
            at_once(config, lambda c: _forget(c, folder, now))
            print(f"{folder} is no longer counted among the backups.")
            return 0
        # first, so that a key in it is never forgotten
        at_once(config, lambda c: _note(c, folder, now))
        count = make_backup(
            folder,
            Path(config.database.file),
            Library(Path(config.recordings.folder)),
            Path(config.seal.signing_key),
            now,
        )
    except _MISTAKES as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{folder}: the database, and the keys and manifests of {count} recordings.")
    if not config.copies.place:
        print(
            "No second place is configured: the recordings themselves are on this disk alone.",
            file=sys.stderr,
        )
    return 0


def _note(c: sqlite3.Connection, folder: Path, now: float) -> None:
    c.execute("INSERT OR REPLACE INTO backup VALUES (?, ?)", (str(folder), int(now * 1000)))
    audit.append(c, audit.operator(), "backup_made", int(now * 1000))


def _forget(c: sqlite3.Connection, folder: Path, now: float) -> None:
    if not c.execute("DELETE FROM backup WHERE folder = ?", (str(folder),)).rowcount:
        raise BackupError(f"{folder} is none of the backups.")
    audit.append(c, audit.operator(), "backup_forgotten", int(now * 1000))


def restore(config: Config, arguments: list[str]) -> int:
    """Restore a backup; returns 0, or 2 for a mistake."""
    parser = argparse.ArgumentParser(prog="python -m server restore", description=__doc__)
    parser.add_argument("folder", type=Path, help="the backup")
    public = Path(config.seal.signing_key).with_suffix(".public.pem")
    parser.add_argument("--public-key", type=Path, default=public, help="of the key that signed it")
    parser.add_argument(
        "--fetch", action="store_true", help="fetch all recordings now, not when they are replayed"
    )
    options = parser.parse_args(arguments)
    library = Library(Path(config.recordings.folder))
    try:
        store = open_store(config.copies)
        names = restore_backup(options.folder, options.public_key, Path(config.database.file), library)
        print(f"The database, and {len(names)} recordings that are in the second place.")
        if store is not None:
            asyncio.run(_look(store, library, names, options.public_key, fetch=options.fetch))
        at_once(
            config, lambda c: audit.append(c, audit.operator(), "backup_restored", int(time.time() * 1000))
        )
    except _MISTAKES as error:
        print(error, file=sys.stderr)
        return 2
    return 0


async def _look(store: Store, library: Library, names: list[str], public: Path, *, fetch: bool) -> None:
    """Take over the deletions that came after the backup, and fetch what is asked for."""
    for name in names:
        folder, prefix = library.root / name, object_name(name, "")
        there = await store.sizes(prefix[:-1])
        if prefix + tombstone.TOMBSTONE in there:
            await _bury(store, folder, public)
            print(f"{name}: was deleted after the backup, and stays so.")
        elif not any(path.endswith(".kjr") for path in there):
            print(f"{name}: is not in the second place.")
        elif fetch:
            await fetch_back(store, folder)
            print(f"{name}: fetched, as it was signed.")


async def _bury(store: Store, folder: Path, public: Path) -> None:
    for file in (tombstone.TOMBSTONE_SIGNATURE, tombstone.TOMBSTONE):
        data = b"".join([piece async for piece in store.get(object_name(folder.name, file))])
        (folder / file).write_bytes(data)
    try:
        tombstone.read(folder, public)
    except (ManifestError, OSError):
        # whoever can write there must not be able to delete here
        for file in (tombstone.TOMBSTONE_SIGNATURE, tombstone.TOMBSTONE):
            (folder / file).unlink(missing_ok=True)
        raise
    await asyncio.to_thread(_clear, folder)


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name not in tombstone.STAYS:
            path.unlink()
