"""An expert in Chromium at the end of bad lines: the picture goes on, by repeats and smaller, and is whole afterwards.

Frames, freezes as the browser counts them, and repeats of each line stand in build/figures/impaired_line.json.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest

from loadtests import line_pages
from loadtests.impaired_line import impaired
from loadtests.line import GOOD
from loadtests.line_pages import Reading
from tests.browser.chromium import browser, join, person, until
from tests.helpers.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FIGURES = Path("build/figures/impaired_line.json")

#: What the line does, and how many frames must come over it. The way up loses as much, where it loses.
LINES: tuple[tuple[str, dict[str, float], int], ...] = (
    ("2 % loss", {"loss": 0.02}, 40),
    ("10 % loss", {"loss": 0.1}, 40),
    ("20 % loss", {"loss": 0.2}, 40),
    ("bursts of 5", {"burst_loss": 0.01, "burst_length": 5.0}, 40),
    ("40 ms of jitter", {"jitter": 0.04}, 40),
    ("out of order, twice", {"reordered": 0.05, "duplicated": 0.05}, 40),
    ("1 Mbit/s", {"rate": 1e6}, 40),
)

#: What makes the line good again, whatever it was.
NOTHING = {"rate": None, "jitter": 0.0, "loss": 0.0, "burst_loss": 0.0, "reordered": 0.0, "duplicated": 0.0}

#: Frames after which the good line must show a picture that does not freeze.
AFTERWARDS = 40


def has_decoded(frames: int, now: Reading) -> bool:
    return now.decoded >= frames


def keep(figures: dict[str, dict[str, float]]) -> None:
    """Write the figures down."""
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(figures, indent=1))


async def test_the_picture_goes_on_over_bad_lines_and_is_whole_afterwards(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as server,
        browser() as chromium,
        impaired(("127.0.0.1", server.service.plane.address.port)) as line,
    ):
        surgeon = await person(chromium, server.link("surgeon", "Dr. Zhang Wei"), (800, 600))
        # the field: a step that failed is tried again after 8 s at most, of a face after a minute
        await join(surgeon, media=False)
        await surgeon.get_by_test_id("share-field").click()
        await surgeon.get_by_test_id("field-device-0").click()
        await line.change({**GOOD, **NOTHING, "delay": 0.01}, {**GOOD, **NOTHING, "delay": 0.01})
        expert = await line_pages.watch(chromium, server.link("expert", "Prof. Keller"), line.port)
        before = await line_pages.first_picture(expert)
        figures: dict[str, dict[str, float]] = {}
        for name, down, frames in LINES:
            up = {"loss": down.get("loss", 0.0)}
            counted = await line.change({**NOTHING, **down}, {**NOTHING, **up})
            target = before.decoded + frames
            reading = await line_pages.picture_until(expert, partial(has_decoded, target))
            after = await line.change()
            figures[name] = {
                key: round(value - asdict(before)[key], 3)
                for key, value in asdict(reading).items()
                if key in ("time", "decoded", "freezes", "frozen", "repeated", "nacks", "plis")
            }
            figures[name]["lost_on_the_line"] = after["down"]["lost"] - counted["down"]["lost"]
            if "loss" in down:
                # the line did lose, the browser asked, and what it asked for came
                assert figures[name]["lost_on_the_line"] > 0
                assert figures[name]["nacks"] > 0
                assert figures[name]["repeated"] > 0
            before = reading
        keep(figures)
        await line.change(NOTHING, NOTHING)
        producer = await until(expert, "k.producers.find(p => p.kind === 'video').producer")
        # all that the line held back comes again; the tile is smaller than the camera's picture, which is no fault
        moves = f"k.frames[{producer}].frozen === false"
        assert await until(expert, f"k.deliveries[{producer}]?.reason !== 'line' && {moves}")
        whole = await line_pages.read(expert)
        assert whole is not None
        await line_pages.picture_until(expert, partial(has_decoded, whole.decoded + AFTERWARDS))
