"""The answering half of ICE (RFC 8445, section 2.5): a lite agent, sans-IO.

A lite agent has host candidates only, sends no checks, and is always controlled. It answers each check that
bears its password, and so learns from where its peer can be heard; the peer nominates, with USE-CANDIDATE,
where it wants to be sent to. The newest nomination counts. Checks go on for the whole session: they are the
peer's consent, and their absence is how a vanished peer is noticed (RFC 7675, seen from the other side).

Checks may arrive before the peer's description does (RFC 8445, section 7.3): our own password suffices.

**Restart** (RFC 8445, section 9), make before break: `renew` adds a generation of credentials. The one before goes
on in every respect, its address is sent to and its checks are consent, until the peer nominates with the new ones. From
then on the older generation is still answered, so that nothing at the peer breaks while it changes over, but selects
nothing.

**Moving**: browsers send over another path at once when theirs is gone, and nominate it seconds later (Chromium: five).
A lite agent that waited for them would send into the void, so it follows: RTCP, which is authenticated, from an address
that is proven, while the selected one has been quiet, selects.

**Silence**: a peer that says nothing authentic for 5 s is reported as silent, and as heard when it comes back. Its
media connection lasts on: it ends after 15 s without anything authentic. Browsers and FFmpeg check for consent every
few seconds. GStreamer (libnice as webrtcbin sets it up) stops checking once it is connected, and then its reports, one
in 5 s or so, are all that is heard of it: they count as well, and it is given the time for two of them.
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

#: Seconds without anything authentic, checks or RTCP, after which a peer that was connected counts as silent.
SILENCE = 5.0

#: Seconds that the selected address must have been quiet before the peer is followed to another one without being told:
#: more than what is still under way on the old path is late behind the new one.
QUIET = 0.2

#: Who has not checked for so long, seconds, but reports, is silent only after the second of these.
NO_MORE_CHECKS = 4.0
REPORT_SILENCE = 12.0

#: Seconds that a peer has for its first check after its description is known.
CONNECT_TIMEOUT = 30.0

#: Generations of credentials that are answered: the newest, and the one that still carries media.
GENERATIONS = 2


@dataclass(frozen=True, slots=True)
class AddressValidated:
    """The peer proved that it is at `address`; `selected`: that is where it is sent to.

    One is made of every proof, also of a repeated one.
    """

    address: Address
    selected: bool


@dataclass(frozen=True, slots=True)
class IceFailed:
    """Nothing authentic came in time."""

    reason: str


@dataclass(frozen=True, slots=True)
class PeerSilent:
    """Nothing authentic came for `SILENCE` seconds (True), or something came again (False)."""

    silent: bool


IceEvent = AddressValidated | IceFailed | PeerSilent


@dataclass(slots=True)
class _Generation:
    """Our credentials, and the peer's name once it is known."""

    ufrag: str
    pwd: str
    remote_ufrag: str = ""
    nominated: bool = False


class IceLite:
    """One peer's connectivity. Times are seconds of any steady clock."""

    def __init__(self, ufrag: str, pwd: str, *, idle_timeout: float = IDLE_TIMEOUT) -> None:
        # the newest is the last
        self._generations = [_Generation(ufrag, pwd)]
        self._idle_timeout = idle_timeout
        self._silent_at: float | None = None
        self._silent = False
        self._selected_heard = 0.0
        self._last_check = 0.0
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
        """Learn the peer's name in the newest generation; from now on it must call."""
        self._generations[-1].remote_ufrag = remote_ufrag
        if self._deadline is None:
            self._deadline = now + CONNECT_TIMEOUT

    def renew(self, ufrag: str, pwd: str) -> None:
        """Begin a restart: answer to these credentials too, and to them alone once the peer nominates with them."""
        if len(self._generations) == GENERATIONS:
            # a restart that came to nothing gives way; else the one that it replaced
            del self._generations[0 if self._generations[-1].nominated else -1]
        self._generations.append(_Generation(ufrag, pwd))

    @property
    def ufrags(self) -> tuple[str, ...]:
        """Our names in all generations that are answered."""
        return tuple(generation.ufrag for generation in self._generations)

    def heard(self, address: Address, now: float) -> None:
        """Note that the peer sent something authentic that is no check, and from where."""
        self._alive(now, REPORT_SILENCE if now - self._last_check > NO_MORE_CHECKS else SILENCE)
        if self._deadline is not None and self._addresses:
            self._deadline = max(self._deadline, now + self._idle_timeout)
        if address == self._selected:
            self._selected_heard = now
        elif (
            self._selected is not None and address in self._addresses and now - self._selected_heard >= QUIET
        ):
            self._select(address, now)
            self._events.append(AddressValidated(address, selected=True))

    def _alive(self, now: float, patience: float) -> None:
        if self._silent_at is not None:
            self._silent_at = now + patience
        if self._silent:
            self._silent = False
            self._events.append(PeerSilent(silent=False))

    def lose(self, address: Address) -> None:
        """Forget an address that cannot be sent to any more: the end of a TCP stream that was closed."""
        self._addresses.pop(address, None)
        if self._selected == address:
            self._selected = None

    def _select(self, address: Address, now: float) -> None:
        self._selected, self._selected_heard = address, now

    def receive_datagram(self, data: bytes, address: Address, now: float) -> None:
        """Take a STUN datagram; what is wrong is answered with an error or ignored."""
        try:
            message = Message.parse(data)
        except StunError:
            return
        if self._failed or message.method != BINDING or message.message_class is not MessageClass.REQUEST:
            return  # we ask nothing, so responses are strangers'; an indication needs no answer
        username, priority = message.username, message.get(Attribute.PRIORITY)
        generation = self._generation_of(username)
        if not message.integrity_at or not username:
            self._refuse(message, address, 400, "Bad Request")
        elif generation is None or not message.authenticated(generation.pwd):
            self._refuse(message, address, 401, "Unauthenticated")
        elif message.unknown:
            self._refuse(message, address, 420, "Unknown Attribute", generation.pwd)
        elif priority is None or len(priority) != 4:
            self._refuse(message, address, 400, "Bad Request", generation.pwd)
        elif message.get(Attribute.ICE_CONTROLLED) is not None:
            # we cannot control (RFC 8445, section 7.3.1.1)
            self._refuse(message, address, 487, "Role Conflict", generation.pwd)
        else:
            self._accept(message, address, generation, now)

    def _generation_of(self, username: str) -> _Generation | None:
        local, _, remote = username.partition(":")
        for generation in self._generations:
            if local == generation.ufrag and remote and generation.remote_ufrag in {"", remote}:
                return generation
        return None

    def _refuse(
        self, message: Message, address: Address, code: int, reason: str, password: str | None = None
    ) -> None:
        attributes = [error_code(code, reason)]
        if code == 420:
            unknown = message.unknown
            attributes.append((Attribute.UNKNOWN_ATTRIBUTES, struct.pack(f"!{len(unknown)}H", *unknown)))
        response = Message(MessageClass.ERROR, message.transaction, tuple(attributes))
        self._outgoing.append((response.write(password), address))

    def _accept(self, message: Message, address: Address, generation: _Generation, now: float) -> None:
        mapped = xor_mapped_address(address, message.transaction)
        response = Message(MessageClass.SUCCESS, message.transaction, (mapped,))
        self._outgoing.append((response.write(generation.pwd), address))
        newest = self._generations[-1]
        if generation is newest or not newest.nominated:
            self._deadline = now + self._idle_timeout
            if message.get(Attribute.USE_CANDIDATE) is not None:
                generation.nominated = True
                self._select(address, now)
        if address == self._selected:
            self._selected_heard = now
        if self._silent_at is None:
            self._silent_at = now + SILENCE
        self._alive(now, SILENCE)
        self._last_check = now
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
        if self._failed or self._deadline is None:
            return None
        if self._silent_at is None or self._silent:
            return self._deadline
        return min(self._deadline, self._silent_at)

    def handle_timer(self, now: float) -> None:
        """Give the peer up if it did not call in time."""
        if self._failed:
            return
        if self._silent_at is not None and not self._silent and now >= self._silent_at:
            self._silent = True
            self._events.append(PeerSilent(silent=True))
        if self._deadline is not None and now >= self._deadline:
            self._failed = True
            heard = "The peer fell silent" if self._addresses else "The peer never reached this server"
            self._events.append(IceFailed(f"{heard}: nothing of it came in time."))

    def next_event(self) -> IceEvent | None:
        """Take an event."""
        return self._events.popleft() if self._events else None
