"""How long until a recording of hours shows its first picture, and until a seek shows the picture that was wished for.

A sealed 4K recording with sound (made once, below build/replay) on a real server, replayed by the real page in real
Chromium over loopback: opened from the list, then sought to random pictures. What comes first is a preview: the picture
of the very moment in at most 480 lines, which the page calls so; the sharp one of 2160 lines follows. So there are two
times, and only the first one has the goals. Both pictures are proved by the barcode on what is on top of the glass and
by the RTP timestamp that the page gives it. What stands there meanwhile must say of which moment it is. The memory of
server and page is read before and after. Recordings with nearer key frames stand beside it: a decoder begins there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext

from .chromium import browser
from .replay_page import Opening, ReplayPage, Seek
from .replay_recording import Made, Wanted, ensure_recording
from .server_process import ServerUnderLoad, rss_mb, started

GOAL_FIRST_MS = 500.0
GOAL_SEEK_MS = 300.0
#: What "flat" is taken for: four decoded pictures of 4K, which a player's pool may hold more or less of.
GOAL_GROWTH_MB = 50.0
#: Seeks before memory is read for the first time: buffers and pools are as large as they become.
WARM = 20
_VIEWPORT = {"width": 1920, "height": 1080}
#: What is fetched ahead has come after so long, and memory is that of rest.
_REST = 5.0
#: A browser that has none plays a recording without its previews.
_NO_PREVIEWS = "delete globalThis.VideoDecoder;"


async def renderers_mb(running: Browser) -> float:
    """Add up the resident memory of the browser's page processes, MiB."""
    session = await running.new_browser_cdp_session()
    try:
        told: Any = await session.send("SystemInfo.getProcessInfo")
    finally:
        await session.detach()
    return sum(rss_mb(int(each["id"])) for each in told["processInfo"] if each["type"] == "renderer")


class Memory:
    """The memory of server and page, at the same place of the recording each time."""

    def __init__(self, running: Browser, server: ServerUnderLoad, shown: ReplayPage) -> None:
        assert server.pid is not None
        self._running, self._pid, self._shown = running, server.pid, shown

    async def read(self) -> tuple[float, float]:
        """Give server's and page's MiB, with what is garbage taken out."""
        await self._shown.seek(0)
        session = await self._shown.page.context.new_cdp_session(self._shown.page)
        await session.send("HeapProfiler.collectGarbage")
        await session.detach()
        await asyncio.sleep(_REST)
        return rss_mb(self._pid), await renderers_mb(self._running)


@asynccontextmanager
async def opened(
    running: Browser, server: ServerUnderLoad, made: Made, *, previews: bool = True
) -> AsyncIterator[tuple[ReplayPage, Opening]]:
    """Open the recording in a browser that knows nothing yet, with its `previews` or without."""
    context: BrowserContext = await running.new_context(viewport=_VIEWPORT, locale="en-GB")  # type: ignore[arg-type]
    try:
        if not previews:
            await context.add_init_script(_NO_PREVIEWS)
        page = await context.new_page()
        await page.goto(server.link("trainee", "Dr. Replay", page="replay"))
        shown = ReplayPage(page, made)
        yield shown, await shown.open()
    finally:
        await context.close()


async def measure(made: Made, options: argparse.Namespace, seeks: int) -> dict[str, float]:
    """Replay one recording on a server of its own."""
    chance = random.Random(options.seed)
    async with started(archive=made.archive) as server, browser() as running:
        first: list[Opening] = []
        # the first of them finds a server that has not opened the track yet
        for _ in range(options.openings - 1):
            async with opened(running, server, made, previews=options.previews) as (_, took):
                first.append(took)
        async with opened(running, server, made, previews=options.previews) as (shown, took):
            first.append(took)
            memory = Memory(running, server, shown)
            for _ in range(WARM):
                await shown.seek(chance.randrange(made.wanted.frames))
            before = await memory.read()
            found: list[Seek] = []
            for _ in range(seeks):
                found.append(await shown.seek(chance.randrange(made.wanted.frames)))
                await asyncio.sleep(options.pause)
            after = await memory.read()
            # at four times the speed more is left out than a plate can follow: that is not asked here
            wrong = await shown.wrong_moments()
            played = await shown.play(4.0, options.play)
    return {
        "first_picture_ms": max(opening.first for opening in first),
        "first_picture_median_ms": statistics.median(opening.first for opening in first),
        "first_sharp_ms": max(opening.sharp for opening in first),
        "first_sharp_median_ms": statistics.median(opening.sharp for opening in first),
        **parts(found),
        "rss_growth_mb": sum(max(0.0, late - early) for early, late in zip(before, after, strict=True)),
        "server_growth_mb": after[0] - before[0],
        "page_growth_mb": after[1] - before[1],
        "page_mb": after[1],
        "wrong_moments": wrong,
        "play_4x_share": played["share"],
        "play_4x_waited": played["waited"],
        "play_4x_dropped": played["dropped"],
    }


def parts(seeks: list[Seek]) -> dict[str, float]:
    """Say how long seeks took, and what they consisted of; ms.

    `seek` is until the picture of the very moment, a preview or the sharp one; all else is of the sharp one. `rest` is
    taking it in, decoding and painting; `other_picture` the first of any kind.
    """

    def p95(values: list[float]) -> float:
        return statistics.quantiles(values, n=20, method="inclusive")[-1]

    rests = [seek.exact - seek.fetched for seek in seeks]
    pieces = [seek.piece for seek in seeks if seek.piece is not None]
    return {
        "seek_p50_ms": statistics.median(seek.wished for seek in seeks),
        "seek_p95_ms": p95([seek.wished for seek in seeks]),
        "seek_max_ms": max(seek.wished for seek in seeks),
        "seek_sharp_p50_ms": statistics.median(seek.exact for seek in seeks),
        "seek_sharp_p95_ms": p95([seek.exact for seek in seeks]),
        "seek_previews_share": statistics.mean(seek.preview is not None for seek in seeks),
        "seek_piece_p95_ms": p95(pieces) if len(pieces) > 1 else 0.0,
        "seek_other_picture_p50_ms": statistics.median(seek.first for seek in seeks),
        "seek_other_picture_p95_ms": p95([seek.first for seek in seeks]),
        "seek_fetched_p50_ms": statistics.median(seek.fetched for seek in seeks),
        "seek_fetched_p95_ms": p95([seek.fetched for seek in seeks]),
        "seek_segment_made_p95_ms": p95([seek.made for seek in seeks]),
        "seek_rest_p50_ms": statistics.median(rests),
        "seek_rest_p95_ms": p95(rests),
        "seek_segments": statistics.mean(seek.segments for seek in seeks),
        "seek_mb": statistics.mean(seek.megabytes for seek in seeks),
        "seek_behind_key_s": statistics.mean(seek.distance_s for seek in seeks),
    }


def _told(what: str, share: float) -> None:
    print(f"\r{what}: {share:.0%}    ", end="\n" if share >= 1 else "", file=sys.stderr, flush=True)


def _made(wanted: Wanted) -> Made:
    print(
        f"recording {wanted.name}: {wanted.bytes / 1e9:.1f} GB below build/replay, made once", file=sys.stderr
    )
    return ensure_recording(wanted, _told)


def report(wanted: Wanted, figures: dict[str, float]) -> str:
    """Put one recording's figures into words."""
    lines = [
        (
            f"{wanted.hours:g} h, {wanted.bitrate / 1e6:g} Mbit/s, {wanted.fps} fps, "
            f"a key frame every {wanted.key_frame_s} s"
        ),
        (
            f"  first picture     {figures['first_picture_ms']:.0f} ms at worst, "
            f"{figures['first_picture_median_ms']:.0f} median (goal {GOAL_FIRST_MS:.0f}); sharp "
            f"{figures['first_sharp_ms']:.0f} and {figures['first_sharp_median_ms']:.0f}"
        ),
        (
            f"  of the moment     p50 {figures['seek_p50_ms']:.0f}, p95 {figures['seek_p95_ms']:.0f}, "
            f"at worst {figures['seek_max_ms']:.0f} ms (goal {GOAL_SEEK_MS:.0f}); "
            f"{figures['seek_previews_share']:.0%} of them as a preview of at most 480 lines, "
            f"whose piece was there in p95 {figures['seek_piece_p95_ms']:.0f} ms"
        ),
        (
            f"  the sharp one     p50 {figures['seek_sharp_p50_ms']:.0f}, "
            f"p95 {figures['seek_sharp_p95_ms']:.0f} ms (no goal)"
        ),
        (
            f"  any new picture   p50 {figures['seek_other_picture_p50_ms']:.0f}, "
            f"p95 {figures['seek_other_picture_p95_ms']:.0f} ms; wrongly labelled {figures['wrong_moments']:.0f}"
        ),
        (
            f"  of the sharp one  fetched p50 {figures['seek_fetched_p50_ms']:.0f}, "
            f"p95 {figures['seek_fetched_p95_ms']:.0f} ms ({figures['seek_segments']:.1f} segments, "
            f"{figures['seek_mb']:.1f} MB; the slowest made in p95 {figures['seek_segment_made_p95_ms']:.0f} ms), "
            f"taken in, decoded and painted p50 {figures['seek_rest_p50_ms']:.0f}, "
            f"p95 {figures['seek_rest_p95_ms']:.0f} ms ({figures['seek_behind_key_s']:.1f} s behind the key frame)"
        ),
        (
            f"  memory            server {figures['server_growth_mb']:+.0f}, page {figures['page_growth_mb']:+.0f} MB "
            f"(goal {GOAL_GROWTH_MB:.0f} in all; the page has {figures['page_mb']:.0f})"
        ),
        (
            f"  at 4 x            {figures['play_4x_share']:.0%} of the way, "
            f"waited {figures['play_4x_waited']:.0f} times, "
            f"{figures['play_4x_dropped']:.0%} of the pictures left out"
        ),
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Run the load test; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m loadtests replay", description=__doc__)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--bitrate", type=float, default=20.0, help="Mbit/s (default 20)")
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument(
        "--key-frames", type=int, default=10, help="seconds between them (default 10, as the recorder asks)"
    )
    parser.add_argument(
        "--beside",
        type=int,
        nargs="*",
        default=[1, 2],
        help="other distances, to stand beside it (default 1 2)",
    )
    parser.add_argument("--beside-hours", type=float, default=0.1, help="of those (default 0.1)")
    parser.add_argument("--seeks", type=int, default=100)
    parser.add_argument("--openings", type=int, default=5)
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two seeks (default 0.5)")
    parser.add_argument(
        "--play", type=float, default=10.0, help="seconds at four times the speed (default 10)"
    )
    parser.add_argument(
        "--no-previews",
        dest="previews",
        action="store_false",
        help="in a browser that shows none, for comparison",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    options = parser.parse_args(arguments)
    wanted = Wanted(options.hours, round(options.bitrate * 1e6), options.fps, options.key_frames)
    figures: dict[str, Any] = asyncio.run(measure(_made(wanted), options, options.seeks))
    print(report(wanted, figures))
    beside = {}
    for distance in options.beside:
        other = replace(wanted, hours=options.beside_hours, key_frame_s=distance)
        beside[distance] = asyncio.run(measure(_made(other), options, max(20, options.seeks // 2)))
        print(report(other, beside[distance]))
    if options.json:
        rounded = {name: round(value, 2) for name, value in figures.items()}
        others = {
            str(distance): {name: round(value, 2) for name, value in each.items()}
            for distance, each in beside.items()
        }
        options.json.write_text(json.dumps({**rounded, "by_key_frame_s": others}, indent=2) + "\n")
    good = (
        figures["first_picture_ms"] < GOAL_FIRST_MS
        and figures["seek_p95_ms"] < GOAL_SEEK_MS
        and figures["rss_growth_mb"] < GOAL_GROWTH_MB
        and figures["wrong_moments"] == 0
    )
    return 0 if good else 1
