"""A picture that was for some only is given to them, to who sent it, and to nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from recorder.audience import Audiences, person_digest, without
from recorder.journal import JsonObject

RECORDING = "20261122-101500-demo-3f9a"


def _joined(participant: str, person: str, role: str) -> JsonObject:
    digest = person_digest(RECORDING, person)
    return {"kind": "participant_joined", "participant": participant, "role": role, "person": digest}


def _added(producer: int, participant: str) -> JsonObject:
    return {"kind": "producer_added", "producer": producer, "participant": participant}


def _restricted(producer: int, audience: object) -> JsonObject:
    return {"kind": "restrict", "producer": producer, "audience": audience}


EVENTS: list[JsonObject] = [
    _joined("pt-1", "demo/Dr. Li", "surgeon"),
    _joined("pt-2", "subject 77", "expert"),
    _added(7, "pt-1"),
    _added(9, "pt-1"),
    _restricted(9, {"roles": ["chair"], "participants": ["pt-2"]}),
]


@pytest.mark.parametrize(
    ("role", "person", "withheld"),
    [
        ("chair", "demo/Anybody", set()),  # by the role
        ("expert", "subject 77", set()),  # as himself
        ("surgeon", "demo/Dr. Li", set()),  # he sent it
        ("surgeon", "demo/Another", {9}),
        ("expert", "subject 78", {9}),
        ("trainee", "demo/Anybody", {9}),
    ],
)
def test_who_was_of_the_audience_is_given_the_picture(role: str, person: str, withheld: set[int]) -> None:
    assert Audiences(RECORDING, EVENTS).withheld(role, person) == withheld


def test_one_must_have_been_of_the_audience_all_the_time() -> None:
    events = [*EVENTS, _restricted(9, {"roles": ["expert"], "participants": []}), _restricted(9, None)]
    audiences = Audiences(RECORDING, events)
    assert audiences.withheld("chair", "demo/Anybody") == {9}
    assert audiences.withheld("expert", "subject 77") == set()


@pytest.mark.parametrize("audience", [{}, {"roles": "trainee"}, {"roles": [1], "participants": {"pt-2": 1}}])
def test_an_audience_that_is_not_understood_lets_nobody_in(audience: object) -> None:
    audiences = Audiences(RECORDING, [*EVENTS, _restricted(7, audience)])
    assert 7 in audiences.withheld("chair", "demo/Anybody")
    assert 7 not in audiences.withheld("surgeon", "demo/Dr. Li")


def test_a_person_is_named_within_one_recording_only() -> None:
    assert person_digest(RECORDING, "subject 77") != person_digest(RECORDING + "0", "subject 77")


def test_a_description_is_without_what_is_withheld_and_says_so() -> None:
    about: JsonObject = {"participant": "pt-1", "offset": 0.1, "seconds": 9.0}
    description: JsonObject = {
        "cameras": [
            {"producer": 7, "audio": 8, "audio_type": "audio/mp4", **about},
            {"producer": 9, "audio": 10, "audio_type": "audio/mp4", **about},
            {"producer": 11, "audio": None, **about},
        ],
        "stills": [{"producer": 9}, {"producer": 7}],
        "gaps": [{"producer": 9}],
        "events": EVENTS,
    }
    given = without(description, frozenset({8, 9, 11}))
    cameras: Any = given["cameras"]
    field, sound = cameras
    assert field == {"producer": 7, "audio": None, "audio_type": None, **about}
    # whoever may not see him hears him still
    assert (sound["producer"], sound["source"], sound["type"]) == (10, "microphone", "audio/mp4")
    assert given["stills"] == [{"producer": 7}]
    assert given["gaps"] == []
    assert given["withheld"] == [8, 9, 11]
    assert without(description, frozenset())["cameras"] == description["cameras"]
