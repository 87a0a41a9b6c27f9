"""Pointers and strokes: parsed, numbered, shown, hidden; and never a line that was not drawn."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.channel import Channel
from annotation.ephemeral import (
    EphemeralReceiver,
    EphemeralSender,
    Pointer,
    Stroke,
    parse_ephemeral,
    parse_relayed,
)
from annotation.values import AnnotationError

from .helpers import ANCHOR, line, pointer, stroke

NOW = 1_795_305_600.0
POINTER: dict[str, Any] = {
    "type": "pointer",
    "anchor": {"producer": 7, "rtp_timestamp": 1},
    "point": [0.5, 0.5],
    "sent": NOW * 1000,
    "n": 17,
}
STROKE: dict[str, Any] = {
    "type": "stroke",
    "mark": "m-1",
    "shape": "freehand",
    "anchor": {"producer": 7, "rtp_timestamp": 1},
    "from": 40,
    "points": [[0.41, 0.52]],
    "width": 0.004,
    "sent": NOW * 1000,
    "n": 19,
}


@pytest.mark.parametrize(
    "body", [POINTER, STROKE, POINTER | {"ghost": True}, POINTER | {"anchor": None, "point": None}]
)
def test_messages_come_back_from_the_wire(body: dict[str, Any]) -> None:
    message = parse_ephemeral(body, "pt-1", NOW)
    assert json.loads(message.data) == body | {"author": "pt-1"}
    assert parse_relayed(json.loads(message.data), NOW) == message


def test_nobody_speaks_for_another() -> None:
    assert parse_ephemeral(POINTER | {"author": "pt-2"}, "pt-1", NOW).author == "pt-1"


def test_what_claims_the_future_was_sent_now() -> None:
    assert parse_ephemeral(POINTER | {"sent": (NOW + 60) * 1000}, "a", NOW).sent == NOW * 1000
    assert parse_ephemeral(POINTER | {"sent": (NOW - 1) * 1000}, "a", NOW).sent == (NOW - 1) * 1000


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        POINTER | {"type": "mark"},
        POINTER | {"point": None},
        POINTER | {"anchor": None},
        POINTER | {"point": [0.5, 1.5]},
        POINTER | {"sent": None},
        POINTER | {"sent": float("nan")},
        POINTER | {"n": -1},
        POINTER | {"n": 1.5},
        POINTER | {"ghost": 1},
        STROKE | {"mark": "a b"},
        STROKE | {"shape": "text"},
        STROKE | {"shape": ["freehand"]},
        STROKE | {"shape": "arrow"},
        STROKE | {"shape": "arrow", "from": 1, "points": [[0, 0], [1, 1]]},
        STROKE | {"from": -1},
        STROKE | {"from": 2000},
        STROKE | {"from": 1999, "points": [[0, 0], [1, 1]]},
        STROKE | {"points": []},
        STROKE | {"width": 1},
    ],
)
def test_a_broken_message_is_refused(body: object) -> None:
    with pytest.raises(AnnotationError) as caught:
        parse_ephemeral(body, "a", NOW)
    assert caught.value.code == "bad_message"


def test_a_relayed_message_needs_its_author() -> None:
    with pytest.raises(AnnotationError):
        parse_relayed(POINTER, NOW)


# the receiving end


def test_a_pointer_hides_after_a_second_without_news() -> None:
    receiver = EphemeralReceiver()
    assert receiver.receive(pointer("a", 1, 10.0), 10.0)
    assert receiver.receive(pointer("a", 2, 10.5), 10.5)
    assert receiver.get_timer() == 11.5
    receiver.handle_timer(11.4)
    assert [shown.n for shown in receiver.pointers()] == [2]
    receiver.handle_timer(11.5)
    assert receiver.pointers() == ()
    assert receiver.get_timer() is None


def test_a_pointer_goes_when_it_says_so() -> None:
    receiver = EphemeralReceiver()
    receiver.receive(pointer("a", 1, 10.0), 10.0)
    assert receiver.receive(pointer("a", 2, 10.0, None), 10.0)
    assert receiver.pointers() == ()
    assert not receiver.receive(pointer("a", 3, 10.0, None), 10.0)


def test_what_is_not_newer_is_ignored() -> None:
    receiver = EphemeralReceiver()
    receiver.receive(pointer("a", 5, 10.0, (0.1, 0.1)), 10.0)
    assert not receiver.receive(pointer("a", 4, 10.0, (0.9, 0.9)), 10.0)
    assert not receiver.receive(stroke("a", 5, 10.0, 0, 3), 10.0)
    assert receiver.receive(pointer("b", 1, 10.0), 10.0)
    assert [shown.point for shown in receiver.pointers()] == [(0.1, 0.1), (0.5, 0.5)]


def test_after_a_second_of_silence_an_author_may_count_anew() -> None:
    receiver = EphemeralReceiver()
    receiver.receive(pointer("a", 500, 10.0), 10.0)
    assert receiver.receive(pointer("a", 1, 11.0), 11.0)


def test_a_stroke_grows_and_is_dropped_after_three_seconds() -> None:
    receiver = EphemeralReceiver()
    assert receiver.receive(stroke("a", 1, 10.0, 0, 3), 10.0)
    assert receiver.receive(stroke("a", 2, 11.0, 2, 6), 11.0)
    assert [shown.points for shown in receiver.strokes()] == [line(0, 6)]
    assert receiver.get_timer() == 14.0
    receiver.handle_timer(13.9)
    assert receiver.strokes()
    receiver.handle_timer(14.0)
    assert receiver.strokes() == ()


def test_a_lost_part_leaves_the_part_before_it_and_keeps_it_alive() -> None:
    receiver = EphemeralReceiver()
    receiver.receive(stroke("a", 1, 10.0, 0, 3), 10.0)
    assert not receiver.receive(stroke("a", 3, 12.0, 6, 9), 12.0)
    assert [shown.points for shown in receiver.strokes()] == [line(0, 3)]
    receiver.handle_timer(14.9)
    assert receiver.strokes()


def test_a_stroke_without_its_beginning_is_not_shown() -> None:
    receiver = EphemeralReceiver()
    assert not receiver.receive(stroke("a", 1, 10.0, 3, 6), 10.0)
    assert receiver.strokes() == ()


def test_the_add_takes_the_strokes_place_for_good() -> None:
    receiver = EphemeralReceiver()
    receiver.receive(stroke("a", 1, 10.0, 0, 3), 10.0)
    receiver.receive(stroke("b", 1, 10.0, 0, 3), 10.0)
    receiver.finish("a", "m")
    assert not receiver.receive(stroke("a", 2, 10.0, 0, 5), 10.0)
    assert [shown.author for shown in receiver.strokes()] == ["b"]


def test_nothing_is_shown_of_who_left() -> None:
    receiver = EphemeralReceiver()
    receiver.receive(pointer("a", 1, 10.0), 10.0)
    receiver.receive(stroke("a", 2, 10.0, 0, 3), 10.0)
    receiver.receive(pointer("b", 1, 10.0), 10.0)
    receiver.forget("a")
    assert [shown.author for shown in receiver.pointers()] == ["b"]
    assert receiver.strokes() == ()


def test_one_author_cannot_fill_the_glass() -> None:
    receiver = EphemeralReceiver()
    for n in range(100):
        receiver.receive(stroke("a", n, 10.0, 0, 3, mark=f"m-{n}"), 10.0)
        receiver.finish("b", f"m-{n}")
    assert [shown.mark for shown in receiver.strokes()] == [f"m-{n}" for n in range(92, 100)]


# the sending end


def test_a_sender_numbers_over_both_types_and_repeats_a_few_points() -> None:
    sender = EphemeralSender()
    first = parse_ephemeral(sender.pointer(ANCHOR, (0.1, 0.2), NOW), "a", NOW)
    second = parse_ephemeral(
        sender.stroke("m", "freehand", ANCHOR, line(0, 20), width=0.004, now=NOW), "a", NOW
    )
    third = parse_ephemeral(
        sender.stroke("m", "freehand", ANCHOR, line(0, 23), width=0.004, now=NOW), "a", NOW
    )
    fourth = parse_ephemeral(
        sender.stroke("x", "freehand", ANCHOR, line(0, 2), width=0.004, now=NOW), "a", NOW
    )
    assert [message.n for message in (first, second, third, fourth)] == [1, 2, 3, 4]
    assert isinstance(first, Pointer)
    starts = [message.start for message in (second, third, fourth) if isinstance(message, Stroke)]
    assert starts == [0, 12, 0]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 6),  # points drawn since the last message
            st.booleans(),  # lost on the way to the server
            st.sampled_from(["now", "now", "wait"]),  # whether the subscriber's connection takes it
            st.sampled_from(["pass", "pass", "lose", "hold", "twice"]),  # the way from the server
            st.booleans(),  # the pointer moves, too
        ),
        max_size=60,
    )
)
def test_loss_delay_and_duplication_never_show_what_was_not_drawn(script: list[tuple[Any, ...]]) -> None:
    sender, channel, receiver = EphemeralSender(), Channel(), EphemeralReceiver()
    now, drawn = NOW, 0
    held: list[bytes] = []
    newest_pointer = -1
    for points, lost, taken, way, moves in script:
        now += 1 / 60
        drawn += points
        bodies = [sender.stroke("m", "freehand", ANCHOR, line(0, drawn), width=0.004, now=now)]
        if moves:
            bodies.append(sender.pointer(ANCHOR, line(0, drawn)[-1], now))
        for body in bodies:
            if not lost:
                channel.offer(parse_ephemeral(json.loads(json.dumps(body)), "a", now), now)
        if taken == "wait":
            continue
        arriving = []
        for message in channel.to_send(now):
            assert now * 1000 - message.sent <= 100.1
            if way == "hold":
                held.append(message.data)
            elif way != "lose":
                arriving += [message.data] * (2 if way == "twice" else 1)
        if way == "pass":
            arriving += held
            held = []
        for text in arriving:
            message = parse_relayed(json.loads(text), now)
            changed = receiver.receive(message, now)
            if isinstance(message, Pointer):
                assert changed == (message.n > newest_pointer) or not changed
                newest_pointer = max(newest_pointer, message.n if changed else -1)
        receiver.handle_timer(now)
        for shown in receiver.strokes():
            assert shown.start == 0
            assert shown.points == line(0, len(shown.points))
            assert len(shown.points) <= drawn
        assert all(shown.n == newest_pointer for shown in receiver.pointers())
    receiver.finish("a", "m")
    for text in held:
        receiver.receive(parse_relayed(json.loads(text), now), now)
    assert receiver.strokes() == ()
    receiver.handle_timer(now + 1)
    assert receiver.pointers() == ()


def test_few_losses_leave_a_stroke_whole() -> None:
    sender, receiver = EphemeralSender(), EphemeralReceiver()
    for i in range(1, 200):
        body = sender.stroke("m", "freehand", ANCHOR, line(0, i), width=0.004, now=NOW + i / 60)
        if i % 8 == 1:  # seven lost in a row
            receiver.receive(parse_ephemeral(body, "a", NOW + i / 60), NOW + i / 60)
    assert [shown.points for shown in receiver.strokes()] == [line(0, 193)]
