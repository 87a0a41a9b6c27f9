"""The server without its HTTP face: the plane, the rooms, the archive, and the clocks that they share."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import ssl
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from media.native import NativePlane, ShardedPlane
from media.native.sharded import MAX_SHARDS
from media.plane import Address
from media.transport.endpoint import Endpoint
from media.turn_credentials import IceServer, check_turn_url, ice_servers
from recorder.library import Library
from signalling import notices
from signalling.messages import Hello
from signalling.room import RoomError
from signalling.tokens import Claims

from .archive import Archive
from .archive_keys import ArchiveKeys
from .conductor import Conductor
from .config import Config, MediaConfig, TurnConfig
from .database import Database
from .dicom.images import Images
from .dicom.scp import Scp
from .exporting.jobs import Exports
from .files import FileStore
from .front_door import FrontDoor, listen, media_ports
from .hospital import Hospital
from .keeping.audit import Openings
from .keeping.keeper import Keeper
from .member import Member
from .metrics import Snapshot, quantile
from .previews import Previews
from .reception import Guest
from .recorded_patients import RecordedPatients
from .scanning import Scanner
from .secret_file import load_secret, load_turn_secret
from .sockets import Socket
from .stills import StillStore
from .study.notes import Notes
from .tap import Tap
from .training.training import Training

log = logging.getLogger(__name__)

#: Socket buffer that is asked for; with less, a burst of several 4K frames is lost before it is read.
BUFFER = 4 << 20


class Service:
    """Everything that lives as long as the server. To be made within a running event loop."""

    def __init__(self, config: Config) -> None:
        """Read the secret and open the media port. Raise OSError or ValueError with a sentence."""
        self.config = config
        self.secret = load_secret(Path(config.secrets.file))
        self._turn_secret = _turn_secret(config.turn)
        self.plane = _plane(config.media)
        self.endpoint = Endpoint(
            self.plane,
            advertised=[_address(text, self.plane.address.port) for text in config.media.advertised],
        )
        self._doors: list[FrontDoor] = []
        self._started_wall = time.time() - time.monotonic()
        self._identifiers = itertools.count(1)
        self.rooms: dict[str, Conductor] = {}
        self.tap = Tap(self.plane, self.now)
        keys = ArchiveKeys(config.seal)
        self.archive = Archive(Library(Path(config.recordings.folder), keys.private), keys)
        self.scanner = Scanner(config.scanner)
        self.files = FileStore(config.files, self.scanner)
        self.images = Images(self)
        self.hospital = Hospital(self)
        self.scp = Scp(config.scp, self.images.store, self.hospital.pacs, config.pacs.aet)
        self.stills = StillStore(config.stills)
        self.database = Database(Path(config.database.file))
        self.notes = Notes(self.database, self.wall_clock)
        self.recorded_patients = RecordedPatients(self.database, self.archive)
        self.exports = Exports(self)
        self.openings = Openings(self)
        self.keeper = Keeper(self)
        self.previews = Previews(self)
        self.archive.followed_by = self.previews.ask_anew
        self.keeper.places.add("what hides its patient", self.recorded_patients.forget)
        # the type is said: it stands in a cycle of imports
        self.training: Training = Training(self.database, self.archive.library)
        self.keeper.places.add("training", self.training.forget)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ephemeral_dropped = 0
        self._probes = 0
        self.stopping = False

    # -- clocks --------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Unix seconds that never step: what the rooms' time-outs and the recordings run on."""
        return self._started_wall + time.monotonic()

    def steady(self) -> float:
        """Seconds of the event loop's clock."""
        return asyncio.get_running_loop().time()

    def wall_clock(self) -> float:
        """Unix seconds as the system has them now, the clock that the kernel stamps packets with."""
        return time.time()

    def next_id(self) -> int:
        """Count identifiers up."""
        return next(self._identifiers)

    # -- TURN ----------------------------------------------------------------------------------------------------

    def ice_servers(self, name: str) -> tuple[IceServer, ...]:
        """Make TURN credentials under this name (an identifier, nobody's name); empty without a TURN server."""
        turn = self.config.turn
        return ice_servers(turn.urls, self._turn_secret, name, self.wall_clock(), turn.lifetime)

    # -- life ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin the archive's errands, and say what the system gave."""
        await self.database.start()
        self.tap.start()
        await self.archive.start()
        await self.exports.start()
        await self.previews.start()
        await self.files.start(self.now)
        await self.images.start()
        await self.scp.start()
        self.hospital.start()
        self.keeper.start()
        plane = self.plane
        host, port, _ = plane.address
        log.info("media on UDP %s:%d, in %d threads", host, port, plane.shards)
        buffers = min(plane.receive_buffer, plane.send_buffer)
        log.info(
            "socket buffers: receive %.1f MB, send %.1f MB%s",
            plane.receive_buffer / 1e6,
            plane.send_buffer / 1e6,
            "" if buffers >= BUFFER else "; bursts of 4K want 4 MB: sysctl net.core.rmem_max, wmem_max",
        )
        log.info(
            "the packet plane %s", "runs in a real-time class" if plane.realtime else "got no real-time class"
        )

    def open_doors(self, pages: Callable[[], asyncio.BaseProtocol], tls: ssl.SSLContext | None) -> int:
        """Listen for pages, and for media over TCP; give the pages' port. Raise OSError."""
        media, http = self.config.media, self.config.http
        streams = self.endpoint if media.tcp_port >= 0 else None
        for listening in listen(http.host, http.port):
            self._doors.append(FrontDoor(listening, streams, pages=pages, tls=tls))
        port = self._doors[0].port
        if streams is not None:
            ports = media_ports(self.config, port, self._open_media_door(port))
            self.endpoint.advertise(
                [
                    Address(address.host, number or address.port, tcp=True)
                    for number in ports
                    for address in self.endpoint.advertised
                    if not address.tcp
                ]
            )
            log.info("media on TCP too, ports %s", ", ".join(str(door.port) for door in self._doors))
        return port

    def _open_media_door(self, pages_port: int) -> int | None:
        """Listen for media alone; give the port, 0 for the UDP port's number, None where the pages' door is all."""
        media, udp_port = self.config.media, self.plane.address.port
        port = media.tcp_port or udp_port
        if port == pages_port:
            return None
        try:
            listening = listen(media.host, port)
        except OSError as error:
            if media.tcp_port:
                raise
            log.warning("TCP port %d is not free for media, only the pages' port takes them: %s", port, error)
            return None
        self._doors += [FrontDoor(door, self.endpoint) for door in listening]
        return port if media.tcp_port else 0

    async def close_doors(self) -> None:
        """Let nobody in any more."""
        await asyncio.gather(self.scp.close(), *(door.close() for door in self._doors))

    async def close(self) -> None:
        """Stop in the order of docs/closing.md."""
        self.stopping = True
        recorders = [conductor.stop_recorder("", "server_stopping") for conductor in self.rooms.values()]
        for conductor in list(self.rooms.values()):
            conductor.close("server_stopping", "The server is being restarted. Please wait.")
        await asyncio.gather(*recorders, *self._tasks, return_exceptions=True)
        await self.tap.close()
        await self.exports.close()
        await self.previews.close()
        await self.keeper.close()
        await self.archive.close()
        await self.files.close()
        await self.hospital.close()
        await self.images.close()
        await self.endpoint.close()
        await self.database.close()

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Run in the background."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- rooms ---------------------------------------------------------------------------------------------------

    def room(self, name: str) -> Conductor:
        """Find a room, or open it."""
        conductor = self.rooms.get(name)
        if conductor is None:
            conductor = self.rooms[name] = Conductor(name, self, self._emptiest_shard())
            log.info("room opened; %d are open", len(self.rooms))
        return conductor

    def _emptiest_shard(self) -> int:
        """Choose where a new room's packets are moved: with the fewest people, then the fewest rooms."""
        loads = [[0, 0] for _ in range(self.plane.shards)]
        for conductor in self.rooms.values():
            loads[conductor.shard][0] += len(conductor.members)
            loads[conductor.shard][1] += 1
        return loads.index(min(loads))

    def forget(self, conductor: Conductor) -> None:
        """Let go of a room whose last participant left; its recording ends."""
        if self.rooms.get(conductor.room.name) is conductor:
            del self.rooms[conductor.room.name]
            self._ephemeral_dropped += conductor.ephemeral_dropped
            self._probes += conductor.router.probes
            self.hospital.room_ended(conductor)
            conductor.veiling.end()
            if not self.stopping:
                conductor.bedside.end()
                self.keep(conductor.stop_recorder("", "room_ended"))

    def admit(self, claims: Claims, hello: Hello, socket: Socket) -> Member | Guest | None:
        """Let a client into its room, or say on its socket why not."""
        if self.stopping:
            socket.finish(notices.closed("server_stopping", "The server is being restarted. Please wait."))
            return None
        conductor = self.room(claims.room)
        try:
            return conductor.admit(claims, hello, socket)
        except RoomError as error:
            socket.finish(notices.closed(error.code, str(error)))
            conductor.forget_if_empty()
        except RuntimeError as error:
            log.error("nobody more can be admitted: %s", error)
            socket.finish(notices.closed("room_full", "The server is full. Please try again later."))
        return None

    # -- what is measured ----------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Count for /metrics."""
        roles = Counter(p.role for conductor in self.rooms.values() for p in conductor.room.participants)
        stale = sum(
            member.lane.counters.stale
            for conductor in self.rooms.values()
            for member in conductor.members.values()
        )
        running = self.archive.running.values()
        return Snapshot(
            shards=self.plane.shard_statistics(),
            rooms=len(self.rooms),
            participants={str(role): count for role, count in roles.items()},
            recordings=len(running),
            recordings_interrupted=sum(recorder.is_interrupted for recorder in running),
            recorder_left_out=self.archive.left_out + sum(recorder.packets_left_out for recorder in running),
            backlog_bytes=sum(recorder.backlog for recorder in running),
            kept_bytes=sum(conductor.watcher.kept for conductor in self.rooms.values()),
            ephemeral_dropped=self._ephemeral_dropped
            + stale
            + sum(conductor.ephemeral_dropped for conductor in self.rooms.values()),
            lines=[
                delivery.state(self.steady())
                for conductor in self.rooms.values()
                for delivery in conductor.router.deliveries.values()
            ],
            probes=self._probes + sum(conductor.router.probes for conductor in self.rooms.values()),
        )

    def health(self) -> dict[str, object]:
        """Say whether all is well, for a load balancer and for whoever is on duty."""
        statistics = self.plane.statistics()
        p99 = quantile(statistics.transit, 0.99)
        return {
            "status": "stopping" if self.stopping else "ok",
            "rooms": len(self.rooms),
            "recordings": len(self.archive.running),
            "recordings_interrupted": sum(r.is_interrupted for r in self.archive.running.values()),
            "transit_p99_ms": None if p99 is None else round(p99 * 1000, 3),
            "receive_buffer": self.plane.receive_buffer,
            "send_buffer": self.plane.send_buffer,
            "realtime": self.plane.realtime,
            "threads": self.plane.shards,
        }


def _plane(media: MediaConfig) -> NativePlane | ShardedPlane:
    """Open the media port. Raise OSError."""
    address = Address(media.host, media.port)
    threads = media.threads or min(MAX_SHARDS, max(1, len(os.sched_getaffinity(0)) - 1))
    return ShardedPlane(address, shards=threads) if threads > 1 else NativePlane(address)


def _turn_secret(turn: TurnConfig) -> bytes:
    """Read the TURN server's secret; what is wrong with the section is said before anybody needs it."""
    for url in turn.urls:
        check_turn_url(url)
    if turn.urls and not turn.secret_file:
        raise ValueError("[turn] urls are set, but no secret_file.")
    return load_turn_secret(Path(turn.secret_file)) if turn.urls else b""


def _address(text: str, port: int) -> Address:
    """Read host, host:port or [IPv6]:port."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return Address(host, int(rest.removeprefix(":") or port))
    if text.count(":") == 1:
        host, _, rest = text.partition(":")
        return Address(host, int(rest))
    return Address(text, port)
