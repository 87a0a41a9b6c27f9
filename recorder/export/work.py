"""One export's errand: the recording that it reads, and the folder in which its files grow.

A file appears whole or not at all (`parts`), under the recording's key where it is sealed. So whoever goes on with an
errand that was killed passes over what is there, and begins with the first piece that is not.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ..journal import JsonObject
from ..library import DESCRIPTION, JOURNAL
from ..parts import drop_part, open_part, read_part, write_part, written_part
from ..seal.keys import DataKey
from ..seal.suites import NoKeyError, SealError
from ..sealing import JournalOpener
from ..source import JournalSource
from .index import JournalIndex, index_journal
from .kinds import ExportError

#: What was asked for, as `server/exporting` leaves it in the folder.
REQUEST = "request.json"
#: What the server alone knows of it (whose film it is, under which names), beside the request where a kind needs it.
CONTEXT = "context.json"

_MAX_REQUEST = 1 << 20
_MAX_DESCRIPTION = 1 << 30


class Work:
    """What a kind's `run` is given.

    `tell` is called with what is done, 0-1; `files` are the results, in the form of `GET /api/exports`.
    """

    def __init__(
        self,
        recording: Path,
        folder: Path,
        key: DataKey | None,
        tell: Callable[[float], None] = lambda _: None,
        images: Mapping[str, Path] | None = None,
        patients: Sequence[str] = (),
    ) -> None:
        self.recording = recording
        self.folder = folder
        self.key = key
        #: Files of the room's DICOM images that the recording shows, by their UIDs, as far as they are still there.
        self.images = images or {}
        #: What the recording's patients are called, as far as the server knows them by now.
        self.patients = patients
        self.files: list[JsonObject] = []
        self._tell = tell
        self._index: JournalIndex | None = None

    def part(self, begin: float, end: float) -> Callable[[float], None]:
        """Make what tells the progress of one stage, which takes the errand from `begin` to `end`."""
        return lambda share: self._tell(begin + (end - begin) * min(max(share, 0.0), 1.0))

    # -- the recording -------------------------------------------------------------------------------------------

    def request(self) -> JsonObject:
        """Read what was asked for. Raises ExportError, SealError, OSError."""
        return self._json(self.folder / REQUEST, _MAX_REQUEST)

    def context(self) -> JsonObject:
        """Read what the server laid beside the request. Raises ExportError, SealError, OSError."""
        return self._json(self.folder / CONTEXT, _MAX_REQUEST)

    @cached_property
    def description(self) -> dict[str, Any]:
        """What a replay knows of the recording (PROTOCOL.md, section 8). Raises ExportError, SealError, OSError."""
        return self._json(self.recording / DESCRIPTION, _MAX_DESCRIPTION)

    def describe_as(self, description: dict[str, Any]) -> None:
        """Have everything that follows know the recording by another description."""
        self.__dict__["description"] = description

    def index(self, tell: Callable[[float], None] = lambda _: None) -> JournalIndex:
        """Go through the journal, once. Raises JournalError, SealError, OSError."""
        if self._index is None:
            self._index = index_journal(self.recording / JOURNAL, tell, self.key)
            if self._index.header.seal is not None and self.key is None:
                raise NoKeyError("The recording is sealed, and its key is not here.")
        return self._index

    def source(self) -> JournalSource:
        """Open the journal, whose bytes are read where the index says."""
        index = self.index()
        opener = JournalOpener(index.header, self.key) if self.key is not None else None
        return JournalSource(self.recording / JOURNAL, index.blocks, opener)

    def _json(self, path: Path, most: int) -> JsonObject:
        try:
            value = json.loads(read_part(path, self.key, most))
        except (ValueError, RecursionError) as error:
            if isinstance(error, SealError):
                raise
            raise ExportError(f"The file {path.name} of the recording cannot be read.", "damaged") from None
        except FileNotFoundError:
            if path.parent == self.folder:
                raise ExportError("What was asked for is not on the disk any more.", "request_lost") from None
            raise ExportError("This recording is still being prepared.", "being_prepared") from None
        if not isinstance(value, dict):
            raise ExportError(f"The file {path.name} of the recording cannot be read.", "damaged")
        return value

    # -- its files -----------------------------------------------------------------------------------------------

    def has(self, name: str) -> bool:
        """Tell whether a file is there, whole: from this run or from one that was killed."""
        return (self.folder / name).is_file()

    def path(self, name: str) -> Path:
        """Name a file's place."""
        return self.folder / name

    @contextlib.contextmanager
    def create(self, name: str) -> Iterator[io.RawIOBase]:
        """Write a file; it is there when the context ends in peace, else nothing is."""
        with written_part(self.folder / name, self.key) as file:
            yield file

    def write(self, name: str, data: bytes) -> None:
        """Write a small file."""
        write_part(self.folder / name, data, self.key)

    def open(self, name: str) -> io.RawIOBase:
        """Read a file that is there."""
        return open_part(self.folder / name, self.key)

    def drop(self, name: str) -> None:
        """Remove a piece that is not needed any more."""
        (self.folder / name).unlink(missing_ok=True)
        drop_part(self.folder / name)

    def tidy(self) -> None:
        """Leave nothing in the folder but what was asked and the results: a killed worker may have begun others."""
        kept = {REQUEST, CONTEXT, *(str(file["name"]) for file in self.files)}
        for path in self.folder.iterdir():
            if path.name not in kept:
                path.unlink(missing_ok=True)

    def drop_unfinished(self) -> None:
        """Remove what was begun and is not whole."""
        for path in self.folder.glob("*.part"):
            path.unlink(missing_ok=True)

    def add(self, name: str, media_type: str, **facts: object) -> None:
        """List a file that is there as a result; `facts` are told with it."""
        with self.open(name) as file:
            size = file.seek(0, io.SEEK_END)
        self.files.append({"name": name, "bytes": size, "type": media_type, **facts})
