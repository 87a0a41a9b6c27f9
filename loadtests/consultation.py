"""A whole consultation under load: 16 people send a camera in three sizes each, one a 4K field, all see everybody.

Each has a transport that it sends on and one that it is sent on, shows the field large and the faces in small tiles, as
the page does. The verdict: nothing is lost, nobody's picture is missing, each face comes in the small size.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from media.ids import Mid, Ssrc
from media.plane import Codec, Extension
from media.rtp.feedback import PictureLossIndication
from media.rtp.rtcp import parse_compound
from media.sdp import (
    OUR_EXTENSION_IDS,
    PublishedTrack,
    answer_subscriber,
    offer_publisher,
    parse,
    remote_parameters,
)
from media.transport.transport import IceRole, Transport

from .caller import Caller, Message
from .field import FPS, H264_FMTP, in_sizes, make_frames
from .peers.connect import connected
from .probe_endpoint import ProbePump, ProbeSocket
from .server_process import ServerUnderLoad, quantile_ms, started

#: A camera of 720p in three sizes: heights, bit/s.
SIZES = ((180, 150_000), (360, 500_000), (720, 1_500_000))
CAMERA_FPS = 30.0
FIELD_BITRATE = 20_000_000

#: Pixels of the tiles on each page.
FACE_TILE, FIELD_TILE = 180, 2160

#: Seconds from the last arrival to the first figure: by then sizes are chosen.
SETTLE = 8.0


@dataclass(slots=True)
class Person:
    """Somebody who sends and is sent; `offered` are what came of its offers, by producer."""

    caller: Caller
    watching: ProbeSocket
    transport: Transport
    offered: dict[int, Ssrc]
    changed: asyncio.Event
    producer: int = 0


async def _publish(
    caller: Caller, pump: ProbePump, source: str, first: int, sizes: tuple[tuple[int, int], ...], fps: float
) -> int:
    """Send a picture in these sizes; returns its producer."""
    socket, endpoint = pump.open()
    transport = endpoint.create(IceRole.CLIENT)
    track = PublishedTrack(Mid("0"), "video", Codec.H264, H264_FMTP, 102, Ssrc(first), source, source, source)
    offer = offer_publisher([track], transport.parameters)
    if len(sizes) > 1:
        offer = in_sizes(offer, tuple(Ssrc(first + i) for i in range(len(sizes))))
    described = {"mid": "0", "source": source, "label": source, "heights": [height for height, _ in sizes]}
    reply = await caller.request("publish", sdp=str(offer), sources=[described])
    transport.start(remote_parameters(parse(reply["sdp"])))
    await connected(transport)
    streams = {
        first + i: pump.probe.start_sending(
            socket.index,
            ssrc=first + i,
            payload_type=102,
            clock_rate=90_000,
            frames=make_frames(bitrate, fps),
            fps=fps,
            bursts=4 if bitrate > 5_000_000 else 1,
            mid=(OUR_EXTENSION_IDS[Extension.MID], "0"),
            capture_time_id=OUR_EXTENSION_IDS[Extension.ABS_CAPTURE_TIME],
        )
        for i, (_, bitrate) in enumerate(sizes)
    }
    transport.callbacks.on_rtcp = _answers_picture_loss(pump, streams)
    return int(reply["producers"][0]["producer"])


def _answers_picture_loss(pump: ProbePump, streams: dict[int, int]) -> Callable[[bytes, int], None]:
    def on_rtcp(data: bytes, _: int) -> None:
        for packet in parse_compound(data):
            if isinstance(packet, PictureLossIndication) and packet.media_ssrc in streams:
                pump.probe.key_frame(streams[packet.media_ssrc])

    return on_rtcp


async def _join(server: ServerUnderLoad, pump: ProbePump, role: str, name: str) -> Person:
    """Come in, and take whatever is offered from now on."""
    offers: asyncio.Queue[Message] = asyncio.Queue()

    def on_notice(message: Message) -> None:
        if message["type"] == "offer":
            offers.put_nowait(message)

    caller = Caller(server.url, server.token("surgeon" if role == "surgeon" else "expert", name), on_notice)
    await caller.join()
    wide = OUR_EXTENSION_IDS[Extension.TRANSPORT_WIDE]
    socket, endpoint = pump.open(OUR_EXTENSION_IDS[Extension.ABS_CAPTURE_TIME], wide_id=wide)
    person = Person(caller, socket, endpoint.create(IceRole.CLIENT), {}, asyncio.Event())
    person.caller.tasks.append(asyncio.create_task(_take_offers(person, offers)))
    return person


async def _take_offers(person: Person, offers: asyncio.Queue[Message]) -> None:
    fields = {p["producer"] for p in person.caller.welcome["producers"] if p["source"] == "field"}
    while True:
        message = await offers.get()
        offer = parse(message["sdp"])
        answer, tracks = answer_subscriber(offer, person.transport.parameters)
        person.transport.start(remote_parameters(offer))
        await person.caller.request("answer", revision=message["revision"], sdp=str(answer))
        by_mid = {track.mid: track.ssrc for track in tracks if track.active}
        for consumer in message["consumers"]:
            producer = consumer["producer"]
            if producer not in person.offered:
                height = FIELD_TILE if producer in fields else FACE_TILE
                view = {"producer": producer, "width": height * 16 // 9, "height": height}
                await person.caller.request("view", **view)
            person.offered[producer] = by_mid[consumer["mid"]]
        person.changed.set()


async def measure(
    server: ServerUnderLoad, people: int, seconds: float, settle: float = SETTLE
) -> dict[str, Any]:
    """Fill the room, wait, measure, and say what was found."""
    pump = ProbePump()
    room: list[Person] = []
    try:
        surgeon = await _join(server, pump, "surgeon", "Surgeon")
        room.append(surgeon)
        surgeon.producer = await _publish(
            surgeon.caller, pump, "field", 0x1000, ((2160, FIELD_BITRATE),), FPS
        )
        for number in range(people):
            person = await _join(server, pump, "expert", f"Expert {number + 1}")
            room.append(person)
            first = 0x2000 + 16 * number
            person.producer = await _publish(person.caller, pump, "camera", first, SIZES, CAMERA_FPS)
        await _all_offered(room)
        await asyncio.sleep(settle)
        before, seen = await server.scrape(), _received(room, pump)
        await asyncio.sleep(seconds)
        after, now = await server.scrape(), _received(room, pump)
        return _verdict(room, people, before, after, seen, now)
    finally:
        for person in room:
            with contextlib.suppress(TimeoutError):
                await person.caller.close()
        await pump.close()


async def _all_offered(room: list[Person]) -> None:
    """Wait until everybody has been offered everybody. Raise what kept somebody from it, or TimeoutError."""
    async with asyncio.timeout(60):
        for person in room:
            while len(person.offered) < len(room) - 1:
                person.changed.clear()
                changed = asyncio.ensure_future(person.changed.wait())
                done, _ = await asyncio.wait(
                    {changed, *person.caller.tasks}, return_when=asyncio.FIRST_COMPLETED
                )
                changed.cancel()
                for task in done - {changed}:
                    task.result()


Streams = dict[tuple[int, int], tuple[int, int, int]]


def _received(room: list[Person], pump: ProbePump) -> Streams:
    """(receiver, producer) → packets, bytes, lost."""
    found: Streams = {}
    for person in room:
        streams = {s.ssrc: s for s in pump.probe.statistics(person.watching.index).streams}
        for producer, ssrc in person.offered.items():
            if ssrc in streams:
                stream = streams[ssrc]
                found[person.watching.index, producer] = (stream.packets, stream.bytes, stream.lost)
    return found


def _verdict(
    room: list[Person], people: int, before: Any, after: Any, seen: Streams, now: Streams
) -> dict[str, Any]:
    seconds = after.time - before.time
    field = room[0].producer
    rates: dict[str, list[float]] = {"field": [], "faces": []}
    lost = received = silent = 0
    for person in room:
        for producer in person.offered:
            key = (person.watching.index, producer)
            start, end = seen.get(key, (0, 0, 0)), now.get(key, (0, 0, 0))
            received, lost = received + end[0] - start[0], lost + end[2] - start[2]
            silent += end[0] == start[0]
            rates["field" if producer == field else "faces"].append((end[1] - start[1]) * 8 / seconds)
    small = sum(rate < 2 * SIZES[0][1] for rate in rates["faces"])
    quantiles = (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))
    packets = after.packets_out - before.packets_out
    cpu = after.cpu_s - before.cpu_s
    return {
        "people": people,
        "seconds": round(seconds, 2),
        "streams": sum(len(person.offered) for person in room),
        "silent_streams": silent,
        "loss": round(lost / (received + lost), 6) if received else 1.0,
        "faces": len(rates["faces"]),
        "faces_small": small,
        "field_mbit_s": round(min(rates["field"], default=0) / 1e6, 2),
        "packets_in": int(after.packets_in - before.packets_in),
        "packets_out": int(packets),
        "drops": {
            k: int(v - before.drops.get(k, 0)) for k, v in after.drops.items() if v > before.drops.get(k, 0)
        },
        "transit_ms": {name: round(quantile_ms(before, after, share), 3) for name, share in quantiles},
        "server_cpu_s": round(cpu, 2),
        "packets_per_cpu_s": int(packets / cpu) if cpu else None,
        "rss_mb": round(after.rss_mb, 1),
    }


def good(verdict: dict[str, Any]) -> bool:
    """Nothing lost, nothing missing, faces small, the field whole."""
    whole = verdict["field_mbit_s"] > 0.9 * FIELD_BITRATE / 1e6
    small = verdict["faces_small"] == verdict["faces"]
    return bool(verdict["loss"] == 0 and verdict["silent_streams"] == 0 and whole and small)


def _print(verdict: dict[str, Any]) -> None:
    transit = verdict["transit_ms"]
    print(
        f"\n{verdict['people']} people with cameras in three sizes, one 4K field, {verdict['seconds']} s\n"
        f"  verdict   {'good' if good(verdict) else 'NOT GOOD'}: {verdict['loss']:.4%} lost, "
        f"{verdict['silent_streams']} of {verdict['streams']} streams silent, {verdict['faces_small']} of "
        f"{verdict['faces']} faces small, the field {verdict['field_mbit_s']} Mbit/s where it is least\n"
        f"  packets   {verdict['packets_in']:,} in, {verdict['packets_out']:,} out\n"
        f"  dropped   {verdict['drops']}\n"
        f"  transit   p50 {transit['p50']} ms, p99 {transit['p99']} ms, p99.9 {transit['p999']} ms\n"
        f"  server    {verdict['server_cpu_s']} CPU s, {verdict['packets_per_cpu_s']:,} packets a CPU s, "
        f"{verdict['rss_mb']} MB"
    )


async def _run(options: argparse.Namespace) -> dict[str, Any]:
    async with started() as server:
        return await measure(server, options.people, options.seconds)


def main(arguments: list[str]) -> int:
    """Run the load test and print its verdict; 1 unless it is good."""
    parser = argparse.ArgumentParser(prog="python -m loadtests consultation", description=__doc__)
    parser.add_argument("--people", type=int, default=16, help="who send and watch (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="to measure (default %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the verdict there too")
    options = parser.parse_args(arguments)
    verdict = asyncio.run(_run(options))
    _print(verdict)
    if options.json:
        options.json.write_text(json.dumps(verdict, indent=2) + "\n")
    return 0 if good(verdict) else 1
