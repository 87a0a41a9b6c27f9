"""The transports: which address is whose, with which keys, and which stream is which producer."""

from __future__ import annotations

from pylibsrtp import Session

from ..ids import Ssrc, TransportId
from ..plane import Address
from .fan_out import Consumer
from .ingress import Producer

#: Addresses that one transport may have at once.
MAX_ADDRESSES = 8


class Transport:
    """Keep one peer's addresses (the oldest first), keys and streams."""

    def __init__(self, identifier: TransportId) -> None:
        """Begin without address and keys."""
        self.id = identifier
        self.addresses: list[Address] = []
        self.selected: Address | None = None
        self.receive: Session | None = None
        self.send: Session | None = None
        self.producers: dict[Ssrc, Producer] = {}
        self.consumers: dict[Ssrc, Consumer] = {}
        self.used_ssrcs: set[Ssrc] = set()
        self.reported: dict[int, int] = {}
        self._wide = 0

    def next_wide(self) -> int:
        """Count one more packet in transport-wide numbers."""
        self._wide += 1
        return self._wide


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
