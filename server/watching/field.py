"""One field as the server sees it: a customer of the tap that keeps the newest packets, and asks for key frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from media.ids import ProducerId

from ..tap import INTERVAL
from .backlog import Backlog
from .pictures import Stream

if TYPE_CHECKING:
    from media.producer import Producer

#: Seconds after which a key frame is asked for, so that what is kept does not grow without end; and the least between
#: two requests that were not answered.
KEY_FRAME_EVERY: Final = 10.0
ASK_AGAIN: Final = 2.0


class Field:
    """Keeps what a still needs. `now` is Unix seconds."""

    def __init__(self, producer: Producer) -> None:
        track = producer.track
        self.producers = frozenset({ProducerId(producer.producer)})
        self.stream = Stream(track.codec, track.payload_type, track.fmtp, track.clock_rate)
        self.backlog = Backlog(track.codec)
        self._producer = producer
        self._asked = float("-inf")

    @property
    def tap_interval(self) -> float:
        """How many seconds packets may lie in the tap."""
        return INTERVAL

    def receive_tap(self, data: bytes, now: float) -> None:
        """Take packets of this field."""
        self.backlog.receive(data)

    def receive_gap(self, packets: int, now: float) -> None:
        """Learn that packets are missing: their numbers tell where."""

    def pump(self, now: float) -> None:
        """Ask for a key frame where one is due."""
        newest = self.backlog.newest_key_frame
        overdue = newest is None or self.backlog.oversized or now - newest / 1e9 > KEY_FRAME_EVERY
        if overdue and now - self._asked > ASK_AGAIN and not self._producer.muted:
            self._asked = now
            for encoding in range(len(self._producer.encodings)):
                self._producer.want_key_frame(encoding)
