"""A clip published from a process of its own, as an encoder would."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from server.demo.clip import SMALL, ensure_clip
from tests.helpers.served import Served

ROOT = Path(__file__).parent.parent.parent


def small_clip() -> Path:
    """Give the two-second clip of a retina under a camera, made once: 640 × 360, a barcode in each frame."""
    return ensure_clip(ROOT / "build" / "media" / "small.mp4", SMALL)


@contextlib.asynccontextmanager
async def publishing(server: Served, clip: Path, *, frames: int, room: str = "ward") -> AsyncIterator[None]:
    """Publish a clip of so many frames again and again, as the room's field, while the context lasts."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server", "publish", str(clip), "--room", room, "--loop",
        "--server", server.url, "--barcode", str(frames),
        cwd=ROOT, env={**os.environ, "KONSIL_TOKEN": server.token("surgeon", "Encoder", room)},
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(20):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
