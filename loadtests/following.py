"""Marks that follow the tissue in the room's load test: real 4K pictures, and how late what is told of a frame comes.

A frame is captured when its first packet is sent; what is told of it is there when a page's socket has the `track`
operation that names it.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from media.codecs import h264
from media.native.probe import Probe

from .caller import Caller

ROOT: Final = Path(__file__).parent.parent
CLIP: Final = ROOT / "build" / "media" / "field-4k.mp4"
#: The same in 640 x 360: a field's low layer.
LOW_CLIP: Final = CLIP.with_name("field-360.mp4")
#: Pictures a second of the clip.
FPS: Final = 30.0
#: Seconds after which all marks have been found, and the figures begin.
SETTLED: Final = 5.0


@cache
def clip_frames(payload: int, *, low: bool = False) -> tuple[tuple[bytes, ...], ...]:
    """Give the demo's 4K clip, or its low layer, made once, as RTP payloads frame by frame."""
    # a process of its own: load tests know the server from outside only
    command = [
        sys.executable,
        "-m",
        "server.demo.clip_units",
        *([str(LOW_CLIP), "low"] if low else [str(CLIP)]),
    ]
    data = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    return payloads_of(data, payload)


def payloads_of(data: bytes, payload: int) -> tuple[tuple[bytes, ...], ...]:
    """Make RTP payloads, frame by frame, of what `server.demo.clip_units` wrote."""
    frames: list[tuple[bytes, ...]] = []
    at = 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        frames.append(tuple(h264.packetise(data[at + 4 : end], payload)))
        at = end
    return tuple(frames)


@dataclass(slots=True)
class Following:
    """What was told of the marks; seconds from a frame's first packet to the news that a mark is good in it."""

    probe: Probe
    streams: dict[int, int]  # producer → the probe's stream
    lags: list[float] = field(default_factory=list)
    told: int = 0
    good: int = 0
    counting: bool = False
    _begins: dict[int, float] = field(default_factory=dict)  # when RTP timestamp 0 would have been sent, s

    def look(self) -> None:
        """Note when frames are sent: the first packet of a frame is the earliest."""
        for producer, stream in self.streams.items():
            sent = self.probe.sent(stream)
            begin = sent.last_sent / 1e9 - sent.last_timestamp / 90_000
            self._begins[producer] = min(begin, self._begins.get(producer, begin))

    def newest(self, producer: int) -> int:
        """Name the frame that is being sent."""
        return self.probe.sent(self.streams[producer]).last_timestamp

    def receive(self, notice: dict[str, Any]) -> None:
        """Take what the server says."""
        if notice["type"] != "operation" or notice["operation"]["kind"] != "track" or not self.counting:
            return
        anchor = notice["operation"]["anchor"]
        good = sum(track["state"] == "good" for track in notice["operation"]["tracks"])
        self.told += len(notice["operation"]["tracks"])
        self.good += good
        # that a mark is grey is told of late frames because they are late
        if good:
            begin = self._begins[anchor["producer"]]
            self.lags.append(time.time() - begin - anchor["rtp_timestamp"] / 90_000)

    def summary(self) -> dict[str, object]:
        """Summarise for the verdict."""
        quantiles = np.percentile(self.lags, [50, 95, 99]) * 1000 if self.lags else [0.0, 0.0, 0.0]
        names = ("p50", "p95", "p99")
        return {
            "told": self.told,
            "good": self.good,
            "lag_ms": {name: round(float(q), 1) for name, q in zip(names, quantiles, strict=True)},
        }


@contextlib.asynccontextmanager
async def following(
    url: str, token: str, probe: Probe, streams: dict[int, int], marks: int
) -> AsyncIterator[Following]:
    """Have so many marks followed on each producer while the context lasts. Raise Refused."""
    watched = Following(probe, streams)
    looking = asyncio.create_task(_look(watched))
    try:
        async with Caller(url, token, watched.receive) as expert:
            for number in range(marks):
                for producer in streams:
                    operation = {
                        "kind": "add",
                        "mark": _mark(number, marks, producer, watched.newest(producer)),
                    }
                    await expert.request("mark", operation=operation)
            await asyncio.sleep(SETTLED)
            watched.counting = True
            yield watched
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def _look(watched: Following) -> None:
    while True:
        watched.look()
        await asyncio.sleep(0.005)


def _mark(number: int, of: int, producer: int, timestamp: int) -> dict[str, Any]:
    """Draw an ellipse; all of them lie in two rows."""
    column, row = number // 2, number % 2
    x, y = 0.15 + 0.7 * (column + 0.5) / max(1, (of + 1) // 2), 0.35 + 0.3 * row
    points: Sequence[tuple[float, float]] = ((x - 0.03, y - 0.05), (x + 0.03, y + 0.05))
    return {
        "mark": f"m-{producer}-{number}",
        "shape": "ellipse",
        "anchor": {"producer": producer, "rtp_timestamp": timestamp},
        "points": points,
        "width": 0.004,
        "text": "",
        "follow": True,
    }
