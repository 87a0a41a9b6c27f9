"""Films for a page's player: what a film is, and the film as MP4 by ranges.

A ``<video>`` element cannot bear a token, and a URL must not: who asks what a film is gets a cookie
for this film's path alone.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from signalling.permissions import may
from signalling.tokens import SECRET_BYTES, Claims, issue

from ..bearer import claims_of, demand
from ..service import Service
from . import answers
from .asking import INSTANCE, Asker, Asking
from .index import Record

COOKIE = "konsil_film"
#: Seconds that the cookie lasts; the page asks for it anew.
LIFETIME = 3600


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths."""
    films = Films(service)
    application.router.add_get(INSTANCE + "/film", films.about)
    application.router.add_get(INSTANCE + "/film.mp4", films.film)


class Films(Asking):
    """Answers with the films of the token's room."""

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        # it opens one film and nothing else: it is no link, so it is signed by a key of its own
        info = b"konsil film cookie"
        self._secret = HKDF(hashes.SHA256(), SECRET_BYTES, salt=None, info=info).derive(service.secret)
        self._making: dict[Path, asyncio.Lock] = {}

    async def about(self, request: web.Request) -> web.Response:
        """Tell what a film is, and let the page's player fetch it."""
        asker = self._asker(request)
        told = await self._told(self._film(request, asker), asker)
        response = web.json_response(told, headers={"Cache-Control": "no-store"})
        if told["type"]:
            claims = asker.claims
            expires = min(claims.expires, self._service.wall_clock() + LIFETIME)
            token = issue(self._secret, room=claims.room, name=claims.name, role=claims.role, expires=expires)
            response.set_cookie(
                COOKIE,
                token,
                max_age=LIFETIME,
                path=request.path + ".mp4",
                httponly=True,
                samesite="Strict",
                secure=bool(self._service.config.http.certificate),
            )
        return response

    async def film(self, request: web.Request) -> web.StreamResponse:
        """Give the film as MP4; aiohttp answers ranges."""
        asker = self._asked(request)
        record = self._film(request, asker)
        if not (await self._told(record, asker))["type"]:
            raise web.HTTPUnprocessableEntity(
                text="This film is shown frame by frame: no page plays it.", reason="not playable"
            )
        headers = {**answers.CACHED, "Content-Type": "video/mp4", "Vary": "Authorization, Cookie"}
        return web.FileResponse(_beside(self._store.path(asker.room, record.sop), ".mp4"), headers=headers)

    def _asked(self, request: web.Request) -> Asker:
        cookie = request.cookies.get(COOKIE)
        if cookie is None or "Authorization" in request.headers:
            return self._asker(request)
        claims: Claims = claims_of(cookie, self._secret, self._service.wall_clock())
        demand(claims, "watch")
        return Asker(claims, may(claims.role, "patient"))

    def _film(self, request: web.Request, asker: Asker) -> Record:
        record = self._pictured(request, asker)
        if record.facts.kind != "video":
            raise web.HTTPNotFound(text="This object is no film.", reason="no film")
        return record

    async def _told(self, record: Record, asker: Asker) -> dict[str, object]:
        """Give what is known of a film, which is put into its MP4 file when it is first asked for."""
        path = self._store.path(asker.room, record.sop)
        about, film = _beside(path, ".json"), _beside(path, ".mp4")
        async with self._making.setdefault(path, asyncio.Lock()):
            known = await asyncio.to_thread(_read, about)
            if known is not None and (not known["type"] or film.exists()):
                return known
            # what is half made has a name of its own
            half = film.with_suffix(f".{os.getpid()}.half")
            told, _ = await self._ask(record, asker, "film", target=str(half))
            await asyncio.to_thread(_keep, half, film, about, told)
            return told


def _beside(path: Path, ending: str) -> Path:
    return path.with_suffix(ending)


def _read(about: Path) -> dict[str, object] | None:
    try:
        told: dict[str, object] = json.loads(about.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return told


def _keep(half: Path, film: Path, about: Path, told: dict[str, object]) -> None:
    if told["type"]:
        half.replace(film)
    about.write_text(json.dumps(told), "utf-8")
