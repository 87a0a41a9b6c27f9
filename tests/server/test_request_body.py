"""The body of a request is read whole, however it comes, and no further than it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from server.request_body import read_object, read_up_to
from tests.helpers.served import Answered, ask
from tests.helpers.udp_peers import until

LIMIT = 20


async def _answer(request: web.Request) -> web.Response:
    raw = request.match_info["how"] == "raw"
    found: Any = await read_up_to(request, LIMIT) if raw else await read_object(request, LIMIT)
    return web.json_response(len(found) if raw else found)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_post("/{how}", _answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_what_comes_in_pieces_is_one_body() -> None:
    came: list[int] = []

    async def answer(request: web.Request) -> web.Response:
        reading = asyncio.create_task(read_object(request, LIMIT))
        await until(lambda: request.content.total_bytes >= 5, 20)
        # what is there has been read by now, if anything reads it
        for _ in range(5):
            await asyncio.sleep(0)
        came.append(request.content.total_bytes)
        return web.json_response(await reading)

    application = web.Application()
    application.router.add_post("/", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(b'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9\r\n\r\n{"a":')
        await until(lambda: came, 20)
        writer.write(b" 12}")
        answered = await asyncio.wait_for(reader.read(), 20)
        writer.close()
    finally:
        await runner.cleanup()
    assert came == [5]
    assert answered.endswith(b'{"a": 12}')


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b"", {}),
        (b'{"a": 1}', {"a": 1}),
        (b"[]", None),
        (b"{", None),
        (b"[" * LIMIT, None),
        (b'{"a": "0123456789ab"}', None),
        (b"\xff", None),
    ],
)
async def test_a_body_is_an_object_or_none(url: str, body: bytes, read: object) -> None:
    assert (await _asked(url, "object", body)).json() == read


async def test_no_more_is_read_than_is_taken(url: str) -> None:
    for length in (0, LIMIT - 1, LIMIT):
        assert (await _asked(url, "raw", bytes(length))).json() == length
    for length in (LIMIT + 1, 100_000):
        assert (await _asked(url, "raw", bytes(length))).json() == LIMIT + 1


async def _asked(url: str, how: str, body: bytes) -> Answered:
    return await ask(url, "POST", f"/{how}", {}, body)
