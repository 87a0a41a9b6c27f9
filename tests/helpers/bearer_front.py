"""A front that wants a bearer token, as hospitals put one before a PACS, which it asks with a password of its own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

TOKEN = "by-the-harbour"
#: What belongs to one connection and is not passed on (RFC 9110, 7.6.1), and what the client's library undoes.
HOP = frozenset(
    {"connection", "transfer-encoding", "content-length", "host", "authorization", "content-encoding"}
)


@contextlib.asynccontextmanager
async def bearer_front(behind: str, user: str, password: str) -> AsyncIterator[str]:
    """Stand before `behind` while the context lasts; gives the address."""
    shown = aiohttp.encode_basic_auth(user, password)
    async with aiohttp.ClientSession(headers={"Authorization": shown}) as session:

        async def pass_on(request: web.Request) -> web.StreamResponse:
            if request.headers.get("Authorization") != f"Bearer {TOKEN}":
                return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
            headers = {name: text for name, text in request.headers.items() if name.lower() not in HOP}
            body = await request.read()
            async with session.request(
                request.method, behind + request.raw_path, headers=headers, data=body
            ) as answer:
                kept = {name: text for name, text in answer.headers.items() if name.lower() not in HOP}
                return web.Response(status=answer.status, headers=kept, body=await answer.read())

        application = web.Application(client_max_size=1 << 26)
        application.router.add_route("*", "/{path:.*}", pass_on)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()
