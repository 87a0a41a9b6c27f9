"""The patients of a recording over HTTP, for those who may `keep` and may see the patient (PROTOCOL.md)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from aiohttp import web

from annotation.values import AnnotationError
from recorder.journal import JournalError
from recorder.library import UnknownRecording
from recorder.seal.suites import SealError
from signalling.tokens import Claims

from ..bearer import demand
from ..recorded_patients import TooManyPatients
from ..service import Service
from . import audit, decisions, patients
from .decisions import Refused
from .routes import BASE, PRIVATE, Routes, body_of, refused


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths."""
    http = PatientsHttp(service)
    path = BASE + "/recordings/{recording}/patients"
    application.router.add_get(path, http.list)
    application.router.add_post(path, http.complete)


class PatientsHttp(Routes):
    """Answers for the token's room."""

    def _claims(self, request: web.Request) -> Claims:
        claims = super()._claims(request)
        demand(claims, "patient")
        return claims

    async def list(self, request: web.Request) -> web.Response:
        """List who is known of a recording's patients, and say whether these are surely all."""
        claims, recording = self._claims(request), request.match_info["recording"]
        try:
            await self._service.database.run(lambda c: self.check(c, claims, recording))
        except Refused as error:
            raise refused(error) from None
        known = await self._service.recorded_patients.known(recording)
        told = [patients.told(one) for one in known.patients]
        return web.json_response({"patients": told, "all_known": known.is_all}, headers=PRIVATE)

    async def complete(self, request: web.Request) -> web.Response:
        """Add patients, and confirm that these are all; answer with how the recordings are kept now."""
        claims, recording = self._claims(request), request.match_info["recording"]
        doer, now = audit.doer_of(claims), self._keeper.now()
        body = await body_of(request)
        try:
            added = patients.parse_added(body.get("added"))
        except AnnotationError as error:
            raise refused(Refused("bad_request", str(error))) from None
        except Refused as error:
            raise refused(error) from None

        async def write(work: Callable[[sqlite3.Connection], None]) -> None:
            def decide(c: sqlite3.Connection) -> None:
                self.check(c, claims, recording)
                decisions.check_there(c, recording)
                work(c)
                audit.append(c, doer, "patients_confirmed", now, recording, added=len(added))

            await self._keeper.decide(decide)

        conductor = self._service.rooms.get(claims.room)
        try:
            if conductor is not None and conductor.veiling.concerns(recording):
                raise Refused(
                    "consultation_open",
                    "Its consultation still lasts. When it ends the server writes down whose it is.",
                )
            await self._service.recorded_patients.complete(recording, added, write)
        except Refused as error:
            raise refused(error) from None
        except TooManyPatients:
            raise refused(Refused("too_many", "A recording has not so many patients.")) from None
        except UnknownRecording:
            raise refused(Refused("unknown_recording", "There is no such recording.")) from None
        except (SealError, JournalError, OSError):
            raise refused(
                Refused("not_sealed", "It could not be sealed with the recording's key, so nothing was done.")
            ) from None
        return web.json_response(await self._view(claims), headers=PRIVATE)
