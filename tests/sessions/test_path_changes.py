"""Somebody's address changes, or nothing is heard of somebody: media follow, and everybody is told."""

from __future__ import annotations

import asyncio
import socket
import time
from functools import partial
from pathlib import Path

from media.ids import TransportId
from media.sdp import parse, remote_parameters
from media.transport.stun import Attribute, Message, MessageClass
from tests.helpers.served import Served
from tests.helpers.udp_peers import until
from tests.helpers.watching_client import WatchingClient

from .test_ice_restart import watching


def nomination(client: WatchingClient) -> bytes:
    """Make the check with which the client would say: send to where this comes from."""
    remote = remote_parameters(parse(client.offer["sdp"]))
    attributes = (
        (int(Attribute.USERNAME), f"{remote.ufrag}:{client.transport.parameters.ufrag}".encode()),
        (int(Attribute.ICE_CONTROLLING), bytes(8)),
        (int(Attribute.PRIORITY), b"\x6e\0\1\xff"),
        (int(Attribute.USE_CANDIDATE), b""),
    )
    return Message(MessageClass.REQUEST, b"another-road", attributes).write(remote.pwd)


async def test_media_follow_to_the_address_that_nominates(tmp_path: Path) -> None:
    async with watching(tmp_path) as (server, client):
        loop = asyncio.get_running_loop()
        moved: list[TransportId] = []
        for transport in server.service.endpoint._transports.values():
            transport.callbacks.on_path = partial(moved.append, transport.id)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as fibre:
            fibre.bind(("127.0.0.1", 0))
            fibre.setblocking(False)
            address = server.service.plane.address
            await loop.sock_sendto(fibre, nomination(client), (address.host, address.port))
            async with asyncio.timeout(20):
                answer = await loop.sock_recv(fibre, 2048)
                while (datagram := await loop.sock_recv(fibre, 2048))[0] not in range(128, 192):
                    pass
            assert Message.parse(answer).message_class is MessageClass.SUCCESS
            assert len(datagram) > 12
            await until(lambda: not client.transport.ended)
            # once for all congestion control: what was said of the other path is over
            assert len(set(moved)) == 1


def advance(server: Served, seconds: float) -> None:
    """Let the server's transports believe that time has passed."""
    endpoint = server.service.endpoint
    endpoint.now = lambda: time.monotonic() + seconds
    endpoint._wake()


async def test_who_falls_silent_is_told_to_everybody_and_back_at_the_first_sign(tmp_path: Path) -> None:
    async with watching(tmp_path) as (server, client):
        # nothing leaves the client any more, though its signalling stands
        client.plane.mute = True
        advance(server, 6.0)

        async def told(media: str) -> None:
            while True:
                participant = (await client.caller.notice("participant"))["participant"]
                if participant["participant"] == client.caller.identifier:
                    assert participant["state"] == "connected"
                    if participant["media"] == media:
                        return

        await told("silent")
        client.plane.mute = False
        await client.restart_ice()
        await told("live")
        await client.receive(10)
