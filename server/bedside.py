"""The room's patient: chosen from the worklist, told to each as his role may know him, held against every image."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from annotation.anchors import DicomAnchor
from signalling import notices
from signalling.patient import DRAWN_ON, Identity, Match, Patient, match
from signalling.patient_messages import ChoosePatient
from signalling.permissions import Role
from signalling.room import RoomError
from signalling.worklist import Entry

from .dicom.index import Record

if TYPE_CHECKING:
    from .conductor import Conductor
    from .member import Member

#: What of the worklist a room remembers, the newest.
ENTRIES_LIMIT = 2_000

#: Choices that are remembered beside the newest: nobody changes the patient so often within the age of a frame.
CHOICES_LIMIT = 20

#: From what is well to what is not.
_GRAVITY: list[Match] = ["unchosen", "same", "unknown", "doubtful", "other"]


class Bedside:
    """One room's patient, and the entries that it can be chosen from."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._entries: dict[str, Entry] = {}
        self.patient: Patient | None = None
        #: what it was chosen by: its study and accession name what goes back to the hospital
        self.entry: Entry | None = None
        #: from when on (Unix seconds) which key was chosen: frames are kept that are older than the newest choice
        self._choices: list[tuple[float, str | None]] = []
        conductor.image_checks.insert(0, self._check)
        self._restore()

    def offer(self, entries: Iterable[Entry]) -> list[str]:
        """Remember entries; returns what they are chosen by."""
        names = []
        for entry in entries:
            name = self._conductor.service.images.store.uids(self._conductor.room.name).patient_key(
                f"{entry.patient_id}\\{entry.accession}\\{entry.procedure}\\{entry.starts}", "worklist"
            )
            name = f"w-{name[2:]}"
            self._entries.pop(name, None)
            self._entries[name] = entry
            names.append(name)
        while len(self._entries) > ENTRIES_LIMIT:
            del self._entries[next(iter(self._entries))]
        return names

    def choose(self, member: Member, message: ChoosePatient) -> None:
        """Choose the patient, tell everybody and the recording. Raise RoomError."""
        conductor = self._conductor
        conductor.room.demand(member.identifier, "choose_patient")
        entry = None
        if message.entry is not None:
            entry = self._entries.get(message.entry)
            if entry is None:
                raise RoomError("not_found", "This entry is not in the worklist any more; look again.")
        self._set(entry)
        kept = json.dumps(asdict(entry)) if entry is not None else ""
        conductor.service.images.store.keep_patient(conductor.room.name, kept)
        for other in conductor.members.values():
            other.send(notices.patient(self.describe(other.role)))
        # a recording is seen by those who may not see the patient
        conductor.write_down(
            {"kind": "patient_chosen", "participant": member.identifier, "patient": self.key}
        )
        conductor.service.images.patient_changed(conductor.room.name)

    def end(self) -> None:
        """Forget the patient: the last one has left. The next consultation in this room is perhaps of another."""
        self._conductor.service.images.store.keep_patient(self._conductor.room.name, "")

    def _restore(self) -> None:
        """Take up the patient of a room whose server ended while people were in it: its images are there, too."""
        kept = self._conductor.service.images.store.kept_patient(self._conductor.room.name)
        if kept:
            # what a server of another version wrote may have other fields: then somebody chooses anew
            with contextlib.suppress(ValueError, TypeError):
                self._set(Entry(**json.loads(kept)))

    def _set(self, entry: Entry | None) -> None:
        conductor = self._conductor
        self.entry = entry
        self.patient = None
        if entry is not None:
            uids = conductor.service.images.store.uids(conductor.room.name)
            self.patient = Patient(
                Identity(entry.patient_id, entry.issuer, entry.name, entry.birth_date),
                uids.patient_key(entry.patient_id, entry.issuer),
                entry.sex,
                entry.accession,
                entry.procedure,
            )
            conductor.veiling.chosen(self.patient)
        self._choices = [*self._choices[-CHOICES_LIMIT:], (conductor.service.now(), self.key)]

    def write_present(self) -> None:
        """Write down who is chosen as a recording begins."""
        self._conductor.write_down({"kind": "patient_chosen", "patient": self.key})

    @property
    def key(self) -> str | None:
        """What the patient is called within the room; None: none is chosen."""
        return None if self.patient is None else self.patient.key

    def key_at(self, time: float) -> str | None:
        """Tell who was chosen at a moment, Unix seconds: a frame of it is of him, whoever is chosen since."""
        return next((key for since, key in reversed(self._choices) if since <= time), None)

    def describe(self, role: Role) -> dict[str, object] | None:
        """Describe the patient as a role may know him."""
        return None if self.patient is None else self.patient.to_json(role)

    def match(self, record: Record) -> Match:
        """Tell whether an image is of the room's patient."""
        facts = record.facts
        image = Identity(facts.PatientID, facts.IssuerOfPatientID, facts.PatientName, facts.PatientBirthDate)
        return match(None if self.patient is None else self.patient.identity, image)

    def matches(self, records: Iterable[Record]) -> dict[str, Match]:
        """Tell of each study (by the room's UID) whether it is the patient's: the worst of its images counts."""
        worst: dict[str, Match] = {}
        for record in records:
            found = self.match(record)
            if _GRAVITY.index(found) >= _GRAVITY.index(worst.get(record.study, "unchosen")):
                worst[record.study] = found
        return worst

    def _check(self, _: Member, anchor: DicomAnchor) -> bool:
        store, room = self._conductor.service.images.store, self._conductor.room.name
        record = store.find(room, anchor.sop_instance_uid)
        if record is None:
            return False
        if self.match(record) not in DRAWN_ON:
            raise RoomError(
                "wrong_patient", "This image is of another patient than the room's: no mark is put on it."
            )
        return store.has_frame(room, record.sop, anchor.frame)
