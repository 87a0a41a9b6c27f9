"""The overlay's painter in Chromium: what it repaints in part looks like the whole, and lines read on any tissue."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.async_api import Page

from annotation.shapes import parse_mark
from loadtests.overlay import bundle
from recorder.export.composed.figures import PALETTE
from recorder.export.composed.ink import Painted, paint_mark, rgb
from tests.browser.chromium import browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "pens.json").read_text())


async def test_the_painter(tmp_path: Path) -> None:
    script = bundle(tmp_path)
    async with browser() as chromium:
        page = await chromium.new_page(viewport={"width": 1280, "height": 720})
        await page.add_script_tag(content=script)

        # what one change repaints is that change's surroundings, and nothing where nothing changed
        found = await page.evaluate("() => overlay.differing(120, 2720, 1530)")
        first, removed, changed, measured, moved, nothing = found["repainted"]
        assert first == 120
        assert 0 < removed < 40
        assert 0 < changed < 40
        assert 0 < measured < 40
        assert 0 < moved < 120
        assert nothing == 0
        assert found["painted"] > 20_000
        assert found["differing"] < 0.0002 * found["painted"]

        # marks that all follow a picture which sways, turns and comes nearer: laid where they go, they lie where their
        # lines would be painted, a pixel more or less, and once all is calm nothing is left to be done
        few, laid = [await page.evaluate("n => overlay.astray(n, 1920, 1080)", marks) for marks in (40, 120)]
        for some in (few, laid):
            assert some["painted"] > 100_000
            assert some["astray"] < 0.0001 * some["painted"]
            assert all(calls < 100 for calls in some["calls"])
        # few have a canvas each, which is moved
        assert few["sprites"] == 0
        # most were laid, not painted anew at each of the six movements
        assert 0 < laid["sprites"] < 6 * 120

        # white, black, red, and every tissue: some part of the line stands out from the ground, and its parts from
        # each other, whatever the colour
        grounds = ["#ffffff", "#000000", "#ff0000", *VECTORS["tissue"]]
        seen = await page.evaluate("grounds => overlay.contrasts(grounds)", grounds)
        assert len(seen) == len(grounds) * 16
        assert min(one["against_ground"] for one in seen) > 4
        assert min(one["within"] for one in seen) > 4.5

        await _films_show_the_same(page)


#: One mark of each shape, as in fractions of a picture.
DRAWN: dict[str, tuple[list[list[float]], dict[str, Any]]] = {
    "freehand": ([[0.1 + 0.02 * n, 0.3 + 0.15 * ((n * 7) % 5) / 5] for n in range(38)], {}),
    "line": ([[0.1, 0.2], [0.9, 0.7]], {}),
    "arrow": ([[0.15, 0.8], [0.8, 0.25]], {}),
    "ellipse": ([[0.2, 0.2], [0.8, 0.75]], {}),
    "rectangle": ([[0.2, 0.2], [0.8, 0.75]], {}),
    "polygon": ([[0.2, 0.2], [0.8, 0.3], [0.6, 0.8], [0.3, 0.7]], {}),
    "text": ([[0.15, 0.4]], {"text": "Vessel 12"}),
    "pin": ([[0.5, 0.7]], {"text": "clip", "number": 7}),
    "length": ([[0.2, 0.3], [0.8, 0.6]], {}),
    "angle": ([[0.2, 0.3], [0.5, 0.7], [0.8, 0.2]], {}),
    "cobb": ([[0.2, 0.3], [0.5, 0.4], [0.3, 0.8], [0.8, 0.7]], {}),
    "bidirectional": ([[0.2, 0.3], [0.8, 0.6], [0.5, 0.2], [0.4, 0.8]], {}),
    "roi_ellipse": ([[0.3, 0.3], [0.7, 0.6]], {}),
    "roi_rectangle": ([[0.3, 0.3], [0.7, 0.6]], {}),
    "probe": ([[0.5, 0.5]], {}),
}
#: Shapes whose letters the browser and the film take from different fonts.
LETTERS = ("text", "pin")
SIZE = (640, 360)


async def _films_show_the_same(page: Page) -> None:
    """Hold what a composed film draws against what the page draws, each shape in each dash."""
    # a pen's line as pens draw it: where one turns sharply the page's line grows thin, and a film's does not
    arc = [[0.1 + 0.02 * n, 0.6 - 0.0004 * n * (38 - n)] for n in range(38)]
    pressed = {"pressures": [0.2 + 0.75 * n / 37 for n in range(38)]}
    cases = [(shape, points, more) for shape, (points, more) in DRAWN.items()]
    cases += [("freehand", arc, pressed)] * 2
    for number, (shape, points, more) in enumerate(cases):
        on_image = shape in ("angle", "cobb", "bidirectional", "roi_ellipse", "roi_rectangle", "probe")
        anchor = {"SOPInstanceUID": "1.2", "frame": 1} if on_image else {"producer": 7, "rtp_timestamp": 0}
        body = {
            "mark": "m",
            "shape": shape,
            "anchor": anchor,
            "points": points,
            "width": 0.02,
            "text": "",
            **more,
        }
        colour, ground = PALETTE[number % 5], ("#b04a3c", "#202020")[number % 2]
        stale = number == 1
        asked = [body, colour, ground, *SIZE, stale]
        pixels = base64.b64decode(await page.evaluate("asked => overlay.painted(...asked)", asked))
        theirs = np.frombuffer(pixels, np.uint8).reshape(SIZE[1], SIZE[0], 4)[:, :, :3].astype(int)
        ours = np.empty((SIZE[1], SIZE[0], 3), np.uint8)
        ours[:] = rgb(ground)
        matrix = (float(SIZE[0]), 0.0, 0.0, float(SIZE[1]), 0.0, 0.0)
        painted = Painted(parse_mark(body, decided=True), colour, matrix, float(SIZE[1]), stale)
        for sprite in paint_mark(painted, SIZE):
            sprite.lay_on(ours)
        inked = np.abs(theirs - rgb(ground)).max(axis=2) > 30
        also = np.abs(ours.astype(int) - rgb(ground)).max(axis=2) > 30
        away = np.abs(theirs - ours).max(axis=2)
        # edges are smoothed in two ways: half a pixel's ink beside a line is no difference
        blurred = np.abs(
            cv2.blur(theirs.astype(np.float32), (3, 3)) - cv2.blur(ours.astype(np.float32), (3, 3))
        ).max(axis=2)
        assert inked.sum() > 200, shape
        if shape in LETTERS:
            # other letters, at the same place, of the same height and colours
            assert abs(int(inked.sum()) - int(also.sum())) < 0.2 * inked.sum(), shape
            spans = [np.argwhere(one) for one in (inked, also)]
            assert np.abs(spans[0].min(axis=0) - spans[1].min(axis=0)).max() <= 6, shape
            assert abs(int(spans[0].max(axis=0)[0]) - int(spans[1].max(axis=0)[0])) <= 6, shape
            continue
        assert (blurred > 64).sum() < 0.02 * inked.sum(), (
            shape,
            more,
            int((blurred > 64).sum()),
            int(inked.sum()),
        )
        assert (away > 128).sum() < 0.04 * inked.sum(), (
            shape,
            more,
            int((away > 128).sum()),
            int(inked.sum()),
        )
