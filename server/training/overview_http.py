"""One's own results, and for who teaches those of all, over HTTP."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

from aiohttp import web

from signalling.permissions import may

from ..service import Service
from . import overview, people
from .questions_http import BASE, PRIVATE
from .training import TrainingHttp


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths."""
    http = OverviewHttp(service)
    application.router.add_get(BASE + "/me", http.mine)
    application.router.add_get(BASE + "/overview", http.overview)
    application.router.add_get(BASE + "/overview.csv", http.table)


class OverviewHttp(TrainingHttp):
    """Answers for the token's room."""

    async def mine(self, request: web.Request) -> web.Response:
        """Tell one's own results."""
        claims = self.claims(request)

        def read(connection: sqlite3.Connection) -> dict[str, Any]:
            now = self.service.wall_clock()
            me = people.known(connection, claims, now)
            return overview.results_of(connection, claims.room, me, now)

        results = await overview.veiled(await self.run(read), self.reading(claims))
        told = results | {"teaches": may(claims.role, "teach")}
        return web.json_response(told, headers=PRIVATE)

    async def overview(self, request: web.Request) -> web.Response:
        """Tell everybody's results."""
        return web.json_response(await self._read(request), headers=PRIVATE)

    async def table(self, request: web.Request) -> web.Response:
        """Give everybody's results as CSV."""
        text = await asyncio.to_thread(overview.table_of, await self._read(request))
        headers = {**PRIVATE, "Content-Disposition": 'attachment; filename="training.csv"'}
        return web.Response(text=text, content_type="text/csv", charset="utf-8", headers=headers)

    async def _read(self, request: web.Request) -> dict[str, Any]:
        claims = self.claims(request, "teach")
        now = self.service.wall_clock()
        return await self.run(lambda connection: overview.of_room(connection, claims.room, now))
