"""Switches between encodings, where it matters to the millisecond: in virtual time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from media.plane import EventKind, Layer
from tests.helpers.rtp_harness import MemoryHarness
from tests.helpers.rtp_stream import View
from tests.helpers.simulcast import Simulcast, seen
from tests.media.plane_behaviour.observing import records
from tests.media.plane_behaviour.simulcast import FRAME, assert_seamless, pictures


@pytest.fixture
def harness() -> Iterator[MemoryHarness]:
    made = MemoryHarness("AEAD_AES_128_GCM")
    yield made
    made.close()


def later(harness: MemoryHarness, stream: Simulcast, time: int, milliseconds: int, *, key: bool) -> None:
    """Send a picture in the lower encoding, and so much later in the better one."""
    stream.deliver(stream.encoders[0].frame(time, key=time == FRAME))
    harness.advance(milliseconds)
    stream.deliver(stream.encoders[1].frame(time, key=key))
    harness.advance(33 - milliseconds)


def test_a_key_frame_that_comes_later_is_switched_to_at_its_own_picture(harness: MemoryHarness) -> None:
    stream = Simulcast(harness, 2)
    view = View(stream)
    for number in range(1, 5):
        later(harness, stream, number * FRAME, 20, key=False)
    harness.plane.set_layer(view.spec.consumer, Layer(1))
    later(harness, stream, 5 * FRAME, 20, key=False)
    later(harness, stream, 6 * FRAME, 20, key=True)
    later(harness, stream, 7 * FRAME, 20, key=False)
    assert pictures(seen(view)) == [*((0, n * FRAME) for n in range(1, 6)), (1, 6 * FRAME), (1, 7 * FRAME)]
    assert_seamless(seen(view))


def test_who_comes_too_late_gets_more_patience_and_another_chance(harness: MemoryHarness) -> None:
    stream = Simulcast(harness, 2)
    view = View(stream)
    for number in range(1, 4):
        later(harness, stream, number * FRAME, 10, key=False)
    harness.plane.set_layer(view.spec.consumer, Layer(1))
    later(harness, stream, 4 * FRAME, 32, key=True)
    assert pictures(seen(view))[-1] == (0, 4 * FRAME)
    for number in range(5, 10):
        later(harness, stream, number * FRAME, 32, key=False)
    later(harness, stream, 10 * FRAME, 32, key=True)
    assert pictures(seen(view))[-1] == (1, 10 * FRAME)
    assert_seamless(seen(view))
    # asked for when the switch was wanted, and when it was missed
    asked = [event for event in harness.events(EventKind.KEY_FRAME_WANTED) if event.data == b"\1"]
    assert len(asked) == 2


def test_nothing_is_held_back_for_who_is_silent_or_already_further(harness: MemoryHarness) -> None:
    stream = Simulcast(harness, 2)
    view = View(stream)
    later(harness, stream, FRAME, 10, key=False)
    harness.plane.set_layer(view.spec.consumer, Layer(1))
    stream.deliver(stream.encoders[1].frame(2 * FRAME))
    stream.deliver(stream.encoders[0].frame(2 * FRAME))
    assert pictures(seen(view)) == [(0, FRAME), (0, 2 * FRAME)]
    harness.advance(250)
    stream.deliver(stream.encoders[0].frame(3 * FRAME))
    assert pictures(seen(view))[-1] == (0, 3 * FRAME)


def test_what_is_held_back_goes_after_30_ms(harness: MemoryHarness) -> None:
    stream = Simulcast(harness, 2)
    view = View(stream)
    later(harness, stream, FRAME, 10, key=False)
    harness.plane.set_layer(view.spec.consumer, Layer(1))
    stream.deliver(stream.encoders[0].frame(2 * FRAME))
    harness.advance(29)
    assert pictures(seen(view)) == [(0, FRAME)]
    harness.advance(2)
    assert pictures(seen(view)) == [(0, FRAME), (0, 2 * FRAME)]


def test_the_tap_does_not_begin_with_a_lower_encoding_while_a_better_one_flows(
    harness: MemoryHarness,
) -> None:
    stream = Simulcast(harness, 2)
    harness.plane.set_tap(stream.spec.producer, enabled=True)
    stream.picture(FRAME)
    stream.picture(2 * FRAME, 0)
    assert not records(harness.plane.read_tap())
    harness.advance(600)
    stream.picture(3 * FRAME, 0, encodings=[0])
    assert len(records(harness.plane.read_tap())) == 2
