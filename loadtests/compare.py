"""Konsil beside a peer: the same clients, the same frames, the same core, in turn.

One 4K field goes to 15 subscribers over real ICE, DTLS and SRTP (AES-128-GCM). The server runs on the first core, the
clients on the second, in a network namespace of their own, with 4 MB of socket buffers for everybody. Each packet
bears its time of sending in its last bytes, so nothing is asked of the server but to pass it on.

  added      from a packet's sending to the kernel's stamp at the subscriber, at 60 frames a second (20 Mbit/s):
             each frame as one burst of 35 packets, and as four
  most       the highest rate with less than 0.1 % lost: the frames come faster and faster, one burst each
  CPU        packets passed on a CPU second of the server's process, at its best rate
  memory     resident memory that 32 more subscribers cost, each

A peer is measured in each of its configurations, and the ratio is to the better.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from media.native import percentile

from .field import make_frames
from .peers import FIELD_SSRC, PAYLOAD_TYPE, Client, Peer, RunningPeer, namespace
from .peers.janus import Janus
from .peers.konsil import Konsil
from .probe_endpoint import ProbePump
from .server_process import cpu_seconds, rss_mb

PEERS: dict[str, list[Peer]] = {"janus": [Janus(0), Janus(1)]}

FPS = 60.0
BITRATE = 20_000_000
SOCKET_BUFFER = 4 << 20

#: Seconds that a new rate is given before it is looked at, and how much longer memory is.
SETTLE = 1.0
MEMORY_SETTLE = 4

#: What "without loss" allows.
TOLERATED_LOSS = 0.001
#: Each step of the search for the highest rate is so much faster; then the last one is halved so often.
STEP = 1.35
HALVINGS = 2

_ADDED = (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))


#: How often a window is prolonged at most until anything comes.
WINDOWS = 20


@dataclass(frozen=True, slots=True)
class Window:
    """What happened between two readings."""

    wanted: int
    sent: int
    expected: int
    received: int
    generator_drops: int
    cpu_s: float
    seconds: float
    latency: list[int]

    @property
    def loss(self) -> float:
        """The share that the server lost; what our own sockets had no room for is not its fault."""
        return max(0.0, 1 - (self.received + self.generator_drops) / self.expected) if self.expected else 1.0

    @property
    def generator_limited(self) -> bool:
        """Whether the clients, not the server, were too slow."""
        return self.sent < 0.98 * self.wanted or self.generator_drops > TOLERATED_LOSS * self.expected

    def added(self) -> dict[str, float]:
        """Percentiles of the added latency in ms."""
        return {name: round(percentile(self.latency, share), 3) for name, share in _ADDED}


@dataclass(slots=True)
class Figures:
    """One configuration of one server. `limited_by`: what ended the search for the highest rate."""

    packets_per_cpu_s: float = 0.0
    max_packets_per_s: float = 0.0
    added_ms: dict[str, float] = field(default_factory=dict)
    added_four_bursts_ms: dict[str, float] = field(default_factory=dict)
    rss_kb_per_subscriber: float = 0.0
    loss_at_one_field: float = 0.0
    limited_by: str = "server"
    steps: list[dict[str, float]] = field(default_factory=list)


class Load:
    """The clients of one running server."""

    def __init__(self, server: RunningPeer, pump: ProbePump, settle: float) -> None:
        self._server = server
        self._pump = pump
        self._settle = settle
        self._subscribers: list[Client] = []
        self._stream = -1
        self._packets_a_frame = 0.0

    async def begin(self, *, drawn_on: bool = True) -> None:
        """Publish the field."""
        publisher = await self._server.publish(self._pump, self._picture_lost, drawn_on=drawn_on)
        frames = make_frames(BITRATE)
        self._packets_a_frame = sum(map(len, frames)) / len(frames)
        self._stream = self._pump.probe.start_sending(
            publisher.socket.index,
            ssrc=FIELD_SSRC,
            payload_type=PAYLOAD_TYPE,
            clock_rate=90_000,
            frames=frames,
            fps=FPS,
            bursts=4,
            capture_time_id=publisher.socket.capture_time_id,
        )

    def _picture_lost(self) -> None:
        if self._stream >= 0:
            self._pump.probe.key_frame(self._stream)

    async def subscribe(self, number: int) -> None:
        """Have so many subscribers; they come at once, as some servers take a second each."""
        more = number - len(self._subscribers)
        self._subscribers += await asyncio.gather(*(self._server.subscribe(self._pump) for _ in range(more)))

    async def window(self, fps: float, bursts: int, seconds: float) -> Window:
        """Send at this rate, and look at what comes of it once it has settled."""
        self._pump.probe.set_rate(self._stream, fps, bursts)
        await asyncio.sleep(self._settle)
        before, start = self._read(), time.monotonic()
        for _ in range(WINDOWS):
            await asyncio.sleep(seconds)
            after, elapsed = self._read(), time.monotonic() - start
            if after[1] > before[1]:
                break  # a window without a packet would say that nothing is as quick as that
        sent, received, drops, cpu = (b - a for a, b in zip(before[:4], after[:4], strict=True))
        return Window(
            wanted=round(fps * self._packets_a_frame * elapsed),
            sent=int(sent),
            expected=int(sent) * len(self._subscribers),
            received=int(received),
            generator_drops=int(drops),
            cpu_s=cpu,
            seconds=elapsed,
            latency=[b - a for a, b in zip(before[4], after[4], strict=True)],
        )

    def _read(self) -> tuple[float, float, float, float, list[int]]:
        statistics = [self._pump.probe.statistics(c.socket.index) for c in self._subscribers]
        received = sum(stream.packets for each in statistics for stream in each.streams)
        drops = sum(each.queue_drops for each in statistics)
        latency = [sum(counts) for counts in zip(*(s.latency for s in statistics), strict=True)]
        sent = self._pump.probe.sent(self._stream).packets
        return sent, received, drops, cpu_seconds(self._server.pid), latency

    def end(self) -> None:
        """Stop sending."""
        if self._stream >= 0:
            self._pump.probe.stop_sending(self._stream)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured; `memory` is read between so many subscribers and so many."""

    subscribers: int
    seconds: float
    fastest: float
    memory: tuple[int, int]

    @property
    def settle(self) -> float:
        """Seconds before a rate is looked at."""
        return min(SETTLE, self.seconds)


async def measure(peer: Peer, host: str, cores: set[int], plan: Plan) -> Figures:
    """Measure one configuration of one server."""
    figures = Figures()
    async with peer.run(host, cores) as server:
        pump = ProbePump()
        load = Load(server, pump, plan.settle)
        try:
            await load.begin()
            await load.subscribe(plan.subscribers)
            await asyncio.sleep(plan.settle)
            one = await load.window(FPS, 1, plan.seconds)
            four = await load.window(FPS, 4, plan.seconds)
            figures.added_ms, figures.added_four_bursts_ms = one.added(), four.added()
            figures.loss_at_one_field = round(max(one.loss, four.loss), 5)
            await _search(load, figures, plan)
        finally:
            load.end()
            await pump.close()
    async with peer.run(host, cores) as server:
        figures.rss_kb_per_subscriber = await _memory(server, plan)
    return figures


async def _search(load: Load, figures: Figures, plan: Plan) -> None:
    good, bad, fps = FPS, 0.0, FPS
    halvings, seconds = 0, plan.seconds / 2
    while halvings < HALVINGS and fps <= plan.fastest:
        window = await load.window(fps, 1, seconds)
        if window.loss >= TOLERATED_LOSS and not window.generator_limited:
            # once more: a neighbour on the machine may have taken the core for a moment
            await load.window(FPS, 1, plan.settle)
            window = await load.window(fps, 1, seconds)
        step = {"fps": round(fps, 1), "loss": round(window.loss, 5)}
        step["packets_per_s"] = round(window.received / window.seconds)
        step["packets_per_cpu_s"] = round(window.received / window.cpu_s) if window.cpu_s else 0
        figures.steps.append(step)
        if window.loss < TOLERATED_LOSS and not window.generator_limited:
            good = fps
            figures.packets_per_cpu_s = max(figures.packets_per_cpu_s, step["packets_per_cpu_s"])
            figures.max_packets_per_s = max(figures.max_packets_per_s, step["packets_per_s"])
        else:
            bad = fps
            figures.limited_by = "clients" if window.generator_limited else "server"
            await load.window(FPS, 1, plan.settle)
        if bad:
            halvings += 1
            fps = (good + bad) / 2
        else:
            fps *= STEP


async def _memory(server: RunningPeer, plan: Plan) -> float:
    pump = ProbePump()
    load = Load(server, pump, plan.settle)
    few, many = plan.memory
    try:
        # what is kept of a field so that its frames can be frozen grows by itself, by megabytes
        await load.begin(drawn_on=False)
        await load.subscribe(few)
        # until the history that all share is full
        await load.window(FPS, 4, MEMORY_SETTLE * plan.settle)
        before = rss_mb(server.pid)
        await load.subscribe(many)
        await load.window(FPS, 4, MEMORY_SETTLE * plan.settle)
        return round((rss_mb(server.pid) - before) * 1024 / (many - few), 1)
    finally:
        load.end()
        await pump.close()


def _summary(rounds: list[Figures]) -> dict[str, Any]:
    """The medians of the rounds."""
    result = asdict(rounds[-1])
    for key in ("packets_per_cpu_s", "max_packets_per_s", "rss_kb_per_subscriber", "loss_at_one_field"):
        result[key] = median(getattr(figures, key) for figures in rounds)
    for key in ("added_ms", "added_four_bursts_ms"):
        result[key] = {n: median(getattr(figures, key)[n] for figures in rounds) for n, _ in _ADDED}
    return result


#: Keys of which more is better; of the others less is.
_MORE = ("packets_per_cpu_s", "max_packets_per_s")


def _best(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Each figure of the configuration that does it best."""
    best: dict[str, Any] = {}
    for key in ("packets_per_cpu_s", "max_packets_per_s", "rss_kb_per_subscriber"):
        values = [result[key] for result in results]
        best[key] = max(values) if key in _MORE else min(values)
    for key in ("added_ms", "added_four_bursts_ms"):
        best[key] = {name: min(result[key][name] for result in results) for name, _ in _ADDED}
    return best


def _ratio(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    ratio: dict[str, Any] = {}
    for key, value in theirs.items():
        if isinstance(value, dict):
            ratio[key] = {n: round(ours[key][n] / v, 3) if v else None for n, v in value.items()}
        else:
            ratio[key] = round(ours[key] / value, 3) if value else None
    return ratio


async def _compare(options: argparse.Namespace) -> dict[str, Any]:
    host = namespace.set_up()
    memory = (min(3, options.subscribers), options.memory_subscribers)
    plan = Plan(options.subscribers, options.seconds, options.fastest, memory)
    cores = sorted(os.sched_getaffinity(0))
    server_cores = {cores[0]}
    os.sched_setaffinity(0, set(cores[1:]) or server_cores)
    contenders: list[Peer] = [Konsil(), *PEERS[options.peer]]
    rounds: dict[tuple[str, str], list[Figures]] = {(p.name, p.configuration): [] for p in contenders}
    for number in range(options.rounds):
        for contender in contenders:
            _show(f"round {number + 1} of {options.rounds}: {contender.name} ({contender.configuration})")
            figures = await measure(contender, host, server_cores, plan)
            rounds[contender.name, contender.configuration].append(figures)
    _show("")
    configurations = {
        f"{name}: {configuration}": _summary(figures) for (name, configuration), figures in rounds.items()
    }
    ours = configurations["konsil: as delivered"]
    theirs = _best([v for k, v in configurations.items() if k.startswith(f"{options.peer}:")])
    return {
        "konsil": _best([ours]),
        options.peer: theirs,
        "ratio": _ratio(ours, theirs),
        "configurations": configurations,
        "subscribers": plan.subscribers,
        "socket_buffer": SOCKET_BUFFER,
        "rounds": options.rounds,
        "cores": len(cores),
    }


def _show(words: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)
    elif words:
        print(words, file=sys.stderr, flush=True)


def _print(result: dict[str, Any], peer: str) -> None:
    rows = [("konsil", result["konsil"]), (f"{peer}, at its best", result[peer]), ("ratio", result["ratio"])]
    print(
        f"\n1 x 4K (20 Mbit/s, 60 frames a second) to {result['subscribers']} subscribers, one core for the server, "
        f"AES-128-GCM, {result['socket_buffer'] >> 20} MB socket buffers; medians of {result['rounds']} rounds"
    )
    print(f"{'':22}{'packets/CPU s':>14}{'most packets/s':>16}{'kB a subscriber':>17}", end="")
    print(f"{'added p50/p99/p99.9 ms, one burst':>36}{'four bursts':>22}")
    for name, row in rows:
        one, four = (
            " / ".join(f"{row[key][n]:.2f}" if row[key][n] is not None else "-" for n, _ in _ADDED)
            for key in ("added_ms", "added_four_bursts_ms")
        )
        numbers = [row["packets_per_cpu_s"], row["max_packets_per_s"], row["rss_kb_per_subscriber"]]
        cells = [f"{n:,.2f}" if name == "ratio" and n is not None else f"{n or 0:,.0f}" for n in numbers]
        print(f"{name:22}{cells[0]:>14}{cells[1]:>16}{cells[2]:>17}{one:>36}{four:>22}")
    for name, figures in result["configurations"].items():
        print(
            f"  {name}: search ended by the {figures['limited_by']}; "
            f"{figures['loss_at_one_field']:.3%} lost at one field"
        )
    if result["cores"] < 2:
        print("  One core only: the clients took part of it, and no figure says anything.")


def main(arguments: list[str]) -> int:
    """Compare, print a table, write JSON where asked."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtests compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--peer", choices=sorted(PEERS), default="janus")
    parser.add_argument("--rounds", type=int, default=1, help="turns of each (default %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=6.0, help="a measurement takes (default %(default)s)"
    )
    parser.add_argument("--subscribers", type=int, default=15, help="(default %(default)s)")
    parser.add_argument(
        "--fastest", type=float, default=3000.0, help="frames a second that are tried at most"
    )
    parser.add_argument(
        "--memory-subscribers", type=int, default=35, help="when memory is read (default %(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    for sentence in (namespace.missing(), PEERS[options.peer][0].missing()):
        if sentence:
            print(sentence, file=sys.stderr)
            return 2
    if not options.inside:
        # a machine's settings are put back whatever ends us
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        with namespace.socket_buffers(SOCKET_BUFFER):
            return namespace.run_inside(["-m", "loadtests", "compare", "--inside", *arguments])
    result = asyncio.run(_compare(options))
    _print(result, options.peer)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0
