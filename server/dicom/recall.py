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
        #: of each object read, which images (the hospital's UIDs) its marks still wait for
        self._read: dict[str, frozenset[str]] = {}
        self._skipped: dict[str, int] = {}
        #: the marks that were put in: who takes one away does not get it again
        self._given: set[str] = set()
        self._looking = self._again = False

    @property
    def added(self) -> int:
        """How many marks were put in."""
        return len(self._given)

    @property
    def skipped(self) -> int:
        """How many could not be understood, or had no place."""
        return sum(self._skipped.values())

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
        # states before reports: they know the colours
        found = [
            record
            for record in store.instances(room)
            if is_readable(record.facts.SOPClassUID) and self._is_due(record)
        ]
        return sorted(found, key=lambda record: record.facts.Modality != "PR")

    def _is_due(self, record: Record) -> bool:
        """Tell whether an image is there that an object not read yet, or some of its marks, wait for."""
        waits_for = self._read.get(record.sop)
        return waits_for != frozenset() and any(
            waits_for is None or uid in waits_for for uid in self._images(record.study)
        )

    def _images(self, study: str) -> dict[str, Record]:
        """Gather a study's images that may be drawn on, by the hospital's UIDs."""
        conductor = self._conductor
        return {
            one.facts.SOPInstanceUID: one
            for one in conductor.service.images.store.instances(conductor.room.name)
            if one.study == study
            and one.facts.Rows
            and one.facts.Columns
            and conductor.bedside.match(one) in DRAWN_ON
        }

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
        images = self._images(record.study)
        sizes = {uid: [one.facts.Columns, one.facts.Rows] for uid, one in images.items()}
        self._read[record.sop] = frozenset()
        try:
            answer, _ = await store.decoder.ask("read_back", store.path(room, record.sop), sizes=sizes)
        except (DicomError, KeyError):
            self._skipped[record.sop] = 1
            return
        self._read[record.sop] = frozenset(answer["missing"])
        self._skipped[record.sop] = answer["skipped"]
        for mark in answer["marks"]:
            try:
                self._add(record, mark, images[mark["image"]])
            except AnnotationError as error:
                self._skipped[record.sop] += 1
                if error.code == "too_many_marks":
                    log.info("a room has no place for more marks of the archive")
                    return

    def _add(self, record: Record, mark: dict[str, Any], image: Record) -> None:
        conductor = self._conductor
        key, document = mark["key"], conductor.document
        if key and document.find(key) is not None:
            return
        uids = conductor.service.images.store.uids(conductor.room.name)
        # a mark of ours stands in a state and, if it measures, in a report: it is one
        which = key or f"{record.sop} {mark['shape']} {mark['points']} {mark['text']}"
        identifier = "pacs-" + uids.file_name(f"{which} {mark['frame']} {image.sop}")[:24]
        if identifier in self._given or document.find(identifier) is not None:
            return
        if not conductor.service.images.store.has_frame(conductor.room.name, image.sop, mark["frame"]):
            self._skipped[record.sop] += 1
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
        self._given.add(identifier)
