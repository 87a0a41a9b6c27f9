"""Whatever is called, in whatever order: a room's promises hold, and what clients were told is what is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from signalling.permissions import ROLES, Role
from signalling.room import (
    AWAY_SECONDS,
    Audience,
    ConnectionClosed,
    Notice,
    ParticipantGone,
    ParticipantId,
    Producer,
    ProducerForbidden,
    ProducerMuted,
    Room,
    RoomError,
    State,
)
from signalling.sources import SOURCES, Source

CAPACITY, EXPERTS = 6, 3


class RoomCalls(RuleBasedStateMachine):
    """Calls a room at random, and keeps what an observer on the wall would know from its notices."""

    @initialize()
    def open(self) -> None:
        self.room = Room("demo", capacity=CAPACITY, experts=EXPERTS)
        self.now = 0.0
        self.drawn = 0
        self.secrets: dict[str, tuple[str, Role]] = {}
        self.known: dict[str, dict[str, Any]] = {}
        self.producers: dict[int, dict[str, Any]] = {}
        self.recording: dict[str, Any] | None = None
        self.left: set[str] = set()
        self.freed: set[str] = set()
        self.spoken_for: dict[str, int] = {}
        self.silenced: set[int] = set()
        self.removed: set[str] = set()

    def anybody(self, data: st.DataObject) -> ParticipantId:
        return ParticipantId(data.draw(st.sampled_from(["pt-0", *sorted(self.secrets)])))

    def watch(self) -> None:
        while (event := self.room.next_event()) is not None:
            match event:
                case ParticipantGone(participant):
                    assert participant not in self.freed
                    self.freed.add(participant)
                case ConnectionClosed(participant, connection):
                    assert self.spoken_for[participant] == connection
                case Notice(message):
                    self.read(message.body)
                case ProducerMuted(producer, muted):
                    # what the plane was told is what everybody was
                    assert self.producers[producer]["muted"] == muted
                    self.silenced = self.silenced | {producer} if muted else self.silenced - {producer}
                case ProducerForbidden(producer):
                    self.room.withdraw(producer)

    def read(self, body: dict[str, Any]) -> None:
        match body:
            case {"type": "participant", "participant": description}:
                assert description["participant"] not in self.left
                assert self.known.get(description["participant"]) != description
                self.known[description["participant"]] = description
            case {"type": "participant_left", "participant": identifier}:
                self.left.add(identifier)
                del self.known[identifier]
            case {"type": "producer", "producer": description}:
                self.producers[description["producer"]] = description
            case {"type": "producer_removed", "producer": number}:
                del self.producers[number]
            case {"type": "recording", "recording": description}:
                self.recording = description
            case {"type": "speaker", "participant": speaker}:
                self.speaker = speaker
            case _:
                raise AssertionError(body)

    @rule(role=st.sampled_from(ROLES))
    def join(self, role: Role) -> None:
        self.drawn += 1
        identifier = f"pt-{self.drawn}"
        try:
            self.room.join(ParticipantId(identifier), f"s-{identifier}", "x", role, None, f"l-{identifier}")
        except RoomError as error:
            full = len(self.room.participants) == CAPACITY or role == "expert"
            assert error.code == ("room_ended" if self.room.ended else "room_full")  # noqa: PT017
            assert full or self.room.ended
            return
        self.secrets[identifier] = (f"s-{identifier}", role)
        self.spoken_for[identifier] = 1
        self.watch()

    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        identifier = self.anybody(data)
        secret, role = self.secrets.get(identifier, ("none", "expert"))
        returned = self.room.resume(secret, "x", role)
        self.watch()
        assert (returned is None) == (identifier not in self.known)
        if returned is not None:
            assert returned.connection == self.spoken_for[identifier] + 1
            self.spoken_for[identifier] = returned.connection

    @rule(data=st.data(), back=st.integers(0, 1))
    def lost(self, data: st.DataObject, back: int) -> None:
        identifier = self.anybody(data)
        self.room.lost(identifier, self.spoken_for.get(identifier, 1) - back, self.now)
        self.watch()

    @rule(data=st.data(), back=st.integers(0, 1))
    def leave(self, data: st.DataObject, back: int) -> None:
        identifier = self.anybody(data)
        self.room.leave(identifier, self.spoken_for.get(identifier, 1) - back)
        self.watch()

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        identifier = self.anybody(data)
        try:
            self.room.remove(identifier)
            self.removed.add(f"l-{identifier}")
        except RoomError:
            assert identifier not in self.known
        self.watch()

    @rule(data=st.data())
    def come_back_by_the_same_link(self, data: st.DataObject) -> None:
        identifier = self.anybody(data)
        self.drawn += 1
        before = self.room.participants
        if f"l-{identifier}" in self.removed:
            name = f"pt-{self.drawn}"
            with pytest.raises(RoomError):
                self.room.join(ParticipantId(name), f"s-{name}", "x", "chair", None, f"l-{identifier}")
            assert self.room.participants == before

    @rule(data=st.data(), raised=st.booleans(), own=st.booleans())
    def hand(self, data: st.DataObject, raised: bool, own: bool) -> None:
        by = self.anybody(data)
        whose = by if own else self.anybody(data)
        try:
            self.room.hand(by, whose, raised=raised)
        except RoomError:
            return
        finally:
            self.watch()
        assert (self.known[whose]["hand"] > 0) == raised
        assert whose == by or not raised

    @rule(data=st.data(), sources=st.none() | st.frozensets(st.sampled_from(sorted(SOURCES))))
    def permit(self, data: st.DataObject, sources: frozenset[Source] | None) -> None:
        by, whose = self.anybody(data), self.anybody(data)
        try:
            self.room.permit(by, whose, sources)
        except RoomError:
            return
        finally:
            self.watch()
        assert self.known[by]["role"] == "chair"
        assert sources is None or self.known[whose]["sources"] == sorted(sources)
        mine = [p for p in self.room.producers if p.participant == whose]
        assert all(p.source in self.known[whose]["sources"] for p in mine)

    @rule(data=st.data(), roles=st.none() | st.frozensets(st.sampled_from(ROLES)))
    def restrict(self, data: st.DataObject, roles: frozenset[Role] | None) -> None:
        number = data.draw(st.sampled_from([0, *sorted(self.producers)]))
        by = self.anybody(data)
        try:
            self.room.restrict(by, number, None if roles is None else Audience(roles, frozenset()))
        except RoomError:
            return
        finally:
            self.watch()
        for participant in self.room.participants:
            sent = self.room.audience_of(participant.participant)
            own = self.producers[number]["participant"] == participant.participant
            assert (number in sent) == (not own and (roles is None or participant.role in roles))

    @rule(data=st.data())
    def announce(self, data: st.DataObject) -> None:
        identifier = self.anybody(data)
        self.drawn += 1
        try:
            source = data.draw(
                st.sampled_from(sorted(self.known.get(identifier, {}).get("sources", [])) or ["camera"])
            )
            self.room.announce(Producer(self.drawn, identifier, source, "video", "VP8", ""))
        except RoomError:
            assert identifier not in self.known
        self.watch()

    @rule(data=st.data(), muted=st.booleans())
    def mute(self, data: st.DataObject, muted: bool) -> None:
        number = data.draw(st.sampled_from([0, *sorted(self.producers)]))
        by = self.anybody(data)
        try:
            self.room.mute(by, number, muted=muted)
        except RoomError:
            assert by not in self.known or number == 0 or self.producers[number]["participant"] != by
        self.watch()

    @rule(data=st.data(), step=st.sampled_from(["start", "fail", "interrupt", "resume", "stop"]))
    def record(self, data: st.DataObject, step: str) -> None:
        by = self.anybody(data)
        try:
            if step == "start":
                self.room.recording_started("r", by, self.now)
            elif step == "fail":
                self.room.recording_failed("The disk is full.")
            elif step == "interrupt":
                self.room.recording_interrupted("full", "The disk is full.", self.now)
            elif step == "resume":
                self.room.recording_resumed(1.0, 10)
            else:
                self.room.recording_stopped()
        except RoomError:
            assert by not in self.known or self.recording is None or step == "start"
        self.watch()

    @rule(pause=st.sampled_from([0.5, 10.0, AWAY_SECONDS]))
    def wait(self, pause: float) -> None:
        self.now += pause
        self.room.handle_timer(self.now)
        self.watch()
        timer = self.room.get_timer()
        assert timer is None or self.now < timer <= self.now + AWAY_SECONDS

    @rule(really=st.integers(0, 9))
    def close(self, really: int) -> None:
        if really == 0:
            self.room.close()
            self.watch()

    @invariant()
    def what_was_told_is_what_is(self) -> None:
        room = self.room
        assert self.known == {p.participant: p.to_json() for p in room.participants}
        assert self.producers == {p.producer: p.to_json() for p in room.producers}
        assert self.recording == (room.recording and room.recording.to_json())
        assert self.left == self.freed
        muted = {p.producer for p in room.producers if p.muted}
        assert muted == {p for p in self.silenced if p in self.producers}
        hands = [p.hand for p in room.participants if p.hand]
        assert len(set(hands)) == len(hands)

    @invariant()
    def limits_hold(self) -> None:
        room = self.room
        assert len(room.participants) <= CAPACITY
        assert sum(p.role == "expert" for p in room.participants) <= EXPERTS
        present = {p.participant for p in room.participants}
        assert all(producer.participant in present for producer in room.producers)
        assert State.GONE not in {p.state for p in room.participants}
        assert (room.get_timer() is None) == all(p.state is State.CONNECTED for p in room.participants)
        assert not (room.ended and room.participants)


TestRoomCalls = RoomCalls.TestCase
TestRoomCalls.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
