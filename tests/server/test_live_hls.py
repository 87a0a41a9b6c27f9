"""The room's picture as low-latency HLS, from a real encoder to FFmpeg's player; and who does not get it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import av
import pytest

from loadtests.caller import Caller
from tests.helpers.served import Served, served
from tests.helpers.udp_peers import until
from tests.server.test_whip import encoding


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, shared_cache=True) as server:
        yield server


def read(address: str, headers: str, count: int) -> list[int]:
    """Let FFmpeg play a live stream; the brightness of so many pictures."""
    with av.open(address, options={"headers": headers}, timeout=30) as container:
        seen = []
        for frame in container.decode(video=0):
            seen.append(round(float(frame.to_ndarray(format="gray").mean())))
            if len(seen) == count:
                break
        return seen


async def test_a_live_picture_is_played_by_ffmpeg(running: Served, tmp_path: Path) -> None:
    async with (
        Caller(running.url, running.token("trainee")),
        encoding(f"{running.url}/whip/ward", running.token("surgeon", "Endoscope"), tmp_path) as encoder,
    ):
        (conductor,) = running.service.rooms.values()
        await until(lambda: conductor.room.producers, 60)
        (producer,) = (entry.producer for entry in conductor.room.producers)
        base = f"/api/live/ward/{producer}"
        bearer = running.bearer("trainee")
        headers = "".join(f"{name}: {value}\r\n" for name, value in bearer.items())

        index = await running.ask("GET", f"{base}/index.m3u8", bearer)
        assert index.status == 200
        assert 'CODECS="avc3.' in index.body.decode()
        assert "RESOLUTION=320x240" in index.body.decode()
        shown = await asyncio.to_thread(read, f"{running.url}{base}/index.m3u8", headers, 60)
        steps = [(after - before) % 256 for before, after in pairwise(shown)]
        # the encoder's pictures grow lighter by one: none is missing, none comes twice
        assert sum(1 for step in steps if step in (0, 1, 2)) >= len(steps) - 2

        # a reload that waits, and the part that was hinted at
        plain = await running.ask("GET", f"{base}/track.m3u8", bearer)
        # a cache in front keeps what was not waited for for a moment, and nobody else for longer
        assert plain.headers["cache-control"] == "private, max-age=1"
        assert plain.headers["cdn-cache-control"] == "max-age=1"
        text = plain.body.decode()
        # players that know segments alone begin with three, and Chromium's gives up where there are fewer
        assert text.count("#EXTINF:") >= 3
        hinted = re.search(r'PRELOAD-HINT:TYPE=PART,URI="(\d+)\.(\d+)\.m4s"', text)
        assert hinted is not None
        segment, part = hinted.groups()
        waited, given = await asyncio.gather(
            running.ask("GET", f"{base}/track.m3u8?_HLS_msn={segment}&_HLS_part={part}", bearer),
            running.ask("GET", f"{base}/{segment}.{part}.m4s", bearer),
        )
        assert waited.status == 200
        assert given.status in (200, 404)  # a key frame came before it: then it is none
        assert waited.body.decode() != text
        if given.status == 200:
            assert given.headers["cache-control"] == "private, max-age=60, immutable"
            assert given.headers["x-accel-expires"] == "18"
        # a reload that waited is as true for the next who asks for the same
        assert waited.headers["cdn-cache-control"] == "max-age=18"
        assert waited.headers["cache-control"] == "no-cache"
        for query, status in (("_HLS_msn=9999999999", 400), ("_HLS_msn=x", 400), ("_HLS_msn=-1", 400)):
            assert (await running.ask("GET", f"{base}/track.m3u8?{query}", bearer)).status == status
        assert (await running.ask("GET", f"{base}/999.m4s", bearer)).status == 404

        # who is not in the room, or in another, or asks for what is none
        for who, address, status in (
            ({}, f"{base}/track.m3u8", 401),
            (running.bearer("observer"), f"{base}/track.m3u8", 403),
            (running.bearer("trainee", room="other"), f"{base}/track.m3u8", 404),
            (bearer, "/api/live/ward/99999/track.m3u8", 404),
            (bearer, "/api/live/other/1/track.m3u8", 404),
        ):
            assert (await running.ask("GET", address, who)).status == status, address
        for who, address, status in (
            (bearer, f"{base}/3.m4s", 204),
            (running.bearer("observer"), f"{base}/3.m4s", 403),
            (bearer, "/api/live/ward/99999/3.m4s", 404),
            (bearer, "/api/recordings/x/1/0-1.m4s", 403),
        ):
            asked = {**who, "X-Original-URI": address}
            assert (await running.ask("GET", "/api/live/authorise", asked)).status == status, address
        # a player that bears no token bears a cookie, of this path alone
        opened = await running.ask("POST", "/api/live", bearer)
        assert opened.status == 204
        cookie = opened.headers["set-cookie"]
        assert "Path=/api/live" in cookie
        assert "HttpOnly" in cookie
        named = {"Cookie": cookie.partition(";")[0]}
        assert (await running.ask("GET", f"{base}/track.m3u8", named)).status == 200
        assert (await running.ask("GET", "/api/recordings", named)).status == 401
        assert encoder.stdin is not None
        encoder.stdin.close()
        await until(lambda: not conductor.room.producers, 60)
        assert (await running.ask("GET", f"{base}/track.m3u8", bearer)).status == 404
