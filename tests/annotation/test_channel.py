"""The lane to one subscriber: only what is worth sending now, and a count for everything else."""

from __future__ import annotations

import json

from annotation.channel import Channel
from annotation.ephemeral import Stroke

from .helpers import line, pointer, stroke


def test_what_is_offered_is_sent_once() -> None:
    channel = Channel()
    message = pointer("a", 1, 10.0)
    channel.offer(message, 10.0)
    assert channel.to_send(10.0) == [message]
    assert channel.to_send(10.0) == []
    assert (channel.counters.offered, channel.counters.sent) == (1, 1)


def test_one_object_is_encoded_once_for_all() -> None:
    message = pointer("a", 1, 10.0)
    first, second = Channel(), Channel()
    first.offer(message, 10.0)
    second.offer(message, 10.0)
    one, other = first.to_send(10.0)[0], second.to_send(10.0)[0]
    # over the socket, and over the data channel
    assert one.data is other.data
    assert one.text is other.text
    assert one.text.encode() == one.data
    assert json.loads(message.data)["author"] == "a"


def test_a_newer_pointer_replaces_the_waiting_one() -> None:
    channel = Channel()
    for n in range(1, 6):
        channel.offer(pointer("a", n, 10.0), 10.0)
        channel.offer(pointer("b", n, 10.0), 10.0)
    assert [(message.author, message.n) for message in channel.to_send(10.0)] == [("a", 5), ("b", 5)]
    assert channel.counters.replaced == 8


def test_waiting_parts_of_a_stroke_are_joined() -> None:
    channel = Channel()
    for n, (start, end) in enumerate([(0, 3), (3, 5), (4, 9)]):
        channel.offer(stroke("a", n, 10.0 + n / 100, start, end), 10.0 + n / 100)
    (joined,) = channel.to_send(10.05)
    assert isinstance(joined, Stroke)
    assert (joined.start, joined.points, joined.n, joined.sent) == (0, line(0, 9), 2, 10020.0)
    assert channel.counters.joined == 2
    channel.offer(stroke("a", 3, 10.1, 9, 10), 10.1)
    (tail,) = channel.to_send(10.1)
    assert isinstance(tail, Stroke)
    assert (tail.start, tail.points) == (9, line(9, 10))


def test_a_part_replaces_what_it_overlaps() -> None:
    channel = Channel()
    channel.offer(stroke("a", 1, 10.0, 5, 10), 10.0)
    channel.offer(stroke("a", 2, 10.0, 2, 4), 10.0)  # began again: shorter now
    (joined,) = channel.to_send(10.0)
    assert isinstance(joined, Stroke)
    assert (joined.start, joined.points) == (2, line(2, 4))


def test_a_gap_keeps_what_is_whole() -> None:
    channel = Channel()
    channel.offer(stroke("a", 1, 10.0, 0, 3), 10.0)
    channel.offer(stroke("a", 3, 10.0, 6, 9), 10.0)
    (kept,) = channel.to_send(10.0)
    assert isinstance(kept, Stroke)
    assert kept.points == line(0, 3)
    assert channel.counters.gap == 1


def test_strokes_of_several_hands_do_not_mix() -> None:
    channel = Channel()
    channel.offer(stroke("a", 1, 10.0, 0, 3), 10.0)
    channel.offer(stroke("b", 1, 10.0, 3, 5), 10.0)
    channel.offer(stroke("a", 2, 10.0, 3, 5, mark="other"), 10.0)
    assert len(channel.to_send(10.0)) == 3


def test_what_is_older_than_a_tenth_of_a_second_is_dropped() -> None:
    channel = Channel()
    channel.offer(pointer("a", 1, 10.0), 10.0)
    channel.offer(pointer("b", 1, 10.05), 10.05)
    assert [message.author for message in channel.to_send(10.125)] == ["b"]
    assert (channel.counters.stale, channel.counters.sent) == (1, 1)
    channel.offer(pointer("a", 2, 10.0), 10.2)  # it took too long to get here
    assert channel.to_send(10.2) == []
    assert channel.counters.stale == 2


def test_a_joined_stroke_is_as_old_as_its_newest_part() -> None:
    channel = Channel()
    channel.offer(stroke("a", 1, 10.0, 0, 3), 10.0)
    channel.offer(stroke("a", 2, 10.09, 3, 5), 10.09)
    (joined,) = channel.to_send(10.18)
    assert isinstance(joined, Stroke)
    assert joined.points == line(0, 5)


def test_what_comes_late_by_number_is_dropped() -> None:
    channel = Channel()
    channel.offer(pointer("a", 5, 10.0), 10.0)
    channel.offer(pointer("a", 5, 10.0), 10.0)
    channel.offer(stroke("a", 4, 10.0, 0, 2), 10.0)
    assert len(channel.to_send(10.0)) == 1
    assert channel.counters.out_of_order == 2


def test_a_page_that_was_loaded_again_counts_anew() -> None:
    channel = Channel()
    channel.offer(pointer("a", 500, 10.0), 10.0)
    channel.offer(pointer("a", 1, 10.9), 10.9)
    channel.offer(pointer("a", 2, 11.0), 11.0)
    assert [message.n for message in channel.to_send(11.0)] == [2]


def test_each_authors_messages_leave_in_the_order_of_their_numbers() -> None:
    channel = Channel()
    channel.offer(stroke("a", 1, 10.0, 0, 2), 10.0)
    channel.offer(pointer("a", 2, 10.0), 10.0)
    channel.offer(stroke("a", 3, 10.0, 2, 4), 10.0)
    channel.offer(stroke("a", 5, 10.0, 9, 12), 10.0)  # a gap: what waits keeps its place
    channel.offer(pointer("a", 6, 10.0), 10.0)
    assert [message.n for message in channel.to_send(10.0)] == [3, 6]


def test_the_add_makes_the_waiting_stroke_superfluous() -> None:
    channel = Channel()
    channel.offer(stroke("a", 1, 10.0, 0, 2), 10.0)
    channel.finish("b", "m")
    channel.finish("a", "m")
    assert channel.to_send(10.0) == []
    assert channel.counters.superseded == 1


def test_nothing_is_sent_of_who_left() -> None:
    channel = Channel()
    channel.offer(pointer("a", 1, 10.0), 10.0)
    channel.offer(stroke("a", 2, 10.0, 0, 2), 10.0)
    channel.offer(pointer("b", 1, 10.0), 10.0)
    channel.forget("a")
    assert [message.author for message in channel.to_send(10.0)] == ["b"]
    channel.offer(pointer("a", 1, 10.0), 10.0)
    assert len(channel.to_send(10.0)) == 1


def test_one_hand_cannot_fill_the_lane() -> None:
    channel = Channel()
    channel.offer(pointer("b", 1, 10.0), 10.0)
    for n in range(1000):
        channel.offer(stroke("a", n, 10.0, 0, 2, mark=f"m-{n}"), 10.0)
    sent = channel.to_send(10.0)
    assert len(sent) == 9
    assert sent[-1].n == 999


def test_everything_offered_is_counted() -> None:
    channel = Channel()
    for n in range(200):
        now = 10.0 + n / 60
        channel.offer(pointer("a", 2 * n, now), now)
        channel.offer(stroke("a", 2 * n + 1, now, n, n + (n % 3), mark=f"m-{n // 20}"), now)
        if n % 9 == 0:
            channel.to_send(now)
        if n % 20 == 19:
            channel.finish("a", f"m-{n // 20}")
    channel.to_send(100.0)
    counters = channel.counters
    assert (
        counters.offered
        == 400
        == (
            counters.sent
            + counters.replaced
            + counters.joined
            + counters.stale
            + counters.out_of_order
            + counters.gap
            + counters.superseded
        )
    )
