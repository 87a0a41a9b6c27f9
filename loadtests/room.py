"""One room under load: fields in 4K, experts who watch them all, one verdict.

Everything is real but the pictures: ICE, DTLS and SRTP by the server's own signalling, frames in bursts as an
encoder sends them. The pictures are noise of the right size, since a server that never decodes cannot tell.
Clients are native (media/native/probe.h) so that they are not the bottleneck.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from media.ids import Ssrc
from media.native.probe import ProbeStatistics, StreamReceived, percentile
from media.plane import Extension
from media.sdp import (
    OUR_EXTENSION_IDS,
    answer_subscriber,
    parse,
    remote_parameters,
)
from media.transport.transport import IceRole, Transport

from .caller import Caller
from .drawing import Drawing, draw
from .field import PAYLOAD, Field, add_field, thin_field
from .following import Following, clip_frames, following
from .peers.connect import connected
from .probe_endpoint import ProbePump, ProbeSocket
from .server_process import Scrape, ServerUnderLoad, quantile_ms, started

#: Seconds between the last expert's arrival and the first figure.
WARM_UP = 2.0


@dataclass(slots=True)
class Expert:
    """Somebody who watches everything; `ssrcs` are the pictures', repeats and filling come under others."""

    caller: Caller
    socket: ProbeSocket
    transport: Transport
    ssrcs: set[Ssrc]


async def add_expert(
    server: ServerUnderLoad, pump: ProbePump, number: int, fields: int, *, feedback: bool = False
) -> Expert:
    """Watch everything; with `feedback` tell the server what arrives, as browsers do."""
    offers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def on_notice(message: dict[str, Any]) -> None:
        if message["type"] == "offer":
            offers.put_nowait(message)

    caller = Caller(server.url, server.token("expert", f"Expert {number + 1}"), on_notice)
    await caller.join()
    socket, endpoint = pump.open(
        OUR_EXTENSION_IDS[Extension.ABS_CAPTURE_TIME],
        wide_id=OUR_EXTENSION_IDS[Extension.TRANSPORT_WIDE] if feedback else 0,
    )
    transport = endpoint.create(IceRole.CLIENT)
    watched = 0
    ssrcs: set[Ssrc] = set()
    while watched < fields:
        async with asyncio.timeout(20):
            message = await offers.get()
        offer = parse(message["sdp"])
        answer, tracks = answer_subscriber(offer, transport.parameters)
        ssrcs = {track.ssrc for track in tracks if track.active}
        transport.start(remote_parameters(offer))
        await caller.request("answer", revision=message["revision"], sdp=str(answer))
        watched = len(message["consumers"])
    await connected(transport)
    return Expert(caller, socket, transport, ssrcs)


def _streams(experts: list[Expert], probe_of: ProbePump) -> dict[tuple[int, int], StreamReceived]:
    return {
        (expert.socket.index, stream.ssrc): stream
        for expert in experts
        for stream in probe_of.probe.statistics(expert.socket.index).streams
        if stream.ssrc in expert.ssrcs
    }


def _latency(statistics: list[ProbeStatistics]) -> list[int]:
    return [sum(counts) for counts in zip(*(s.latency for s in statistics), strict=True)]


async def measure(server: ServerUnderLoad, options: argparse.Namespace) -> dict[str, object]:
    """Fill the room, wait, measure, and say what was found."""
    pump = ProbePump()
    fields: list[Field] = []
    experts: list[Expert] = []
    drawing: Drawing | None = None
    followed: Following | None = None
    stack = contextlib.AsyncExitStack()
    real = options.following is not None
    if real:
        # made before anybody joins: whoever is not heard of for 15 s is gone
        _show("making the clip, once")
        await asyncio.to_thread(clip_frames, PAYLOAD)
        if options.low:
            await asyncio.to_thread(clip_frames, PAYLOAD, low=True)
    try:
        for number in range(options.fields):
            fields.append(
                await add_field(
                    server,
                    pump,
                    number,
                    options.fields,
                    options.bitrate,
                    options.bursts,
                    real=real,
                    low=options.low,
                )
            )
        for number in range(options.experts):
            experts.append(await add_expert(server, pump, number, options.fields, feedback=options.feedback))
            _show(f"{len(experts)} of {options.experts} experts have joined")
        await asyncio.sleep(WARM_UP)
        if options.following:
            token = server.token("expert", "Pen")
            streams = {one.producer: one.naming for one in fields}
            followed = await stack.enter_async_context(
                following(server.url, token, pump.probe, streams, options.following)
            )
        _show(f"measuring for {options.seconds:g} s")
        before, streams_before = await server.scrape(), _streams(experts, pump)
        latency_before = _latency([pump.probe.statistics(e.socket.index) for e in experts])
        if options.marks:
            tokens = [server.token("expert", f"Hand {n + 1}", "marks") for n in range(options.marks)]
            drawing = await _draw(server, pump, tokens, options.seconds)
        else:
            await asyncio.sleep(options.seconds)
        latency_after = _latency([pump.probe.statistics(e.socket.index) for e in experts])
        after, streams_after = await server.scrape(), _streams(experts, pump)
        latency = [b - a for a, b in zip(latency_before, latency_after, strict=True)]
        verdict = _verdict(options, before, after, streams_before, streams_after, latency, drawing)
        if followed is not None:
            verdict["following"] = {"marks": options.following * options.fields, **followed.summary()}
        return verdict
    finally:
        await stack.aclose()
        for field in fields:
            field.stop(pump.probe)
        for caller in [expert.caller for expert in experts] + [field.caller for field in fields]:
            with contextlib.suppress(TimeoutError):
                await caller.close()
        await pump.close()


async def _draw(server: ServerUnderLoad, pump: ProbePump, tokens: list[str], seconds: float) -> Drawing:
    """Draw in a room of its own, on a field of little weight."""
    async with thin_field(server, pump, "marks") as (field, newest):
        return await draw(server.url, tokens, field.producer, newest, seconds)


def _verdict(
    options: argparse.Namespace,
    before: Scrape,
    after: Scrape,
    streams_before: dict[tuple[int, int], StreamReceived],
    streams_after: dict[tuple[int, int], StreamReceived],
    latency: list[int],
    drawing: Drawing | None,
) -> dict[str, object]:
    received = lost = 0
    for key, stream in streams_after.items():
        start = streams_before.get(key)
        received += stream.packets - (start.packets if start else 0)
        lost += stream.lost - (start.lost if start else 0)
    silent = options.experts * options.fields - len(streams_after)
    packets_out = after.packets_out - before.packets_out
    cpu = after.cpu_s - before.cpu_s if after.cpu_s is not None and before.cpu_s is not None else None
    quantiles = (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))
    verdict: dict[str, object] = {
        "experts": options.experts,
        "fields": options.fields,
        "bitrate": options.bitrate,
        "bursts_per_frame": options.bursts,
        "seconds": round(after.time - before.time, 2),
        "burn_gil": options.burn_gil,
        "packets_in": int(after.packets_in - before.packets_in),
        "packets_out": int(packets_out),
        "packets_received": received,
        "loss": round(lost / (received + lost), 6) if received else 1.0,
        "silent_streams": silent,
        "drops": {
            k: int(v - before.drops.get(k, 0)) for k, v in after.drops.items() if v > before.drops.get(k, 0)
        },
        "transit_ms": {name: round(quantile_ms(before, after, share), 3) for name, share in quantiles},
        "added_ms": {name: round(percentile(latency, share), 3) for name, share in quantiles},
        "server_cpu_s": None if cpu is None else round(cpu, 2),
        "packets_per_cpu_s": None if not cpu else int(packets_out / cpu),
        "rss_mb": None if after.rss_mb is None else round(after.rss_mb, 1),
    }
    if drawing is not None:
        verdict["marks"] = drawing.summary()
    return verdict


def _print(verdict: dict[str, Any]) -> None:
    good = verdict["loss"] == 0 and verdict["silent_streams"] == 0
    burning = ", a Python thread of the server spinning" if verdict["burn_gil"] else ""
    lines = [
        "",
        f"{verdict['fields']} x {verdict['bitrate'] / 1e6:g} Mbit/s to {verdict['experts']} experts, "
        f"{verdict['bursts_per_frame']} bursts a frame, {verdict['seconds']} s{burning}",
        f"  verdict         {'no loss' if good else 'LOSS'}: {verdict['loss']:.4%}, "
        f"{verdict['silent_streams']} streams silent",
        f"  packets         {verdict['packets_in']:,} in, {verdict['packets_out']:,} out, "
        f"{verdict['packets_received']:,} received",
    ]
    if verdict["drops"]:
        lines.append(f"  dropped         {verdict['drops']}")
    for name, key in (("transit", "transit_ms"), ("end to end", "added_ms")):
        figures = verdict[key]
        lines.append(
            f"  {name:15} p50 {figures['p50']} ms, p99 {figures['p99']} ms, p99.9 {figures['p999']} ms"
        )
    if verdict["server_cpu_s"] is not None:
        lines.append(
            f"  server          {verdict['server_cpu_s']} CPU s, {verdict['packets_per_cpu_s']:,} packets "
            f"a CPU s, {verdict['rss_mb']} MB"
        )
    if "marks" in verdict:
        marks = verdict["marks"]
        lines.append(
            f"  marks           {marks['sent']:,} sent, {marks['received']:,} received, "
            f"p50 {marks['latency_ms']['p50']} ms, p99 {marks['latency_ms']['p99']} ms"
        )
    if "following" in verdict:
        told = verdict["following"]
        lag = told["lag_ms"]
        lines.append(
            f"  following       {told['marks']} marks, told {told['told']:,} times, {told['good']:,} times good; from "
            f"a frame to its news p50 {lag['p50']} ms, p95 {lag['p95']} ms, p99 {lag['p99']} ms"
        )
    print("\n".join(lines))


def _show(words: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)


def parse_bitrate(text: str) -> int:
    """Read 20M, 800k or a number of bit/s."""
    factor = {"k": 1000, "M": 1_000_000}.get(text[-1:], 1)
    value = int(float(text.rstrip("kM")) * factor)
    if not 100_000 <= value <= 200_000_000:
        raise argparse.ArgumentTypeError("a bit rate from 100k to 200M")
    return value


@contextlib.asynccontextmanager
async def _server(options: argparse.Namespace) -> AsyncIterator[ServerUnderLoad]:
    if options.server:
        secret = await asyncio.to_thread(options.secret.read_bytes)
        yield ServerUnderLoad(options.server.rstrip("/"), secret, None)
    else:
        async with started(burn_gil=options.burn_gil) as server:
            yield server


async def _run(options: argparse.Namespace) -> dict[str, object]:
    async with _server(options) as server:
        return await measure(server, options)


def main(arguments: list[str]) -> int:
    """Run the load test and print its verdict; 1 if anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m loadtests room", description=__doc__)
    parser.add_argument("--experts", type=int, default=15, help="who watch everything (default 15)")
    parser.add_argument("--fields", type=int, default=1, help="publishers (default 1)")
    parser.add_argument(
        "--bitrate", type=parse_bitrate, default=20_000_000, help="of each field (default 20M)"
    )
    parser.add_argument(
        "--bursts",
        type=int,
        default=4,
        help="parts that a frame is sent in, as WebRTC's pacer does (default 4); 1: all its packets at once",
    )
    parser.add_argument("--seconds", type=float, default=15.0, help="to measure (default 15)")
    parser.add_argument("--burn-gil", action="store_true", help="let a Python thread of the server spin")
    parser.add_argument(
        "--marks", type=int, default=0, metavar="N", help="N more experts draw 60 times a second"
    )
    parser.add_argument(
        "--following",
        type=int,
        metavar="N",
        help="fields of real 4K pictures (30 a second, 20 Mbit/s), and N marks on each that follow the tissue; 0: none",
    )
    parser.add_argument(
        "--low",
        action="store_true",
        help="with --following: each field comes in 640 x 360 too, which is followed",
    )
    parser.add_argument("--feedback", action="store_true", help="experts tell what arrives, as browsers do")
    parser.add_argument("--server", help="URL of a running server instead of one of its own")
    parser.add_argument(
        "--secret", type=Path, default=Path("var/secret"), help="the running server's secret file"
    )
    parser.add_argument("--json", type=Path, help="write the verdict to this file, too")
    options = parser.parse_args(arguments)
    if options.low and options.following is None:
        parser.error("--low is for --following.")
    verdict = asyncio.run(_run(options))
    _print(verdict)
    if options.json:
        options.json.write_text(json.dumps(verdict, indent=2) + "\n")
    return 0 if verdict["loss"] == 0 and verdict["silent_streams"] == 0 else 1
