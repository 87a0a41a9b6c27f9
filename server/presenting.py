"""Presenting (PROTOCOL.md, section 11): tells everybody who presents, and passes on the newest of what it sees."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from signalling import notices
from signalling.entities import ParticipantId
from signalling.presenter import Presenter
from signalling.presenter_messages import Present, Viewport

if TYPE_CHECKING:
    from .conductor import Conductor
    from .member import Member

#: Seconds between two viewports in a recording: a replay follows the eye, a journal need not hold each step of a mouse.
WRITE_EVERY: Final = 0.2


class Presenting:
    """A room's presenting as the server serves it."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self.presenter = Presenter(conductor.room)
        self._unwritten: dict[str, object] | None = None
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
            event: dict[str, object] = {
                "kind": "viewport",
                "participant": presenter.participant,
                "state": presenter.viewport.state,
            }
            self._conductor.write_down(event)

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
            self._conductor.write_down(self._unwritten)
            self._unwritten = None
