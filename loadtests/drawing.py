"""Experts who all draw at once: how long a point takes from one's socket to another's."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from websockets.asyncio.client import ClientConnection

from .caller import Caller

#: What a hand gives: pointer events a second.
RATE = 60.0

#: Points after which a stroke becomes a mark.
STROKE = 60


@dataclass(slots=True)
class Drawing:
    """What was sent and what arrived; latencies in ms, from the sender's call to the receiver's."""

    sent: int = 0
    received: int = 0
    latencies: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, object]:
        """Summarise for the verdict."""
        quantiles = np.percentile(self.latencies, [50, 99, 99.9]) if self.latencies else [0.0, 0.0, 0.0]
        names = ("p50", "p99", "p999")
        return {
            "sent": self.sent,
            "received": self.received,
            "latency_ms": {name: round(float(q), 3) for name, q in zip(names, quantiles, strict=True)},
        }


async def draw(
    url: str, tokens: list[str], producer: int, newest: Callable[[], int], seconds: float, rate: float = RATE
) -> Drawing:
    """Let everybody with a token draw on a producer for so long, on its `newest` frame. Raise Refused."""
    drawing = Drawing()
    callers = [_Drawer(url, token, drawing) for token in tokens]
    try:
        for caller in callers:
            await caller.join()
        tasks = [
            asyncio.create_task(caller.draw(producer, newest, seconds, rate, n / len(callers)))
            for n, caller in enumerate(callers)
        ]
        await asyncio.gather(*tasks)
    finally:
        for caller in callers:
            await caller.close()
    return drawing


class _Drawer(Caller):
    """A caller who reads strokes without parsing them: 16 of them get 14,400 a second."""

    def __init__(self, url: str, token: str, drawing: Drawing) -> None:
        super().__init__(url, token, lambda _: None)
        self._drawing = drawing

    async def _read(self, socket: ClientConnection) -> None:
        drawing = self._drawing
        async for frame in socket:
            text = frame if isinstance(frame, str) else frame.decode()
            if text.startswith('{"type":"stroke"'):
                start = text.rindex('"sent":') + 7
                drawing.latencies.append(time.time() * 1000 - float(text[start : text.index(",", start)]))
                drawing.received += 1
            else:
                self._receive(json.loads(text))

    async def draw(
        self, producer: int, newest: Callable[[], int], seconds: float, rate: float, phase: float
    ) -> None:
        """Draw strokes; each becomes a mark, and is undone so that the field does not fill."""
        loop = asyncio.get_running_loop()
        anchor = {"producer": producer, "rtp_timestamp": newest()}
        began = loop.time() + phase / rate
        mark = ""
        points: list[list[float]] = []
        for n in range(int(seconds * rate)):
            await asyncio.sleep(max(0.0, began + n / rate - loop.time()))
            if n % STROKE == 0:
                if mark:
                    body = {
                        "mark": mark,
                        "shape": "freehand",
                        "anchor": anchor,
                        "points": points,
                        "width": 0.004,
                    }
                    await self.request("mark", operation={"kind": "add", "mark": {**body, "text": ""}})
                    await self.request("mark", operation={"kind": "undo"})
                mark, points = f"{self.identifier}-{n}", []
                anchor = {"producer": producer, "rtp_timestamp": newest()}
            points.append([round(0.2 + 0.6 * (n % STROKE) / STROKE, 4), round(phase, 4)])
            body = {
                "type": "stroke", "mark": mark, "shape": "freehand", "anchor": anchor, "from": len(points) - 1,
                "points": points[-1:], "width": 0.004, "sent": time.time() * 1000, "n": n,
            }  # fmt: skip
            self._drawing.sent += 1
            await self.send(body)
