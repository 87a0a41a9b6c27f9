"""A field under load: a surgeon's signalling connection, and frames as an encoder sends them."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from media.ids import Mid, Ssrc
from media.plane import Codec, Extension
from media.rtp.feedback import PictureLossIndication
from media.rtp.rtcp import parse_compound
from media.sdp import OUR_EXTENSION_IDS, PublishedTrack, offer_publisher, parse, remote_parameters
from media.transport.transport import IceRole, Transport

from .caller import Caller, Refused
from .following import FPS as CLIP_FPS
from .following import clip_frames
from .peers.connect import connected
from .probe_endpoint import ProbePump, ProbeSocket
from .server_process import ROOM, ServerUnderLoad

#: 20 Mbit/s are then 36 packets a frame.
FPS = 60.0
PAYLOAD = 1150
#: Frames until the noise begins anew. As in WebRTC a key frame comes when somebody asks for one, here when all
#: have joined; it is six times the size of the others.
GROUP = 3600
KEY_FRAME_WEIGHT = 6

H264_FMTP = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640033"
#: bit/s of a field that is there to be drawn on.
THIN: Final = 500_000


@dataclass(slots=True)
class Field:
    """A publisher and its stream."""

    caller: Caller
    socket: ProbeSocket
    transport: Transport
    producer: int
    stream: int


def make_frames(bitrate: int, fps: float = FPS) -> list[list[bytes]]:
    """Make one group of pictures as H.264 fragments (RFC 6184, FU-A) of noise, at this rate in bit/s.

    Frames that are smaller than two full packets are two small ones.
    """
    noise = random.Random(1).randbytes(PAYLOAD)
    per_group = bitrate / 8 * GROUP / fps
    small = per_group / (GROUP - 1 + KEY_FRAME_WEIGHT)
    frames: list[list[bytes]] = []
    for number in range(GROUP):
        kind = 5 if number == 0 else 1
        size = int(small * (KEY_FRAME_WEIGHT if number == 0 else 1))
        count = max(2, round(size / PAYLOAD))
        frames.append(
            [
                bytes((0x60 | 28, (0x80 if n == 0 else 0x40 if n == count - 1 else 0) | kind))
                + noise[2 : max(20, min(PAYLOAD, size // count))]
                for n in range(count)
            ]
        )
    return frames


async def add_field(
    server: ServerUnderLoad,
    pump: ProbePump,
    number: int,
    of: int,
    bitrate: int,
    bursts: int,
    *,
    real: bool = False,
    room: str = ROOM,
) -> Field:
    """Publish a field; its frames begin in the gaps between the others'. With `real` they are of the demo's clip."""
    caller = Caller(server.url, server.token("surgeon", f"Field {number + 1}", room), lambda _: None)
    await caller.join()
    socket, endpoint = pump.open()
    transport = endpoint.create(IceRole.CLIENT)
    ssrc = Ssrc(0x1000 + number)
    track = PublishedTrack(
        Mid("0"), "video", Codec.H264, H264_FMTP, 102, ssrc, "field", "field", f"field-{number}"
    )
    offer = offer_publisher([track], transport.parameters)
    sources = [{"mid": "0", "source": "field", "label": f"Field {number + 1}"}]
    reply = await caller.request("publish", sdp=str(offer), sources=sources)
    answer = parse(reply["sdp"])
    transport.start(remote_parameters(answer))
    await connected(transport)
    stream = pump.probe.start_sending(
        socket.index,
        ssrc=ssrc,
        payload_type=102,
        clock_rate=90_000,
        frames=clip_frames(PAYLOAD) if real else make_frames(bitrate),
        fps=CLIP_FPS if real else FPS,
        bursts=bursts,
        offset=number / of / FPS,
        mid=(OUR_EXTENSION_IDS[Extension.MID], "0"),
        capture_time_id=OUR_EXTENSION_IDS[Extension.ABS_CAPTURE_TIME],
    )

    def on_rtcp(data: bytes, _: int) -> None:
        # an encoder answers whoever cannot begin without a key frame
        if any(isinstance(packet, PictureLossIndication) for packet in parse_compound(data)):
            pump.probe.key_frame(stream)

    transport.callbacks.on_rtcp = on_rtcp
    return Field(caller, socket, transport, reply["producers"][0]["producer"], stream)


@contextlib.asynccontextmanager
async def thin_field(
    server: ServerUnderLoad, pump: ProbePump, room: str
) -> AsyncIterator[tuple[Field, Callable[[], int]]]:
    """Publish a field to draw on, and a function that names its newest frame, while the context lasts.

    It is real, if light: a mark on a frame that was never sent is refused. Raise Refused.
    """
    field = await add_field(server, pump, 0, 1, THIN, 1, room=room)

    def newest() -> int:
        return pump.probe.sent(field.stream).last_timestamp

    try:
        await _arrived(field, newest)
        yield field, newest
    finally:
        pump.probe.stop_sending(field.stream)
        await field.caller.close()


async def _arrived(field: Field, newest: Callable[[], int]) -> None:
    """Wait until the server has a frame: it takes a mark on it."""
    mark = {
        "mark": "m-first",
        "shape": "pin",
        "points": [(0.5, 0.5)],
        "width": 0.004,
        "text": "",
    }
    async with asyncio.timeout(20):
        while True:
            anchor = {"producer": field.producer, "rtp_timestamp": newest()}
            try:
                await field.caller.request(
                    "mark", operation={"kind": "add", "mark": {**mark, "anchor": anchor}}
                )
            except Refused as refused:
                if refused.code != "unknown_frame":
                    raise
                await asyncio.sleep(0.02)
            else:
                await field.caller.request("mark", operation={"kind": "undo"})
                return
