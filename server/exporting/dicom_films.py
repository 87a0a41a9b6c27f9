"""Whose film a DICOM export is, under which names it goes, and its way to the archive.

The patient is the room's chosen one, taken from the worklist and never typed, and only if the recording has him chosen
all through the range: the recording itself knows its patients by keys that tell nothing. The archive gets the film by
the outbox, as all objects do.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from recorder.export.dicom_options import FEWEST_DAYS, MOST_DAYS, DicomOptions
from recorder.export.kinds import ExportError
from recorder.export.work import CONTEXT, REQUEST
from recorder.parts import open_part, read_part
from recorder.seal.keys import DataKey
from recorder.seal.suites import SealError

from ..dicom.export import VERSION
from ..dicom.outbox import Outgoing
from ..dicom.pacs_error import PacsError
from .rows import Row

if TYPE_CHECKING:
    from ..service import Service

KIND: Final = "dicom"
#: What the outbox calls it.
OBJECT: Final = "film"

_PIECE = 1 << 20
_MAX_REQUEST = 1 << 20


async def context_for(
    service: Service, recording: str, room: str, options: DicomOptions, by: str
) -> dict[str, Any]:
    """Make what is laid beside the request. Raise ExportError, UnknownRecording, SealError, OSError."""
    context: dict[str, Any] = {
        "series": _uid(),
        "instance": _uid(),
        "now": service.wall_clock(),
        "software": VERSION,
        "institution": service.config.pacs.institution,
        "by": by,
        "days": None,
    }
    if options.deidentified:
        if options.dates == "moved":
            context["days"] = FEWEST_DAYS + secrets.randbelow(MOST_DAYS - FEWEST_DAYS + 1)
        return context | {"study": _uid(), "subject": None, "institution": ""}
    if options.send and not service.hospital.pacs.archive:
        raise ExportError("No archive is configured.", "no_archive")
    described = await asyncio.to_thread(service.archive.library.description, recording)
    description: dict[str, Any] = described or {}
    seconds = float(description.get("seconds") or 0.0)
    end = seconds if options.film.end is None else min(options.film.end, seconds)
    recorded = patient_within(description.get("events") or [], options.film.begin, end)
    conductor = service.rooms.get(room)
    subject = None if conductor is None else service.hospital.export.subject(conductor)
    if conductor is None or subject is None:
        raise ExportError(
            "Choose this recording's patient in its room first: whose film it is comes from the worklist.",
            "patient_not_in_room",
        )
    if conductor.bedside.key != recorded:
        raise ExportError(
            "Another patient is chosen in the room than when this was recorded.", "other_patient"
        )
    return context | {"study": subject["study"], "subject": subject}


def patient_within(events: Iterable[object], begin: float, end: float) -> str:
    """Give the key of the one patient who was chosen all through a range (seconds). Raise ExportError."""
    before: str | None = None
    inside: list[tuple[float, str | None]] = []
    choices = [one for one in events if isinstance(one, dict) and one.get("kind") == "patient_chosen"]
    for event in sorted(choices, key=lambda one: float(one.get("at") or 0.0)):
        at = float(event.get("at") or 0.0)
        key = event.get("patient") if isinstance(event.get("patient"), str) else None
        if at <= begin + _AT_ONCE:
            before = key
        elif at < end:
            inside.append((at, key))
    keys = {before, *(key for _, key in inside)}
    if keys == {None}:
        raise ExportError(
            "No patient was chosen when this was recorded: its film can be made de-identified alone.",
            "no_patient",
        )
    if len(keys) > 1:
        at = next(at for at, key in inside if key != before)
        raise ExportError(
            f"The patient was chosen, or another one was, at {at:.0f} s of this range: take a part on one side of it.",
            "patient_changed",
        )
    assert before is not None
    return before


#: The patient who is chosen as a recording begins is written down a moment after its beginning.
_AT_ONCE: Final = 0.5


async def hand_over(
    service: Service, row: Row, folder: Path, files: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Put a film into the outbox, if it is to go to the archive; gives the files with what became of that.

    Raise SealError, OSError where the export itself cannot be read.
    """
    if row.kind != KIND or not files:
        return files
    key = await asyncio.to_thread(service.archive.library.key, row.recording)
    asked = json.loads(await asyncio.to_thread(read_part, folder / REQUEST, key, _MAX_REQUEST))
    if asked.get("send") is not True:
        return files
    name = str(files[0]["name"])
    context = json.loads(await asyncio.to_thread(read_part, folder / CONTEXT, key, _MAX_REQUEST))
    outbox = service.hospital.outbox
    try:
        job = outbox.begin(row.room, str(context.get("by") or "Konsil"))
    except (PacsError, OSError):
        return [files[0] | {"archive": ""}, *files[1:]]
    try:
        await asyncio.to_thread(bring, folder / name, key, outbox.path(job) / name)
        job.objects.append(Outgoing(name, OBJECT, 1, 0, int(files[0]["bytes"])))
    except (OSError, SealError):
        job.problem, job.code = "The server's disk refuses.", "disk"
    outbox.ready(job)
    return [files[0] | {"archive": job.job}, *files[1:]]


def take_back(service: Service, files: Iterable[dict[str, Any]]) -> None:
    """Have a film not go to the archive whose export was removed meanwhile; what is sent stays sent."""
    outbox = service.hospital.outbox
    for file in files:
        job = outbox.jobs.get(str(file.get("archive") or ""))
        if job is not None:
            sending = job.state == "sending"
            outbox.cancel(job)
            if not sending:  # else its file is being read: it goes when its day is over
                outbox.dismiss(job)


def bring(source: Path, key: DataKey | None, target: Path) -> None:
    """Open a sealed file into the outbox, piece by piece; whole or not at all. Raise OSError, SealError."""
    half = target.with_name(target.name + ".half")
    try:
        with open_part(source, key) as opened, half.open("wb") as out:
            shutil.copyfileobj(opened, out, _PIECE)
        half.rename(target)
    except BaseException:
        half.unlink(missing_ok=True)
        raise


def on_its_way(service: Service, files: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say of each file that goes to the archive how it stands there; null: the outbox does not know it any more."""
    told = []
    for file in files:
        if "archive" in file:
            job = service.hospital.outbox.jobs.get(file["archive"])
            state = None
            if file["archive"] == "":
                state = {
                    "state": "failed",
                    "message": "The outbox takes nothing more.",
                    "code": "outbox_full",
                }
            elif job is not None:
                refused = next((one for one in job.objects if one.state == "refused"), None)
                message, code = (refused.why, refused.code) if refused else (job.problem, job.code)
                state = {"state": job.state, "message": message, "code": code}
            told.append(file | {"archive": state})
        else:
            told.append(file)
    return told


def _uid() -> str:
    return f"2.25.{uuid.uuid4().int}"
