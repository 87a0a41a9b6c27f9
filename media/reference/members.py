"""Who is in the plane: transports, producers and consumers, and the commands that add and remove them."""

from __future__ import annotations

from pylibsrtp import Session

from ..checks import check_consumer, check_producer
from ..ids import ConsumerId, ProducerId, TransportId
from ..plane import Address, ConsumerSpec, Extension, ProducerSpec
from .fan_out import Consumer
from .ingress import Producer
from .peers import AddressBook, Transport


class Members:
    """Carry out the commands that change who is there; each is described in media.plane.Plane."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._transports: dict[TransportId, Transport] = {}
        self._book = AddressBook()
        self._producers: dict[ProducerId, Producer] = {}
        self._consumers: dict[ConsumerId, Consumer] = {}

    def add_transport(self, transport: TransportId) -> None:
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
        for producer in list(peer.producers.values()):
            if producer.spec.producer in self._producers:
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
            streams = peer.producers
            ssrcs = [ssrc for ssrc in (spec.ssrc, spec.rtx_ssrc) if ssrc]
            if any(ssrc in streams for ssrc in ssrcs):
                raise ValueError(f"Transport {spec.transport} has a producer with this SSRC already.")
            streams.update(dict.fromkeys(ssrcs, producer))
            producer.missing.set_round_trip(peer.round_trip)
            peer.wide_id = spec.extensions[Extension.TRANSPORT_WIDE] or peer.wide_id
        self._producers[spec.producer] = producer

    def remove_producer(self, producer: ProducerId) -> None:
        """See media.plane.Plane."""
        removed = self._producer(producer)
        for consumer in [c for c in self._consumers.values() if c.spec.producer == producer]:
            self.remove_consumer(consumer.spec.consumer)
        if removed.spec.transport:
            streams = self._transport(removed.spec.transport).producers
            for ssrc in (removed.spec.ssrc, removed.spec.rtx_ssrc):
                streams.pop(ssrc, None)
        del self._producers[producer]

    def set_tap(self, producer: ProducerId, *, enabled: bool) -> None:
        """See media.plane.Plane."""
        self._producer(producer).tapped = enabled

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
        consumer = Consumer(spec, video=producer.is_video)
        consumer.set_round_trip(peer.round_trip)
        self._consumers[spec.consumer] = peer.consumers[spec.ssrc] = consumer
        peer.used_ssrcs.update(ssrcs)

    def set_paused(self, consumer: ConsumerId, *, paused: bool) -> None:
        """See media.plane.Plane."""
        self._consumer(consumer).set_paused(paused)

    def remove_consumer(self, consumer: ConsumerId) -> None:
        """See media.plane.Plane."""
        removed = self._consumer(consumer)
        del self._transport(removed.spec.transport).consumers[removed.spec.ssrc]
        del self._consumers[consumer]

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
