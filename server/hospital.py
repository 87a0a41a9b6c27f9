"""The hospital's systems as the rooms use them: what was found, what is being fetched, what goes to the archive."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotation.dicom.query import FoundStudy, StudyQuery
from signalling import notices
from signalling.patient import Identity, match
from signalling.permissions import may

from .dicom.copies import Copies
from .dicom.export import Export
from .dicom.outbox import Outbox
from .dicom.pacs import Pacs
from .dicom.pacs_error import PacsError
from .dicom.store import Added

if TYPE_CHECKING:
    from .conductor import Conductor
    from .member import Member
    from .service import Service

log = logging.getLogger(__name__)

#: Studies that a room remembers of its searches, and studies that are fetched at once of all rooms.
FOUND_LIMIT = 1_000
FETCHES_LIMIT = 8
#: Seconds for which one study may take: an archive that sends a byte now and then is given up.
FETCHING = 3600.0


@dataclass(slots=True)
class Fetch:
    """A study on its way into a room. `refused` counts what the store did not take."""

    job: str
    room: str
    by: str
    created: float
    total: int
    description: str
    state: str = "running"
    message: str = ""
    #: the message as a word for pages
    code: str = ""
    done: int = 0
    refused: int = 0
    task: asyncio.Task[None] | None = None

    def fail(self, code: str, message: str) -> None:
        """End without all that was asked for."""
        self.state, self.code, self.message = "failed", code, message

    def to_json(self) -> dict[str, Any]:
        """Describe for clients."""
        return {
            "job": self.job,
            "kind": "fetch",
            "by": self.by,
            "time": self.created * 1000,
            "description": self.description,
            "state": self.state,
            "message": self.message,
            "code": self.code,
            "done": self.done,
            "total": self.total,
            "refused": self.refused,
        }


class Hospital:
    """Lives as long as the server. To be made within a running event loop."""

    def __init__(self, service: Service) -> None:
        """Raise OSError or ValueError, with a sentence, at a wrong configuration."""
        config = service.config.pacs
        self._service = service
        self.pacs = Pacs(config)
        self.outbox = Outbox(
            Path(config.outbox), self.pacs, config.retry_seconds, service.wall_clock, self.changed
        )
        self.export = Export(service, self.outbox)
        self.copies = Copies(service)
        self._found: dict[str, dict[str, FoundStudy]] = {}
        self._fetches: dict[str, Fetch] = {}
        self._due: set[str] = set()

    def start(self) -> None:
        """Take up what is still to be sent."""
        if self.pacs.archive:
            self.outbox.start()

    async def close(self) -> None:
        """Give up what is being fetched; what is to be sent stays on the disk."""
        for fetch in self._fetches.values():
            if fetch.task is not None:
                fetch.task.cancel()
        self.copies.close()
        tasks = [fetch.task for fetch in self._fetches.values() if fetch.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.outbox.close()

    # -- what rooms are told -------------------------------------------------------------------------------------

    def describe(self, room: str) -> dict[str, Any]:
        """Say what is there, and how a room's jobs stand."""
        fetches = [fetch.to_json() for fetch in self._fetches.values() if fetch.room == room]
        sent = [job.to_json() for job in self.outbox.of(room)]
        jobs = [*fetches, *sent, *(copy.to_json() for copy in self.copies.of(room))]
        jobs.sort(key=lambda job: -float(job["time"]))
        return {
            "archive": self.pacs.archive,
            "name": self.pacs.name,
            "worklist": self.pacs.worklist_source,
            "search_in_address": self.pacs.search_in_address,
            "jobs": jobs[:50],
        }

    def tell(self, member: Member) -> None:
        """Tell a member who came."""
        # a copy may be taken where no hospital is configured, too
        if may(member.role, "images") and (
            self.pacs.archive or self.pacs.worklist_source or may(member.role, "copy_out")
        ):
            member.send(notices.hospital(self.describe(member.conductor.room.name)))

    def changed(self, room: str) -> None:
        """Tell a room, at most a few times a second."""
        if room not in self._due:
            self._due.add(room)
            asyncio.get_running_loop().call_later(0.2, self._tell_room, room)

    def _tell_room(self, room: str) -> None:
        self._due.discard(room)
        conductor = self._service.rooms.get(room)
        if conductor is not None:
            for member in conductor.members.values():
                self.tell(member)

    # -- looking and fetching ------------------------------------------------------------------------------------

    async def search(self, room: str, query: StudyQuery) -> dict[str, Any]:
        """Look for studies; each gets a name by which it is fetched. Raise PacsError."""
        found, more = await self.pacs.search(query)
        conductor = self._service.rooms.get(room)
        patient = conductor.bedside.patient if conductor is not None else None
        known = self._found.setdefault(room, {})
        uids = self._service.images.store.uids(room)
        studies = []
        for study in found:
            # the hospital's UIDs stay here
            name = "q-" + uids.file_name(study.study)[:24]
            known.pop(name, None)
            known[name] = study
            image = Identity(study.patient_id, study.issuer, study.name, study.birth_date)
            studies.append(
                {
                    "study": name,
                    "name": study.name,
                    "patient_id": study.patient_id,
                    "birth_date": study.birth_date,
                    "sex": study.sex,
                    "accession": study.accession,
                    "date": study.date,
                    "description": study.description,
                    "modalities": list(study.modalities),
                    "instances": study.instances,
                    "match": match(None if patient is None else patient.identity, image),
                }
            )
        while len(known) > FOUND_LIMIT:
            del known[next(iter(known))]
        return {"studies": studies, "more": more}

    def fetch(self, room: str, name: str, by: str) -> Fetch:
        """Begin to fetch a study that was found. Raise PacsError."""
        study = self._found.get(room, {}).get(name)
        if study is None:
            raise PacsError("not_found", "This study is not among those found any more; look again.")
        if sum(fetch.state == "running" for fetch in self._fetches.values()) >= FETCHES_LIMIT:
            raise PacsError("too_large", "So much is being fetched already; wait for some of it.")
        fetch = Fetch(
            f"f-{secrets.token_hex(6)}",
            room,
            by,
            self._service.wall_clock(),
            study.instances,
            study.description,
        )
        self._fetches[fetch.job] = fetch
        while len(self._fetches) > 200:
            oldest = next(iter(self._fetches))
            if self._fetches[oldest].state == "running":
                break
            del self._fetches[oldest]
        fetch.task = asyncio.create_task(self._fetch(fetch, study.study))
        self.changed(room)
        return fetch

    async def _fetch(self, fetch: Fetch, study: str) -> None:
        store, config = self._service.images.store, self._service.config.pacs
        folder = store.spool()
        folder = folder.with_name(folder.name + "-study")
        try:
            await asyncio.to_thread(folder.mkdir, mode=0o700)
            files = self.pacs.retrieve(study, folder, store.spool, config.study_mb << 20)
            async with asyncio.timeout(FETCHING), contextlib.aclosing(files):
                async for path in files:
                    verdict = await store.add(path, fetch.room, source="pacs")
                    fetch.done += 1
                    fetch.refused += not isinstance(verdict, Added)
                    self.changed(fetch.room)
            fetch.state = "done"
            if not fetch.done:
                fetch.fail("nothing_sent", f"{self.pacs.name} sent nothing of this study.")
        except PacsError as error:
            fetch.fail(error.word, str(error))
        except TimeoutError:
            fetch.fail("too_slow", "It took longer than an hour and was given up.")
        except OSError:
            fetch.fail("disk", "The server's disk refuses.")
        except asyncio.CancelledError:
            # what has come is kept
            fetch.state = "cancelled"
            raise
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            self.changed(fetch.room)

    # -- jobs ----------------------------------------------------------------------------------------------------

    def act(self, room: str, job: str, action: str) -> None:
        """Cancel, retry or dismiss a job of this room. Raise PacsError."""
        fetch = self._fetches.get(job)
        if fetch is not None and fetch.room == room:
            if action == "cancel" and fetch.task is not None:
                fetch.task.cancel()
            elif action == "dismiss" and fetch.state != "running":
                del self._fetches[job]
            self.changed(room)
            return
        if self.copies.act(room, job, action):
            self.changed(room)
            return
        going = self.outbox.jobs.get(job)
        if going is None or going.room != room:
            raise PacsError("not_found", "There is no such job in this room.")
        {"cancel": self.outbox.cancel, "retry": self.outbox.retry, "dismiss": self.outbox.dismiss}[action](
            going
        )

    def room_ended(self, conductor: Conductor) -> None:
        """Send what was drawn, if it is to go by itself."""
        self._found.pop(conductor.room.name, None)
        if self._service.config.pacs.send_at_end and self.pacs.archive and not self._service.stopping:
            self._service.keep(self.export.at_end(conductor))
