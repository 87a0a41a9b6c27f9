"""The relay between real sockets does to datagrams what its line says."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from loadtests.impaired_line import Relay, impaired
from tests.helpers.udp_peers import until


def opened() -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", 0))
    one.setblocking(False)
    return one


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client and an upstream."""
    client, upstream = opened(), opened()
    yield client, upstream
    client.close()
    upstream.close()


async def receive(at: socket.socket) -> tuple[bytes, tuple[str, int]]:
    data, address = await asyncio.wait_for(asyncio.get_running_loop().sock_recvfrom(at, 2048), 20)
    return data, address


async def test_both_directions_are_carried(ends: tuple[socket.socket, socket.socket]) -> None:
    client, upstream = ends
    async with impaired(upstream.getsockname()) as line:
        client.sendto(b"up", ("127.0.0.1", line.port))
        data, name = await receive(upstream)
        assert (data, name[1]) != (b"up", client.getsockname()[1])
        assert data == b"up"
        upstream.sendto(b"down", name)
        assert await receive(client) == (b"down", ("127.0.0.1", line.port))
        # everything is lost from now on, one way only
        await line.change(down={"loss": 1.0})
        upstream.sendto(b"gone", name)
        client.sendto(b"still", ("127.0.0.1", line.port))
        assert (await receive(upstream))[0] == b"still"
        while (counted := await line.change())["down"]["lost"] < 1:
            pass
        assert counted["up"] == {"sent": 2, "lost": 0, "dropped_by_queue": 0}


async def test_a_delay_is_kept_and_order_with_it(ends: tuple[socket.socket, socket.socket]) -> None:
    client, upstream = ends
    relay = Relay(upstream.getsockname(), 1)
    try:
        relay.change({"up": {"delay": 0.05, "jitter": 0.02}})
        loop = asyncio.get_running_loop()
        began = loop.time()
        for i in range(50):
            client.sendto(bytes([i]), ("127.0.0.1", relay.port))
        arrived = [(await receive(upstream))[0][0] for _ in range(50)]
        assert arrived == list(range(50))
        assert loop.time() - began >= 0.05
    finally:
        relay.close()


async def test_a_narrow_place_drops_what_its_queue_does_not_hold(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    client, upstream = ends
    relay = Relay(upstream.getsockname(), 1)
    try:
        # 100 ms of 400 kbit/s: five packets of 1,000 bytes
        relay.change({"up": {"rate": 400_000, "queue_seconds": 0.1}})
        for _ in range(60):
            client.sendto(bytes(1000), ("127.0.0.1", relay.port))
        await until(lambda: relay.counters()["up"]["sent"] == 60, 20)
        assert relay.counters()["up"]["dropped_by_queue"] >= 60 - 5 - 20
    finally:
        relay.close()


async def test_a_line_has_no_other_fields(ends: tuple[socket.socket, socket.socket]) -> None:
    relay = Relay(ends[1].getsockname(), 1)
    try:
        with pytest.raises(ValueError, match="has no colour"):
            relay.change({"down": {"colour": 1.0}})
    finally:
        relay.close()
