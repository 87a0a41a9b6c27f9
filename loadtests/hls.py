"""Live HLS by the hundred: what a viewer costs the server without a cache in front, and how late the picture is.

One 4K field of real pictures is fetched by many players at once, all without a cache: each reloads the playlist, which
waits, and fetches the part that came. A part's age is counted from its first frame, as the playlist tells it. With
`--glass` a real Chromium looks on beside them, and its page says how late what it shows is.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

from .caller import Caller
from .chromium import browser
from .field import PAYLOAD, add_field
from .following import clip_frames
from .probe_endpoint import ProbePump
from .server_process import ROOM, ServerUnderLoad, started

#: Seconds until all have begun.
_WARM_UP = 6.0
#: Milliseconds that Chromium may take for its first picture.
_PATIENCE = 60_000

_LINE = re.compile(
    r"#EXT-X-PROGRAM-DATE-TIME:(?P<date>\S+)"
    r'|#EXT-X-PART:DURATION=(?P<lasts>[0-9.]+),URI="(?P<uri>(?P<segment>\d+)\.(?P<part>\d+)\.m4s)"'
    r'|#EXT-X-PRELOAD-HINT:TYPE=PART,URI="(?P<next_segment>\d+)\.(?P<next_part>\d+)\.m4s"'
)


@dataclass(frozen=True, slots=True)
class Part:
    """A part as a playlist names it; `seen` when its first frame was seen, Unix seconds."""

    place: tuple[int, int]
    uri: str
    seen: float


def parts_of(playlist: str) -> tuple[list[Part], tuple[int, int]]:
    """Read the parts of a playlist, and which comes next. Raise ValueError where it names none."""
    found, seen, upcoming = [], 0.0, None
    for match in _LINE.finditer(playlist):
        if match["date"]:
            seen = datetime.fromisoformat(match["date"]).timestamp()
        elif match["uri"]:
            found.append(Part((int(match["segment"]), int(match["part"])), match["uri"], seen))
            seen += float(match["lasts"])
        else:
            upcoming = int(match["next_segment"]), int(match["next_part"])
    if upcoming is None:
        raise ValueError("This playlist says of no part that it comes.")
    return found, upcoming


@dataclass(slots=True)
class Viewer:
    """A player that knows parts: it has each once, in order."""

    session: aiohttp.ClientSession
    base: str
    requests: int = 0
    taken: int = 0
    missed: int = 0
    ages: list[float] = field(default_factory=list)

    async def play(self) -> None:
        """Play until cancelled."""
        text = (await self._get("track.m3u8?parts=1")).decode()
        last: tuple[int, int] | None = None
        while True:
            parts, (segment, part) = parts_of(text)
            fresh = [one for one in parts if last is not None and one.place > last]
            if last is None:
                last = parts[-1].place if parts else None
            for one in fresh:
                await self._get(one.uri)
                self.ages.append(time.time() - one.seen)
                self.taken += 1
                last = one.place
            text = (await self._get(f"track.m3u8?parts=1&_HLS_msn={segment}&_HLS_part={part}")).decode()

    async def _get(self, address: str) -> bytes:
        async with self.session.get(f"{self.base}/{address}") as response:
            self.requests += 1
            if response.status != 200:
                self.missed += 1
            return await response.read()


@contextlib.asynccontextmanager
async def viewers(server: ServerUnderLoad, producer: int, count: int) -> AsyncIterator[list[Viewer]]:
    """Have so many play while the context lasts; each has a connection of its own."""
    headers = {"Authorization": f"Bearer {server.token('trainee', 'Trainee')}"}
    async with contextlib.AsyncExitStack() as stack:
        found = []
        for _ in range(count):
            connector = aiohttp.TCPConnector(limit=1)
            session = await stack.enter_async_context(
                aiohttp.ClientSession(headers=headers, connector=connector)
            )
            found.append(Viewer(session, f"{server.url}/api/live/{ROOM}/{producer}"))
        playing = [asyncio.create_task(viewer.play()) for viewer in found]
        try:
            yield found
            for task in playing:
                if task.done():
                    task.result()
        finally:
            for task in playing:
                task.cancel()
            await asyncio.gather(*playing, return_exceptions=True)


async def glass(server: ServerUnderLoad, seconds: float) -> list[float]:
    """Look on in Chromium; what the page says of how late it is, once a second."""
    said: list[float] = []
    async with browser() as chromium:
        page = await chromium.new_page()
        page.set_default_timeout(_PATIENCE)
        await page.goto(server.link("trainee", "Trainee", page="watch"))
        await page.get_by_test_id("watch-start").click()
        late = page.get_by_test_id("watch-late")
        async with asyncio.timeout(_PATIENCE / 1000):
            while not await late.get_attribute("data-seconds"):  # noqa: ASYNC110  (the page tells it once a second)
                await asyncio.sleep(0.5)
        await asyncio.sleep(_WARM_UP)
        for _ in range(round(seconds)):
            await asyncio.sleep(1)
            if text := await late.get_attribute("data-seconds"):
                said.append(float(text))
    return said


async def measure(server: ServerUnderLoad, options: argparse.Namespace) -> dict[str, Any]:
    """Measure with one viewer and with all, then at the glass."""
    pump = ProbePump()
    await asyncio.to_thread(clip_frames, PAYLOAD)
    sent = await add_field(server, pump, 0, 1, 20_000_000, 4, real=True)
    shares: dict[int, float] = {}
    figures: dict[str, Any] = {"viewers": options.viewers}
    try:
        async with Caller(server.url, server.token("trainee", "Trainee"), lambda _: None):
            for count in (0, 1, options.viewers):
                async with viewers(server, sent.producer, count) as watching:
                    await asyncio.sleep(_WARM_UP)
                    for viewer in watching:
                        viewer.ages.clear()
                        viewer.requests = viewer.taken = viewer.missed = 0
                    before, mine = await server.scrape(), time.process_time()
                    await asyncio.sleep(options.seconds)
                    after = await server.scrape()
                    assert before.cpu_s is not None
                    assert after.cpu_s is not None
                    shares[count] = (after.cpu_s - before.cpu_s) / (after.time - before.time)
                    ages = [age for viewer in watching for age in viewer.ages]
                    if count == options.viewers:
                        figures |= {
                            # near 1: the players were too slow, and their parts are old by that
                            "players_core_share": (time.process_time() - mine) / (after.time - before.time),
                            "requests_s": sum(v.requests for v in watching) / options.seconds,
                            "parts_s_viewer": sum(v.taken for v in watching) / options.seconds / count,
                            "missed": sum(v.missed for v in watching),
                            "part_age_p50_s": statistics.median(ages),
                            "part_age_p95_s": statistics.quantiles(ages, n=20)[-1],
                        }
            figures["stream_core_share"] = shares[1] - shares[0]
            figures["viewer_core_share"] = (shares[options.viewers] - shares[1]) / (options.viewers - 1)
            if options.glass:
                said = await glass(server, options.seconds)
                figures["glass_late_p50_s"] = statistics.median(said)
                figures["glass_late_most_s"] = max(said)
    finally:
        sent.stop(pump.probe)
        with contextlib.suppress(TimeoutError):
            await sent.caller.close()
        await pump.close()
    return figures


async def run(options: argparse.Namespace) -> dict[str, Any]:
    """Start a server, and measure."""
    async with started() as server:
        return await measure(server, options)


def main(arguments: list[str]) -> int:
    """Print the figures; 1 where a part was missed."""
    parser = argparse.ArgumentParser(prog="python -m loadtests hls", description=__doc__)
    parser.add_argument("--viewers", type=int, default=100, help="players at once (default 100; at least 2)")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each is measured")
    parser.add_argument("--glass", action="store_true", help="look on in Chromium too")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    if options.viewers < 2:
        parser.error("At least two viewers are needed to tell what one more costs.")
    figures = asyncio.run(run(options))
    for name, value in figures.items():
        print(f"{name:22} {value:.4g}" if isinstance(value, float) else f"{name:22} {value}")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1))
    return 1 if figures["missed"] else 0
