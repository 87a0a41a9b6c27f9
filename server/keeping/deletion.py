"""A deletion that two people agreed on, carried out: the key first, then the files, then every other place.

Each step may be done again: a server that was killed in the middle goes on where it was. What stays is the manifest
and a signed note (recorder/tombstone.py).
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from recorder import tombstone
from recorder.library import JOURNAL
from recorder.seal import keys
from recorder.seal.keys import KEY_FILE
from recorder.seal.suites import SealError

from .places import Places

if TYPE_CHECKING:
    from ..archive import Archive

log = logging.getLogger(__name__)


async def carry_out(archive: Archive, places: Places, recording: str, request: int, now: float) -> str:
    """Delete a recording as far as that is possible now; says in sentences what remains, empty: nothing.

    `now` is Unix seconds.
    """
    if recording in archive.running or recording in archive.progress:
        return "It is still being made ready."
    folder = archive.library.root / recording
    try:
        await asyncio.to_thread(destroy, folder, archive.signing, now, request)
    except (OSError, SealError) as error:
        log.error("a recording could not be deleted: %s", type(error).__name__)
        return "This server's disk does not let go of it."
    archive.library.forget(recording)
    return await places.forget(recording)


def destroy(folder: Path, signing: Path, now: float, request: int) -> None:
    """Lay the tombstone, destroy the key, remove the files; what is done already is not done again.

    Raises OSError, SealError.
    """
    folder.mkdir(exist_ok=True)
    tombstone.lay(folder, signing, now, request)
    if (folder / KEY_FILE).exists():
        keys.erase(folder)
    # by the journal a folder is known for a recording's: it goes last
    for path in sorted(folder.iterdir(), key=lambda path: path.name == JOURNAL):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)  # what a repair kept
        elif path.name not in tombstone.STAYS:
            path.unlink(missing_ok=True)  # a preview that is being made has just got its name
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
