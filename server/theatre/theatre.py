"""Who may show a recording to a room, and what is told of it. One is shown at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from recorder.journal import JournalError
from recorder.library import JOURNAL, UnknownRecording, read_header
from recorder.seal.keys import DataKey
from recorder.seal.suites import SealError
from signalling import notices
from signalling.entities import ParticipantId
from signalling.room import RoomError
from signalling.theatre_messages import ShowRecording

from ..keeping.audit import doer_in, write
from .attendance import Counting
from .showing import Showing

if TYPE_CHECKING:
    from pathlib import Path

    from media.ids import ProducerId

    from ..conductor import Conductor
    from ..member import Member


class Theatre:
    """The recording that a room is shown.

    Who may replay and guide (surgeon, chair) opens and closes it; who may replay and teach (these and experts) plays,
    pauses and seeks, for all. Whoever may replay is sent it: not observers, and no view-only player, which could not
    say that what it shows was recorded.
    """

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._showing: Showing | None = None
        self._counting: Counting | None = None

    @property
    def alone(self) -> bool:
        """Whether nobody is in the room but the recording."""
        mine = self._showing.member if self._showing is not None else None
        return mine is not None and set(self._conductor.members) == {mine.identifier}

    async def carry_out(self, member: Member, message: ShowRecording) -> None:
        """Do what a member asks for. Raise RoomError."""
        room = self._conductor.room
        room.demand(member.identifier, "replay")
        room.demand(member.identifier, "guide" if message.action in ("open", "close") else "teach")
        me = room.participant(member.identifier)
        by = me.name if me is not None else ""
        if message.action == "open":
            await self._open(message, by)
            doer = doer_in(room.name, me)
            await write(self._conductor.service, doer, "shown_in_room", message.recording)
            return
        showing = self._showing
        if showing is None or not (showing.ready or message.action == "close"):
            raise RoomError("not_showing", "No recording is shown just now.")
        showing.by = by
        match message.action:
            case "close":
                self.close("closed")
            case "seek":
                showing.ask("seek", position=message.position)
            case "speed":
                showing.ask("speed", speed=message.speed)
            case _:
                showing.ask(message.action)

    async def _open(self, message: ShowRecording, by: str) -> None:
        if self._showing is not None:
            raise RoomError("already_showing", "A recording is shown already. Close it first.")
        conductor, name = self._conductor, message.recording
        if name in conductor.service.archive.running:
            raise RoomError("still_recording", "This recording is not finished yet.")
        showing = self._showing = Showing(conductor, name, by, message.position, self._tell, self.close)
        self._counting = Counting(conductor, showing)
        try:
            folder, key = await asyncio.to_thread(self._find, name)
            await showing.start(folder, key, message.producers)
        except (UnknownRecording, JournalError, OSError):
            self._forget(showing)
            raise RoomError("not_found", "This room has no such recording.") from None
        except SealError as error:
            self._forget(showing)
            raise RoomError("not_found", str(error)) from None
        if self._showing is showing:
            self._tell()

    def _find(self, name: str) -> tuple[Path, DataKey | None]:
        """Look a recording of this room up; another room's does not exist. Call it in a thread."""
        library = self._conductor.service.archive.library
        folder = library.folder(name)
        if read_header(folder / JOURNAL).room != self._conductor.room.name:
            raise UnknownRecording("This room has no such recording.")
        return folder, library.key(name)

    def _forget(self, showing: Showing) -> None:
        if self._showing is showing:
            self._showing = self._counting = None
        showing.close()

    def want_key_frame(self, producer: ProducerId) -> None:
        """Note that somebody lacks a picture to begin with."""
        if self._showing is not None and producer in self._showing.producers.values():
            self._showing.ask("lacking")

    def gone(self, identifier: ParticipantId) -> None:
        """Note that a participant is gone: the recording itself may have been shown out."""
        showing = self._showing
        if self._counting is not None:
            self._counting.look(identifier)
        if showing is not None and showing.member is not None and showing.member.identifier == identifier:
            self.close("closed")

    def tell(self, member: Member) -> None:
        """Tell a newcomer what is shown."""
        if self._showing is not None:
            member.send(notices.showing(self._showing.to_json()))
        if self._counting is not None:
            self._counting.look()

    def write_present(self) -> None:
        """Write down what is shown as a recording begins."""
        if self._showing is not None:
            self._write(self._showing)

    def forget(self, recording: str) -> None:
        """End what is shown if it is this recording, which is deleted."""
        if self._showing is not None and self._showing.recording == recording:
            self.close("closed")

    def close(self, reason: str) -> None:
        """End what is shown, if anything is, and say why."""
        showing, self._showing = self._showing, None
        counting, self._counting = self._counting, None
        if showing is None:
            return
        if counting is not None:
            counting.close()
        conductor = self._conductor
        showing.close()
        conductor.tell_all(notices.showing(None, reason))
        conductor.write_down({"kind": "showing", "showing": None})
        if showing.member is not None and conductor.members.get(showing.member.identifier) is showing.member:
            conductor.leave(showing.member)
        conductor.pump()

    def _tell(self) -> None:
        if self._showing is not None:
            self._conductor.tell_all(notices.showing(self._showing.to_json()))
            self._write(self._showing)
            if self._counting is not None:
                self._counting.look()
            self._conductor.pump()

    def _write(self, showing: Showing) -> None:
        """Write down what is shown, so that nobody takes it for live in a replay of this room either."""
        if showing.ready:
            self._conductor.write_down({"kind": "showing", "showing": showing.to_json()})
