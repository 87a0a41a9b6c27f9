"""Writes a de-identified copy, in the writing program: one object after the other, each when the last has been taken.

The images come first, from the files as they came; all else is written from the de-identified ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Final

from annotation.dicom.bundle import StillFile, labels_of, write_all
from annotation.dicom.copying import NO_MOMENT, copy_of, state_written
from annotation.dicom.deidentify import Options
from annotation.dicom.errors import DicomError
from annotation.dicom.outgoing import DrawnMark, OutgoingError, Stamp, Subject
from annotation.dicom.pseudonyms import Words, kept_instructions, pseudonymous
from annotation.dicom.room_uids import RoomUids
from annotation.dicom.web_annotation import place_of, web_annotations
from recorder.small_writes import write_file

#: The folder within the copy of what is written.
FOLDERS: Final = {
    "presentation": "marks",
    "report": "measurements",
    "key_objects": "marks",
    "capture_marked": "pictures",
    "capture_plain": "pictures",
}
DAY: Final = 86_400.0

ABOUT: Final = """De-identified copy, made by Konsil {software}

Objects: {objects}{problems}

Images were treated by PS3.15 annex E, Basic Application Confidentiality Profile; each object states the options in its
De-identification Method Code Sequence (0012,0064). UIDs and identifiers are this copy's own and lead nowhere else.
{dates}
Private attributes, overlays and curves are removed. Pixels are as they were: pictures in which words may stand are in
this copy only if a person looked at them and chose them. A head's volume may show a face. Words of marks are in this
copy only if a person read them and chose them. Who drew is named by his role.
"""


def write_copy(
    job: dict[str, Any],
    drawn: Sequence[DrawnMark],
    stills: Sequence[StillFile],
    say: Callable[..., None],
    taken: Callable[[], str],
) -> None:
    """Write it into the job's folder. `say` tells of a file, `taken` returns when it is no longer needed."""
    _Writing(job, drawn, stills, say, taken).write()


class _Writing:
    def __init__(
        self,
        job: dict[str, Any],
        drawn: Sequence[DrawnMark],
        stills: Sequence[StillFile],
        say: Callable[..., None],
        taken: Callable[[], str],
    ) -> None:
        copy = job["copy"]
        self._say, self._taken, self._job = say, taken, job
        self._uids = RoomUids(bytes.fromhex(copy["key"]))
        self._options = Options(copy["characteristics"], copy["days"], "UIDs of this copy alone")
        self._folder, self._stills = Path(job["folder"]), stills
        self._numbers = {kind: count(1) for kind in ("image", *FOLDERS)}
        moment = NO_MOMENT if copy["days"] is None else job["now"] - copy["days"] * DAY
        self._stamp = Stamp(moment, job["new_uid"], job["software"])
        self._marks = [
            replace(one, time=moment if copy["days"] is None else one.time - copy["days"] * DAY)
            for one in pseudonymous(drawn, copy["roles"], copy["texts"], self._uids)
        ]
        words = [Words(**one) for one in copy["words"]]
        self._asked = kept_instructions(words, copy["texts"], self._uids)
        #: where images and stills are within the copy, and how large they are
        self._places: dict[str, tuple[str, int, int]] = {}
        self._objects = self._problems = 0

    def write(self) -> None:
        """Write all of it."""
        drawn_on = {place.partition(" ")[0] for one in self._marks if (place := place_of(one))}
        images = {}
        for image in self._job["images"]:
            path = self._image(image)
            if path is None:
                continue
            if image["sop"] in drawn_on:
                images[image["sop"]] = path
            else:
                path.unlink()
        self._about(images)
        if "annotations" in self._job["want"]:
            self._annotations(images)
        text = ABOUT.format(
            software=self._job["software"],
            objects=self._objects,
            problems=f"; {self._problems} could not be written and are not in it" if self._problems else "",
            dates="Dates are removed."
            if self._options.days is None
            else "Dates are moved, all by the same number of days, which nobody kept.",
        )
        self._give("README.txt", "about", text.encode())

    def _image(self, image: dict[str, Any]) -> Path | None:
        try:
            data = copy_of(Path(image["path"]), self._uids, self._options)
        except DicomError as error:
            self._problem(error.code)
            return None
        name = f"images/{next(self._numbers['image']):05d}.dcm"
        self._objects += 1
        for frame in range(1, max(1, image["frames"]) + 1):
            where = f"{name}#frame={frame}" if image["frames"] > 1 else name
            self._places[f"{image['sop']} {frame}"] = (where, image["columns"], image["rows"])
        return self._give(name, "image", data, keep=True)

    def _about(self, images: dict[str, Path]) -> None:
        """Write what is about the images and the stills."""
        on_images = [one for one in self._marks if place_of(one).partition(" ")[0] in images]
        on_stills = [one for one in self._marks if " " not in place_of(one)]
        subject = None
        if self._job["subject"] is not None:
            who = self._job["subject"]
            subject = Subject(
                study=self._uids.uid(who["study"]),
                patient_id=self._uids.patient_key(who["patient_id"], who["issuer"]),
                patient_name="Anonymous",
            )
        everything = (*on_images, *on_stills)
        for written in write_all(everything, images, self._stills, subject, self._job["want"], self._stamp):
            if isinstance(written, OutgoingError):
                self._problem("not_written")
                continue
            dataset = state_written(written.dataset, self._options)
            name = f"{FOLDERS[written.kind]}/{written.kind}-{next(self._numbers[written.kind]):04d}.dcm"
            self._objects += 1
            if written.still is not None:
                place = f"{written.still.producer}-{written.still.rtp_timestamp}"
                self._places.setdefault(place, (name, int(dataset.Columns), int(dataset.Rows)))
            path = self._folder / name
            path.parent.mkdir(exist_ok=True)
            dataset.save_as(path, enforce_file_format=True)
            self._told(name, written.kind)
            path.unlink()

    def _annotations(self, images: dict[str, Path]) -> None:
        labels = labels_of(self._marks, images)
        page = web_annotations(
            self._marks,
            lambda drawn: self._places.get(place_of(drawn)),
            f"urn:uuid:{self._job['identifier']}",
            labels,
            instructions=self._asked,
            dated=self._options.days is not None,
        )
        self._give("annotations.json", "annotations", json.dumps(page, ensure_ascii=False, indent=1).encode())

    def _give(self, name: str, kind: str, data: bytes, *, keep: bool = False) -> Path:
        path = self._folder / name
        path.parent.mkdir(exist_ok=True)
        write_file(path, data)
        self._told(name, kind)
        if not keep:
            path.unlink()
        return path

    def _told(self, name: str, kind: str) -> None:
        self._say(file=name, kind=kind)
        if not self._taken():
            # nobody takes it any more
            raise BrokenPipeError

    def _problem(self, code: str) -> None:
        self._problems += 1
        self._say(problem=code)
