"""Strangers and hostile peers: they cost a counter, and nobody else's session notices."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from aiortc.rtcsctptransport import RTCSctpTransport
from google_crc32c import value as crc32c

from media.plane import Address, Drop
from media.transport import Endpoint, TransportState
from media.transport.sctp import MAX_CHANNELS, MAX_WAITING
from media.transport.sctp_guard import MAX_LABEL
from media.transport.stun import Attribute, Message, MessageClass
from tests.helpers.udp_peers import Heard, until

from .conftest import MakeEndpoint, plane_of
from .test_endpoints import connect
from .test_sctp_guard import chunk, packet

# the record header of a ClientHello is all that a classifier sees
CLIENT_HELLO = bytes.fromhex("16fefd0000000000000000") + struct.pack("!H", 40) + bytes(40)
REPORT = bytes.fromhex("80c90001") + (7).to_bytes(4, "big")


@pytest.fixture
def stranger() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        yield made


def silent(stranger: socket.socket) -> bool:
    try:
        stranger.recv(2000)
    except BlockingIOError:
        return True
    return False


async def answered(stranger: socket.socket) -> Message:
    received: list[bytes] = []

    def arrived() -> bool:
        try:
            received.append(stranger.recv(2000))
        except BlockingIOError:
            return False
        return True

    await until(arrived)
    return Message.parse(received[0])


def check(username: str, password: str, *, nominate: bool = True) -> bytes:
    attributes = [(int(Attribute.USERNAME), username.encode()), (int(Attribute.PRIORITY), bytes(4))]
    if nominate:
        attributes.append((Attribute.USE_CANDIDATE, b""))
    return Message(MessageClass.REQUEST, b"t" * 12, tuple(attributes)).write(password)


async def connected(make_endpoint: MakeEndpoint) -> tuple[Endpoint, Heard, Heard]:
    endpoint = make_endpoint()
    server, client = endpoint.create(), make_endpoint().create("client")
    heard = Heard(server), Heard(client)
    connect(client, server)
    await until(lambda: client.state is server.state is TransportState.CONNECTED)
    return endpoint, *heard


async def test_strangers_cost_a_counter_each(make_endpoint: MakeEndpoint, stranger: socket.socket) -> None:
    endpoint, server, client = await connected(make_endpoint)
    plane = plane_of(endpoint)
    waiting = endpoint.create()
    junk = [
        b"",
        b"\0",
        b"\x16",
        CLIENT_HELLO,
        b"\x80",
        bytes([0x80, 0xC8]) + bytes(30),
        bytes([70]) * 9,
        b"\xff",
    ]
    junk += [bytes(20), b"\0\1\0\0" + bytes(16), check("nobody:x", "p" * 32)]
    for data in junk:
        stranger.sendto(data, plane.address[:2])
    client.transport.send_rtcp(REPORT)
    await until(lambda: server.rtcp)
    assert plane.drops[Drop.EMPTY] == 1
    assert plane.drops[Drop.STRANGER] == 6
    assert endpoint.strangers == 1
    assert silent(stranger)
    assert waiting.state is TransportState.NEW
    assert server.transport.state is TransportState.CONNECTED


async def test_an_unvalidated_client_hello_is_ignored_and_a_wrong_password_answered_with_401(
    make_endpoint: MakeEndpoint, stranger: socket.socket
) -> None:
    endpoint, server, client = await connected(make_endpoint)
    plane = plane_of(endpoint)
    ufrag = server.transport.parameters.ufrag
    peer = client.transport.parameters.ufrag
    stranger.sendto(check(f"{ufrag}:{peer}", "w" * 32), plane.address[:2])
    refusal = await answered(stranger)
    assert refusal.error_code == 401
    # the race of the ClientHello: before the peer's own, from elsewhere
    stranger.sendto(CLIENT_HELLO, plane.address[:2])
    client.transport.send_rtcp(REPORT)
    await until(lambda: server.rtcp)
    assert plane.drops[Drop.STRANGER] == 1
    assert silent(stranger)


async def test_a_replayed_check_of_another_place_moves_nothing_without_the_password(
    make_endpoint: MakeEndpoint, stranger: socket.socket
) -> None:
    endpoint, server, client = await connected(make_endpoint)
    plane = plane_of(endpoint)
    selected = plane._selected[server.transport.id]
    wrong = Message(MessageClass.REQUEST, b"t" * 12, ((Attribute.USERNAME, b"x:y"),)).write()
    stranger.sendto(wrong, plane.address[:2])
    client.transport.send_rtcp(REPORT)
    await until(lambda: server.rtcp)
    assert plane._selected[server.transport.id] == selected


async def test_a_peer_with_the_password_may_move(
    make_endpoint: MakeEndpoint, stranger: socket.socket
) -> None:
    endpoint, server, client = await connected(make_endpoint)
    plane = plane_of(endpoint)
    parameters = server.transport.parameters
    username = f"{parameters.ufrag}:{client.transport.parameters.ufrag}"
    stranger.sendto(check(username, parameters.pwd), plane.address[:2])
    answer = await answered(stranger)
    assert answer.mapped_address == Address(*stranger.getsockname())
    assert plane._selected[server.transport.id] == Address(*stranger.getsockname())


def association(heard: Heard) -> RTCSctpTransport:
    channels = heard.transport._channels
    assert channels is not None
    return channels._sctp


async def open_pair(make_endpoint: MakeEndpoint) -> tuple[Heard, Heard]:
    _, server, client = await connected(make_endpoint)
    client.transport.open_channel("ephemeral")
    # the client's end opens when the acknowledgement has come back
    await until(lambda: all(heard.transport.channel_open("ephemeral") for heard in (server, client)))
    return server, client


async def test_lying_channel_openings_are_refused(make_endpoint: MakeEndpoint) -> None:
    server, client = await open_pair(make_endpoint)
    openings = [
        struct.pack("!BBHLHH", 3, 0, 0, 0, 65535, 0) + b"short",
        struct.pack("!BBHLHH", 3, 0, 0, 0, 2, 65535) + b"ab",
        struct.pack("!BBHLHH", 3, 0, 0, 0, 2, 0) + b"\xff\xfe",
        struct.pack("!BBHLHH", 3, 0, 0, 0, MAX_LABEL + 1, 0) + b"x" * (MAX_LABEL + 1),
        b"\x03",
        b"\x02",
        b"\x09" * 12,
    ]
    for number, opening in enumerate(openings):
        await association(client)._send(100 + 2 * number, 50, opening)
    # an opening of a channel that is open, and text that is none
    await association(client)._send(0, 50, struct.pack("!BBHLHH", 3, 0, 0, 0, 1, 0) + b"x")
    await association(client)._send(0, 51, b"\xff\xff")
    assert client.transport.send_message("ephemeral", "still here")
    await until(lambda: server.messages)
    assert server.messages == [("ephemeral", "still here")]
    assert association(server).refused == len(openings) + 2
    assert len(association(server)._data_channels) == 1


async def test_channels_are_counted(make_endpoint: MakeEndpoint) -> None:
    server, client = await open_pair(make_endpoint)
    for number in range(2 * MAX_CHANNELS):
        client.transport.open_channel(f"channel {number}")
    await until(lambda: association(server).refused == MAX_CHANNELS + 1)
    assert len(association(server)._data_channels) == MAX_CHANNELS


@pytest.mark.parametrize(
    "hostile",
    [
        # a parameter of length 0, for ever in aiortc; a stream that was never announced
        packet(chunk(4, struct.pack("!HH", 1, 0))),
        packet(chunk(3, struct.pack("!LLHHHH", 0, 0, 1, 0, 1, 65535))),
        b"",
        bytes(12),
    ],
)
async def test_hostile_sctp_packets_are_dropped(make_endpoint: MakeEndpoint, hostile: bytes) -> None:
    server, client = await open_pair(make_endpoint)
    if hostile:
        await client.transport._dtls.transport._send_data(hostile)  # type: ignore[union-attr]
    assert client.transport.send_message("ephemeral", "still here")
    await until(lambda: server.messages)
    assert association(server).refused == (1 if hostile else 0)


async def test_a_broken_association_costs_the_channels_and_not_the_media(make_endpoint: MakeEndpoint) -> None:
    server, client = await open_pair(make_endpoint)
    # two INITs in one packet: an assertion in aiortc
    init = chunk(1, struct.pack("!LLHHL", 1, 1, 1, 1, 1))
    await client.transport._dtls.transport._send_data(packet(init, init))  # type: ignore[union-attr]
    await until(lambda: not server.transport.channel_open("ephemeral"))
    client.transport.send_rtcp(REPORT)
    await until(lambda: server.rtcp)
    assert server.transport.state is TransportState.CONNECTED


async def test_a_message_that_never_ends_ends_the_association(make_endpoint: MakeEndpoint) -> None:
    server, client = await open_pair(make_endpoint)
    sctp = association(client)
    for number in range(600):
        # the first fragment of a message, then middles for ever
        tsn = (sctp._local_tsn + number) % 2**32
        body = struct.pack("!LHHL", tsn, 0, 0, 51) + b"x"
        data = struct.pack("!BBH", 0, 6 if number == 0 else 4, 4 + len(body)) + body
        framed = bytearray(packet(data))
        framed[4:8] = struct.pack("!L", sctp._remote_verification_tag)
        framed[8:12] = bytes(4)
        framed[8:12] = struct.pack("<L", crc32c(bytes(framed)))
        await client.transport._dtls.transport._send_data(bytes(framed))  # type: ignore[union-attr]
        if number % 50 == 0 and number < MAX_WAITING:
            # the path's queue is bounded too: not what is tested here
            await until(lambda expected=tsn: association(server)._last_received_tsn == expected)  # type: ignore[misc]
    await until(lambda: association(server).state == "closed")
    assert server.transport.state is TransportState.CONNECTED


def fragment(kind: int, length: int, at: int, body: bytes, sequence: int) -> bytes:
    """A handshake record (RFC 6347, section 4.2.2) that claims to be part of a message of `length` bytes."""
    head = struct.pack(
        "!B3sH3s3s", kind, length.to_bytes(3), sequence & 0xFFFF, at.to_bytes(3), len(body).to_bytes(3)
    )
    return b"\x16\xfe\xfd\0\0" + sequence.to_bytes(6) + struct.pack("!H", len(head + body)) + head + body


@pytest.mark.parametrize("empty", [True, False])
async def test_a_flood_of_handshake_fragments_costs_its_sender_alone(
    make_endpoint: MakeEndpoint, empty: bool
) -> None:
    # Pion CVE-2022-29189 and -29190: fragments kept without bound, an empty one read for ever
    endpoint, server, client = await connected(make_endpoint)
    victim = endpoint.create()
    other = make_endpoint().create("client")
    connect(other, victim)
    for number in range(3000):
        body = b"" if empty else bytes(900)
        victim.receive_dtls(fragment(1 + number % 20, 0xFFFFF, number * 900, body, number))
    await until(lambda: victim.state is not TransportState.CONNECTING)
    client.transport.send_rtcp(REPORT)
    await until(lambda: server.rtcp)
    assert server.transport.state is TransportState.CONNECTED
