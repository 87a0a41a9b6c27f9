"""What strangers and hostile peers send to the media port costs one counter each; the call's pictures go on."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loadtests.caller import calling
from media.plane import Drop
from tests.helpers.peer import Publisher, Watcher
from tests.helpers.served import Served, served
from tests.helpers.udp_peers import until


@dataclass(slots=True)
class Call:
    """A publisher and a watcher between whom pictures flow."""

    server: Served
    publisher: Publisher
    watcher: Watcher

    def dropped(self, reason: Drop) -> int:
        return self.server.service.plane.statistics().drops[reason]

    async def counted(self, reason: Drop, before: int, times: int = 1) -> None:
        """Wait for the counter, and see that Prometheus sees it too."""
        await until(lambda: self.dropped(reason) >= before + times)
        shown = await self.server.metric("konsil_drops_total", reason=reason.name.lower())
        assert shown >= before + times

    async def goes_on(self) -> None:
        """See new pictures arrive."""
        await asyncio.wait_for(self.watcher.frames("video", 5), 20)


@pytest.fixture
async def call(tmp_path: Path) -> AsyncIterator[Call]:
    async with (
        served(tmp_path) as server,
        calling(server.url, server.token("expert", "Dr. A"), server.token("trainee", "B")) as (
            expert,
            trainee,
        ),
    ):
        call = Call(server, Publisher(expert), Watcher(trainee))
        try:
            await call.publisher.publish()
            await call.watcher.serve_offers(until=2)
            await call.goes_on()
            yield call
        finally:
            await call.publisher.close()
            await call.watcher.close()


def transport_of(call: Call) -> Any:
    """aiortc's ICE transport of the publisher: its own socket, whose address the server trusts."""
    return call.publisher.peer.getTransceivers()[0].sender.transport.transport


def stun(length: int | None = None, attributes: bytes = b"") -> bytes:
    """A binding request of nobody."""
    size = len(attributes) if length is None else length
    return struct.pack("!HHI", 1, size, 0x2112A442) + b"\x07" * 12 + attributes


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", Drop.EMPTY),
        (b"\x80", Drop.STRANGER),
        (b"\x80\x60" + b"\x00" * 10, Drop.STRANGER),
        (b"\x90\x60" + b"\xff" * 30, Drop.STRANGER),
        (b"\x81\xc9\xff\xff" + b"\x00" * 28, Drop.STRANGER),
        (b"\x16\xfe\xfd" + b"\x00" * 40, Drop.STRANGER),
        (b"\xff" * 50, Drop.STRANGER),
        (b"\x80" * 1600, Drop.OVERSIZED),
        (b"\x00" * 1501, Drop.OVERSIZED),
        (b"\x00\x01", Drop.SHORT),
    ],
    ids=lambda value: value.name if isinstance(value, Drop) else f"{len(value)} bytes",
)
async def test_a_strangers_datagram_costs_one_counter(call: Call, datagram: bytes, reason: Drop) -> None:
    before = call.dropped(reason)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for _ in range(50):
            stranger.sendto(datagram, call.server.service.plane.address[:2])
    await call.counted(reason, before, 50)
    await call.goes_on()


async def test_strangers_checks_are_answered_by_nothing_that_helps_them(call: Call) -> None:
    requests = [
        stun(),
        stun(length=60_000),
        stun(length=3),
        stun(attributes=struct.pack("!HH", 6, 60_000) + b"xxxx"),
        stun(attributes=struct.pack("!HH", 6, 4) + b"a:b\x00"),
        stun(attributes=struct.pack("!HH", 6, 0)),
    ]
    before = call.server.service.plane.statistics().datagrams_in
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.setblocking(False)
        for request in requests * 20:
            stranger.sendto(request, call.server.service.plane.address[:2])
        plane = call.server.service.plane
        await until(lambda: plane.statistics().datagrams_in >= before + len(requests) * 20)
        await call.goes_on()
        with pytest.raises(BlockingIOError):
            stranger.recv(2048)


def unseen(packet: bytes) -> bytes:
    """The same under a sequence number that SRTP has not seen, so that its tag is looked at."""
    return (
        packet[:2] + struct.pack("!H", (struct.unpack_from("!H", packet, 2)[0] + 2000) % 65536) + packet[4:]
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda packet: packet, Drop.REPLAYED),
        (unseen, Drop.AUTHENTICATION),
        (lambda packet: unseen(packet)[:-1], Drop.AUTHENTICATION),
        (lambda packet: bytes([packet[0] | 0x1F]) + packet[1:30], Drop.SHORT),
        (lambda _: b"\xff" * 50, Drop.UNKNOWN_PROTOCOL),
        (lambda packet: packet + b"\x00" * 1500, Drop.OVERSIZED),
    ],
    ids=["replayed", "forged", "cut", "lying lengths", "no protocol", "oversized"],
)
async def test_a_peers_own_datagrams_are_held_to_the_same(
    call: Call, change: Callable[[bytes], bytes], reason: Drop
) -> None:
    """The address is trusted, the bytes are not."""
    connection = transport_of(call)
    captured: list[bytes] = []
    send = connection._send

    async def capture(data: bytes) -> None:
        # RTP of the picture: version 2, and no RTCP type
        if data[:1] and 128 <= data[0] < 192 and not 192 <= data[1] < 224:
            captured.append(data)
        await send(data)

    connection._send = capture
    await until(lambda: len(captured) > 5)
    connection._send = send
    before = call.dropped(reason)
    for _ in range(10):
        await send(change(captured[0]))
    await call.counted(reason, before, 10)
    await call.goes_on()


async def test_a_datagram_of_the_peers_socket_without_ice_is_a_strangers(call: Call) -> None:
    """The same bytes from another port: nothing of what one peer proved helps another address."""
    connection = transport_of(call)
    captured: list[bytes] = []
    send = connection._send

    async def divert(data: bytes) -> None:
        captured.append(data)
        await send(data)

    connection._send = divert
    await until(lambda: len(captured) > 3)
    connection._send = send
    before = call.dropped(Drop.STRANGER)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for packet in captured:
            stranger.sendto(packet, call.server.service.plane.address[:2])
    await call.counted(Drop.STRANGER, before, len(captured))
    await call.goes_on()
