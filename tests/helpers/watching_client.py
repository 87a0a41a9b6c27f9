"""A participant that is sent to, over our own transports and one plain socket: it counts what it decrypts."""

from __future__ import annotations

from typing import Any

from loadtests.caller import Caller
from media.rtp.packet import RtpPacket
from media.sdp import answer_subscriber, parse, remote_parameters
from media.transport import Endpoint, IceRole

from .udp_peers import until
from .udp_plane import UdpPlane


class WatchingClient:
    """Answers the server's offers. To be made within a running event loop; `close` it."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.plane = UdpPlane()
        self.endpoint = Endpoint(self.plane)
        self.transport = self.endpoint.create(IceRole.CLIENT)
        self.offer: dict[str, Any] = {}

    async def answer(self, consumers: int = 1) -> dict[str, Any]:
        """Answer offers until one has so many consumers; returns it."""
        while True:
            self.offer = await self.caller.notice("offer")
            offer = parse(self.offer["sdp"])
            answer, _ = answer_subscriber(offer, self.transport.parameters)
            self.transport.start(remote_parameters(offer))
            await self.caller.request("answer", revision=self.offer["revision"], sdp=str(answer))
            if len(self.offer["consumers"]) >= consumers:
                return self.offer

    async def restart_ice(self) -> dict[str, Any]:
        """Seek a new path as a page does; returns the server's offer."""
        await self.caller.request("restart_ice")
        self.endpoint.restart_ice(self.transport)
        return await self.answer()

    async def receive(self, count: int) -> None:
        """Wait for so many more packets."""
        goal = len(self.plane.packets) + count
        await until(lambda: len(self.plane.packets) >= goal, 30)

    @property
    def ssrcs(self) -> set[int]:
        """Name the streams that came."""
        return {RtpPacket.parse(packet).ssrc for packet in self.plane.packets}

    async def close(self) -> None:
        """Hang up."""
        await self.endpoint.close()
