"""Who has the pen, and which way round a picture is: in memory."""

from __future__ import annotations

import json

import pytest

from signalling.colours import NEUTRAL
from signalling.entities import Happened
from signalling.message_frame import MessageError
from signalling.messages import parse_message
from signalling.orientation import OPPOSITES, Orientation
from signalling.room import Participant, Room
from tests.signalling.test_room import drain, enter, refusal, send


@pytest.fixture
def room() -> Room:
    return Room("demo")


@pytest.fixture
def surgeon(room: Room) -> Participant:
    return enter(room, "s", "surgeon")


def come(room: Room, number: int, role: str = "expert", link: str = "link-1") -> Participant:
    return room.join(f"pt-{number}", f"s-{number}", "x", role, None, link)  # type: ignore[arg-type]


def written(room: Room) -> list[str]:
    return [event.event["kind"] for event in drain(room) if isinstance(event, Happened)]


def test_the_pen_is_taken_and_given_back(room: Room, surgeon: Participant) -> None:
    expert = enter(room, "a")
    room.demand(expert.participant, "mark")
    drain(room)
    room.permit_drawing(surgeon.participant, expert.participant, False)
    assert written(room) == ["permit_drawing"]
    assert refusal(room.demand, expert.participant, "mark") == "not_permitted"
    now = room.participant(expert.participant)
    assert now is not None
    assert now.to_json()["draws"] is False
    # what he drew he may still wipe away
    room.demand(expert.participant, "clear_own")
    # again is nothing new
    room.permit_drawing(surgeon.participant, expert.participant, False)
    assert drain(room) == []
    room.permit_drawing(surgeon.participant, expert.participant, None)
    room.demand(expert.participant, "mark")


def test_a_trainee_is_given_the_pen_and_a_colour(room: Room, surgeon: Participant) -> None:
    trainee = enter(room, "t", "trainee")
    assert trainee.colour == NEUTRAL
    assert refusal(room.demand, trainee.participant, "mark") == "not_permitted"
    room.permit_drawing(surgeon.participant, trainee.participant, True)
    room.demand(trainee.participant, "mark")
    room.demand(trainee.participant, "clear_own")
    assert refusal(room.demand, trainee.participant, "clear_field") == "not_permitted"
    colours = [p.colour for p in room.participants]
    assert NEUTRAL not in colours
    assert len(set(colours)) == len(colours)


def test_only_surgeon_and_chair_give_and_take_it_and_never_from_each_other(
    room: Room, surgeon: Participant
) -> None:
    chair, expert = enter(room, "c", "chair"), enter(room, "a")
    room.permit_drawing(chair.participant, expert.participant, False)
    for by, whom in ((expert, expert), (expert, surgeon), (chair, surgeon), (surgeon, chair)):
        assert refusal(room.permit_drawing, by.participant, whom.participant, False) == "not_permitted"
    assert refusal(room.permit_drawing, chair.participant, "pt-gone", False) == "not_found"


def test_the_pen_stays_taken_for_who_comes_back_by_the_same_link(room: Room, surgeon: Participant) -> None:
    expert = come(room, 1)
    room.permit_drawing(surgeon.participant, expert.participant, False)
    room.leave(expert.participant, 1)
    again, other = come(room, 2), come(room, 3, link="link-2")
    assert refusal(room.demand, again.participant, "mark") == "not_permitted"
    room.demand(other.participant, "mark")
    # given to a trainee it is there again, with a colour
    trainee = come(room, 4, "trainee", "link-3")
    room.permit_drawing(surgeon.participant, trainee.participant, True)
    room.leave(trainee.participant, 1)
    trainee = come(room, 5, "trainee", "link-3")
    room.demand(trainee.participant, "mark")
    assert trainee.colour != NEUTRAL


def test_whose_picture_it_is_surgeon_and_chair_say_which_way_round_it_is(
    room: Room, surgeon: Participant
) -> None:
    expert, trainee = enter(room, "a"), enter(room, "t", "trainee")
    send(room, expert, 7)
    drain(room)
    mirrored = Orientation("R", "F", mirrored=True)
    room.orient(expert.participant, 7, mirrored)
    assert written(room) == ["orient"]
    assert room.producer(7).to_json()["orientation"] == {"row": "R", "column": "F", "mirrored": True}
    assert refusal(room.orient, trainee.participant, 7, None) == "not_permitted"
    assert refusal(room.orient, surgeon.participant, 8, None) == "not_found"
    room.orient(surgeon.participant, 7, Orientation("L"))
    room.orient(surgeon.participant, 7, Orientation("L"))
    assert written(room) == ["orient"]


def test_the_next_picture_of_the_same_source_is_labelled_alike(room: Room, surgeon: Participant) -> None:
    expert = come(room, 1)
    send(room, expert, 7)
    room.orient(surgeon.participant, 7, Orientation("L", "F"))
    room.withdraw(7)
    send(room, expert, 8)
    assert room.producer(8).orientation == Orientation("L", "F")
    room.orient(surgeon.participant, 8, None)
    room.withdraw(8)
    send(room, expert, 9)
    assert room.producer(9).orientation is None


def test_both_edges_on_one_axis_of_the_patient_are_no_orientation() -> None:
    for letter, opposite in OPPOSITES.items():
        for column in (letter, opposite):
            with pytest.raises(ValueError, match="another way"):
                Orientation(letter, column)


@pytest.mark.parametrize(
    "body",
    [
        {"type": "orient", "producer": 7, "orientation": "L"},
        {"type": "orient", "producer": 7, "orientation": {"row": "L", "column": "F"}},
        {"type": "orient", "producer": 7, "orientation": {"row": 3, "column": None, "mirrored": False}},
        {"type": "orient", "producer": 7, "orientation": {"row": "X", "column": None, "mirrored": False}},
        {"type": "orient", "producer": 7, "orientation": {"row": "L", "column": "R", "mirrored": False}},
        {"type": "orient", "producer": 0, "orientation": None},
        {"type": "permit", "participant": "pt-1", "draws": "yes"},
        {"type": "permit", "participant": "pt-1", "draws": True, "sources": None},
    ],
)
def test_what_says_neither_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(MessageError):
        parse_message(json.dumps({"id": 1} | body))
