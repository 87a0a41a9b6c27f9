"""The asking half of ICE, towards a lite agent: our own publisher and load test, sans-IO.

The client is controlling and nominates with its first check (a lite peer needs no more). It checks all
candidates at once, keeps the first that answers, and goes on asking for consent (RFC 7675): every 5 s on
average, and after 30 s without an answer the connection is over.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..plane import Address
from .ice_lite import AddressValidated, IceEvent, IceFailed
from .stun import BINDING, Attribute, Message, MessageClass, StunError

#: Seconds between repetitions of an unanswered first check: doubled up to the last.
FIRST_REPEAT = 0.05
LAST_REPEAT = 1.6

#: RFC 7675, section 5.1: consent is asked for every 5 s, give or take a fifth, and expires after 30 s.
CONSENT_INTERVAL = 5.0
CONSENT_TIMEOUT = 30.0
CONNECT_TIMEOUT = 30.0
MAX_CANDIDATES = 8

# of a peer-reflexive candidate (RFC 8445, section 5.1.2.1)
_PRIORITY = (110 << 24) + (65535 << 8) + 255


@dataclass(slots=True)
class _Check:
    address: Address
    transaction: bytes
    next_at: float
    interval: float


class IceClient:
    """Our side of one connection. `random(n)` gives n bytes: transaction ids and the consent jitter."""

    def __init__(self, ufrag: str, pwd: str, random: Callable[[int], bytes]) -> None:
        self._ufrag = ufrag
        self._pwd = pwd
        self._random = random
        self._tie_breaker = random(8)
        self._remote_ufrag = ""
        self._remote_pwd = ""
        self._checks: list[_Check] = []
        self._consent: dict[bytes, float] = {}
        self._selected: Address | None = None
        self._deadline: float | None = None
        self._outgoing: deque[tuple[bytes, Address]] = deque()
        self._events: deque[IceEvent] = deque()
        self._failed = False

    @property
    def selected(self) -> Address | None:
        """The candidate that answered."""
        return self._selected

    def start(self, remote_ufrag: str, remote_pwd: str, candidates: Sequence[Address], now: float) -> None:
        """Begin to check the peer's candidates."""
        self._remote_ufrag, self._remote_pwd = remote_ufrag, remote_pwd
        self._deadline = now + CONNECT_TIMEOUT
        for address in candidates[:MAX_CANDIDATES]:
            self._checks.append(_Check(address, self._random(12), now, FIRST_REPEAT))
        if not self._checks:
            self._fail("The peer named no candidate that can be reached.")
        self.handle_timer(now)

    def receive_datagram(self, data: bytes, address: Address, now: float) -> None:
        """Take a STUN datagram; all but authenticated answers to our checks is ignored."""
        try:
            message = Message.parse(data)
        except StunError:
            return
        if self._failed or message.method != BINDING:
            return
        if message.message_class is MessageClass.ERROR:
            self._receive_error(message, address)
        elif message.message_class is MessageClass.SUCCESS and message.authenticated(self._remote_pwd):
            self._receive_success(message, address, now)

    def _receive_error(self, message: Message, address: Address) -> None:
        # 401 bears no integrity: it only costs the one check that it answers
        refused = [c for c in self._checks if c.transaction == message.transaction and c.address == address]
        for check in refused:
            self._checks.remove(check)
        if refused and not self._checks and self._selected is None:
            self._fail(f"The peer refused the connectivity check (STUN error {message.error_code}).")

    def _receive_success(self, message: Message, address: Address, now: float) -> None:
        check = next((c for c in self._checks if c.transaction == message.transaction), None)
        if self._selected is None and check is not None and check.address == address:
            self._selected = address
            self._checks.clear()
            self._deadline = now + CONSENT_TIMEOUT
            self._checks.append(_Check(address, b"", now + self._jittered(), CONSENT_INTERVAL))
            self._events.append(AddressValidated(address, selected=True))
        elif address == self._selected and self._consent.pop(message.transaction, None) is not None:
            self._deadline = now + CONSENT_TIMEOUT
            self._events.append(AddressValidated(address, selected=True))

    def _jittered(self) -> float:
        return CONSENT_INTERVAL * (0.8 + 0.4 * self._random(1)[0] / 255)

    def _fail(self, reason: str) -> None:
        self._failed = True
        self._events.append(IceFailed(reason))

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """Take the checks that are due."""
        outgoing = list(self._outgoing)
        self._outgoing.clear()
        return outgoing

    def get_timer(self) -> float | None:
        """When `handle_timer` wants to be called."""
        if self._failed or self._deadline is None:
            return None
        return min([self._deadline, *(check.next_at for check in self._checks)])

    def handle_timer(self, now: float) -> None:
        """Send and repeat checks; give up when none was answered in time."""
        if self._failed or self._deadline is None:
            return
        if now >= self._deadline:
            lost = "The peer no longer answers" if self._selected else "The peer never answered"
            self._fail(f"{lost} connectivity checks.")
            return
        for check in self._checks:
            if now < check.next_at:
                continue
            transaction = check.transaction
            if self._selected is not None:
                transaction = self._random(12)
                self._consent[transaction] = now
                self._consent = {
                    key: sent for key, sent in self._consent.items() if now - sent < CONSENT_TIMEOUT
                }
                check.next_at = now + self._jittered()
            else:
                check.next_at = now + check.interval
                check.interval = min(check.interval * 2, LAST_REPEAT)
            self._send(check.address, transaction)

    def _send(self, address: Address, transaction: bytes) -> None:
        request = Message(
            MessageClass.REQUEST,
            transaction,
            (
                (Attribute.USERNAME, f"{self._remote_ufrag}:{self._ufrag}".encode()),
                (Attribute.ICE_CONTROLLING, self._tie_breaker),
                (Attribute.PRIORITY, struct.pack("!I", _PRIORITY)),
                (Attribute.USE_CANDIDATE, b""),
            ),
        )
        self._outgoing.append((request.write(self._remote_pwd), address))

    def next_event(self) -> IceEvent | None:
        """Take an event."""
        return self._events.popleft() if self._events else None
