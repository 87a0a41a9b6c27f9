"""The plane against the kernel: packets per CPU second, beside the same sends without a plane.

One publisher sends SRTP (AES-128-GCM) in bursts of one 4K frame each; the plane decrypts, rewrites, encrypts
for each of the consumers and sends. CPU time is that of the plane's thread alone. The limit is a loop of
sendmmsg with UDP GSO in the same batches to the same sockets: turn and turn about with the plane, and with
the other core as busy. What is told are the medians of the turns.

On loopback the receiver's share of the kernel's work is charged to the sender. A thread reads the receiving
sockets, without UDP GRO as browsers do, in both measurements; what it is too slow for the kernel drops.
"""

from __future__ import annotations

import argparse
import json
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

from pylibsrtp import Policy, Session

from media.ids import ConsumerId, ProducerId, Ssrc, TransportId
from media.native import NativePlane, ShardedPlane, _native
from media.plane import Address, Codec, ConsumerSpec, EncodingSpec, Extension, ProducerSpec

#: A 4K stream of 20 Mbit/s at 60 frames a second: 35 packets a frame, the last one short.
PAYLOAD = 1188
LAST_PAYLOAD = 640
BURST = 35
TAG = 16

_UDP_SEGMENT = 103  # linux/udp.h
_PROFILE = Policy.SRTP_PROFILE_AEAD_AES_128_GCM
_SOCKET_BUFFER = 4 << 20

# bursts of the plane, then the same of the kernel alone, and so on
_TURN = 40

#: As many frames a second as four operating fields have: the receivers keep up, in both measurements.
_INTERVAL_NS = 1_000_000_000 // 240


@dataclass(frozen=True, slots=True)
class PlaneResult:
    """What was measured. `ratio` is the plane's packets per CPU second over the kernel's alone."""

    packets_per_cpu_s: int
    limit_packets_per_cpu_s: int
    ratio: float
    packets: int
    lost: int
    consumers: int
    packet_bytes: int
    packets_per_send_call: float
    transit_p50_ms: float
    transit_p99_ms: float
    realtime: bool
    segmentation: bool
    receivers: str = "loopback sockets that one thread reads without UDP GRO, in both measurements"


def measure(consumers: int, bursts: int, *, wide: bool = False) -> PlaneResult:
    """Measure both in turns, so that a busy machine disturbs them alike.

    `wide`: consumers are sent transport-wide numbers, and each packet is entered in its transport's window.
    """
    with receivers(consumers) as addresses:
        feed = _Feed(addresses, bursts, wide=wide)
        plane_rates, limit_rates = [], []
        pairs = [(address.host, address.port) for address in addresses]
        sizes = [PAYLOAD + 12 + TAG] * (BURST - 1) + [LAST_PAYLOAD + 12 + TAG]
        _native.bare_send(pairs, sizes, 20, _SOCKET_BUFFER, _INTERVAL_NS)  # warm up
        for first in range(0, bursts, _TURN):
            before = feed.plane.statistics()
            feed.run(first, first + _TURN)
            after = feed.plane.statistics()
            plane_rates.append(
                (after.packets_out - before.packets_out) / (after.cpu_ns - before.cpu_ns) * 1e9
            )
            packets, used = feed.run_beside(
                lambda: _native.bare_send(pairs, sizes, _TURN, _SOCKET_BUFFER, _INTERVAL_NS)
            )
            limit_rates.append(packets / used * 1e9)
        statistics = feed.plane.statistics()
        realtime, segmentation = feed.plane.realtime, feed.plane.segmentation
        feed.close()
    per_second, limit = median(plane_rates), median(limit_rates)
    return PlaneResult(
        packets_per_cpu_s=round(per_second),
        limit_packets_per_cpu_s=round(limit),
        ratio=round(per_second / limit, 3),
        packets=statistics.packets_out,
        lost=bursts * BURST * consumers - statistics.packets_out,
        consumers=consumers,
        packet_bytes=sizes[0],
        packets_per_send_call=round(statistics.packets_out / statistics.send_calls, 1),
        transit_p50_ms=_percentile(statistics.transit, 0.5),
        transit_p99_ms=_percentile(statistics.transit, 0.99),
        realtime=realtime,
        segmentation=segmentation,
    )


class _Feed:
    """A plane with its consumers, and a publisher whose packets are protected before the clock starts."""

    def __init__(self, receivers: list[Address], bursts: int, *, wide: bool) -> None:
        self.plane = NativePlane()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._nowhere = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._nowhere.bind(("127.0.0.1", 0))
        self._sent = 0
        self._consumers = len(receivers)
        publisher = TransportId(1)
        send = connect(self.plane, publisher, Address(*self._socket.getsockname()))
        producer = ProducerId(1)
        self.plane.add_producer(
            ProducerSpec(producer, publisher, Codec.VP8, 90_000, 96, (EncodingSpec(Ssrc(1)),))
        )
        for i, address in enumerate(receivers):
            transport = TransportId(2 + i)
            connect(self.plane, transport, address)
            spec = ConsumerSpec(ConsumerId(1 + i), producer, transport, 96, Ssrc(100 + i))
            if wide:
                ids = tuple(1 if one is Extension.TRANSPORT_WIDE else 0 for one in Extension)
                spec = replace(spec, rtx_payload_type=97, rtx_ssrc=Ssrc(1000 + i), extensions=ids)
            self.plane.add_consumer(spec)
        self._packets = [[send.protect(packet) for packet in burst_of(number)] for number in range(bursts)]

    def run(self, first: int, end: int) -> None:
        """Send bursts at their pace, and wait until the plane is through."""
        due = time.monotonic_ns()
        for burst in self._packets[first:end]:
            send_burst(self._socket, burst, self.plane.address[:2])
            self._sent += len(burst)
            due = self._wait(due)
        deadline = time.monotonic() + 5
        while (
            self.plane.statistics().packets_out < self._sent * self._consumers and time.monotonic() < deadline
        ):
            time.sleep(0.001)  # noqa: TID251

    def run_beside(self, function: Callable[[], tuple[int, int]]) -> tuple[int, int]:
        """Call a function in a thread while the feeding goes on to nowhere: the other core is as busy."""
        with ThreadPoolExecutor(1) as executor:
            result = executor.submit(function)
            due = time.monotonic_ns()
            while not result.done():
                due = self._wait(due)
                send_burst(self._socket, self._packets[0], self._nowhere.getsockname())
        return result.result()

    @staticmethod
    def _wait(due: int) -> int:
        """Sleep until the next burst's time, and return it."""
        due += _INTERVAL_NS
        time.sleep(max(0, due - time.monotonic_ns()) / 1e9)  # noqa: TID251 - a load generator's pace
        return due

    def close(self) -> None:
        """Stop the plane."""
        self.plane.close()
        self._nowhere.close()
        self._socket.close()


def connect(
    plane: NativePlane | ShardedPlane, transport: TransportId, address: Address, shard: int = 0
) -> Session:
    """Add a peer with its keys; returns the session that protects what it sends."""
    key = struct.pack("!I", transport) * 7
    plane.add_transport(transport, shard)
    plane.validate_address(transport, address, selected=True)
    incoming = Policy(key, Policy.SSRC_ANY_INBOUND, 0, _PROFILE)
    outgoing = Policy(key[::-1], Policy.SSRC_ANY_OUTBOUND, 0, _PROFILE)
    outgoing.allow_repeat_tx = True
    incoming.window_size, outgoing.window_size = 2048, 128
    plane.set_keys(transport, Session(incoming), Session(outgoing))
    return Session(Policy(key, Policy.SSRC_ANY_OUTBOUND, 0, _PROFILE))


def send_burst(opened: socket.socket, burst: list[bytes], address: tuple[str, int]) -> None:
    """Send a frame in one call, cut up by the kernel: its packets arrive one behind the other."""
    segment = struct.pack("=H", len(burst[0]))
    opened.sendmsg(burst, [(socket.IPPROTO_UDP, _UDP_SEGMENT, segment)], 0, address)


def burst_of(number: int) -> Iterator[bytes]:
    """One frame: VP8, the first one a key frame."""
    for i in range(BURST):
        last = i == BURST - 1
        header = struct.pack(
            "!BBHII", 0x80, last << 7 | 96, (number * BURST + i) & 0xFFFF, number * 1500 & 0xFFFFFFFF, 1
        )
        start = b"\x10" + (b"\x00" if number == 0 else b"\x01") if i == 0 else b"\x00\x00"
        yield header + start + bytes((LAST_PAYLOAD if last else PAYLOAD) - len(start))


@contextmanager
def receivers(count: int) -> Iterator[list[Address]]:
    """Open sockets that a thread reads for as long as the context lasts."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for opened in sockets:
        opened.bind(("127.0.0.1", 0))
    drain = _native.bare_drain([opened.fileno() for opened in sockets])
    yield [Address(*opened.getsockname()) for opened in sockets]
    del drain
    for opened in sockets:
        opened.close()


def _percentile(buckets: tuple[int, ...], fraction: float) -> float:
    """The upper bound, in ms, of the bucket that holds this fraction of a transit histogram."""
    wanted = fraction * sum(buckets)
    for i, number in enumerate(buckets):
        wanted -= number
        if wanted <= 0:
            return round(0.01 * 10 ** ((i + 1) / 20), 3)
    return 0.0


def main(arguments: list[str]) -> int:
    """Measure, print a table, write JSON where asked."""
    parser = argparse.ArgumentParser(prog="python -m loadtests plane", description=__doc__)
    parser.add_argument("--consumers", type=int, default=15)
    parser.add_argument("--bursts", type=int, default=800, help="frames of 35 packets (default: %(default)s)")
    parser.add_argument("--wide", action="store_true", help="with transport-wide numbers")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    result = measure(options.consumers, options.bursts, wide=options.wide)
    text = f"""\
One publisher to {result.consumers} consumers, AES-128-GCM, {result.packet_bytes}-byte packets, bursts of {BURST}
  plane    {result.packets_per_cpu_s:>12,} packets per CPU second ({result.packets:,} packets, {result.lost:,} lost)
  kernel   {result.limit_packets_per_cpu_s:>12,} packets per CPU second (sendmmsg + GSO alone)
  ratio    {result.ratio:>12.2f}
  transit  {result.transit_p50_ms:>8.2f} ms p50 {result.transit_p99_ms:>8.2f} ms p99, 240 frames a second
  {result.packets_per_send_call} packets per send call; real-time {result.realtime}; GSO {result.segmentation}
  receivers: {result.receivers}"""
    print(text)
    if options.json is not None:
        options.json.write_text(
            json.dumps({**asdict(result), "python": sys.version.split()[0]}, indent=1) + "\n"
        )
    return 0
