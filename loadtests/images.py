"""Bring a CT series into a room and look at it, with the requests of a page.

``python -m loadtests images [--slices N] [--json FILE]`` starts a server of its own and uploads N slices (1,000:
500 MB), two files at a time. Then somebody joins and clicks: studies, metadata, first frame, six requests at once for
those that follow; and jumps to the middle slice while they are on their way. Exit status 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import http.client
import json
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from .caller import Caller
from .images_series import SLICE_BYTES, samples, series
from .server_process import ServerUnderLoad, cpu_seconds, rss_mb, started

#: Files and frames that a page has on their way at once (upload.ts, frames.ts).
UPLOADS_AT_ONCE = 2
FRAMES_AT_ONCE = 6
#: Most ms until the picture stands.
GOALS = {"first_image_ms": 1000.0, "middle_slice_ms": 2000.0}
#: Seconds that all frames may take before something is wrong.
PATIENCE = 300.0


def connect(server: ServerUnderLoad) -> http.client.HTTPConnection:
    """Make a connection, which opens with its first request."""
    where = urlsplit(server.url)
    assert where.hostname is not None
    return http.client.HTTPConnection(where.hostname, where.port or 80, timeout=120)


def ask(
    connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> bytes:
    """Ask and read the whole answer. Raise RuntimeError when it is an error."""
    connection.request(method, path, body or None, headers)
    answer = connection.getresponse()
    data = answer.read()
    if answer.status >= 400:
        raise RuntimeError(f"{method} was answered {answer.status}: {data[:200].decode('utf-8', 'replace')}")
    return gzip.decompress(data) if answer.headers.get("Content-Encoding") == "gzip" else data


def upload(server: ServerUnderLoad, token: str, paths: Sequence[Path]) -> float:
    """Send the files as a page does; give the seconds. Blocking. Raise RuntimeError if one is not taken."""

    def send(own: Sequence[Path]) -> None:
        with contextlib.closing(connect(server)) as connection:
            for path in own:
                headers = {"Authorization": f"Bearer {token}", "Konsil-File-Name": path.name}
                headers["Content-Type"] = "application/octet-stream"
                answer = json.loads(ask(connection, "POST", "/dicom/upload", headers, path.read_bytes()))
                if not all(file["taken"] for file in answer["files"]):
                    raise RuntimeError(f"{path.name} was not taken: {answer['files'][0].get('message')}")

    begin = time.monotonic()
    with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
        list(pool.map(send, [paths[at::UPLOADS_AT_ONCE] for at in range(UPLOADS_AT_ONCE)]))
    return time.monotonic() - begin


class Page:
    """Fetches frames as `web_client/src/dicom/frames.ts`: what is wanted first, first."""

    def __init__(self, server: ServerUnderLoad, token: str, addresses: Sequence[str]) -> None:
        self._server = server
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/octet-stream"}
        self._addresses = addresses
        self._changed = threading.Condition()
        self._wish: list[int] = []
        self._running: dict[int, http.client.HTTPConnection] = {}
        self._dropped: set[int] = set()
        self._error: Exception | None = None
        self._closed = False
        #: the slices that are there
        self.kept: dict[int, bytes] = {}
        self._workers = [threading.Thread(target=self._work, daemon=True) for _ in range(FRAMES_AT_ONCE)]
        for worker in self._workers:
            worker.start()

    def want(self, at: int) -> None:
        """Look at a slice: it first, then those after it, then those before it."""
        with self._changed:
            count = len(self._addresses)
            self._wish = [
                place for place in (*range(at, count), *reversed(range(at))) if place not in self.kept
            ]
            for place, connection in self._running.items():
                if place not in self._wish[:FRAMES_AT_ONCE]:
                    self._dropped.add(place)
                    if connection.sock is not None:
                        with contextlib.suppress(OSError):
                            connection.sock.shutdown(socket.SHUT_RDWR)
            self._changed.notify_all()

    def wait(self, count: int, place: int | None = None) -> None:
        """Wait until so many slices are there, and this one. Raise RuntimeError when it takes too long."""

        def there() -> bool:
            return len(self.kept) >= count and (place is None or place in self.kept)

        with self._changed:
            came = self._changed.wait_for(lambda: self._error is not None or there(), PATIENCE)
        if self._error is not None:
            raise RuntimeError("A frame did not come.") from self._error
        if not came:
            raise RuntimeError(f"Only {len(self.kept)} slices came within {PATIENCE:g} s.")

    def close(self) -> None:
        """End the requests."""
        with self._changed:
            self._closed, self._wish = True, []
            self._changed.notify_all()
        for worker in self._workers:
            worker.join(PATIENCE)

    def _next(self) -> int | None:
        return next((at for at in self._wish if at not in self.kept and at not in self._running), None)

    def _work(self) -> None:
        connection = connect(self._server)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._next() is not None)
                place = self._next()
                if self._closed or place is None:
                    break
                self._running[place] = connection
            data, error = None, None
            try:
                data = ask(connection, "GET", self._addresses[place], self._headers)
            except (OSError, http.client.HTTPException, RuntimeError) as raised:
                connection.close()
                error = raised
            with self._changed:
                del self._running[place]
                if data is not None:
                    self.kept[place] = data
                elif place not in self._dropped:
                    self._error = error
                if place in self._dropped:
                    # its answer may have come just before: the next request takes a new connection
                    connection.close()
                    self._dropped.discard(place)
                self._changed.notify_all()
        connection.close()


def look(
    server: ServerUnderLoad, token: str, study: str, one: str, begin: float
) -> tuple[dict[str, float], Page]:
    """Open a series that was clicked at `begin`, jump to its middle, wait for the rest. Raise RuntimeError."""
    base = f"/dicom/studies/{study}/series/{one}"
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/dicom+json",
        "Accept-Encoding": "gzip",
    }
    with contextlib.closing(connect(server)) as connection:
        metadata = json.loads(ask(connection, "GET", f"{base}/metadata", headers))
    described = time.monotonic()
    instances = [item["00080018"]["Value"][0] for item in metadata]
    page = Page(server, token, [f"{base}/instances/{instance}/frames/1" for instance in instances])
    try:
        page.want(0)
        page.wait(1, 0)
        shown = time.monotonic()
        # the rest is under way
        page.wait(min(20, len(instances) // 4))
        middle, jumped = len(instances) // 2, time.monotonic()
        page.want(middle)
        page.wait(1, middle)
        there = time.monotonic()
        page.wait(len(instances))
        complete = time.monotonic()
    finally:
        page.close()
    return {
        "metadata_ms": round((described - begin) * 1000, 1),
        "first_image_ms": round((shown - begin) * 1000, 1),
        "middle_slice_ms": round((there - jumped) * 1000, 1),
        "frames_mb_s": round(len(instances) * SLICE_BYTES / 1e6 / (complete - described), 1),
    }, page


async def run(slices: int) -> dict[str, float | bool]:
    """Measure against a server of one's own. Raise RuntimeError when it refuses or loses a slice."""
    paths = await asyncio.to_thread(series, slices)
    megabytes = sum(path.stat().st_size for path in paths) / 1e6
    async with started() as server:
        token = server.token("expert", "Dr. Images")
        assert server.pid is not None
        async with Caller(server.url, token):
            before = cpu_seconds(server.pid)
            seconds = await asyncio.to_thread(upload, server, token, paths)
            spent = cpu_seconds(server.pid) - before
            begin = time.monotonic()
            viewer = server.token("expert", "Dr. Viewer")
            async with Caller(server.url, viewer) as caller:
                study = (await caller.notice("studies"))["studies"][0]
                identifiers = study["StudyInstanceUID"], study["series"][0]["SeriesInstanceUID"]
                figures, page = await asyncio.to_thread(look, server, viewer, *identifiers, begin)
        memory = rss_mb(server.pid)
    same = [page.kept.get(at) == samples(path) for at, path in enumerate(paths)]
    return {
        "slices": slices,
        "megabytes": round(megabytes, 1),
        "ingest_mb_s": round(megabytes / seconds, 1),
        "ingest_server_cpu_s": round(spent, 2),
        **figures,
        "rss_mb": round(memory, 1),
        "same_samples": all(same),
    }


def missed(figures: dict[str, float | bool]) -> list[str]:
    """Name the goals that were missed, a sentence each."""
    names = {"first_image_ms": "The first image", "middle_slice_ms": "The middle slice"}
    sentences = [
        f"{names[key]} takes {figures[key]:g} ms, not below {goal:g}."
        for key, goal in GOALS.items()
        if not figures[key] < goal
    ]
    if not figures["same_samples"]:
        sentences.append("What came is not what was sent.")
    return sentences


def main(arguments: list[str]) -> int:
    """Run from the command line; the exit code says whether the goals were reached."""
    parser = argparse.ArgumentParser(prog="python -m loadtests images", description=__doc__)
    parser.add_argument("--slices", type=int, default=1000, help="512 × 512 × 16 bit each (default 1000)")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args(arguments)
    figures = asyncio.run(run(options.slices))
    for key, value in figures.items():
        print(f"{key:20} {value}")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    sentences = missed(figures)
    for sentence in sentences:
        print(sentence)
    return 1 if sentences else 0
