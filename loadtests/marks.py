"""Experts who all draw at once: how long a mark takes from one's socket to all others', what is lost, what it costs.

Each expert sends a piece of a stroke at the rate of a pointer's events, and when its stroke is done the durable mark;
marks are edited, deleted and undone as well. Afterwards somebody comes late into a room that holds 10,000 marks.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame
from websockets.protocol import Event

from annotation.document import Replica, parse_tail
from annotation.operations import parse_entry

from .caller import Caller
from .field import thin_field
from .probe_endpoint import ProbePump
from .server_process import ROOM, ServerUnderLoad, cpu_seconds, started

#: Points after which a stroke becomes a mark.
STROKE: Final = 60
#: Seconds of drawing that do not count.
WARM_UP: Final = 1.0
LATE_MARKS: Final = 10_000
LATE_POINTS: Final = 10
#: Of the late comer: the middle one of so many.
LATE_JOINS: Final = 5
#: What one connection may send at once (PROTOCOL.md, limits), with some room.
BURST: Final = 380

#: Key: what is promised, and in which words a miss is told.
GOALS: Final[dict[str, tuple[float, str]]] = {
    "p50_ms": (5, "Half of what is drawn takes {} ms to the others, not below {}."),
    "p99_ms": (20, "One in a hundred takes {} ms to the others, not below {}."),
    "lost_durable": (1, "{} durable operations did not arrive everywhere, {} is one too many."),
    "server_core_share": (0.5, "The server takes {} of a core, not below {}."),
    "late_join_ms": (500, "Coming late takes {} ms, not below {}."),
}


@dataclass(slots=True)
class Drawn:
    """What all experts sent and saw; times in s of one clock, since all are in this process."""

    counts: bool = False
    sent: int = 0
    decided: int = 0  # the newest number that the server gave
    strokes: list[float] = field(default_factory=list)
    durables: list[float] = field(default_factory=list)
    asked: dict[str, float] = field(default_factory=dict)  # mark: when


class Listening(ClientConnection):
    """Looks at strokes as they come off the socket: who reads 14,400 a second must not be what is measured."""

    on_stroke: Callable[[bytes], None] | None = None

    def process_event(self, event: Event) -> None:
        """Take a stroke here, queue everything else."""
        data = bytes(event.data) if isinstance(event, Frame) else b""
        if self.on_stroke is not None and data.startswith(b'{"type":"stroke"'):
            self.on_stroke(data)
        else:
            super().process_event(event)


class Expert(Caller):
    """One who draws, and reads what the others draw without parsing strokes."""

    connection = Listening

    def __init__(self, url: str, token: str, drawn: Drawn) -> None:
        super().__init__(url, token, lambda _: None)
        self._drawn = drawn
        self.texts: list[str] = []  # operation notices
        # one mark after the other, however late the answers are: an undo is meant for the one before it
        self._hand = asyncio.Lock()

    async def _read(self, socket: ClientConnection) -> None:
        assert isinstance(socket, Listening)
        socket.on_stroke = self._stroke
        with contextlib.suppress(ConnectionClosed):
            async for frame in socket:
                text = frame if isinstance(frame, str) else frame.decode()
                if text.startswith('{"type":"operation"'):
                    self._note(text, time.time())
                else:
                    self._receive(json.loads(text))

    def _stroke(self, data: bytes) -> None:
        if self._drawn.counts:
            start = data.rindex(b'"sent":') + 7
            self._drawn.strokes.append(time.time() * 1000 - float(data[start : data.index(b",", start)]))

    def _note(self, text: str, now: float) -> None:
        self.texts.append(text)
        start = text.find('"kind":"add","mark":{"mark":"')
        if start > 0 and self._drawn.counts:
            mark = text[start + 29 : text.index('"', start + 29)]
            if not mark.startswith(self.identifier):
                self._drawn.durables.append((now - self._drawn.asked[mark]) * 1000)

    async def draw(
        self, producer: int, newest: Callable[[], int], seconds: float, rate: float, phase: float
    ) -> None:
        """Draw strokes; of the marks that come of them some are changed, and in the end all but few are gone."""
        loop = asyncio.get_running_loop()
        anchor = {"producer": producer, "rtp_timestamp": newest()}
        began = loop.time() + phase / rate
        mark, points = "", list[list[float]]()
        # their strokes end one after the other, as people's do
        first = int(phase * STROKE)
        for n in range(first, first + int(seconds * rate)):
            await asyncio.sleep(max(0.0, began + (n - first) / rate - loop.time()))
            if n % STROKE == 0 or not mark:
                if mark:
                    self.tasks = [task for task in self.tasks if not task.done()]
                    self.tasks.append(asyncio.create_task(self._finish(mark, anchor, points, n // STROKE)))
                mark, points = f"{self.identifier}-{n}", []
                anchor = {"producer": producer, "rtp_timestamp": newest()}
            points.append([round(0.2 + 0.6 * (n % STROKE) / STROKE, 4), round(phase, 4)])
            body = {
                "type": "stroke", "mark": mark, "shape": "freehand", "anchor": anchor, "from": len(points) - 1,
                "points": points[-1:], "width": 0.004, "sent": time.time() * 1000, "n": n,
            }  # fmt: skip
            self._drawn.sent += 1
            await self.send(body)
        await asyncio.gather(*self.tasks)

    async def _finish(self, mark: str, anchor: dict[str, int], points: list[list[float]], n: int) -> None:
        body = {
            "mark": mark,
            "shape": "freehand",
            "anchor": anchor,
            "points": points,
            "width": 0.004,
            "text": "",
        }
        async with self._hand:
            self._drawn.asked[mark] = time.time()
            await self._operate({"kind": "add", "mark": body})
            if n % 3 == 0:
                await self._operate(
                    {"kind": "edit", "mark": {**body, "points": points[: len(points) // 2 + 1]}}
                )
            if n % 3 == 1:
                await self._operate({"kind": "delete", "marks": [mark]})
            if n % 3 != 2:
                await self._operate({"kind": "undo"})

    async def _operate(self, operation: dict[str, Any]) -> None:
        answer = await self.request("mark", operation=operation)
        self._drawn.decided = max(self._drawn.decided, answer["sequence"])


async def draw(server: ServerUnderLoad, options: argparse.Namespace) -> dict[str, object]:
    """Let all draw, and say how it went."""
    drawn = Drawn()
    experts = [
        Expert(server.url, server.token("expert", f"Hand {n + 1}"), drawn) for n in range(options.experts)
    ]
    assert server.pid is not None
    pump = ProbePump()
    try:
        async with thin_field(server, pump, ROOM) as (field, newest):
            try:
                for expert in experts:
                    await expert.join()
                count, seconds, rate = len(experts), options.seconds + WARM_UP, options.rate
                hands = [
                    asyncio.create_task(expert.draw(field.producer, newest, seconds, rate, n / count))
                    for n, expert in enumerate(experts)
                ]
                await asyncio.sleep(WARM_UP)
                drawn.counts = True
                cpu, began = cpu_seconds(server.pid), time.monotonic()
                await asyncio.sleep(options.seconds)
                share = (cpu_seconds(server.pid) - cpu) / (time.monotonic() - began)
                drawn.counts = False
                await asyncio.gather(*hands)
                lost = sum([await _lost(expert, drawn.decided) for expert in experts])
            finally:
                for expert in experts:
                    await expert.close()
    finally:
        await pump.close()
    both = drawn.strokes + drawn.durables
    return {
        "p50_ms": _quantile(both, 50),
        "p99_ms": _quantile(both, 99),
        "lost_durable": lost,
        "server_core_share": round(share, 3),
        "sent": drawn.sent,
        "received": len(drawn.strokes),
        "durable_p50_ms": _quantile(drawn.durables, 50),
        "durable_p99_ms": _quantile(drawn.durables, 99),
        "durable_received": len(drawn.durables),
    }


async def _lost(expert: Expert, decided: int) -> int:
    """Count what an expert was not told. It was all sent before the answer to this."""
    answer = await expert.request("marks", after=0)
    told = {json.loads(text)["sequence"] for text in expert.texts}
    before = expert.welcome["marks"]["sequence"]
    missing = sum(number not in told for number in range(before + 1, decided + 1))
    # and what it holds is what the server holds
    follows, asks = Replica(), Replica()
    follows.load(parse_tail(expert.welcome["marks"]))
    for text in expert.texts:
        follows.receive(parse_entry(json.loads(text)))
    asks.load(parse_tail({**answer}))
    return missing + (
        missing == 0 and follows.sequence == asks.sequence and follows.digest() != asks.digest()
    )


async def come_late(server: ServerUnderLoad) -> dict[str, object]:
    """Fill a whiteboard, then measure from the first byte of the connection to the welcome, read."""
    # somebody has to stay: an empty room ends
    async with Caller(server.url, server.token("observer", "Stays", "crowd"), lambda _: None):
        for start in range(0, LATE_MARKS, BURST):
            token = server.token("expert", f"Hand {start}", "crowd")
            async with Caller(server.url, token, lambda _: None) as caller:
                asked = [_add(caller, n) for n in range(start, min(start + BURST, LATE_MARKS))]
                await asyncio.gather(*asked)
                await caller.request("leave")
        return await _late_joins(server)


async def _late_joins(server: ServerUnderLoad) -> dict[str, object]:
    times, size = [], 0
    for n in range(LATE_JOINS):
        token = server.token("expert", f"Late {n}", "crowd")
        began = time.perf_counter()
        async with Caller(server.url, token, lambda _: None) as late:
            times.append((time.perf_counter() - began) * 1000)
            size = len(late.welcome["marks"]["operations"])
            await late.request("leave")
    return {"late_join_ms": round(sorted(times)[len(times) // 2], 1), "late_marks": size}


async def _add(caller: Caller, n: int) -> None:
    points = [[round((n * 7 + i * 3) % 1000 / 1000, 5), round(n / LATE_MARKS, 5)] for i in range(LATE_POINTS)]
    mark = {
        "mark": f"late-{n}", "shape": "freehand", "anchor": {"board": n % 100 + 1}, "points": points,
        "width": 0.004, "text": "",
    }  # fmt: skip
    await caller.request("mark", operation={"kind": "add", "mark": mark})


def _quantile(values: list[float], share: float) -> float:
    return round(float(np.percentile(values, share)), 3) if values else float("inf")


def missed(verdict: dict[str, Any]) -> list[str]:
    """Say in sentences which goals were missed."""
    return [
        words.format(verdict[key], goal) for key, (goal, words) in GOALS.items() if not verdict[key] < goal
    ]


async def _run(options: argparse.Namespace) -> dict[str, object]:
    # a collection of ours in the middle would be counted as the server's slowness
    gc.disable()
    try:
        async with started() as server:
            late = await come_late(server)
            return {"experts": options.experts, "rate": options.rate, **await draw(server, options), **late}
    finally:
        gc.enable()


def main(arguments: list[str]) -> int:
    """Run the load test and print its verdict; 1 if a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m loadtests marks", description=__doc__)
    parser.add_argument("--experts", type=int, default=16, help="who draw (default 16)")
    parser.add_argument(
        "--rate", type=float, default=60.0, help="pieces of a stroke a second and expert (default 60)"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="to measure (default 20)")
    parser.add_argument("--json", type=Path, help="write the verdict to this file, too")
    options = parser.parse_args(arguments)
    verdict: dict[str, Any] = asyncio.run(_run(options))
    print(
        f"{verdict['experts']} experts, {verdict['rate']:g} pieces a second each: {verdict['sent']:,} sent, "
        f"{verdict['received']:,} received, {verdict['durable_received']:,} durable ones\n"
        f"  to all others   p50 {verdict['p50_ms']} ms, p99 {verdict['p99_ms']} ms "
        f"(durable: {verdict['durable_p50_ms']}, {verdict['durable_p99_ms']})\n"
        f"  lost, durable   {verdict['lost_durable']}\n"
        f"  server          {verdict['server_core_share']} of a core\n"
        f"  late comer      {verdict['late_join_ms']} ms to {verdict['late_marks']:,} marks"
    )
    if options.json:
        options.json.write_text(json.dumps(verdict, indent=2) + "\n")
    failures = missed(verdict)
    for sentence in failures:
        print(sentence, file=sys.stderr)
    return 1 if failures else 0
