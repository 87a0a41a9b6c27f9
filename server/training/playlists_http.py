"""Playlists over HTTP: set by who teaches, followed by those whom they are set to."""

from __future__ import annotations

import secrets
import sqlite3
from typing import Any

from aiohttp import web

from signalling.permissions import may

from ..service import Service
from . import people, playlists
from .body import read_body
from .questions_http import BASE, PRIVATE
from .training import TrainingHttp


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths."""
    http = PlaylistsHttp(service)
    application.router.add_get(BASE + "/playlists", http.list)
    application.router.add_post(BASE + "/playlists", http.write)
    application.router.add_put(BASE + "/playlists/{playlist}", http.write)
    application.router.add_delete(BASE + "/playlists/{playlist}", http.remove)


class PlaylistsHttp(TrainingHttp):
    """Answers for the token's room."""

    async def list(self, request: web.Request) -> web.Response:
        """List one's own playlists and how far one is; for who teaches all of them, and how far everybody is."""
        claims = self.claims(request)
        teaches = may(claims.role, "teach")

        def read(connection: sqlite3.Connection) -> list[tuple[dict[str, Any], list[str | None]]]:
            now = self.service.wall_clock()
            me = people.known(connection, claims, now)
            found = []
            for row in playlists.of_room(connection, claims.room):
                if teaches:
                    learners = [
                        one
                        for one in people.everybody(connection, claims.room)
                        if playlists.is_for(row, one.id, one.role)
                    ]
                    everybody = [
                        {"person": one.id, "name": one.name}
                        | playlists.progress(connection, row, one.id, now)
                        for one in learners
                    ]
                    for_all = row["people"] is None
                    more: dict[str, Any] = {"for_all": for_all, "people": everybody}
                elif playlists.is_for(row, me.id, me.role):
                    more = playlists.progress(connection, row, me.id, now)
                else:
                    continue
                found.append((playlists.told(row) | more, playlists.concerned(row)))
            return found

        reading = self.reading(claims)
        told = [
            playlists.veiled(playlist, await reading.of(*concerned))
            for playlist, concerned in await self.run(read)
        ]
        return web.json_response({"playlists": told}, headers=PRIVATE)

    async def write(self, request: web.Request) -> web.Response:
        """Set a playlist, or change one."""
        claims = self.claims(request, "teach")
        playlist = await read_body(request, playlists.parse_playlist)
        lengths = {}
        for name in {item.recording for item in playlist.items}:
            lengths[name] = await self.seconds(await self.recording(claims, name))
        changed = request.match_info.get("playlist")

        def write(connection: sqlite3.Connection) -> dict[str, Any]:
            now = self.service.wall_clock()
            me = people.known(connection, claims, now)
            for one in playlist.people or ():
                people.require(connection, claims.room, one)
            identifier = "l-" + secrets.token_hex(8)
            if changed is not None:
                identifier = playlists.find(connection, claims.room, changed)["id"]
            playlists.keep(connection, identifier, claims.room, playlist, lengths, me.id, now)
            return playlists.told(playlists.find(connection, claims.room, identifier))

        status = 201 if changed is None else 200
        return web.json_response(await self.run(write), status=status, headers=PRIVATE)

    async def remove(self, request: web.Request) -> web.Response:
        """Take a playlist away."""
        claims = self.claims(request, "teach")

        def write(connection: sqlite3.Connection) -> None:
            row = playlists.find(connection, claims.room, request.match_info["playlist"])
            connection.execute(
                "UPDATE training_playlist SET removed = ? WHERE id = ?",
                (self.service.wall_clock(), row["id"]),
            )

        await self.run(write)
        return web.Response(status=204)
