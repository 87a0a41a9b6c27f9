"""One TCP port for pages and media: who is let in where, and who is turned away."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from media.native import NativePlane
from media.plane import Address
from media.transport.endpoint import Endpoint
from media.transport.stun import Attribute, Message, MessageClass
from media.transport.transport import Transport
from server.config import Config, HttpConfig, MediaConfig, SecretsConfig
from server.front_door import MAX_UNDECIDED, FrontDoor, listen, media_ports
from server.run import serving
from tests.helpers.certificates import self_signed
from tests.helpers.udp_peers import until

#: Seconds that anything may take.
PATIENCE = 20.0


def check(transport: Transport, ufrag: str = "") -> bytes:
    """Make the peer's check, in its frame."""
    parameters = transport.parameters
    attributes = (
        (Attribute.USERNAME, f"{ufrag or parameters.ufrag}:peer".encode()),
        (Attribute.PRIORITY, struct.pack("!I", 1)),
        (Attribute.ICE_CONTROLLING, bytes(8)),
        (Attribute.USE_CANDIDATE, b""),
    )
    data = Message(MessageClass.REQUEST, b"t" * 12, attributes).write(parameters.pwd)
    return struct.pack("!H", len(data)) + data


class Caller:
    """A TCP connection that speaks frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def frame(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            size = await self.reader.readexactly(2)
            return await self.reader.readexactly(int.from_bytes(size, "big"))

    async def ended(self) -> bool:
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read(1) == b""
            except ConnectionResetError:
                return True


@contextlib.asynccontextmanager
async def call(port: int, host: str = "127.0.0.1") -> AsyncIterator[Caller]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def get(port: int, tls: ssl.SSLContext | None = None) -> bytes:
    """Ask for a page, in two pieces."""
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        writer.write(b"G")
        await asyncio.sleep(0)
        writer.write(b"ET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        answer = await reader.read(-1)
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()
        return answer


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate of this machine's, and its key, in one file."""
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(b"".join(self_signed("localhost")))
    return file


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    made = Endpoint(NativePlane())
    yield made
    await made.close()


@pytest.fixture
async def runner() -> AsyncIterator[web.AppRunner]:
    application = web.Application()
    application.router.add_get("/", _hello)
    made = web.AppRunner(application, access_log=None)
    await made.setup()
    yield made
    await made.cleanup()


async def _hello(_: web.Request) -> web.Response:
    return web.Response(text="a page")


@contextlib.asynccontextmanager
async def door(endpoint: Endpoint | None, **options: Any) -> AsyncIterator[FrontDoor]:
    (listening,) = listen("127.0.0.1", 0)
    made = FrontDoor(listening, endpoint, **options)
    try:
        yield made
    finally:
        await made.close()


@pytest.mark.parametrize("secure", [False, True])
async def test_pages_and_media_come_in_by_one_port(
    endpoint: Endpoint, runner: web.AppRunner, certificate: Path, secure: bool
) -> None:
    tls = None
    if secure:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    transport = endpoint.create()
    async with door(endpoint, pages=runner.server, tls=tls) as front:
        assert b"a page" in await get(front.port, trusting() if secure else None)
        async with call(front.port) as caller:
            caller.say(check(transport))
            answer = Message.parse(await caller.frame())
            assert answer.message_class is MessageClass.SUCCESS
            assert answer.authenticated(transport.parameters.pwd)
            assert transport.selected is not None
            assert transport.selected.tcp
            assert answer.mapped_address == transport.selected._replace(tcp=False)
            assert endpoint.plane.statistics().streams == 1
            assert b"a page" in await get(front.port, trusting() if secure else None)
            assert front.undecided == 0
        # it has hung up: there is nowhere to send to
        await until(lambda: transport.selected is None)


async def test_a_message_in_pieces_is_waited_for_and_the_next_may_follow_at_once(endpoint: Endpoint) -> None:
    transport = endpoint.create()
    async with door(endpoint) as front, call(front.port) as caller:
        whole = check(transport)
        for at in range(0, len(whole), 7):
            caller.say(whole[at : at + 7])
            await caller.writer.drain()
        caller.say(check(transport))
        for _ in range(2):
            assert Message.parse(await caller.frame()).message_class is MessageClass.SUCCESS


@pytest.mark.parametrize(
    "words",
    [
        b"\0\x14" + bytes(20),  # no magic cookie
        b"\0\x06\0\1\0\0\x21\x12\xa4\x42" + bytes(12),  # a length that is none
        b"\x05\xdd\0\1\0\0\x21\x12\xa4\x42",  # one byte more than a frame may have
        b"\0\x14\0\1\0\0\x21\x12\xa4\x42" + bytes(12),  # STUN without a name
        b"\0\x14\x16\1\0\0\x21\x12\xa4\x42" + bytes(12),  # DTLS in STUN's place
        b"GET / HTTP/1.1\r\n\r\n",  # no pages here
        b"\x16\x03\x01\x02\0\1\0\1\xfc\x03\x03",
    ],
)
async def test_who_is_neither_is_turned_away_at_once(endpoint: Endpoint, words: bytes) -> None:
    async with door(endpoint, patience=600.0) as front, call(front.port) as caller:
        caller.say(words)
        assert await caller.ended()
        assert front.undecided == 0
    assert endpoint.plane.statistics().streams == 0


async def test_a_check_for_a_transport_that_is_not_ours_opens_no_stream(endpoint: Endpoint) -> None:
    transport = endpoint.create()
    async with door(endpoint, patience=600.0) as front, call(front.port) as caller:
        caller.say(check(transport, "a" * 16))
        assert await caller.ended()
    assert endpoint.plane.statistics().streams == 0


async def test_without_media_over_tcp_a_check_is_turned_away(
    endpoint: Endpoint, runner: web.AppRunner
) -> None:
    transport = endpoint.create()
    async with door(None, pages=runner.server) as front, call(front.port) as caller:
        caller.say(check(transport))
        assert await caller.ended()
        assert b"a page" in await get(front.port)


@pytest.mark.parametrize("words", [b"", b"\0", b"\0\x64\0\1\0\x50\x21\x12\xa4\x42half", b"GET "])
async def test_who_says_nothing_or_half_of_it_is_turned_away_in_time(
    endpoint: Endpoint, runner: web.AppRunner, words: bytes
) -> None:
    async with door(endpoint, pages=runner.server, patience=0.2) as front, call(front.port) as caller:
        caller.say(words)
        assert await caller.ended()
        assert front.undecided == 0


async def test_a_crowd_that_says_nothing_keeps_nobody_out(endpoint: Endpoint, runner: web.AppRunner) -> None:
    async with (
        door(endpoint, pages=runner.server, patience=600.0) as front,
        contextlib.AsyncExitStack() as crowd,
    ):
        first = await crowd.enter_async_context(call(front.port))
        for _ in range(MAX_UNDECIDED):
            await crowd.enter_async_context(call(front.port))
        await until(lambda: front.undecided == MAX_UNDECIDED)
        assert b"a page" in await get(front.port)
        assert await first.ended()
        assert front.undecided <= MAX_UNDECIDED


def test_which_ports_peers_are_told() -> None:
    def told(media: MediaConfig | None = None, **http: Any) -> list[int]:
        return media_ports(Config(http=HttpConfig(**http), media=media or MediaConfig()), 8080, 0)

    everywhere = MediaConfig(host="0.0.0.0")
    assert told() == [0, 8080]
    assert media_ports(Config(), 8080, None) == [8080]
    assert told(public_url="http://konsil.example.org:81") == [0, 81]
    assert told(public_url="http://konsil.example.org") == [0, 80]
    # a proxy that speaks TLS for us stands before the pages
    assert told(public_url="https://konsil.example.org") == [0]
    assert told(public_url="https://konsil.example.org", certificate="both.pem") == [0, 443]
    # pages for this machine alone
    assert told(everywhere) == [0]
    assert told(everywhere, host="localhost") == [0]
    assert told(everywhere, host="0.0.0.0") == [0, 8080]


@contextlib.asynccontextmanager
async def served(folder: Path, media: MediaConfig, host: str = "127.0.0.1") -> AsyncIterator[tuple[Any, int]]:
    secrets = SecretsConfig(file=str(folder / "secret"))
    config = Config(http=HttpConfig(host=host, port=0), media=media, secrets=secrets)
    async with serving(config) as (service, port):
        yield service, port


async def test_a_server_tells_udp_first_and_both_tcp_ports(tmp_path: Path) -> None:
    async with served(tmp_path, MediaConfig(port=0)) as (service, port):
        transport = service.endpoint.create()
        udp, tcp, pages = transport.parameters.candidates
        assert (udp.protocol, udp.port, udp.tcp_type) == ("udp", service.plane.address.port, "")
        assert (tcp.protocol, tcp.tcp_type, pages.port) == ("tcp", "passive", port)
        assert udp.priority > tcp.priority > pages.priority
        assert str(tcp).endswith(f"{tcp.port} typ host tcptype passive")
        for candidate in (tcp, pages):
            async with call(candidate.port) as caller:
                caller.say(check(transport))
                assert Message.parse(await caller.frame()).message_class is MessageClass.SUCCESS
        assert b"404" in await get(port) or b"200" in await get(port)


async def test_media_over_tcp_can_be_turned_off(tmp_path: Path) -> None:
    async with served(tmp_path, MediaConfig(port=0, tcp_port=-1)) as (service, port):
        transport = service.endpoint.create()
        assert [candidate.protocol for candidate in transport.parameters.candidates] == ["udp"]
        async with call(port) as caller:
            caller.say(check(transport))
            assert await caller.ended()


async def test_a_port_that_is_asked_for_and_taken_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            async with served(tmp_path, MediaConfig(port=0, tcp_port=port)):
                pass


async def test_ipv4_and_ipv6_by_udp_and_tcp(tmp_path: Path) -> None:
    media = MediaConfig(host="::", port=0, advertised=("127.0.0.1", "::1"))
    async with served(tmp_path, media, host="::") as (service, port):
        transport = service.endpoint.create()
        told = {(c.protocol, c.host) for c in transport.parameters.candidates}
        assert told == {(protocol, host) for protocol in ("udp", "tcp") for host in ("127.0.0.1", "::1")}
        for candidate in transport.parameters.candidates:
            if candidate.protocol == "udp":
                family = socket.AF_INET6 if ":" in candidate.host else socket.AF_INET
                with socket.socket(family, socket.SOCK_DGRAM) as peer:
                    peer.setblocking(False)
                    peer.connect((candidate.host, candidate.port))
                    peer.send(check(transport)[2:])
                    async with asyncio.timeout(PATIENCE):
                        data = await asyncio.get_running_loop().sock_recv(peer, 2048)
                    expected = Address(*peer.getsockname()[:2])
            else:
                async with call(candidate.port, candidate.host) as caller:
                    caller.say(check(transport))
                    data = await caller.frame()
                    name = caller.writer.get_extra_info("sockname")
                    expected = Address(name[0], name[1], tcp=True)
            answer = Message.parse(data)
            assert answer.mapped_address == expected._replace(tcp=False)
            assert transport.selected == expected
        assert b"HTTP/1.1" in await get(port)
