"""A bad line between real sockets: a relay of UDP that loses, delays and queues as `Line` says.

    python -m loadtests.impaired_line --upstream 127.0.0.1:8443 --seed 1

It first prints ``{"port": 40000}``: whoever sends there speaks to the upstream over the line. Then it reads lines of
JSON such as ``{"down": {"rate": 4e6, "loss": 0.02}, "up": {}}`` from its standard input, changes its two directions
(`down`: from the upstream), and answers each with what they have done so far. It ends with its input.

A process of its own, so that the server's and the browser's work does not add to the delay.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import heapq
import json
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

from .line_model import Line

Address = tuple[str, int]
ROOT = Path(__file__).parent.parent

#: Bytes that the kernel may hold for us: a key frame comes all at once.
BUFFER = 4 << 20

#: Seconds that the process may take to begin, and to answer.
PATIENCE = 20.0

#: What may be changed.
SETTINGS = frozenset(
    {
        *("rate", "queue_seconds", "delay", "jitter", "loss", "burst_loss", "burst_length"),
        *("reordered", "held_up", "duplicated"),
    }
)


class Relay:
    """Clients here, the upstream there, a line for each direction."""

    def __init__(self, upstream: Address, seed: int) -> None:
        """Listen on a free port of the loopback."""
        self.upstream = upstream
        self.down, self.up = Line(seed, delay=0.0), Line(seed + 1, delay=0.0)
        self._loop = asyncio.get_running_loop()
        self._front = _udp()
        self._loop.add_reader(self._front, self._from_clients)
        #: for each client the socket in whose name we speak to the upstream
        self._clients: dict[Address, socket.socket] = {}
        self._under_way: list[tuple[float, int, socket.socket, bytes, Address]] = []
        self._entered = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def port(self) -> int:
        """Where clients send to."""
        return int(self._front.getsockname()[1])

    def _from_clients(self) -> None:
        for data, client in _waiting(self._front):
            if client not in self._clients:
                opened = self._clients[client] = _udp()
                self._loop.add_reader(opened, self._from_upstream, opened, client)
            self._carry(self.up, data, self._clients[client], self.upstream)

    def _from_upstream(self, opened: socket.socket, client: Address) -> None:
        for data, source in _waiting(opened):
            if source == self.upstream:
                self._carry(self.down, data, self._front, client)

    def _carry(self, line: Line, data: bytes, through: socket.socket, to: Address) -> None:
        for arrival in line.pass_on(len(data), self._loop.time()):
            # in order of arrival, and of entry where that is equal (the loop's own timers know no such order)
            self._entered += 1
            heapq.heappush(self._under_way, (arrival, self._entered, through, data, to))
        self._deliver()

    def _deliver(self) -> None:
        """Hand over what has arrived by now, and wait for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._under_way and self._under_way[0][0] <= self._loop.time():
            _, _, through, data, to = heapq.heappop(self._under_way)
            _send(through, data, to)
        if self._under_way:
            self._timer = self._loop.call_at(self._under_way[0][0], self._deliver)

    def change(self, settings: dict[str, dict[str, float | None]]) -> None:
        """Change both directions. Raise ValueError for what a line does not have."""
        for name, line in (("down", self.down), ("up", self.up)):
            for key, value in settings.get(name, {}).items():
                if key not in SETTINGS:
                    raise ValueError(f"A line has no {key}.")
                setattr(line, key, value)

    def counters(self) -> dict[str, dict[str, int]]:
        """Say what both directions have done."""
        return {
            name: {"sent": line.sent, "lost": line.lost, "dropped_by_queue": line.dropped_by_queue}
            for name, line in (("down", self.down), ("up", self.up))
        }

    def close(self) -> None:
        """Close all sockets; what is under way is lost."""
        if self._timer is not None:
            self._timer.cancel()
        for opened in (self._front, *self._clients.values()):
            self._loop.remove_reader(opened)
            opened.close()


def _waiting(opened: socket.socket) -> Iterator[tuple[bytes, Address]]:
    """Take what waits, at most so much that timers get their turn."""
    for _ in range(64):
        try:
            yield opened.recvfrom(2048)
        except OSError:
            # nothing more, or the kernel says that nobody listens: a line does not care
            return


def _send(through: socket.socket, data: bytes, to: Address) -> None:
    # a full buffer, a peer that has gone, a socket that was closed meanwhile: lost on the way
    with contextlib.suppress(OSError):
        through.sendto(data, to)


def _udp() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        opened.setsockopt(socket.SOL_SOCKET, option, BUFFER)
    opened.setblocking(False)
    opened.bind(("127.0.0.1", 0))
    return opened


class ImpairedLine:
    """The process, as its owner sees it."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.port = port

    async def change(self, down: Mapping[str, Any] | None = None, up: Mapping[str, Any] | None = None) -> Any:
        """Change the line; returns what it has done so far."""
        assert self._process.stdin is not None
        self._process.stdin.write(
            json.dumps({"down": dict(down or {}), "up": dict(up or {})}).encode() + b"\n"
        )
        return await _read(self._process)


async def _read(process: asyncio.subprocess.Process) -> Any:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        return json.loads(await process.stdout.readline())


@contextlib.asynccontextmanager
async def impaired(upstream: Address, seed: int = 1) -> AsyncIterator[ImpairedLine]:
    """Run a line before an upstream for as long as the context lasts; at first it is a good one."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtests.impaired_line"),
        *("--upstream", f"{upstream[0]}:{upstream[1]}", "--seed", str(seed)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield ImpairedLine(process, (await _read(process))["port"])
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(PATIENCE):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _run(upstream: Address, seed: int) -> None:
    relay = Relay(upstream, seed)
    print(json.dumps({"port": relay.port}), flush=True)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        relay.change(json.loads(line))
        print(json.dumps(relay.counters()), flush=True)
    relay.close()


def main(arguments: list[str]) -> int:
    """Run the relay until its input ends."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.impaired_line", description=__doc__)
    parser.add_argument("--upstream", required=True, help="host:port in numbers")
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same chance (default 1)")
    options = parser.parse_args(arguments)
    host, _, port = options.upstream.rpartition(":")
    asyncio.run(_run((host, int(port)), options.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
