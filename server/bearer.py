"""Who asks over HTTP: the signed link's token as a bearer (RFC 6750), never in a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from signalling.permissions import Permission, may, refusal
from signalling.tokens import Claims, TokenError, person_named, verify

if TYPE_CHECKING:
    from .service import Service


def token_of(request: web.Request) -> str:
    """Read the bearer token. Raise 401 where there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise web.HTTPUnauthorized(
            text="A bearer token is needed.", headers={"WWW-Authenticate": 'Bearer realm="konsil"'}
        )
    return token.strip()


def claims_of(token: str, secret: bytes, now: float) -> Claims:
    """Verify a token. Raise 401."""
    try:
        return verify(secret, token, now)
    except TokenError as error:
        raise web.HTTPUnauthorized(
            text=str(error), headers={"WWW-Authenticate": 'Bearer realm="konsil", error="invalid_token"'}
        ) from None


def bearer(request: web.Request, service: Service, room: str | None = None) -> Claims:
    """Verify the request's bearer token. Raise 401, or 403 when it is for another room."""
    claims = claims_of(token_of(request), service.secret, service.wall_clock())
    if room is not None and claims.room != room:
        raise web.HTTPForbidden(text="This link is for another room.")
    return claims


def demand(claims: Claims, permission: Permission) -> None:
    """Raise 403, in a sentence, unless the role has the permission."""
    if not may(claims.role, permission):
        raise web.HTTPForbidden(text=refusal(claims.role, permission))


def permitted(
    request: web.Request, service: Service, permission: Permission, room: str | None = None
) -> Claims:
    """Verify who asks and that his role has the permission. Raise 401, 403."""
    claims = bearer(request, service, room)
    demand(claims, permission)
    return claims


def person_of(claims: Claims) -> str:
    """Name who asks, the same in each of his links. Stands in no log."""
    return person_named(claims.room, claims.name, claims.subject)
