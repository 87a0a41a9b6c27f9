"""Records a full room through a real server: sixteen people, four fields in 4K and twelve faces, real encoded pictures.

Some come while it is recorded, one leaves. Afterwards the description must name all of them, every picture must be
there from its first key frame to its end without a hole, and all of them must lie together on the time line: what was
sent at one instant is shown at one instant, within one frame.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from media.ids import Mid, Ssrc
from media.plane import Codec, Extension
from media.rtp.feedback import PictureLossIndication
from media.rtp.rtcp import parse_compound
from media.sdp import OUR_EXTENSION_IDS, PublishedTrack, offer_publisher, parse, remote_parameters
from media.transport.transport import IceRole
from recorder.library import Library
from recorder.manifest import MANIFEST
from recorder.verify import verify

from .caller import Caller
from .field import H264_FMTP, PAYLOAD
from .following import FPS, clip_frames
from .peers.connect import connected
from .probe_endpoint import ProbePump
from .server_process import ServerUnderLoad, started

PEOPLE, FIELDS = 16, 4
#: Of them come so many when it is being recorded already.
LATE = 4
#: What was sent at one instant may be shown so far apart (seconds).
GOAL = 1 / FPS
_PATIENCE = 180.0


@dataclass(slots=True)
class Sender:
    """Somebody who sends one picture; `begin` is when its RTP timestamp 0 would have been sent, Unix seconds."""

    caller: Caller
    producer: int
    stream: int
    begin: float = 0.0


async def _enter(
    server: ServerUnderLoad, pump: ProbePump, number: int, source: str, frames: Sequence[Sequence[bytes]]
) -> Sender:
    token = server.token("surgeon" if source == "field" else "expert", f"Dr. {number}")
    caller = Caller(server.url, token, lambda _: None)
    await caller.join()
    socket, endpoint = pump.open()
    transport = endpoint.create(IceRole.CLIENT)
    ssrc = Ssrc(0x2000 + number)
    track = PublishedTrack(Mid("0"), "video", Codec.H264, H264_FMTP, 102, ssrc, source, source, source)
    offer = offer_publisher([track], transport.parameters)
    described = {"mid": "0", "source": source, "label": f"{source} {number}"}
    reply = await caller.request("publish", sdp=str(offer), sources=[described])
    transport.start(remote_parameters(parse(reply["sdp"])))
    await connected(transport)
    stream = pump.probe.start_sending(
        socket.index,
        ssrc=int(ssrc),
        payload_type=102,
        clock_rate=90_000,
        frames=frames,
        fps=FPS,
        bursts=4 if source == "field" else 1,
        offset=number / PEOPLE / FPS,
        mid=(OUR_EXTENSION_IDS[Extension.MID], "0"),
        capture_time_id=OUR_EXTENSION_IDS[Extension.ABS_CAPTURE_TIME],
    )

    def on_rtcp(data: bytes, _: int) -> None:
        if any(isinstance(packet, PictureLossIndication) for packet in parse_compound(data)):
            pump.probe.key_frame(stream)

    transport.callbacks.on_rtcp = on_rtcp
    return Sender(caller, int(reply["producers"][0]["producer"]), stream)


async def _watch(pump: ProbePump, senders: list[Sender]) -> None:
    """Learn when each one's clock began, by the frame that was sent most promptly."""
    while True:
        for sender in senders:
            sent = pump.probe.sent(sender.stream)
            if sent.last_sent:
                begin = sent.last_sent / 1e9 - sent.last_timestamp / 90_000
                sender.begin = min(begin, sender.begin or begin)
        await asyncio.sleep(0.01)


async def record(server: ServerUnderLoad, seconds: float) -> tuple[str, list[Sender]]:
    """Record the room; gives the recording's name and who was there."""
    faces, fields = clip_frames(PAYLOAD, low=True), clip_frames(PAYLOAD)
    pump = ProbePump()
    senders: list[Sender] = []
    watching = asyncio.create_task(_watch(pump, senders))
    try:
        for number in range(PEOPLE - LATE):
            source = "field" if number < FIELDS else "camera"
            senders.append(await _enter(server, pump, number, source, fields if number < FIELDS else faces))
        await senders[0].caller.request("record", action="start")
        await asyncio.sleep(seconds / 3)
        for number in range(PEOPLE - LATE, PEOPLE):
            senders.append(await _enter(server, pump, number, "camera", faces))
        await asyncio.sleep(seconds / 3)
        pump.probe.stop_sending(senders[FIELDS].stream)
        await senders[FIELDS].caller.request("leave")
        await asyncio.sleep(seconds / 3)
        await senders[0].caller.request("record", action="stop")
    finally:
        watching.cancel()
        for sender in senders:
            pump.probe.stop_sending(sender.stream)
        for sender in senders:
            with contextlib.suppress(TimeoutError, ConnectionError):
                await sender.caller.close()
        await pump.close()
    assert server.folder is not None
    (name,) = Library(server.folder / "recordings").names()
    async with asyncio.timeout(_PATIENCE):
        while True:
            if await asyncio.to_thread((server.folder / "recordings" / name / MANIFEST).exists):
                break
            await asyncio.sleep(0.2)
    return name, senders


def judge(description: Any, senders: list[Sender]) -> dict[str, Any]:
    """Hold what the recording says against what was sent."""
    cameras = {camera["producer"]: camera for camera in description["cameras"]}
    names = {person["name"] for person in description["participants"]}
    zeros = [
        description["started"] / 1000
        + camera["offset"]
        - ((camera["first_rtp_timestamp"] + (1 << 31)) % (1 << 32) - (1 << 31)) / 90_000
        - sender.begin
        for sender in senders
        if (camera := cameras.get(sender.producer)) is not None
    ]
    return {
        "people_missing": PEOPLE - len(names),
        "pictures_missing": sum(sender.producer not in cameras for sender in senders),
        "fields": sum(camera["source"] == "field" for camera in cameras.values()),
        "problems": len(description["problems"]),
        "packets_missing": sum(gap["packets"] for gap in description["gaps"]),
        "shortest_s": round(min(camera["seconds"] for camera in cameras.values()), 2),
        "longest_s": round(max(camera["seconds"] for camera in cameras.values()), 2),
        "apart_ms": round((max(zeros) - min(zeros)) * 1000, 1),
        "state": description["state"],
    }


async def _run(seconds: float) -> dict[str, Any]:
    async with started() as server:
        name, senders = await record(server, seconds)
        assert server.folder is not None
        keys = server.folder / "keys"
        library = Library(server.folder / "recordings", keys / "archive.pem")
        description = await asyncio.to_thread(library.description, name)
        verdict = await asyncio.to_thread(verify, library.folder(name), keys / "signing.public.pem")
        size = sum(path.stat().st_size for path in library.folder(name).glob("journal*.kjr"))
    return judge(description, senders) | {
        "as_signed": not verdict.problems,
        "journal_mb": round(size / 1e6, 1),
    }


def main(arguments: list[str]) -> int:
    """Run it; 1 where somebody or something is missing, or not together."""
    parser = argparse.ArgumentParser(prog="python -m loadtests full_house", description=__doc__)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    options = parser.parse_args(arguments)
    found = asyncio.run(_run(options.seconds))
    for name, value in found.items():
        print(f"{name:20} {value}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    missing = found["people_missing"] + found["pictures_missing"] + found["problems"]
    together = found["apart_ms"] < GOAL * 1000
    whole = found["state"] == "complete" and found["as_signed"] and found["fields"] == FIELDS
    return 0 if not missing and together and whole else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
