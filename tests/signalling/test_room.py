"""Who is in a room, what happens when connections break, and who is told: in virtual time."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from signalling.colours import NEUTRAL
from signalling.permissions import Role
from signalling.room import (
    TRANSITIONS,
    Cause,
    ConnectionClosed,
    Happened,
    Notice,
    Participant,
    ParticipantGone,
    ParticipantId,
    Producer,
    ProducerEnded,
    ProducerMuted,
    Room,
    RoomError,
    RoomEvent,
    State,
)


def drain(room: Room) -> list[RoomEvent]:
    events = []
    while (event := room.next_event()) is not None:
        events.append(event)
    return events


def enter(room: Room, name: str, role: Role = "expert") -> Participant:
    participant = room.join(ParticipantId(f"pt-{name}"), f"secret-{name}", name, role)
    drain(room)
    return participant


def resume(room: Room, participant: Participant) -> Participant | None:
    return room.resume(f"secret-{participant.name}", participant.name, participant.role)


def send(room: Room, participant: Participant, number: int) -> Producer:
    producer = Producer(number, participant.participant, "camera", "video", "H264", participant.name)
    room.announce(producer)
    return producer


def told(event: RoomEvent | None) -> dict[str, Any]:
    assert isinstance(event, Notice)
    return event.message.body


def refusal(call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(RoomError) as caught:
        call(*arguments, **named)
    assert str(caught.value).endswith(".")
    return caught.value.code


@pytest.fixture
def room() -> Room:
    return Room("demo")


# joining


def test_the_others_are_told_of_a_newcomer(room: Room) -> None:
    newcomer = room.join(ParticipantId("pt-1"), "s", "Dr. Li Wei", "expert")
    event = room.next_event()
    assert told(event) == {"type": "participant", "participant": newcomer.to_json()}
    assert isinstance(event, Notice)
    assert (event.to, event.but) == (None, "pt-1")
    assert room.participants == (newcomer,)


def test_whoever_may_draw_has_a_colour_of_his_own(room: Room) -> None:
    drawing = [enter(room, f"e{i}") for i in range(14)]
    drawing += [enter(room, "s", "surgeon"), enter(room, "c", "chair")]
    assert len({participant.colour for participant in drawing}) == 16
    assert enter(room, "o", "observer").colour == enter(room, "t", "trainee").colour == NEUTRAL


def test_a_seventeenth_expert_is_refused_but_an_observer_is_not(room: Room) -> None:
    for i in range(16):
        enter(room, f"e{i}")
    assert refusal(enter, room, "one more") == "room_full"
    enter(room, "o", "observer")
    room.leave(ParticipantId("pt-e3"), 1)
    enter(room, "one more")


def test_a_full_room_refuses_everybody() -> None:
    room = Room("demo", capacity=2)
    enter(room, "a", "observer")
    away = enter(room, "b", "observer")
    room.lost(away.participant, 1, 0.0)
    assert refusal(enter, room, "c", "surgeon") == "room_full"


def test_an_identity_is_never_given_twice(room: Room) -> None:
    enter(room, "a")
    with pytest.raises(ValueError, match="must be new"):
        room.join(ParticipantId("pt-b"), "secret-a", "b", "expert")
    with pytest.raises(ValueError, match="must be new"):
        room.join(ParticipantId("pt-a"), "secret-b", "b", "expert")


@pytest.mark.parametrize("name", ["../x", ".x", "", "a\r\nb"])
def test_a_room_has_a_harmless_name(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        Room(name)


# breaking and returning


def test_a_broken_connection_is_away_and_comes_back(room: Room) -> None:
    expert = enter(room, "a")
    room.lost(expert.participant, 1, 100.0)
    assert told(room.next_event())["participant"]["state"] == "away"
    assert room.get_timer() == 130.0
    room.handle_timer(129.9)
    back = resume(room, expert)
    assert back is not None
    assert (back.participant, back.colour, back.state, back.connection) == (
        "pt-a",
        expert.colour,
        State.CONNECTED,
        2,
    )
    assert told(room.next_event())["participant"]["state"] == "connected"
    assert room.get_timer() is None
    room.handle_timer(1000.0)
    assert room.participants == (back,)


def test_after_thirty_seconds_it_is_gone_with_what_it_sent(room: Room) -> None:
    expert, other = enter(room, "a"), enter(room, "b")
    send(room, expert, 7)
    kept = send(room, other, 8)
    room.lost(expert.participant, 1, 100.0)
    drain(room)
    room.handle_timer(130.0)
    assert told(room.next_event()) == {"type": "producer_removed", "producer": 7}
    assert told(room.next_event()) == {"type": "participant_left", "participant": "pt-a", "reason": "timeout"}
    assert room.next_event() == ParticipantGone(expert.participant, Cause.TIMEOUT)
    assert room.producers == (kept,)
    assert resume(room, expert) is None
    assert enter(room, "a").participant == "pt-a"  # the secret is free again


def test_a_second_socket_takes_over(room: Room) -> None:
    expert = enter(room, "a")
    second = resume(room, expert)
    assert second is not None
    assert second.connection == 2
    (closing,) = drain(room)
    assert isinstance(closing, ConnectionClosed)
    assert (closing.connection, closing.message.body["code"]) == (1, "taken_over")
    # the end of the first is no news
    room.lost(expert.participant, 1, 5.0)
    room.leave(expert.participant, 1)
    assert drain(room) == []
    assert room.participants == (second,)


def test_a_connection_is_lost_once(room: Room) -> None:
    expert = enter(room, "a")
    room.lost(expert.participant, 1, 100.0)
    room.lost(expert.participant, 1, 120.0)
    assert room.get_timer() == 130.0
    assert len(drain(room)) == 1


def test_a_session_belongs_to_its_link(room: Room) -> None:
    enter(room, "a")
    assert room.resume("secret-a", "a", "surgeon") is None
    assert room.resume("secret-a", "b", "expert") is None
    assert room.resume("secret-a", "a", "expert", "pt-9") is None
    assert room.resume("secret-x", "a", "expert") is None
    assert drain(room) == []


def test_leaving_is_at_once(room: Room) -> None:
    expert = enter(room, "a")
    room.leave(expert.participant, 1)
    assert told(room.next_event())["reason"] == "left"
    assert room.next_event() == ParticipantGone(expert.participant, Cause.LEFT)
    assert room.participants == ()
    assert resume(room, expert) is None


def test_the_removed_are_told_and_cannot_resume(room: Room) -> None:
    expert = enter(room, "a")
    room.remove(expert.participant)
    written, closing, left, gone = drain(room)
    assert isinstance(written, Happened)
    assert isinstance(closing, ConnectionClosed)
    assert closing.message.body["code"] == "removed"
    assert told(left)["reason"] == "removed"
    assert gone == ParticipantGone(expert.participant, Cause.REMOVED)
    assert resume(room, expert) is None
    assert refusal(room.remove, expert.participant) == "not_found"


def test_the_end_of_the_room_ends_everybody(room: Room) -> None:
    away, here = enter(room, "a"), enter(room, "b")
    room.lost(away.participant, 1, 0.0)
    drain(room)
    room.close("server_stopping", "The server is being restarted.")
    events = drain(room)
    closings = [event for event in events if isinstance(event, ConnectionClosed)]
    assert [(closing.participant, closing.message.body["code"]) for closing in closings] == [
        (here.participant, "server_stopping")
    ]
    assert len([event for event in events if isinstance(event, ParticipantGone)]) == 2
    assert room.get_timer() is None
    assert refusal(enter, room, "c") == "room_ended"


@pytest.mark.parametrize(("state", "cause"), list(product(State, Cause)))
def test_the_table_of_states_is_whole(state: State, cause: Cause) -> None:
    after = TRANSITIONS.get((state, cause))
    if state is State.GONE:
        assert after is None
    elif cause is Cause.LOST:
        assert after is (State.AWAY if state is State.CONNECTED else None)
    elif cause is Cause.RESUMED:
        assert after is State.CONNECTED
    elif cause in (Cause.TIMEOUT, Cause.LEFT):
        awaited = State.AWAY if cause is Cause.TIMEOUT else State.CONNECTED
        assert after is (State.GONE if state is awaited else None)
    else:
        assert after is State.GONE


# permissions and what is sent


def test_permissions_are_demanded_in_a_sentence(room: Room) -> None:
    trainee = enter(room, "t", "trainee")
    room.demand(trainee.participant, "watch")
    assert refusal(room.demand, trainee.participant, "mark") == "not_permitted"
    assert refusal(room.demand, ParticipantId("pt-x"), "watch") == "not_found"


def test_everybody_is_told_what_is_sent(room: Room) -> None:
    producer = send(room, enter(room, "a"), 7)
    event = room.next_event()
    assert told(event) == {"type": "producer", "producer": producer.to_json()}
    assert isinstance(event, Notice)
    assert event.to is event.but is None
    with pytest.raises(ValueError, match="once"):
        room.announce(producer)
    room.withdraw(7)
    room.withdraw(7)
    assert [told(event) for event in drain(room)] == [{"type": "producer_removed", "producer": 7}]


def test_one_mutes_and_unmutes_oneself(room: Room) -> None:
    expert = enter(room, "a")
    send(room, expert, 7)
    drain(room)
    assert room.mute(expert.participant, 7, muted=True).muted
    assert told(room.next_event())["producer"]["muted"] is True
    assert room.next_event() == ProducerMuted(7, muted=True)
    written = {"kind": "mute", "producer": 7, "muted": True, "by": expert.participant}
    assert room.next_event() == Happened(written)
    room.mute(expert.participant, 7, muted=True)
    assert room.next_event() is None
    assert not room.mute(expert.participant, 7, muted=False).muted


def test_the_chair_mutes_others_but_nobody_unmutes_them(room: Room) -> None:
    expert, chair, surgeon = enter(room, "a"), enter(room, "c", "chair"), enter(room, "s", "surgeon")
    send(room, expert, 7)
    assert refusal(room.mute, surgeon.participant, 7, muted=True) == "not_permitted"
    assert room.mute(chair.participant, 7, muted=True).muted
    assert refusal(room.mute, chair.participant, 7, muted=False) == "not_permitted"
    assert refusal(room.mute, chair.participant, 8, muted=True) == "not_found"
    assert room.producer(7).muted


# the recording


def test_a_recording_is_announced_from_start_to_end(room: Room) -> None:
    surgeon = enter(room, "s", "surgeon")
    assert refusal(room.recording_stopped) == "not_recording"
    assert refusal(room.recording_failed, "The disk is full.") == "not_recording"
    room.recording_started("r-1", surgeon.participant, 1e9)
    assert refusal(room.recording_started, "r-2", surgeon.participant, 1e9) == "already_recording"
    room.recording_failed("The disk is full.")
    room.recording_started("r-2", surgeon.participant, 1e9)
    assert room.is_recording
    assert room.recording_stopped().recording == "r-2"
    started, failed, again, stopped = (told(event)["recording"] for event in drain(room))
    assert started == {"recording": "r-1", "state": "recording", "since": 1e12, "by": "s"}
    assert failed == started | {"state": "failed", "reason": "The disk is full."}
    assert again["state"] == "recording"
    assert stopped is None


def test_a_recording_that_the_disk_does_not_follow_runs_on_and_says_what_is_missing(room: Room) -> None:
    surgeon = enter(room, "s", "surgeon")
    assert refusal(room.recording_interrupted, "full", "The disk is full.", 1e9) == "not_recording"
    assert refusal(room.recording_resumed, 1.0, 1) == "not_recording"
    room.recording_started("r-1", surgeon.participant, 1e9)
    room.recording_interrupted("full", "The disk is full.", 1e9 + 5)
    assert room.is_recording
    assert refusal(room.recording_started, "r-2", surgeon.participant, 1e9) == "already_recording"
    room.recording_resumed(2.25, 300)
    room.recording_interrupted("slow", "The disk is slow.", 1e9 + 50)
    room.recording_resumed(0.0, 0)
    room.recording_interrupted("gone", "The disk is gone.", 1e9 + 60)
    room.recording_failed("It cannot be sealed.")
    room.recording_started("r-2", surgeon.participant, 1e9)
    started, first, resumed, second, whole, _, failed, _ = (told(event)["recording"] for event in drain(room))
    why = {"reason": "The disk is full.", "cause": "full", "interrupted": 1e12 + 5000}
    assert first == started | {"state": "interrupted"} | why
    missing = {"missing": {"seconds": 2.2, "packets": 300}}
    assert resumed == started | missing
    assert second["state"] == "interrupted"
    assert whole == resumed
    assert failed == started | missing | {"state": "failed", "reason": "It cannot be sealed."}


def test_silence_of_the_media_is_told_to_all_once_and_so_is_its_end(room: Room) -> None:
    expert = enter(room, "Li")
    room.media(expert.participant, silent=True)
    room.media(expert.participant, silent=True)
    (notice,) = drain(room)
    assert isinstance(notice, Notice)
    # the one concerned is told too: its signalling stands
    assert (notice.to, notice.but) == (None, None)
    assert told(notice)["participant"]["media"] == "silent"
    assert told(notice)["participant"]["state"] == "connected"
    room.media(expert.participant, silent=False)
    assert [told(event)["participant"]["media"] for event in drain(room)] == ["live"]
    room.media(ParticipantId("pt-gone"), silent=True)
    assert drain(room) == []


# a connection that is built anew


def test_what_is_interrupted_waits_as_long_as_who_is_away(room: Room) -> None:
    expert = enter(room, "a")
    send(room, expert, 7)
    drain(room)
    room.interrupt(7, now=100.0)
    description = told(room.next_event())["producer"]
    assert (description["interrupted"], description["since"]) == (True, None)
    assert drain(room) == [Happened({"kind": "producer_interrupted", "producer": 7})]
    assert room.get_timer() == 130.0
    # said twice it waits no longer
    room.interrupt(7, now=110.0)
    room.handle_timer(129.9)
    assert drain(room) == []
    room.handle_timer(130.0)
    assert drain(room) == [ProducerEnded(7)]
    assert room.get_timer() is None
    room.withdraw(7)
    assert told(room.next_event()) == {"type": "producer_removed", "producer": 7}


def test_what_goes_on_keeps_its_number_and_whatever_was_agreed_about_it(room: Room) -> None:
    expert = enter(room, "a")
    send(room, expert, 7)
    room.mute(expert.participant, 7, muted=True)
    room.interrupt(7, now=100.0)
    drain(room)
    room.go_on(7, 4711, 100.0)
    description = told(room.next_event())["producer"]
    assert (description["interrupted"], description["since"], description["muted"]) == (False, 4711, True)
    assert drain(room) == [Happened({"kind": "producer_resumed", "producer": 7, "since": 4711})]
    assert room.get_timer() is None
    assert refusal(room.go_on, 8, since=None, now=1.0) == refusal(room.interrupt, 8, now=1.0) == "not_found"


def test_who_leaves_takes_what_is_interrupted_along(room: Room) -> None:
    expert = enter(room, "a")
    send(room, expert, 7)
    room.interrupt(7, now=100.0)
    room.leave(expert.participant, expert.connection)
    assert room.producers == ()
    assert room.get_timer() is None
