"""The worker of one field: decodes what comes, tracks the marks, tells what is worth telling, and never lags silently.

How late it is it knows from the packets themselves: each bears when it arrived at the server. When it is later than
a mark may be wrong it says that all marks are stale, leaves pictures out until it is in time again, and lets the
marks find their tissue.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections import deque
from dataclasses import replace
from typing import Any, BinaryIO, Final

import av

from annotation.tracking.announcing import Announcer
from annotation.tracking.flow import alike, reduced, resized, work_alone
from annotation.tracking.tracker import Track, Tracker, Wanted

from . import wire
from .decoding import Decoder, brightness
from .pictures import Picture, Pictures, Stream

#: Pictures are tracked at this width, or less, px.
WIDTH: Final = 960
#: Seconds from a packet's arrival to its picture's tracks; what is later is not to be believed.
LATE: Final = 0.15
#: Later than this the worker goes on at a newer key frame, if one is there; later at the beginning, where the way from
#: a mark's own picture to now is the only one that does not lose it.
HOPELESS: Final = 0.6
HOPELESS_AT_FIRST: Final = 4.0
#: Pictures left out in a row, at most, while it is late: more would be a jump that nothing follows.
LEFT_OUT: Final = 2
#: A picture closer than this to the one before is left out: 60 a second tell no more than 30, seconds.
LEAST_STEP: Final = 0.02
#: Seconds between two signs of life.
ALIVE_EVERY: Final = 0.05


def main(source: BinaryIO, target: BinaryIO) -> int:
    """Work until the source ends; returns the exit status."""
    work_alone()
    inbox: queue.SimpleQueue[tuple[bytes, bytes] | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(source, inbox), daemon=True).start()
    first = inbox.get()
    if first is None or first[0] != wire.STREAM:
        return 2
    worker = Worker(wire.read_stream(json.loads(first[1])), target)
    while True:
        try:
            entry = inbox.get(timeout=0 if worker.busy else ALIVE_EVERY)
        except queue.Empty:
            worker.work(time.time())
            continue
        if entry is None:
            return 0
        worker.receive(*entry)


def _read(source: BinaryIO, inbox: queue.SimpleQueue[tuple[bytes, bytes] | None]) -> None:
    messages = wire.Messages()
    read: Any = getattr(source, "read1", source.read)
    while data := read(1 << 16):
        for entry in messages.receive(data):
            inbox.put(entry)
    inbox.put(None)


class Worker:
    """Decodes and tracks one stream. `now` is Unix seconds, of the clock that stamps packets."""

    def __init__(self, stream: Stream, target: BinaryIO) -> None:
        self._stream = stream
        self._target = target
        self._pictures = Pictures(stream)
        self._decoder = Decoder(stream.codec, quick=True)
        self._waiting: deque[Picture] = deque()
        self._tracker = Tracker(stream.clock_rate)
        self._announcer = Announcer()
        self._marks: dict[str, Wanted] = {}
        self._arrived = 0  # when the newest packet did, ns
        self._looked = 0  # when the newest picture did that was tracked, ns
        self._shown_at: int | None = None  # its RTP timestamp
        self._size: tuple[int, ...] | None = None  # at which everything is tracked, height and width
        self._left_out = 0
        self._broken = False  # the decoder waits for a key frame
        self._asked = 0.0
        self._said = 0.0
        self._in_time = False  # whether it ever was
        self._swept = False  # whether the camera was cut or fast since the server was told last

    @property
    def busy(self) -> bool:
        """Whether pictures wait."""
        return bool(self._waiting)

    def receive(self, kind: bytes, payload: bytes) -> None:
        """Take a message of the server."""
        if kind == wire.PACKETS:
            self._waiting.extend(self._pictures.receive(payload))
            if len(payload) >= 16:
                self._arrived = max(self._arrived, _newest_arrival(payload))
        elif kind == wire.MARKS:
            self._want(json.loads(payload))
        elif kind == wire.STREAM:
            # the same frames in another size: what is known of the marks stays
            self._stream = wire.read_stream(json.loads(payload))
            self._pictures, self._decoder = Pictures(self._stream), Decoder(self._stream.codec, quick=True)
            self._waiting.clear()
            self._broken = False
        elif kind == wire.FORGET:
            self._announcer.forget()
        elif kind == wire.DRAWN:
            for timestamp in json.loads(payload)["rtp_timestamps"]:
                self._tracker.expect(int(timestamp))

    def _want(self, body: dict[str, Any]) -> None:
        for mark in body["gone"]:
            self._marks.pop(mark, None)
        for one in body["marks"]:
            mark = str(one["mark"])
            wanted = Wanted(
                mark,
                int(one["rtp_timestamp"]),
                tuple((float(x), float(y)) for x, y in one["points"]),
                bool(one["follow"]),
                int(one["place"]),
            )
            if wanted.place > 1:
                self._announcer.begin(mark)
            self._marks[mark] = wanted
        self._tracker.want(self._marks.values())

    def work(self, now: float) -> None:
        """Decode and track the next picture, or look whether one is overdue."""
        if not self._waiting:
            # packets that make no picture: a gap that is not closed, or one that never ends
            late = self._looked > 0 and (self._arrived - self._looked) / 1e9 > LATE
            if late and not self._pictures.intact:
                self._tracker.blind()
                self._want_key_frame(now)
            self._tell(now, late=late)
            return
        self._catch_up(now)
        picture = self._waiting.popleft()
        if self._broken and not picture.key:
            self._want_key_frame(now)
            self._tell(now, late=True)
            return
        try:
            frames = list(self._decoder.decode(picture))
        except av.FFmpegError:
            # what refers to this picture would show tissue that was never there
            self._broken = True
            self._decoder = Decoder(self._stream.codec, quick=True)
            self._tracker.blind()
            self._want_key_frame(now)
            return
        self._broken = False
        for shown, frame in frames:
            self._look(shown, frame, now)

    def _look(self, shown: Picture, frame: Any, now: float) -> None:
        lag = now - shown.arrival / 1e9
        before = self._tracker.rtp_timestamp
        step = (
            None if before is None else (shown.rtp_timestamp - before) % (1 << 32) / self._stream.clock_rate
        )
        awaited = self._tracker.awaits(shown.rtp_timestamp)
        # after a change of sizes frames come once more, from the key frame on
        seen = (
            before is not None
            and 0 <= (before - shown.rtp_timestamp) % (1 << 32) < 60 * self._stream.clock_rate
        )
        if seen or (step is not None and step < LEAST_STEP and not awaited):
            return
        if lag > LATE / 2 and self._left_out < LEFT_OUT and self._waiting and not awaited:
            self._left_out += 1
            return
        self._left_out = 0
        self._in_time = self._in_time or lag < LATE
        image = reduced(brightness(frame), WIDTH)
        if self._size is None or not alike(self._size, image.shape):
            # what was found in a picture of another shape says nothing about this one
            self._size, self._tracker = image.shape, Tracker(self._stream.clock_rate)
            self._tracker.want(self._marks.values())
        self._tracker.receive(resized(image, self._size), shown.rtp_timestamp)
        self._looked, self._shown_at = shown.arrival, shown.rtp_timestamp
        self._swept = self._swept or self._tracker.swept
        self._tell(now, late=lag > LATE)

    def _catch_up(self, now: float) -> None:
        """Go on at the newest key frame that is there, where the way to it cannot be made in time."""
        late = now - self._waiting[0].arrival / 1e9
        if late < HOPELESS or (late < HOPELESS_AT_FIRST and not self._in_time and self._tracker.holds):
            return
        key = 0
        for number, picture in enumerate(self._waiting):
            if picture.key:
                key = number
            if self._tracker.awaits(picture.rtp_timestamp):
                break
        if key > 0:
            for _ in range(key):
                self._waiting.popleft()
            self._tracker.blind()

    def _want_key_frame(self, now: float) -> None:
        if now - self._asked > 1.0:
            self._asked = now
            self._send(wire.KEY_FRAME, {})

    def _tell(self, now: float, *, late: bool) -> None:
        if self._shown_at is None:
            return
        tracks = self._tracker.tracks()
        if late:
            tracks = [_unbelieved(track) for track in tracks]
        news = self._announcer.news(tracks, now)
        body = {
            "rtp_timestamp": self._shown_at,
            "arrival": self._looked,
            "late": late,
            "swept": self._swept,
        }
        if news:
            self._send(wire.TRACKS, {**body, "tracks": [_to_json(track) for track in news]})
        elif now - self._said >= ALIVE_EVERY:
            self._send(wire.ALIVE, body)
        else:
            return
        self._said, self._swept = now, False

    def _send(self, kind: bytes, body: dict[str, Any]) -> None:
        self._target.write(wire.message_of(kind, body))
        self._target.flush()


def _newest_arrival(records: bytes) -> int:
    """Give when the first of some tap records arrived, ns: near enough to the newest."""
    return int.from_bytes(records[8:16], "big")


def _unbelieved(track: Track) -> Track:
    state = "stale" if track.state == "good" else track.state
    return replace(track, state=state, confidence=0.0)


def _to_json(track: Track) -> dict[str, Any]:
    matrix = track.matrix
    return {
        "mark": track.mark,
        "state": track.state,
        # as a canvas has it: column by column
        "matrix": [round(float(matrix[row, column]), 6) for column in range(3) for row in range(2)],
        "confidence": round(min(1.0, max(0.0, track.confidence)), 3),
        "seen": track.seen,
        "place": track.place,
    }
