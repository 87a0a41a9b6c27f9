"""ICE restart and silence in virtual time: the old path carries on until the new one is proven."""

from __future__ import annotations

from media.plane import Address
from media.transport.ice_client import IceClient
from media.transport.ice_lite import (
    CONNECT_TIMEOUT,
    IDLE_TIMEOUT,
    QUIET,
    REPORT_SILENCE,
    SILENCE,
    AddressValidated,
    IceEvent,
    IceFailed,
    IceLite,
    PeerSilent,
)
from media.transport.stun import Attribute, Message, MessageClass

from .test_ice import Random

SERVER = Address("192.0.2.1", 5000)
MOBILE = Address("198.51.100.7", 40000)
FIBRE = Address("203.0.113.9", 41000)


class Line:
    """An asking client, which also sends a report each second, and a lite agent.

    The client is wherever `home` says, and the way may lose all.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.home = MOBILE
        self.lost = False
        self.client = IceClient("peer", "c" * 32, Random())
        self.lite = IceLite("lite", "p" * 32)
        self.lite.start("peer", 0.0)
        self.client.start("lite", "p" * 32, [SERVER], 0.0)
        self.next_report = 1.0
        self.at_server: list[tuple[float, IceEvent]] = []
        self.at_client: list[tuple[float, IceEvent]] = []

    def run(self, until: float) -> None:
        while True:
            self.deliver()
            timers = [t for agent in (self.client, self.lite) if (t := agent.get_timer()) is not None]
            if min(self.next_report, *timers) > until:
                self.now = until
                return
            self.now = max(self.now, min(self.next_report, *timers))
            if self.now >= self.next_report:
                self.next_report = self.now + 1.0
                if not self.lost:
                    self.lite.heard(self.home, self.now)
            self.client.handle_timer(self.now)
            self.lite.handle_timer(self.now)

    def deliver(self) -> None:
        for data, _ in self.client.datagrams_to_send():
            if not self.lost:
                self.lite.receive_datagram(data, self.home, self.now)
        for data, address in self.lite.datagrams_to_send():
            if not self.lost and address == self.home:
                self.client.receive_datagram(data, SERVER, self.now)
        while (event := self.lite.next_event()) is not None:
            self.at_server.append((self.now, event))
        while (event := self.client.next_event()) is not None:
            self.at_client.append((self.now, event))

    def restart(self, generation: int = 2) -> None:
        name, password = f"lite{generation}", "q" * 32
        self.client.renew(f"peer{generation}", "d" * 32)
        self.lite.renew(name, password)
        self.lite.start(f"peer{generation}", self.now)
        self.client.start(name, password, [SERVER], self.now)


def check(username: str, password: str, *, nominate: bool) -> bytes:
    attributes = [(int(Attribute.USERNAME), username.encode()), (int(Attribute.PRIORITY), bytes(4))]
    if nominate:
        attributes.append((Attribute.USE_CANDIDATE, b""))
    return Message(MessageClass.REQUEST, b"t" * 12, tuple(attributes)).write(password)


def code_of(agent: IceLite, data: bytes, address: Address = MOBILE) -> int:
    """Ask, and read the answer's error code; 0 for success."""
    agent.receive_datagram(data, address, 1.0)
    ((answer, _),) = agent.datagrams_to_send()
    return Message.parse(answer).error_code


def test_a_restart_changes_the_path_only_when_the_new_one_is_proven() -> None:
    agent = IceLite("old", "p" * 32)
    agent.start("peer", 0.0)
    assert code_of(agent, check("old:peer", "p" * 32, nominate=True)) == 0
    agent.renew("new", "q" * 32)
    agent.start("peer2", 1.0)
    # the old path goes on, and may even move
    assert code_of(agent, check("old:peer", "p" * 32, nominate=True)) == 0
    assert agent.selected == MOBILE
    # proven, not yet nominated
    assert code_of(agent, check("new:peer2", "q" * 32, nominate=False), FIBRE) == 0
    assert agent.selected == MOBILE
    assert code_of(agent, check("new:peer2", "q" * 32, nominate=True), FIBRE) == 0
    assert agent.selected == FIBRE
    # from now on the old generation is answered and decides nothing
    assert code_of(agent, check("old:peer", "p" * 32, nominate=True)) == 0
    assert agent.selected == FIBRE


def test_the_old_credentials_no_longer_keep_a_restarted_connection_alive() -> None:
    agent = IceLite("old", "p" * 32)
    agent.start("peer", 0.0)
    agent.renew("new", "q" * 32)
    agent.receive_datagram(check("new:peer2", "q" * 32, nominate=True), FIBRE, 1.0)
    agent.receive_datagram(check("old:peer", "p" * 32, nominate=True), MOBILE, 10.0)
    agent.handle_timer(1.0 + IDLE_TIMEOUT)
    events = []
    while (event := agent.next_event()) is not None:
        events.append(event)
    assert isinstance(events[-1], IceFailed)


def test_each_generation_takes_its_own_password_and_peer_only() -> None:
    agent = IceLite("old", "p" * 32)
    agent.start("peer", 0.0)
    agent.renew("new", "q" * 32)
    agent.start("peer2", 0.0)
    assert code_of(agent, check("new:peer2", "p" * 32, nominate=True)) == 401
    assert code_of(agent, check("old:peer", "q" * 32, nominate=True)) == 401
    assert code_of(agent, check("new:peer", "q" * 32, nominate=True)) == 401
    assert agent.selected is None


def test_a_restart_that_came_to_nothing_gives_way_to_the_next() -> None:
    agent = IceLite("one", "p" * 32)
    agent.start("peer", 0.0)
    assert code_of(agent, check("one:peer", "p" * 32, nominate=True)) == 0
    for name in ("two", "three", "four"):
        agent.renew(name, "q" * 32)
    assert agent.ufrags == ("one", "four")
    assert code_of(agent, check("four:peer", "q" * 32, nominate=True), FIBRE) == 0
    agent.renew("five", "r" * 32)
    assert agent.ufrags == ("four", "five")
    assert code_of(agent, check("one:peer", "p" * 32, nominate=True)) == 401


def test_client_and_server_change_over_without_a_gap() -> None:
    line = Line()
    line.run(until=20.0)
    line.home = FIBRE
    line.restart()
    line.run(until=40.0)
    assert line.lite.selected == FIBRE
    assert line.client.ufrags == ("peer2",)
    assert (20.0, AddressValidated(FIBRE, selected=True)) in line.at_server
    assert not any(isinstance(event, PeerSilent | IceFailed) for _, event in line.at_server + line.at_client)


def test_a_restart_that_nobody_answers_leaves_the_old_path() -> None:
    line = Line()
    line.run(until=20.0)
    # the server never heard of it
    line.client.renew("peer2", "d" * 32)
    line.client.start("unknown", "q" * 32, [SERVER], line.now)
    line.run(until=100.0)
    assert line.client.selected == SERVER
    assert line.client.ufrags == ("peer",)
    assert not any(isinstance(event, IceFailed) for _, event in line.at_server + line.at_client)


def test_a_client_that_moved_is_followed_at_its_next_question() -> None:
    line = Line()
    line.run(until=21.0)
    line.home = FIBRE
    line.next_report = 100.0
    line.run(until=27.0)
    assert line.lite.selected == FIBRE
    moved = next(at for at, event in line.at_server if event == AddressValidated(FIBRE, selected=True))
    # within one interval of consent, jitter included
    assert moved <= 21.0 + 6.0


def test_silence_is_noticed_after_five_seconds_and_its_end_at_once() -> None:
    line = Line()
    line.run(until=20.0)
    line.at_server.clear()
    line.lost = True
    line.run(until=30.0)
    ((noticed, event),) = line.at_server
    assert event == PeerSilent(silent=True)
    assert SILENCE - 1.0 <= noticed - 20.0 <= SILENCE
    line.lost = False
    line.run(until=31.0)
    heard = next(at for at, event in line.at_server if event == PeerSilent(silent=False))
    assert heard - 30.0 <= 1.0


def test_an_unanswered_question_is_followed_by_the_next_after_half_a_second() -> None:
    line = Line()
    line.run(until=20.0)
    line.lost = True
    line.run(until=28.0)
    line.lost, line.home = False, FIBRE
    line.run(until=28.6)
    assert line.lite.selected == FIBRE


def test_control_packets_are_signs_of_life_too() -> None:
    agent = IceLite("lite", "p" * 32)
    agent.start("peer", 0.0)
    agent.receive_datagram(check("lite:peer", "p" * 32, nominate=True), MOBILE, 1.0)
    agent.next_event()
    agent.heard(MOBILE, 4.0)
    assert agent.get_timer() == 4.0 + SILENCE
    agent.handle_timer(4.0 + SILENCE)
    assert agent.next_event() == PeerSilent(silent=True)
    agent.heard(MOBILE, 10.0)
    assert agent.next_event() == PeerSilent(silent=False)
    # the connection lasts by them too
    agent.handle_timer(1.0 + IDLE_TIMEOUT)
    assert agent.next_event() is None
    assert agent.get_timer() == 10.0 + REPORT_SILENCE
    agent.handle_timer(10.0 + IDLE_TIMEOUT)
    assert agent.next_event() == PeerSilent(silent=True)
    assert isinstance(agent.next_event(), IceFailed)


def test_who_checks_no_more_but_reports_is_neither_silent_nor_gone() -> None:
    """GStreamer: libnice stops checking once it is connected, and a report comes every 5 s, give or take half."""
    agent = IceLite("lite", "p" * 32)
    agent.start("peer", 0.0)
    agent.receive_datagram(check("lite:peer", "p" * 32, nominate=True), MOBILE, 1.0)
    agent.next_event()
    for report in (4.5, 12.0, 17.0, 24.5, 32.0, 37.0, 44.5):
        while (timer := agent.get_timer()) is not None and timer < report:
            agent.handle_timer(timer)
        agent.heard(MOBILE, report)
        events = list(iter(agent.next_event, None))
        # until it has shown its ways it may be taken for silent once
        assert report < 13 or events == []
    agent.handle_timer(44.5 + IDLE_TIMEOUT)
    assert IceFailed in {type(event) for event in iter(agent.next_event, None)}


def test_who_was_never_heard_is_not_kept_by_reports() -> None:
    agent = IceLite("lite", "p" * 32)
    agent.start("peer", 0.0)
    agent.heard(MOBILE, 29.0)
    agent.handle_timer(CONNECT_TIMEOUT)
    assert isinstance(agent.next_event(), IceFailed)


def on_two_lines() -> IceLite:
    """A peer that is sent to over its mobile line and has proven its fibre too."""
    agent = IceLite("lite", "p" * 32)
    agent.start("peer", 0.0)
    agent.receive_datagram(check("lite:peer", "p" * 32, nominate=True), MOBILE, 1.0)
    agent.receive_datagram(check("lite:peer", "p" * 32, nominate=False), FIBRE, 1.0)
    while agent.next_event() is not None:
        pass
    return agent


def test_a_peer_whose_reports_come_another_way_is_followed_at_once() -> None:
    agent = on_two_lines()
    agent.heard(MOBILE, 10.0)
    # what overtakes on the new path decides nothing while the old one was just heard
    agent.heard(FIBRE, 10.0 + QUIET / 2)
    assert agent.selected == MOBILE
    agent.heard(FIBRE, 10.01 + QUIET)
    assert agent.selected == FIBRE
    assert agent.next_event() == AddressValidated(FIBRE, selected=True)
    # and what was late on the old path leads nowhere
    agent.heard(MOBILE, 10.0 + QUIET + 0.05)
    assert agent.selected == FIBRE


def test_nobody_is_followed_to_an_address_that_is_not_proven() -> None:
    agent = on_two_lines()
    agent.heard(Address("203.0.113.66", 9), 20.0)
    assert agent.selected == MOBILE
    assert agent.next_event() is None


def test_who_never_came_is_not_called_silent() -> None:
    agent = IceLite("lite", "p" * 32)
    agent.start("peer", 0.0)
    agent.heard(MOBILE, 1.0)
    agent.handle_timer(20.0)
    assert agent.next_event() is None
