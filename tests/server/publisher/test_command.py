"""The command line: what it refuses, how it goes on, and that no token is ever shown."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

from server.config import Config, HttpConfig, SecretsConfig
from server.publisher import command, main
from server.publisher.session import Wishes
from server.secret_file import load_secret
from signalling.tokens import verify
from tests.helpers.clips import write_clip
from tests.helpers.udp_peers import until
from tests.helpers.whip_endpoint import WhipEndpoint, whip_endpoint

TOKEN = "eyJsecret.token.here"
ROOT = Path(__file__).parents[3]


@pytest.fixture
async def endpoint() -> AsyncIterator[WhipEndpoint]:
    """Serve WHIP."""
    async with whip_endpoint() as serving:
        yield serving


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write ten pictures."""
    return write_clip(tmp_path_factory.mktemp("media") / "clip.mp4", frames=10)


def _config(folder: Path) -> Config:
    return Config(http=HttpConfig(port=9), secrets=SecretsConfig(file=str(folder / "secret")))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_child_process_publishes_and_ends_cleanly(
    endpoint: WhipEndpoint, clip: Path, number: signal.Signals
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server", "publish", str(clip), "--room", "ward", "--loop",
        "--server", endpoint.url, "--barcode", "10",
        cwd=ROOT, env={**os.environ, "KONSIL_TOKEN": TOKEN, "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        await until(lambda: len(endpoint.frames()) > 5, 60)
        output = b""
        # the status line of the first second
        while b"Mbit/s" not in output:
            line = await asyncio.wait_for(process.stdout.readline(), 30)
            assert line, output
            output += line
        process.send_signal(number)
        rest, _ = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    output += rest
    assert process.returncode == 0
    assert b"Stopped." in output
    assert b"Traceback" not in output
    assert TOKEN.encode() not in output
    assert endpoint.ended
    assert endpoint.barcodes


async def test_it_tries_again_until_the_server_takes_it(
    endpoint: WhipEndpoint, clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "FIRST_WAIT", 0.01)
    endpoint.refusal = partial(
        web.HTTPServiceUnavailable, text='{"message":"The server is being restarted."}'
    )
    wishes = Wishes("ward", "field", "Field")
    publishing = asyncio.create_task(command._until_stopped(str(clip), False, endpoint.url, TOKEN, wishes))
    await until(lambda: len(endpoint.requests) >= 3 or publishing.done())
    endpoint.refusal = None
    assert await asyncio.wait_for(publishing, 30) == 0
    await until(lambda: len(endpoint.frames()) == 10)
    captured = capsys.readouterr()
    assert captured.err.count("The server refused: The server is being restarted.") >= 3
    assert "Trying again in" in captured.err
    assert "The source has ended." in captured.out
    assert TOKEN not in captured.out + captured.err


async def test_it_publishes_anew_when_the_connection_is_lost(
    endpoint: WhipEndpoint, clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "FIRST_WAIT", 0.01)
    wishes = Wishes("ward", "field", "Field")
    publishing = asyncio.create_task(command._until_stopped(str(clip), True, endpoint.url, TOKEN, wishes))
    await until(endpoint.frames)
    first = endpoint.tracks[0].ssrc
    assert endpoint.transport is not None
    endpoint.transport.close()
    await until(lambda: endpoint.tracks[0].ssrc != first and endpoint.frames())
    publishing.cancel()
    assert await asyncio.wait_for(publishing, 30) == 0
    assert endpoint.ended
    assert "The connection ended. Closed by the peer." in capsys.readouterr().err


async def test_what_cannot_be_passed_through_is_encoded_instead(
    endpoint: WhipEndpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_clip(tmp_path / "clip.mp4", b_frames=2, options={"b-adapt": "0"})
    wishes = Wishes("ward", "field", "Field")
    async with asyncio.timeout(60):
        assert await command._until_stopped(str(path), False, endpoint.url, TOKEN, wishes) == 0
    await until(lambda: len(endpoint.frames()) == 20)
    captured = capsys.readouterr()
    assert "has B-frames" in captured.err
    assert "It is encoded instead." in captured.err
    assert ", encoded by " in captured.out


async def test_an_expired_link_ends_it(
    endpoint: WhipEndpoint, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint.refusal = partial(web.HTTPUnauthorized, text='{"message":"This link has expired."}')
    wishes = Wishes("ward", "field", "Field")
    status = await command._until_stopped(str(clip), True, endpoint.url, TOKEN, wishes)
    assert status == 1
    assert len(endpoint.requests) == 1
    assert "This link has expired." in capsys.readouterr().err


@pytest.mark.parametrize("room", ["", "../ward", "a b", ".hidden", "x" * 65, "a\r\nb"])
def test_a_room_that_is_none_is_refused(
    room: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(clip), "--room", room, "--token", TOKEN], _config(tmp_path)) == 2
    assert "A room has 1 to 64" in capsys.readouterr().err


def test_a_missing_file_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(tmp_path / "none.mp4"), "--room", "ward", "--token", TOKEN]
    assert main(arguments, _config(tmp_path)) == 1
    assert (
        capsys.readouterr().err == f"{tmp_path / 'none.mp4'} cannot be opened: No such file or directory.\n"
    )


@pytest.mark.parametrize("modulus", ["0", "-1", "65537", "ten"])
def test_a_loop_of_no_length_is_refused(modulus: str, clip: Path) -> None:
    with pytest.raises(SystemExit):
        main([str(clip), "--room", "ward", "--barcode", modulus])


def test_the_local_secret_signs_for_the_local_server(tmp_path: Path) -> None:
    config = _config(tmp_path)
    secret = load_secret(tmp_path / "secret")
    for server in ("http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:8080"):
        claims = verify(secret, command._sign(config, server, "ward", "Field"), time.time())
        assert (claims.room, claims.role, claims.name) == ("ward", "surgeon", "Field")


def test_the_local_secret_signs_for_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KONSIL_TOKEN", raising=False)
    load_secret(tmp_path / "secret")
    arguments = ["clip.mp4", "--room", "ward", "--server", "https://konsil.example.org"]
    assert main(arguments, _config(tmp_path)) == 2
    assert "--token or KONSIL_TOKEN" in capsys.readouterr().err


def test_no_secret_is_made_by_the_publisher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KONSIL_TOKEN", raising=False)
    assert main(["clip.mp4", "--room", "ward"], _config(tmp_path)) == 2
    assert "start the server once" in capsys.readouterr().err
    assert not (tmp_path / "secret").exists()
