"""How long it takes until the others see what the presenter sees: from one socket to all others."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from .caller import Caller, Message
from .server_process import started

#: What was promised, ms.
GOAL_P95 = 100.0

PANE: Message = {
    "study": "2.25.1",
    "series": "2.25.2",
    "instance": "2.25.3",
    "frame": 1,
    "plane": "stack",
    "slice": 0,
    "window": [40, 400],
    "invert": False,
    "centre": [0.5, 0.5],
    "zoom": 1,
    "rotation": 0,
    "flip": False,
    "playing": True,
    "rate": 60,
}


async def measure(followers: int, rate: float, seconds: float) -> dict[str, Any]:
    """Let one present at `rate` views a second, and take the ages in ms at which the others get them."""
    ages: list[float] = []
    newest: dict[int, int] = {}
    everybody = asyncio.Event()
    count = int(rate * seconds)

    async with started() as server:

        def listener(place: int) -> Any:
            def listen(message: Message) -> None:
                if message["type"] == "viewport":
                    ages.append(time.time() * 1000 - message["sent"])
                    newest[place] = message["n"]
                    if len(newest) == followers and min(newest.values()) == count:
                        everybody.set()

            return listen

        presenter = Caller(server.url, server.token("surgeon", "Presenter"), lambda _: None)
        others = [
            Caller(server.url, server.token("expert", f"Expert {n}"), listener(n)) for n in range(followers)
        ]
        try:
            for caller in (presenter, *others):
                await caller.join()
            await presenter.request("present", action="start")
            loop = asyncio.get_running_loop()
            begun = loop.time()
            for n in range(1, count + 1):
                await asyncio.sleep(max(0.0, begun + n / rate - loop.time()))
                panes = [{**PANE, "slice": n}]
                state = {"layout": "1x1", "active": 0, "lines": False, "panes": panes}
                await presenter.send({"type": "viewport", "n": n, "sent": time.time() * 1000, "state": state})
            async with asyncio.timeout(10):
                await everybody.wait()
        finally:
            for caller in (presenter, *others):
                await caller.close()
    p50, p95, p99 = np.percentile(ages, [50, 95, 99])
    return {
        "followers": followers,
        "views": count,
        "received": len(ages),
        "p50_ms": round(float(p50), 2),
        "p95_ms": round(float(p95), 2),
        "p99_ms": round(float(p99), 2),
        "goal_p95_ms": GOAL_P95,
        "passed": bool(p95 < GOAL_P95),
    }


async def glass(rate: float) -> dict[str, Any]:
    """Measure up to the follower's glass."""
    # a browser is loaded for this alone
    from .viewport_glass import measure_glass  # noqa: PLC0415

    result = await measure_glass(rate)
    passed = all(result[kind]["p95_ms"] < GOAL_P95 for kind in ("keys", "drags"))
    return {**result, "goal_p95_ms": GOAL_P95, "passed": passed}


def main(arguments: list[str]) -> int:
    """Measure; exit status 1 if the goal was missed, or a follower never saw the last view."""
    parser = argparse.ArgumentParser(prog="python -m loadtests viewport", description=__doc__)
    parser.add_argument("--followers", type=int, default=15)
    parser.add_argument("--rate", type=float, default=None, help="views a second (60)")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--glass",
        action="store_true",
        help="from the presenter's key or drag to the image on a follower's page, in Chromium; --rate 10 by default",
    )
    options = parser.parse_args(arguments)
    try:
        if options.glass:
            result = asyncio.run(glass(options.rate or 10.0))
        else:
            result = asyncio.run(measure(options.followers, options.rate or 60.0, options.seconds))
    except TimeoutError:
        print("A follower did not see what the presenter saw last.")
        return 1
    text = json.dumps(result, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    return 0 if result["passed"] else 1
