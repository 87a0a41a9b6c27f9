"""A cookie in place of the bearer, for what a browser fetches by itself: a ``<video>``, a file that is saved.

It is signed by a key of its own, so it is no link and opens what lies below its path and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from signalling.tokens import SECRET_BYTES, Claims, issue

from .bearer import bearer, claims_of

if TYPE_CHECKING:
    from .service import Service

#: Seconds that a cookie lasts, and no longer than the link that it was given for.
LIFETIME = 3600


class PathCookie:
    """The cookie `konsil_<name>` of one path."""

    def __init__(self, service: Service, name: str, path: str) -> None:
        self._service = service
        self._name = f"konsil_{name}"
        self._path = path
        self._secret = HKDF(
            hashes.SHA256(), SECRET_BYTES, salt=None, info=f"konsil {name} cookie".encode()
        ).derive(service.secret)

    def give(self, response: web.Response, claims: Claims) -> web.Response:
        """Put the cookie of whoever asks into an answer."""
        token = issue(
            self._secret,
            room=claims.room,
            name=claims.name,
            role=claims.role,
            expires=min(claims.expires, self._service.wall_clock() + LIFETIME),
            subject=claims.subject,
        )
        response.set_cookie(
            self._name,
            token,
            max_age=LIFETIME,
            path=self._path,
            httponly=True,
            samesite="Strict",
            secure=bool(self._service.config.http.certificate),
        )
        return response

    def claims(self, request: web.Request) -> Claims:
        """Tell who asks, by the bearer where there is one, else by the cookie. Raise 401."""
        token = request.cookies.get(self._name) if "Authorization" not in request.headers else None
        if token is None:
            return bearer(request, self._service)
        return claims_of(token, self._secret, self._service.wall_clock())
