"""One frame of a field at its full size: a worker process a still decodes it from what the backlog holds."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import wire
from .pictures import Stream

ROOT: Final = Path(__file__).parent.parent.parent

#: Seconds that one may take: ten seconds of 4K on a busy machine.
PATIENCE: Final = 30.0
#: The answer's first line.
_HEAD_LIMIT: Final = 1 << 12


class StillError(Exception):
    """There is no such still; the text is a sentence for whoever asked."""


@dataclass(frozen=True, slots=True)
class Still:
    """A frame as it was sent: a PNG file, and its size in pixels."""

    png: bytes
    width: int
    height: int


async def take(stream: Stream, records: bytes, rtp_timestamp: int) -> Still:
    """Decode the frame of this RTP timestamp out of tap records. Raise StillError."""
    # somebody waits for it, but the live room comes first
    process = await asyncio.create_subprocess_exec(
        "nice", "-n", "5", sys.executable, "-m", "server.watching", "still",
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    request = {**wire.describe(stream), "rtp_timestamp": rtp_timestamp}
    try:
        async with asyncio.timeout(PATIENCE):
            answer, _ = await process.communicate(json.dumps(request).encode() + b"\n" + records)
    except TimeoutError:
        raise StillError("The server is too busy to keep that frame. Try again.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    head, found, png = answer.partition(b"\n")
    if process.returncode != 0 or not found or len(head) > _HEAD_LIMIT:
        raise StillError("That frame could not be decoded. Freeze another one.")
    body = json.loads(head)
    if "error" in body:
        raise StillError(str(body["error"]))
    return Still(png, int(body["width"]), int(body["height"]))
