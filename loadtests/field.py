"""A field under load: a surgeon's signalling connection, and frames as an encoder sends them."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from media.ids import Mid, Ssrc
from media.native.probe import Probe
from media.plane import Codec, Extension
from media.rtp.feedback import PictureLossIndication
from media.rtp.rtcp import parse_compound
from media.sdp import OUR_EXTENSION_IDS, PublishedTrack, offer_publisher, parse, remote_parameters
from media.sdp.session import SessionDescription, Source, SourceGroup
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
#: Of low layers: this and the field's number.
LOW_SSRC: Final = 0x1800
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
    #: Of its low layer, where it has one.
    low: int | None = None

    @property
    def naming(self) -> int:
        """The stream whose timestamps name the frames, for all layers: the lowest."""
        return self.stream if self.low is None else self.low

    def stop(self, probe: Probe) -> None:
        """Send nothing more."""
        for stream in (self.stream, self.low):
            if stream is not None:
                probe.stop_sending(stream)


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
    low: bool = False,
    room: str = ROOM,
) -> Field:
    """Publish a field; its frames begin in the gaps between the others'.

    With `real` they are of the demo's clip, with `low` too in 640 x 360 beside it.
    """
    caller = Caller(server.url, server.token("surgeon", f"Field {number + 1}", room), lambda _: None)
    await caller.join()
    socket, endpoint = pump.open()
    transport = endpoint.create(IceRole.CLIENT)
    ssrc = Ssrc(0x1000 + number)
    track = PublishedTrack(
        Mid("0"), "video", Codec.H264, H264_FMTP, 102, ssrc, "field", "field", f"field-{number}"
    )
    offer = offer_publisher([track], transport.parameters)
    source: dict[str, object] = {"mid": "0", "source": "field", "label": f"Field {number + 1}"}
    if low:
        offer = in_sizes(offer, (Ssrc(LOW_SSRC + number), ssrc))
        source["heights"] = [360, 2160]
    reply = await caller.request("publish", sdp=str(offer), sources=[source])
    answer = parse(reply["sdp"])
    transport.start(remote_parameters(answer))
    await connected(transport)

    def send(ssrc: int, frames: Sequence[Sequence[bytes]], bursts: int) -> int:
        return pump.probe.start_sending(
            socket.index,
            ssrc=ssrc,
            payload_type=102,
            clock_rate=90_000,
            frames=frames,
            fps=CLIP_FPS if real else FPS,
            bursts=bursts,
            offset=number / of / FPS,
            mid=(OUR_EXTENSION_IDS[Extension.MID], "0"),
            capture_time_id=OUR_EXTENSION_IDS[Extension.ABS_CAPTURE_TIME],
        )

    streams = {int(ssrc): send(ssrc, clip_frames(PAYLOAD) if real else make_frames(bitrate), bursts)}
    if low:
        streams[LOW_SSRC + number] = send(LOW_SSRC + number, clip_frames(PAYLOAD, low=True), 1)

    def on_rtcp(data: bytes, _: int) -> None:
        # an encoder answers whoever cannot begin without a key frame
        for packet in parse_compound(data):
            if isinstance(packet, PictureLossIndication):
                # whoever names no layer of it means the picture
                pump.probe.key_frame(streams.get(packet.media_ssrc, streams[int(ssrc)]))

    transport.callbacks.on_rtcp = on_rtcp
    producer = int(reply["producers"][0]["producer"])
    return Field(caller, socket, transport, producer, streams[int(ssrc)], streams.get(LOW_SSRC + number))


def in_sizes(offer: SessionDescription, ssrcs: tuple[Ssrc, ...]) -> SessionDescription:
    """Declare a picture's encodings by their SSRCs, the lowest first, as clients without RID do."""
    section = offer.media[0]
    sources = tuple(Source(ssrc, "camera", section.msid) for ssrc in ssrcs)
    section = replace(section, sources=sources, groups=(SourceGroup("SIM", ssrcs),))
    return replace(offer, media=(section, *offer.media[1:]))


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
