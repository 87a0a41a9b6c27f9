"""Writes what goes to the hospital, in a process of its own: images are decoded and drawn on
here, and not beside the rooms.

One job as a line of JSON on standard input; a line of JSON for each object, the last one with `done` or `error`. A job
with `copy` makes a de-identified copy (copy_writing.py), one with `targets` Web Annotations.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

from annotation.dicom.bundle import StillFile, labels_of, write_all
from annotation.dicom.errors import DicomError
from annotation.dicom.outgoing import DrawnMark, OutgoingError, Stamp, Subject, drawn_marks
from annotation.dicom.web_annotation import place_of, web_annotations
from annotation.operations import parse_entry
from annotation.still import parse_facing
from signalling.colours import dash

from .copy_writing import write_copy

MEMORY = 4 << 30


def new_uid() -> str:
    """Make a UID of a random UUID (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"


def marks_of(job: dict[str, Any]) -> list[DrawnMark]:
    """Take a job's marks, each with its author's dash."""
    drawn = drawn_marks(parse_entry(entry) for entry in job["marks"])
    return [replace(one, dash=dash(one.colour)) for one in drawn]


def stills_of(job: dict[str, Any]) -> list[StillFile]:
    """Take a job's stills."""
    return [
        StillFile(
            still["producer"],
            still["rtp_timestamp"],
            Path(still["path"]),
            parse_facing(still["orientation"]),
        )
        for still in job["stills"]
    ]


def annotate(job: dict[str, Any]) -> None:
    """Write Web Annotations with what was measured."""
    marks = marks_of(job)
    labels = labels_of(marks, {anchor: Path(path) for anchor, path in job["images"].items()})
    targets = {place: (url, width, height) for place, (url, width, height) in job["targets"].items()}
    page = web_annotations(marks, lambda drawn: targets.get(place_of(drawn)), job["identifier"], labels)
    Path(job["folder"], "annotations.json").write_text(json.dumps(page, ensure_ascii=False), "utf-8")


def write(job: dict[str, Any]) -> None:
    """Write what goes to the hospital."""
    folder, marks, stills = Path(job["folder"]), marks_of(job), stills_of(job)
    images = {anchor: Path(path) for anchor, path in job["images"].items()}
    subject = None if job["subject"] is None else Subject(**job["subject"])
    stamp = Stamp(job["now"], new_uid, job["software"], job["creator"], job["institution"])
    for number, written in enumerate(write_all(marks, images, stills, subject, job["want"], stamp)):
        if isinstance(written, OutgoingError):
            _say(problem=str(written), code="not_written")
            continue
        path = folder / f"{number}.dcm"
        written.dataset.save_as(path, enforce_file_format=True)
        _say(
            file=path.name,
            kind=written.kind,
            images=written.images,
            marks=written.marks,
            bytes=path.stat().st_size,
        )


def _say(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Take the job, do it, say so."""
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    os.nice(5)
    job: dict[str, Any] = json.loads(sys.stdin.readline())
    try:
        if "copy" in job:
            job |= {"new_uid": new_uid, "identifier": str(uuid.uuid4())}
            write_copy(job, marks_of(job), stills_of(job), _say, sys.stdin.readline)
        elif "targets" in job:
            annotate(job)
        else:
            write(job)
    except (DicomError, OutgoingError) as error:
        _say(error=str(error), code="not_written")
    except MemoryError:
        _say(error="Writing it takes more memory than there is for it.", code="no_memory")
    except OSError:
        _say(error="The server's disk refuses.", code="disk")
    except Exception:
        # whatever an image's attributes did to the libraries
        _say(error="An image's attributes could not be carried over.", code="not_written")
    else:
        _say(done=True)


if __name__ == "__main__":
    main()
