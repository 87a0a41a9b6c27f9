"""A producer's packets leave: what each consumer is sent, under which number, with which header."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from ..plane import ConsumerSpec, ConsumerStatistics, Drop, Extension, ExtensionIds, Layer
from ..rtp.extensions import (
    build_abs_send_time,
    build_mid,
    build_playout_delay,
    build_transport_wide,
)
from ..rtp.packet import RtpPacket
from ..rtp.sequence import extend
from .fec import Protection
from .history import HeldPacket

#: Stretches between pauses in which a consumer may still ask for packets.
MAX_RUNS = 8

#: The same packet is not repeated more often.
REPEAT_INTERVAL_NS = 10_000_000


class State(Enum):
    """What a consumer does with the next packet."""

    PAUSED = "PAUSED"
    AWAITING = "AWAITING"
    SENDING = "SENDING"


@dataclass(slots=True)
class Run:
    """Map the producer's numbers from `first_in` on to the consumer's from `first_out` on."""

    first_in: int
    last_in: int
    first_out: int

    @property
    def last_out(self) -> int:
        """The consumer's newest number."""
        return self.first_out + self.last_in - self.first_in


class Consumer:
    """Send one producer's packets to one transport."""

    def __init__(self, spec: ConsumerSpec, *, video: bool) -> None:
        """Begin with nothing sent."""
        self.spec = spec
        self.wanted = Layer()
        self._video = video
        self._state = State.AWAITING
        self._runs: deque[Run] = deque(maxlen=MAX_RUNS)
        self._repeated_at: dict[int, int] = {}
        self._repeat_interval = REPEAT_INTERVAL_NS
        self._rtx_sequence = self._fec_sequence = 0
        self._highest_sent = 0
        self.protection = Protection(spec.ssrc)
        self._packets = self._octets = self._retransmitted = 0
        self._last_timestamp = self._last_sent = 0

    def set_paused(self, paused: bool) -> None:
        """Stop, or wait for the next packet at which to start again."""
        if paused:
            self._state = State.PAUSED
        elif self._state is State.PAUSED:
            self._state = State.AWAITING

    def set_round_trip(self, round_trip: int) -> None:
        """Note how long an answer takes, ns: a packet that is under way is not repeated."""
        self._repeat_interval = max(round_trip * 8 // 10, REPEAT_INTERVAL_NS)

    def begin_anew(self) -> None:
        """Wait for a key frame: what waited to be sent was given up."""
        if self._state is State.SENDING:
            self._state = State.AWAITING

    def rewind(self) -> None:
        """Forget numbers that were given but not sent: the next run takes them."""
        while self._runs and self._runs[-1].first_out > self._highest_sent:
            self._runs.pop()
        if self._runs:
            newest = self._runs[-1]
            newest.last_in = newest.first_in + self._highest_sent - newest.first_out

    @property
    def sending(self) -> bool:
        """Whether packets are being sent."""
        return self._state is State.SENDING and self._highest_sent > 0

    def sent_before(self, packets: int) -> tuple[int, int] | None:
        """Find (the producer's number, the consumer's number) of the packet sent so many before the newest."""
        return self.source_of(self._highest_sent - packets & 0xFFFF)

    def next_rtx(self) -> int:
        """Count one more packet in the RTX stream."""
        self._rtx_sequence += 1
        return self._rtx_sequence & 0xFFFF

    def next_fec(self) -> int:
        """Count one more packet in the protection stream."""
        self._fec_sequence += 1
        return self._fec_sequence & 0xFFFF

    def number_of(self, held: HeldPacket) -> int | Drop:
        """Give a packet its number in this consumer's sequence; a new run begins where sending begins."""
        if self._state is State.PAUSED:
            return Drop.PAUSED
        if self._state is State.AWAITING:
            if self._video and not held.starts_key_frame:
                return Drop.AWAITING_KEY_FRAME
            if self._runs and held.sequence <= self._runs[-1].last_in:
                return Drop.TOO_OLD
            self._state = State.SENDING
            first_out = self._runs[-1].last_out + 1 if self._runs else 1
            self._runs.append(Run(held.sequence, held.sequence, first_out))
        newest = self._runs[-1]
        if held.sequence >= newest.first_in:
            newest.last_in = max(newest.last_in, held.sequence)
            return newest.first_out + held.sequence - newest.first_in
        for run in self._runs:
            if run.first_in <= held.sequence <= run.last_in:
                return run.first_out + held.sequence - run.first_in
        return Drop.AWAITING_KEY_FRAME if self._video else Drop.TOO_OLD

    def source_of(self, sequence_number: int) -> tuple[int, int] | None:
        """Find (the producer's number, the consumer's number) of a packet by what it was sent as."""
        if not self._runs:
            return None
        out = extend(sequence_number, self._runs[-1].last_out)
        for run in self._runs:
            if run.first_out <= out <= run.last_out:
                return run.first_in + out - run.first_out, out
        return None

    def may_repeat(self, out: int, now: int) -> bool:
        """Tell whether the packet was not just repeated, and remember that it is now."""
        if now - self._repeated_at.get(out, -self._repeat_interval) < self._repeat_interval:
            return False
        self._repeated_at = {
            number: time for number, time in self._repeated_at.items() if now - time < self._repeat_interval
        }
        self._repeated_at[out] = now
        return True

    def rewrite(self, held: HeldPacket, out: int, ids: ExtensionIds, now: int, wide: int) -> RtpPacket:
        """Make this consumer's packet. `ids` are the producer's, `wide` the transport's next number."""
        original = held.packet
        return RtpPacket(
            payload_type=self.spec.payload_type,
            sequence_number=out & 0xFFFF,
            timestamp=original.timestamp,
            ssrc=self.spec.ssrc,
            marker=original.marker,
            csrc=original.csrc,
            extensions=self._extensions(original, ids, now, wide),
            payload=original.payload,
            padding=original.padding,
        )

    def rewrite_again(self, held: HeldPacket, out: int, ids: ExtensionIds, now: int, wide: int) -> RtpPacket:
        """Make the repeat of a packet: in the RTX stream (RFC 4588), or the very same packet again."""
        packet = self.rewrite(held, out, ids, now, wide)
        if not self.spec.rtx_ssrc:
            return packet
        return RtpPacket(
            payload_type=self.spec.rtx_payload_type,
            sequence_number=self.next_rtx(),
            timestamp=packet.timestamp,
            ssrc=self.spec.rtx_ssrc,
            marker=packet.marker,
            csrc=packet.csrc,
            extensions=packet.extensions,
            payload=packet.sequence_number.to_bytes(2, "big") + packet.payload,
            padding=packet.padding,
        )

    def sent(self, packet: RtpPacket, out: int, now: int, *, repeat: bool) -> None:
        """Count a packet that left."""
        self._highest_sent = max(self._highest_sent, out)
        if repeat:
            self._retransmitted += 1
            return
        self._packets += 1
        self._octets += len(packet.payload)
        self._last_timestamp = packet.timestamp
        self._last_sent = now

    def statistics(self) -> ConsumerStatistics:
        """Read the counters."""
        return ConsumerStatistics(
            packets=self._packets,
            octets=self._octets,
            retransmitted=self._retransmitted,
            last_timestamp=self._last_timestamp,
            last_sent=self._last_sent,
        )

    def _extensions(self, original: RtpPacket, ids: ExtensionIds, now: int, wide: int) -> dict[int, bytes]:
        values: dict[Extension, bytes] = {
            Extension.ABS_SEND_TIME: build_abs_send_time(now),
            Extension.TRANSPORT_WIDE: build_transport_wide(wide),
            Extension.PLAYOUT_DELAY: build_playout_delay(*self.spec.playout_delay),
        }
        if self.spec.mid:
            values[Extension.MID] = build_mid(self.spec.mid)
        for extension, lengths in _COPIED.items():
            value = original.extensions.get(ids[extension], b"")
            if len(value) in lengths:
                values[extension] = value
        return {
            identifier: values[extension]
            for extension, identifier in zip(Extension, self.spec.extensions, strict=True)
            if identifier and extension in values
        }


#: Extensions that pass from the producer, and the lengths that they have.
_COPIED = {Extension.ABS_CAPTURE_TIME: (8, 16), Extension.AUDIO_LEVEL: (1,)}
