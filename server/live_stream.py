"""One picture or sound of a room as it becomes low-latency HLS: a customer of the tap (docs/hls.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator

from media.codecs import CodecError, opus
from media.ids import ProducerId
from media.plane import Codec
from media.producer import Producer
from media.rtp.packet import RtpError, RtpPacket
from recorder.export.sample_entry import picture_parameters, sound_parameters
from recorder.journal import tap_packets
from recorder.segments import fmp4
from recorder.segments.live import LONGEST, LiveTrack
from recorder.segments.live_place import Place, Zero
from recorder.segments.live_sound import LiveSound
from recorder.segments.sample import as_sample

from .watching.pictures import Pictures, Stream

#: Seconds between two requests for a key frame: soon enough for a segment to begin with it, late enough for its length.
KEY_FRAME_EVERY = 2.0
#: Seconds that a request waits for what comes next.
PATIENCE = 4.0 * LONGEST


class LiveStream:
    """One producer's stream. All streams of a room count their time from one zero; sound follows its `picture`.

    `first` is the number of its first segment: what was given under its address before had others.
    """

    def __init__(
        self, producer: Producer, zero: Zero, first: int = 0, picture: LiveStream | None = None
    ) -> None:
        track = producer.track
        self.producers: Collection[ProducerId] = frozenset({ProducerId(producer.producer)})
        #: A part lasts a third of a second: it is not to lie in the tap for another.
        self.tap_interval = 0.05
        self.sound = track.codec is Codec.OPUS
        leader = picture.track if picture is not None else None
        self.track: LiveTrack = LiveTrack(
            track.clock_rate, first, leader.discontinuities if leader is not None else 0
        )
        #: What stands before all parts, from the first key frame on.
        self.first_picture = b""
        self.init = b""
        self.media_type = ""
        self.size = (0, 0)
        self.describing = asyncio.Lock()
        self.asked = float("-inf")
        self._producer = producer
        self.zero = zero
        self._place = Place(track.clock_rate, zero)
        self._takes: LiveSound | Pictures = (
            LiveSound(self.track, self._place.seen, leader)
            if self.sound
            else Pictures(Stream(track.codec, track.payload_type, track.fmtp, track.clock_rate))
        )
        self._news = asyncio.Event()
        self._wanted_key = float("-inf")

    def receive_tap(self, data: bytes, now: float) -> None:
        """Put together what came, and wake who waits for a part."""
        made, takes = False, self._takes
        if isinstance(takes, LiveSound):
            for arrival, timestamp, payload in self._sounds(data):
                place = self._placed(timestamp, arrival)
                made = (place is not None and takes.receive(place, payload)) or made
        else:
            for picture in takes.receive(data):
                if picture.key and not self.first_picture:
                    self.first_picture = picture.data
                place = self._placed(picture.rtp_timestamp, picture.arrival)
                if place is not None:
                    sample = as_sample(self._producer.track.codec, picture.data)
                    made = self.track.receive(place, sample, picture.key, self._place.seen(place)) or made
        if made:
            self.wake()

    def receive_gap(self, packets: int, now: float) -> None:
        """Learn that packets are missing: their numbers tell where."""

    def pump(self, now: float) -> None:
        """Ask for a key frame where one is due: a segment begins with it, and so does whoever comes."""
        if isinstance(self._takes, LiveSound):
            if self._takes.advance():
                self.wake()
            return
        if now - self._wanted_key > KEY_FRAME_EVERY and not self._producer.muted:
            self._wanted_key = now
            for encoding in range(len(self._producer.encodings)):
                self._producer.want_key_frame(encoding)

    def wake(self) -> None:
        """Let everybody who waits look again."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def until(self, there: Callable[[], bool]) -> None:
        """Wait until something is there; raise TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            while not there():
                await self._news.wait()

    def describe(self) -> None:
        """Make what stands before all parts, of the first key frame. Call it in a thread. Raises ContainerError."""
        if self.sound:
            parameters = sound_parameters()
        else:
            parameters = picture_parameters(self._producer.track.codec, self.first_picture, sets_change=True)
        self.media_type, self.size = parameters.media_type, (parameters.width, parameters.height)
        rate = self._producer.track.clock_rate
        # pictures may change their size at any time
        self.init = fmp4.write_init(parameters.entry, rate, 0, None if self.sound else (0, 0))

    def _sounds(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        for _, arrival, _, start, end in tap_packets(data):
            try:
                packet = RtpPacket.parse(data[start:end])
                opus.duration(packet.payload)
            except (RtpError, CodecError):
                continue
            if packet.payload_type == self._producer.track.payload_type:
                yield arrival, packet.timestamp, packet.payload

    def _placed(self, timestamp: int, arrival: int) -> int | None:
        instant = self._producer.instant
        told = (instant.rtp_timestamp, instant.time) if instant is not None else None
        return self._place.of(timestamp, arrival, told)
