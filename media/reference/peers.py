"""The transports: which address is whose, with which keys, and which stream is which producer."""

from __future__ import annotations

from dataclasses import dataclass

from pylibsrtp import Session

from ..ids import Ssrc, TransportId
from ..plane import Address, TransportStatistics
from .arrivals import ArrivalLog
from .fan_out import Consumer
from .ingress import Encoding
from .pacer import Pacer
from .probe_out import Probe
from .sent_window import SentWindow

#: Addresses that one transport may have at once.
MAX_ADDRESSES = 8


@dataclass(slots=True)
class Counts:
    """What a transport was sent, as TransportStatistics has it."""

    packets_out: int = 0
    bytes_out: int = 0
    padding_packets: int = 0
    padding_bytes: int = 0
    fec_packets: int = 0
    fec_bytes: int = 0
    feedback_in: int = 0
    feedback_out: int = 0


class Transport:
    """Keep one peer's addresses (the oldest first), keys and streams."""

    def __init__(self, identifier: TransportId) -> None:
        """Begin without address and keys."""
        self.id = identifier
        self.addresses: list[Address] = []
        self.selected: Address | None = None
        self.receive: Session | None = None
        self.send: Session | None = None
        self.streams: dict[Ssrc, Encoding] = {}
        self.consumers: dict[Ssrc, Consumer] = {}
        self.used_ssrcs: set[Ssrc] = set()
        self.reported: dict[int, int] = {}
        self.round_trip = 0
        self.pacer = Pacer()
        self.probe: Probe | None = None
        self.sent = SentWindow()
        self.arrivals = ArrivalLog()
        self.wide_id = self.wide_ssrc = 0
        self.counts = Counts()

    def set_round_trip(self, round_trip: int) -> None:
        """Note how long an answer takes, ns: producers ask and consumers are answered by it."""
        self.round_trip = round_trip
        for encoding in self.streams.values():
            encoding.missing.set_round_trip(round_trip)
        for consumer in self.consumers.values():
            consumer.set_round_trip(round_trip)

    def statistics(self) -> TransportStatistics:
        """Read the counters."""
        waiting = [*self.pacer.repeats, *self.pacer.video]
        return TransportStatistics(
            packets_out=self.counts.packets_out,
            bytes_out=self.counts.bytes_out,
            padding_packets=self.counts.padding_packets,
            padding_bytes=self.counts.padding_bytes,
            fec_packets=self.counts.fec_packets,
            fec_bytes=self.counts.fec_bytes,
            queued_packets=len(waiting),
            queued_bytes=sum(len(one.held.data) for one in waiting),
            paced=self.pacer.paced,
            feedback_in=self.counts.feedback_in,
            feedback_out=self.counts.feedback_out,
            feedback_ignored=self.sent.ignored,
        )


class AddressBook:
    """Find the transport that an address belongs to: the one that validated it last."""

    def __init__(self) -> None:
        """Begin empty."""
        self._owners: dict[Address, Transport] = {}

    def find(self, address: Address) -> Transport | None:
        """Find the owner of an address."""
        return self._owners.get(address)

    def validate(self, transport: Transport, address: Address, *, selected: bool) -> None:
        """Give an address to a transport; another that had it loses it."""
        previous = self._owners.get(address)
        if previous is not None and previous is not transport:
            self._take(previous, address)
        if previous is not transport:
            if len(transport.addresses) == MAX_ADDRESSES:
                # the oldest goes, but never the one in use
                oldest = next(old for old in transport.addresses if old != transport.selected)
                self._take(transport, oldest)
            transport.addresses.append(address)
            self._owners[address] = transport
        if selected:
            transport.selected = address

    def forget(self, transport: Transport) -> None:
        """Take all addresses of a transport out."""
        for address in list(transport.addresses):
            self._take(transport, address)

    def _take(self, transport: Transport, address: Address) -> None:
        transport.addresses.remove(address)
        del self._owners[address]
        if transport.selected == address:
            transport.selected = None
