"""The body of a request, as far as it is taken: it comes in pieces, and nobody says truly how long it is."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web


async def read_up_to(request: web.Request, limit: int) -> bytes:
    """Read a body; of one that has more than `limit` bytes, one byte more tells that it is too long."""
    body = bytearray()
    while len(body) <= limit and (piece := await request.content.read(limit + 1 - len(body))):
        body += piece
    return bytes(body)


async def read_object(request: web.Request, limit: int) -> dict[str, Any] | None:
    """Read a JSON object, an empty one where there is no body; None: it is none, or longer than `limit` bytes."""
    body = await read_up_to(request, limit)
    if len(body) > limit:
        return None
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
