"""A real server on free ports of the loopback, links into it, and plain HTTP to it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from recorder.seal import sm2
from server.config import (
    Config,
    CopiesConfig,
    DatabaseConfig,
    DicomConfig,
    FilesConfig,
    HttpConfig,
    KeepingConfig,
    MediaConfig,
    PacsConfig,
    RecordingsConfig,
    RoomsConfig,
    ScannerConfig,
    ScpConfig,
    SealConfig,
    SecretsConfig,
    StillsConfig,
    TrackingConfig,
    TurnConfig,
)
from server.run import serving
from server.service import Service
from signalling.permissions import Role
from signalling.tokens import issue

#: Seconds that one answer may take.
PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Answered:
    """An HTTP answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Read the body."""
        return json.loads(self.body)


async def ask(
    url: str, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Answered:
    """Send one request whose target goes out exactly as it is written; nothing is made canonical on the way."""
    where = urlsplit(url)
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        try:
            lines = {"Host": where.netloc, "Connection": "close", **(headers or {})}
            if body:
                lines["Content-Length"] = str(len(body))
            head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
            writer.write(
                f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("utf-8", "surrogateescape") + body
            )
            await writer.drain()
            start, _, rest = (await reader.read(-1)).partition(b"\r\n\r\n")
        finally:
            writer.close()
    status, *fields = start.decode("latin-1").split("\r\n")
    answered = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in fields)}
    return Answered(int(status.split()[1]), answered, rest)


@dataclass(slots=True)
class Served:
    """A running server."""

    service: Service
    url: str
    folder: Path = field(default_factory=Path)

    def token(self, role: Role, name: str = "Dr. Test", room: str = "ward", **claims: float) -> str:
        """Sign a token for the room; `expires` in Unix seconds."""
        return issue(
            self.service.secret,
            room=room,
            name=name,
            role=role,
            expires=claims.get("expires", time.time() + 3600),
        )

    def bearer(self, role: Role, room: str = "ward") -> dict[str, str]:
        """Sign a token and put it in a header."""
        return {"Authorization": f"Bearer {self.token(role, room=room)}"}

    def link(self, role: Role, name: str = "Dr. Test", room: str = "ward", page: str = "") -> str:
        """Sign a link for a browser; localhost is a secure context."""
        return f"{self.url.replace('127.0.0.1', 'localhost')}/{page}#token={self.token(role, name, room)}"

    async def ask(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answered:
        """Send one HTTP request, its target as it is."""
        return await ask(self.url, method, target, headers, body)

    async def metric(self, name: str, **labels: str) -> float:
        """Scrape /metrics as Prometheus does; the sum of the samples that bear these labels."""
        return scraped((await self.ask("GET", "/metrics")).body.decode(), name, **labels)


def scraped(text: str, name: str, **labels: str) -> float:
    """Add up the samples of this name that bear these labels; KeyError if there is none."""
    found = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    if not found:
        raise KeyError(name)
    return sum(found)


@functools.cache
def _pairs() -> dict[str, bytes]:
    """Make the archive's two pairs of keys, once for all servers: making them takes longer than starting one."""
    with tempfile.TemporaryDirectory() as folder:
        names = ("archive.pem", "signing.pem")
        for name in names:
            sm2.generate(Path(folder, name))
        return {name: Path(folder, name).read_bytes() for name in names}


def _put_pairs(folder: Path) -> None:
    """Give a server that has none its keys (what a first start makes is held by test_sealed_recording)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, pem in _pairs().items():
        if not (folder / name).exists():
            (folder / name).touch(0o600)
            (folder / name).write_bytes(pem)


@contextlib.asynccontextmanager
async def served(
    folder: Path,
    *,
    rooms: RoomsConfig | None = None,
    turn: TurnConfig | None = None,
    files: FilesConfig | None = None,
    scanner: ScannerConfig | None = None,
    pacs: PacsConfig | None = None,
    scp: ScpConfig | None = None,
    dicom: DicomConfig | None = None,
    host: str = "127.0.0.1",
    tcp_port: int = 0,
    minimum_free_mb: int = 1,
    shared_cache: bool = False,
    threads: int = 1,
    tracking: bool = True,
    previews: bool = False,
    keeping: KeepingConfig | None = None,
    copies: CopiesConfig | None = None,
) -> AsyncIterator[Served]:
    """Serve from a folder of one's own while the context lasts."""
    config = Config(
        http=HttpConfig(host=host, port=0),
        media=MediaConfig(host=host, port=0, tcp_port=tcp_port, threads=threads),
        rooms=rooms or RoomsConfig(),
        tracking=TrackingConfig(enabled=tracking),
        turn=turn or TurnConfig(),
        seal=SealConfig(
            private_key=str(folder / "keys" / "archive.pem"), signing_key=str(folder / "keys" / "signing.pem")
        ),
        recordings=RecordingsConfig(
            folder=str(folder / "recordings"),
            minimum_free_mb=minimum_free_mb,
            shared_cache=shared_cache,
            previews=previews,
        ),
        dicom=replace(dicom or DicomConfig(), folder=str(folder / "dicom")),
        scp=scp or ScpConfig(),
        files=replace(files or FilesConfig(minimum_free_mb=1), folder=str(folder / "files")),
        scanner=scanner or ScannerConfig(),
        pacs=pacs or PacsConfig(outbox=str(folder / "outbox")),
        stills=StillsConfig(folder=str(folder / "stills")),
        database=DatabaseConfig(file=str(folder / "konsil.sqlite3")),
        keeping=keeping or KeepingConfig(),
        copies=copies or CopiesConfig(),
        secrets=SecretsConfig(file=str(folder / "secret")),
    )
    _put_pairs(folder / "keys")
    async with serving(config) as (service, port):
        yield Served(service, f"http://{host}:{port}", folder)
