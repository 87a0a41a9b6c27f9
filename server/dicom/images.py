"""The images of all rooms within the server: the store, its decoders, and who is told what."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from annotation.dicom import listing
from annotation.dicom.listing import Listed
from signalling import notices
from signalling.permissions import Role, may

from .decoder import Decoder
from .index import Record
from .store import Store

if TYPE_CHECKING:
    from ..conductor import Conductor
    from ..member import Member
    from ..service import Service

log = logging.getLogger(__name__)

#: Seconds for which changes are gathered before a room is told: a series of 1,000 slices is not told 1,000 times.
GATHERED = 0.5
#: Seconds between two looks for images whose time is over.
PRUNING = 3600.0


class Images:
    """Holds the store while the server runs. To be made within a running event loop."""

    def __init__(self, service: Service) -> None:
        config = service.config.dicom
        self._service = service
        self.decoder = Decoder(config.workers, seconds=config.decode_seconds, memory_mb=config.decode_mb)
        self.store = Store(
            Path(config.folder),
            service.secret,
            self.decoder,
            file_bytes=config.file_mb << 20,
            room_bytes=config.room_mb << 20,
            now=service.wall_clock,
            look=service.scanner.look,
        )
        self.store.changed = self._changed
        self._due: dict[str, asyncio.TimerHandle] = {}
        self._pruning: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to let go of what is too old."""
        if self._service.config.dicom.keep_days and self.store.exists:
            self._pruning = asyncio.create_task(self._prune())

    async def close(self) -> None:
        """End the workers, close the index."""
        for timer in self._due.values():
            timer.cancel()
        if self._pruning is not None:
            self._pruning.cancel()
            await asyncio.gather(self._pruning, return_exceptions=True)
        await self.decoder.close()
        self.store.close()

    async def _prune(self) -> None:
        while True:
            before = self._service.wall_clock() - self._service.config.dicom.keep_days * 86400.0
            gone = await asyncio.to_thread(self.store.prune, before)
            if gone:
                log.info("%d DICOM files were kept for their time and are gone", gone)
            await asyncio.sleep(PRUNING)

    # -- who sees what -------------------------------------------------------------------------------------------

    def listed(self, room: str, role: Role) -> list[Listed]:
        """List a room's instances as a role sees them, in the order of series and numbers."""
        records = sorted(
            self.store.instances(room), key=lambda r: (r.facts.SeriesNumber, r.facts.InstanceNumber, r.sop)
        )
        return [Listed(r.study, r.series, r.sop, r.facts, r.patient_key, withheld(r, role)) for r in records]

    def notice(self, room: str, role: Role) -> notices.ServerMessage:
        """Say which studies a room has, to a role."""
        found = listing.summary(self.listed(room, role), patient=may(role, "patient"))
        conductor = self._service.rooms.get(room)
        if conductor is not None:
            worst = conductor.bedside.matches(self.store.instances(room))
            found = [study | {"match": worst[study["StudyInstanceUID"]]} for study in found]
        return notices.studies(found, self._aside(room) if may(role, "images") else None)

    def _aside(self, room: str) -> dict[str, int]:
        """Count what was put aside: files that were not taken, pictures that are withheld from some."""
        warned = [r.released for r in self.store.instances(room) if r.facts.burned_in != "NO"]
        return {
            "refused": self.store.count_refused(room),
            "withheld": warned.count(False),
            "released": warned.count(True),
        }

    def patient_changed(self, room: str) -> None:
        """Look anew at whose the images are."""
        if self.store.exists and self.store.instances(room):
            self._changed(room)

    def tell(self, member: Member) -> None:
        """Tell a member who came which studies there are."""
        room = member.conductor.room.name
        if self.store.exists and (self.store.instances(room) or self.store.count_refused(room)):
            member.send(self.notice(room, member.role))

    def _changed(self, room: str) -> None:
        if room not in self._due:
            loop = asyncio.get_running_loop()
            self._due[room] = loop.call_later(GATHERED, self._tell_room, room)

    def _tell_room(self, room: str) -> None:
        self._due.pop(room, None)
        conductor: Conductor | None = self._service.rooms.get(room)
        if conductor is None:
            return
        conductor.recall.look()
        by_role: dict[Role, notices.ServerMessage] = {}
        for member in conductor.members.values():
            if member.role not in by_role:
                by_role[member.role] = self.notice(room, member.role)
            member.send(by_role[member.role])


def withheld(record: Record, role: Role) -> bool:
    """Tell whether a role is not shown an instance's pixels, since words in them may name the patient."""
    return record.facts.burned_in != "NO" and not record.released and not may(role, "patient")
