"""What of a room goes to the hospital: gathered here, written by a process of its own, put into the outbox."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotation.anchors import DicomAnchor, VideoAnchor
from annotation.dicom.kinds import KINDS
from annotation.dicom.measuring import MEASURING
from annotation.dicom.outgoing import DrawnMark, drawn_marks
from annotation.dicom.web_annotation import place_of
from annotation.operations import Add, Entry
from annotation.still import Still
from signalling.patient import DRAWN_ON

from ..stills import StillStore
from .forking import forker
from .outbox import Outbox, OutboxJob, Outgoing
from .pacs_error import PacsError

if TYPE_CHECKING:
    from ..conductor import Conductor
    from ..service import Service

log = logging.getLogger(__name__)

#: Seconds for which writing all of a room's objects may take: a capture of 4K takes one.
WRITING = 600.0
#: Of this software, as it stands in what it writes.
VERSION = "0.1.0"
#: What is asked for where nothing else is.
USUAL = ("presentation", "report", "key_objects", "capture_marked")


class Export:
    """Gathers, has written, hands over."""

    def __init__(self, service: Service, outbox: Outbox) -> None:
        self._service, self._outbox = service, outbox

    # -- what there is -------------------------------------------------------------------------------------------

    def entries(self, conductor: Conductor, *, archived: bool = False) -> list[Entry]:
        """List the marks that can go: on the patient's images and on stills; `archived`: also those of the archive."""
        store, room = self._service.images.store, conductor.room.name
        found = []
        for entry in conductor.document.visible_entries():
            if not isinstance(entry.operation, Add) or (entry.author.startswith("pacs-") and not archived):
                continue
            anchor = entry.operation.mark.anchor
            if isinstance(anchor, DicomAnchor):
                record = store.find(room, anchor.sop_instance_uid) if store.exists else None
                if record is not None and conductor.bedside.match(record) in DRAWN_ON:
                    found.append(entry)
            elif isinstance(anchor, VideoAnchor) and anchor.still:
                still = conductor.document.still(anchor.producer, anchor.rtp_timestamp)
                if still is not None and _why_not(conductor, still) is None:
                    found.append(entry)
        return found

    def stills(self, conductor: Conductor) -> list[Still]:
        """List the frozen frames that go: those of the chosen patient."""
        return [still for still in shared_stills(conductor) if _why_not(conductor, still) is None]

    def left_out(self, conductor: Conductor) -> list[dict[str, Any]]:
        """Count what does not go, and say why: it is not known to be the chosen patient's."""
        store, room = self._service.images.store, conductor.room.name
        counted: Counter[tuple[str, str]] = Counter()
        for still in shared_stills(conductor):
            why = _why_not(conductor, still)
            if why is not None:
                counted["still", why] += 1
        for entry in conductor.document.visible_entries():
            anchor = entry.operation.mark.anchor if isinstance(entry.operation, Add) else None
            if isinstance(anchor, DicomAnchor) and not entry.author.startswith("pacs-"):
                record = store.find(room, anchor.sop_instance_uid) if store.exists else None
                if record is None or conductor.bedside.match(record) not in DRAWN_ON:
                    counted["mark", "gone" if record is None else "other_patient"] += 1
        return [{"what": what, "reason": why, "count": n} for (what, why), n in sorted(counted.items())]

    def preview(self, conductor: Conductor) -> dict[str, Any]:
        """Say what would go, by kind, and what stands against it."""
        entries, stills = self.entries(conductor), self.stills(conductor)
        marks = [entry.operation.mark for entry in entries if isinstance(entry.operation, Add)]
        anchors = [mark.anchor for mark in marks if isinstance(mark.anchor, DicomAnchor)]
        frames = {(anchor.sop_instance_uid, anchor.frame) for anchor in anchors}
        images = {anchor.sop_instance_uid for anchor in anchors}
        measuring = sum(m.shape in MEASURING and isinstance(m.anchor, DicomAnchor) for m in marks)
        drawn_on = {
            (m.anchor.producer, m.anchor.rtp_timestamp) for m in marks if isinstance(m.anchor, VideoAnchor)
        }
        marked_stills = [still for still in stills if (still.producer, still.rtp_timestamp) in drawn_on]
        on_stills = sum(isinstance(mark.anchor, VideoAnchor) for mark in marks)
        counts = {
            "presentation": (len(images), len(anchors)),
            "report": (len(images) if measuring else 0, measuring),
            "key_objects": (len(images), 0),
            "capture_marked": (len(frames) + len(marked_stills), len(anchors) + on_stills),
            "capture_plain": (len(frames) + len(stills), 0),
        }
        return {
            "patient": conductor.bedside.describe("surgeon"),
            "objects": [
                {"kind": kind, "images": counts[kind][0], "marks": counts[kind][1], "usual": kind in USUAL}
                for kind in KINDS
            ],
            "stills": len(stills),
            "left_out": self.left_out(conductor),
        }

    # -- sending -------------------------------------------------------------------------------------------------

    def send(
        self, conductor: Conductor, want: Sequence[str], by: str, patient: str | None = None
    ) -> OutboxJob:
        """Begin to write and send what is wanted; `patient`: whose preview was looked at. Raise PacsError, OSError."""
        if not self._service.hospital.pacs.archive:
            raise PacsError("not_configured", "No archive is configured.")
        if patient is not None and patient != (conductor.bedside.key or ""):
            raise PacsError(
                "patient_changed", "Another patient was chosen meanwhile. Look again at what goes."
            )
        entries = self.entries(conductor)
        if not entries and not self.stills(conductor):
            raise PacsError("nothing", "Nothing is drawn on an image or a still that could be sent.")
        asked = self._job(conductor, entries, want, by)
        job = self._outbox.begin(conductor.room.name, by)
        self._service.keep(self._write(job, asked))
        return job

    async def at_end(self, conductor: Conductor) -> None:
        """Send the usual when a room has ended, if there is anything."""
        left = self.left_out(conductor)
        if left:
            told = ", ".join(f"{one['count']} {one['what']}s {one['reason']}" for one in left)
            log.warning("left out of what goes to the archive at a room's end: %s", told)
        try:
            self.send(conductor, USUAL, "Konsil")
        except (PacsError, OSError) as error:
            log.info("nothing went to the archive at a room's end: %s", type(error).__name__)

    def _job(
        self, conductor: Conductor, entries: Sequence[Entry], want: Sequence[str], by: str
    ) -> dict[str, Any]:
        config = self._service.config.pacs
        return {
            "marks": [entry.to_json() for entry in entries],
            "images": self._images(conductor, entries),
            **self.stills_and_subject(conductor, self.stills(conductor)),
            "want": [kind for kind in KINDS if kind in want],
            "now": self._service.wall_clock(),
            "software": VERSION,
            "creator": by,
            "institution": config.institution,
        }

    def stills_and_subject(self, conductor: Conductor, stills: Sequence[Still]) -> dict[str, Any]:
        """Describe stills, and whose they are, for the process that writes."""
        described = [
            {
                "producer": s.producer,
                "rtp_timestamp": s.rtp_timestamp,
                "orientation": None if s.orientation is None else s.orientation.to_json(),
            }
            for s in stills
        ]
        return {"stills": described, "subject": self.subject(conductor)}

    # -- Web Annotations -----------------------------------------------------------------------------------------

    async def annotations(
        self,
        conductor: Conductor,
        locate: Callable[[DrawnMark], tuple[str, int, int] | None],
        identifier: str,
    ) -> bytes:
        """Write the chosen patient's marks as Web Annotations, with what they measure. Raise PacsError, OSError."""
        entries = self.entries(conductor, archived=True)
        targets = {place_of(one): found for one in drawn_marks(entries) if (found := locate(one)) is not None}
        store = self._service.images.store
        folder = store.spool()
        folder = folder.with_name(folder.name + "-annotations")
        asked = {
            "marks": [entry.to_json() for entry in entries],
            "images": self._images(conductor, entries),
            "targets": targets,
            "identifier": identifier,
            "folder": str(folder.absolute()),
        }
        await asyncio.to_thread(folder.mkdir, mode=0o700)
        try:
            process = await forker("writing_program").fork()
            try:
                process.writer.write(json.dumps(asked).encode() + b"\n")
                async with asyncio.timeout(WRITING):
                    said = await process.reader.readline()
            finally:
                await process.end()
            if "done" not in (json.loads(said) if said else {}):
                raise PacsError("broken", "The annotations could not be written.")
            return await asyncio.to_thread((folder / "annotations.json").read_bytes)
        except TimeoutError:
            raise PacsError("broken", "Writing the annotations took too long and was given up.") from None
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _images(self, conductor: Conductor, entries: Sequence[Entry]) -> dict[str, str]:
        """Name the files of the images that marks stand on, by the room's UIDs."""
        store, room = self._service.images.store, conductor.room.name
        return {
            anchor.sop_instance_uid: str(store.path(room, anchor.sop_instance_uid).absolute())
            for entry in entries
            if isinstance(entry.operation, Add)
            and isinstance(anchor := entry.operation.mark.anchor, DicomAnchor)
        }

    def subject(self, conductor: Conductor) -> dict[str, str] | None:
        """Give the chosen patient as objects bear him; None: nobody is chosen."""
        patient, entry = conductor.bedside.patient, conductor.bedside.entry
        if patient is None or entry is None:
            return None
        # the study that was planned, else one of the consultation's own
        return {
            "study": entry.study or f"2.25.{uuid.uuid4().int}",
            "patient_id": patient.identity.patient_id,
            "patient_name": patient.identity.name,
            "birth_date": patient.identity.birth_date,
            "sex": patient.sex,
            "issuer": patient.identity.issuer,
            "accession": patient.accession,
            "study_description": patient.study_description or "Consultation",
        }

    async def _write(self, job: OutboxJob, asked: dict[str, Any]) -> None:
        folder = self._outbox.path(job).absolute()
        try:
            await asyncio.to_thread(bring_stills, self._service.stills, job.room, folder, asked)
            async with asyncio.timeout(WRITING):
                await self._run(job, folder, asked)
        except TimeoutError:
            job.problem, job.code = "Writing it took too long and was given up.", "too_slow"
        except OSError:
            job.problem, job.code = "The server's disk refuses.", "disk"
        if job.state == "writing":
            await asyncio.to_thread(_take_away, asked["stills"])
            self._outbox.ready(job)

    async def _run(self, job: OutboxJob, folder: Path, asked: dict[str, Any]) -> None:
        process = await forker("writing_program").fork()
        try:
            process.writer.write(json.dumps({**asked, "folder": str(folder)}).encode())
            process.writer.write_eof()
            finished = False
            async for text in process.reader:
                line = json.loads(text)
                if "file" in line:
                    one = Outgoing(line["file"], line["kind"], line["images"], line["marks"], line["bytes"])
                    job.objects.append(one)
                    self._outbox.keep(job)
                elif "done" in line:
                    finished = True
                else:
                    # one that cannot be written does not hold up the others
                    job.problem, job.code = line.get("problem") or line["error"], line["code"]
            if not finished and not job.problem:
                job.problem, job.code = "Writing it broke off.", "writing_broke_off"
        finally:
            await process.end()


def bring_stills(stills: StillStore, room: str, folder: Path, asked: dict[str, Any]) -> None:
    """Put the stills that are asked for into a folder; those that had to go are not asked for any more."""
    kept = []
    for still in asked["stills"]:
        name = f"{still['producer']}-{still['rtp_timestamp']}"
        found = stills.find(room, name)
        png = None if found is None else stills.read(room, found)
        if png is not None:
            path = folder / f"{name}.png"
            path.write_bytes(png)
            kept.append({**still, "path": str(path)})
    asked["stills"] = kept


def shared_stills(conductor: Conductor) -> list[Still]:
    """List the frozen frames that all have seen, each once."""
    found = {}
    for entry in conductor.document.notes("stills"):
        note = entry.operation
        if isinstance(note, Still) and note.for_all:
            found[note.producer, note.rtp_timestamp] = note
    return list(found.values())


def _why_not(conductor: Conductor, still: Still) -> str | None:
    """Tell why a still does not go; None: it is the chosen patient's."""
    chosen = conductor.bedside.key
    if chosen is None:
        return "unchosen"
    if still.patient is None:
        return "frozen_unchosen"
    return None if still.patient == chosen else "other_patient"


def _take_away(stills: list[dict[str, Any]]) -> None:
    for still in stills:
        Path(still["path"]).unlink(missing_ok=True)
