"""coturn from Debian, started with the configuration that we ship; only addresses, port and secret are the test's."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from media.transport.stun import Message, MessageClass
from server.config import TurnConfig

SHIPPED = Path("docs/coturn.conf")
SECRET = "north-of-the-river-and-south-of-the-hill"
REALM = "konsil"


@dataclass(frozen=True, slots=True)
class TurnServer:
    """Where it runs, and what our server has to be told."""

    host: str
    port: int
    secret_file: Path

    @property
    def url(self) -> str:
        """Its address for browsers."""
        return f"turn:{self.host}:{self.port}?transport=udp"

    def config(self, secret_file: Path | None = None, lifetime: float = 3600.0) -> TurnConfig:
        """Make our [turn] section; another secret file is one that does not fit."""
        return TurnConfig(
            urls=(self.url,), secret_file=str(secret_file or self.secret_file), lifetime=lifetime
        )


def configuration(host: str, port: int, media: str) -> str:
    """Fill in the shipped file what its head says is to be filled in."""
    text = SHIPPED.read_text("utf-8")
    for key, value in (
        ("static-auth-secret", SECRET),
        ("listening-ip", host),
        ("relay-ip", host),
        ("listening-port", str(port)),
        ("allowed-peer-ip", media),
    ):
        text, count = re.subn(rf"(?m)^{key}=.*$", f"{key}={value}", text)
        assert count == 1, f"{SHIPPED} sets {key} once"
    # without a certificate there is no TLS to listen for
    return text + "no-tls\nno-dtls\n"


def keep_secret(folder: Path, name: str, secret: str) -> Path:
    """Write a secret that others cannot read."""
    path = folder / name
    path.write_text(secret + "\n")
    path.chmod(0o600)
    return path


@contextlib.asynccontextmanager
async def turn_server(folder: Path, host: str, media: str) -> AsyncIterator[TurnServer]:
    """Run coturn on `host`, relaying to `media` and nowhere else."""
    program = shutil.which("turnserver")
    assert program is not None, "coturn is missing: `make setup-test` installs it"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    file = folder / "coturn.conf"
    file.write_text(configuration(host, port, media))
    process = await asyncio.create_subprocess_exec(
        *(
            program,
            "-c",
            str(file),
            "--pidfile",
            str(folder / "coturn.pid"),
            "--userdb",
            str(folder / "turndb"),
        ),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=folder,
    )
    try:
        await asyncio.wait_for(_answers(host, port), 30)
        yield TurnServer(host, port, keep_secret(folder, "turn-secret", SECRET))
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), 20)


class _Answer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.came = asyncio.Event()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.came.set()


async def _answers(host: str, port: int) -> None:
    """Ask for a binding (RFC 8489) until it is answered."""
    loop = asyncio.get_running_loop()
    transport, answer = await loop.create_datagram_endpoint(_Answer, remote_addr=(host, port))
    try:
        while not answer.came.is_set():
            transport.sendto(Message(MessageClass.REQUEST, b"are-you-up??").write())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(answer.came.wait(), 0.1)
    finally:
        transport.close()
