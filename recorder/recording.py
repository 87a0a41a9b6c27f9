"""A recording in progress: the recorder as a participant of its room.

It decides what is tapped, when a key frame is wanted and what is kept when the disk cannot follow; the
server carries its bytes to the disk (writer.py) and its wishes to the plane. Call `receive_*` as things
happen, `handle_timer` at `get_timer()`, write what `bytes_to_write` gives, and report back what was written.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

from media.ids import ProducerId
from media.plane import Codec

from .journal import Gap, JournalError, JournalHeader, JournalWriter, JsonObject, SenderReport, tap_packets
from .stills import PARTS_AT_ONCE, STILL_BACKLOG, FrameName, StillQueue
from .tap import share_out

#: A key frame is asked for when the last one is this old (seconds): it is where a replay can seek to, and
#: where a picture becomes whole again after a loss that nobody could repair.
KEY_FRAME_INTERVAL = 10.0
#: A wish for a key frame that was not fulfilled is repeated after this long (seconds).
KEY_FRAME_PATIENCE = 2.0
#: What may wait for the disk. Beyond it packets are left out and counted; the writer's queue is larger.
MAX_BACKLOG = 48 << 20


@dataclass(frozen=True, slots=True)
class RecordedProducer:
    """What the journal says of a track, so that a container can be made of it. `fmtp` is SDP's, or empty."""

    producer: ProducerId
    participant: str
    source: str
    codec: Codec
    label: str
    clock_rate: int
    payload_type: int
    fmtp: str = ""
    muted: bool = False

    @property
    def kind(self) -> str:
        """Tell `audio` from `video`."""
        return "audio" if self.codec is Codec.OPUS else "video"


@dataclass(frozen=True, slots=True)
class TapWanted:
    """The plane shall copy this producer's packets to the tap, or stop."""

    producer: ProducerId
    enabled: bool


@dataclass(frozen=True, slots=True)
class KeyFrameWanted:
    """This producer's sender shall be asked for a key frame."""

    producer: ProducerId


RecordingEvent = TapWanted | KeyFrameWanted


class Recording:
    """One recording of one room. Methods after `close` are ignored, as the last packets may come late.

    `close` ends what is taken of the room, `stop` the journal: between them frozen frames are written to their end.
    """

    def __init__(self, header: JournalHeader, by: str, now: float) -> None:
        self.header = header
        self.stopped = False
        #: Packets that were left out because the disk could not follow.
        self.packets_left_out = 0
        self._writer = JournalWriter(header)
        self._handed_out = 0  # bytes given by bytes_to_write and not yet reported by receive_written
        self._producers: dict[ProducerId, RecordedProducer] = {}
        self._lanes: dict[
            ProducerId, int
        ] = {}  # of those that are gone too: their last packets may come late
        self._key_frame_at: dict[ProducerId, float] = {}  # when the next one is to be asked for
        self._events: deque[RecordingEvent] = deque()
        self._stills = StillQueue()
        self._closed_at = 0.0
        self._ended = False
        self.receive_event({"kind": "recording_started", "by": by}, now)

    @property
    def backlog(self) -> int:
        """Bytes that were received and are not on the disk yet."""
        return self._writer.backlog + self._handed_out

    def add_producer(self, producer: RecordedProducer, now: float) -> None:
        """Record a track from now on."""
        if self.stopped or producer.producer in self._producers:
            return
        self._producers[producer.producer] = producer
        self._lanes[producer.producer] = producer.producer
        self.receive_event(
            {
                "kind": "producer_added",
                "producer": producer.producer,
                "participant": producer.participant,
                "source": producer.source,
                "media": producer.kind,
                "codec": producer.codec.name,
                "label": producer.label,
                "clock_rate": producer.clock_rate,
                "payload_type": producer.payload_type,
                "fmtp": producer.fmtp,
                "muted": producer.muted,
            },
            now,
        )
        self._events.append(TapWanted(producer.producer, True))
        if producer.kind == "video":
            self._want_key_frame(producer.producer, now)

    def remove_producer(self, producer: ProducerId, now: float) -> None:
        """The track is gone."""
        if self.stopped or self._producers.pop(producer, None) is None:
            return
        self._key_frame_at.pop(producer, None)
        self.receive_event({"kind": "producer_removed", "producer": producer}, now)
        self._events.append(TapWanted(producer, False))

    def receive_tap(self, data: bytes, now: float) -> None:
        """Take tap records of this recording's producers (tap.share_out parts them from others')."""
        if self.stopped or not data:
            return
        if self.backlog + len(data) <= MAX_BACKLOG:
            for lane, piece in share_out(data, self._lanes).items():
                self._writer.receive_packets(lane, piece, now)
            return
        lost: Counter[int] = Counter()
        try:
            lost.update(producer for producer, *_ in tap_packets(data))
        except JournalError:
            lost[0] += 1
        for producer, packets in sorted(lost.items()):
            self.receive_gap(producer, packets, now)

    def receive_gap(self, producer: int, packets: int, now: float) -> None:
        """Packets were lost before they came here, such as Drop.TAP_FULL; producer 0 where it is not known."""
        if self.stopped or packets <= 0:
            return
        self.packets_left_out += packets
        self._writer.receive_gap(Gap(producer, packets), now)
        for known in self._producers.values():
            if known.kind == "video" and producer in (0, known.producer):
                self._want_key_frame(known.producer, now)

    def receive_key_frame(self, producer: ProducerId, now: float) -> None:
        """The plane saw a key frame begin (EventKind.KEY_FRAME)."""
        if producer in self._key_frame_at:
            self._key_frame_at[producer] = now + KEY_FRAME_INTERVAL

    def receive_sender_report(
        self, producer: ProducerId, ntp: int, rtp_timestamp: int, arrival: int, now: float
    ) -> None:
        """Keep a sender report (64-bit NTP, RTP timestamp as in the packets) that arrived at `arrival` ns."""
        if not self.stopped and producer in self._producers:
            self._writer.receive_sender_report(SenderReport(producer, ntp, rtp_timestamp), arrival, now)

    def receive_operation(self, notice: JsonObject, now: float) -> None:
        """Keep an `operation` notice; those from before the recording first, when it starts."""
        if not self.stopped:
            self._writer.receive_operation(notice, now)

    def receive_pointer(self, message: JsonObject, now: float) -> None:
        """Keep a `pointer` or `stroke` message, with its author; dropped rather than above the backlog."""
        if not self.stopped and self.backlog <= MAX_BACKLOG:
            self._writer.receive_pointer(message, now)

    def receive_event(self, event: JsonObject, now: float) -> None:
        """Keep a room event that is not about a track (FORMAT.md lists them): participants, mute."""
        if not self.stopped:
            self._writer.receive_event(event, now)

    def receive_still(self, name: FrameName, digest: bytes, png: bytes) -> bool:
        """Keep a frozen frame's file (and its SM3), as the disk has time for it. One at a time: see `awaits_still`.

        False: it is left out, being too large, one too many, or too late.
        """
        return not self._ended and self._stills.receive(name, digest, png)

    @property
    def awaits_still(self) -> bool:
        """Whether the still before is handed out, and the next may come."""
        return self._stills.is_idle

    def receive_written(self, size: int) -> None:
        """The writer put so many more bytes on the disk."""
        self._handed_out = max(0, self._handed_out - size)

    def close(self, by: str, now: float) -> None:
        """Take nothing more of the room: the taps close."""
        if self.stopped:
            return
        self.receive_event({"kind": "recording_stopped", "by": by}, now)
        for producer in self._producers:
            self._events.append(TapWanted(producer, False))
        self._key_frame_at.clear()
        self._closed_at = now
        self.stopped = True

    def stop(self, by: str, now: float, reason: str = "stopped") -> None:
        """End the recording: `bytes_to_write` gives the end of the journal. A still that is not whole stays so."""
        self.close(by, now)
        if not self._ended:
            # it lasted until nothing more was taken
            self._writer.finish(self._closed_at, reason)
            self._ended = True

    def bytes_to_write(self, now: float) -> bytes:
        """Take what is due for the disk: whole blocks, or nothing."""
        self._take_still(now)
        data = self._writer.blocks_to_write(now)
        self._handed_out += len(data)
        return data

    def get_timer(self) -> float | None:
        """Tell when something is due, Unix seconds."""
        timers = [
            timer for timer in (self._writer.get_timer(), *self._key_frame_at.values()) if timer is not None
        ]
        return min(timers, default=None)

    def handle_timer(self, now: float) -> None:
        """Ask for the key frames that are due."""
        for producer, due in list(self._key_frame_at.items()):
            if due <= now:
                self._want_key_frame(producer, now)

    def next_event(self) -> RecordingEvent | None:
        """Take the next wish to the plane."""
        return self._events.popleft() if self._events else None

    def _take_still(self, now: float) -> None:
        for _ in range(PARTS_AT_ONCE):
            if self._ended or self.backlog >= STILL_BACKLOG or (part := self._stills.next_part()) is None:
                return
            self._writer.receive_still(bytes(part), now)

    def _want_key_frame(self, producer: ProducerId, now: float) -> None:
        self._key_frame_at[producer] = now + KEY_FRAME_PATIENCE
        wish = KeyFrameWanted(producer)
        if wish not in self._events:
            self._events.append(wish)
