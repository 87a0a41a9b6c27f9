"""The packets of a producer's encodings arrive: extended numbers, duplicates, losses, key frames, history."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from ..codecs import BY_CODEC, CodecError, red
from ..plane import (
    RECENT_FRAMES,
    TRANSIT_BUCKETS,
    Codec,
    Drop,
    EncodingSpec,
    EncodingStatistics,
    Extension,
    ProducerSpec,
    ProducerStatistics,
)
from ..rtp.packet import RtpPacket
from ..rtp.sequence import SequenceExtender
from .history import HeldPacket, History
from .nack import MissingPackets
from .places import Places

_NS = 1_000_000_000
_MS = 1_000_000

#: A stream that goes on from elsewhere does so by so much at least, and at most.
LEAST_PAUSE_NS = 100 * _MS
MOST_PAUSE_NS = 600 * _NS

#: RFC 6464's quietest level, and the time for which the loudest one counts (twice this), or any.
SILENCE = 127
LEVEL_WINDOW_NS = 50 * _MS
LEVEL_LASTS_NS = 300 * _MS


@dataclass(frozen=True, slots=True)
class Capture:
    """Say when a frame was captured: its canonical timestamp, and abs-capture-time's value."""

    timestamp: int
    value: bytes

    def at(self, timestamp: int, clock_rate: int) -> bytes:
        """Carry it on to another timestamp."""
        later = (timestamp - self.timestamp + (1 << 31) & 0xFFFFFFFF) - (1 << 31)
        moved = abs(later << 32) // clock_rate * (1 if later >= 0 else -1)
        time = int.from_bytes(self.value[:8], "big") + moved
        return (time % (1 << 64)).to_bytes(8, "big") + self.value[8:]


class Producer:
    """Receive one track, in its encodings."""

    def __init__(self, spec: ProducerSpec) -> None:
        """Begin."""
        self.spec = spec
        self.tapped = False
        self.low_tap: int | None = None
        self.transit = [0] * TRANSIT_BUCKETS
        self._level_now = self._level_before = SILENCE
        self._level_since = self._level_arrival = 0
        self.capture_offset: int | None = None
        self.capture: Capture | None = None
        #: where the canonical timeline stood when the streams ended: timestamp and arrival of the newest packet
        self.line: tuple[int, int] | None = None
        self.encodings = [Encoding(self, index, given) for index, given in enumerate(spec.encodings)]

    def move(self, spec: ProducerSpec) -> None:
        """Come from elsewhere from now on: the streams begin anew, the timeline goes on."""
        for encoding in self.encodings:
            if encoding.offset_known and encoding.newest is not None:
                newest = encoding.newest + encoding.offset & 0xFFFFFFFF
                if self.line is None or 0 < newest - self.line[0] & 0xFFFFFFFF < 1 << 31:
                    self.line = (newest, encoding.last_arrival)
        self.spec = spec
        self.capture_offset = self.capture = None
        for encoding, given in zip(self.encodings, spec.encodings, strict=True):
            encoding.begin_anew()
            encoding.spec, encoding.ssrc, encoding.rtx_ssrc = spec, given.ssrc, given.rtx_ssrc
            encoding.places = Places(spec)
            encoding.continues = encoding.index == 0 and self.line is not None
            encoding.offset_known = encoding.index == 0 and self.line is None

    @property
    def is_video(self) -> bool:
        """Tell whether consumers must begin at a key frame."""
        return self.spec.codec is not Codec.OPUS

    def encoding_of(self, data: bytes) -> Encoding:
        """Find the encoding that an injected packet is of."""
        ssrc = int.from_bytes(data[8:12], "big")
        return next((one for one in self.encodings if one.ssrc == ssrc), self.encodings[0])

    def note_audio_level(self, packet: RtpPacket, arrival: int) -> None:
        """Note how loud a packet is (RFC 6464): the loudest of this window of time and the one before counts."""
        identifier = self.spec.extensions[Extension.AUDIO_LEVEL]
        value = packet.extensions.get(identifier, b"") if identifier else b""
        if len(value) != 1:
            return
        elapsed = arrival - self._level_since
        if not 0 <= elapsed < LEVEL_WINDOW_NS:
            self._level_before = self._level_now if elapsed < 2 * LEVEL_WINDOW_NS else SILENCE
            self._level_now, self._level_since = SILENCE, arrival
        self._level_now = min(self._level_now, value[0] & 0x7F)
        self._level_arrival = arrival

    def audio_level(self, now: int) -> int:
        """Tell how loud it was lately; who has said nothing for a while is silent."""
        if now - self._level_arrival > LEVEL_LASTS_NS:
            return SILENCE
        return min(self._level_now, self._level_before)

    def statistics(self, now: int) -> ProducerStatistics:
        """Read the counters."""
        return ProducerStatistics(
            encodings=tuple(encoding.statistics() for encoding in self.encodings),
            transit=tuple(self.transit),
            audio_level=self.audio_level(now),
        )


class Encoding:
    """Receive one of the streams in which a producer sends the same pictures."""

    def __init__(self, producer: Producer, index: int, given: EncodingSpec) -> None:
        """Begin a stream."""
        self.producer = producer
        self.spec = producer.spec
        self.index = index
        self.ssrc, self.rtx_ssrc = given.ssrc, given.rtx_ssrc
        self.offset = 0
        self.offset_known = index == 0
        self.continues = False
        self.history = History(self.spec.history_ms, self.spec.history_bytes)
        self.missing = MissingPackets()
        self.key_frame_wanted_at: int | None = None
        self.nacks_sent = 0
        self.life = 0
        self.newest: int | None = None
        self.places = Places(self.spec)
        self._layers_seen: tuple[int, set[tuple[int, int]], set[tuple[int, int]]] = (0, set(), set())
        self._layer_bytes = [0] * 16
        self._recent: deque[int] = deque(maxlen=RECENT_FRAMES)
        self._capture = (0, 0)
        self._extender = SequenceExtender()
        self._packets = self._bytes = self._recovered = self._duplicates = 0
        self._first = 0
        self._last_timestamp = self._last_arrival = 0
        self._transit_time: int | None = None
        self._jitter_16 = 0
        self._key_frames = 0
        self._key_timestamp: int | None = None

    def begin_anew(self) -> None:
        """Forget what came: another SSRC means that the sender begins the encoding anew."""
        self.life += 1
        self.history.clear()
        self.missing.clear()
        self.newest = None
        self.places = Places(self.spec)
        self._extender = SequenceExtender()
        self._packets = self._first = 0
        self._transit_time = self._key_timestamp = None
        self.offset, self.offset_known = 0, len(self.producer.encodings) == 1
        self.continues = False

    def canonical(self, held: HeldPacket) -> int:
        """Give a packet's canonical timestamp."""
        return held.packet.timestamp + self.offset & 0xFFFFFFFF

    @property
    def last_arrival(self) -> int:
        """When the newest packet arrived, ns."""
        return self._last_arrival

    @property
    def top(self) -> tuple[int, int]:
        """The highest (spatial, temporal) layers that were seen in the last second or two."""
        seen = self._layers_seen[1] | self._layers_seen[2] | {(0, 0)}
        return max(spatial for spatial, _ in seen), max(temporal for _, temporal in seen)

    @property
    def asks(self) -> bool:
        """Tell whether there is somebody to ask for lost packets, who would answer."""
        return self.spec.nack and self.spec.transport != 0

    @property
    def highest(self) -> int:
        """The newest extended sequence number; 0 before the first."""
        return self._extender.highest or 0

    def decapsulate(self, packet: RtpPacket) -> RtpPacket | Drop:
        """Make the original of a packet from the RTX stream (RFC 4588, section 4)."""
        if packet.payload_type != self.spec.rtx_payload_type:
            return Drop.UNKNOWN_PAYLOAD_TYPE
        if not packet.payload and packet.padding:
            return Drop.PADDING
        if len(packet.payload) < 2:
            return Drop.MALFORMED
        return replace(
            packet,
            payload_type=self.spec.payload_type,
            sequence_number=int.from_bytes(packet.payload[:2], "big"),
            ssrc=self.ssrc,
            payload=packet.payload[2:],
            padding=0,
        )

    def receive(
        self, packet: RtpPacket, data: bytes, arrival: int, now: int, *, repeat: bool
    ) -> HeldPacket | Drop:
        """Take a packet in: it goes into the history, or is dropped. `data` are its bytes."""
        newest = self._find_newest(packet)
        if isinstance(newest, Drop):
            return newest
        begins = self._extender.highest is None
        highest = self.highest
        sequence = self._extender.extend(packet.sequence_number)
        if begins:
            self._first = highest = sequence
        if sequence <= highest - self.history.numbers or sequence < 0:
            return Drop.TOO_OLD
        if self.history.received(sequence):
            self._duplicates += 1
            return Drop.DUPLICATE
        if self.continues:
            self._continue_line(packet.timestamp, arrival)
        asked = self.asks and self.missing.arrived(sequence, highest, now)
        if asked or repeat:
            self._recovered += 1
        held = HeldPacket(
            encoding=self.index,
            sequence=sequence,
            arrival=arrival,
            packet=packet,
            data=data,
            starts_key_frame=self.producer.is_video
            and BY_CODEC[self.spec.codec].starts_key_frame(packet.payload),
            place=self.places.find(packet),
            capture_time=self._note_capture_time(packet),
            newest=newest,
        )
        self._note_layer(held)
        self.producer.note_audio_level(packet, arrival)
        self.history.put(held)
        self.history.forget_before(self.highest - self.history.numbers)
        self._first = min(self._first, sequence)
        self._packets += 1
        self._bytes += len(data)
        self._last_arrival = arrival
        if sequence == self.highest:
            self._last_timestamp = packet.timestamp
        if self.newest is None or 0 < packet.timestamp - self.newest & 0xFFFFFFFF < 1 << 31:
            self.newest = packet.timestamp
            self._recent.appendleft(packet.timestamp)
        if not repeat:
            self._measure_jitter(packet.timestamp, arrival)
        return held

    def _find_newest(self, packet: RtpPacket) -> int | Drop:
        """Find where the newest block of redundant sound begins in the payload; 0 where there is but one."""
        if packet.payload_type == self.spec.payload_type:
            return 0
        if packet.payload_type != self.spec.red_payload_type or not self.spec.red_payload_type:
            return Drop.UNKNOWN_PAYLOAD_TYPE
        try:
            blocks = red.parse(packet.payload)
        except CodecError:
            return Drop.MALFORMED
        if any(block.payload_type != self.spec.payload_type for block in blocks):
            return Drop.UNKNOWN_PAYLOAD_TYPE
        return blocks[-1].start

    def _continue_line(self, timestamp: int, arrival: int) -> None:
        """Let the timestamps of a stream that comes from elsewhere now go on by the time that has passed."""
        assert self.producer.line is not None, "else there is nothing to go on from"
        newest, before = self.producer.line
        pause = min(max(arrival - before, LEAST_PAUSE_NS), MOST_PAUSE_NS)
        self.offset = newest + pause // _MS * self.spec.clock_rate // 1000 - timestamp & 0xFFFFFFFF
        self.offset_known, self.continues = True, False

    def notice_key_frame(self, held: HeldPacket) -> bool:
        """Tell whether this packet begins a key frame newer than the last one."""
        if not held.starts_key_frame:
            return False
        if self._key_timestamp is not None:
            newer = held.packet.timestamp - self._key_timestamp & 0xFFFFFFFF
            if not 0 < newer < 1 << 31:
                return False
        self._key_timestamp = held.packet.timestamp
        self._key_frames += 1
        return True

    def statistics(self) -> EncodingStatistics:
        """Read the counters."""
        expected = self.highest - self._first + 1 if self._packets else 0
        return EncodingStatistics(
            packets=self._packets,
            bytes=self._bytes,
            first=self._first,
            highest=self.highest,
            lost=expected - self._packets,
            recovered=self._recovered,
            duplicates=self._duplicates,
            jitter=self._jitter_16 // 16,
            nacks_sent=self.nacks_sent,
            key_frames=self._key_frames,
            last_timestamp=self._last_timestamp,
            last_arrival=self._last_arrival,
            layer_bytes=tuple(self._layer_bytes),
            recent_timestamps=tuple(self._recent),
            capture=self._capture,
            offset=self.offset if self.offset_known else None,
        )

    def _note_capture_time(self, packet: RtpPacket) -> bytes:
        """Note when a frame was captured; give what is passed on of it."""
        identifier = self.spec.extensions[Extension.ABS_CAPTURE_TIME]
        value = packet.extensions.get(identifier, b"") if identifier else b""
        if len(value) not in (8, 16):
            return b""
        self._capture = (packet.timestamp, int.from_bytes(value[:8], "big"))
        if self.producer.capture_offset is not None:
            offset = int.from_bytes(value[8:], "big") + self.producer.capture_offset
            value = value[:8] + (offset % (1 << 64)).to_bytes(8, "big")
        if self.offset_known:
            self.producer.capture = Capture(packet.timestamp + self.offset & 0xFFFFFFFF, value)
        return value

    def _note_layer(self, held: HeldPacket) -> None:
        """Remember which layers flow; what was not seen for a second or two does not."""
        began, seen, before = self._layers_seen
        if held.arrival - began >= _NS:
            began, seen, before = held.arrival, set(), seen
        layer = (held.place.spatial, held.place.temporal)
        self._layers_seen = (began, seen | {layer}, before)
        self._layer_bytes[4 * layer[0] + layer[1]] += len(held.data) - held.newest
        self._layer_bytes[1] += held.newest

    def _measure_jitter(self, timestamp: int, arrival: int) -> None:
        """Follow RFC 3550, appendix A.8, in its integer form."""
        transit_time = arrival * self.spec.clock_rate // _NS - timestamp & 0xFFFFFFFF
        if self._transit_time is not None:
            change = (transit_time - self._transit_time + (1 << 31) & 0xFFFFFFFF) - (1 << 31)
            self._jitter_16 += abs(change) - (self._jitter_16 + 8 >> 4)
        self._transit_time = transit_time
