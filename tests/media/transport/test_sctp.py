"""Data channels: what we rely on in aiortc, and what happens at the edges."""

from __future__ import annotations

import pytest
from aiortc.rtcsctptransport import InboundStream, RTCSctpTransport

from media.transport.sctp import MAX_BUFFERED
from tests.helpers.udp_peers import until

from .conftest import MakeEndpoint
from .test_hostile_peers import association, open_pair


@pytest.mark.parametrize(
    "name", ["_handle_data", "_send_chunk", "_receive_data_chunk", "_data_channel_receive"]
)
def test_aiortcs_private_methods_are_still_there(name: str) -> None:
    assert callable(getattr(RTCSctpTransport, name))


async def test_aiortcs_private_fields_are_still_there(make_endpoint: MakeEndpoint) -> None:
    server, client = await open_pair(make_endpoint)
    client.transport.send_message("ephemeral", "x")
    await until(lambda: server.messages)
    sctp = association(server)
    assert isinstance(sctp._inbound_streams[0], InboundStream)
    assert sctp._inbound_streams[0].reassembly == []
    assert sctp._advertised_rwnd == 1024 * 1024
    assert sctp._sack_misordered == set()
    # the DTLS client's channels have even numbers (RFC 8832, section 6)
    assert list(sctp._data_channels) == [0]


async def test_both_sides_may_open_the_same_label(make_endpoint: MakeEndpoint) -> None:
    server, client = await open_pair(make_endpoint)
    server.transport.open_channel("ephemeral")
    await until(lambda: len(association(client)._data_channels) == 2)
    assert server.transport.send_message("ephemeral", "to the client")
    assert client.transport.send_message("ephemeral", "to the server")
    await until(lambda: server.messages and client.messages)
    assert client.messages == [("ephemeral", "to the client")]
    assert server.messages == [("ephemeral", "to the server")]


async def test_a_full_channel_refuses(make_endpoint: MakeEndpoint) -> None:
    _, client = await open_pair(make_endpoint)
    message = "x" * 60_000
    taken = 0
    while client.transport.send_message("ephemeral", message):
        taken += 1
        assert taken < 10
    assert client.transport.buffered("ephemeral") >= MAX_BUFFERED
    assert client.transport.buffered("other") == 0


async def test_large_messages_pass_whole(make_endpoint: MakeEndpoint) -> None:
    server, client = await open_pair(make_endpoint)
    message = "0123456789" * 6_000
    assert client.transport.send_message("ephemeral", message)
    await until(lambda: server.messages)
    assert server.messages == [("ephemeral", message)]
