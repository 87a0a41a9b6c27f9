"""Forms and assessments over HTTP."""

from __future__ import annotations

import secrets
import sqlite3
from typing import Any

from aiohttp import web

from signalling.permissions import may

from ..service import Service
from . import assessments, forms, people
from .body import read_body
from .questions_http import BASE, PRIVATE
from .training import TrainingHttp


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths."""
    http = AssessmentsHttp(service)
    application.router.add_get(BASE + "/forms", http.forms)
    application.router.add_post(BASE + "/forms", http.write_form)
    application.router.add_put(BASE + "/forms/{form}", http.write_form)
    application.router.add_delete(BASE + "/forms/{form}", http.remove_form)
    application.router.add_get(BASE + "/assessments", http.list)
    application.router.add_post(BASE + "/assessments", http.assess)


class AssessmentsHttp(TrainingHttp):
    """Answers for the token's room."""

    async def forms(self, request: web.Request) -> web.Response:
        """List the forms that one can assess by."""
        claims = self.claims(request, "teach")
        found = await self.run(lambda connection: forms.list_forms(connection, claims.room))
        return web.json_response({"forms": found}, headers=PRIVATE)

    async def write_form(self, request: web.Request) -> web.Response:
        """Keep a form, or another version of one."""
        claims = self.claims(request, "teach")
        content = await read_body(request, forms.parse_form)
        named = request.match_info.get("form")

        def write(connection: sqlite3.Connection) -> dict[str, Any]:
            form = named or "f-" + secrets.token_hex(8)
            now = self.service.wall_clock()
            return forms.keep_form(connection, claims.room, form, named is None, content, claims.name, now)

        return web.json_response(await self.run(write), status=201, headers=PRIVATE)

    async def remove_form(self, request: web.Request) -> web.Response:
        """Offer a form no more."""
        claims = self.claims(request, "teach")
        form, now = request.match_info["form"], self.service.wall_clock()
        await self.run(lambda connection: forms.remove_form(connection, claims.room, form, now))
        return web.Response(status=204)

    async def list(self, request: web.Request) -> web.Response:
        """List what was found of oneself; for who teaches, of everybody."""
        claims = self.claims(request)

        def read(connection: sqlite3.Connection) -> list[dict[str, Any]]:
            me = people.known(connection, claims, self.service.wall_clock())
            if may(claims.role, "teach"):
                return assessments.of_room(connection, claims.room)
            return assessments.of_person(connection, me.id)

        reading = self.reading(claims)
        told = [await assessments.veiled(one, reading) for one in await self.run(read)]
        return web.json_response({"assessments": told}, headers=PRIVATE)

    async def assess(self, request: web.Request) -> web.Response:
        """Keep an assessment, signed by who asks, now."""
        claims = self.claims(request, "teach")
        assessed = await read_body(request, assessments.parse_assessed)
        if assessed.recording is not None:
            await self.recording(claims, assessed.recording)

        def write(connection: sqlite3.Connection) -> dict[str, Any]:
            now = self.service.wall_clock()
            by = people.known(connection, claims, now)
            identifier = "a-" + secrets.token_hex(8)
            return assessments.insert(connection, identifier, claims.room, assessed, by, now)

        return web.json_response(await self.run(write), status=201, headers=PRIVATE)
