"""Janus (Debian package), its videoroom plugin, over its own HTTP API: default, and with one event loop for all."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp

from media.native import STAMP_IN_PAYLOAD
from media.sdp import answer_subscriber, offer_publisher, parse, remote_parameters
from media.transport.transport import IceRole

from ..probe_endpoint import ProbePump
from . import FIELD, Client
from .connect import PATIENCE, connected, hear_picture_loss

PORT = 8088
ROOM = 4711
LIBRARIES = Path("/usr/lib/x86_64-linux-gnu/janus")

Json = dict[str, Any]


class JanusError(RuntimeError):
    """Janus answered with an error."""


def _settings(folder: Path, host: str, event_loops: int) -> None:
    """Write its configuration: media on one address, the videoroom and HTTP alone; all else is Debian's default."""
    libraries = next(iter(Path("/usr/lib").glob("*-linux-gnu/janus")), LIBRARIES)
    (folder / "janus.jcfg").write_text(
        f"""general: {{
    configs_folder = "{folder}"
    plugins_folder = "{libraries}/plugins"
    transports_folder = "{libraries}/transports"
    debug_level = 3
    {f"event_loops = {event_loops}" if event_loops else ""}
}}
nat: {{ ice_enforce_list = "{host}" }}
plugins: {{ disable = "{",".join(_others(libraries / "plugins", "libjanus_videoroom.so"))}" }}
transports: {{ disable = "{",".join(_others(libraries / "transports", "libjanus_http.so"))}" }}
"""
    )
    (folder / "janus.transport.http.jcfg").write_text(
        f'general: {{ json = "compact"\nhttp = true\nport = {PORT}\nip = "127.0.0.1"\nhttps = false }}\n'
        "admin: { admin_http = false }\n"
    )
    (folder / "janus.plugin.videoroom.jcfg").write_text("general: { }\n")


def _others(folder: Path, but: str) -> list[str]:
    return sorted(path.name for path in folder.glob("*.so") if path.name != but)


class RunningJanus:
    """Janus with one room; every client has a session and a handle of its own."""

    def __init__(self, pid: int, http: aiohttp.ClientSession, host: str) -> None:
        self.pid = pid
        self._http = http
        self._host = host
        self._numbers = itertools.count(1)
        self._feed = 0
        self._keep: list[asyncio.Task[None]] = []

    async def make_room(self) -> None:
        """Make the room: no cap on the bit rate, and its first packets' codec is the field's."""
        room = {"room": ROOM, "publishers": 64, "videocodec": "h264", "bitrate": 0, "is_private": False}
        handle = await self._attach()
        answer = await self._message(handle, {"request": "create", **room})
        if answer.get("videoroom") != "created":
            raise JanusError(f"Janus made no room: {answer}")

    async def publish(
        self, pump: ProbePump, on_picture_loss: Callable[[], None], *, drawn_on: bool = True
    ) -> Client:
        """See RunningPeer."""
        socket, endpoint = pump.open(STAMP_IN_PAYLOAD, self._host)
        transport = endpoint.create(IceRole.CLIENT)
        handle = await self._attach()
        offer = {"type": "offer", "sdp": str(offer_publisher([FIELD], transport.parameters))}
        joined = await self._message(
            handle,
            {"request": "joinandconfigure", "room": ROOM, "ptype": "publisher", "display": "field"},
            offer,
        )
        self._feed = int(joined["id"])
        transport.start(remote_parameters(parse(joined["jsep"]["sdp"])))
        hear_picture_loss(transport, on_picture_loss)
        await connected(transport)
        return Client(socket, transport)

    async def subscribe(self, pump: ProbePump) -> Client:
        """See RunningPeer."""
        socket, endpoint = pump.open(STAMP_IN_PAYLOAD, self._host)
        transport = endpoint.create(IceRole.CLIENT)
        handle = await self._attach()
        join = {"request": "join", "room": ROOM, "ptype": "subscriber", "streams": [{"feed": self._feed}]}
        attached = await self._message(handle, join)
        offer = parse(attached["jsep"]["sdp"])
        answer, _ = answer_subscriber(offer, transport.parameters)
        transport.start(remote_parameters(offer))
        await self._message(handle, {"request": "start"}, {"type": "answer", "sdp": str(answer)})
        await connected(transport)
        return Client(socket, transport)

    async def close(self) -> None:
        """Stop asking for events."""
        for task in self._keep:
            task.cancel()
        await asyncio.gather(*self._keep, return_exceptions=True)

    # -- the API -------------------------------------------------------------------------------------------------

    async def _post(self, path: str, body: Json) -> Json:
        body = {"transaction": str(next(self._numbers)), **body}
        async with self._http.post(f"/janus{path}", json=body) as response:
            answer: Json = await response.json(content_type=None)
        if answer.get("janus") == "error":
            raise JanusError(str(answer["error"]))
        return answer

    async def _attach(self) -> _Handle:
        session = (await self._post("", {"janus": "create"}))["data"]["id"]
        plugin = {"janus": "attach", "plugin": "janus.plugin.videoroom"}
        handle = (await self._post(f"/{session}", plugin))["data"]["id"]
        events: asyncio.Queue[Json] = asyncio.Queue()
        self._keep.append(asyncio.create_task(self._poll(session, events)))
        return _Handle(f"/{session}/{handle}", events)

    async def _poll(self, session: int, events: asyncio.Queue[Json]) -> None:
        while True:
            async with self._http.get(f"/janus/{session}", params={"maxev": "5"}) as response:
                answer = await response.json(content_type=None)
            for event in answer if isinstance(answer, list) else [answer]:
                events.put_nowait(event)

    async def _message(self, handle: _Handle, body: Json, jsep: Json | None = None) -> Json:
        """Ask the plugin; its data, and the description under `jsep`. Raise JanusError."""
        message: Json = {"janus": "message", "body": body}
        if jsep is not None:
            message["jsep"] = jsep
        answer = await self._post(handle.path, message)
        async with asyncio.timeout(PATIENCE):
            while answer.get("janus") != "event" and answer.get("janus") != "success":
                answer = await handle.events.get()
        data: Json = dict(answer["plugindata"]["data"])
        if "error" in data:
            raise JanusError(str(data["error"]))
        return {**data, "jsep": answer.get("jsep")}


class _Handle:
    """A plugin's handle: where to post, and what came for it."""

    def __init__(self, path: str, events: asyncio.Queue[Json]) -> None:
        self.path, self.events = path, events


class Janus:
    """Debian's Janus, in one of its configurations."""

    name = "janus"

    def __init__(self, event_loops: int) -> None:
        """`event_loops` 0: the default, a thread a peer connection."""
        self._event_loops = event_loops
        self.configuration = f"event_loops = {event_loops}" if event_loops else "default"

    def missing(self) -> str:
        """See Peer."""
        return "" if shutil.which("janus") else "Janus is missing: apt-get install janus."

    @contextlib.asynccontextmanager
    async def run(self, host: str, cores: set[int]) -> AsyncIterator[RunningJanus]:
        """See Peer."""
        with tempfile.TemporaryDirectory(prefix="konsil-janus-") as name:
            _settings(Path(name), host, self._event_loops)
            process = await asyncio.create_subprocess_exec(
                "janus",
                "--configs-folder",
                name,
                "--config",
                f"{name}/janus.jcfg",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            os.sched_setaffinity(process.pid, cores)
            http = aiohttp.ClientSession(
                f"http://127.0.0.1:{PORT}",
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=120),
            )
            running = RunningJanus(process.pid, http, host)
            try:
                await _answers(http)
                await running.make_room()
                yield running
            finally:
                await running.close()
                await http.close()
                process.terminate()
                try:
                    async with asyncio.timeout(10):
                        await process.wait()
                except TimeoutError:
                    process.kill()
                    await process.wait()


async def _answers(http: aiohttp.ClientSession) -> None:
    for _ in range(100):
        try:
            async with http.get("/janus/info") as response:
                await response.read()
                return
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.1)
    raise JanusError("Janus did not start.")
