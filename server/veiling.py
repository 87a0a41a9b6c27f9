"""What people write, told to each as his role may know the patient: live, to late comers, and for the replay.

The journal gets what was written and, beside it, how it reads for those who may not see the patient: so no recording
holds a name that nobody wrote, and a replay needs no patient to hide one. What is written beside a recording afterwards
is hidden by what `recorded_patients` keeps (`Reading`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from annotation.document import Tail
from annotation.operations import Entry
from annotation.veiled import VEILED, Hide, veiled_entry, veiled_tail
from recorder.seal.keys import DataKey
from signalling import notices
from signalling.patient import Patient
from signalling.permissions import Role, may
from signalling.veil import Veil

if TYPE_CHECKING:
    from .conductor import Conductor
    from .recorded_patients import Known
    from .service import Service

#: Patients of one room whose names stay hidden: what was written of the one before is still there.
PATIENTS_LIMIT: Final = 20


def is_veiled(role: Role) -> bool:
    """Tell whether a role reads what is written with the patient hidden."""
    return not may(role, "patient")


class Veiling:
    """One room's veil."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._patients: list[Patient] = []
        self._veil = Veil()
        #: of this consultation, ended ones too: notes on them are written meanwhile
        self._recordings: dict[str, DataKey | None] = {}

    def begun(self, recording: str, key: DataKey | None) -> None:
        """Write down how what stands already reads, and who is known of so far, as a recording begins."""
        self._recordings[recording] = key
        self._keep(recording)
        self.write_present()

    def chosen(self, patient: Patient) -> None:
        """Hide this patient too, from now on, from who comes later, and in the recording that runs."""
        if patient in self._patients:
            return
        self._patients = [*self._patients[-PATIENTS_LIMIT:], patient]
        self._veil = Veil(self._patients)
        self.write_present()
        for recording in self._recordings:
            self._keep(recording)

    def concerns(self, recording: str) -> bool:
        """Tell whether the consultation of a recording still lasts."""
        return recording in self._recordings

    def end(self) -> None:
        """Say that nobody more will be chosen: the room ends."""
        for recording in self._recordings:
            self._keep(recording, final=True)
        self._recordings = {}

    def _keep(self, recording: str, *, final: bool = False) -> None:
        service = self._conductor.service
        key, patients = self._recordings[recording], tuple(self._patients)
        service.keep(service.recorded_patients.keep(recording, key, patients, final=final))

    def words(self, text: str) -> str:
        """Give a text as those may read it who may not see the patient."""
        return self._veil.hide(text)

    def tail(self, role: Role, tail: Tail) -> Tail:
        """Give what a client lacks as its role may read it."""
        return veiled_tail(tail, self._veil.hide) if self._veil and is_veiled(role) else tail

    def tell(self, entry: Entry) -> None:
        """Tell everybody a decided operation, each as his role may read it, and the recording both."""
        conductor = self._conductor
        notice = notices.operation(entry.to_json(), entry.text)
        hidden = veiled_entry(entry, self._veil.hide) if self._veil else entry
        other = notice if hidden is entry else notices.operation(hidden.to_json(), hidden.text)
        for member in conductor.members.values():
            member.send(other if is_veiled(member.role) else notice)
        if conductor.recorder is not None:
            conductor.recorder.receive_operation(notice.body, conductor.service.now())
            if hidden is not entry:
                self._write_down(hidden)

    def write_present(self) -> None:
        """Write down how what stands already reads."""
        if self._conductor.recorder is None or not self._veil:
            return
        for entry in self._conductor.document.after(0).entries:
            if (hidden := veiled_entry(entry, self._veil.hide)) is not entry:
                self._write_down(hidden)

    def _write_down(self, entry: Entry) -> None:
        words = {"sequence": entry.sequence, "operation": entry.operation.to_json()}
        self._conductor.write_down({"kind": VEILED, **words})


@dataclass(frozen=True, slots=True)
class Veiled:
    """How somebody reads what others wrote of some recordings.

    `hide` hides whoever is known, for what is told in any case; `is_all`: nobody is missing in it.
    """

    hide: Hide
    is_all: bool

    def told(self, body: Mapping[str, Any], *fields: str) -> dict[str, Any]:
        """Give a body with these texts as they may be read: empty and `withheld` where somebody may be missing."""
        if self.is_all:
            return {**body, **{field: self.hide(body[field]) for field in fields}}
        if not any(body[field] for field in fields):
            return dict(body)
        return {**body, **dict.fromkeys(fields, ""), "withheld": True}


class Reading:
    """What one answer tells a role of what others wrote beside recordings; looks each recording up once."""

    def __init__(self, service: Service, room: str, role: Role) -> None:
        self._service = service
        self._room = room
        self._role = role
        self._known: dict[str, Known] = {}

    async def of(self, *recordings: str | None) -> Veiled:
        """Hide the patients of these recordings, and of who is in the room now; None: one that is there no more."""
        if not is_veiled(self._role):
            return Veiled(str, is_all=True)
        for recording in recordings:
            if recording is not None and recording not in self._known:
                self._known[recording] = await self._service.recorded_patients.known(recording)
        known = [self._known[recording] for recording in recordings if recording is not None]
        veil = Veil(dict.fromkeys(patient for one in known for patient in one.patients))
        is_all = None not in recordings and all(one.is_all for one in known)
        conductor = self._service.rooms.get(self._room)
        # of who is in the room now something may have been written, too
        hide = veil.hide if conductor is None else lambda text: conductor.veiling.words(veil.hide(text))
        return Veiled(hide, is_all)
