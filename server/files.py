"""Files of the rooms on the disk: they arrive in pieces, are hashed, looked at by a scanner, kept for a while, deleted.

    incoming/f-…   about.json and content, while it grows and until it is clean: nobody is given anything from here
    kept/f-…       the same after that: moved by one rename

Folders bear random names; what a person called the file stands only inside `about.json`. Everything that touches the
disk for long is blocking and to be called in a thread.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import shutil
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from signalling.file_digest import FileDigest
from signalling.files import FileError, NewFile, is_file_id

from .config import FilesConfig
from .scanning import Infected, NotScanned, Scanner

log = logging.getLogger(__name__)

ABOUT, CONTENT = "about.json", "content"

#: Seconds without a piece after which what was begun is given up.
ABANDONED = 3600.0
#: Seconds between two looks for files whose time is over.
SWEEP = 60.0
#: Files of a room, and of them such as were begun by one link and are not whole yet.
MOST_IN_ROOM = 500
MOST_BEGUN = 16
#: Bytes that are read at once where a file is hashed anew.
_BLOCK = 1 << 20
#: Sentences kept for those who ask once more why their file was refused.
_MOST_REFUSALS = 256


class FileRefused(Exception):
    """A file cannot be taken or given; `status` is HTTP's, `code` for programs, the text a sentence for people."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code


@dataclass(slots=True)
class StoredFile:
    """What is known of a file. `link` names who sent it; `since` in Unix seconds; `digest` empty until all is there."""

    file: str
    room: str
    link: str
    by: str
    name: str
    size: int
    type: str
    since: float
    digest: str = ""
    scanned: bool = False

    def to_json(self) -> dict[str, object]:
        """Give what the log of the room tells of it (PROTOCOL.md, section 13)."""
        return {
            "file": self.file,
            "name": self.name,
            "size": self.size,
            "digest": self.digest,
            "type": self.type,
        }


class Incoming:
    """A file that is still arriving: its pieces so far and their hash."""

    def __init__(self, about: StoredFile, folder: Path, offset: int = 0) -> None:
        self.about = about
        self.folder = folder
        self.offset = offset
        self.touched = about.since
        self.piece: asyncio.Task[Any] | None = None
        self.finishing: asyncio.Task[StoredFile] | None = None
        # after a restart it is made from what lies on the disk
        self._digest = FileDigest() if offset == 0 else None

    @property
    def lacking(self) -> int:
        """Bytes that are still to come."""
        return self.about.size - self.offset

    def append(self, pieces: Sequence[bytes]) -> None:
        """Write what came next, and hash it. Blocking. Raise FileRefused when the disk does not take it."""
        digest = self._fed()
        try:
            with (self.folder / CONTENT).open("ab") as content:
                if content.tell() > self.offset:
                    content.truncate(self.offset)
                content.writelines(pieces)
        except OSError as error:
            log.error("a file could not be written: %s", error.strerror)
            raise FileRefused(507, "disk_full", "The server's disk does not take the file.") from None
        for piece in pieces:
            digest.update(piece)
            self.offset += len(piece)

    def digest(self) -> str:
        """Hash all that came, 64 hexadecimal digits. Blocking after a restart of the server."""
        return self._fed().hexdigest()

    def _fed(self) -> FileDigest:
        if self._digest is None:
            self._digest = FileDigest()
            with (self.folder / CONTENT).open("rb") as content:
                left = self.offset
                while left and (block := content.read(min(_BLOCK, left))):
                    self._digest.update(block)
                    left -= len(block)
        return self._digest


class FileStore:
    """All rooms' files. To be used within one event loop; only `Incoming.append` and `digest` run in threads."""

    def __init__(self, config: FilesConfig, scanner: Scanner) -> None:
        self.config = config
        self._scanner = scanner
        self.incoming: dict[str, Incoming] = {}
        self.kept: dict[str, StoredFile] = {}
        self.refusals: OrderedDict[str, FileRefused] = OrderedDict()
        self._root = Path(config.folder)
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self, now: Callable[[], float]) -> None:
        """Find what an earlier server left, and begin to delete what was kept long enough."""
        await asyncio.to_thread(self.load)
        self._sweeping = asyncio.create_task(self._sweep_for_ever(now))

    async def close(self) -> None:
        """Stop; what is still arriving can go on when the next server is there."""
        incoming = self.incoming.values()
        running = [self._sweeping, *(item.finishing for item in incoming), *(item.piece for item in incoming)]
        tasks = [task for task in running if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _sweep_for_ever(self, now: Callable[[], float]) -> None:
        while True:
            self.sweep(now())
            await asyncio.sleep(SWEEP)

    def load(self) -> None:
        """Find what an earlier server left. Blocking."""
        for folder in _folders(self._root / "kept"):
            about = _read(folder)
            if about is not None and about.digest and (folder / CONTENT).is_file():
                self.kept[about.file] = about
        for folder in _folders(self._root / "incoming"):
            about = _read(folder)
            if about is None:
                shutil.rmtree(folder, ignore_errors=True)
                continue
            content = folder / CONTENT
            offset = min(content.stat().st_size, about.size) if content.is_file() else 0
            self.incoming[about.file] = Incoming(about, folder, offset)

    # -- taking --------------------------------------------------------------------------------------------------

    def begin(self, new: NewFile, *, room: str, link: str, by: str, now: float) -> Incoming:
        """Make room for a file. Raise FileRefused when it is too large, or there is too much already."""
        limit = self.config.size_mb << 20
        if limit == 0:
            raise FileRefused(403, "files_off", "This server takes no files.")
        if new.size > limit:
            raise FileRefused(413, "file_too_large", f"A file has at most {self.config.size_mb} MiB here.")
        begun = [item for item in self.incoming.values() if item.about.room == room]
        present = [item for item in self.kept.values() if item.room == room]
        if len(begun) + len(present) >= MOST_IN_ROOM:
            raise FileRefused(
                507, "room_files_full", f"This room has {MOST_IN_ROOM} files already. Delete some first."
            )
        if sum(item.about.link == link for item in begun) >= MOST_BEGUN:
            raise FileRefused(429, "too_many_files", f"You send {MOST_BEGUN} files already. Please wait.")
        taken = sum(item.about.size for item in begun) + sum(item.size for item in present)
        if taken + new.size > self.config.room_mb << 20:
            raise FileRefused(
                507,
                "room_files_full",
                f"The files of this room have at most {self.config.room_mb} MiB together. Delete some first.",
            )
        about = StoredFile(f"f-{secrets.token_hex(16)}", room, link, by, new.name, new.size, new.type, now)
        folder = self._root / "incoming" / about.file
        try:
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            free = shutil.disk_usage(folder.parent).free - sum(
                item.lacking for item in self.incoming.values()
            )
            if free - new.size < self.config.minimum_free_mb << 20:
                raise FileRefused(507, "disk_full", "The server's disk has too little space for this file.")
            folder.mkdir(mode=0o700)
            (folder / CONTENT).touch(mode=0o600)
            _write(folder, about)
        except OSError as error:
            log.error("a file could not be begun: %s", error.strerror)
            raise FileRefused(507, "disk_full", "The server's disk does not take the file.") from None
        incoming = self.incoming[about.file] = Incoming(about, folder)
        return incoming

    async def finish(self, incoming: Incoming, digest: str, now: float) -> StoredFile:
        """Compare the hash, have the scanner look, and keep the file. Raise FileRefused."""
        about = incoming.about
        if incoming.lacking:
            raise FileRefused(
                409, "file_incomplete", f"{incoming.lacking} bytes of this file have not come yet."
            )
        if await asyncio.to_thread(incoming.digest) != digest:
            self._refuse(
                about.file,
                FileRefused(422, "file_damaged", "The file was damaged on its way. Please send it again."),
            )
        about.scanned = await self._scan(incoming)
        about.digest, about.since = digest, now
        kept = self._root / "kept" / about.file
        try:
            kept.parent.mkdir(mode=0o700, exist_ok=True)
            _write(incoming.folder, about)
            incoming.folder.rename(kept)
        except OSError as error:
            log.error("a file could not be kept: %s", error.strerror)
            raise FileRefused(507, "disk_full", "The server's disk does not take the file.") from None
        self.incoming.pop(about.file, None)
        self.kept[about.file] = about
        return about

    async def _scan(self, incoming: Incoming) -> bool:
        """Have the scanner look; False: there is none. Raise FileRefused unless it found the file clean."""
        try:
            return await self._scanner.look(incoming.folder / CONTENT)
        except Infected:
            refusal = FileRefused(
                422, "file_infected", "The virus scanner refused this file. It was deleted."
            )
            self._refuse(incoming.about.file, refusal)
        except NotScanned as error:
            raise FileRefused(
                503, "scanner_failed", f"The virus scanner {error}: the file is not passed on."
            ) from None

    def _refuse(self, file: str, refusal: FileRefused) -> NoReturn:
        """Delete what came, and remember why."""
        self.refusals[file] = refusal
        while len(self.refusals) > _MOST_REFUSALS:
            self.refusals.popitem(last=False)
        self.remove(file)
        raise refusal

    # -- giving --------------------------------------------------------------------------------------------------

    def find(self, file: str, room: str) -> StoredFile:
        """Find a file that may be fetched. Raise FileRefused 404."""
        about = self.kept.get(file)
        if about is None or about.room != room:
            raise FileRefused(404, "not_found", "There is no such file any more, or not yet.")
        return about

    def path(self, about: StoredFile) -> Path:
        """Say where a kept file's content lies."""
        return self._root / "kept" / about.file / CONTENT

    def of_room(self, room: str) -> list[StoredFile]:
        """List a room's files, the oldest first."""
        return sorted((about for about in self.kept.values() if about.room == room), key=lambda a: a.since)

    def until(self, about: StoredFile) -> float:
        """Say when a file is deleted, Unix seconds."""
        return about.since + self.config.keep_hours * 3600

    # -- deleting ------------------------------------------------------------------------------------------------

    def remove(self, file: str) -> None:
        """Delete a file, wherever it stands. A download that runs ends in peace: the system holds its bytes."""
        assert is_file_id(file)
        incoming = self.incoming.pop(file, None)
        if incoming is not None and incoming.piece is not None:
            incoming.piece.cancel()
        self.kept.pop(file, None)
        for place in ("incoming", "kept"):
            shutil.rmtree(self._root / place / file, ignore_errors=True)

    def sweep(self, now: float) -> None:
        """Delete what was kept long enough, and what nobody goes on sending."""
        for about in [about for about in self.kept.values() if self.until(about) <= now]:
            self.remove(about.file)
        for incoming in list(self.incoming.values()):
            busy = incoming.finishing is not None and not incoming.finishing.done()
            if not busy and incoming.touched + ABANDONED <= now:
                self.remove(incoming.about.file)


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.iterdir() if is_file_id(path.name)) if parent.is_dir() else []


def _write(folder: Path, about: StoredFile) -> None:
    new = folder / (ABOUT + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(about), file)
    new.rename(folder / ABOUT)


def _read(folder: Path) -> StoredFile | None:
    try:
        about = StoredFile(**json.loads((folder / ABOUT).read_text("utf-8")))
        if about.file != folder.name:
            raise FileError("It speaks of another file.")
    except (OSError, ValueError, TypeError) as error:
        log.error("what is written about a file cannot be read: %s", type(error).__name__)
        return None
    return about
