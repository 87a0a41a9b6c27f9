"""``make run``: a server, a 4K field that moves, links to join by, and a first recording for the trainee."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import math
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from media.ids import ProducerId
from signalling import messages
from signalling.permissions import Role
from signalling.tokens import Claims, issue

from ..config import Config
from ..links import link
from ..member import Member
from ..run import serving, until_stopped
from ..service import Service
from .clip import FIELD_4K, ClipError, ensure_clip, print_progress
from .images import bring_images

log = logging.getLogger(__name__)

CLIP = Path("build/media/field-4k.mp4")
ROOM = "demo"
DAY = 24 * 3600.0

#: Seconds of the first recording.
RECORDED = 30.0

PEOPLE: tuple[tuple[str, Role, str], ...] = (
    ("Dr. Zhang Wei", "surgeon", ""),
    ("Prof. Anna Keller", "expert", ""),
    ("Dr. Li Na", "expert", ""),
    ("Maria Santos", "trainee", ""),
    ("Maria Santos", "trainee", "replay"),
)

WORDS = {
    ("surgeon", ""): "operates: draws, wipes the field clean, records",
    ("expert", ""): "watches and draws",
    ("trainee", ""): "watches",
    ("trainee", "replay"): "replays recorded operations",
}


def main(config: Config, arguments: list[str]) -> int:
    """Run the demo until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m server demo", description=__doc__)
    parser.add_argument("--clip", type=Path, default=CLIP, help="the field's file; made on the first start")
    options = parser.parse_args(arguments)
    try:
        ensure_clip(options.clip, progress=print_progress)
    except ClipError as error:
        print(error, file=sys.stderr)
        return 1
    asyncio.run(_run(config, options.clip))
    return 0


async def _run(config: Config, clip: Path) -> None:
    async with serving(config) as (service, port), _publishing(service, port, clip):
        _print_links(config, service)
        tasks = [
            asyncio.create_task(_first_recording(service)),
            asyncio.create_task(bring_images(service, ROOM)),
        ]
        try:
            await until_stopped()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        log.info("stopping")


def _print_links(config: Config, service: Service) -> None:
    print("\n  Konsil is running. Open these links, each in a window of its own:\n")
    for name, role, page in PEOPLE:
        url = link(config, service.secret, room=ROOM, name=name, role=role, page=page)
        print(f"  {name} ({role}) {WORDS[role, page]}\n    {url}\n")
    print("  The field comes from build/media, over the same network path as a camera's.")
    print("  Ctrl-C stops everything.\n", flush=True)


@contextlib.asynccontextmanager
async def _publishing(service: Service, port: int, clip: Path) -> AsyncIterator[None]:
    """Publish the clip from a process of its own, as an encoder in the operating room would."""
    scheme = "https" if service.config.http.certificate else "http"
    host = "127.0.0.1" if service.config.http.host in ("0.0.0.0", "::") else service.config.http.host  # noqa: S104
    token = issue(
        service.secret, room=ROOM, name="Operating room 1", role="surgeon", expires=time.time() + 30 * DAY
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server", "publish", str(clip), "--room", ROOM, "--loop",
        "--server", f"{scheme}://{host}:{port}", "--barcode", str(FIELD_4K.frames), "--name", "Operating field",
        env={**os.environ, "KONSIL_TOKEN": token}, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(10):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def _first_recording(service: Service) -> None:
    """Record half a minute with some marks, once, so that the trainee's page is never empty."""
    if await asyncio.to_thread(service.archive.library.recordings, ROOM):
        return
    field = await _field(service)
    log.info("recording the first %.0f s for the trainee", RECORDED)
    conductor = service.room(ROOM)
    expires = time.time() + DAY
    surgeon, *experts = [
        conductor.join(Claims(ROOM, name, role, "demo", expires)) for name, role, _ in PEOPLE[:3]
    ]
    try:
        await surgeon.carry_out(messages.Record(1, "start"))
        conductor.pump()
        began = service.now()
        for at, author, operation in _script():
            await asyncio.sleep(max(0.0, began + at - service.now()))
            await _draw(service, (surgeon, *experts)[author], field, operation)
        await asyncio.sleep(max(0.0, began + RECORDED - service.now()))
        await surgeon.carry_out(messages.Record(2, "stop"))
        log.info("the first recording is being prepared for the replay page")
    finally:
        for member in (surgeon, *experts):
            conductor.leave(member)


async def _field(service: Service) -> ProducerId:
    """Wait until the field is there and has been heard of."""
    while True:
        conductor = service.rooms.get(ROOM)
        for producer in conductor.room.producers if conductor else ():
            identifier = ProducerId(producer.producer)
            statistics = service.plane.statistics().producers.get(identifier)
            if producer.source == "field" and statistics is not None and statistics.encodings[0].key_frames:
                return identifier
        await asyncio.sleep(0.2)


async def _draw(service: Service, author: Member, field: ProducerId, operation: dict[str, Any]) -> None:
    """Carry an operation out on the frame that is passing just now; a freehand line grows as by a hand."""
    timestamp = service.plane.statistics().producers[field].encodings[0].last_timestamp
    anchor = {"producer": field, "rtp_timestamp": timestamp}
    if operation["kind"] == "add":
        operation = {**operation, "mark": {**operation["mark"], "anchor": anchor}}
        if operation["mark"]["shape"] == "freehand":
            await _grow(service, author, operation["mark"])
    await author.carry_out(messages.MarkRequest(1, operation))
    author.conductor.pump()


async def _grow(service: Service, author: Member, mark: dict[str, Any]) -> None:
    points = mark["points"]
    for n in range(1, len(points)):
        body = {
            "type": "stroke",
            "mark": mark["mark"],
            "shape": "freehand",
            "anchor": mark["anchor"],
            "from": n - 1,
            "points": points[n - 1 : n + 1],
            "width": mark["width"],
            "sent": service.now() * 1000,
            "n": author.conductor.service.next_id(),
        }
        author.receive_ephemeral(messages.Ephemeral(body))
        await asyncio.sleep(0.03)


def _script() -> Iterator[tuple[float, int, dict[str, Any]]]:
    """Yield (second, who: 0 surgeon, 1 and 2 experts, operation)."""

    def add(mark: str, shape: str, *points: tuple[float, float], text: str = "") -> dict[str, Any]:
        body = {"mark": f"demo-{mark}", "shape": shape, "points": list(points), "width": 0.005, "text": text}
        return {"kind": "add", "mark": body}

    circle = [(0.34 + 0.07 * math.cos(a / 6), 0.46 + 0.12 * math.sin(a / 6)) for a in range(39)]
    yield 3.0, 1, add("1", "freehand", *circle)
    yield 6.0, 1, add("2", "text", (0.42, 0.34), text="Watch this vessel")
    yield 9.0, 2, add("3", "arrow", (0.72, 0.30), (0.60, 0.44))
    yield 11.0, 2, add("4", "text", (0.73, 0.27), text="从这里开始")
    yield 14.0, 2, add("5", "ellipse", (0.52, 0.52), (0.68, 0.72))
    yield 17.0, 2, {"kind": "undo"}
    yield 20.0, 0, {"kind": "clear_field"}
    yield 22.0, 1, add("6", "arrow", (0.30, 0.75), (0.45, 0.58))
    yield 25.0, 0, add("7", "text", (0.22, 0.78), text="Agreed")
