"""How long until what the presenter does is on a follower's glass: from a key or a drag to the frame of another page.

Both pages stand in one Chromium on one machine, so that they have one clock (`performance.timeOrigin` + `now()`). It
begins with the time stamp of the presenter's own input event and ends with the first animation frame of the follower's
page after the image was drawn there. Where there is no graphics processor both draw in software, on the same cores.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

import numpy as np
from playwright.async_api import Page

from .chromium import browser
from .images import upload
from .images_series import series
from .server_process import ServerUnderLoad, started

#: Slices of the series that is looked at: as many steps are made by key and by drag.
SLICES: Final = 60
#: Pixels of one step of the drag.
STEP_PX: Final = 4
PATIENCE_MS: Final = 30_000.0

#: Note when each input of the presenter happened, and what his page shows of it a turn later.
_ACTS: Final = """() => {
    window.acts = [];
    for (const kind of ['keydown', 'pointermove']) window.addEventListener(kind, event => {
        const when = performance.timeOrigin + event.timeStamp;
        setTimeout(() => {
            const shown = window.konsil.images[0];
            if (shown) window.acts.push([when, shown.at, shown.window[1]]);
        });
    }, true);
}"""
#: Note in which frame each drawing reaches the glass.
_GLASS: Final = """() => {
    window.glass = [];
    let last = null;
    const look = () => {
        const shown = window.konsil.images[0];
        if (shown && shown.window && shown.drawnAt !== last) {
            last = shown.drawnAt;
            window.glass.push([performance.timeOrigin + performance.now(), shown.at, shown.window[1]]);
        }
        requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
}"""


def delays(acts: list[list[float]], glass: list[list[float]], value: int) -> list[float]:
    """Give how long each act took to the glass, ms; `value` is the column that each act makes larger.

    What was left out because something newer came counts until that newer one was seen.
    """
    found: list[float] = []
    largest = -np.inf
    for act in acts:
        if act[value] <= largest:
            continue
        largest = act[value]
        seen = next((at[0] for at in glass if at[0] >= act[0] and at[value] >= largest), None)
        if seen is None:
            raise RuntimeError("The follower never saw what the presenter did.")
        found.append(seen - act[0])
    return found


def quantiles(values: list[float]) -> dict[str, float]:
    """Give what is said of delays."""
    p50, p95, p99 = (round(float(one), 1) for one in np.percentile(values, [50, 95, 99]))
    return {"acts": len(values), "p50_ms": p50, "p95_ms": p95, "p99_ms": p99}


async def measure_glass(rate: float) -> dict[str, Any]:
    """Scroll by keys and window by dragging, `rate` steps a second. Raise RuntimeError, TimeoutError."""
    files = await asyncio.to_thread(series, SLICES)
    async with started() as server, browser() as chromium:
        await asyncio.to_thread(upload, server, server.token("expert", "Uploader"), files)
        pages = [await chromium.new_page(viewport={"width": 1280, "height": 800}) for _ in range(2)]
        for page, name in zip(pages, ("Presenter", "Follower"), strict=True):
            await _look(page, server, name)
        presenter, follower = pages
        await presenter.get_by_test_id("present-start").click()
        await follower.locator('[data-testid="presenting"][data-role="following"]').wait_for()
        pane = presenter.get_by_test_id("pane-0")
        await pane.focus()
        # everything is there before it is measured: once through the series
        for key, at in (
            ("Home", 0),
            *(("PageDown", min(SLICES - 1, n * 10)) for n in range(1, 7)),
            ("Home", 0),
        ):
            await presenter.keyboard.press(key)
            await _until(follower, f"window.konsil.images[0]?.at === {at}")
        await presenter.evaluate(_ACTS)
        for page in pages:
            await page.evaluate(_GLASS)
        keys = await _act(pages, rate, SLICES - 1, lambda _: presenter.keyboard.press("ArrowDown"), 1)
        box = await pane.bounding_box()
        assert box is not None
        left, middle = box["x"] + 20, box["y"] + box["height"] / 2
        await presenter.mouse.move(left, middle)
        await presenter.mouse.down(button="right")
        drags = await _act(
            pages, rate, SLICES, lambda n: presenter.mouse.move(left + STEP_PX * (n + 1), middle), 2
        )
        await presenter.mouse.up(button="right")
    return {"renderer": "software", "keys": keys, "drags": drags}


async def _look(page: Page, server: ServerUnderLoad, name: str) -> None:
    page.set_default_timeout(PATIENCE_MS)
    await page.goto(server.link("expert", name))
    await page.get_by_test_id("join-without").click()
    await page.get_by_test_id("stage-images").click()
    await _until(page, "window.konsil?.images?.[0]")


async def _until(page: Page, condition: str) -> None:
    script = f"""new Promise(done => {{
        const timer = setInterval(() => {{ if ({condition}) {{ clearInterval(timer); done(true); }} }}, 10);
    }})"""
    async with asyncio.timeout(PATIENCE_MS / 1000):
        await page.evaluate(script)


async def _act(pages: list[Page], rate: float, count: int, act: Any, value: int) -> dict[str, Any]:
    """Act so many times, and hold the acts against both glasses."""
    presenter, follower = pages
    await presenter.evaluate("window.acts.length = 0")
    for page in pages:
        await page.evaluate("window.glass.length = 0")
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for n in range(count):
        await asyncio.sleep(max(0.0, begun + n / rate - loop.time()))
        await act(n)
    shown = "JSON.stringify([window.konsil.images[0]?.at, window.konsil.images[0]?.window?.[1]])"
    wanted = await presenter.evaluate(shown)
    await _until(follower, f"{shown} === {json.dumps(wanted)}")
    # the frame in which the last one stands
    await follower.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    acts = await presenter.evaluate("window.acts")
    own, theirs = [await page.evaluate("window.glass") for page in pages]
    return {**quantiles(delays(acts, theirs, value)), "own": quantiles(delays(acts, own, value))}
