"""Hours watched over HTTP."""

from __future__ import annotations

import sqlite3

from aiohttp import web

from ..service import Service
from . import people, watched
from .body import read_body
from .questions_http import BASE, PRIVATE
from .training import TrainingHttp


def add_routes(application: web.Application, service: Service) -> None:
    """Add the path."""
    application.router.add_post(BASE + "/recordings/{recording}/watched", WatchedHttp(service).report)


class WatchedHttp(TrainingHttp):
    """Answers for the token's room."""

    async def report(self, request: web.Request) -> web.Response:
        """Take what a page played."""
        claims = self.claims(request)
        recording = await self.recording(claims, request.match_info["recording"])
        played = await read_body(request, watched.parse_played)
        seconds = await self.seconds(recording)

        def write(connection: sqlite3.Connection) -> dict[str, float]:
            now = self.service.wall_clock()
            person = people.known(connection, claims, now)
            return watched.report(connection, person.id, recording, seconds, played, now)

        return web.json_response(await self.run(write), headers=PRIVATE)
