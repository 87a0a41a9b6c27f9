"""A FHIR R5 server as a worklist: appointments of a day with their patients, in pages."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from signalling.worklist import Entry, WorklistError, parse_bundle

from .pacs_error import BROKEN, PacsError
from .pacs_web import WebPacs

PAGES_LIMIT = 10


class Fhir:
    """Asks over `web`, whose waits and sizes are bounded."""

    def __init__(self, web: WebPacs) -> None:
        self._web = web

    async def worklist(self, date: str) -> list[Entry]:
        """Ask for the appointments and encounters of a day (YYYYMMDD). Raise PacsError."""
        day = re.sub(r"(\d{4})(\d{2})(\d{2})", r"\1-\2-\3", date)
        found: dict[tuple[str, str], Entry] = {}
        for kind, include in (("Appointment", "Appointment:patient"), ("Encounter", "Encounter:patient")):
            asked = {"date": day, "_include": include, "_count": "200"}
            for entry in await self._pages(f"/{kind}", asked):
                # an encounter that follows from an appointment is the same visit
                found.setdefault((entry.patient_id, entry.accession or entry.starts), entry)
        return sorted(found.values(), key=lambda entry: (entry.starts, entry.name))

    async def _pages(self, path: str, asked: dict[str, str]) -> list[Entry]:
        entries: list[Entry] = []
        for _ in range(PAGES_LIMIT):
            try:
                page = parse_bundle(await self._web.json(path, asked), self._web.url)
            except WorklistError:
                raise PacsError("pacs_broken", BROKEN.format(self._web.name)) from None
            entries += page.entries
            if not page.next:
                break
            there = urlsplit(page.next)
            base = urlsplit(self._web.url).path.rstrip("/")
            path = there.path.removeprefix(base)
            try:
                asked = dict(parse_qsl(there.query, max_num_fields=50))
            except ValueError:
                raise PacsError("pacs_broken", BROKEN.format(self._web.name)) from None
        return entries
