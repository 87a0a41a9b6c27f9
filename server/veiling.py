"""What people write, told to each as his role may know the patient: live, to late comers, and for the replay.

The journal gets what was written and, beside it, how it reads for those who may not see the patient: so no recording
holds a name that nobody wrote, and a replay needs no patient to hide one. What is written beside a recording afterwards
is hidden by what `recorded_patients` keeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from annotation.document import Tail
from annotation.operations import Entry
from annotation.veiled import VEILED, veiled_entry, veiled_tail
from recorder.seal.keys import DataKey
from signalling import notices
from signalling.patient import Patient
from signalling.permissions import Role, may
from signalling.veil import Veil

if TYPE_CHECKING:
    from .conductor import Conductor

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
