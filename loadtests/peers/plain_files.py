"""The same file over bare HTTP: what machine, disk and aiohttp give before anybody hashes, resumes or looks at it.

``python -m loadtests.peers.plain_files FOLDER`` is the server, in a process of its own: it prints its port, takes one
PUT onto the disk and gives it back by GET. `measure_plain` sends and fetches once, each in one request.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

#: Bytes that are read and written at once.
CHUNK = 1 << 20
#: Seconds that one way, or starting, may take.
PATIENCE = 180.0


@dataclass(frozen=True, slots=True)
class PlainResult:
    """Seconds of one PUT and of one GET that is written to the disk."""

    upload_s: float
    download_s: float


async def measure_plain(megabytes: float) -> PlainResult:
    """Send and fetch once. Raise RuntimeError when the server does not start or gives something else."""
    with tempfile.TemporaryDirectory(prefix="konsil-load-") as name:
        folder = Path(name)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "loadtests.peers.plain_files", name),
            cwd=Path(__file__).parent.parent.parent,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE):
                port = int(await process.stdout.readline() or b"0")
            if port == 0:
                raise RuntimeError("The plain server did not start.")
            return await asyncio.to_thread(_exchange, port, folder, int(megabytes * 1e6))
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _exchange(port: int, folder: Path, size: int) -> PlainResult:
    source, target = folder / "source", folder / "target"
    piece = os.urandom(16 << 20)
    with source.open("wb") as file:
        for offset in range(0, size, len(piece)):
            file.write(piece[: size - offset])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        begin = time.monotonic()
        with source.open("rb") as body:
            connection.request("PUT", "/", body, {"Content-Length": str(size)})
            connection.getresponse().read()
        sent = time.monotonic()
        connection.request("GET", "/")
        answer = connection.getresponse()
        with target.open("wb") as file:
            while data := answer.read(CHUNK):
                file.write(data)
        fetched = time.monotonic()
    finally:
        connection.close()
    if target.stat().st_size != size:
        raise RuntimeError("The plain server gave another file than it took.")
    return PlainResult(round(sent - begin, 2), round(fetched - sent, 2))


def _serve(folder: Path) -> None:
    content = folder / "content"

    async def take(request: web.Request) -> web.Response:
        with content.open("wb") as file:
            async for data in request.content.iter_any():
                file.write(data)
        return web.Response(status=204)

    async def give(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(content, chunk_size=CHUNK)

    async def run() -> None:
        application = web.Application(client_max_size=0)
        application.router.add_put("/", take)
        application.router.add_get("/", give)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(run())


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
