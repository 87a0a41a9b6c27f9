"""A WHIP server as small as one can be: it takes whoever comes and keeps what arrives."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from media.ids import Ssrc
from media.rtp.ntp import middle_bits
from media.rtp.packet import RtpPacket
from media.rtp.rtcp import (
    GenericNack,
    Goodbye,
    PictureLossIndication,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    build_compound,
    parse_compound,
)
from media.sdp import OfferedTrack, answer_publisher, parse, remote_parameters
from media.transport import Endpoint, Transport
from tests.helpers.udp_plane import UdpPlane

#: Under which the endpoint itself speaks.
_OWN_SSRC = Ssrc(1)


@dataclass
class WhipEndpoint:
    """What was asked for and what arrived. `ahead` is what its clock is ahead of ours, in ms."""

    plane: UdpPlane
    endpoint: Endpoint
    url: str = ""
    ahead: float = 0.0
    refusal: Callable[[], web.HTTPException] | None = None
    rewrite: Callable[[str], str] = str
    location: str = "/whip/ward/session-1"
    lost_packets: int = 0
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    queries: list[dict[str, str]] = field(default_factory=list)
    barcodes: list[dict[str, Any]] = field(default_factory=list)
    formers: list[str] = field(default_factory=list)
    tracks: list[OfferedTrack] = field(default_factory=list)
    rtcp: list[RtcpPacket] = field(default_factory=list)
    transport: Transport | None = None
    ended: bool = False

    async def create(self, request: web.Request) -> web.Response:
        """Answer an offer."""
        self._note(request)
        if self.refusal is not None:
            raise self.refusal()
        offer = parse(self.rewrite(await request.text()))
        self.queries.append(dict(request.query))
        self.transport = self.endpoint.create()
        answer, self.tracks = answer_publisher(offer, self.transport.parameters)
        self.transport.callbacks.on_rtcp = self._receive_rtcp
        self.transport.start(remote_parameters(offer))
        self.ended = False
        self.formers.append(request.headers.get("Konsil-Former", ""))
        return self._timed(
            web.Response(
                status=201,
                text=str(answer),
                content_type="application/sdp",
                headers={"Location": self.location},
            )
        )

    async def barcode(self, request: web.Request) -> web.Response:
        """Take a sending time."""
        self._note(request)
        if self.ended:
            return web.json_response({"message": "There is no such session."}, status=404)
        self.barcodes.append(json.loads(await request.text()))
        return self._timed(web.Response(status=204))

    async def delete(self, request: web.Request) -> web.Response:
        """End the session."""
        self._note(request)
        self.ended = True
        return web.Response()

    def report(self) -> None:
        """Report on each track, as a server does every second."""
        assert self.transport is not None
        reports = [packet for packet in self.rtcp if isinstance(packet, SenderReport)]
        blocks = tuple(
            ReportBlock(
                track.ssrc,
                64,
                self.lost_packets,
                0,
                900,
                middle_bits(reports[-1].ntp_time) if reports else 0,
                0,
            )
            for track in self.tracks
        )
        self.transport.send_rtcp(build_compound([ReceiverReport(_OWN_SSRC, blocks)]))

    def ask_again(self, sequence_number: int) -> None:
        """Ask for a packet of the picture, as if it had been lost."""
        assert self.transport is not None
        nack = GenericNack(_OWN_SSRC, self.tracks[0].ssrc, (sequence_number,))
        self.transport.send_rtcp(build_compound([ReceiverReport(_OWN_SSRC), nack]))

    def want_key_frame(self) -> None:
        """Ask for a key frame."""
        assert self.transport is not None
        self.transport.send_rtcp(
            build_compound([ReceiverReport(_OWN_SSRC), PictureLossIndication(_OWN_SSRC, self.tracks[0].ssrc)])
        )

    def packets(self, kind: str = "video", *, repeats: bool = False) -> list[RtpPacket]:
        """Return what arrived of a track, or of its repeats."""
        ssrcs = {track.rtx_ssrc if repeats else track.ssrc for track in self.tracks if track.kind == kind}
        packets = [RtpPacket.parse(data) for data in self.plane.packets]
        return [packet for packet in packets if packet.ssrc in ssrcs]

    def frames(self) -> list[list[RtpPacket]]:
        """Return the whole pictures that arrived: their packets, by the marker."""
        frames: list[list[RtpPacket]] = []
        current: list[RtpPacket] = []
        for packet in self.packets():
            current.append(packet)
            if packet.marker:
                frames.append(current)
                current = []
        return frames

    @property
    def said_goodbye(self) -> bool:
        """Whether a goodbye came."""
        return any(isinstance(packet, Goodbye) for packet in self.rtcp)

    def _receive_rtcp(self, data: bytes, time: int) -> None:
        self.rtcp += parse_compound(data)

    def _note(self, request: web.Request) -> None:
        self.requests.append((request.method, request.path, request.headers.get("Authorization", "")))

    def _timed(self, response: web.Response) -> web.Response:
        response.headers["Konsil-Time"] = f"{time.time() * 1000 + self.ahead:.3f}"
        return response


@contextlib.asynccontextmanager
async def whip_endpoint() -> AsyncIterator[WhipEndpoint]:
    """Serve on free ports of the loopback while the context lasts."""
    plane = UdpPlane()
    endpoint = Endpoint(plane)
    whip = WhipEndpoint(plane, endpoint)
    application = web.Application()
    application.router.add_post("/whip/{room}", whip.create)
    application.router.add_delete("/whip/{room}/{session}", whip.delete)
    application.router.add_post("/whip/{room}/{session}/barcode", whip.barcode)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    whip.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield whip
    finally:
        await runner.cleanup()
        await endpoint.close()
