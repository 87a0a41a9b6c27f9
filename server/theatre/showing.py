"""A recording in a room: its worker process, its producers, what everybody is told of it (PROTOCOL.md, section 14)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from media.ids import Mid, ProducerId, Ssrc, TransportId
from media.plane import Codec
from media.rtp.ntp import ntp_from_unix
from media.rtp.rtcp import SenderReport, build_compound
from media.sdp import OfferedTrack
from recorder.seal.keys import DataKey
from signalling.entities import Audience, Producer, Recorded
from signalling.notices import milliseconds

from .. import recording
from . import wire

if TYPE_CHECKING:
    from ..conductor import Conductor
    from ..member import Member

log = logging.getLogger(__name__)

ROOT: Final = Path(__file__).parent.parent.parent

#: Seconds between two sender reports of each track.
REPORT_INTERVAL: Final = 1.0
#: Bits a second of a run-up: so many at most, for a server's line carries all of the room's; and at least, where the
#: lines are narrow or nothing is known of them.
MOST_RUN_UP: Final = 100_000_000
LEAST_RUN_UP: Final = 4_000_000
#: The share of what the narrowest line carries that a run-up may take: sound, marks and a live field go on beside it.
SHARE: Final = 0.7
#: Characters of a label.
LABEL_LIMIT: Final = 80
#: Seconds that a worker has to end by itself.
GRACE: Final = 2.0


class Showing:
    """One recording that is shown, from its opening to its end."""

    def __init__(
        self,
        conductor: Conductor,
        name: str,
        by: str,
        position: float,
        changed: Callable[[], None],
        ended: Callable[[str], None],
    ) -> None:
        """`changed` is called when there is something to tell, `ended` with the reason when it ends by itself."""
        self.recording = name
        self.by = by
        self.member: Member | None = None
        self.producers: dict[int, ProducerId] = {}
        self._conductor = conductor
        self._changed = changed
        self._ended = ended
        self._begin = position
        self._begun = False
        self._transport: TransportId | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._standing: dict[str, Any] = {"state": "opening", "progress": 0.0}
        self._facts: dict[str, Any] = {}
        self._tracks: dict[int, OfferedTrack] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    @property
    def ready(self) -> bool:
        """Whether it can be played."""
        return bool(self.producers)

    @property
    def standing(self) -> dict[str, Any]:
        """How the worker said that it stands."""
        return self._standing

    @property
    def seconds(self) -> float:
        """How long the recording is."""
        return float(self._facts.get("seconds", 0.0))

    @property
    def roles(self) -> frozenset[str]:
        """Who is sent anything of it."""
        return frozenset(role for one in self._facts.get("tracks", ()) for role in one["roles"])

    async def start(self, folder: Path, key: DataKey | None, wanted: tuple[int, ...]) -> None:
        """Start the worker. Raise OSError."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "server.theatre.worker",
            cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2 * wire.MOST,
        )  # fmt: skip
        if self._over:  # closed meanwhile
            self._conductor.service.keep(_reap(process))
            return
        self._process = process
        self._say(
            {
                "folder": str(folder),
                "key": None if key is None else key.key.hex(),
                "suite": "" if key is None else key.suite.name,
                "producers": list(wanted),
            }
        )
        self._conductor.service.keep(self._listen(process))

    def ask(self, action: str, **more: object) -> None:
        """Have the worker do something."""
        self._say({"action": action, "bits_per_second": self._haste(), **more})

    def to_json(self) -> dict[str, Any]:
        """Tell clients how it stands."""
        standing = self._standing
        pictures = [
            {"producer": self.producers[number], **standing["pictures"][str(number)]}
            for number in self.producers
            if str(number) in standing.get("pictures", {})
        ]
        return {
            "recording": self.recording,
            "started": self._facts.get("started"),
            "seconds": round(self._facts.get("seconds", 0.0), 3),
            "state": standing["state"],
            "progress": standing.get("progress", 1.0),
            "position": round(standing.get("position", 0.0), 6),
            "at": milliseconds(standing["at"]) if "at" in standing else None,
            "speed": standing.get("speed", 1.0),
            "by": self.by,
            "participant": None if self.member is None else self.member.identifier,
            "pictures": pictures,
        }

    def close(self) -> None:
        """Take it away: the worker, the producers, its place in the plane."""
        if self._over:
            return
        self._over = True
        conductor = self._conductor
        if self._timer is not None:
            self._timer.cancel()
        producers, self.producers = list(self.producers.values()), {}
        conductor.publishing.end(producers)
        if self._transport is not None:
            conductor.router.remove_transport(self._transport)
            conductor.service.endpoint.remove_inside(self._transport)
        if self._process is not None:
            conductor.service.keep(_reap(self._process))

    # -- the worker ------------------------------------------------------------------------------------------------

    def _say(self, command: dict[str, object]) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(ConnectionError, RuntimeError):
                self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        try:
            while True:
                kind, length = wire.head(await process.stdout.readexactly(wire.HEAD_SIZE))
                data = await process.stdout.readexactly(length)
                if self._over:
                    return
                if kind == wire.PACKETS:
                    self._inject(*wire.read_burst(data))
                else:
                    self._take(wire.read_state(data))
        except (asyncio.IncompleteReadError, wire.WireError, ConnectionError):
            if not self._over:
                log.error("a recording that was shown broke off")
                self._ended("failed")

    def _inject(self, track: int, packets: list[bytes]) -> None:
        producer = self.producers.get(track)
        if producer is not None and packets:
            service = self._conductor.service
            service.plane.inject(producer, packets, int(service.wall_clock() * 1e9))

    def _take(self, state: dict[str, Any]) -> None:
        match state["state"]:
            case "failed":
                log.error("a recording cannot be shown: %s", state["kind"])
                self._ended("failed")
            case "ready":
                self._facts = state
                if not state["tracks"]:
                    self._ended("empty")
                    return
                self._announce(state["tracks"])
            case _:
                self._standing = state
                self._note_jump(state)
                self._changed()

    def _note_jump(self, state: dict[str, Any]) -> None:
        """Have marks from before a seek shown as such: it is another moment that is seen now."""
        first, self._begun = not self._begun, self._begun or state.get("reason") == "seek"
        if state.get("reason") != "seek" or first:
            return
        room, now = self._conductor.room, self._conductor.service.now()
        for number, producer in self.producers.items():
            picture = state["pictures"].get(str(number))
            if picture is not None:
                since = picture["rtp_timestamp"] if picture["frame"] is None else picture["frame"]
                room.go_on(producer, since, now)

    # -- its producers ---------------------------------------------------------------------------------------------

    def _announce(self, described: list[dict[str, Any]]) -> None:
        conductor = self._conductor
        day = datetime.fromtimestamp(self._facts["started"] / 1000, UTC)
        title = f"Recording {day:%Y-%m-%d %H:%M} UTC"
        self.member = conductor.join_inside(title)
        endpoint = conductor.service.endpoint
        self._transport = endpoint.create_inside(conductor.receive_plane_event, shard=conductor.shard)
        tracks = [_track(place, one) for place, one in enumerate(described)]
        rates = [int(one["bits_per_second"]) for one in described]
        made = conductor.router.publish_inside(self._transport, tracks, rates)
        for one, track, producer in zip(described, tracks, made, strict=True):
            number = int(one["producer"])
            self.producers[number], self._tracks[number] = producer, track
            self._make_known(producer, one, title, self.member)
        conductor.rewatch_all()
        conductor.pump()
        self._say(
            {
                "streams": {
                    str(number): {
                        "ssrc": track.ssrc,
                        "payload_type": track.payload_type,
                        "sequence": secrets.randbits(15),
                        "timestamp": secrets.randbits(32),
                    }
                    for number, track in self._tracks.items()
                }
            }
        )
        self.ask("seek", position=self._begin)
        self._report()

    def _make_known(self, producer: ProducerId, one: dict[str, Any], title: str, member: Member) -> None:
        conductor = self._conductor
        sound = one["codec"] == "OPUS"
        label = "".join(letter for letter in one["label"] if letter.isprintable())
        entry = Producer(
            producer=producer,
            participant=member.identifier,
            # never the operating field: that is the live one, which is served before all other pictures
            source="microphone" if sound else "second",
            kind="audio" if sound else "video",
            codec=one["codec"],
            label=(f"{title} · {label}" if label else title)[:LABEL_LIMIT],
            audience=Audience(frozenset(one["roles"]), frozenset()),
            recorded=Recorded(self.recording, self._facts["started"], int(one["producer"]), one["source"]),
        )
        conductor.room.announce(entry)
        conductor.router.describe(producer, entry.source)
        if conductor.recorder is not None:
            recording.add_producer(conductor, conductor.recorder, entry, conductor.service.now())

    def _report(self) -> None:
        """Tell the time of each track, so that sound and picture lie together; look who lacks a picture."""
        conductor = self._conductor
        self._timer = asyncio.get_running_loop().call_later(REPORT_INTERVAL, self._report)
        standing = self._standing
        if "timestamps" in standing and self._transport is not None:
            now = conductor.service.now()
            for number, track in self._tracks.items():
                ticks = round((now - standing["at"]) * track.clock_rate)
                rtp_timestamp = (int(standing["timestamps"][str(number)]) + ticks) & 0xFFFFFFFF
                report = SenderReport(track.ssrc, ntp_from_unix(int(now * 1e9)), rtp_timestamp, 0, 0)
                conductor.receive_rtcp(self._transport, build_compound([report]), int(now * 1e9))
            self._look_who_lacks()

    def _look_who_lacks(self) -> None:
        """While it stands still nobody's packets come, and nobody complains: look who was never sent anything."""
        conductor = self._conductor
        pictures = {p for p in self.producers.values() if conductor.router.producers[p].video}
        for subscriber in conductor.router.subscribers.values():
            for slot in subscriber.slots:
                if slot.producer not in pictures or not slot.started or slot.paused:
                    continue
                if conductor.service.plane.consumer_statistics(slot.consumer).packets == 0:
                    conductor.router.producers[slot.producer].want_key_frame(0)

    def _haste(self) -> int:
        """Return how many bits a second a run-up may have: what the narrowest line takes that it goes over."""
        router, now = self._conductor.router, self._conductor.service.steady()
        mine = set(self.producers.values())
        known = [
            target
            for transport, delivery in router.deliveries.items()
            if mine & set(router.subscribers[transport].watched())
            and (target := delivery.estimator.target(now)) is not None
        ]
        return int(min(MOST_RUN_UP, max(LEAST_RUN_UP, SHARE * min(known, default=MOST_RUN_UP / SHARE))))


def _track(place: int, one: dict[str, Any]) -> OfferedTrack:
    """Describe a recorded track as if it had been offered."""
    codec = Codec[one["codec"]]
    return OfferedTrack(
        mid=Mid(str(place)),
        kind="audio" if codec is Codec.OPUS else "video",
        codec=codec,
        clock_rate=int(one["clock_rate"]),
        payload_type=int(one["payload_type"]),
        fmtp=str(one["fmtp"]),
        ssrc=Ssrc(secrets.randbits(32) or 1),
    )


async def _reap(process: asyncio.subprocess.Process) -> None:
    """Let a worker end, and end it where it does not."""
    assert process.stdin is not None
    process.stdin.close()
    if process.returncode is None:
        # it may be reading for seconds: nothing of it is wanted any more
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    try:
        async with asyncio.timeout(GRACE):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
