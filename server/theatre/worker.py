"""`python -m server.theatre.worker`: plays one recording for a room, until its standard input ends.

A process of its own: neither a journal of gigabytes nor its cipher holds up the server's loop, and the packet plane is
given bursts that are ready to leave. How it is spoken to stands in `wire.py`. The pipe holds it up where the server
does not read; it then plays on later, and nothing is sent in a rush (`playing.MOST_LATE`).
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections import deque
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from recorder.journal import JournalError
from recorder.seal.keys import DataKey
from recorder.seal.suites import SealError, suite_named
from recorder.segments.index import SegmentError

from . import wire
from .opening import Opened
from .playing import Player, Sending, Standing
from .rewriting import Rewriter

#: Packets that leave at once, and the time to the next: 300 Mbit/s, as the publisher has it.
BURST_PACKETS: Final = 32
BURST_SPACING: Final = 0.001
#: After the last picture before it stands still nothing comes by which a receiver could see that its end is missing:
#: so many seconds after it, padding does.
TAIL: Final = (0.06, 0.2, 0.6)
#: A command's longest line, bytes.
LINE_LIMIT: Final = 1 << 16
_STEP: Final = 0.02


class Worker:
    """Plays what `opened` holds, by `streams`: of each track the SSRC, first sequence number and first timestamp."""

    def __init__(self, opened: Opened, streams: dict[str, Any], now: float) -> None:
        self._opened = opened
        firsts, self._rewriters = {}, {}
        for number, pictures in opened.tracks.items():
            stream = streams[str(number)]
            firsts[number] = int(stream["timestamp"])
            self._rewriters[number] = Rewriter(
                pictures.track.codec,
                ssrc=int(stream["ssrc"]),
                payload_type=int(stream["payload_type"]),
                sequence=int(stream["sequence"]),
            )
        self.player = Player(opened.tracks, firsts, opened.seconds, now)
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._free = now
        #: of each picture track: the newest timestamp, and when padding follows
        self._tails: dict[int, tuple[int, list[float]]] = {}
        self._said = -1
        self._reason = "opened"

    def carry_out(self, command: dict[str, Any], now: float) -> None:
        """Do what a command says."""
        before = self.player.version
        match command["action"]:
            case "play":
                self.player.play(now)
            case "pause":
                self.player.pause(now)
            case "speed":
                self.player.set_speed(float(command["speed"]), now)
            case "seek":
                self.player.seek(float(command["position"]), now, int(command["bits_per_second"]))
            case "lacking":
                self.player.want_picture(now)
        if self.player.version != before:
            self._reason = str(command["action"])

    def get_timer(self) -> float | None:
        """When `output` has something next."""
        timers = [timer for timer in (self.player.get_timer(),) if timer is not None]
        if self._waiting:
            timers.append(self._waiting[0][0])
        timers += [instants[0] for _, instants in self._tails.values() if instants]
        return min(timers, default=None)

    def output(self, now: float) -> list[bytes]:
        """Give what is to be told and sent now."""
        for sending in self.player.due(now):
            self._packetise(sending, now)
        out = []
        if self.player.version != self._said:
            self._said = self.player.version
            out.append(wire.state(self._standing()))
            self._reason = "end"
        while self._waiting and self._waiting[0][0] <= now:
            out.append(self._waiting.popleft()[1])
        if not self._waiting:
            out += self._padding(now)
        return out

    def _padding(self, now: float) -> list[bytes]:
        out = []
        for track, (timestamp, instants) in self._tails.items():
            while instants and instants[0] <= now:
                instants.pop(0)
                out.append(wire.burst(track, [self._rewriters[track].fill(timestamp)]))
        return out

    def _packetise(self, sending: Sending, now: float) -> None:
        pictures, rewriter = self._opened.tracks[sending.track], self._rewriters[sending.track]
        if sending.begins:
            rewriter.begin()
        packets = rewriter.rewrite(
            pictures.packets_of(sending.picture),
            sending.timestamp,
            spurt=sending.begins and pictures.sound,
        )
        self._free = max(self._free, now)
        for start in range(0, len(packets), BURST_PACKETS):
            self._waiting.append(
                (self._free, wire.burst(sending.track, packets[start : start + BURST_PACKETS]))
            )
            self._free += BURST_SPACING
        if packets and not pictures.sound:
            self._tails[sending.track] = (sending.timestamp, [self._free + after for after in TAIL])

    def _standing(self) -> dict[str, Any]:
        standing: Standing = self.player.standing()
        pictures = {
            str(track): {
                "rtp_timestamp": self.player.timestamp(track, standing.at) & 0xFFFFFFFF,
                "frame": None if frame is None else frame & 0xFFFFFFFF,
            }
            for track, frame in standing.frames.items()
        }
        return {
            "state": "playing" if standing.playing else "paused",
            "reason": self._reason,
            "position": standing.position,
            "at": standing.at,
            "speed": standing.speed,
            "pictures": pictures,
            "timestamps": {
                str(track): self.player.timestamp(track, standing.at) & 0xFFFFFFFF
                for track in self._rewriters
            },
        }


def main() -> int:
    """Read the first line, open the recording, play; return the exit status."""
    os.nice(5)  # live pictures come first
    # unbuffered: what comes behind the first line is for `_play`
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as line:
        first = json.loads(line.readline(LINE_LIMIT))
    said = 0.0

    def progress(share: float) -> None:
        nonlocal said
        if share - said >= _STEP:
            said = share
            _write([wire.state({"state": "opening", "progress": round(share, 2)})])

    try:
        key = DataKey(suite_named(first["suite"]), bytes.fromhex(first["key"])) if first["key"] else None
        opened = Opened(Path(first["folder"]), key, first["producers"], progress)
        with closing(opened):
            _write([wire.state({"state": "ready", **opened.describe()})])
            _play(opened)
    except (JournalError, SealError, SegmentError, OSError) as error:
        _write([wire.state({"state": "failed", "kind": type(error).__name__})])
        return 1
    return 0


def _play(opened: Opened) -> None:
    descriptor = sys.stdin.fileno()
    # Unix seconds that never step
    offset = time.time() - time.monotonic()
    held = b""
    worker: Worker | None = None
    while True:
        now = offset + time.monotonic()
        timer = worker.get_timer() if worker is not None else None
        timeout = None if timer is None else max(0.0, timer - now)
        readable, _, _ = select.select([descriptor], [], [], timeout)
        now = offset + time.monotonic()
        if readable:
            data = os.read(descriptor, LINE_LIMIT)
            if not data:
                return
            *lines, held = (held + data).split(b"\n")
            for line in lines:
                command = json.loads(line)
                if worker is None:
                    worker = Worker(opened, command["streams"], now)
                else:
                    worker.carry_out(command, now)
        if worker is not None:
            _write(worker.output(now))


def _write(pieces: list[bytes]) -> None:
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
