"""One track on its way: RTP packets of access units, sender reports, and what the receiver says of it. No clock."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from media.ids import ConsumerId, Mid, ProducerId, Ssrc, TransportId
from media.plane import (
    NO_EXTENSIONS,
    ConsumerSpec,
    ConsumerStatistics,
    EncodingSpec,
    Extension,
    ExtensionIds,
    ProducerSpec,
)
from media.rtp.extensions import AbsCaptureTime
from media.rtp.ntp import middle_bits, nanoseconds_from_short, ntp_from_unix
from media.rtp.packet import RtpPacket
from media.rtp.rtcp import CNAME, ReportBlock, SenderReport, SourceDescription, build_compound
from media.sdp import OUR_EXTENSION_IDS, PublishedTrack

from .pacing import Release
from .source import Track

#: Held for repeats: 8,192 packets are three seconds of 4K at 20 Mbit/s, and a second at 60.
HISTORY_BYTES = {"video": 16 << 20, "audio": 1 << 18}

#: (payload type, that of its repeats). Sound is repeated under its own SSRC.
PAYLOAD_TYPES = {"video": (96, 97), "audio": (111, 0)}

#: A time of capture at least this often; receivers reckon in between (and after key frames it always stands).
CAPTURE_TIME_EVERY_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Reception:
    """What the newest report block says: fraction lost 0-1, jitter and round trip in seconds."""

    lost: float
    jitter: float
    round_trip: float | None


class Stream:
    """One published track. `ssrcs` are its own and that of its repeats; `first_*` are chosen by chance."""

    def __init__(
        self,
        track: Track,
        number: int,
        *,
        ssrcs: tuple[Ssrc, Ssrc],
        cname: str,
        first_sequence: int,
        first_timestamp: int,
    ) -> None:
        self.track = track
        self.ssrc, self._rtx_ssrc = ssrcs if PAYLOAD_TYPES[track.kind][1] else (ssrcs[0], Ssrc(0))
        self.producer = ProducerId(number)
        self.consumer = ConsumerId(number)
        self.key_frames = 0
        self.frames = 0
        self.reception: Reception | None = None
        self._cname = cname
        self._sequence = first_sequence & 0xFFFF
        self._first_timestamp = first_timestamp
        self._capture_times = 0
        self._captured = -CAPTURE_TIME_EVERY_NS
        self._instant: tuple[int, int] | None = None

    def offered(self, label: str) -> PublishedTrack:
        """Describe the track for an offer."""
        payload_type, rtx = PAYLOAD_TYPES[self.track.kind]
        return PublishedTrack(
            mid=self.track.mid,
            kind=self.track.kind,
            codec=self.track.codec,
            fmtp=self.track.fmtp,
            payload_type=payload_type,
            ssrc=self.ssrc,
            cname=self._cname,
            stream=self._cname,
            label=label,
            rtx_payload_type=rtx,
            rtx_ssrc=self._rtx_ssrc,
        )

    def producer_spec(self) -> ProducerSpec:
        """Describe the producer that our packets are injected into."""
        return ProducerSpec(
            producer=self.producer,
            transport=TransportId(0),
            codec=self.track.codec,
            clock_rate=self.track.clock_rate,
            payload_type=PAYLOAD_TYPES[self.track.kind][0],
            encodings=(EncodingSpec(self.ssrc),),
            nack=False,
            history_bytes=HISTORY_BYTES[self.track.kind],
            extensions=_only(Extension.ABS_CAPTURE_TIME, OUR_EXTENSION_IDS),
        )

    def consumer_spec(self, transport: TransportId, accepted: ExtensionIds, *, rtx: bool) -> ConsumerSpec:
        """Describe what the server is sent. `accepted`: extensions of the answer; `rtx`: it takes repeats apart."""
        self._capture_times = accepted[Extension.ABS_CAPTURE_TIME]
        rtx = rtx and self._rtx_ssrc != 0
        ids = list(accepted)
        ids[Extension.PLAYOUT_DELAY] = ids[Extension.AUDIO_LEVEL] = 0
        if not rtx:
            # a repeat without RTX must be bit-identical
            ids[Extension.ABS_SEND_TIME] = ids[Extension.TRANSPORT_WIDE] = 0
        payload_type, rtx_payload_type = PAYLOAD_TYPES[self.track.kind]
        return ConsumerSpec(
            consumer=self.consumer,
            producer=self.producer,
            transport=transport,
            payload_type=payload_type,
            ssrc=self.ssrc,
            rtx_payload_type=rtx_payload_type if rtx else 0,
            rtx_ssrc=self._rtx_ssrc if rtx else Ssrc(0),
            mid=str(Mid(self.track.mid)),
            extensions=tuple(ids),
        )

    def packets(self, release: Release, sent: int) -> list[bytes]:
        """Build a unit's packets. `sent`: Unix ns at which the first of them leaves."""
        unit = release.unit
        timestamp = self.timestamp(release.time)
        extensions: dict[int, bytes] = {}
        if self._capture_times and (unit.key or sent - self._captured >= CAPTURE_TIME_EVERY_NS):
            # on every packet of the unit: equal sizes travel in one batch
            identifier = OUR_EXTENSION_IDS[Extension.ABS_CAPTURE_TIME]
            extensions = {identifier: bytes(AbsCaptureTime(sent, 0))}
            self._captured = sent
        video = self.track.kind == "video"
        packets = []
        last = len(unit.payloads) - 1
        for index, payload in enumerate(unit.payloads):
            packet = RtpPacket(
                payload_type=PAYLOAD_TYPES[self.track.kind][0],
                sequence_number=self._sequence,
                timestamp=timestamp,
                ssrc=self.ssrc,
                # the end of a picture (RFC 6184, section 5.1); for sound a talk spurt's beginning
                marker=index == last if video else self.frames == 0,
                extensions=extensions,
                payload=payload,
            )
            packets.append(bytes(packet))
            self._sequence = self._sequence + 1 & 0xFFFF
        self.frames += 1
        self.key_frames += unit.key
        self._instant = (sent, timestamp)
        return packets

    def timestamp(self, time: Fraction) -> int:
        """Return the RTP timestamp of a media time."""
        return (self._first_timestamp + round(time * self.track.clock_rate)) % (1 << 32)

    def report(self, statistics: ConsumerStatistics | None, now: int) -> bytes | None:
        """Build a sender report that leaves at `now` (Unix ns). None before anything was sent."""
        if self._instant is None:
            return None
        sent, timestamp = self._instant
        # of this very moment, since round trips are reckoned from it
        elapsed = (now - sent) * self.track.clock_rate // 1_000_000_000
        report = SenderReport(
            ssrc=self.ssrc,
            ntp_time=ntp_from_unix(now),
            rtp_timestamp=(timestamp + elapsed) % (1 << 32),
            packet_count=statistics.packets if statistics else 0,
            octet_count=statistics.octets if statistics else 0,
        )
        return build_compound([report, SourceDescription(((self.ssrc, ((CNAME, self._cname.encode()),)),))])

    def receive_report(self, block: ReportBlock, arrival: int) -> None:
        """Learn from a report block about this stream that arrived at `arrival` (Unix ns)."""
        round_trip = None
        if block.last_sender_report:
            short = middle_bits(ntp_from_unix(arrival)) - block.last_sender_report - block.delay & 0xFFFFFFFF
            # half the range: the clocks' grain may make it look negative
            if short < 1 << 31:
                round_trip = nanoseconds_from_short(short) / 1e9
        self.reception = Reception(
            block.fraction_lost / 256, block.jitter / self.track.clock_rate, round_trip
        )


def _only(extension: Extension, ids: ExtensionIds) -> ExtensionIds:
    kept = list(NO_EXTENSIONS)
    kept[extension] = ids[extension]
    return tuple(kept)
