"""Who is in the plane: transports, producers and consumers, and the commands that add and remove them."""

from __future__ import annotations

from pylibsrtp import Session

from ..checks import (
    check_capture_offset,
    check_consumer,
    check_encoding,
    check_layer,
    check_move,
    check_producer,
)
from ..ids import ConsumerId, ProducerId, Ssrc, TransportId
from ..plane import Address, ConsumerSpec, Extension, Layer, ProducerSpec
from .fan_out import Consumer
from .ingress import Encoding, Producer
from .peers import AddressBook, Transport
from .tapping import LowTapping, Tapping


class Members:
    """Carry out the commands that change who is there; each is described in media.plane.Plane."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._transports: dict[TransportId, Transport] = {}
        self._book = AddressBook()
        self._producers: dict[ProducerId, Producer] = {}
        self._consumers: dict[ConsumerId, Consumer] = {}
        self._tappings: dict[ProducerId, Tapping] = {}
        self._low_tappings: dict[ProducerId, LowTapping] = {}

    def add_transport(self, transport: TransportId, shard: int = 0) -> None:
        """See media.plane.Plane."""
        if transport <= 0 or transport in self._transports:
            raise ValueError(
                f"Transport {transport} cannot be added: its identifier is in use or not positive."
            )
        self._transports[transport] = Transport(transport)

    def validate_address(self, transport: TransportId, address: Address, *, selected: bool) -> None:
        """See media.plane.Plane."""
        self._book.validate(self._transport(transport), address, selected=selected)

    def set_keys(self, transport: TransportId, receive: Session, send: Session) -> None:
        """See media.plane.Plane."""
        peer = self._transport(transport)
        if peer.receive is not None:
            raise ValueError(f"Transport {transport} has its keys already.")
        peer.receive, peer.send = receive, send

    def remove_transport(self, transport: TransportId) -> None:
        """See media.plane.Plane."""
        peer = self._transport(transport)
        for producer in [one for one in self._producers.values() if one.spec.transport == transport]:
            self.remove_producer(producer.spec.producer)
        for consumer in list(peer.consumers.values()):
            if consumer.spec.consumer in self._consumers:
                self.remove_consumer(consumer.spec.consumer)
        self._book.forget(peer)
        del self._transports[transport]

    def add_producer(self, spec: ProducerSpec) -> None:
        """See media.plane.Plane."""
        check_producer(spec)
        if spec.producer in self._producers:
            raise ValueError(f"Producer {spec.producer} exists already.")
        producer = Producer(spec)
        if spec.transport:
            peer = self._transport(spec.transport)
            for encoding in producer.encodings:
                self._receive(peer, encoding)
                encoding.missing.set_round_trip(peer.round_trip)
            peer.wide_id = spec.extensions[Extension.TRANSPORT_WIDE] or peer.wide_id
        self._producers[spec.producer] = producer

    def remove_producer(self, producer: ProducerId) -> None:
        """See media.plane.Plane."""
        removed = self._producer(producer)
        for consumer in [c for c in self._consumers.values() if c.spec.producer == producer]:
            self.remove_consumer(consumer.spec.consumer)
        self._forget_streams(removed)
        del self._producers[producer]
        self._tappings.pop(producer, None)
        self._low_tappings.pop(producer, None)

    def move_producer(self, spec: ProducerSpec) -> None:
        """See media.plane.Plane."""
        moved = self._producer(spec.producer)
        check_move(moved.spec, spec)
        peer = self._transport(spec.transport) if spec.transport else None
        ssrcs = [ssrc for given in spec.encodings for ssrc in (given.ssrc, given.rtx_ssrc) if ssrc]
        if peer is not None and spec.transport == moved.spec.transport:
            raise ValueError(f"Producer {spec.producer} is this transport's already.")
        if peer is not None and any(ssrc in peer.streams for ssrc in ssrcs):
            raise ValueError("The transport has a producer with this SSRC already.")
        self._forget_streams(moved)
        moved.move(spec)
        if spec.producer in self._tappings:
            self._tappings[spec.producer].move()
        if spec.producer in self._low_tappings:
            self._low_tappings[spec.producer].begin_anew()
        for encoding in moved.encodings:
            for consumer in self._consumers.values():
                if consumer.spec.producer == spec.producer:
                    consumer.selection.lose(encoding)
            if peer is not None:
                self._receive(peer, encoding)
                encoding.missing.set_round_trip(peer.round_trip)
        if peer is not None:
            peer.wide_id = spec.extensions[Extension.TRANSPORT_WIDE] or peer.wide_id

    def _forget_streams(self, producer: Producer) -> None:
        if producer.spec.transport:
            streams = self._transport(producer.spec.transport).streams
            for encoding in producer.encodings:
                for ssrc in (encoding.ssrc, encoding.rtx_ssrc):
                    streams.pop(ssrc, None)

    def set_encoding(self, producer: ProducerId, index: int, ssrc: Ssrc, rtx_ssrc: Ssrc) -> None:
        """See media.plane.Plane."""
        encoding = self._encoding(producer, index)
        check_encoding(ssrc, rtx_ssrc)
        before = (encoding.ssrc, encoding.rtx_ssrc)
        if ssrc != before[0] and before[0]:
            encoding.begin_anew()
            if producer in self._tappings:
                self._tappings[producer].forget(index)
            if index == self._producer(producer).low_tap:
                self._low_tappings[producer].begin_anew()
            for consumer in self._consumers.values():
                if consumer.spec.producer == producer:
                    consumer.selection.lose(encoding)
        if not encoding.spec.transport:
            encoding.ssrc, encoding.rtx_ssrc = ssrc, rtx_ssrc
            return
        peer = self._transport(encoding.spec.transport)
        if any(peer.streams.get(new, encoding) is not encoding for new in (ssrc, rtx_ssrc)):
            raise ValueError("The transport has a producer with this SSRC already.")
        for old in before:
            peer.streams.pop(old, None)
        encoding.ssrc, encoding.rtx_ssrc = ssrc, rtx_ssrc
        self._receive(peer, encoding)

    def set_timestamp_offset(self, producer: ProducerId, index: int, offset: int) -> None:
        """See media.plane.Plane."""
        encoding = self._encoding(producer, index)
        encoding.offset, encoding.offset_known, encoding.continues = offset & 0xFFFFFFFF, True, False

    def set_capture_offset(self, producer: ProducerId, offset: int) -> None:
        """See media.plane.Plane."""
        check_capture_offset(offset)
        self._producer(producer).capture_offset = offset

    def set_tap(self, producer: ProducerId, *, enabled: bool) -> None:
        """See media.plane.Plane."""
        tapped = self._producer(producer)
        tapped.tapped = enabled
        self._tappings.setdefault(producer, Tapping()).forget()

    def set_low_tap(self, producer: ProducerId, encoding: int | None) -> None:
        """See media.plane.Plane."""
        if encoding is not None:
            self._encoding(producer, encoding)
        self._producer(producer).low_tap = encoding
        self._low_tappings.setdefault(producer, LowTapping()).begin_anew()

    def add_consumer(self, spec: ConsumerSpec) -> None:
        """See media.plane.Plane."""
        check_consumer(spec)
        if spec.consumer in self._consumers:
            raise ValueError(f"Consumer {spec.consumer} exists already.")
        peer, producer = self._transport(spec.transport), self._producer(spec.producer)
        ssrcs = [ssrc for ssrc in (spec.ssrc, spec.rtx_ssrc, spec.fec_ssrc) if ssrc]
        if any(ssrc in peer.used_ssrcs for ssrc in ssrcs):
            raise ValueError(
                f"Transport {spec.transport} was sent this SSRC before: no nonce may come twice."
            )
        consumer = Consumer(spec, producer)
        consumer.set_round_trip(peer.round_trip)
        self._consumers[spec.consumer] = peer.consumers[spec.ssrc] = consumer
        peer.used_ssrcs.update(ssrcs)

    def set_layer(self, consumer: ConsumerId, layer: Layer) -> None:
        """See media.plane.Plane."""
        receiver = self._consumer(consumer)
        check_layer(layer, len(self._producer(receiver.spec.producer).encodings))
        self._want(receiver, layer)

    def set_paused(self, consumer: ConsumerId, *, paused: bool) -> None:
        """See media.plane.Plane."""
        self._consumer(consumer).selection.set_paused(paused)

    def remove_consumer(self, consumer: ConsumerId) -> None:
        """See media.plane.Plane."""
        removed = self._consumer(consumer)
        del self._transport(removed.spec.transport).consumers[removed.spec.ssrc]
        del self._consumers[consumer]

    def _want(self, consumer: Consumer, layer: Layer) -> None:
        """Change what a consumer is sent at most."""
        consumer.selection.want(layer, 0)

    def _receive(self, peer: Transport, encoding: Encoding) -> None:
        """Give an encoding's SSRCs to it, or raise ValueError."""
        ssrcs = [ssrc for ssrc in (encoding.ssrc, encoding.rtx_ssrc) if ssrc]
        if any(ssrc in peer.streams for ssrc in ssrcs):
            raise ValueError("The transport has a producer with this SSRC already.")
        peer.streams.update(dict.fromkeys(ssrcs, encoding))

    def _encoding(self, producer: ProducerId, index: int) -> Encoding:
        encodings = self._producer(producer).encodings
        if not 0 <= index < len(encodings):
            raise ValueError(f"Producer {producer} has {len(encodings)} encodings, the first is 0.")
        return encodings[index]

    def _transport(self, transport: TransportId) -> Transport:
        if transport not in self._transports:
            raise ValueError(f"There is no transport {transport}.")
        return self._transports[transport]

    def _producer(self, producer: ProducerId) -> Producer:
        if producer not in self._producers:
            raise ValueError(f"There is no producer {producer}.")
        return self._producers[producer]

    def _consumer(self, consumer: ConsumerId) -> Consumer:
        if consumer not in self._consumers:
            raise ValueError(f"There is no consumer {consumer}.")
        return self._consumers[consumer]
