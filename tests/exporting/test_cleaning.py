"""What a teaching copy is made of: a description in which nobody is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from recorder.export.cleaning import HIDDEN, cleaned, hiding, restricted_in
from recorder.export.shown import Timeline

ANCHOR = {"producer": 7, "rtp_timestamp": 3000}
NAMES = ("Dr. Li Wei", "Prof. Anna Keller", "王小明")


def operation(sequence: int, body: dict[str, Any]) -> dict[str, Any]:
    who = {"author": "pt-2", "name": "Prof. Anna Keller", "colour": "#ffff00"}
    return {"at": float(sequence), "sequence": sequence, **who, "operation": body}


def added(name: str, shape: str, text: str, points: list[list[float]]) -> dict[str, Any]:
    mark = {"mark": name, "shape": shape, "anchor": ANCHOR, "points": points, "width": 0.01, "text": text}
    return {"kind": "add", "mark": mark}


ASKED = "Li, cut 5 mm here, Keller 12345678"
LINE = [[0.1, 0.1], [0.2, 0.2]]
DESCRIPTION: dict[str, Any] = {
    "recording": "20261122-101500-ward3-3f9a",
    "room": "ward3",
    "started": 1_795_343_000_000.0,
    "seconds": 60.0,
    "state": "complete",
    "participants": [
        {"participant": "pt-1", "name": NAMES[0], "role": "surgeon", "colour": "#00c3ff", "subject": "u-9"},
        {"participant": "pt-2", "name": NAMES[1], "role": "expert", "colour": "#ffff00"},
        {"participant": "pt-3", "name": NAMES[2], "role": "trainee", "colour": "#ff00ff"},
    ],
    "cameras": [
        {
            "producer": number, "participant": "pt-1", "source": source, "label": "Keller's tower", "codec": "H264",
            "type": "video/mp4", "audio_type": None, "offset": 0.0, "seconds": 60.0, "first_rtp_timestamp": 0,
            "clock_rate": 90_000, "width": 1920, "height": 1080, "audio": None, "note": "Anna",
        }
        for number, source in ((7, "field"), (9, "second"))
    ],
    "operations": [
        operation(1, added("m-1", "arrow", "", LINE)),
        operation(2, added("m-2", "text", "Anna, 12.03.1970", [[0.5, 0.5]])),
        operation(3, {"kind": "say", "text": "Frau Müller, born 1970"}),
        operation(4, {"kind": "instruct", "instruction": "i-1", "text": ASKED, "mark": "m-1"}),
    ],
    "pointers": [{"at": 1.0, "author": "pt-2", "anchor": ANCHOR, "point": [0.5, 0.5], "name": "Anna"}],
    "events": [
        {"kind": "participant_joined", "at": 0.0, "participant": "pt-1", "name": NAMES[0], "person": "x"},
        {"kind": "producer_added", "at": 0.0, "producer": 9, "participant": "pt-1", "source": "second"},
        {"kind": "speaker", "at": 2.0, "participant": "pt-2", "name": NAMES[1]},
        {"kind": "message", "at": 3.0, "participant": "pt-2", "text": "Anna Keller"},
        {"kind": "patient_chosen", "at": 0.0, "patient": "p-0f3a9c2d41b7e865"},
        {"kind": "viewport", "at": 4.0, "state": {"panes": [{"instance": "1.2.3"}]}},
        {"kind": "veiled", "at": 2.0, "sequence": 2, "operation": added("m-2", "text", "▮▮▮, see", [[0.5, 0.5]])},
    ],
    "stills": [{"producer": 7, "file": "7-3000.png", "label": "Anna"}],
    "gaps": [{"producer": 7, "at": 1.0, "seconds": 0.5, "packets": 3, "note": "Anna"}],
    "problems": [],
    "ignored_bytes": 0,
    "odd": "Anna Keller",
}  # fmt: skip

#: Everything in it that names somebody, the room, the date or the patient.
TOLD = (
    *("Keller", "Anna", "Li", "Wei", "王小明", "ward3", "Müller", "20261122", "1795343000", "u-9", "tower"),
    *("12345678", "1970", "p-0f3a9c2d41b7e865", "1.2.3", "7-3000.png"),
)


@pytest.mark.parametrize("texts", [False, True])
def test_nobody_is_in_what_is_left(texts: bool) -> None:
    text = json.dumps(cleaned(DESCRIPTION, texts=texts), ensure_ascii=False)
    assert [told for told in TOLD if told in text] == []


def test_all_that_is_drawn_is_left() -> None:
    found = cleaned(DESCRIPTION, texts=False)
    timeline = Timeline(found)
    assert [(seen.mark.mark, seen.mark.text) for seen in timeline.marks_at(10.0)] == [
        ("m-1", ""),
        ("m-2", HIDDEN),
    ]
    assert [one["role"] for one in found["participants"]] == ["surgeon", "expert", "trainee"]
    assert timeline.speaker(3.0) == "pt-2"
    assert (found["started"], found["seconds"]) == (0.0, 60.0)
    assert [one["operation"]["kind"] for one in found["operations"]] == ["add", "add"]
    assert {event["kind"] for event in found["events"]} == {"participant_joined", "producer_added", "speaker"}


def test_words_stay_without_what_could_name_somebody() -> None:
    found = cleaned(DESCRIPTION, texts=True)
    words = [one["operation"].get("text") or one["operation"]["mark"]["text"] for one in found["operations"]]
    # the second as the room's veil had it; what people said to each other is not part of a film
    assert words == ["", "▮▮▮, see", f"{HIDDEN}, cut 5 mm here, {HIDDEN} {HIDDEN}"]


def test_who_is_known_since_to_be_its_patient_is_hidden_too() -> None:
    told = added("m-3", "text", "欧阳伟 and Schulz: 5 mm", [[0.5, 0.5]])
    described = DESCRIPTION | {"operations": [operation(1, told)]}
    hidden = cleaned(described, texts=True, patients=["Schulz Eva", "SchulzEva", "欧阳 伟", "欧阳伟"])
    (one,) = hidden["operations"]
    assert one["operation"]["mark"]["text"] == f"{HIDDEN} and {HIDDEN}: 5 mm"


def test_what_was_for_some_only_is_for_no_learner() -> None:
    restrict = {"kind": "restrict", "at": 5.0, "producer": 9, "audience": {"roles": ["surgeon", "expert"]}}
    described = DESCRIPTION | {"events": [*DESCRIPTION["events"], restrict]}
    assert restricted_in(DESCRIPTION) == frozenset()
    assert restricted_in(described) == {9}
    found = cleaned(described, texts=False)
    assert [camera["producer"] for camera in found["cameras"]] == [7]
    assert all(event.get("producer") != 9 for event in found["events"])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Keller’s duct", f"{HIDDEN} duct"),
        ("KELLER", HIDDEN),
        ("Li here, not in the line", f"{HIDDEN} here, not in the line"),
        ("li", "li"),
        ("Kellerman", "Kellerman"),
        ("请王小明看", f"请{HIDDEN}看"),
        ("4711-22", HIDDEN),
        ("5 March 2021", HIDDEN),
        ("2021年3月5日", HIDDEN),
        ("a.b@example.org", HIDDEN),
        ("12 mm, grade 3", "12 mm, grade 3"),
        ("March forward", "March forward"),
    ],
)
def test_names_numbers_and_dates_are_hidden_and_measures_are_not(text: str, shown: str) -> None:
    assert hiding(NAMES)(text) == shown
    assert hiding([])("Keller, 12 mm") == "Keller, 12 mm"


def test_what_is_no_description_names_nobody_either() -> None:
    for odd in (
        {"events": [7]},
        {"participants": "Anna", "operations": [{"operation": 5}], "cameras": [None]},
    ):
        assert "Anna" not in json.dumps(cleaned({"events": [], "operations": [], **odd}, texts=True))
