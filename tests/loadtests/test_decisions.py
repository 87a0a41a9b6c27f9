"""The load test without packets: its room behaves as a room does, so that its figures mean something."""

from __future__ import annotations

from loadtests.decisions import FIELD, Room, measure


def heights(room: Room) -> set[int]:
    """How high the field is sent to each receiver."""
    field = next(p for p, sizes in room.plane.sizes.items() if sizes is FIELD)
    slots = [delivery.subscriber.slot_of(field) for delivery in room.router.deliveries.values()]
    assert None not in slots
    return {FIELD[room.plane.layers[slot.consumer].encoding][0] for slot in slots if slot is not None}


def test_wide_lines_carry_the_whole_field_and_narrow_ones_do_not() -> None:
    for line, height in ((None, 2160), (6e6, 540)):
        room = Room(3, line)
        room.run(8.0)
        assert heights(room) == {height}


def test_what_is_measured_is_the_cores_own_time() -> None:
    found = measure(2, 0.5, None)
    assert found["together"] > 0
    assert set(found) == {"feedback", "timers", "decisions", "together"}
