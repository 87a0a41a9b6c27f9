"""The hospital's systems as one: its archive by DICOMweb or DIMSE, as it is configured; its worklist, or FHIR."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from annotation.dicom.query import FoundStudy, StudyQuery
from annotation.dicom.storing import SLOWEST
from signalling.worklist import Entry

from ..config import PacsConfig
from ..secret_file import load_shared_secret
from .dicom_tls import client_context
from .dimse import Peer
from .fhir import Fhir
from .moves import Arrival, Moves, Queue
from .pacs_error import LARGE, SLOW, UNSAID, PacsError, Verdict, refusal
from .pacs_web import WebPacs

#: Seconds that an archive may take to send a study; how long it may be silent is another matter.
MOVING: Final = 3600.0


class Pacs:
    """Asks the hospital. Raise OSError or ValueError, with a sentence, at a wrong configuration."""

    def __init__(self, config: PacsConfig) -> None:
        self.name = config.name
        self._config = config
        self._web: WebPacs | None = None
        self._peer: Peer | None = None
        self._worklist: Peer | None = None
        self._fhir: Fhir | None = None
        #: studies that the archive is to send to our port
        self.moves = Moves()
        if config.dicomweb:
            password = _secret(config.password_file, "password_file")
            token = _secret(config.token_file, "token_file")
            self._web = WebPacs(
                config.dicomweb, config.name, config.seconds, config.user, password, token, config.ca_file
            )
        if config.dimse:
            self._peer = self._at(config.dimse, config.name)
        if config.worklist:
            self._worklist = self._at(config.worklist, "The worklist")
        if config.fhir:
            token = _secret(config.fhir_token_file, "fhir_token_file")
            self._fhir = Fhir(
                WebPacs(config.fhir, "The FHIR server", config.seconds, token=token, ca=config.ca_file)
            )

    def _at(self, address: str, name: str) -> Peer:
        config, tls = self._config, None
        if config.dimse_tls:
            tls = (config.ca_file, config.certificate, config.private_key)
            # what is wrong with the files is said before anybody needs them
            client_context(*tls)
        return Peer.parse(address, config.aet, name, config.seconds, tls=tls)

    @property
    def archive(self) -> bool:
        """Whether there is an archive."""
        return self._web is not None or self._peer is not None

    @property
    def search_in_address(self) -> bool:
        """Whether what is looked for stands in an address: QIDO-RS knows no other way (PS3.18 8.3.4)."""
        return self._web is not None and self._peer is None

    @property
    def sender(self) -> str:
        """The title by which the archive sends to our port, if it is asked to; else empty."""
        return self._peer.title if self._peer is not None and self._config.move else ""

    @property
    def worklist_source(self) -> str:
        """Where the patients come from: worklist, fhir, or nowhere (empty)."""
        return "worklist" if self._worklist is not None else "fhir" if self._fhir is not None else ""

    async def echo(self) -> None:
        """Ask whether the archive is there. Raise PacsError."""
        if self._peer is not None:
            async with contextlib.aclosing(self._peer.errand("echo")) as lines:
                async for _ in lines:
                    pass
        elif self._web is not None:
            await self._web.json("/studies", {"limit": "1"})
        else:
            raise _missing("No archive is configured.")

    async def search(self, query: StudyQuery) -> tuple[list[FoundStudy], bool]:
        """Look for studies; the second says that there are more. Raise PacsError.

        By DIMSE where there is any: a QIDO-RS search bears the patient's attributes in its address.
        """
        if self._peer is None:
            if self._web is None:
                raise _missing("No archive is configured.")
            return await self._web.search(query)
        asked = {
            "patient_id": query.patient_id,
            "name": query.name,
            "accession": query.accession,
            "date": query.date,
            "modality": query.modality,
        }
        found, more = [], False
        async with contextlib.aclosing(self._peer.errand("find", asked=asked)) as lines:
            async for line in lines:
                more = more or "more" in line
                if "study" in line:
                    study = FoundStudy(**line["study"])
                    found.append(replace(study, modalities=tuple(study.modalities)))
        return found, more

    async def retrieve(
        self, study: str, folder: Path, spool: Callable[[], Path], limit: int
    ) -> AsyncGenerator[Path, None]:
        """Fetch a study, yielding each file when it is whole; whoever stops asking ends it. Raise PacsError."""
        if self.sender:
            async with contextlib.aclosing(self._moved(study, limit)) as files:
                async for path in files:
                    yield path
            return
        if self._web is not None:
            async with contextlib.aclosing(self._web.retrieve(study, spool, limit)) as files:
                async for path in files:
                    yield path
            return
        if self._peer is None:
            raise _missing("No archive is configured.")
        failed = 0
        errand = self._peer.errand("get", study=study, folder=str(folder), bytes=limit)
        async with contextlib.aclosing(errand) as lines:
            async for line in lines:
                failed = line.get("failed", failed)
                if "file" in line:
                    yield Path(line["file"])
        if failed:
            raise self._some_failed(failed)

    async def _moved(self, study: str, limit: int) -> AsyncGenerator[Path, None]:
        """Have a study sent to our port (C-MOVE). An object that comes and an answer are signs of life."""
        assert self._peer is not None
        total = failed = 0
        patience = self._peer.patience
        async with self.moves.waiting(study) as queue:
            errand = asyncio.create_task(self._ask_to_move(self._peer, study, queue))
            try:
                while True:
                    try:
                        async with asyncio.timeout(patience):
                            came = await queue.get()
                    except TimeoutError:
                        raise PacsError("pacs_slow", SLOW.format(self.name, patience)) from None
                    if came is None:
                        break
                    if isinstance(came, PacsError):
                        raise came
                    if isinstance(came, Arrival):
                        total += (await asyncio.to_thread(came.path.stat)).st_size
                        taken = total <= limit
                        try:
                            if taken:
                                yield came.path
                        finally:
                            came.answer(taken=taken)
                        if not taken:
                            raise PacsError("too_large", LARGE.format(limit >> 20))
                    else:
                        failed = int(came.get("failed", failed))
                    patience = self._config.seconds
            finally:
                errand.cancel()
                await asyncio.gather(errand, return_exceptions=True)
        if failed:
            raise self._some_failed(failed)

    async def _ask_to_move(self, peer: Peer, study: str, queue: Queue) -> None:
        asked = {"study": study, "destination": self._config.aet, "silence": MOVING}
        try:
            async with contextlib.aclosing(peer.errand("move", patience=MOVING, **asked)) as lines:
                async for line in lines:
                    queue.put_nowait(line)
            queue.put_nowait(None)
        except PacsError as error:
            queue.put_nowait(error)

    def _some_failed(self, failed: int) -> PacsError:
        sentence = f"{self.name} could not send {failed} of the study's objects."
        return PacsError("pacs_broken", sentence, "some_failed")

    async def send(self, path: Path) -> Verdict:
        """Send an object; returns whether it was taken, and why not. Raise PacsError when nobody can know."""
        if self._web is not None:
            return await self._web.store(path)
        if self._peer is None:
            raise _missing("No archive is configured.")
        verdict = UNSAID
        size = (await asyncio.to_thread(path.stat)).st_size
        patience = max(self._peer.patience, size / SLOWEST)
        errand = self._peer.errand("store", patience=patience, files=[str(path)])
        async with contextlib.aclosing(errand) as lines:
            async for line in lines:
                verdict = _verdict(int(line["status"]))
        return verdict

    async def worklist(self, date: str) -> list[Entry]:
        """Ask who is to be treated on a day (YYYYMMDD). Raise PacsError."""
        if self._fhir is not None and self._worklist is None:
            return await self._fhir.worklist(date)
        if self._worklist is None:
            raise _missing("Neither a worklist nor a FHIR server is configured.")
        entries = []
        asked = [date, self._config.station, ""]
        async with contextlib.aclosing(self._worklist.errand("worklist", asked=asked)) as lines:
            async for line in lines:
                if "entry" in line:
                    entries.append(Entry(**line["entry"]))
        return sorted(entries, key=lambda entry: (entry.starts, entry.name))


def _missing(sentence: str) -> PacsError:
    return PacsError("not_configured", sentence)


def _verdict(status: int) -> Verdict:
    return Verdict(True) if status in (0x0000, 0xB000, 0xB006, 0xB007) else refusal(status)


def _secret(file: str, key: str) -> str:
    return load_shared_secret(Path(file), f"[pacs] {key}").decode() if file else ""
