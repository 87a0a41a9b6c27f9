"""The door: who waits, in which order, and when it is locked."""

from __future__ import annotations

import pytest

from signalling.door import QUEUE, Door
from signalling.permissions import ROLES
from signalling.room import RoomError


@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize("by_link", [True, False, None])
def test_the_link_counts_before_the_room_and_who_opens_never_waits(
    guarded: bool, by_link: bool | None
) -> None:
    door = Door(guarded=guarded)
    wish = guarded if by_link is None else by_link
    for role in ROLES:
        assert door.must_wait(role, by_link) == (wish and role not in ("surgeon", "chair"))


def test_places_move_up() -> None:
    door = Door()
    for name in "abc":
        door.knock(name, name, "expert", 1.0)
    assert [door.place(name) for name in "abcd"] == [1, 2, 3, 0]
    assert door.take("a").name == "a"
    assert door.withdraw("b")
    assert not door.withdraw("b")
    assert [entry.waiting for entry in door.waiting] == ["c"]
    with pytest.raises(RoomError):
        door.take("a")


def test_a_locked_door_is_locked_for_those_who_cannot_open_it() -> None:
    door = Door()
    door.locked = True
    with pytest.raises(RoomError) as refused:
        door.knock("a", "a", "expert", 1.0)
    assert refused.value.code == "room_locked"
    door.check("chair")


def test_the_queue_is_bounded() -> None:
    door = Door()
    for number in range(QUEUE):
        door.knock(str(number), "x", "trainee", 1.0)
    with pytest.raises(RoomError) as refused:
        door.knock("one more", "x", "trainee", 1.0)
    assert refused.value.code == "room_full"
