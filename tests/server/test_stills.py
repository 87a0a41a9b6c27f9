"""The store of frozen frames: who may see one, what goes when there are too many, what a disk that refuses does."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest

from server.config import StillsConfig
from server.stills import KeptStill, StillsFull, StillStore
from signalling.permissions import Role
from signalling.tokens import Claims

STILL = KeptStill(7, 3735928559, 1920, 1080, "", for_all=False, links=("link-a",))


def claims(role: Role, link: str) -> Claims:
    return Claims("demo", "x", role, None, 2e9, link=link)


@pytest.fixture
def store(tmp_path: Path) -> StillStore:
    return StillStore(StillsConfig(folder=str(tmp_path / "stills"), per_room=3, total_mb=16))


def keep(store: StillStore, number: int, room: str = "demo", size: int = 10) -> None:
    kept = store.keep(room, replace(STILL, rtp_timestamp=number), b"p" * size)
    # the order of keeping, however coarse the disk's clock is
    path = store._folder / room / f"{kept.name}.png"
    at = time.time_ns() - (1000 - number) * 10**9
    os.utime(path, ns=(at, at))


def test_it_comes_back_as_it_was_kept_and_only_we_may_read_the_file(
    store: StillStore, tmp_path: Path
) -> None:
    kept = store.keep("demo", STILL, b"PNG")

    assert len(kept.sm3) == 64
    assert store.find("demo", "7-3735928559") == kept
    assert store.read("demo", kept) == b"PNG"
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "stills").rglob("*.*")}
    assert modes == {0o600}


@pytest.mark.parametrize("name", ["../7-1", "7-1/../7-1", "7", "07-1", "7-1.json", "", "7-99999999999"])
def test_names_lead_nowhere_else(store: StillStore, name: str) -> None:
    store.keep("demo", replace(STILL, rtp_timestamp=1), b"PNG")
    assert store.find("demo", name) is None
    assert store.find("../demo", "7-1") is None


def test_who_may_see_it() -> None:
    mine, for_all = STILL, replace(STILL, for_all=True)
    team = replace(for_all, roles=("surgeon",), guests=("link-g",))
    # who took it, always; the others only what is for all, and of a picture only its audience
    for still, allowed in (
        (mine, {"a"}),
        (for_all, {"a", "s", "t", "g"}),
        (team, {"a", "s", "g"}),
    ):
        people: dict[str, Claims] = {
            "a": claims("expert", "link-a"),
            "s": claims("surgeon", "link-s"),
            "t": claims("trainee", "link-t"),
            "g": claims("trainee", "link-g"),
        }
        assert {who for who, claim in people.items() if still.may_be_seen(claim)} == allowed


def test_the_same_frame_frozen_by_two_is_kept_once_for_both(store: StillStore) -> None:
    first = store.keep("demo", STILL, b"PNG")
    both = store.keep("demo", replace(STILL, links=("link-b",), for_all=True), b"")
    assert both.sm3 == first.sm3
    assert (both.links, both.for_all) == (("link-a", "link-b"), True)
    assert store.read("demo", both) == b"PNG"


def test_the_oldest_goes_first(store: StillStore) -> None:
    for number in range(1, 6):
        keep(store, number)
    assert [n for n in range(1, 6) if store.find("demo", f"7-{n}")] == [3, 4, 5]


def test_all_rooms_together_take_so_much_and_the_newest_is_always_there(store: StillStore) -> None:
    keep(store, 1, "one", 9 << 20)
    keep(store, 2, "two", 9 << 20)
    assert store.find("one", "7-1") is None
    assert store.find("two", "7-2") is not None
    keep(store, 3, "two", 17 << 20)
    assert store.find("two", "7-2") is None
    assert store.find("two", "7-3") is not None


def test_a_disk_that_refuses_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "stills").write_bytes(b"a file where the folder should be")
    with pytest.raises(StillsFull, match="disk"):
        StillStore(StillsConfig(folder=str(tmp_path / "stills"))).keep("demo", STILL, b"PNG")
