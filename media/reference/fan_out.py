"""A producer's packets leave: what each consumer is sent, under which number, with which header."""

from __future__ import annotations

from collections.abc import Container

from ..codecs import red
from ..plane import (
    REPEATS_A_SECOND,
    REPEATS_AT_ONCE,
    ConsumerSpec,
    ConsumerStatistics,
    Extension,
    ExtensionIds,
)
from ..rtp.extensions import (
    build_abs_send_time,
    build_mid,
    build_playout_delay,
    build_transport_wide,
)
from ..rtp.packet import RtpPacket
from .fec import Protection
from .history import HeldPacket
from .ingress import Capture, Producer
from .layers import Selection, State
from .numbering import Naming
from .places import Place

#: The same packet is not repeated more often.
REPEAT_INTERVAL_NS = 10_000_000

_SECOND = 1_000_000_000


class Consumer:
    """Send one producer's packets to one transport."""

    def __init__(self, spec: ConsumerSpec, producer: Producer) -> None:
        """Begin with nothing sent."""
        self.spec = spec
        self.selection = Selection(producer)
        self._producer = producer
        self._announced_from = 0
        self._announcement: Capture | None = None
        self._repeated_at: dict[int, int] = {}
        self._repeat_interval = REPEAT_INTERVAL_NS
        self._repeats_left = REPEATS_AT_ONCE
        self._repeats_left_at = 0
        self._rtx_sequence = self._fec_sequence = 0
        self._highest_sent = 0
        self.protection = Protection(spec.ssrc)
        self._packets = self._octets = self._retransmitted = 0
        self._last_timestamp = self._last_sent = 0

    def set_round_trip(self, round_trip: int) -> None:
        """Note how long an answer takes, ns: a packet that is under way is not repeated."""
        self._repeat_interval = max(round_trip * 8 // 10, REPEAT_INTERVAL_NS)

    def rewind(self) -> None:
        """Forget numbers that were given but not sent: what follows takes them."""
        self.selection.numbering.rewind(self._highest_sent)

    @property
    def sending(self) -> bool:
        """Whether packets are being sent."""
        return self.selection.state is State.SENDING and self._highest_sent > 0

    def sent_before(self, packets: int) -> tuple[HeldPacket, int] | None:
        """Find the packet that was sent so many before the newest, and its number."""
        source = self.selection.numbering.source_of(self._highest_sent - packets)
        if source is None:
            return None
        run, number, out = source
        held = self._producer.encodings[run.encoding].history.get(number)
        if held is None:
            return None
        chosen = self.selection.chosen_for(run, held)
        return (held, out) if chosen is not None and chosen.sends(held.place) else None

    def next_rtx(self) -> int:
        """Count one more packet in the RTX stream."""
        self._rtx_sequence += 1
        return self._rtx_sequence & 0xFFFF

    def next_fec(self) -> int:
        """Count one more packet in the protection stream."""
        self._fec_sequence += 1
        return self._fec_sequence & 0xFFFF

    def may_repeat(self, out: int, now: int) -> bool:
        """Tell whether the packet was not just repeated, nor too many were, and remember that it is now."""
        if now - self._repeated_at.get(out, -self._repeat_interval) < self._repeat_interval:
            return False
        if (earned := (now - self._repeats_left_at) * REPEATS_A_SECOND // _SECOND) > 0:
            self._repeats_left = min(self._repeats_left + earned, REPEATS_AT_ONCE)
            self._repeats_left_at = now
        if not self._repeats_left:
            return False
        self._repeats_left -= 1
        self._repeated_at = {
            number: time for number, time in self._repeated_at.items() if now - time < self._repeat_interval
        }
        self._repeated_at[out] = now
        return True

    def rewrite(
        self, held: HeldPacket, out: int, ids: ExtensionIds, now: int, wide: int, *, alone: bool = False
    ) -> RtpPacket:
        """Make this consumer's packet. `ids` are the producer's, `wide` the transport's next number.

        `alone`: of redundant sound the newest block, also where the consumer takes all.
        """
        original, place = held.packet, held.place
        source = self.selection.numbering.source_of(out)
        assert source is not None, "its number was given"
        run = source[0]
        chosen = self.selection.chosen_for(run, held)
        ends = chosen is not None and chosen.ended_by(place)
        payload_type, payload = self.spec.payload_type, original.payload[held.newest :]
        if held.newest and self.spec.red_payload_type and not alone:
            payload_type, payload = self.spec.red_payload_type, red.rename(original.payload, payload_type)
        return RtpPacket(
            payload_type=payload_type,
            sequence_number=out & 0xFFFF,
            timestamp=original.timestamp + run.naming.timestamp & 0xFFFFFFFF,
            ssrc=self.spec.ssrc,
            marker=original.marker or ends,
            csrc=original.csrc,
            extensions=self._extensions(held, out, run.naming, ids, now, wide),
            payload=rename(payload, place, run.naming),
            padding=original.padding,
        )

    def rewrite_again(self, held: HeldPacket, out: int, ids: ExtensionIds, now: int, wide: int) -> RtpPacket:
        """Make the repeat of a packet: in the RTX stream (RFC 4588), or the very same packet again."""
        packet = self.rewrite(held, out, ids, now, wide, alone=bool(self.spec.rtx_ssrc))
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

    def used(self, out: int) -> None:
        """Note that a packet left under this number: it is not given again."""
        self._highest_sent = max(self._highest_sent, out)

    def sent(self, packet: RtpPacket, out: int, now: int, *, repeat: bool) -> None:
        """Count a packet that left."""
        self.used(out)
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
            encoding=self.selection.reported[0] if self.selection.reported else -1,
            spatial=self.selection.reported[1] if self.selection.reported else -1,
            temporal=self.selection.reported[2] if self.selection.reported else -1,
        )

    def _announced(self, out: int) -> Capture | None:
        """Give the capture time that is to be said once more, where something has just begun.

        Without RTX a repeat must be what was sent first: then it is said at the very beginning alone.
        """
        begins_at = self.selection.begins_at
        if begins_at != self._announced_from and (self.spec.rtx_ssrc or not self._announced_from):
            self._announced_from, self._announcement = begins_at, self._producer.capture
        return self._announcement if 0 <= out - self._announced_from < ANNOUNCED else None

    def _extensions(
        self, held: HeldPacket, out: int, naming: Naming, ids: ExtensionIds, now: int, wide: int
    ) -> dict[int, bytes]:
        values: dict[Extension, bytes] = {
            Extension.ABS_SEND_TIME: build_abs_send_time(now),
            Extension.TRANSPORT_WIDE: build_transport_wide(wide),
            Extension.PLAYOUT_DELAY: build_playout_delay(*self.spec.playout_delay),
        }
        if self.spec.mid:
            values[Extension.MID] = build_mid(self.spec.mid)
        for extension, lengths in _COPIED.items():
            value = held.packet.extensions.get(ids[extension], b"") if ids[extension] else b""
            if len(value) in lengths:
                values[extension] = value
        if held.capture_time:
            values[Extension.ABS_CAPTURE_TIME] = held.capture_time
        elif (capture := self._announced(out)) is not None:
            timestamp = held.packet.timestamp + naming.timestamp & 0xFFFFFFFF
            values[Extension.ABS_CAPTURE_TIME] = capture.at(timestamp, self._producer.spec.clock_rate)
        if held.place.frame_number is not None and Extension.DEPENDENCY_DESCRIPTOR in values:
            value = values[Extension.DEPENDENCY_DESCRIPTOR]
            number = held.place.frame_number + naming.frame_number & 0xFFFF
            values[Extension.DEPENDENCY_DESCRIPTOR] = value[:1] + number.to_bytes(2, "big") + value[3:]
        return {
            identifier: values[extension]
            for extension, identifier in zip(Extension, self.spec.extensions, strict=True)
            if identifier and extension in values
        }


#: Packets that say the capture time where something begins.
ANNOUNCED = 4

#: Extensions that pass from the producer, and the lengths that they have.
_COPIED: dict[Extension, Container[int]] = {
    Extension.AUDIO_LEVEL: (1,),
    Extension.DEPENDENCY_DESCRIPTOR: range(3, 256),
    Extension.VIDEO_ORIENTATION: (1,),
}


def rename(payload: bytes, place: Place, naming: Naming) -> bytes:
    """Write the names of a frame into a payload descriptor, in its own widths."""
    renamed = bytearray(payload)
    if place.picture is not None:
        picture = place.picture + naming.picture
        if place.picture_bits == 15:
            renamed[place.picture_at : place.picture_at + 2] = (picture & 0x7FFF | 0x8000).to_bytes(2, "big")
        else:
            renamed[place.picture_at] = picture & 0x7F
    if place.tl0 is not None:
        renamed[place.tl0_at] = place.tl0 + naming.tl0 & 0xFF
    return bytes(renamed)
