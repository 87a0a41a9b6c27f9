"""The plane in one thread and in two: what all the cores do, and what a CPU second does.

Each room has a publisher, who sends SRTP (AES-128-GCM) in bursts of one 4K frame, and consumers. The generator sends
as fast as the plane takes it, never more than some bursts ahead, so the plane is always at work and nothing is lost.
Rooms are dealt to the threads in turn; the kernel spreads the publishers over the threads' sockets by its own lights,
and what arrives at the wrong one is handed over: how much is told.

What it can show depends on the cores. Generator, receivers and the kernel's share of both want a core too: on a machine
with two, a second thread competes with them, and the gain is less than on one with more. CPU seconds are the
threads' own, so work a CPU second is comparable on any machine: it says what hand-over and sharing a port cost.

`--rooms 1,50` compares the cost of a packet in few and in many rooms at the same number of packets, in one thread: with
one room busy and the others silent, which shows what looking up and keeping many peers costs; and with all of them busy
in turns, where the keys and sockets of all no longer fit into the processor's caches, the receivers' neither.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from media.ids import ConsumerId, ProducerId, Ssrc, TransportId
from media.native import ShardedPlane
from media.plane import Address, Codec, ConsumerSpec, Drop, EncodingSpec, ProducerSpec

from .plane import BURST, burst_of, connect, receivers, send_burst

#: Bursts that may be under way: the plane has work, its receive buffer is never full.
_AHEAD = 16

#: Receivers that one thread reads.
_READ_TOGETHER = 64

#: Seconds that the plane has for them.
_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class ShardsResult:
    """What one arrangement did."""

    threads: int
    rooms: int
    busy: int
    consumers: int
    seconds: float
    packets_per_second: int
    packets_per_cpu_s: int
    cpu_cores: float
    handed_over: float
    lost: int


class _Rooms:
    """A plane, its rooms, and their publishers, whose packets are protected before the clock starts."""

    def __init__(
        self, threads: int, rooms: int, busy: int, consumers: int, bursts: int, targets: list[Address]
    ) -> None:
        self.plane = ShardedPlane(shards=threads, tap_bytes=1 << 16)
        self.consumers = consumers
        self._sockets: list[socket.socket] = []
        self._publishers: list[tuple[socket.socket, list[list[bytes]]]] = []
        transport = 0
        for room in range(rooms):
            opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            opened.bind(("127.0.0.1", 0))
            transport += 1
            publisher, shard = TransportId(transport), room % threads
            session = connect(self.plane, publisher, Address(*opened.getsockname()), shard)
            producer = ProducerId(1 + room)
            self.plane.add_producer(
                ProducerSpec(producer, publisher, Codec.VP8, 90_000, 96, (EncodingSpec(Ssrc(1)),))
            )
            for _ in range(consumers):
                transport += 1
                peer = TransportId(transport)
                connect(self.plane, peer, targets[transport - 1], shard)
                self.plane.add_consumer(
                    ConsumerSpec(ConsumerId(transport), producer, peer, 96, Ssrc(100 + transport))
                )
            self._sockets.append(opened)
            if room < busy:
                packets = [[session.protect(packet) for packet in burst_of(n)] for n in range(bursts)]
                self._publishers.append((opened, packets))

    def run(self, first: int, end: int) -> None:
        """Send these bursts of every room, and wait until the plane is through."""
        begun = self.plane.statistics().packets_out
        sent = 0
        address = self.plane.address[:2]
        for number in range(first, end):
            for opened, packets in self._publishers:
                self._wait(begun, sent - _AHEAD)
                send_burst(opened, packets[number], address)
                sent += 1
        self._wait(begun, sent)

    def _wait(self, begun: int, bursts: int) -> None:
        """Wait until so many bursts have left; what is lost never does."""
        wanted = begun + bursts * BURST * self.consumers
        deadline = time.monotonic() + _PATIENCE
        while sum(self.plane.packets_out()) < wanted:
            if time.monotonic() > deadline:
                raise RuntimeError("Packets were lost: the drops are " + self._drops())
            time.sleep(0.0001)  # noqa: TID251 - the plane's threads have their turn

    def _drops(self) -> str:
        drops = zip(Drop, self.plane.statistics().drops, strict=True)
        return ", ".join(f"{reason.name} {count}" for reason, count in drops if count) or "none"

    def close(self) -> None:
        """Stop the plane."""
        self.plane.close()
        for opened in self._sockets:
            opened.close()


def measure(
    arrangements: list[tuple[int, int, int]], consumers: int, bursts: int, turns: int
) -> list[ShardsResult]:
    """Measure arrangements of (threads, rooms, busy rooms) in turns, so that a busy machine disturbs them alike.

    `bursts` are sent in each turn in all, whatever the number of rooms.
    """
    with ExitStack() as stack:
        planes = []
        for threads, rooms, busy in arrangements:
            each = max(1, bursts // busy)
            count = rooms * (1 + consumers)
            targets = [
                address
                for begin in range(0, count, _READ_TOGETHER)
                for address in stack.enter_context(receivers(min(_READ_TOGETHER, count - begin)))
            ]
            made = _Rooms(threads, rooms, busy, consumers, each * (turns + 1), targets)
            stack.callback(made.close)
            made.run(0, each)  # warm up
            planes.append((made, each))
        speeds: list[list[tuple[float, float, float]]] = [[] for _ in planes]
        for turn in range(1, turns + 1):
            for (made, each), found in zip(planes, speeds, strict=True):
                before, begun = made.plane.statistics(), time.monotonic()
                made.run(turn * each, (turn + 1) * each)
                took, after = time.monotonic() - begun, made.plane.statistics()
                packets, cpu = after.packets_out - before.packets_out, (after.cpu_ns - before.cpu_ns) / 1e9
                found.append((packets / took, packets / cpu, cpu / took))
        results = []
        for (threads, rooms, busy), (made, each), found in zip(arrangements, planes, speeds, strict=True):
            statistics = made.plane.statistics()
            results.append(
                ShardsResult(
                    threads,
                    rooms,
                    busy,
                    consumers,
                    round(statistics.cpu_ns / 1e9, 2),
                    round(median(total for total, _, _ in found)),
                    round(median(a_second for _, a_second, _ in found)),
                    round(median(cores for _, _, cores in found), 2),
                    round(statistics.handed_over / statistics.datagrams_in, 3),
                    (turns + 1) * each * busy * BURST * consumers
                    - statistics.packets_out
                    + statistics.drops[Drop.SHARD_FULL],
                )
            )
    return results


def main(arguments: list[str]) -> int:
    """Measure, print a table, write JSON where asked."""
    parser = argparse.ArgumentParser(prog="python -m loadtests shards", description=__doc__)
    parser.add_argument(
        "--threads", default="1,2", help="numbers of threads to compare (default: %(default)s)"
    )
    parser.add_argument("--rooms", default="", help="numbers of rooms to compare, in one thread")
    parser.add_argument("--consumers", type=int, default=15, help="in each room (default: %(default)s)")
    parser.add_argument("--bursts", type=int, default=200, help="frames a turn (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=9, help="(default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    if options.rooms:
        numbers = [int(rooms) for rooms in options.rooms.split(",")]
        arrangements = sorted({(1, rooms, busy) for rooms in numbers for busy in (1, rooms)})
    else:
        arrangements = [(int(threads), 8, 8) for threads in options.threads.split(",")]
    results = measure(arrangements, options.consumers, options.bursts, options.turns)
    print("threads  rooms   busy  packets/s  packets/CPU s  cores used  handed over    lost")
    for result in results:
        print(
            f"{result.threads:>7} {result.rooms:>6} {result.busy:>6} {result.packets_per_second:>10,}"
            f" {result.packets_per_cpu_s:>14,} {result.cpu_cores:>11.2f} {result.handed_over:>12.1%} {result.lost:>7,}"
        )
    print(
        f"{os.cpu_count()} cores, shared with the generator and the receivers; medians of {options.turns} turns"
    )
    if options.json is not None:
        figures = {"cores": os.cpu_count(), "results": [asdict(result) for result in results]}
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0 if all(result.lost == 0 for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
