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

from .interruption import MAX_BACKLOG, MAX_TALK_BACKLOG, Interrupted, Interruption, Resumed, Trouble
from .journal import (
    Gap,
    JournalError,
    JournalHeader,
    JournalWriter,
    JsonObject,
    SenderReport,
    nanoseconds,
    tap_packets,
)
from .stills import PARTS_AT_ONCE, STILL_BACKLOG, FrameName, StillQueue
from .tap import share_out

#: A key frame is asked for when the last one is this old (seconds): it is where a replay can seek to, and
#: where a picture becomes whole again after a loss that nobody could repair.
KEY_FRAME_INTERVAL = 10.0
#: A wish for a key frame that was not fulfilled is repeated after this long (seconds).
KEY_FRAME_PATIENCE = 2.0
#: Seconds from asking for a producer's packets until the plane surely copies them.
TAP_DELAY = 0.05

#: Without these nothing after them could be read: they are written however much waits.
_ALWAYS = {"producer_added", "recording_interrupted", "recording_resumed", "recording_stopped"}


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


RecordingEvent = TapWanted | KeyFrameWanted | Interrupted | Resumed


class Recording:
    """One recording of one room. Methods after `close` are ignored, as the last packets may come late.

    `close` ends what is taken of the room, `stop` the journal: between them frozen frames are written to their end.
    """

    def __init__(self, header: JournalHeader, by: str, now: float) -> None:
        self.header = header
        self.stopped = False
        self._disk = Interruption()
        self._lost_before = 0  # packets that the tap had no room for
        self._writer = JournalWriter(header)
        self._handed_out = 0  # bytes given by bytes_to_write and not yet reported by receive_written
        self._producers: dict[ProducerId, RecordedProducer] = {}
        self._lanes: dict[
            ProducerId, int
        ] = {}  # of those that are gone too: their last packets may come late
        self._key_frame_at: dict[ProducerId, float] = {}  # when the next one is to be asked for
        self._tapped_since: dict[ProducerId, float] = {}
        self._events: deque[RecordingEvent] = deque()
        self._stills = StillQueue()
        self._closed_at = 0.0
        self._ended = False
        self.receive_event({"kind": "recording_started", "by": by}, now)

    @property
    def backlog(self) -> int:
        """Bytes that were received and are not on the disk yet."""
        return self._writer.backlog + self._handed_out

    @property
    def is_interrupted(self) -> bool:
        """Whether the disk does not follow."""
        return self._disk.is_interrupted

    @property
    def packets_left_out(self) -> int:
        """Packets that are not in the journal, because the disk or the tap's reader could not follow."""
        return self._disk.packets + self._lost_before

    @property
    def seconds_left_out(self) -> float:
        """How long packets were left out because of the disk, up to when they were taken again."""
        return self._disk.seconds

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
        self._tapped_since[producer.producer] = now
        if producer.kind == "video":
            self._want_key_frame(producer.producer, now)

    def remove_producer(self, producer: ProducerId, now: float) -> None:
        """The track is gone."""
        if self.stopped or self._producers.pop(producer, None) is None:
            return
        self._key_frame_at.pop(producer, None)
        self._tapped_since.pop(producer, None)
        self.receive_event({"kind": "producer_removed", "producer": producer}, now)
        self._events.append(TapWanted(producer, False))

    def receive_tap(self, data: bytes, now: float) -> None:
        """Take tap records of this recording's producers (tap.share_out parts them from others')."""
        if self.stopped or not data:
            return
        if self._disk.takes(self.backlog, len(data), now):
            for lane, piece in share_out(data, self._lanes).items():
                self._writer.receive_packets(lane, piece, now)
            return
        lost: Counter[int] = Counter()
        try:
            lost.update(producer for producer, *_ in tap_packets(data))
        except JournalError:
            lost[0] += 1
        for producer, packets in lost.items():
            self._disk.leave_out(producer, packets, now)

    def receive_trouble(self, trouble: Trouble | None, now: float) -> None:
        """Learn at each look why the disk takes nothing just now, or that it does."""
        if self.stopped:
            return
        told = self._disk.receive_trouble(trouble, self.backlog, now)
        if isinstance(told, Interrupted):
            self.receive_event({"kind": "recording_interrupted", "reason": told.trouble.sentence}, now)
        elif isinstance(told, Resumed):
            self._take_again(now)
            missing: JsonObject = {"seconds": round(told.seconds, 3), "packets": told.packets}
            self.receive_event({"kind": "recording_resumed", **missing, "records": told.records}, now)
        if told is not None:
            self._events.append(told)

    def _take_again(self, now: float) -> None:
        gaps = self._disk.take_gaps(now)
        for since, gap in gaps:
            self._writer.receive_gap(gap, since, now)
        if gaps:
            self._want_key_frames(0, now)

    def receive_gap(self, producer: int, packets: int, now: float) -> None:
        """Packets were lost before they came here, such as Drop.TAP_FULL; producer 0 where it is not known."""
        if self.stopped or packets <= 0:
            return
        self._lost_before += packets
        self._writer.receive_gap(Gap(producer, packets), nanoseconds(now), now)
        self._want_key_frames(producer, now)

    def receive_key_frame(self, producer: ProducerId, began: float, now: float) -> None:
        """The plane saw a key frame begin (EventKind.KEY_FRAME), at `began` by the clock of `now`."""
        if producer not in self._key_frame_at:
            return
        if began < self._tapped_since[producer] + TAP_DELAY:
            # its packets went by before they were copied, and it answered our wish all the same
            self._want_key_frame(producer, now)
        else:
            self._key_frame_at[producer] = now + KEY_FRAME_INTERVAL

    def receive_sender_report(
        self, producer: ProducerId, ntp: int, rtp_timestamp: int, arrival: int, now: float
    ) -> None:
        """Keep a sender report (64-bit NTP, RTP timestamp as in the packets) that arrived at `arrival` ns."""
        if not self.stopped and producer in self._producers and self._has_room():
            self._writer.receive_sender_report(SenderReport(producer, ntp, rtp_timestamp), arrival, now)

    def receive_operation(self, notice: JsonObject, now: float) -> None:
        """Keep an `operation` notice; those from before the recording first, when it starts."""
        if not self.stopped and self._has_room():
            self._writer.receive_operation(notice, now)

    def receive_pointer(self, message: JsonObject, now: float) -> None:
        """Keep a `pointer` or `stroke` message, with its author; dropped rather than above the backlog."""
        if not self.stopped and self.backlog <= MAX_BACKLOG:
            self._writer.receive_pointer(message, now)

    def receive_event(self, event: JsonObject, now: float) -> None:
        """Keep a room event that is not about a track (FORMAT.md lists them): participants, mute."""
        if not self.stopped and (event["kind"] in _ALWAYS or self._has_room()):
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
        for since, gap in self._disk.take_gaps(now):
            self._writer.receive_gap(gap, since, now)
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
            if due <= now and self._disk.leaving_out:
                # nobody is asked for what would be left out; all are when it goes on
                self._key_frame_at[producer] = now + KEY_FRAME_PATIENCE
            elif due <= now:
                self._want_key_frame(producer, now)

    def next_event(self) -> RecordingEvent | None:
        """Take the next wish to the plane."""
        return self._events.popleft() if self._events else None

    def _take_still(self, now: float) -> None:
        for _ in range(PARTS_AT_ONCE):
            if self._ended or self.backlog >= STILL_BACKLOG or (part := self._stills.next_part()) is None:
                return
            self._writer.receive_still(bytes(part), now)

    def _has_room(self) -> bool:
        if self.backlog <= MAX_TALK_BACKLOG:
            return True
        self._disk.records += 1
        return False

    def _want_key_frames(self, producer: int, now: float) -> None:
        for known in self._producers.values():
            if known.kind == "video" and producer in (0, known.producer):
                self._want_key_frame(known.producer, now)

    def _want_key_frame(self, producer: ProducerId, now: float) -> None:
        self._key_frame_at[producer] = now + KEY_FRAME_PATIENCE
        wish = KeyFrameWanted(producer)
        if wish not in self._events:
            self._events.append(wish)
