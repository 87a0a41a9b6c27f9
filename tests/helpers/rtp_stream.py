"""A stream into a plane and what one consumer sees of it, for the behaviour tests."""

from __future__ import annotations

from typing import Any

from media.ids import ConsumerId, ProducerId, Ssrc, TransportId
from media.plane import (
    NO_EXTENSIONS,
    Codec,
    ConsumerSpec,
    EncodingSpec,
    EncodingStatistics,
    ExtensionIds,
    ProducerSpec,
)
from media.rtp.packet import RtpPacket
from media.rtp.rtcp import GenericNack, ReceiverReport

from .rtp_harness import PlaneHarness
from .rtp_peer import Peer

#: A key frame begins; a frame begins that is none (RFC 7741: S bit; P bit of the first payload byte).
VP8_KEY = b"\x10\x00"
VP8_DELTA = b"\x10\x01"


def ids(*given: int) -> ExtensionIds:
    """Fill up the ids of header extensions with 0: not negotiated."""
    return given + NO_EXTENSIONS[len(given) :]


class Stream:
    """Send a producer's packets: VP8 with RTX unless the spec is given otherwise."""

    def __init__(self, harness: PlaneHarness, peer: Peer | None = None, **spec: Any) -> None:
        """Add a producer; `spec` are fields of ProducerSpec that are to be different, or `ssrc` or `rtx_ssrc`."""
        self.harness = harness
        self.peer = peer or harness.peer()
        number = next(harness.numbers)
        fields: dict[str, Any] = {
            "producer": ProducerId(number),
            "transport": self.peer.transport,
            "codec": Codec.VP8,
            "clock_rate": 90_000,
            "payload_type": 96,
            "rtx_payload_type": 97,
        }
        self.ssrc = Ssrc(spec.pop("ssrc", 10_000 + number))
        self.rtx_ssrc = Ssrc(spec.pop("rtx_ssrc", 20_000 + number))
        fields["encodings"] = (EncodingSpec(self.ssrc, self.rtx_ssrc),)
        self.spec = ProducerSpec(**(fields | spec))
        harness.plane.add_producer(self.spec)
        harness.settle()
        self.sequence = 1000
        self.timestamp = 90_000

    def packet(self, payload: bytes = VP8_DELTA, **fields: Any) -> RtpPacket:
        """Make the next packet: its payload ends with its sequence number, its frame is one packet long."""
        sequence = fields.pop("sequence_number", self.sequence) & 0xFFFF
        timestamp = fields.pop("timestamp", self.timestamp)
        self.sequence = sequence + 1 & 0xFFFF
        self.timestamp = timestamp + 3000 & 0xFFFFFFFF
        return RtpPacket(
            payload_type=self.spec.payload_type,
            sequence_number=sequence,
            timestamp=timestamp,
            ssrc=self.ssrc,
            payload=payload + sequence.to_bytes(2, "big"),
            **fields,
        )

    def send(self, payload: bytes = VP8_DELTA, **fields: Any) -> RtpPacket:
        """Send the next packet."""
        packet = self.packet(payload, **fields)
        self.peer.send_rtp(packet)
        return packet

    def send_key(self, **fields: Any) -> RtpPacket:
        """Send a key frame."""
        return self.send(VP8_KEY, **fields)

    def lose(self, payload: bytes = VP8_DELTA) -> RtpPacket:
        """Make a packet that the network loses."""
        return self.packet(payload)

    def send_rtx(self, payload: bytes, sequence_number: int, **fields: Any) -> None:
        """Send a packet on the RTX stream."""
        self.peer.send_rtp(
            RtpPacket(
                payload_type=self.spec.rtx_payload_type,
                sequence_number=sequence_number,
                timestamp=fields.pop("timestamp", 0),
                ssrc=self.rtx_ssrc,
                payload=payload,
                **fields,
            )
        )

    def statistics(self) -> EncodingStatistics:
        """Read the counters of the (first) encoding, after everything has settled."""
        self.harness.settle()
        return self.harness.plane.statistics().producers[self.spec.producer].encodings[0]


class View:
    """Be sent a producer: with RTX unless the spec is given otherwise."""

    def __init__(self, stream: Stream, peer: Peer | None = None, **spec: Any) -> None:
        """Add a consumer; `spec` are fields of ConsumerSpec that are to be different."""
        self.harness = stream.harness
        self.peer = peer or self.harness.peer()
        number = next(self.harness.numbers)
        fields: dict[str, Any] = {
            "consumer": ConsumerId(number),
            "producer": stream.spec.producer,
            "transport": TransportId(self.peer.transport),
            "payload_type": 100,
            "ssrc": Ssrc(30_000 + number),
            "rtx_payload_type": 101,
            "rtx_ssrc": Ssrc(40_000 + number),
        }
        self.spec = ConsumerSpec(**(fields | spec))
        self.harness.plane.add_consumer(self.spec)
        self.harness.settle()

    @property
    def packets(self) -> list[RtpPacket]:
        """List what arrived of the stream so far, after everything has settled."""
        self.harness.settle()
        return [packet for packet in self.peer.rtp if packet.ssrc == self.spec.ssrc]

    @property
    def repeats(self) -> list[RtpPacket]:
        """List what arrived of the RTX stream so far, after everything has settled."""
        self.harness.settle()
        return [packet for packet in self.peer.rtp if packet.ssrc == self.spec.rtx_ssrc]

    @property
    def payloads(self) -> list[bytes]:
        """List the payloads that arrived so far, after everything has settled."""
        return [packet.payload for packet in self.packets]

    def nack(self, *sequence_numbers: int) -> None:
        """Ask for packets again, and settle."""
        report = ReceiverReport(7)
        self.peer.send_rtcp(report, GenericNack(7, self.spec.ssrc, sequence_numbers))
        self.harness.settle()

    def pause(self, paused: bool = True) -> None:
        """Ask for nothing, or for the stream again."""
        self.harness.plane.set_paused(self.spec.consumer, paused=paused)
        self.harness.settle()
