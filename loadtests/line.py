"""A field over bad lines: real server, real browsers, and what the expert's browser says of the picture.

A Chromium sends the field (1280 x 720, 30 frames a second, as much detail as tissue has), another one shows it at the
end of an impaired line; each line has an expert of its own. All figures are the expert's browser's: getStats, and the
age that the page shows.

  reached    seconds from joining to the first moving picture, over this line
  Mbit/s     that came in, of the picture and its repeats
  height     of the picture: the smallest and the median
  fps        frames decoded a second
  freezes    how often and for how many seconds, as the browser counts (freezeCount)
  age        of the frame on the glass in ms: median and 95th percentile
  lost       packets on the line, and packets that were repeats
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from playwright.async_api import Browser, Page

from . import line_pages
from .chromium import browser
from .impaired_line import ImpairedLine, impaired
from .line_pages import Reading
from .server_process import ServerUnderLoad, started

#: Seconds between two readings.
EVERY = 0.5

#: What a line is that no step changes: 20 ms each way, as a city has, and nothing else.
GOOD = {"rate": None, "delay": 0.02, "jitter": 0.0, "loss": 0.0}


@dataclass(frozen=True, slots=True)
class Step:
    """So many shares of the time, with the way down changed so."""

    share: float
    down: dict[str, float]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A line; `up` is how it stays in the other direction."""

    name: str
    steps: tuple[Step, ...]
    up: dict[str, float]


SCENARIOS = (
    Scenario("clean", (Step(1, {}),), {}),
    Scenario("2 % loss", (Step(1, {"loss": 0.02}),), {"loss": 0.02}),
    Scenario("10 % loss", (Step(1, {"loss": 0.1}),), {"loss": 0.1}),
    Scenario("40 ms jitter", (Step(1, {"jitter": 0.04}),), {"jitter": 0.04}),
    Scenario(
        "30-4-30 Mbit/s", (Step(0.3, {"rate": 30e6}), Step(0.3, {"rate": 4e6}), Step(0.4, {"rate": 30e6})), {}
    ),
)


def summarise(readings: list[Reading], counted: dict[str, dict[str, int]]) -> dict[str, object]:
    """Say what a stretch of readings shows; `counted` is what the line did meanwhile."""
    first, last = readings[0], readings[-1]
    seconds = last.time - first.time
    heights = [reading.height for reading in readings if reading.height]
    ages = sorted(reading.age for reading in readings if reading.age is not None)
    down = counted["down"]
    packets = last.packets - first.packets
    return {
        "seconds": round(seconds, 1),
        "mbit_s": round((last.bytes - first.bytes) * 8 / seconds / 1e6, 2),
        "height": {"min": min(heights, default=0), "median": int(median(heights)) if heights else 0},
        "fps": round((last.decoded - first.decoded) / seconds, 1),
        "freezes": {"count": last.freezes - first.freezes, "seconds": round(last.frozen - first.frozen, 2)},
        "age_ms": {
            "p50": round(ages[len(ages) // 2]) if ages else None,
            "p95": round(ages[int(0.95 * len(ages))]) if ages else None,
        },
        "lost_on_the_line": round((down["lost"] + down["dropped_by_queue"]) / max(1, down["sent"]), 4),
        "repeated": round((last.repeated - first.repeated) / packets, 4) if packets else 0.0,
        "nacks": last.nacks - first.nacks,
        "plis": last.plis - first.plis,
        "key_frames": last.keys - first.keys,
        "round_trip_ms": round(last.roundTrip * 1000),
    }


async def run_scenario(
    experts: Browser, server: ServerUnderLoad, line: ImpairedLine, scenario: Scenario, seconds: float
) -> dict[str, object]:
    """Join over this line, watch for so long, leave."""
    await line.change({**GOOD, **scenario.steps[0].down}, {**GOOD, **scenario.up})
    joined = time.monotonic()
    page = await line_pages.watch(experts, server.link("expert", scenario.name), line.port)
    try:
        await line_pages.first_picture(page)
        reached = time.monotonic() - joined
        before = await line.change()
        readings: list[Reading] = []
        steps = []
        for step in scenario.steps:
            counted = await line.change(step.down)
            stretch = await _readings(page, step.share * seconds)
            after = await line.change()
            readings += stretch
            steps.append(summarise(stretch, _difference(counted, after)))
        found = summarise(readings, _difference(before, await line.change()))
        found["reached_s"] = round(reached, 1)
        if len(steps) > 1:
            found["steps"] = steps
        found["trace"] = [
            [round(r.time - readings[0].time, 1), r.height, r.decoded, r.bytes] for r in readings
        ]
        return found
    finally:
        await page.context.close()


async def _readings(page: Page, seconds: float) -> list[Reading]:
    found: list[Reading] = []
    until = time.monotonic() + seconds
    while not found or time.monotonic() < until:
        reading = await line_pages.read(page)
        if reading is not None:
            found.append(reading)
        await asyncio.sleep(EVERY)
    last = await line_pages.read(page)
    return [*found, last] if last is not None else found


def _difference(
    before: dict[str, dict[str, int]], after: dict[str, dict[str, int]]
) -> dict[str, dict[str, int]]:
    return {way: {key: after[way][key] - before[way][key] for key in after[way]} for way in after}


async def measure(options: argparse.Namespace) -> dict[str, dict[str, object]]:
    """Run all lines, one after the other."""
    chosen = [scenario for scenario in SCENARIOS if not options.only or scenario.name in options.only]
    with tempfile.TemporaryDirectory(prefix="konsil-line-") as name:
        clip = Path(name) / "field.y4m"
        await asyncio.to_thread(line_pages.write_clip, clip)
        async with (
            started() as server,
            browser(f"--use-file-for-fake-video-capture={clip}") as fields,
            browser() as experts,
            impaired(("127.0.0.1", server.media_port), options.seed) as line,
        ):
            field = await line_pages.publish_field(fields, server.link("surgeon", "Field"))
            found: dict[str, dict[str, object]] = {}
            for scenario in chosen:
                found[scenario.name] = await run_scenario(experts, server, line, scenario, options.seconds)
                _print_row(scenario.name, found[scenario.name])
            await field.context.close()
            return found


_HEAD = ("line", "reached", "Mbit/s", "height", "fps", "freezes", "age p50/p95", "lost/repeated")
_WIDTHS = (18, 8, 7, 10, 6, 13, 13, 15)


def _print_row(name: str, found: dict[str, Any]) -> None:
    rows = [(name, found)] + [
        (f"  step {number}", step) for number, step in enumerate(found.get("steps", []), 1)
    ]
    for title, row in rows:
        reached = row.get("reached_s")
        cells = (
            title,
            "" if reached is None else f"{reached} s",
            str(row["mbit_s"]),
            f"{row['height']['min']}/{row['height']['median']}",
            str(row["fps"]),
            f"{row['freezes']['count']}, {row['freezes']['seconds']} s",
            f"{row['age_ms']['p50']}/{row['age_ms']['p95']} ms",
            f"{row['lost_on_the_line']:.1%}/{row['repeated']:.1%}",
        )
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True)), flush=True)


def main(arguments: list[str]) -> int:
    """Run the lines and print a table; 1 if a picture stood still for a tenth of the time."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtests line",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="of each line (default 20)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same chance (default 1)")
    parser.add_argument(
        "--only", action="append", help=f"one of {', '.join(s.name for s in SCENARIOS)}; may be repeated"
    )
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args(arguments)
    print("  ".join(cell.ljust(width) for cell, width in zip(_HEAD, _WIDTHS, strict=True)))
    found = asyncio.run(measure(options))
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2))
    return int(any(row["freezes"]["seconds"] > 0.1 * row["seconds"] for row in found.values()))  # type: ignore[index, operator]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
