"""The asking half of ICE: our own publisher and load test, sans-IO.

Towards a lite agent the client is controlling and nominates with its first check (a lite peer needs no more). A full
agent (another server, in a comparison) checks us too and is answered; it controls where it offered. The client checks
all candidates at once, keeps the first that answers, and goes on asking for consent (RFC 7675): every 5 s on
average, and after 30 s without an answer the connection is over. A question for consent that is not answered is
followed by the next one after half a second: so the peer learns a new address of ours soon after the change.

A restart is a second attempt beside the path in use: with new credentials of both sides it checks the candidates again,
and only what answers takes over. If nothing does, the old path stays, for as long as it has consent.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..plane import Address
from .ice_lite import AddressValidated, IceEvent, IceFailed
from .stun import BINDING, Attribute, Message, MessageClass, StunError, xor_mapped_address

#: Seconds between repetitions of an unanswered first check: doubled up to the last.
FIRST_REPEAT = 0.05
LAST_REPEAT = 1.6

#: RFC 7675, section 5.1: consent is asked for every 5 s, give or take a fifth, and expires after 30 s.
CONSENT_INTERVAL = 5.0
CONSENT_TIMEOUT = 30.0
CONNECT_TIMEOUT = 30.0
MAX_CANDIDATES = 8

#: Seconds after which a question for consent without an answer is followed by the next one.
UNANSWERED_INTERVAL = 0.5

# of a peer-reflexive candidate (RFC 8445, section 5.1.2.1)
_PRIORITY = (110 << 24) + (65535 << 8) + 255


@dataclass(slots=True)
class _Check:
    address: Address
    transaction: bytes
    next_at: float
    interval: float


@dataclass(slots=True)
class _Attempt:
    """Credentials of both sides, the checks under way with them, and what they found."""

    ufrag: str
    pwd: str
    remote_ufrag: str = ""
    remote_pwd: str = ""
    checks: list[_Check] = field(default_factory=list)
    #: questions for consent by transaction: when they were asked
    consent: dict[bytes, float] = field(default_factory=dict)
    selected: Address | None = None
    deadline: float | None = None


class IceClient:
    """Our side of one connection. `random(n)` gives n bytes: transaction ids and the consent jitter."""

    def __init__(self, ufrag: str, pwd: str, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._tie_breaker = random(8)
        self._attempt = _Attempt(ufrag, pwd)
        self._restart: _Attempt | None = None
        self._controlling = True
        self._outgoing: deque[tuple[bytes, Address]] = deque()
        self._events: deque[IceEvent] = deque()
        self._failed = False

    @property
    def selected(self) -> Address | None:
        """The candidate that answered."""
        return self._attempt.selected

    @property
    def ufrags(self) -> tuple[str, ...]:
        """Our names, the newest last."""
        return tuple(attempt.ufrag for attempt in self._attempts())

    def renew(self, ufrag: str, pwd: str) -> None:
        """Begin a restart: from the next `start` on these credentials are tried beside those in use."""
        self._restart = _Attempt(ufrag, pwd)

    def start(
        self,
        remote_ufrag: str,
        remote_pwd: str,
        candidates: Sequence[Address],
        now: float,
        *,
        controlling: bool = True,
    ) -> None:
        """Begin to check the peer's candidates, after `renew` beside the path in use."""
        self._controlling = controlling
        attempt = self._restart or self._attempt
        attempt.remote_ufrag, attempt.remote_pwd = remote_ufrag, remote_pwd
        attempt.deadline = now + CONNECT_TIMEOUT
        for address in candidates[:MAX_CANDIDATES]:
            attempt.checks.append(_Check(address, self._random(12), now, FIRST_REPEAT))
        if not attempt.checks:
            self._give_up(attempt, "The peer named no candidate that can be reached.")
        self.handle_timer(now)

    def _attempts(self) -> list[_Attempt]:
        return [self._attempt] if self._restart is None else [self._attempt, self._restart]

    def receive_datagram(self, data: bytes, address: Address, now: float) -> None:
        """Take a STUN datagram: an authenticated answer to our checks, or a check that we answer. Else ignore it."""
        try:
            message = Message.parse(data)
        except StunError:
            return
        if self._failed or message.method != BINDING:
            return
        for attempt in self._attempts():
            if message.message_class is MessageClass.ERROR:
                self._receive_error(attempt, message, address)
            elif message.message_class is MessageClass.SUCCESS and message.authenticated(attempt.remote_pwd):
                self._receive_success(attempt, message, address, now)
            elif message.message_class is MessageClass.REQUEST and _is_for(attempt, message):
                mapped = xor_mapped_address(address, message.transaction)
                response = Message(MessageClass.SUCCESS, message.transaction, (mapped,))
                self._outgoing.append((response.write(attempt.pwd), address))

    def _receive_error(self, attempt: _Attempt, message: Message, address: Address) -> None:
        # 401 bears no integrity: it only costs the one check that it answers
        refused = [c for c in attempt.checks if c.transaction == message.transaction and c.address == address]
        for check in refused:
            attempt.checks.remove(check)
        if refused and not attempt.checks and attempt.selected is None:
            code = message.error_code
            self._give_up(attempt, f"The peer refused the connectivity check (STUN error {code}).")

    def _receive_success(self, attempt: _Attempt, message: Message, address: Address, now: float) -> None:
        check = next((c for c in attempt.checks if c.transaction == message.transaction), None)
        if attempt.selected is None and check is not None and check.address == address:
            attempt.selected = address
            attempt.deadline = now + CONSENT_TIMEOUT
            attempt.checks = [_Check(address, b"", now + self._jittered(), CONSENT_INTERVAL)]
            if attempt is self._restart:
                self._attempt, self._restart = attempt, None
        elif address == attempt.selected and attempt.consent.pop(message.transaction, None) is not None:
            attempt.consent.clear()
            attempt.deadline = now + CONSENT_TIMEOUT
            for waiting in attempt.checks:
                waiting.next_at = now + self._jittered()
        else:
            return
        if attempt is self._attempt:
            self._events.append(AddressValidated(address, selected=True))

    def _jittered(self) -> float:
        return CONSENT_INTERVAL * (0.8 + 0.4 * self._random(1)[0] / 255)

    def _give_up(self, attempt: _Attempt, reason: str) -> None:
        if attempt is self._restart:
            self._restart = None
        else:
            self._failed = True
            self._events.append(IceFailed(reason))

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """Take the checks that are due."""
        outgoing = list(self._outgoing)
        self._outgoing.clear()
        return outgoing

    def get_timer(self) -> float | None:
        """When `handle_timer` wants to be called."""
        if self._failed:
            return None
        timers = [a.deadline for a in self._attempts() if a.deadline is not None]
        timers += [check.next_at for a in self._attempts() for check in a.checks]
        return min(timers, default=None)

    def handle_timer(self, now: float) -> None:
        """Send and repeat checks; give up when none was answered in time."""
        for attempt in self._attempts():
            if self._failed or attempt.deadline is None:
                continue
            if now >= attempt.deadline:
                lost = "The peer no longer answers" if attempt.selected else "The peer never answered"
                self._give_up(attempt, f"{lost} connectivity checks.")
                continue
            for check in attempt.checks:
                if now >= check.next_at:
                    self._ask(attempt, check, now)

    def _ask(self, attempt: _Attempt, check: _Check, now: float) -> None:
        transaction = check.transaction
        if attempt.selected is not None:
            transaction = self._random(12)
            attempt.consent = {k: sent for k, sent in attempt.consent.items() if now - sent < CONSENT_TIMEOUT}
            attempt.consent[transaction] = now
            # an answer sets it later
            check.next_at = now + UNANSWERED_INTERVAL
        else:
            check.next_at = now + check.interval
            check.interval = min(check.interval * 2, LAST_REPEAT)
        attributes = [
            (Attribute.USERNAME, f"{attempt.remote_ufrag}:{attempt.ufrag}".encode()),
            (Attribute.PRIORITY, struct.pack("!I", _PRIORITY)),
        ]
        if self._controlling:
            attributes += [(Attribute.ICE_CONTROLLING, self._tie_breaker), (Attribute.USE_CANDIDATE, b"")]
        else:
            attributes.append((Attribute.ICE_CONTROLLED, self._tie_breaker))
        request = Message(MessageClass.REQUEST, transaction, tuple(attributes))
        self._outgoing.append((request.write(attempt.remote_pwd), check.address))

    def next_event(self) -> IceEvent | None:
        """Take an event."""
        return self._events.popleft() if self._events else None


def _is_for(attempt: _Attempt, message: Message) -> bool:
    ours = f"{attempt.ufrag}:{attempt.remote_ufrag}"
    return message.username == ours and not message.unknown and message.authenticated(attempt.pwd)
