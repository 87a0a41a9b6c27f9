"""Certificates over HTTP: made for oneself, or by who teaches for another; checked by anybody who has the paper."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

from aiohttp import web

from annotation.values import as_identifier
from recorder.seal import sm2
from recorder.seal.suites import SealError
from signalling.permissions import may

from ..service import Service
from ..veiling import Reading
from . import certificates, overview, people
from .body import read_body
from .questions_http import BASE, PRIVATE
from .training import TrainingHttp


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths."""
    http = CertificatesHttp(service)
    application.router.add_get(BASE + "/certificates", http.list)
    application.router.add_post(BASE + "/certificates", http.make)
    application.router.add_post(BASE + "/certificates/check", http.check)


class CertificatesHttp(TrainingHttp):
    """Answers for the token's room, and whoever has a code."""

    async def list(self, request: web.Request) -> web.Response:
        """List one's own certificates."""
        claims = self.claims(request)

        def read(connection: sqlite3.Connection) -> list[dict[str, Any]]:
            me = people.known(connection, claims, self.service.wall_clock())
            return certificates.of_person(connection, me.id)

        return web.json_response({"certificates": await self.run(read)}, headers=PRIVATE)

    async def make(self, request: web.Request) -> web.Response:
        """Certify what one has done, or, for who teaches, what another has."""
        claims = self.claims(request)
        named = await read_body(request, _person)
        if named is not None and not may(claims.role, "teach"):
            raise web.HTTPForbidden(text="A certificate is made for oneself.")
        now = self.service.wall_clock()
        code = certificates.new_code()

        def read(connection: sqlite3.Connection) -> tuple[people.Person, dict[str, Any]]:
            me = people.known(connection, claims, now)
            person = me if named is None else people.require(connection, claims.room, named)
            return person, overview.results_of(connection, claims.room, person, now)

        person, results = await self.run(read)
        # whoever makes it: it is read by those who may not see the patient
        results = await overview.veiled(results, Reading(self.service, claims.room, "trainee"))
        body = await self.run(lambda c: certificates.compose(c, person, results, code, now))
        signing = Path(self.service.config.seal.signing_key)
        try:
            signature = await asyncio.to_thread(sm2.sign, signing, body)
        except (SealError, OSError):
            raise web.HTTPInternalServerError(text="The archive's key does not sign.") from None
        await self.run(lambda connection: certificates.keep(connection, person, code, (body, signature), now))
        return web.json_response(json.loads(body), status=201, headers=PRIVATE)

    async def check(self, request: web.Request) -> web.Response:
        """Tell whoever has a certificate's code what it says, and whether its signature holds. Needs no link."""
        code = await read_body(request, certificates.parse_code)
        body, signature = await self.run(lambda connection: certificates.find(connection, code))
        public = Path(self.service.config.seal.signing_key).with_suffix(".public.pem")
        try:
            valid = await asyncio.to_thread(sm2.verify, public, body, signature)
        except (SealError, OSError):
            raise web.HTTPInternalServerError(text="The archive's key cannot be read.") from None
        return web.json_response({"valid": valid, "certificate": json.loads(body)}, headers=PRIVATE)


def _person(body: dict[str, Any]) -> str | None:
    named = body.get("person")
    return None if named is None else as_identifier(named, "person")
