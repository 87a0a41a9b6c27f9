"""Repairs a recording: a torn end becomes a clean one, and what is made of a journal is made anew.

What is good is not touched: of a journal nothing but what lies behind its last whole block, and of the files beside it
nothing as long as all are as they were signed. Everything that is replaced is kept in `before-repair` beside the
journal, so that `undo` gives back each byte, until `discard` says otherwise.
"""

from __future__ import annotations

import json
import os
import shutil
from array import array
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from .export.preparing import prepare
from .journal import JournalError, end_block
from .library import JOURNAL
from .manifest import MANIFEST, SIGNATURE, UNSIGNED, Manifest, ManifestError, hash_file
from .parts import create_part, finish_part, write_part
from .reader import JournalReader
from .seal.digest import sm3
from .seal.keys import KEY_FILE, DataKey
from .seal.suites import SealError
from .sealing import JournalSealer
from .segments.preview import SUFFIX as PREVIEW
from .signing import sign_recording
from .verify import BEFORE_REPAIR
from .volumes import JournalFiles, is_being_written, volumes_of

#: In `before-repair`: what was cut, so that it can be put back.
NOTE = "repair.json"
_READ = 1 << 20


class RepairError(Exception):
    """A recording cannot be repaired now; the text is a sentence."""


@dataclass(slots=True)
class Repaired:
    """What a repair found and did; sentences. Nothing done and nothing lost: the recording was whole."""

    recording: str
    done: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Look:
    """A journal as it is."""

    reader: JournalReader
    newest: int  # the newest record's time, Unix ns
    size: int
    places: array[int]  # of each whole block, and the time of its first record
    times: array[int]


def repair(
    folder: Path,
    key: DataKey | None,
    signing: Path | None,
    now: float,
    progress: Callable[[float], None] = lambda _: None,
) -> Repaired:
    """Repair the recording in a folder; sign it anew where something was made and `signing` is given.

    `now` is Unix seconds. Raises RepairError, JournalError, SealError, OSError.
    """
    journal = folder / JOURNAL
    repaired = Repaired(folder.name)
    if is_being_written(journal):
        raise RepairError("This recording is being written.")
    look = _look(journal, key, lambda share: progress(0.3 * share))
    header = look.reader.header
    assert header is not None
    if header.seal is not None and key is None:
        raise SealError("The recording is sealed, and its key is not here.")
    if look.reader.refused and not look.reader.blocks:
        raise SealError("The key is not this recording's: no block of it opens.")
    _say_lost(look, repaired)
    torn = not look.reader.ended
    signed = _signed(folder)
    if not torn and signed and _as_signed(folder, signed, lambda share: progress(0.3 + 0.2 * share)):
        progress(1.0)
        return repaired
    kept = folder / BEFORE_REPAIR
    if kept.exists():
        raise RepairError(
            "It was repaired before, and what it was then is kept: undo that, or discard it, first."
        )
    kept.mkdir(mode=0o750)
    if torn:
        _end(journal, look, key, repaired, kept)
    _make_anew(folder, key, signed, repaired, kept, lambda share: progress(0.5 + 0.5 * share))
    replaced = (*signed.replaces, sm3((kept / MANIFEST).read_bytes()).hex()) if signed is not None else ()
    if signing is not None:
        sign_recording(folder, signing, now, signed.previous if signed else None, replaced)
        repaired.done.append(
            "Its manifest was made" + (" anew, and names the one before." if signed else ".")
        )
    progress(1.0)
    return repaired


def undo(folder: Path) -> None:
    """Give back what a repair replaced. Raises RepairError, OSError."""
    kept = folder / BEFORE_REPAIR
    try:
        note = json.loads((kept / NOTE).read_bytes())
    except FileNotFoundError:
        raise RepairError("Nothing is kept from before a repair.") from None
    for name in note["made"]:
        (folder / name).unlink(missing_ok=True)
    # made of what was repaired, by the server
    for path in folder.glob(f"*{PREVIEW}"):
        path.unlink()
    for cut in note["cut"]:
        with (folder / cut["name"]).open("r+b") as file:
            file.truncate(cut["at"])
            file.seek(cut["at"])
            with (kept / f"{cut['name']}.tail").open("rb") as tail:
                shutil.copyfileobj(tail, file)
            file.flush()
            os.fsync(file.fileno())
    for name in note["moved"]:
        (kept / name).replace(folder / name)
    shutil.rmtree(kept)


def discard(folder: Path) -> None:
    """Let go of what was kept from before a repair. Raises RepairError, OSError."""
    if not (folder / BEFORE_REPAIR).is_dir():
        raise RepairError("Nothing is kept from before a repair.")
    shutil.rmtree(folder / BEFORE_REPAIR)


def _look(journal: Path, key: DataKey | None, progress: Callable[[float], None]) -> _Look:
    reader = JournalReader(key)
    look = _Look(reader, 0, 0, array("Q"), array("Q"))
    with JournalFiles(journal) as files:
        look.size = files.size
        while data := files.read(_READ):
            reader.receive_data(data)
            while (record := reader.next_record()) is not None:
                look.newest = max(look.newest, record.time)
                if len(look.places) < len(reader.blocks):
                    look.places.append(record.offset)
                    look.times.append(record.time)
            progress(files.position / max(files.size, 1))
    reader.finish()
    if reader.header is None:
        raise JournalError("The journal ends within its header: nothing of it can be read.")
    return look


def _say_lost(look: _Look, repaired: Repaired) -> None:
    """Say where something is damaged, by bytes and by the clock."""
    end = look.reader.whole_until
    for place, size in look.reader.ignored_at:
        if place >= end:
            continue  # the torn end: that is told by itself
        after = bisect_right(look.places, place)
        before = _clock(look.times[after - 1]) if after else "the beginning"
        then = _clock(look.times[after]) if after < len(look.times) else "the end"
        repaired.lost.append(
            f"{size} bytes at {place} of the journal are damaged: what was recorded between {before} and {then}."
        )
    if look.reader.damaged and not look.reader.ignored_at:
        repaired.lost.append("Blocks of the journal are missing without a trace.")


def _end(journal: Path, look: _Look, key: DataKey | None, repaired: Repaired, kept: Path) -> None:
    """Cut what lies behind the last whole block, and end the journal there."""
    reader = look.reader
    assert reader.header is not None
    with JournalFiles(journal) as files:
        volume, inside = files.locate(reader.whole_until)
        # a volume ends where the next begins: the place belongs to the one before
        if inside == 0 and volume:
            volume, inside = volume - 1, files.sizes[volume - 1]
        paths, sizes = files.paths, files.sizes
    tail = sizes[volume] - inside
    note = {
        "cut": [{"name": paths[volume].name, "at": inside}],
        "moved": [path.name for path in paths[volume + 1 :]],
        "made": [],
    }
    keep = kept / f"{paths[volume].name}.tail"
    with paths[volume].open("rb") as file, create_part(keep, None) as copy:
        file.seek(inside)
        while data := file.read(_READ):
            copy.write(data)
    finish_part(keep)
    _write_note(kept, note)
    for path in paths[volume + 1 :]:
        path.replace(kept / path.name)
    # the newest record's time and nothing else: however often it is done, the same block is sealed
    end = end_block(reader.next_number, look.newest or reader.header.started, "repaired")
    if key is not None and reader.header.seal is not None:
        end = JournalSealer(reader.header, key, first=reader.next_number)(end)
    with paths[volume].open("r+b") as file:
        file.truncate(inside)
        file.seek(inside)
        file.write(end)
        file.flush()
        os.fsync(file.fileno())
    repaired.done.append(f"The journal ends behind its last whole block, at {_clock(look.newest)}.")
    removed = tail + sum(sizes[volume + 1 :])
    if removed:
        repaired.lost.append(f"{removed} bytes behind it were torn, and belong to no whole block.")
    repaired.lost.append(
        f"What was recorded after {_clock(look.newest)} is lost: at most a second, by a kill."
    )


def _make_anew(
    folder: Path,
    key: DataKey | None,
    signed: Manifest | None,
    repaired: Repaired,
    kept: Path,
    progress: Callable[[float], None],
) -> None:
    """Put aside what was made of the journal, and make it."""
    journals = {path.name for path in volumes_of(folder / JOURNAL)}
    old = sorted(
        path.name
        for path in folder.iterdir()
        if path.is_file() and path.name not in journals | {KEY_FILE} and not path.name.endswith(".part")
    )
    note = json.loads((kept / NOTE).read_bytes()) if (kept / NOTE).exists() else {"cut": [], "moved": []}
    note["moved"] += old
    note["made"] = []
    _write_note(kept, note)
    for name in old:
        (folder / name).replace(kept / name)
    prepare(folder, progress, key)
    made = sorted({path.name for path in folder.iterdir() if path.is_file()} - journals - {KEY_FILE})
    note["made"] = [*made, MANIFEST, SIGNATURE]
    _write_note(kept, note)
    count = len(set(made) - {UNSIGNED})
    repaired.done.append(
        f"{count} files were made of the journal" + (" anew." if signed is not None else ".")
    )


def _signed(folder: Path) -> Manifest | None:
    try:
        return Manifest.parse((folder / MANIFEST).read_bytes())
    except (FileNotFoundError, ManifestError):
        return None


def _as_signed(folder: Path, manifest: Manifest, progress: Callable[[float], None]) -> bool:
    total = sum(part.size for part in manifest.parts) or 1
    done = 0
    for part in manifest.parts:
        path = folder / part.name
        if not path.is_file() or path.is_symlink() or hash_file(path) != part:
            return False
        done += part.size
        progress(done / total)
    return True


def _write_note(kept: Path, note: dict[str, object]) -> None:
    write_part(kept / NOTE, json.dumps(note, indent=1).encode(), None)


def _clock(time: int) -> str:
    return f"{datetime.fromtimestamp(min(time, 1 << 62) / 1e9, UTC):%F %T} UTC"
