"""The images of rooms on the disk: files with hashed names below one folder, and the index over them.

No UID, no name of a room and nothing of a patient stands in a path. What is not taken is kept apart with the reason.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from annotation.dicom.errors import DicomError
from annotation.dicom.facts import Facts
from annotation.dicom.room_uids import RoomUids
from recorder.small_writes import write_file

from ..scanning import Infected, NotScanned
from .decoder import Decoder
from .index import Index, Record, Refused

log = logging.getLogger(__name__)

#: What of one room's refused files is kept to be looked at; of others only the reason.
QUARANTINE_FILES = 100
INDEX = "index.sqlite"
QUARANTINE_BYTES = 512 << 20
#: Seconds after which a patient who was chosen in a room is not its patient any more when the server starts anew.
PATIENT_KEPT = 86_400.0


@dataclass(frozen=True, slots=True)
class Added:
    """An instance that is in the room now; `again`: it was there already."""

    record: Record
    again: bool = False


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A file that was not taken: the code and the sentence of annotation.dicom.errors."""

    code: str
    reason: str
    number: int
    detail: str = ""


async def _unseen(path: Path) -> bool:
    """Stand for a scanner that there is not."""
    return False


class Store:
    """Everybody's images, by room. To be made within a running event loop."""

    def __init__(
        self,
        folder: Path,
        secret: bytes,
        decoder: Decoder,
        *,
        file_bytes: int = 4 << 30,
        room_bytes: int = 20 << 30,
        now: Callable[[], float] = time.time,
        look: Callable[[Path], Awaitable[bool]] = _unseen,
    ) -> None:
        """`secret` is the server's; `file_bytes` and `room_bytes` are the most that one file and one room may have.

        `look` is the virus scanner's (`server.scanning`).
        """
        self.folder, self.decoder = folder, decoder
        self.file_bytes, self.room_bytes = file_bytes, room_bytes
        self._secret, self._now, self._look = secret, now, look
        self._opened: Index | None = None
        self._rooms: dict[str, dict[str, Record]] = {}
        self._uids: dict[str, RoomUids] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        #: numbers of refused files that are being tried once more
        self._trying: set[int] = set()
        self._spooled = itertools.count(1)
        #: counts the changes of a room's images, for caches
        self.versions: dict[str, int] = {}
        #: is told the name of a room whose images have changed
        self.changed: Callable[[str], None] = lambda room: None

    @property
    def exists(self) -> bool:
        """Whether anything was ever kept here."""
        return self._opened is not None or (self.folder / INDEX).exists()

    @property
    def _index(self) -> Index:
        """Open the folder at the first use: a server that is shown no images leaves none behind."""
        if self._opened is None:
            for part in ("", "incoming", "rooms", "quarantine"):
                (self.folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
            # what an earlier server left half done is nobody's
            for left in (self.folder / "incoming").iterdir():
                if left.is_dir():
                    # of a study that was being fetched, or a copy
                    shutil.rmtree(left, ignore_errors=True)
                else:
                    left.unlink(missing_ok=True)
            self._opened = Index(self.folder / INDEX)
            self._opened.forget_patients(self._now() - PATIENT_KEPT)
        return self._opened

    def close(self) -> None:
        """Close the index."""
        if self._opened is not None:
            self._opened.close()

    # -- names ---------------------------------------------------------------------------------------------------

    def uids(self, room: str) -> RoomUids:
        """Give what makes the room's UIDs, the same over restarts as long as the server's secret is."""
        found = self._uids.get(room)
        if found is None:
            info = b"konsil dicom room " + room.encode()
            found = self._uids[room] = RoomUids(
                HKDF(hashes.SHA256(), 32, salt=None, info=info).derive(self._secret)
            )
        return found

    def _room(self, room: str) -> str:
        return self.uids(room).file_name("room")

    def spool(self) -> Path:
        """Name a new file for bytes that come in, on the disk that keeps them."""
        assert self._index is not None
        return self.folder / "incoming" / f"{os.getpid()}-{next(self._spooled)}"

    # -- what is there -------------------------------------------------------------------------------------------

    def _records(self, room: str) -> dict[str, Record]:
        found = self._rooms.get(room)
        if found is None and not self.exists:
            return {}
        if found is None:
            records = self._index.records(self._room(room))
            found = self._rooms[room] = {record.sop: record for record in records}
        return found

    def instances(self, room: str) -> list[Record]:
        """List the instances of a room."""
        return list(self._records(room).values())

    def find(self, room: str, sop: str) -> Record | None:
        """Find an instance by the room's SOPInstanceUID."""
        return self._records(room).get(sop)

    def facts(self, room: str, sop: str) -> Facts:
        """Give an instance's facts, which bear the file's own UIDs. Raise KeyError."""
        return self._records(room)[sop].facts

    def path(self, room: str, sop: str) -> Path:
        """Give an instance's file, as it came. Raise KeyError."""
        return self.folder / "rooms" / self._records(room)[sop].file

    def has_frame(self, room: str, sop: str, frame: int) -> bool:
        """Tell whether a mark may hang on this frame: an image of the room that has it."""
        record = self.find(room, sop)
        return record is not None and 1 <= frame <= max(1, record.facts.NumberOfFrames)

    async def metadata(self, room: str, sops: list[str], *, deidentified: bool) -> dict[str, str]:
        """Give the DICOM JSON of instances, by instance."""
        return await asyncio.to_thread(
            self._index.metadata, self._room(room), sops, deidentified=deidentified
        )

    def refused(self, room: str) -> list[Refused]:
        """List what was not taken, the newest first."""
        if not self.exists:
            return []
        return self._index.refused(self._room(room))

    def count_refused(self, room: str) -> int:
        """Count what was not taken."""
        return self._index.count_refused(self._room(room)) if self.exists else 0

    # -- whose the room is ---------------------------------------------------------------------------------------

    def keep_patient(self, room: str, entry: str) -> None:
        """Keep what a room's patient was chosen by over the server's end, as the images are; empty: forget it."""
        if entry or self.exists:
            self._index.keep_patient(self._room(room), entry, self._now())

    def kept_patient(self, room: str) -> str:
        """Give what a room's patient was chosen by when the server ended; empty: nobody was."""
        return self._index.kept_patient(self._room(room)) if self.exists else ""

    # -- what comes in -------------------------------------------------------------------------------------------

    async def add(
        self, data: bytes | Path, room: str, *, source: str = "upload", name: str = ""
    ) -> Added | Quarantined:
        """Take a file, given as bytes or as one that `spool` named, which is used up. Raise OSError: the disk is full.

        `source` says by which way it came, `name` what whoever sent it calls it.
        """
        if isinstance(data, bytes):
            path = self.spool()
            await asyncio.to_thread(write_file, path, data)
        else:
            path = data
        try:
            await self.judge(path)
            return await self._take(path, room)
        except DicomError as error:
            return await self.refuse(path, room, error, source=source, name=name)
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def judge(self, path: Path) -> None:
        """Show a file to the virus scanner, if there is one. Raise DicomError unless it found the file clean."""
        try:
            await self._look(path)
        except Infected:
            raise DicomError("infected", "The virus scanner refused this file. It was deleted.") from None
        except NotScanned as error:
            raise DicomError(
                "not_scanned", f"The virus scanner {error}: the file is not passed on."
            ) from None

    async def _take(self, path: Path, room: str) -> Added:
        size = await asyncio.to_thread(_size, path)
        if size > self.file_bytes:
            raise DicomError(
                "too_large", f"The file has more than {self.file_bytes >> 20} MiB.", "file_too_large"
            )
        if sum(record.bytes for record in self._records(room).values()) + size > self.room_bytes:
            raise DicomError(
                "too_large", f"The room holds {self.room_bytes >> 20} MiB of images at most.", "room_full"
            )
        digest = await asyncio.to_thread(_digest, path)
        uids, hashed = self.uids(room), self._room(room)
        stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(self._now()))
        answer, _ = await self.decoder.ask("ingest", path, key=uids.key.hex(), time=stamp)
        facts = Facts.from_json(answer["facts"])
        sop = uids.uid(facts.SOPInstanceUID)
        async with self._locks.setdefault(room, asyncio.Lock()):
            known = self._records(room).get(sop)
            if known is not None:
                if known.digest == digest:
                    return Added(known, again=True)
                raise DicomError(
                    "duplicate", "The room holds another file that bears the same SOPInstanceUID."
                )
            record = Record(
                sop=sop,
                series=uids.uid(facts.SeriesInstanceUID),
                study=uids.uid(facts.StudyInstanceUID),
                patient_key=uids.patient_key(facts.PatientID, facts.IssuerOfPatientID),
                facts=facts,
                file=f"{hashed}/{uids.file_name(sop)}.dcm",
                bytes=await asyncio.to_thread(_size, path),
                digest=digest,
                added=self._now(),
            )
            await asyncio.to_thread(
                self._keep, path, hashed, record, answer["metadata"], answer["deidentified"]
            )
            self._records(room)[sop] = record
        self._note(room)
        return Added(record)

    def _keep(self, path: Path, hashed: str, record: Record, metadata: str, deidentified: str) -> None:
        target = self.folder / "rooms" / record.file
        target.parent.mkdir(mode=0o700, exist_ok=True)
        path.replace(target)
        self._index.add(hashed, record, metadata, deidentified)

    async def refuse(
        self, path: Path | None, room: str, error: DicomError, *, source: str, name: str
    ) -> Quarantined:
        """Put a file on the room's list of what was not taken, and keep it while there is place; nothing infected."""
        if error.code == "infected":
            path = None
        hashed = self._room(room)
        size = await asyncio.to_thread(_size, path) if path is not None else 0
        kept = [entry for entry in self._index.refused(hashed) if entry.file]
        file = ""
        if (
            path is not None
            and size
            and len(kept) < QUARANTINE_FILES
            and sum(entry.bytes for entry in kept) + size <= QUARANTINE_BYTES
        ):
            file = f"{hashed}-{os.urandom(8).hex()}"
            await asyncio.to_thread(shutil.move, path, self.folder / "quarantine" / file)
        entry = Refused(0, name[:200], source, error.code, str(error), size, file, self._now(), error.detail)
        number = await asyncio.to_thread(self._index.refuse, hashed, entry)
        log.info("a DICOM file was not taken: %s", error.code)
        self.changed(room)
        return Quarantined(error.code, str(error), number, error.detail)

    # -- what changes and goes -----------------------------------------------------------------------------------

    async def remove(self, room: str, sops: list[str]) -> int:
        """Take instances out of a room; returns how many there were."""
        records = self._records(room)
        gone = [records.pop(sop) for sop in sops if sop in records]
        await asyncio.to_thread(self._index.remove, self._room(room), [record.sop for record in gone])
        for record in gone:
            self._unlink(record.file)
        if gone:
            self._note(room)
        return len(gone)

    async def release(self, room: str, sops: list[str], *, released: bool) -> None:
        """Let those who may not see the patient see pictures although words may stand in them, or no more."""
        records = self._records(room)
        for sop in sops:
            if sop in records:
                records[sop] = replace(records[sop], released=released)
        await asyncio.to_thread(self._index.release, self._room(room), sops, released=released)
        self._note(room)

    def refused_file(self, room: str, number: int, *, unscanned: bool = False) -> Path | None:
        """Name the file of an entry of the list of what was not taken, if it was kept.

        One that the virus scanner has not judged yet is nobody's to see (`unscanned`).
        """
        for entry in self.refused(room):
            if entry.number == number and entry.file and (unscanned or entry.code != "not_scanned"):
                return self.folder / "quarantine" / entry.file
        return None

    async def take_again(self, room: str, number: int) -> Added | Quarantined | None:
        """Try to take a refused file once more: it leaves the list, or stays with the reason of this time.

        None: there is none, it was not kept, or somebody is trying just now. Raise OSError: the disk is full.
        """
        path = self.refused_file(room, number, unscanned=True)
        if path is None or number in self._trying:
            return None
        self._trying.add(number)
        try:
            await self.judge(path)
            verdict = await self._take(path, room)
        except DicomError as error:
            kept = error.code != "infected"
            if not kept:
                await asyncio.to_thread(path.unlink, missing_ok=True)
            await asyncio.to_thread(self._index.refuse_again, self._room(room), number, error, kept=kept)
            self.changed(room)
            return Quarantined(error.code, str(error), number, error.detail)
        finally:
            self._trying.discard(number)
        await self.forget_refused(room, number)
        return verdict

    async def forget_refused(self, room: str, number: int) -> bool:
        """Take an entry off the list of what was not taken, with its file; False if there is none."""
        for entry in self.refused(room):
            if entry.number == number:
                if entry.file:
                    (self.folder / "quarantine" / entry.file).unlink(missing_ok=True)
                await asyncio.to_thread(self._index.forget_refused, self._room(room), number)
                self.changed(room)
                return True
        return False

    def prune(self, before: float) -> int:
        """Let go of what came before a time (Unix seconds); returns how many files went."""
        old = self._index.old(before)
        for hashed, sop, file in old:
            self._unlink(file)
            self._index.remove(hashed, [sop])
        if old:
            self._rooms.clear()
        return len(old)

    def _unlink(self, file: str) -> None:
        path = self.folder / "rooms" / file
        # and what was made of it: a film as MP4
        for ending in (".dcm", ".mp4", ".json"):
            path.with_suffix(ending).unlink(missing_ok=True)

    def _note(self, room: str) -> None:
        self.versions[room] = self.versions.get(room, 0) + 1
        self.changed(room)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
