"""The overlay's painter in Chromium: what it repaints in part looks like the whole, and lines read on any tissue."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtests.overlay import bundle
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
