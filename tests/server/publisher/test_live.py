"""A source that comes in its own time: a transport stream over HTTP without an end, as cameras give it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from server.publisher.session import Session, Wishes
from server.publisher.source import Source, SourceError
from server.publisher.whip import Whip
from tests.helpers.clips import write_clip
from tests.helpers.udp_peers import until
from tests.helpers.whip_endpoint import whip_endpoint


@contextlib.asynccontextmanager
async def camera(data: bytes, more: asyncio.Event) -> AsyncIterator[str]:
    """Serve the first half of a stream, the rest when `more` is set, and then hang up."""

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(data[: len(data) // 2])
        await more.wait()
        await response.write(data[len(data) // 2 :])
        return response

    application = web.Application()
    application.router.add_get("/live.ts", stream)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://user:secret@127.0.0.1:{runner.addresses[0][1]}/live.ts?key=secret"
    finally:
        await runner.cleanup()


async def test_a_live_stream_is_sent_as_it_comes_and_its_end_is_an_error(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "camera.ts", frames=90)
    more = asyncio.Event()
    async with camera(path.read_bytes(), more) as url, whip_endpoint() as endpoint:
        source = await asyncio.to_thread(Source, url)
        assert source.live

        async def publish() -> None:
            async with Whip(endpoint.url, "token") as whip:
                wishes = Wishes("ward", "field", "Camera")
                await Session(source, whip, wishes, show=lambda _: None, say=lambda _: None).run()

        publishing = asyncio.create_task(publish())
        try:
            await until(lambda: endpoint.frames() or publishing.done())
            # what was there is sent before the rest has come
            assert not publishing.done()
            more.set()
            with pytest.raises(SourceError, match=r"/live\.ts has ended\.") as caught:
                await asyncio.wait_for(publishing, 30)
        finally:
            more.set()
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)
            source.close()
        # a camera may come back; and its password is not shown
        assert not caught.value.final
        assert "secret" not in str(caught.value)
        assert len(endpoint.frames()) > 60
        # its place in the room is kept: no goodbye was said
        assert not endpoint.ended


async def test_a_live_stream_has_nothing_to_loop(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "camera.ts", frames=90)
    more = asyncio.Event()
    more.set()
    async with camera(path.read_bytes(), more) as url:
        with pytest.raises(SourceError, match="is live and has no end"):
            await asyncio.to_thread(Source, url, loop=True)


async def test_a_card_that_gives_nothing_any_more_is_noticed_and_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe that nobody writes to holds FFmpeg as a stalled card does: no timeout wakes it."""
    monkeypatch.setattr("server.publisher.session.SOURCE_SILENCE", 2.0)
    monkeypatch.setattr("server.publisher.reader.STOP_TIMEOUT", 0.2)
    path, pipe = write_clip(tmp_path / "camera.ts", frames=90), tmp_path / "card"
    os.mkfifo(pipe)
    # opened for both, it waits for nobody
    card = os.open(pipe, os.O_RDWR)
    try:
        writing = asyncio.create_task(asyncio.to_thread(os.write, card, path.read_bytes()))
        source = await asyncio.to_thread(Source, str(pipe))
        source.live = True
        async with whip_endpoint() as endpoint, Whip(endpoint.url, "token") as whip:
            session = Session(
                source, whip, Wishes("ward", "field", "Card"), show=lambda _: None, say=lambda _: None
            )
            with pytest.raises(SourceError, match=r"card has been silent for 2 s\.") as caught:
                async with asyncio.timeout(60):
                    await session.run()
            assert not caught.value.final
            assert len(endpoint.frames()) > 30
            assert not endpoint.ended
        # the thread is still in there
        source.close()
        await writing
    finally:
        os.close(card)
