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

        # white, black, red, and every tissue: some part of the line stands out from the ground, and its parts from
        # each other, whatever the colour
        grounds = ["#ffffff", "#000000", "#ff0000", *VECTORS["tissue"]]
        seen = await page.evaluate("grounds => overlay.contrasts(grounds)", grounds)
        assert len(seen) == len(grounds) * 16
        assert min(one["against_ground"] for one in seen) > 4
        assert min(one["within"] for one in seen) > 4.5
