"""coturn with the configuration that we ship: who is let in, where it relays to, and a page that knows no other way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aioice import stun
from aioice.turn import TurnClientUdpProtocol

from loadtests.caller import Caller
from media.turn_credentials import turn_password
from server.config import TurnConfig
from server.secret_file import load_turn_secret
from tests.browser.chromium import browser, executable, join, person, until
from tests.helpers.namespaces import TwoLines, two_lines
from tests.helpers.peer import Publisher
from tests.helpers.served import Served, served
from tests.helpers.turn_server import SECRET, TurnServer, keep_secret, turn_server


@pytest.fixture
async def lines() -> AsyncIterator[TwoLines]:
    async with two_lines() as made:
        yield made


@pytest.fixture
async def coturn(lines: TwoLines, tmp_path: Path) -> AsyncIterator[TurnServer]:
    # the media address is the first line's far end, coturn stands beside it
    async with turn_server(tmp_path, lines.server, lines.server) as running:
        yield running


@asynccontextmanager
async def asking(server: TurnServer, username: str, password: str) -> AsyncIterator[TurnClientUdpProtocol]:
    """Speak TURN to coturn, nothing allocated yet."""
    loop = asyncio.get_running_loop()
    where = (server.host, server.port)
    transport, client = await loop.create_datagram_endpoint(
        lambda: TurnClientUdpProtocol(where, username, password, 600, 500), remote_addr=where
    )
    try:
        yield client
    finally:
        if client.refresh_task is not None:
            client.refresh_task.cancel()
        transport.close()


def fresh(secret: str = SECRET, seconds: float = 600.0) -> tuple[str, str]:
    """Make credentials that end in so many seconds."""
    username = f"{int(time.time() + seconds)}:pt-1"
    return username, turn_password(secret.encode(), username)


async def refusal(client: TurnClientUdpProtocol, peer: tuple[str, int]) -> int:
    """Ask for a permission, for a channel too, to a peer; the code of the refusal, 0 if it was granted."""
    request = stun.Message(stun.Method.CREATE_PERMISSION, stun.Class.REQUEST)
    request.attributes["XOR-PEER-ADDRESS"] = peer
    try:
        await client.request_with_retry(request)
    except stun.TransactionFailed as failed:
        code = failed.response.error_code
        with pytest.raises(stun.TransactionFailed):
            await client.channel_bind(0x4000, peer)
        return code or 0
    return 0


def forbidden(lines: TwoLines) -> Iterator[str]:
    """Everything that is not our media address, in every way of writing it."""
    yield from ("127.0.0.1", "127.8.8.8", "0.0.0.0", "169.254.169.254", "10.0.0.1", "192.168.1.1", "8.8.8.8")
    yield lines.hosts[1].rpartition(".")[0] + ".1"
    yield from ("::1", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1")
    yield from ("64:ff9b::7f00:1", "fe80::1", "fd00::1", "2001:db8::1")


async def test_coturn_relays_to_the_media_address_and_nowhere_else(
    lines: TwoLines, coturn: TurnServer
) -> None:
    async with asking(coturn, *fresh()) as client:
        await client.connect()
        assert await refusal(client, (lines.server, 8443)) == 0
        codes = {peer: await refusal(client, (peer, 80)) for peer in forbidden(lines)}
        # 403 Forbidden, 443 Peer Address Family Mismatch (RFC 8656, section 19)
        assert {peer for peer, code in codes.items() if code not in {403, 443}} == set()
        assert {peer for peer, code in codes.items() if ":" not in peer and code != 403} == set()


@pytest.mark.parametrize("mistake", ["expired", "wrong secret", "altered", "no credentials"])
async def test_coturn_lets_nobody_in_without_our_credentials(coturn: TurnServer, mistake: str) -> None:
    username, password = {
        "expired": fresh(seconds=-60),
        "wrong secret": fresh(secret="south-of-the-river"),
        "altered": (fresh(seconds=86400)[0], fresh()[1]),
        "no credentials": ("", ""),
    }[mistake]
    async with asking(coturn, username, password) as client:
        with pytest.raises(stun.TransactionFailed) as refused:
            await client.connect()
        assert refused.value.response.error_code in {400, 401}


async def test_what_the_welcome_gives_opens_coturn(coturn: TurnServer, tmp_path: Path) -> None:
    async with (
        served(tmp_path, turn=coturn.config()) as server,
        Caller(server.url, server.token("expert")) as expert,
    ):
        (given,) = expert.welcome["ice_servers"]
        renewed = (await expert.request("ice_servers"))["ice_servers"][0]
        for credentials in (given, renewed):
            assert credentials["urls"] == [coturn.url]
            assert expert.identifier in credentials["username"]
            async with asking(coturn, credentials["username"], credentials["credential"]) as client:
                await client.connect()
                assert client.relayed_address is not None


@pytest.mark.parametrize(
    ("turn", "sentence"),
    [
        (TurnConfig(urls=("turn:a",)), "no secret_file"),
        (TurnConfig(urls=("stun:a",), secret_file="x"), "not a TURN URL"),
        (TurnConfig(urls=("turn:a",), secret_file="missing"), "there is no file"),
    ],
)
async def test_a_mistake_in_the_section_is_said_at_the_start(
    tmp_path: Path, turn: TurnConfig, sentence: str
) -> None:
    with pytest.raises((ValueError, OSError), match=sentence):
        async with served(tmp_path, turn=turn):
            pass


@pytest.mark.browser
@pytest.mark.slow
async def test_a_page_that_knows_no_other_way_sees_the_picture_through_coturn(
    lines: TwoLines, coturn: TurnServer, tmp_path: Path
) -> None:
    async with served(tmp_path, host=lines.server, turn=coturn.config()) as server:
        program = lines.wrap(tmp_path, executable() or "chromium")
        async with (
            browser(program=str(program)) as chromium,
            Caller(server.url, server.token("surgeon", "Dr. S")) as surgeon,
        ):
            publisher = Publisher(surgeon)
            try:
                field = (await publisher.publish("field"))[0]["producer"]
                page = await person(chromium, "about:blank")
                await page.context.add_init_script(RELAY_ONLY)
                await page.goto(server.link("trainee", "Dr. T"))
                # who only watches has one button
                await join(page, media=True)
                await until(page, f"k.frames[{field}]?.frames > 20")
                # what the server sends to is coturn's relay, and not the machine behind it
                assert lines.server in selected(server)
                assert not set(lines.hosts) & selected(server)
            finally:
                await publisher.close()


#: What a network does to a page that lets nothing but TURN through.
RELAY_ONLY = """(() => {
    const Native = RTCPeerConnection;
    globalThis.RTCPeerConnection = class extends Native {
        constructor(configuration) { super({ ...configuration, iceTransportPolicy: 'relay' }); }
    };
})()"""


def selected(server: Served) -> set[str]:
    """Name the hosts that the server's transports have proven."""
    transports = server.service.endpoint._transports.values()
    return {address.host for transport in transports for address in transport._validated}


def test_a_secret_file_that_others_can_read_is_refused(tmp_path: Path) -> None:

    path = keep_secret(tmp_path, "secret", SECRET)
    assert load_turn_secret(path) == SECRET.encode()
    path.chmod(0o644)
    with pytest.raises(PermissionError, match="chmod 600"):
        load_turn_secret(path)
    with pytest.raises(ValueError, match="at least 16"):
        load_turn_secret(keep_secret(tmp_path, "short", "short"))
