"""De-identified copies of a room's images and marks, for what leaves the house: looked at, chosen, made and sent.

What may go is what could go to the archive: the chosen patient's. Pictures in which words may stand, frozen frames and
everything that was typed are left out unless whoever asks has looked at them. A copy is made while it is sent: of the
ZIP file nothing is kept. Its UIDs are made with a key that nobody keeps.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import shutil
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotation.dicom.describe import word_of_warning
from annotation.dicom.outgoing import DrawnMark, drawn_marks
from annotation.dicom.pseudonyms import words_of
from annotation.dicom.web_annotation import place_of
from annotation.operations import Entry
from annotation.veiled import veiled_entry
from signalling.patient import DRAWN_ON

from .copy_request import WANTED, CopyRequest
from .export import VERSION, bring_stills
from .forking import forker
from .index import Record
from .pacs_error import PacsError
from .zip_stream import ZipStream

if TYPE_CHECKING:
    from signalling.tokens import Claims

    from ..conductor import Conductor
    from ..service import Service

log = logging.getLogger(__name__)

#: Seconds within which what was asked for has to be fetched, and copies of all rooms at once.
FETCHED_WITHIN = 60.0
COPIES_LIMIT = 4
#: Seconds that one object may take to be written, and one piece to be taken by whoever fetches.
PATIENCE = 120.0
#: Bytes that are sent at once.
PIECE = 1 << 20
#: Days by which dates are moved, at least and at most.
DAYS = (365, 3_650)
#: What of a room's copies is still shown when they are over.
SHOWN = 20


@dataclass(slots=True, eq=False)
class Copy:
    """A copy that somebody asked for. `problem` is a word for programs; `missing` counts what could not be written."""

    job: str
    room: str
    by: str
    link: str
    created: float
    asked: dict[str, Any]
    total: int
    state: str = "asked"
    problem: str = ""
    done: int = 0
    missing: int = 0
    bytes: int = 0
    task: asyncio.Task[None] | None = None

    def to_json(self) -> dict[str, Any]:
        """Describe for clients."""
        return {
            "job": self.job,
            "kind": "copy",
            "by": self.by,
            "time": self.created * 1000,
            "state": self.state,
            "message": "",
            "code": self.problem,
            "done": self.done,
            "total": self.total,
            "missing": self.missing,
            "bytes": self.bytes,
        }


class Copies:
    """All rooms' copies: what is under way, and what was."""

    def __init__(self, service: Service) -> None:
        self._service = service
        #: by the ticket by which one is fetched, once
        self._tickets: dict[str, Copy] = {}
        self._copies: list[Copy] = []

    def of(self, room: str) -> list[Copy]:
        """List a room's copies."""
        return [copy for copy in self._copies if copy.room == room]

    def close(self) -> None:
        """Break off what is being made: whoever fetches it has to ask again."""
        self._tickets.clear()
        for copy in self._copies:
            if copy.task is not None:
                copy.task.cancel()

    def act(self, room: str, job: str, action: str) -> bool:
        """Cancel or dismiss a copy of a room; False: there is none of this name."""
        for copy in self.of(room):
            if copy.job == job:
                if action == "cancel" and copy.task is not None:
                    copy.task.cancel()
                elif action == "dismiss" and copy.state != "writing":
                    self._copies.remove(copy)
                return True
        return False

    # -- what there is -------------------------------------------------------------------------------------------

    def _images(self, conductor: Conductor) -> list[Record]:
        """List the images that may go: those of the chosen patient, without films."""
        store, room = self._service.images.store, conductor.room.name
        records = store.instances(room) if store.exists else []
        mine = [r for r in records if r.facts.kind == "image" and conductor.bedside.match(r) in DRAWN_ON]
        return sorted(mine, key=lambda r: (r.facts.SeriesNumber, r.series, r.facts.InstanceNumber, r.sop))

    def preview(self, conductor: Conductor) -> dict[str, Any]:
        """Say what could be in a copy, with everything that somebody has to look at first."""
        export = self._service.hospital.export
        marks, stills = drawn_marks(_entries(conductor)), export.stills(conductor)
        on = Counter(_stands_on(drawn) for drawn in marks)
        series: dict[str, dict[str, Any]] = {}
        for record in self._images(conductor):
            one = series.setdefault(
                record.series,
                {
                    "study": record.study,
                    "series": record.series,
                    "modality": record.facts.Modality,
                    "number": record.facts.SeriesNumber,
                    "description": record.facts.SeriesDescription,
                    "images": 0,
                    "marks": 0,
                    "pictures": [],
                },
            )
            one["images"] += 1
            one["marks"] += on[record.sop]
            if record.facts.burned_in != "NO":
                why = word_of_warning(record.facts.burned_in)
                frames = max(1, record.facts.NumberOfFrames)
                picture = {"picture": record.sop, "why": why, "marks": on[record.sop], "frames": frames}
                one["pictures"].append(picture)
        return {
            "patient": conductor.bedside.describe("surgeon"),
            "series": list(series.values()),
            "stills": [
                {"still": name, "label": s.label, "marks": on[name]}
                for s in stills
                if (name := f"{s.producer}-{s.rtp_timestamp}")
            ],
            "texts": [
                {"text": w.words_id, "kind": w.kind, "words": w.words, "by": w.name}
                for w in words_of(marks, _instructions(conductor))
            ],
            "left_out": export.left_out(conductor),
        }

    # -- asking for one ------------------------------------------------------------------------------------------

    def ask(self, conductor: Conductor, request: CopyRequest, claims: Claims) -> str:
        """Take the choice as it is now; returns the ticket by which the copy is fetched. Raise PacsError."""
        if request.patient != (conductor.bedside.key or ""):
            raise PacsError(
                "patient_changed", "Another patient was chosen meanwhile. Look again at what goes."
            )
        room, now = conductor.room.name, self._service.wall_clock()
        self._tickets = {
            ticket: copy for ticket, copy in self._tickets.items() if copy.created + FETCHED_WITHIN > now
        }
        running = sum(copy.state == "writing" for copy in self._copies) + len(self._tickets)
        if running >= COPIES_LIMIT:
            raise PacsError("too_large", "So many copies are being made already; wait for one of them.")
        asked = self._job(conductor, request)
        if not asked["images"] and not asked["stills"]:
            raise PacsError("nothing", "Nothing was chosen that could be in a copy.")
        copy = Copy(
            f"c-{secrets.token_hex(6)}", room, claims.name, claims.link, now, asked, len(asked["images"])
        )
        ticket = secrets.token_hex(32)
        self._tickets[ticket] = copy
        return ticket

    def _job(self, conductor: Conductor, request: CopyRequest) -> dict[str, Any]:
        export, store, room = self._service.hospital.export, self._service.images.store, conductor.room.name
        images = [
            record
            for record in self._images(conductor)
            if record.series in request.series
            and (record.facts.burned_in == "NO" or record.sop in request.pictures)
        ]
        stills = [s for s in export.stills(conductor) if f"{s.producer}-{s.rtp_timestamp}" in request.stills]
        there = {record.sop for record in images} | {f"{s.producer}-{s.rtp_timestamp}" for s in stills}
        entries = [e for e in _entries(conductor) if _stands_on(drawn_marks([e])[0]) in there]
        words = words_of(drawn_marks(entries), _instructions(conductor))
        return {
            "copy": {
                "key": secrets.token_hex(32),
                "days": None
                if request.dates == "removed"
                else DAYS[0] + secrets.randbelow(DAYS[1] - DAYS[0]),
                "characteristics": request.characteristics,
                "roles": dict(conductor.roles),
                "texts": sorted(request.texts),
                "words": [asdict(one) for one in words],
            },
            "marks": [entry.to_json() for entry in entries],
            "images": [
                {
                    "sop": record.sop,
                    "path": str(store.path(room, record.sop).absolute()),
                    "frames": record.facts.NumberOfFrames,
                    "columns": record.facts.Columns,
                    "rows": record.facts.Rows,
                }
                for record in images
            ],
            **export.stills_and_subject(conductor, stills),
            "want": [kind for kind in WANTED if kind in request.want],
            "now": self._service.wall_clock(),
            "software": VERSION,
        }

    # -- making it -----------------------------------------------------------------------------------------------

    def fetch(self, ticket: str) -> Copy | None:
        """Find what a ticket is for, once; None: for nothing any more."""
        copy = self._tickets.pop(ticket, None)
        if copy is None or copy.created + FETCHED_WITHIN <= self._service.wall_clock():
            return None
        return copy

    async def make(self, copy: Copy) -> AsyncGenerator[bytes, None]:
        """Write a copy; gives the bytes of its ZIP file. It breaks off if the copy cannot be finished."""
        copy.state, copy.task = "writing", asyncio.current_task()
        self._copies = [*self._copies[-SHOWN:], copy]
        folder = self._service.images.store.spool()
        folder = folder.with_name(folder.name + "-copy")
        try:
            await asyncio.to_thread(folder.mkdir, mode=0o700)
            await asyncio.to_thread(bring_stills, self._service.stills, copy.room, folder, copy.asked)
            async for piece in self._write(copy, folder):
                copy.bytes += len(piece)
                yield piece
            copy.state = "done"
        except TimeoutError:
            copy.state, copy.problem = "failed", "too_slow"
        except OSError:
            copy.state, copy.problem = "failed", "disk"
        finally:
            if copy.state == "writing":
                # whoever fetched it went away, or it was stopped
                copy.state = "cancelled"
            copy.asked, copy.task = {}, None
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            log.info(
                "a de-identified copy %s: %d objects, %d bytes, %d not written, asked for by link %.8s",
                "left the house" if copy.state == "done" else f"broke off ({copy.state})",
                *(copy.done, copy.bytes, copy.missing, copy.link),
            )
            self._service.hospital.changed(copy.room)

    async def _write(self, copy: Copy, folder: Path) -> AsyncGenerator[bytes, None]:
        packed = ZipStream()
        process = await forker("writing_program").fork()
        try:
            process.writer.write(json.dumps({**copy.asked, "folder": str(folder)}).encode() + b"\n")
            while True:
                async with asyncio.timeout(PATIENCE):
                    text = await process.reader.readline()
                line = json.loads(text) if text else {"error": "broke_off"}
                if "file" in line:
                    copy.done += line["kind"] not in ("about", "annotations")
                    self._service.hospital.changed(copy.room)
                    with (folder / line["file"]).open("rb") as file:
                        size = (folder / line["file"]).stat().st_size
                        head = packed.begin(line["file"], size)
                        while piece := await asyncio.to_thread(file.read, PIECE):
                            yield head + packed.write(piece)
                            head = b""
                    yield head + packed.end()
                    process.writer.write(b"taken\n")
                elif "problem" in line:
                    copy.missing += 1
                elif "done" in line:
                    break
                else:
                    raise OSError("writing a copy broke off")
        finally:
            await process.end()
        yield packed.finish()


def _entries(conductor: Conductor) -> list[Entry]:
    """List the marks that may go. What is known of the patient is hidden in their words before anybody reviews them."""
    found = conductor.service.hospital.export.entries(conductor)
    return [veiled_entry(entry, conductor.veiling.words) for entry in found]


def _instructions(conductor: Conductor) -> list[Entry]:
    return [veiled_entry(e, conductor.veiling.words) for e in conductor.document.notes("instructions")]


def _stands_on(drawn: DrawnMark) -> str:
    """Name the image (the room's UID) or the still that a mark stands on."""
    return place_of(drawn).partition(" ")[0]
