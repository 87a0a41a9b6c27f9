"""Frozen frames over HTTP (PROTOCOL.md, section 10): a PNG each, for whom it was kept."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from signalling.tokens import Claims

from .bearer import permitted
from .service import Service

PATH: Final = "/api/stills"
SUFFIX: Final = ".png"


def add_routes(application: web.Application, service: Service) -> None:
    """Add ``/api/stills``."""

    def fetch(claims: Claims, room: str, name: str) -> bytes | None:
        still = service.stills.find(room, name)
        return service.stills.read(room, still) if still is not None and still.may_be_seen(claims) else None

    async def get(request: web.Request) -> web.Response:
        room, file = request.match_info["room"], request.match_info["file"]
        claims = permitted(request, service, "watch", room)
        found = None
        if file.endswith(SUFFIX):
            found = await asyncio.to_thread(fetch, claims, room, file.removesuffix(SUFFIX))
        if found is None:
            # whether there is one that is another's, nobody is told
            raise web.HTTPNotFound(text="There is no such still, or it is not for you.")
        return web.Response(
            body=found, content_type="image/png", headers={"Cache-Control": "private, no-store"}
        )

    application.router.add_get(PATH + "/{room}/{file}", get)
