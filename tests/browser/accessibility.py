"""What axe finds on a page: its script is read from node_modules and evaluated over the debugging channel, so that the
page's content security policy stays as it is."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from playwright.async_api import Page

AXE = Path(__file__).parents[2] / "web_client" / "node_modules" / "axe-core" / "axe.min.js"

#: What a person cannot get round.
GRAVE = frozenset({"serious", "critical"})


async def grave_findings(page: Page) -> list[str]:
    """Look at the page as it stands; a line for each element that has a serious or critical finding."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(await asyncio.to_thread(AXE.read_text, "utf-8"))
    # what fades in has no contrast yet
    await page.evaluate("Promise.allSettled(document.getAnimations().filter(a => "
                        "a.effect.getTiming().iterations !== Infinity).map(a => a.finished))")  # fmt: skip
    found: dict[str, Any] = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']} ({rule['impact']}): {' '.join(map(str, node['target']))}: {json.dumps(_why(node))}"
        for rule in found["violations"]
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
    ]


def _why(node: dict[str, Any]) -> str:
    return str(node.get("failureSummary", "")).partition("\n")[2].strip()[:300]
