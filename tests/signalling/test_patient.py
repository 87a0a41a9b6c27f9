"""Whose image it is: the rule as a table, and what each role is told."""

from __future__ import annotations

import pytest

from signalling.patient import DRAWN_ON, Identity, Match, Patient, match
from signalling.permissions import ROLES

ANNA = Identity("4711", "HIS", "Müller^Anna", "19700101")
WANG = Identity("1", "", "Wang^XiaoDong=王^小东", "19800302")
PINYIN = Identity("1", "", "Wang^XiaoDong", "19800302")

TABLE: list[tuple[str, Identity | None, Identity, Match]] = [
    ("nobody chosen", None, ANNA, "unchosen"),
    ("all agrees", ANNA, ANNA, "same"),
    ("another number", ANNA, Identity("4712", "HIS", "Müller^Anna", "19700101"), "other"),
    (
        "a leading zero is part of a number",
        ANNA,
        Identity("04711", "HIS", "Müller^Anna", "19700101"),
        "other",
    ),
    (
        "the same number of another issuer",
        ANNA,
        Identity("4711", "PRAXIS", "Müller^Anna", "19700101"),
        "other",
    ),
    ("the issuer not said", ANNA, Identity("4711", "", "Müller^Anna", "19700101"), "same"),
    ("issuer unknown to the room", Identity("4711", "", "Müller^Anna"), ANNA, "same"),
    ("blanks around", ANNA, Identity(" 4711 ", "HIS ", "Müller^Anna", "19700101"), "same"),
    ("another date of birth", ANNA, Identity("4711", "HIS", "Müller^Anna", "19700201"), "doubtful"),
    ("another name", ANNA, Identity("4711", "HIS", "Schmidt^Eva", "19700101"), "doubtful"),
    ("issuer not said and another name", ANNA, Identity("4711", "", "Schmidt^Eva", "19700101"), "doubtful"),
    ("the name in another order", ANNA, Identity("4711", "HIS", "Anna Müller", "19700101"), "same"),
    ("without umlaut and in capitals", ANNA, Identity("4711", "HIS", "MULLER^ANNA", "19700101"), "same"),
    ("a middle name more", ANNA, Identity("4711", "HIS", "Müller^Anna^Maria", "19700101"), "same"),
    ("a date as FHIR writes it", ANNA, Identity("4711", "HIS", "Müller^Anna", "1970-01-01"), "same"),
    ("a date that is none", ANNA, Identity("4711", "HIS", "Müller^Anna", "unknown"), "same"),
    ("name and date not said", ANNA, Identity("4711"), "same"),
    (
        "Chinese after the first group",
        Identity("1", "", "Wang^Wu=王^五"),
        Identity("1", "", "Wang^Wu"),
        "same",
    ),
    ("pinyin and characters beside characters", WANG, Identity("1", "", "王小东", "19800302"), "same"),
    ("pinyin and characters beside pinyin in parts", WANG, Identity("1", "", "WANG^XIAO DONG"), "same"),
    (
        "pinyin beside characters, one date of birth",
        PINYIN,
        Identity("1", "", "=王^小东", "1980-03-02"),
        "same",
    ),
    ("pinyin beside characters, no date of birth", PINYIN, Identity("1", "", "王^小东"), "doubtful"),
    ("pinyin beside characters, another date", PINYIN, Identity("1", "", "王^小东", "19800303"), "doubtful"),
    (
        "one pinyin, other characters",
        WANG,
        Identity("1", "", "Wang^XiaoDong=汪^晓冬", "19800302"),
        "doubtful",
    ),
    ("characters of the first group beside the second", WANG, Identity("1", "", "王^小东"), "same"),
    ("a number in the name", Identity("1", "", "Case^12"), Identity("1", "", "Case^13"), "doubtful"),
    ("Chinese, another", Identity("1", "", "王^五"), Identity("1", "", "李^四"), "doubtful"),
    ("an image without number", ANNA, Identity("", "HIS", "Müller^Anna", "19700101"), "unknown"),
    ("an image without anything", ANNA, Identity(""), "unknown"),
]


@pytest.mark.parametrize(
    ("room", "image", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_whose_image_it_is(room: Identity | None, image: Identity, expected: Match) -> None:
    assert match(room, image) == expected


def test_only_another_patients_image_is_not_drawn_on() -> None:
    outcomes = {row[3] for row in TABLE}
    assert outcomes - DRAWN_ON == {"other"}


def test_who_may_not_see_the_patient_is_told_a_label_alone() -> None:
    patient = Patient(ANNA, "p-1", "F", "A-1", "Appendectomy")
    for role in ROLES:
        told = patient.to_json(role)
        if role in ("trainee", "observer"):
            assert told == {"name": "Patient A", "key": "p-1"}
        else:
            assert (told["name"], told["patient_id"], told["birth_date"]) == (
                "Müller^Anna",
                "4711",
                "19700101",
            )
