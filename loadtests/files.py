"""Send a file and fetch it, in pieces and hashed at both ends: by this process, and by the page in real Chromium.

``python -m loadtests files [--mb N] [--page] [--json FILE]`` starts a server of its own, sends a file of N MB (1,000)
in pieces of 16 MB, finishes it by its hash, fetches it again in ranges, and compares the hash. With ``--page`` a page
does the same after it, in the same run: chosen, sent, kept; asked for, fetched, hashed, saved. Beside both stands what
bare HTTP takes for such a file in that run (`peers/plain_files.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from signalling.file_digest import FileDigest

from .caller import Caller
from .files_page import PageResult, measure_page
from .peers.plain_files import PlainResult, measure_plain
from .server_process import ServerUnderLoad, cpu_seconds, started

PATH = "/api/files"

#: Bytes of a piece, as pages send them.
PIECE = 16 << 20
#: The goal: 1,000 MB in less than ten seconds, each way.
GOAL_MB_S = 100.0


@dataclass(frozen=True, slots=True)
class FilesResult:
    """What was measured; MB are 10^6 bytes, from the announcement to the answer that the file is kept."""

    megabytes: float
    upload_s: float
    download_s: float
    upload_mb_s: float
    download_mb_s: float
    upload_server_cpu_s: float | None
    same_hash: bool
    load: float
    page: PageResult | None = None
    plain: PlainResult | None = None

    @property
    def passed(self) -> bool:
        """Whether the goal was reached each way, by the page too, and what came back is what was sent."""
        speeds = [self.upload_mb_s, self.download_mb_s]
        if self.page is not None:
            speeds += [self.page.upload_mb_s, self.page.download_mb_s]
        return self.same_hash and (self.page is None or self.page.same_hash) and min(speeds) > GOAL_MB_S


class FilesCaller:
    """One connection that sends and fetches. Blocking."""

    def __init__(self, url: str, token: str) -> None:
        where = urlsplit(url)
        assert where.hostname is not None
        self._http = http.client.HTTPConnection(where.hostname, where.port or 80, timeout=120)
        self._bearer = {"Authorization": f"Bearer {token}"}

    def send(self, size: int, piece: bytes) -> tuple[str, str]:
        """Send `size` bytes, the piece over and over; give the file and its hash. Raise RuntimeError."""
        digest = FileDigest()
        with ThreadPoolExecutor(1) as beside:
            about = json.dumps({"name": "load.bin", "size": size}).encode()
            file = str(self._answer("POST", PATH, about)["file"])
            offset = 0
            while offset < size:
                part = piece[: size - offset]
                hashing = beside.submit(digest.update, part)
                headers = {
                    "Content-Type": "application/offset+octet-stream",
                    "Upload-Offset": str(offset),
                }
                self._answer("PATCH", f"{PATH}/{file}", part, headers)
                hashing.result()
                offset += len(part)
        whole = digest.hexdigest()
        while self._answer("POST", f"{PATH}/{file}", json.dumps({"digest": whole}).encode()).get("state"):
            pass
        return file, whole

    def fetch(self, file: str, size: int) -> str:
        """Fetch a file in ranges; give its hash. Raise RuntimeError."""
        digest = FileDigest()
        with ThreadPoolExecutor(1) as beside:
            hashing = None
            for begin in range(0, size, PIECE):
                end = min(begin + PIECE, size) - 1
                self._http.request(
                    "GET", f"{PATH}/{file}", headers=self._bearer | {"Range": f"bytes={begin}-{end}"}
                )
                answer = self._http.getresponse()
                data = answer.read()
                if answer.status != 206 or len(data) != end - begin + 1:
                    raise RuntimeError(f"A range was answered {answer.status} with {len(data)} bytes.")
                if hashing is not None:
                    hashing.result()
                hashing = beside.submit(digest.update, data)
        return digest.hexdigest()

    def delete(self, file: str) -> None:
        """Delete what was sent."""
        self._answer("DELETE", f"{PATH}/{file}")

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _answer(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> dict[str, object]:
        self._http.request(method, path, body, self._bearer | (headers or {}))
        answer = self._http.getresponse()
        data = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} was answered {answer.status}: {data.decode('utf-8', 'replace')}")
        return dict(json.loads(data)) if data else {}


def measure(server: ServerUnderLoad, token: str, megabytes: float) -> FilesResult:
    """Send and fetch once, as somebody who is in the room. Blocking. Raise RuntimeError when the server refuses."""
    size = int(megabytes * 1e6)
    # not zeros: nothing on the way may compress them
    piece = os.urandom(PIECE)
    caller = FilesCaller(server.url, token)
    try:
        before = cpu_seconds(server.pid) if server.pid else None
        begin = time.monotonic()
        file, whole = caller.send(size, piece)
        sent = time.monotonic()
        spent = cpu_seconds(server.pid) - before if server.pid and before is not None else None
        came = caller.fetch(file, size)
        fetched = time.monotonic()
        caller.delete(file)
    finally:
        caller.close()
    return FilesResult(
        megabytes=size / 1e6,
        upload_s=round(sent - begin, 2),
        download_s=round(fetched - sent, 2),
        upload_mb_s=round(size / 1e6 / (sent - begin), 1),
        download_mb_s=round(size / 1e6 / (fetched - sent), 1),
        upload_server_cpu_s=None if spent is None else round(spent, 2),
        same_hash=came == whole,
        load=os.getloadavg()[0],
    )


async def run(megabytes: float, page: bool = False) -> FilesResult:
    """Measure against a server of one's own, with a page too where that is wished."""
    plain = await measure_plain(megabytes)
    async with started() as server:
        token = server.token("expert", "Dr. Files")
        async with Caller(server.url, token):
            result = await asyncio.to_thread(measure, server, token, megabytes)
        by_page = await measure_page(server, megabytes) if page else None
        return replace(result, page=by_page, plain=plain)


def main(arguments: list[str]) -> int:
    """Run from the command line; the exit code says whether 1,000 MB would take less than 10 s each way."""
    parser = argparse.ArgumentParser(prog="python -m loadtests files", description=__doc__)
    parser.add_argument("--mb", type=float, default=1000.0, help="size of the file in MB (default 1000)")
    parser.add_argument("--page", action="store_true", help="by a page in real Chromium too")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args(arguments)
    result = asyncio.run(run(options.mb, options.page))
    print(
        f"{result.megabytes:g} MB sent in {result.upload_s:g} s ({result.upload_mb_s:g} MB/s), fetched in "
        f"{result.download_s:g} s ({result.download_mb_s:g} MB/s), hashes "
        f"{'agree' if result.same_hash else 'DIFFER'} (load {result.load:.1f})"
    )
    plain, page = result.plain, result.page
    if plain is not None:
        print(
            f"bare HTTP takes {plain.upload_s:g} and {plain.download_s:g} s: "
            f"{result.upload_s / plain.upload_s:.1f} and {result.download_s / plain.download_s:.1f} times that"
            + (
                f", by the page {page.upload_s / plain.upload_s:.1f} and {page.download_s / plain.download_s:.1f}"
                if page is not None
                else ""
            )
        )
    if page is not None:
        print(
            f"by the page sent in {page.upload_s:g} s ({page.upload_mb_s:g} MB/s), fetched, hashed and saved in "
            f"{page.download_s:g} s ({page.download_mb_s:g} MB/s), {'the same' if page.same_hash else 'NOT THE SAME'}"
        )
    if options.json is not None:
        options.json.write_text(json.dumps(asdict(result), indent=1) + "\n")
    return 0 if result.passed else 1
