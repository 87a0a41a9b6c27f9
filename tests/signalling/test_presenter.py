"""Who presents, who may take it, and what is believed of what it says it sees."""

from __future__ import annotations

import json
from typing import Any

import pytest

from signalling.message_frame import MessageError
from signalling.messages import parse_message
from signalling.presenter import Presenter
from signalling.presenter_messages import Present, Viewport
from signalling.room import Participant, Room, RoomError
from tests.signalling.test_room import enter

PANE: dict[str, Any] = {
    "study": "2.25.1",
    "series": "2.25.2",
    "instance": "2.25.3",
    "frame": 1,
    "plane": "stack",
    "slice": 0,
    "slab": None,
    "window": [40, 400],
    "invert": False,
    "centre": [0.5, 0.5],
    "zoom": 1,
    "rotation": 90,
    "flip": True,
    "playing": False,
    "rate": 25,
}
STATE: dict[str, Any] = {"layout": "1x1", "active": 0, "lines": False, "panes": [PANE], "board": 1}


def present(action: str, to: str | None = None) -> Present:
    message = parse_message(json.dumps({"type": "present", "id": 1, "action": action, "to": to}))
    assert isinstance(message, Present)
    return message


def viewport(n: int, state: Any = STATE) -> Viewport:
    message = parse_message(json.dumps({"type": "viewport", "n": n, "sent": 1e12, "state": state}))
    assert isinstance(message, Viewport)
    return message


@pytest.fixture
def room() -> Room:
    return Room("demo")


@pytest.fixture
def first(room: Room) -> Participant:
    return enter(room, "a", "expert")


@pytest.fixture
def second(room: Room) -> Participant:
    return enter(room, "b", "expert")


@pytest.fixture
def presenter(room: Room) -> Presenter:
    return Presenter(room)


def refused(presenter: Presenter, who: Participant, message: Present) -> str:
    with pytest.raises(RoomError) as error:
        presenter.carry_out(who.participant, message)
    assert str(error.value).endswith(".")
    return error.value.code


def test_one_at_a_time(presenter: Presenter, first: Participant, second: Participant) -> None:
    assert presenter.carry_out(first.participant, present("start"))
    assert not presenter.carry_out(first.participant, present("start"))
    assert refused(presenter, second, present("start")) == "already_presenting"
    assert presenter.to_json() == {"participant": first.participant, "asking": []}
    assert presenter.carry_out(first.participant, present("stop"))
    assert refused(presenter, first, present("stop")) == "not_presenting"
    assert presenter.carry_out(second.participant, present("start"))
    assert refused(presenter, first, present("stop")) == "not_presenting"


def test_it_is_asked_for_and_given(presenter: Presenter, first: Participant, second: Participant) -> None:
    presenter.carry_out(first.participant, present("start"))
    assert presenter.carry_out(second.participant, present("ask"))
    assert not presenter.carry_out(second.participant, present("ask"))
    assert presenter.asking == [second.participant]
    assert presenter.carry_out(second.participant, present("stop"))
    assert presenter.asking == []
    presenter.carry_out(second.participant, present("ask"))
    assert presenter.carry_out(first.participant, present("give", second.participant))
    assert presenter.to_json() == {"participant": second.participant, "asking": []}
    assert refused(presenter, first, present("give", first.participant)) == "not_presenting"


def test_asking_while_nobody_presents_is_beginning(presenter: Presenter, first: Participant) -> None:
    assert presenter.carry_out(first.participant, present("ask"))
    assert presenter.participant == first.participant


def test_surgeon_and_chair_take_it(room: Room, presenter: Presenter, first: Participant) -> None:
    chair, surgeon = enter(room, "c", "chair"), enter(room, "s", "surgeon")
    presenter.carry_out(first.participant, present("start"))
    assert presenter.carry_out(chair.participant, present("start"))
    assert presenter.carry_out(surgeon.participant, present("stop"))
    assert presenter.participant is None


def test_who_does_not_draw_does_not_present(room: Room, presenter: Presenter, first: Participant) -> None:
    trainee = enter(room, "t", "trainee")
    for action in ("start", "ask", "stop"):
        assert refused(presenter, trainee, present(action)) == "not_permitted"
    presenter.carry_out(first.participant, present("start"))
    assert refused(presenter, first, present("give", trainee.participant)) == "not_permitted"
    assert refused(presenter, first, present("give", "pt-nobody")) == "not_found"


def test_whose_pen_was_taken_still_ends_it_and_hands_it_on(
    room: Room, presenter: Presenter, first: Participant, second: Participant
) -> None:
    chair = enter(room, "c", "chair")
    presenter.carry_out(first.participant, present("start"))
    presenter.carry_out(second.participant, present("ask"))
    for expert in (first, second):
        room.permit_drawing(chair.participant, expert.participant, False)
    # who asked is not given it without a pen, and may take the question back
    assert refused(presenter, first, present("give", second.participant)) == "not_permitted"
    assert presenter.carry_out(second.participant, present("stop"))
    assert refused(presenter, second, present("ask")) == "not_permitted"
    assert presenter.carry_out(first.participant, present("give", chair.participant))
    assert refused(presenter, first, present("start")) == "not_permitted"
    presenter.carry_out(chair.participant, present("stop"))
    room.permit_drawing(chair.participant, first.participant, True)
    presenter.carry_out(first.participant, present("start"))
    room.permit_drawing(chair.participant, first.participant, False)
    assert presenter.carry_out(first.participant, present("stop"))


def test_while_it_is_away_anybody_may_take_over(
    room: Room, presenter: Presenter, first: Participant, second: Participant
) -> None:
    presenter.carry_out(first.participant, present("start"))
    room.lost(first.participant, first.connection, 0.0)
    assert presenter.participant == first.participant
    assert presenter.carry_out(second.participant, present("start"))


def test_who_goes_is_released(presenter: Presenter, first: Participant, second: Participant) -> None:
    presenter.carry_out(first.participant, present("start"))
    presenter.show(first.participant, viewport(1))
    presenter.carry_out(second.participant, present("ask"))
    assert presenter.gone(second.participant)
    assert presenter.asking == []
    assert presenter.gone(first.participant)
    assert presenter.last() == {"participant": None, "asking": [], "viewport": None}
    assert not presenter.gone(first.participant)


def test_only_the_presenter_shows_and_only_newer_counts(
    presenter: Presenter, first: Participant, second: Participant
) -> None:
    assert not presenter.show(first.participant, viewport(1))
    presenter.carry_out(first.participant, present("start"))
    assert presenter.show(first.participant, viewport(2))
    assert not presenter.show(first.participant, viewport(2))
    assert not presenter.show(second.participant, viewport(9))
    assert presenter.last()["viewport"]["state"] == STATE
    # a newcomer counts anew
    presenter.carry_out(first.participant, present("give", second.participant))
    assert presenter.last()["viewport"] is None
    assert presenter.show(second.participant, viewport(1))


def test_what_is_seen_is_kept_and_nothing_else() -> None:
    state = STATE | {"secret": "x", "panes": [PANE | {"PatientName": "Nobody^Knows"}]}
    assert viewport(1, state).state == STATE
    assert viewport(1, STATE | {"layout": "2x2", "active": 3, "panes": [None, PANE, None, None]}).state[
        "panes"
    ][1]
    assert viewport(1, STATE | {"panes": [PANE | {"window": None}]}).state["panes"][0]["window"] is None
    before = {name: value for name, value in STATE.items() if name != "board"}
    assert viewport(1, before).state["board"] == 1
    assert viewport(1, before | {"board": 100}).state["board"] == 100


WRONG: list[tuple[str, Any]] = [
    ("layout", STATE | {"layout": "9x9"}),
    ("board", STATE | {"board": 0}),
    ("board", STATE | {"board": 101}),
    ("board", STATE | {"board": None}),
    ("panes", STATE | {"panes": []}),
    ("panes", STATE | {"layout": "1x2"}),
    ("panes", STATE | {"panes": [7]}),
    ("active", STATE | {"active": 1}),
    ("lines", STATE | {"lines": 1}),
    ("state", []),
    *(
        (field, STATE | {"panes": [PANE | {"slab" if field in ("mode", "mm") else field: value}]})
        for field, value in (
            ("study", "2.25.x"),
            ("series", "1" * 65),
            ("instance", 7),
            ("frame", 0),
            ("plane", "oblique"),
            ("slice", -1),
            ("slab", 5),
            ("mode", {"mode": "min", "mm": 5}),
            ("mm", {"mode": "max", "mm": 0}),
            ("window", [1]),
            ("window", [1, "2"]),
            ("centre", [0.5, 1e9]),
            ("zoom", 0),
            ("rotation", 361),
            ("flip", None),
            ("rate", 1e9),
        )
    ),
]


@pytest.mark.parametrize(("field", "state"), WRONG)
def test_what_is_wrong_is_named(field: str, state: Any) -> None:
    with pytest.raises(MessageError, match=f"The field {field} ") as error:
        viewport(1, state)
    assert error.value.id is None


def test_no_number_is_infinite() -> None:
    text = json.dumps({"type": "viewport", "n": 1, "sent": 1, "state": STATE}).replace(
        '"zoom": 1', '"zoom": 1e999'
    )
    with pytest.raises(MessageError, match="zoom"):
        parse_message(text)


def test_an_action_that_there_is_not() -> None:
    with pytest.raises(MessageError, match="action"):
        present("dance")
    with pytest.raises(MessageError, match="to"):
        present("give")
