"""A small FHIR R5 server: appointments and encounters of a day with their patients, in pages, for a bearer token."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TOKEN = "south-of-the-hill"
Json = dict[str, Any]


@dataclass(slots=True)
class FhirServer:
    """What it holds, how many matches a page has, and what it was asked."""

    url: str = ""
    patients: dict[str, Json] = field(default_factory=dict)
    matches: list[Json] = field(default_factory=list)
    page: int = 2
    asked: list[str] = field(default_factory=list)

    def admit(self, number: str, family: str, given: str, born: str) -> None:
        """Make a patient known."""
        self.patients[number] = {
            "resourceType": "Patient",
            "id": number,
            "identifier": [{"type": {"coding": [{"code": "MR"}]}, "system": "urn:his", "value": number}],
            "name": [{"use": "official", "family": family, "given": [given]}],
            "birthDate": born,
        }

    def plan(self, kind: str, number: str, start: str, words: str) -> None:
        """Plan something for a patient."""
        self.matches.append(
            {
                "resourceType": kind,
                "id": f"r{len(self.matches)}",
                "start": start,
                "description": words,
                "subject": {"reference": f"Patient/{number}"},
            }
        )

    async def search(self, request: web.Request) -> web.Response:
        """Answer a search by date (FHIR R5 3.2.1)."""
        self.asked.append(request.path_qs)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"resourceType": "OperationOutcome"}, status=401)
        kind, date = request.match_info["kind"], request.query.get("date", "")
        offset = int(request.query.get("offset", "0"))
        found = [one for one in self.matches if one["resourceType"] == kind and one["start"].startswith(date)]
        here = found[offset : offset + self.page]
        included = {one["subject"]["reference"].rpartition("/")[2] for one in here}
        bundle: Json = {
            "resourceType": "Bundle",
            "type": "searchset",
            "entry": [{"resource": one} for one in [*here, *(self.patients[number] for number in included)]],
        }
        if offset + self.page < len(found):
            following = f"{self.url}/{kind}?date={date}&offset={offset + self.page}"
            bundle["link"] = [{"relation": "next", "url": following}]
        return web.json_response(bundle, content_type="application/fhir+json")


@contextlib.asynccontextmanager
async def fhir_server() -> AsyncIterator[FhirServer]:
    """Serve on a free port of the loopback."""
    server = FhirServer()
    application = web.Application()
    application.router.add_get("/r5/{kind}", server.search)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/r5"
        yield server
    finally:
        await runner.cleanup()
