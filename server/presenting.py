"""Presenting (PROTOCOL.md, section 11): tells everybody who presents, and passes on the newest of what it sees."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from signalling import notices
from signalling.entities import ParticipantId
from signalling.presenter import Presenter
from signalling.presenter_messages import Present, Viewport

if TYPE_CHECKING:
    from .conductor import Conductor
    from .member import Member
    from .room_recorder import RoomRecorder

#: Seconds between two viewports in a recording: a replay follows the eye, a journal need not hold each step of a mouse.
WRITE_EVERY: Final = 0.2

#: Series that one recording names: a presenter may say that he sees whatever he likes.
MOST_NAMED: Final = 500


class Presenting:
    """A room's presenting as the server serves it."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self.presenter = Presenter(conductor.room)
        self._unwritten: dict[str, Any] | None = None
        #: Series that are named in the recording that runs, and the one that it is.
        self._named: set[str] = set()
        self._named_in: RoomRecorder | None = None
        self._writing: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether everything that was seen is written down."""
        return self._unwritten is None

    def carry_out(self, member: Member, message: Present) -> None:
        """Do what a member asked for, and tell everybody. Raise RoomError."""
        before = self.presenter.participant
        if self.presenter.carry_out(member.identifier, message):
            self._tell(changed=self.presenter.participant != before)

    def gone(self, identifier: ParticipantId) -> None:
        """Note that a participant is gone."""
        before = self.presenter.participant
        if self.presenter.gone(identifier):
            self._tell(changed=self.presenter.participant != before)

    def show(self, member: Member, viewport: Viewport) -> None:
        """Pass on what the presenter sees; what anybody else says is dropped: it crossed a handing over."""
        if not self.presenter.show(member.identifier, viewport):
            return
        told = notices.viewport(member.identifier, viewport.n, viewport.sent, viewport.state)
        for other in self._conductor.members.values():
            if other is not member:
                other.view_latest(told)
        if self._conductor.recorder is None:
            return
        self._unwritten = {"kind": "viewport", "participant": member.identifier, "state": viewport.state}
        if self._writing is None:
            self._write()
            self._writing = asyncio.get_running_loop().call_later(WRITE_EVERY, self._handle_write)

    def write_present(self) -> None:
        """Write down who presents what as a recording begins."""
        presenter = self.presenter
        if presenter.participant is None:
            return
        self._conductor.write_down({"kind": "presenter", "participant": presenter.participant})
        if presenter.viewport is not None:
            self._write_viewport(
                {
                    "kind": "viewport",
                    "participant": presenter.participant,
                    "state": presenter.viewport.state,
                }
            )

    def close(self) -> None:
        """Wait for nothing any more."""
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def _tell(self, *, changed: bool) -> None:
        self._write()
        told = notices.presenter(self.presenter.to_json())
        for member in self._conductor.members.values():
            if changed:
                # what its predecessor showed is over
                member.view_latest(None)
            member.send(told)
        self._conductor.write_down({"kind": "presenter", "participant": self.presenter.participant})

    def _handle_write(self) -> None:
        self._writing = None
        if self._unwritten is not None and self._conductor.recorder is not None:
            self._write()
            self._writing = asyncio.get_running_loop().call_later(WRITE_EVERY, self._handle_write)

    def _write(self) -> None:
        if self._unwritten is not None:
            self._write_viewport(self._unwritten)
            self._unwritten = None

    def _write_viewport(self, event: dict[str, Any]) -> None:
        """Write down what is seen, and what a series is when it is seen first: its images may be gone one day."""
        if self._named_in is not self._conductor.recorder:
            self._named_in, self._named = self._conductor.recorder, set()
        for series in {pane["series"] for pane in event["state"]["panes"] if pane is not None} - self._named:
            self._name(series, event["participant"])
        self._conductor.write_down(event)

    def _name(self, series: str, participant: object) -> None:
        store = self._conductor.service.images.store
        if len(self._named) >= MOST_NAMED or not store.exists:
            return
        self._named.add(series)
        facts = [one.facts for one in store.instances(self._conductor.room.name) if one.series == series]
        if facts:
            # nothing by which a patient could be known
            self._conductor.write_down(
                {
                    "kind": "images_shown",
                    "participant": participant,
                    "series": series,
                    "modality": facts[0].Modality,
                    "number": facts[0].SeriesNumber,
                    "images": sum(max(1, one.NumberOfFrames) for one in facts),
                }
            )
