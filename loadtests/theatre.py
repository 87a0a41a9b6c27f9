"""What a recording that is shown in a room costs beside a live picture.

One 4K field of real pictures goes to some experts, and is recorded; then, in turns, nothing is shown and that recording
is, which goes to all of them as well. The transit time is of all packets, live and recorded.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
from functools import partial
from pathlib import Path
from typing import Any

from media.sdp import answer_subscriber, parse

from .caller import Caller
from .field import PAYLOAD, add_field
from .following import clip_frames
from .probe_endpoint import ProbePump
from .room import WARM_UP, Expert, add_expert
from .server_process import ServerUnderLoad, quantile_ms, started

#: What "untouched" is taken for: transit p99 while it is shown, by that while it is not.
GOAL_RATIO = 1.25

_TICK = os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def worker_of(pid: int) -> int | None:
    """Find the server's process that plays a recording."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            if b"server.theatre.worker" in command and int(_stat(int(entry.name))[1]) == pid:
                return int(entry.name)
    return None


def cpu_of(pid: int) -> float:
    """Return the seconds of a processor that a process has taken."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICK


class Show:
    """Shows a recording, from the beginning again when it has ended."""

    def __init__(self, surgeon: Caller, experts: list[Expert]) -> None:
        self._surgeon = surgeon
        self._answering: set[asyncio.Task[Any]] = set()
        self.state: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        surgeon.on_notice = self._notice
        for expert in experts:
            expert.caller.on_notice = partial(self._offered, expert)

    def _notice(self, message: dict[str, Any]) -> None:
        if message["type"] == "showing":
            self.state.put_nowait(message["showing"])

    def _offered(self, expert: Expert, message: dict[str, Any]) -> None:
        if message["type"] == "offer":
            answer, _ = answer_subscriber(parse(message["sdp"]), expert.transport.parameters)
            task = asyncio.get_running_loop().create_task(
                expert.caller.request("answer", revision=message["revision"], sdp=str(answer))
            )
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    async def until(self, state: str) -> None:
        """Wait until it stands so."""
        async with asyncio.timeout(60):
            while (showing := await self.state.get()) is None or showing["state"] != state:
                pass

    async def play(self) -> None:
        """Play on and on, until cancelled."""
        while True:
            await self._surgeon.request("theatre", action="play")
            await self.until("playing")
            await self.until("paused")


async def measure(server: ServerUnderLoad, options: argparse.Namespace) -> dict[str, float]:
    """Record, and measure with and without a showing in turns."""
    assert server.pid is not None
    pump = ProbePump()
    experts: list[Expert] = []
    p99: dict[bool, list[float]] = {False: [], True: []}
    core: dict[bool, list[float]] = {False: [], True: []}
    worker: list[float] = []
    lost = 0.0
    await asyncio.to_thread(clip_frames, PAYLOAD)
    field = await add_field(server, pump, 0, 1, 20_000_000, 4, real=True)
    try:
        for number in range(options.experts):
            experts.append(await add_expert(server, pump, number, 1))
        surgeon = field.caller
        await surgeon.request("record", action="start")
        await asyncio.sleep(options.seconds + WARM_UP)
        await surgeon.request("record", action="stop")
        recording = max(path.name for path in (server.folder or Path()).joinpath("recordings").iterdir())
        show = Show(surgeon, experts)
        await asyncio.sleep(options.seconds)  # its files are prepared
        for turn in range(2 * options.rounds):
            shown = turn % 2 == 1
            playing: asyncio.Task[None] | None = None
            if shown:
                await surgeon.request("theatre", action="open", recording=recording)
                await show.until("paused")
                playing = asyncio.create_task(show.play())
            await asyncio.sleep(WARM_UP)
            pid = worker_of(server.pid) if shown else None
            before, began = await server.scrape(), cpu_of(pid) if pid else 0.0
            await asyncio.sleep(options.seconds)
            after = await server.scrape()
            took = after.time - before.time
            assert before.cpu_s is not None
            assert after.cpu_s is not None
            p99[shown].append(quantile_ms(before, after, 0.99))
            core[shown].append((after.cpu_s - before.cpu_s) / took)
            if shown and pid and playing is not None:
                worker.append((cpu_of(pid) - began) / took)
                lost += sum(after.drops.values()) - sum(before.drops.values())
                playing.cancel()
                await asyncio.gather(playing, return_exceptions=True)
                await surgeon.request("theatre", action="close")
                await asyncio.sleep(1)
    finally:
        pump.probe.stop_sending(field.stream)
        for caller in [*(expert.caller for expert in experts), field.caller]:
            with contextlib.suppress(TimeoutError):
                await caller.close()
        await pump.close()
    return {
        "worker_core_share": statistics.median(worker),
        "server_core_share": statistics.median(core[True]) - statistics.median(core[False]),
        "transit_p99_ms": statistics.median(p99[True]),
        "transit_p99_ratio": statistics.median(p99[True]) / statistics.median(p99[False]),
        "dropped_while_shown": lost,
    }


async def _run(options: argparse.Namespace) -> dict[str, float]:
    async with started() as server:
        return {name: round(value, 4) for name, value in (await measure(server, options)).items()}


def main(arguments: list[str]) -> int:
    """Run the load test; 1 where the goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m loadtests theatre", description=__doc__)
    parser.add_argument("--experts", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each turn (default 8)")
    parser.add_argument("--rounds", type=int, default=3, help="turns with and without (default 3)")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    options = parser.parse_args(arguments)
    figures = asyncio.run(_run(options))
    print(f"the worker      {figures['worker_core_share']:.1%} of a core")
    print(f"the server      {figures['server_core_share']:.1%} of a core more")
    print(
        f"transit p99     {figures['transit_p99_ms']} ms, {figures['transit_p99_ratio']:.2f} x that without"
        f" (goal: {GOAL_RATIO})"
    )
    print(f"dropped         {figures['dropped_while_shown']:.0f} packets while it was shown")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0 if figures["transit_p99_ratio"] < GOAL_RATIO else 1
