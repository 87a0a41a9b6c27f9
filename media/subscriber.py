"""What one transport is sent: its slots, which are the media sections of the offer, in order.

A section cannot be taken out of a description, so the slot of a producer that ended waits, inactive, for the next of
its kind. A slot's SSRCs are new each time, since the receiver would take an old one's sequence numbers for loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .ids import ConsumerId, Mid, ProducerId, Ssrc, TransportId
from .plane import NO_EXTENSIONS, Codec, Extension, ExtensionIds, Layer

#: Base of the SSRCs that we choose, away from the small numbers that browsers use for themselves.
SSRC_BASE = 0x4B000000
FEC_SSRC_BASE = 0x8B000000


@dataclass(slots=True)
class Slot:
    """One media section of the offer; `producer` 0 while it is inactive.

    `layer` is what is to be sent, `sending` the encoding that is (-1: none yet). `hidden` and `height` (in pixels,
    None: not known) are the receiver's tile, `paused` whether the plane was told to send nothing.
    """

    mid: Mid
    video: bool
    producer: ProducerId = ProducerId(0)
    consumer: ConsumerId = ConsumerId(0)
    codec: Codec = Codec.OPUS
    clock_rate: int = 48000
    fmtp: str = ""
    started: bool = False
    payload_type: int = 0
    rtx_payload_type: int = 0
    extensions: ExtensionIds = NO_EXTENSIONS
    playout_delay: tuple[int, int] = (0, 0)
    loss: float = 0.0
    #: the most protection packets a packet (0: none are offered), what was agreed on them, and how many are sent now
    protectable: float = 0.0
    fec_payload_type: int = 0
    protection: float = 0.0
    #: whether the sound comes with redundancy (RFC 2198), and the payload type under which it is taken so; 0: it is not
    redundant: bool = False
    red_payload_type: int = 0
    layer: Layer = field(default_factory=Layer)
    sending: int = -1
    hidden: bool = False
    height: int | None = None
    paused: bool = False
    #: the sender report that the receiver heard last: middle bits of its NTP time, and when it was sent
    reported: tuple[int, float] = (0, 0.0)

    @property
    def ssrc(self) -> Ssrc:
        """The stream's SSRC, unique in the server."""
        return Ssrc(SSRC_BASE + 2 * self.consumer)

    @property
    def rtx_ssrc(self) -> Ssrc:
        """The SSRC of its repeats (RFC 4588)."""
        return Ssrc(SSRC_BASE + 2 * self.consumer + 1)

    @property
    def fec_ssrc(self) -> Ssrc:
        """The SSRC of the packets that protect it (FlexFEC), 0: it cannot be protected."""
        return Ssrc(FEC_SSRC_BASE + self.consumer if self.protectable else 0)

    def accept(
        self,
        payload_type: int,
        rtx_payload_type: int,
        extensions: ExtensionIds,
        fec_payload_type: int = 0,
        red_payload_type: int = 0,
    ) -> None:
        """Take over what the receiver agreed to.

        Without RTX a repeated packet must be bit-identical, so nothing that changes with each sending is written.
        """
        self.payload_type, self.rtx_payload_type = payload_type, rtx_payload_type
        self.fec_payload_type = fec_payload_type if self.protectable else 0
        self.red_payload_type = red_payload_type if self.redundant else 0
        ids = list(extensions)
        if not rtx_payload_type:
            ids[Extension.ABS_SEND_TIME] = ids[Extension.TRANSPORT_WIDE] = 0
        self.extensions = tuple(ids)


class Subscriber:
    """A transport that is sent producers."""

    def __init__(self, transport: TransportId, next_id: Callable[[], int]) -> None:
        self.transport = transport
        self.slots: list[Slot] = []
        #: seconds, as its reports say; None: not known yet
        self.round_trip: float | None = None
        self._next_id = next_id
        self._by_producer: dict[ProducerId, Slot] = {}
        self._by_consumer: dict[ConsumerId, Slot] = {}

    def assign(self, producer: ProducerId, codec: Codec, clock_rate: int, fmtp: str) -> Slot:
        """Give a producer a slot: a waiting one of its kind, else a new one."""
        video = codec is not Codec.OPUS
        for slot in self.slots:
            if slot.video == video and not slot.producer:
                break
        else:
            slot = Slot(Mid(str(len(self.slots))), video)
            self.slots.append(slot)
        slot.producer, slot.consumer = producer, ConsumerId(self._next_id())
        self._by_producer[producer] = self._by_consumer[slot.consumer] = slot
        slot.codec, slot.clock_rate, slot.fmtp = codec, clock_rate, fmtp
        slot.started, slot.loss = False, 0.0
        slot.protectable = slot.protection = 0.0
        slot.fec_payload_type = slot.red_payload_type = 0
        slot.redundant = False
        slot.layer, slot.sending = Layer(), -1
        slot.hidden, slot.height, slot.paused = False, None, False
        slot.reported = (0, 0.0)
        return slot

    def release(self, producer: ProducerId) -> ConsumerId | None:
        """Take a producer out of its slot; returns the consumer that was started, None if none was."""
        slot = self._by_producer.pop(producer, None)
        if slot is None:
            return None
        self._by_consumer.pop(slot.consumer, None)
        slot.producer = ProducerId(0)
        started, slot.started = slot.started, False
        return slot.consumer if started else None

    def slot_of(self, producer: ProducerId) -> Slot | None:
        """Find the slot of a producer."""
        return self._by_producer.get(producer)

    def slot_with(self, ssrc: Ssrc) -> Slot | None:
        """Find the slot that sends under this SSRC, repeats too."""
        return self._by_consumer.get(ConsumerId((ssrc - SSRC_BASE) // 2))

    def watched(self) -> Sequence[ProducerId]:
        """List the producers in slots, in the slots' order."""
        return [slot.producer for slot in self.slots if slot.producer]

    def report_loss(self, ssrc: Ssrc, share: float) -> None:
        """Note what share (0-1) of a stream the receiver lost lately."""
        slot = self.slot_with(ssrc)
        if slot is not None:
            slot.loss = share
