"""What deciding costs: the CPU time of a room's control core, in virtual time, without a socket or a packet.

Everybody sends a camera in three sizes and a voice, one of them a 4K field; everybody is sent all of it and says what
arrives, as browsers do: 20 feedbacks a second, with 10 groups in each. Only the plane is missing, so no packet's cost
is in the figures, and a busy machine does not change them: they are CPU time for each second of the consultation.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from media.feedback_group import FeedbackGroup
from media.ids import ConsumerId, Mid, ProducerId, Rid, Ssrc, TransportId
from media.plane import (
    Codec,
    ConsumerSpec,
    ConsumerStatistics,
    EncodingStatistics,
    EventKind,
    Layer,
    Plane,
    PlaneEvent,
    ProducerSpec,
    ProducerStatistics,
)
from media.router import Router
from media.sdp import OUR_EXTENSION_IDS, OfferedTrack
from media.sdp.simulcast import OfferedEncoding

#: Heights and bit/s, the smallest first.
FIELD = ((540, 1_500_000), (1080, 6_000_000), (2160, 20_000_000))
CAMERA = ((180, 150_000), (360, 500_000), (720, 1_500_000))
VOICE = ((0, 32_000),)
FACE_TILE, FIELD_TILE = 180, 2160

FEEDBACK_INTERVAL = 0.05
GROUPS = 10
#: The control core's own beat: what happens within it is timed together.
TICK = 0.01
WAY = 0.02


@dataclass(slots=True)
class QuietPlane:
    """The control half of a plane that moves nothing, and counts what would have come in."""

    sizes: dict[ProducerId, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    layers: dict[ConsumerId, Layer] = field(default_factory=dict)
    paused: set[ConsumerId] = field(default_factory=set)
    probes: dict[TransportId, tuple[int, int]] = field(default_factory=dict)
    now: float = 0.0

    def add_producer(self, spec: ProducerSpec) -> None:
        """Nothing to do."""

    def add_consumer(self, spec: ConsumerSpec) -> None:
        """Begin with the smallest."""
        self.layers[spec.consumer] = Layer()

    def set_layer(self, consumer: ConsumerId, layer: Layer) -> None:
        """Send this from now on."""
        self.layers[consumer] = layer

    def set_paused(self, consumer: ConsumerId, *, paused: bool) -> None:
        """Send nothing, or again."""
        (self.paused.add if paused else self.paused.discard)(consumer)

    def set_pacing(self, transport: TransportId, rate: int) -> None:
        """Nothing to do."""

    def set_timestamp_offset(self, producer: ProducerId, index: int, offset: int) -> None:
        """Nothing to do."""

    def send_rtcp(self, transport: TransportId, data: bytes) -> None:
        """Nothing to do."""

    def probe(self, transport: TransportId, cluster: int, rate: int, packets: int = 15) -> None:
        """Answer it with the next feedback."""
        self.probes[transport] = (cluster, rate)

    def producer_statistics(self, producer: ProducerId) -> ProducerStatistics:
        """Count what came by now; all encodings show the same frames."""
        frames = tuple(int((self.now - i / 30) * 90_000) for i in range(16)) if self.now > 1 else ()
        return ProducerStatistics(
            tuple(
                EncodingStatistics(
                    layer_bytes=(int(rate / 8 * self.now), *[0] * 15),
                    recent_timestamps=frames,
                    capture=(int(self.now * 90_000), int(self.now * (1 << 32))),
                )
                for _, rate in self.sizes[producer]
            ),
            (0,) * 100,
        )

    def consumer_statistics(self, consumer: ConsumerId) -> ConsumerStatistics:
        """Say that nothing was sent."""
        return ConsumerStatistics(0, 0, 0, 0, 0)


class Room:
    """Everybody in it, and the virtual time that passes. `line`, bit/s, is what each line carries; None: all."""

    def __init__(self, people: int, line: float | None) -> None:
        self.plane = QuietPlane()
        self._numbers = itertools.count(1)
        self.router = Router(cast(Plane, self.plane), lambda: next(self._numbers))
        self.line = line
        self.now = 0.0
        self._queues: dict[TransportId, float] = {}
        self.spent = {"feedback": 0, "timers": 0, "decisions": 0}
        for person in range(people):
            tracks = [("camera", CAMERA), ("microphone", VOICE)] + ([("field", FIELD)] if person == 0 else [])
            self._publish(tracks)
        for _ in range(people):
            self._watch()

    def _publish(self, tracks: list[tuple[str, tuple[tuple[int, int], ...]]]) -> None:
        transport = TransportId(next(self._numbers))
        offered: list[OfferedTrack] = []
        for source, sizes in tracks:
            audio = source == "microphone"
            encodings = [OfferedEncoding(Rid(str(i)), Ssrc(next(self._numbers))) for i in range(len(sizes))]
            offered.append(
                OfferedTrack(
                    Mid(str(len(offered))),
                    "audio" if audio else "video",
                    Codec.OPUS if audio else Codec.H264,
                    48_000 if audio else 90_000,
                    111 if audio else 102,
                    "",
                    ssrc=encodings[0].ssrc,
                    simulcast=tuple(encodings) if len(encodings) > 1 else (),
                    extensions=OUR_EXTENSION_IDS,
                )
            )
        for producer, (source, sizes) in zip(self.router.publish(transport, offered), tracks, strict=True):
            self.plane.sizes[producer] = sizes
            self.router.describe(producer, source, tuple(height for height, _ in sizes))

    def _watch(self) -> None:
        transport = TransportId(next(self._numbers))
        subscriber = self.router.watch(transport)
        for producer, entry in self.router.producers.items():
            slot = subscriber.assign(producer, entry.track.codec, entry.track.clock_rate, "")
            slot.accept(102, 103, OUR_EXTENSION_IDS)
        self.router.start(transport, subscriber.slots)
        for producer, entry in self.router.producers.items():
            if entry.video:
                self.router.view(transport, producer, FIELD_TILE if entry.source == "field" else FACE_TILE)
        self._queues[transport] = 0.0

    def run(self, seconds: float) -> None:
        """Let time pass, and note what the core spends of the CPU's."""
        timer = self.router.get_timer()
        for tick in range(round(seconds / TICK)):
            self.now += TICK
            self.plane.now = self.now
            due = [
                self._feedback(transport)
                for i, transport in enumerate(self._queues)
                if (tick + i) % round(FEEDBACK_INTERVAL / TICK) == 0
            ]
            began = time.thread_time_ns()
            for event in due:
                self.router.receive_event(event, self.now)
            heard = time.thread_time_ns()
            # the shell asks after each event
            for _ in due:
                timer = self.router.get_timer()
            asked = time.thread_time_ns()
            if timer is not None and timer <= self.now:
                self.router.handle_timer(self.now)
            while self.router.next_event() is not None:
                pass
            decided = time.thread_time_ns()
            self.spent["feedback"] += heard - began
            self.spent["timers"] += asked - heard
            self.spent["decisions"] += decided - asked
            self._switch()

    def _switch(self) -> None:
        """Have the plane switch at once."""
        for delivery in self.router.deliveries.values():
            for slot in delivery.subscriber.slots:
                slot.sending = self.plane.layers[slot.consumer].encoding

    def _sending(self, transport: TransportId) -> float:
        """Bits a second that a line is used for."""
        total = 0.0
        for slot in self.router.deliveries[transport].subscriber.slots:
            if slot.consumer not in self.plane.paused:
                encoding = min(
                    self.plane.layers[slot.consumer].encoding, len(self.plane.sizes[slot.producer]) - 1
                )
                total += self.plane.sizes[slot.producer][encoding][1]
        return total

    def _feedback(self, transport: TransportId) -> PlaneEvent:
        """What a browser says of the last 50 ms: a queue grows by what the line does not carry."""
        step = FEEDBACK_INTERVAL / GROUPS
        size = self._sending(transport) / 8 * step
        groups = []
        for i in range(GROUPS):
            sent, carried, late = self.now - FEEDBACK_INTERVAL + i * step, size, 0.0
            if self.line is not None:
                queue = min(
                    max(0.0, self._queues[transport] + size - self.line / 8 * step), self.line / 8 * 0.3
                )
                self._queues[transport], late = queue, queue * 8 / self.line
                carried = min(size, self.line / 8 * step)
            groups.append(_group(sent, sent + WAY + late, carried, 0))
        cluster, rate = self.plane.probes.pop(transport, (0, 0))
        if cluster:
            carried = min(rate, self.line or rate)
            for i in range(6):
                sent, arrived = self.now + i * 0.004, self.now + WAY + i * 0.004 * rate / carried
                groups.append(_group(sent, arrived, rate / 8 * 0.004, cluster))
        data = b"".join(map(bytes, groups))
        return PlaneEvent(EventKind.FEEDBACK, transport, None, int(self.now * 1e9), 0, data)


def _group(sent: float, arrived: float, size: float, cluster: int) -> FeedbackGroup:
    nanoseconds = int(sent * 1e9)
    return FeedbackGroup(
        nanoseconds, nanoseconds + 1000, int(arrived * 1e9), int(size), max(1, int(size / 1200)), 0, cluster
    )


def measure(people: int, seconds: float, line: float | None) -> dict[str, float]:
    """Return the share of a core, in percent, that each part takes once the room has settled."""
    room = Room(people, line)
    room.run(8.0)
    room.spent = dict.fromkeys(room.spent, 0)
    room.run(seconds)
    shares = {part: round(spent / 1e7 / seconds, 3) for part, spent in room.spent.items()}
    return {**shares, "together": round(sum(shares.values()), 3)}


def main(arguments: list[str]) -> int:
    """Measure a room of wide lines and one of narrow ones."""
    parser = argparse.ArgumentParser(prog="python -m loadtests decisions", description=__doc__)
    parser.add_argument("--people", type=int, default=16, help="who send and watch (default %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="of the consultation (default %(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    found = {
        name: measure(options.people, options.seconds, line)
        for name, line in (("wide", None), ("narrow", 6e6))
    }
    for name, shares in found.items():
        words = ", ".join(f"{part} {share} %" for part, share in shares.items())
        print(f"{options.people} people, {name} lines: {words} of a core")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0
