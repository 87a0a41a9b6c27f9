"""Marks that came into a room as presentation states or reports are read and put where they stood.

Their authors are those whom the file names, under identifiers that no participant has: so nobody edits them, and each
is a layer of its own. What the room still has itself is not added twice.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from annotation.anchors import DicomAnchor
from annotation.dicom.errors import DicomError
from annotation.dicom.read_back import WIDTH, is_readable
from annotation.operations import Add
from annotation.shapes import parse_mark
from annotation.values import AnnotationError
from signalling.patient import DRAWN_ON

from .index import Record

if TYPE_CHECKING:
    from ..conductor import Conductor

log = logging.getLogger(__name__)

#: What stands behind the name of an author whom a file names.
SUFFIX = " (PACS)"


class Recall:
    """One room's reading of what came from the archive."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._read: set[str] = set()
        self._looking = self._again = False
        #: marks that were put in, and what could not be understood
        self.added = self.skipped = 0

    def look(self) -> None:
        """Read what has come since, in the background."""
        self._again = True
        if not self._looking and self._waiting():
            self._looking = True
            self._conductor.service.keep(self._look())

    def _waiting(self) -> list[Record]:
        store, room = self._conductor.service.images.store, self._conductor.room.name
        if not store.exists:
            return []
        # one that came before its images is read when they are there; states before reports: they know the colours
        found = [
            record
            for record in store.instances(room)
            if is_readable(record.facts.SOPClassUID) and record.sop not in self._read
        ]
        return sorted(found, key=lambda record: record.facts.Modality != "PR")

    async def _look(self) -> None:
        try:
            while self._again:
                self._again = False
                for record in self._waiting():
                    await self._one(record)
        finally:
            self._looking = False

    async def _one(self, record: Record) -> None:
        conductor = self._conductor
        store, room = conductor.service.images.store, conductor.room.name
        images = {
            one.facts.SOPInstanceUID: one
            for one in store.instances(room)
            if one.facts.Rows and one.facts.Columns and one.study == record.study
        }
        if not images:
            return
        self._read.add(record.sop)
        sizes = {uid: [one.facts.Columns, one.facts.Rows] for uid, one in images.items()}
        try:
            answer, _ = await store.decoder.ask("read_back", store.path(room, record.sop), sizes=sizes)
        except (DicomError, KeyError):
            self.skipped += 1
            return
        self.skipped += answer["skipped"]
        for number, mark in enumerate(answer["marks"]):
            image = images.get(mark["image"])
            if image is None or conductor.bedside.match(image) not in DRAWN_ON:
                self.skipped += 1
                continue
            try:
                self._add(record, number, mark, image)
            except AnnotationError as error:
                self.skipped += 1
                if error.code == "too_many_marks":
                    log.info("a room has no place for more marks of the archive")
                    return

    def _add(self, record: Record, number: int, mark: dict[str, Any], image: Record) -> None:
        conductor = self._conductor
        key, document = mark["key"], conductor.document
        if key and document.find(key) is not None:
            return
        uids = conductor.service.images.store.uids(conductor.room.name)
        # a mark of ours stands in a state and, if it measures, in a report: it is one
        which = key or f"{record.sop} {number}"
        identifier = "pacs-" + uids.file_name(f"{which} {mark['frame']} {image.sop}")[:24]
        if document.find(identifier) is not None:
            return
        if not conductor.service.images.store.has_frame(conductor.room.name, image.sop, mark["frame"]):
            self.skipped += 1
            return
        body = {
            "mark": identifier,
            "shape": mark["shape"],
            "anchor": DicomAnchor(image.sop, mark["frame"]).to_json(),
            "points": mark["points"],
            "width": WIDTH,
            "text": mark["text"],
        }
        author = "pacs-" + uids.pseudonym("author", mark["name"])
        name = mark["name"][: 80 - len(SUFFIX)] + SUFFIX
        conductor.decide(Add(parse_mark(body)), author, name, mark["colour"])
        self.added += 1
