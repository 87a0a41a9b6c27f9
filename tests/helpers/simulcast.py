"""A publisher that sends the same pictures in several encodings, for the tests of layers: VP8 with temporal layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from media.ids import Ssrc
from media.plane import EncodingSpec
from media.rtp.packet import RtpPacket

from .rtp_harness import PlaneHarness
from .rtp_stream import Stream, View


def vp8_payload(
    *,
    first: bool,
    key: bool,
    picture: int,
    tl0: int,
    temporal: int = 0,
    synchronises: bool = False,
    tail: bytes,
) -> bytes:
    """Build a VP8 payload with all of its descriptor (RFC 7741, section 4.2); `tail` makes it known again."""
    return (
        bytes([0x80 | 0x10 * first, 0xE0])
        + (picture & 0x7FFF | 0x8000).to_bytes(2, "big")
        + bytes([tl0 & 0xFF, temporal << 6 | synchronises << 5])
        + bytes([0 if key else 1] if first else [])
        + tail
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """What a VP8 packet says after it went through a plane; `tail` is as it was sent."""

    sequence: int
    timestamp: int
    picture: int
    tl0: int
    temporal: int
    marker: bool
    tail: bytes


def see(packet: RtpPacket) -> Seen:
    """Read a packet with a payload of `vp8_payload`."""
    payload = packet.payload
    return Seen(
        packet.sequence_number,
        packet.timestamp,
        int.from_bytes(payload[2:4], "big") & 0x7FFF,
        payload[4],
        payload[5] >> 6,
        packet.marker,
        payload[6 + (payload[0] >> 4 & 1) :],
    )


class Encoder:
    """Make the packets of one encoding. Its timestamps are the canonical ones less `offset`."""

    def __init__(self, index: int, ssrc: int, rtx_ssrc: int) -> None:
        """Begin with numbers that are its own."""
        self.index = index
        self.ssrc, self.rtx_ssrc = Ssrc(ssrc), Ssrc(rtx_ssrc)
        self.offset = 1_000_000_007 * index & 0xFFFFFFFF
        self.sequence = 65_500 + 11 * index & 0xFFFF
        self.picture = 32_760 + 5 * index & 0x7FFF
        self.tl0 = 250 + index & 0xFF

    def frame(
        self,
        timestamp: int,
        *,
        key: bool = False,
        packets: int = 2,
        temporal: int = 0,
        synchronises: bool = False,
        extensions: dict[int, bytes] | None = None,
    ) -> list[RtpPacket]:
        """Make the packets of the picture at a canonical timestamp; each ends with encoding, timestamp, part."""
        self.tl0 += temporal == 0
        made = []
        for part in range(packets):
            tail = bytes([self.index]) + timestamp.to_bytes(4, "big") + bytes([part])
            made.append(
                RtpPacket(
                    payload_type=96,
                    sequence_number=self.sequence,
                    timestamp=timestamp - self.offset & 0xFFFFFFFF,
                    ssrc=self.ssrc,
                    marker=part == packets - 1,
                    extensions=extensions or {},
                    payload=vp8_payload(
                        first=part == 0,
                        key=key,
                        picture=self.picture,
                        tl0=self.tl0,
                        temporal=temporal,
                        synchronises=synchronises,
                        tail=tail,
                    ),
                )
            )
            self.sequence = self.sequence + 1 & 0xFFFF
        self.picture = self.picture + 1 & 0x7FFF
        return made


class Simulcast(Stream):
    """A producer of several encodings, whose timestamps are known."""

    def __init__(self, harness: PlaneHarness, encodings: int = 3, *, told: bool = True, **spec: Any) -> None:
        """Add the producer, and tell its offsets where `told`."""
        number = next(harness.numbers)
        self.encoders = [
            Encoder(index, 50_000 + 10 * number + index, 60_000 + 10 * number + index)
            for index in range(encodings)
        ]
        given = tuple(EncodingSpec(encoder.ssrc, encoder.rtx_ssrc) for encoder in self.encoders)
        super().__init__(harness, encodings=given, **spec)
        if told:
            for encoder in self.encoders:
                harness.plane.set_timestamp_offset(self.spec.producer, encoder.index, encoder.offset)
        harness.settle()

    def deliver(self, packets: Sequence[RtpPacket]) -> None:
        """Let packets arrive, and settle."""
        for packet in packets:
            self.peer.send_rtp(packet)
        self.harness.settle()

    def picture(self, timestamp: int, *keys: int, encodings: Sequence[int] | None = None) -> None:
        """Send one picture in all encodings, or these. `keys` are those with a key frame, and come first.

        Then it is no matter of time whether a switch that waits is made at this picture.
        """
        chosen = range(len(self.encoders)) if encodings is None else encodings
        for index in sorted(chosen, key=lambda index: index not in keys):
            self.deliver(self.encoders[index].frame(timestamp, key=index in keys))


def seen(view: View) -> list[Seen]:
    """List what arrived of a consumer's stream, padding left out."""
    return [see(packet) for packet in view.packets if packet.payload]
