"""The server under load: started on free ports in a process of its own, or one that runs already."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from signalling.permissions import Role
from signalling.tokens import issue

#: A busy Python thread in the server's own process: it takes the interpreter's lock whenever it can.
BURNER = (
    "import runpy, sys, threading\n"
    "def burn():\n"
    "    while True: sum(range(10_000))\n"
    "threading.Thread(target=burn, daemon=True).start()\n"
    "sys.argv = ['server', 'run']\n"
    "runpy.run_module('server', run_name='__main__')\n"
)

#: Where everybody is who is not sent elsewhere.
ROOM = "loadtest"
ROOT = Path(__file__).parent.parent

#: Seconds that the server may take to start.
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Scrape:
    """Counters of one moment; `transit` by the upper bound of each bucket in seconds, not accumulated."""

    time: float
    packets_in: float
    packets_out: float
    drops: dict[str, float]
    transit: dict[float, float]
    cpu_s: float | None
    rss_mb: float | None


@dataclass(slots=True)
class ServerUnderLoad:
    """Where the server is, and how to sign links for it.

    `pid` and `folder` (of what it keeps) None: it runs elsewhere, `media_port` 0: not known.
    """

    url: str
    secret: bytes
    pid: int | None
    media_port: int = 0
    folder: Path | None = None

    def token(self, role: Role, name: str, room: str = ROOM) -> str:
        """Sign a token."""
        return issue(self.secret, room=room, name=name, role=role, expires=time.time() + 3600)

    def link(self, role: Role, name: str, room: str = ROOM, page: str = "") -> str:
        """Sign a link for a browser; localhost is a secure context."""
        return f"{self.url.replace('127.0.0.1', 'localhost')}/{page}#token={self.token(role, name, room)}"

    async def scrape(self) -> Scrape:
        """Read /metrics, and the process's CPU time and memory where it is ours."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/metrics") as response:
            text = await response.text()
        totals: dict[str, float] = {}
        drops: dict[str, float] = {}
        buckets: dict[float, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == "konsil_drops_total":
                    drops[sample.labels["reason"]] = drops.get(sample.labels["reason"], 0) + sample.value
                elif sample.name == "konsil_transit_seconds_bucket":
                    bound = float(sample.labels["le"])
                    buckets[bound] = buckets.get(bound, 0) + sample.value
                else:
                    totals[sample.name] = totals.get(sample.name, 0) + sample.value
        bounds = sorted(buckets)
        counts = [buckets[bound] for bound in bounds]
        transit = {
            bound: count - before
            for bound, count, before in zip(bounds, counts, [0.0, *counts], strict=False)
        }
        return Scrape(
            time=time.monotonic(),
            packets_in=totals["konsil_packets_in_total"],
            packets_out=totals["konsil_packets_out_total"],
            drops=drops,
            transit=transit,
            cpu_s=cpu_seconds(self.pid) if self.pid else None,
            rss_mb=rss_mb(self.pid) if self.pid else None,
        )


def quantile_ms(before: Scrape, after: Scrape, share: float) -> float:
    """Return the transit time in ms below which that share of the packets between two scrapes lies."""
    counts = {bound: count - before.transit.get(bound, 0) for bound, count in after.transit.items()}
    total = sum(counts.values())
    seen = 0.0
    for bound, count in sorted(counts.items()):
        seen += count
        if total and seen >= share * total:
            return bound * 1000
    return 0.0


def cpu_seconds(pid: int) -> float:
    """Read the CPU time of a process and all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    # user and system time stand at 14 and 15 of the whole line (proc(5)), two of which are gone
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stolen_seconds() -> float:
    """Read the CPU time that a hypervisor gave to others while this machine wanted it, of all cores together."""
    return int(Path("/proc/stat").read_text().split()[8]) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Read a process's resident memory in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def started(
    *,
    burn_gil: bool = False,
    host: str = "127.0.0.1",
    cores: set[int] | None = None,
    archive: Path | None = None,
) -> AsyncIterator[ServerUnderLoad]:
    """Start a server for as long as the context lasts, its media on `host`, on these cores alone.

    Its recordings and their keys lie in `archive`, which stays, or are gone with it. Raise RuntimeError with what it
    said if it does not come.
    """
    with tempfile.TemporaryDirectory(prefix="konsil-load-") as name:
        folder = Path(name)
        kept = archive or folder
        port, media_port = _free_port(), _free_port(socket.SOCK_DGRAM)
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("KONSIL_")},
            "KONSIL_HTTP_PORT": str(port),
            "KONSIL_MEDIA_HOST": host,
            "KONSIL_MEDIA_PORT": str(media_port),
            "KONSIL_SECRETS_FILE": str(folder / "secret"),
            "KONSIL_RECORDINGS_FOLDER": str(kept / "recordings"),
            "KONSIL_SEAL_PRIVATE_KEY": str(kept / "keys" / "archive.pem"),
            "KONSIL_SEAL_SIGNING_KEY": str(kept / "keys" / "signing.pem"),
            "KONSIL_DATABASE_FILE": str(folder / "konsil.sqlite3"),
            # what was recorded in one turn would be worked on in the next
            "KONSIL_RECORDINGS_PREVIEWS": "false",
            "KONSIL_FILES_FOLDER": str(folder / "files"),
            "KONSIL_DICOM_FOLDER": str(folder / "dicom"),
        }
        command = ["-c", BURNER] if burn_gil else ["-m", "server", "run"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, cwd=ROOT, env=environment, stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        if cores:
            # before it has threads, which inherit it
            os.sched_setaffinity(process.pid, cores)
        said: list[str] = []
        try:
            async with asyncio.timeout(PATIENCE):
                while not said or "serves on port" not in said[-1]:
                    line = await process.stderr.readline()
                    if not line:
                        raise RuntimeError("The server did not start: " + "".join(said))
                    said.append(line.decode())
            drain = asyncio.create_task(_drain(process.stderr))
            secret = await asyncio.to_thread((folder / "secret").read_bytes)
            yield ServerUnderLoad(f"http://127.0.0.1:{port}", secret, process.pid, media_port, folder)
            drain.cancel()
        finally:
            if process.returncode is None:
                process.terminate()
                try:
                    async with asyncio.timeout(10):
                        await process.wait()
                except TimeoutError:
                    process.kill()
                    await process.wait()


async def _drain(stream: asyncio.StreamReader) -> None:
    """Read on, so that the server never waits for its log; warnings are shown."""
    async for line in stream:
        if b" WARNING " in line or b" ERROR " in line:
            print(line.decode().rstrip(), file=sys.stderr)
