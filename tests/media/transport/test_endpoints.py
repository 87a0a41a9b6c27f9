"""Our own client against our own server: what the publisher and the load test do."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from dataclasses import replace

import pytest

from media.ids import Mid, Ssrc
from media.plane import Address, Codec, EventKind, PlaneEvent
from media.sdp import (
    Fingerprint,
    PayloadTypes,
    PublishedTrack,
    Setup,
    SubscribedTrack,
    answer_publisher,
    answer_subscriber,
    offer_publisher,
    offer_subscriber,
    parse,
    read_answer,
    remote_parameters,
)
from media.transport import Endpoint, Transport, TransportState
from media.transport.transport import DTLS_ROLES, TRANSITIONS, IceRole
from tests.helpers.udp_peers import Heard, until
from tests.helpers.udp_plane import UdpPlane

from .conftest import MakeEndpoint, plane_of

TRACK = PublishedTrack(
    Mid("0"), "video", Codec.H264, "profile-level-id=42e01f", 102, Ssrc(1), "c", "s", "l", 103, Ssrc(2)
)
REPORT = bytes.fromhex("80c90001") + (7).to_bytes(4, "big")


def connect(client: Transport, server: Transport, *, fingerprint: Fingerprint | None = None) -> None:
    """Publish: the client offers, the server answers."""
    offer = parse(str(offer_publisher([TRACK], client.parameters, data_channel=True)))
    answer, _ = answer_publisher(offer, server.parameters)
    remote = remote_parameters(offer)
    if fingerprint is not None:
        remote = replace(remote, fingerprints=(fingerprint,))
    server.start(remote)
    client.start(remote_parameters(parse(str(answer))))


async def connected_pair(make_endpoint: MakeEndpoint, **options: object) -> tuple[Heard, Heard]:
    server, client = make_endpoint(**options).create(), make_endpoint().create("client")
    heard = Heard(client), Heard(server)
    connect(client, server)
    await until(lambda: all(one.last is TransportState.CONNECTED for one in heard))
    return heard


async def test_a_client_publishes_to_the_server(make_endpoint: MakeEndpoint) -> None:
    server_end, client_end = make_endpoint(), make_endpoint()
    server, client = server_end.create(), client_end.create("client")
    heard = Heard(server)
    connect(client, server)
    await until(lambda: client.state is server.state is TransportState.CONNECTED)
    assert client.srtp_profile == server.srtp_profile == "SRTP_AEAD_AES_128_GCM"
    client.send_rtcp(REPORT)
    packet = bytes.fromhex("8066000100000000") + (1).to_bytes(4, "big") + b"payload"
    plane_of(client_end).send_rtp(client.id, packet)
    await until(lambda: heard.rtcp and plane_of(server_end).packets)
    assert heard.rtcp == [REPORT]
    assert plane_of(server_end).packets == [packet]


async def test_a_client_subscribes_and_talks_on_the_data_channel(make_endpoint: MakeEndpoint) -> None:
    server, client = make_endpoint().create(), make_endpoint().create("client")
    heard, heard_by_server = Heard(client), Heard(server)
    server.open_channel("ephemeral")
    track = SubscribedTrack("video", Codec.VP8, "", Ssrc(1), Ssrc(2), "c", "pt-1", "field")
    offer = str(offer_subscriber([track], server.parameters, 1, PayloadTypes()))
    answer, _ = answer_subscriber(parse(offer), client.parameters)
    client.start(remote_parameters(parse(offer)))
    server.start(read_answer(str(answer)).remote)
    await until(lambda: server.channel_open("ephemeral") and client.channel_open("ephemeral"))
    sent = [f"pointer {number}" for number in range(50)]
    for text in sent:
        assert server.send_message("ephemeral", text)
    assert client.send_message("ephemeral", b"\x00\x01")
    assert client.send_message("ephemeral", "")
    await until(lambda: len(heard.messages) == len(sent) and len(heard_by_server.messages) == 2)
    assert heard.messages == [("ephemeral", text) for text in sent]
    assert heard_by_server.messages == [("ephemeral", b"\x00\x01"), ("ephemeral", "")]
    assert not server.send_message("ephemeral", "x" * 65537)
    assert not server.send_message("other", "x")


async def test_closing_one_side_closes_the_other_and_frees_the_keys(make_endpoint: MakeEndpoint) -> None:
    events: list[PlaneEvent] = []
    client, server = await connected_pair(make_endpoint, on_event=events.append)
    sessions = weakref.ref(server.transport._host._sessions[server.transport.id][0])  # type: ignore[attr-defined]
    client.transport.close()
    client.transport.close()
    assert client.last is TransportState.CLOSED
    await until(lambda: server.last is TransportState.CLOSED)
    assert server.states[-1][1] == "Closed by the peer."
    await until(lambda: any(event.kind is EventKind.REMOVED for event in events))
    gc.collect()
    assert sessions() is None
    assert not server.transport.send_message("ephemeral", "x")
    server.transport.send_rtcp(REPORT)


async def test_a_vanished_peer_is_noticed(make_endpoint: MakeEndpoint) -> None:
    server_end = make_endpoint(idle_timeout=0.2)
    client_end = make_endpoint()
    server, client = server_end.create(), client_end.create("client")
    heard = Heard(server)
    connect(client, server)
    await until(lambda: heard.last is TransportState.CONNECTED)
    # consent comes every 4 s or more, so a fifth of a second is always silence
    await until(lambda: heard.last is TransportState.FAILED)
    assert "silent" in heard.states[-1][1]


async def test_a_wrong_fingerprint_fails_without_keys(make_endpoint: MakeEndpoint) -> None:
    server_end, client_end = make_endpoint(), make_endpoint()
    server, client = server_end.create(), client_end.create("client")
    heard, other = Heard(server), Heard(client)
    handed: list[object] = []
    plane_of(server_end).on_keys = handed.append
    connect(client, server, fingerprint=Fingerprint("sha-256", ":".join(["00"] * 32)))
    await until(lambda: heard.last is TransportState.FAILED)
    assert "certificate" in heard.states[-1][1]
    assert handed == []
    assert not server.srtp_profile
    # the other side is not left waiting
    await until(lambda: other.last in {TransportState.CLOSED, TransportState.FAILED})


async def test_a_wrong_password_fails_the_client_only(make_endpoint: MakeEndpoint) -> None:
    server, client = make_endpoint().create(), make_endpoint().create("client")
    heard = Heard(client)
    offer = offer_publisher([TRACK], client.parameters)
    answer, _ = answer_publisher(offer, server.parameters)
    server.start(remote_parameters(offer))
    client.start(replace(remote_parameters(answer), pwd="w" * 32))
    await until(lambda: heard.last is TransportState.FAILED)
    assert "401" in heard.states[-1][1]
    assert server.state is TransportState.CONNECTING


async def test_the_server_can_be_the_dtls_client(make_endpoint: MakeEndpoint) -> None:
    server, client = make_endpoint().create(), make_endpoint().create("client")
    offer = parse(str(offer_publisher([TRACK], client.parameters)).replace("setup:actpass", "setup:passive"))
    answer, _ = answer_publisher(offer, server.parameters)
    server.start(remote_parameters(offer))
    client.start(remote_parameters(parse(str(answer))))
    await until(lambda: client.state is server.state is TransportState.CONNECTED)


async def test_starting_twice_changes_nothing(make_endpoint: MakeEndpoint) -> None:
    client, server = await connected_pair(make_endpoint)
    connect(client.transport, server.transport)
    assert client.states[-1][0] is server.states[-1][0] is TransportState.CONNECTED
    assert len(server.states) == 2


async def test_a_callback_that_raises_harms_no_other_transport(
    make_endpoint: MakeEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    client, server = await connected_pair(make_endpoint)

    def broken(data: bytes, time: int) -> None:
        raise RuntimeError("a mistake of ours")

    server.transport.callbacks.on_rtcp = broken
    with caplog.at_level(logging.ERROR):
        client.transport.send_rtcp(REPORT)
        await until(lambda: caplog.records)
    server.transport.callbacks.on_rtcp = lambda data, _: server.rtcp.append(data)
    client.transport.send_rtcp(REPORT)
    await until(lambda: server.rtcp)


async def test_an_endpoint_without_an_address_for_peers_says_so() -> None:
    endpoint = Endpoint(UdpPlane("0.0.0.0"))
    with pytest.raises(RuntimeError, match="advertised"):
        endpoint.create()
    assert endpoint.create("client").parameters.candidates == ()
    await endpoint.close()
    with pytest.raises(RuntimeError, match="no more"):
        endpoint.create()


async def test_advertised_addresses_are_candidates_in_their_order(make_endpoint: MakeEndpoint) -> None:
    endpoint = make_endpoint(advertised=[Address("192.0.2.1", 5000), Address("2001:db8::1", 5001)])
    first, second = endpoint.create().parameters.candidates
    assert (first.host, first.port) == ("192.0.2.1", 5000)
    assert (second.host, second.port) == ("2001:db8::1", 5001)
    assert first.priority > second.priority


async def test_closing_an_endpoint_leaves_nothing_behind(make_endpoint: MakeEndpoint) -> None:
    client, server = await connected_pair(make_endpoint)
    endpoint = server.transport._host
    assert isinstance(endpoint, Endpoint)
    await endpoint.close()
    await endpoint.close()
    assert server.last is TransportState.CLOSED
    assert plane_of(endpoint).closed
    await until(lambda: client.last is TransportState.CLOSED)
    await asyncio.sleep(0)
    assert not endpoint._tasks


def test_every_pair_of_roles_is_decided() -> None:
    assert set(DTLS_ROLES) == {(role, setup) for role in IceRole for setup in Setup}
    assert set(TRANSITIONS) == set(TransportState)
