"""Who may be heard, send and watch what, and who has the floor next: in memory."""

from __future__ import annotations

import pytest

from signalling.entities import Audience, AudienceChanged, Happened, ProducerForbidden
from signalling.room import ConnectionClosed, Notice, Participant, Producer, Room, RoomError
from tests.signalling.test_room import drain, enter, refusal, send


@pytest.fixture
def room() -> Room:
    return Room("demo")


@pytest.fixture
def chair(room: Room) -> Participant:
    return enter(room, "c", "chair")


def written(room: Room) -> list[str]:
    return [event.event["kind"] for event in drain(room) if isinstance(event, Happened)]


def test_hands_are_numbered_in_the_order_in_which_they_were_raised(room: Room, chair: Participant) -> None:
    first, second = enter(room, "a"), enter(room, "b", "trainee")
    room.hand(second.participant, second.participant, raised=True)
    room.hand(first.participant, first.participant, raised=True)
    hands = {p.name: p.hand for p in room.participants}
    assert 0 == hands["c"] < hands["b"] < hands["a"]
    assert written(room) == ["hand", "hand"]
    # twice is once, and keeps the place
    room.hand(second.participant, second.participant, raised=True)
    assert drain(room) == []
    room.hand(chair.participant, second.participant, raised=False)
    room.hand(second.participant, second.participant, raised=True)
    assert [p.name for p in sorted(room.participants, key=lambda p: p.hand) if p.hand] == ["a", "b"]


def test_nobody_raises_anothers_hand_and_only_who_moderates_lowers_it(room: Room, chair: Participant) -> None:
    expert, observer = enter(room, "a"), enter(room, "o", "observer")
    assert refusal(room.hand, chair.participant, expert.participant, raised=True) == "not_permitted"
    assert refusal(room.hand, observer.participant, observer.participant, raised=True) == "not_permitted"
    room.hand(expert.participant, expert.participant, raised=True)
    assert refusal(room.hand, observer.participant, expert.participant, raised=False) == "not_permitted"


def test_who_may_not_send_any_more_is_ended_and_refused(room: Room, chair: Participant) -> None:
    expert = enter(room, "a")
    send(room, expert, 7)
    room.announce(Producer(8, expert.participant, "microphone", "audio", "OPUS", ""))
    drain(room)
    room.permit(chair.participant, expert.participant, frozenset({"microphone"}))
    events = drain(room)
    assert [e for e in events if isinstance(e, ProducerForbidden)] == [ProducerForbidden(7)]
    assert refusal(room.demand_source, expert.participant, "camera") == "not_permitted"
    room.demand_source(expert.participant, "microphone")
    room.permit(chair.participant, expert.participant, None)
    room.demand_source(expert.participant, "camera")


def test_permitting_what_the_role_may_anyway_tells_nobody(room: Room, chair: Participant) -> None:
    expert = enter(room, "a")
    room.permit(
        chair.participant, expert.participant, frozenset({"camera", "microphone", "screen", "second"})
    )
    assert [event for event in drain(room) if isinstance(event, Notice)] == []


def test_a_trainee_is_given_the_floor_but_nobody_else_the_field(room: Room, chair: Participant) -> None:
    trainee = enter(room, "t", "trainee")
    assert refusal(room.demand_source, trainee.participant, "microphone") == "not_permitted"
    room.permit(chair.participant, trainee.participant, frozenset({"microphone"}))
    room.demand_source(trainee.participant, "microphone")
    field = frozenset({"field"})
    assert refusal(room.permit, chair.participant, trainee.participant, field) == "not_permitted"
    assert refusal(room.permit, trainee.participant, chair.participant, None) == "not_permitted"


def test_a_picture_for_some_is_sent_to_them_alone(room: Room, chair: Participant) -> None:
    owner, expert, trainee = enter(room, "a"), enter(room, "b"), enter(room, "t", "trainee")
    send(room, owner, 7)
    drain(room)
    audience = Audience(frozenset({"chair"}), frozenset({str(expert.participant)}))
    room.restrict(owner.participant, 7, audience)
    events = drain(room)
    assert AudienceChanged() in events
    assert room.audience_of(chair.participant) == room.audience_of(expert.participant) == [7]
    assert room.audience_of(trainee.participant) == room.audience_of(owner.participant) == []
    assert refusal(room.restrict, expert.participant, 7, None) == "not_permitted"
    room.restrict(chair.participant, 7, None)
    assert room.audience_of(trainee.participant) == [7]


def test_who_comes_back_by_the_same_link_is_not_rid_of_what_was_decided(
    room: Room, chair: Participant
) -> None:
    def come(number: int, link: str) -> Participant:
        return room.join(f"pt-{number}", f"s-{number}", "x", "expert", None, link)  # type: ignore[arg-type]

    expert = come(1, "link-1")
    send(room, expert, 7)
    leaders = Audience(frozenset({"chair"}), frozenset())
    room.restrict(chair.participant, 7, leaders)
    room.permit(chair.participant, expert.participant, frozenset({"camera"}))
    room.leave(expert.participant, 1)
    again, other = come(2, "link-1"), come(3, "link-2")
    assert refusal(room.demand_source, again.participant, "microphone") == "not_permitted"
    room.demand_source(other.participant, "microphone")
    drain(room)
    send(room, again, 8)
    send(room, other, 9)
    assert written(room) == ["restrict"]
    assert [room.producer(number).audience for number in (8, 9)] == [leaders, None]
    # what is given back stays given back
    room.restrict(chair.participant, 8, None)
    room.permit(chair.participant, again.participant, None)
    room.leave(again.participant, 1)
    send(room, once_more := come(4, "link-1"), 10)
    room.demand_source(once_more.participant, "microphone")
    assert room.producer(10).audience is None


def test_what_is_sent_anew_over_another_connection_is_for_those_whom_it_was_for(
    room: Room, chair: Participant
) -> None:
    owner = enter(room, "a")
    send(room, owner, 7)
    room.restrict(owner.participant, 7, Audience(frozenset({"chair"}), frozenset()))
    room.withdraw(7)
    send(room, owner, 8)
    room.announce(Producer(9, owner.participant, "microphone", "audio", "OPUS", ""))
    trainee = enter(room, "t", "trainee")
    assert room.audience_of(trainee.participant) == [9]


def test_who_was_removed_is_told_why_and_does_not_come_back_by_the_same_link(
    room: Room, chair: Participant
) -> None:
    def come(number: int, link: str) -> Participant:
        return room.join(f"pt-{number}", f"s-{number}", "x", "expert", None, link)  # type: ignore[arg-type]

    expert = come(1, "link-1")
    drain(room)
    assert refusal(room.remove, chair.participant, "", expert.participant) == "not_permitted"
    with pytest.raises(RoomError):
        room.remove(chair.participant, "", by=chair.participant)
    room.remove(expert.participant, "This is not your patient.", by=chair.participant)
    events = drain(room)
    (closing,) = (e for e in events if isinstance(e, ConnectionClosed))
    assert closing.message.body["message"] == "This is not your patient."
    assert refusal(come, 2, "link-1") == "removed"
    assert come(3, "link-2").participant == "pt-3"


def test_who_muted_another_is_said_until_the_owner_unmutes(room: Room, chair: Participant) -> None:
    expert = enter(room, "a")
    send(room, expert, 7)
    room.mute(chair.participant, 7, muted=True)
    assert room.producer(7).muted_by == chair.participant
    room.mute(expert.participant, 7, muted=False)
    assert room.producer(7).muted_by is None


def test_everybody_hears_who_speaks(room: Room, chair: Participant) -> None:
    room.spoken(chair.participant)
    notice, kept = drain(room)
    assert isinstance(notice, Notice)
    assert notice.message.body == {"type": "speaker", "participant": chair.participant}
    assert isinstance(kept, Happened)
