"""ICE in virtual time: an asking client and a lite agent, and strangers."""

from __future__ import annotations

import struct

import pytest

from media.plane import Address
from media.transport.ice_client import CONNECT_TIMEOUT, CONSENT_TIMEOUT, IceClient
from media.transport.ice_lite import (
    IDLE_TIMEOUT,
    MAX_ADDRESSES,
    SILENCE,
    AddressValidated,
    IceFailed,
    IceLite,
    PeerSilent,
)
from media.transport.stun import Attribute, Message, MessageClass

SERVER = Address("192.0.2.1", 5000)
CLIENT = Address("198.51.100.7", 40000)
PWD = "p" * 32


class Random:
    """Distinct bytes, the same in every run."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, size: int) -> bytes:
        self.count += 1
        return (self.count * 0x9E3779B97F4A7C15).to_bytes(32, "little")[:size]


def check(
    username: str = "lite:peer",
    password: str | None = PWD,
    *,
    nominate: bool = True,
    extra: tuple[tuple[int, bytes], ...] = (),
    priority: bytes | None = b"\x6e\0\1\xff",
) -> bytes:
    attributes = [(int(Attribute.USERNAME), username.encode())] if username else []
    if priority is not None:
        attributes.append((Attribute.PRIORITY, priority))
    if nominate:
        attributes.append((Attribute.USE_CANDIDATE, b""))
    return Message(MessageClass.REQUEST, b"t" * 12, (*attributes, *extra)).write(password)


def lite(now: float = 0.0) -> IceLite:
    agent = IceLite("lite", PWD)
    agent.start("peer", now)
    return agent


def answer_to(agent: IceLite, data: bytes, address: Address = CLIENT) -> Message | None:
    agent.receive_datagram(data, address, 1.0)
    sent = agent.datagrams_to_send()
    assert all(to == address for _, to in sent)
    return Message.parse(sent[0][0]) if sent else None


def test_a_check_is_answered_with_where_it_came_from() -> None:
    agent = lite()
    answer = answer_to(agent, check())
    assert answer is not None
    assert answer.message_class is MessageClass.SUCCESS
    assert answer.transaction == b"t" * 12
    assert answer.mapped_address == CLIENT
    assert answer.authenticated(PWD)
    assert agent.next_event() == AddressValidated(CLIENT, selected=True)
    assert agent.next_event() is None
    assert agent.selected == CLIENT


def test_a_check_without_nomination_selects_nothing() -> None:
    agent = lite()
    answer_to(agent, check(nominate=False))
    assert agent.next_event() == AddressValidated(CLIENT, selected=False)
    assert agent.selected is None


def test_the_newest_nomination_counts() -> None:
    agent = lite()
    other = Address("203.0.113.9", 1)
    for address, selected in ((CLIENT, CLIENT), (other, other), (CLIENT, CLIENT)):
        answer_to(agent, check(), address)
        assert agent.selected == selected


def test_checks_are_answered_before_the_peers_description_is_known() -> None:
    agent = IceLite("lite", PWD)
    answer = answer_to(agent, check("lite:anybody"))
    assert answer is not None
    assert answer.message_class is MessageClass.SUCCESS


@pytest.mark.parametrize(
    ("data", "code", "protected"),
    [
        (check(password=None), 400, False),
        (check(username=""), 400, False),
        (check(password="wrong"), 401, False),
        (check("other:peer"), 401, False),
        (check("lite:stranger"), 401, False),
        (check("lite"), 401, False),
        (check(priority=None), 400, True),
        (check(priority=b"x"), 400, True),
        (check(extra=((0x7F00, b""),)), 420, True),
        (check(extra=((Attribute.ICE_CONTROLLED, bytes(8)),)), 487, True),
    ],
)
def test_a_wrong_check_gets_its_error_and_validates_nothing(data: bytes, code: int, protected: bool) -> None:
    agent = lite()
    answer = answer_to(agent, data)
    assert answer is not None
    assert answer.message_class is MessageClass.ERROR
    assert answer.error_code == code
    assert answer.authenticated(PWD) == protected
    assert agent.next_event() is None
    if code == 420:
        assert answer.get(Attribute.UNKNOWN_ATTRIBUTES) == struct.pack("!H", 0x7F00)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        check()[:-1],
        Message(MessageClass.SUCCESS, b"t" * 12).write(PWD),
        Message(MessageClass.INDICATION, b"t" * 12).write(PWD),
        Message(MessageClass.REQUEST, b"t" * 12, method=3).write(PWD),
    ],
)
def test_what_is_no_check_is_ignored(data: bytes) -> None:
    agent = lite()
    assert answer_to(agent, data) is None
    assert agent.next_event() is None


def test_a_silent_peer_fails_once() -> None:
    agent = lite()
    agent.receive_datagram(check(), CLIENT, 10.0)
    assert agent.next_event() == AddressValidated(CLIENT, selected=True)
    # noticed after 5 s, given up after 15
    assert agent.get_timer() == 10.0 + SILENCE
    agent.handle_timer(14.9)
    assert agent.next_event() is None
    agent.handle_timer(15.0)
    assert agent.next_event() == PeerSilent(silent=True)
    assert agent.get_timer() == 10.0 + IDLE_TIMEOUT
    agent.receive_datagram(check(password="wrong"), CLIENT, 20.0)
    assert agent.get_timer() == 10.0 + IDLE_TIMEOUT
    agent.handle_timer(24.9)
    assert agent.next_event() is None
    agent.handle_timer(25.0)
    event = agent.next_event()
    assert isinstance(event, IceFailed)
    assert "silent" in event.reason
    assert agent.get_timer() is None
    agent.receive_datagram(check(), CLIENT, 26.0)
    agent.handle_timer(60.0)
    assert agent.next_event() is None


def test_a_peer_that_never_comes_fails_after_the_connect_time() -> None:
    agent = lite(now=5.0)
    timer = agent.get_timer()
    assert timer == 35.0
    agent.handle_timer(timer)
    event = agent.next_event()
    assert isinstance(event, IceFailed)
    assert "never reached" in event.reason


def test_addresses_are_bounded_and_the_selected_one_stays() -> None:
    agent = lite()
    answer_to(agent, check())
    for port in range(1, 3 * MAX_ADDRESSES):
        answer_to(agent, check(nominate=False), Address("203.0.113.1", port))
    assert agent.selected == CLIENT
    assert len(agent._addresses) == MAX_ADDRESSES
    assert CLIENT in agent._addresses


def test_a_peer_that_changes_its_address_a_thousand_times_is_where_it_was_last() -> None:
    agent = lite()
    places = [Address(f"203.0.{number // 250}.{1 + number % 250}", 5000) for number in range(1000)]
    for place in places:
        answer_to(agent, check(), place)
        assert agent.selected == place
    assert list(agent._addresses) == places[-MAX_ADDRESSES:]
    # each is told to the plane, which forgets the oldest itself
    told = [event.address for event in iter(agent.next_event, None) if isinstance(event, AddressValidated)]
    assert told == places


class Pair:
    """A client and a lite agent, with a network between them that can lose."""

    def __init__(self) -> None:
        self.now = 0.0
        self.client = IceClient("peer", "c" * 32, Random())
        self.lite = lite()
        self.lost = False
        self.checks: list[float] = []

    def run(self, until: float) -> None:
        while True:
            self.deliver()
            timers = [t for agent in (self.client, self.lite) if (t := agent.get_timer()) is not None]
            if not timers or min(timers) > until:
                self.now = until
                return
            self.now = max(self.now, min(timers))
            self.client.handle_timer(self.now)
            self.lite.handle_timer(self.now)

    def deliver(self) -> None:
        for data, address in self.client.datagrams_to_send():
            self.checks.append(self.now)
            if address == SERVER and not self.lost:
                self.lite.receive_datagram(data, CLIENT, self.now)
        for data, address in self.lite.datagrams_to_send():
            if address == CLIENT and not self.lost:
                self.client.receive_datagram(data, SERVER, self.now)


def test_a_client_connects_and_keeps_consent_for_hours() -> None:
    pair = Pair()
    pair.client.start("lite", PWD, [Address("192.0.2.99", 9), SERVER], 0.0)
    pair.run(until=7200.0)
    assert pair.client.selected == SERVER
    assert pair.lite.selected == CLIENT
    intervals = [b - a for a, b in zip(pair.checks[2:], pair.checks[3:], strict=False)]
    assert min(intervals) >= 4.0 - 1e-9
    assert max(intervals) <= 6.0 + 1e-9
    assert len(set(intervals)) > 10
    while (event := pair.client.next_event()) is not None:
        assert isinstance(event, AddressValidated)


def test_a_client_notices_that_the_server_is_gone() -> None:
    pair = Pair()
    pair.client.start("lite", PWD, [SERVER], 0.0)
    pair.run(until=100.0)
    pair.lost = True
    pair.run(until=100.0 + CONSENT_TIMEOUT + 1)
    events = []
    while (event := pair.client.next_event()) is not None:
        events.append(event)
    assert isinstance(events[-1], IceFailed)
    assert not any(isinstance(event, IceFailed) for event in events[:-1])


def test_first_checks_are_repeated_ever_more_slowly() -> None:
    pair = Pair()
    pair.lost = True
    pair.client.start("lite", PWD, [SERVER], 0.0)
    pair.run(until=CONNECT_TIMEOUT)
    assert pair.checks[:4] == pytest.approx([0.0, 0.05, 0.15, 0.35])
    assert len(pair.checks) < 30
    event = pair.client.next_event()
    assert isinstance(event, IceFailed)
    assert "never answered" in event.reason


def test_a_client_with_the_wrong_password_is_told() -> None:
    pair = Pair()
    pair.client.start("lite", "wrong" * 6, [SERVER], 0.0)
    pair.run(until=1.0)
    event = pair.client.next_event()
    assert isinstance(event, IceFailed)
    assert "401" in event.reason


def test_a_client_without_a_reachable_candidate_fails_at_once() -> None:
    client = IceClient("peer", "c" * 32, Random())
    client.start("lite", PWD, [], 0.0)
    assert isinstance(client.next_event(), IceFailed)


def test_forged_answers_do_not_connect_a_client() -> None:
    client = IceClient("peer", "c" * 32, Random())
    client.start("lite", PWD, [SERVER], 0.0)
    request = Message.parse(client.datagrams_to_send()[0][0])
    for transaction, password, address in (
        (request.transaction, "forged", SERVER),
        (request.transaction, None, SERVER),
        (b"x" * 12, PWD, SERVER),
        (request.transaction, PWD, Address("203.0.113.5", 5000)),
    ):
        client.receive_datagram(Message(MessageClass.SUCCESS, transaction).write(password), address, 0.1)
        client.receive_datagram(b"", address, 0.1)
    assert client.selected is None
    assert client.next_event() is None
