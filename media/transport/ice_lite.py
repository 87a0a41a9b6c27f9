"""The answering half of ICE (RFC 8445, section 2.5): a lite agent, sans-IO.

A lite agent has host candidates only, sends no checks, and is always controlled. It answers each check that
bears its password, and so learns from where its peer can be heard; the peer nominates, with USE-CANDIDATE,
where it wants to be sent to. The newest nomination counts. Checks go on for the whole session: they are the
peer's consent, and their absence is how a vanished peer is noticed (RFC 7675, seen from the other side).

Checks may arrive before the peer's description does (RFC 8445, section 7.3): our own password suffices.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass

from ..plane import Address
from .stun import BINDING, Attribute, Message, MessageClass, StunError, error_code, xor_mapped_address

#: More than any peer has pairs with us; older ones are forgotten.
MAX_ADDRESSES = 8

#: Seconds without an authenticated check after which a peer is gone. Browsers check every 2.5 s or less,
#: other agents every 5 s (RFC 7675).
IDLE_TIMEOUT = 15.0

#: Seconds that a peer has for its first check after its description is known.
CONNECT_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class AddressValidated:
    """The peer proved that it is at `address`; `selected`: that is where it is sent to.

    One is made of every proof, also of a repeated one.
    """

    address: Address
    selected: bool


@dataclass(frozen=True, slots=True)
class IceFailed:
    """No authenticated check came in time."""

    reason: str


IceEvent = AddressValidated | IceFailed


class IceLite:
    """One peer's connectivity. Times are seconds of any steady clock."""

    def __init__(self, ufrag: str, pwd: str, *, idle_timeout: float = IDLE_TIMEOUT) -> None:
        self._ufrag = ufrag
        self._pwd = pwd
        self._remote_ufrag = ""
        self._idle_timeout = idle_timeout
        self._deadline: float | None = None
        self._addresses: dict[Address, bool] = {}
        self._selected: Address | None = None
        self._outgoing: deque[tuple[bytes, Address]] = deque()
        self._events: deque[IceEvent] = deque()
        self._failed = False

    @property
    def selected(self) -> Address | None:
        """Where the peer wants to be sent to."""
        return self._selected

    def start(self, remote_ufrag: str, now: float) -> None:
        """Learn the peer's name; from now on it must call."""
        self._remote_ufrag = remote_ufrag
        if self._deadline is None:
            self._deadline = now + CONNECT_TIMEOUT

    def receive_datagram(self, data: bytes, address: Address, now: float) -> None:
        """Take a STUN datagram; what is wrong is answered with an error or ignored."""
        try:
            message = Message.parse(data)
        except StunError:
            return
        if self._failed or message.method != BINDING or message.message_class is not MessageClass.REQUEST:
            return  # we ask nothing, so responses are strangers'; an indication needs no answer
        username, priority = message.username, message.get(Attribute.PRIORITY)
        if not message.integrity_at or not username:
            self._refuse(message, address, 400, "Bad Request", protect=False)
        elif not self._is_for_us(username) or not message.authenticated(self._pwd):
            self._refuse(message, address, 401, "Unauthenticated", protect=False)
        elif message.unknown:
            self._refuse(message, address, 420, "Unknown Attribute", protect=True)
        elif priority is None or len(priority) != 4:
            self._refuse(message, address, 400, "Bad Request", protect=True)
        elif message.get(Attribute.ICE_CONTROLLED) is not None:
            # we cannot control (RFC 8445, section 7.3.1.1)
            self._refuse(message, address, 487, "Role Conflict", protect=True)
        else:
            self._accept(message, address, now)

    def _is_for_us(self, username: str) -> bool:
        local, _, remote = username.partition(":")
        return local == self._ufrag and bool(remote) and self._remote_ufrag in {"", remote}

    def _refuse(self, message: Message, address: Address, code: int, reason: str, *, protect: bool) -> None:
        attributes = [error_code(code, reason)]
        if code == 420:
            unknown = message.unknown
            attributes.append((Attribute.UNKNOWN_ATTRIBUTES, struct.pack(f"!{len(unknown)}H", *unknown)))
        response = Message(MessageClass.ERROR, message.transaction, tuple(attributes))
        self._outgoing.append((response.write(self._pwd if protect else None), address))

    def _accept(self, message: Message, address: Address, now: float) -> None:
        mapped = xor_mapped_address(address, message.transaction)
        response = Message(MessageClass.SUCCESS, message.transaction, (mapped,))
        self._outgoing.append((response.write(self._pwd), address))
        self._deadline = now + self._idle_timeout
        if message.get(Attribute.USE_CANDIDATE) is not None:
            self._selected = address
        self._events.append(AddressValidated(address, address == self._selected))
        # the most recently heard address is the last one
        self._addresses.pop(address, None)
        self._addresses[address] = True
        while len(self._addresses) > MAX_ADDRESSES:
            oldest = next(known for known in self._addresses if known != self._selected)
            del self._addresses[oldest]

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """Take the responses."""
        outgoing = list(self._outgoing)
        self._outgoing.clear()
        return outgoing

    def get_timer(self) -> float | None:
        """When `handle_timer` wants to be called."""
        return None if self._failed else self._deadline

    def handle_timer(self, now: float) -> None:
        """Give the peer up if it did not call in time."""
        if not self._failed and self._deadline is not None and now >= self._deadline:
            self._failed = True
            heard = "The peer fell silent" if self._addresses else "The peer never reached this server"
            self._events.append(IceFailed(f"{heard}: no connectivity check came in time."))

    def next_event(self) -> IceEvent | None:
        """Take an event."""
        return self._events.popleft() if self._events else None
