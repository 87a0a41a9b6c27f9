"""FHIR R5 as a worklist: what is taken from it, and what is not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalling.worklist import WorklistError, parse_bundle

BASE = "https://fhir.example.org/r5"

ANNA: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [
        {"use": "official", "system": "urn:insurance", "value": "X9"},
        {"type": {"coding": [{"code": "MR"}]}, "system": "urn:his", "value": "4711"},
    ],
    "name": [
        {"use": "nickname", "text": "Annie"},
        {"use": "official", "family": "Müller", "given": ["Anna", "Eva"]},
    ],
    "gender": "female",
    "birthDate": "1970-01-01",
}
APPOINTMENT: dict[str, Any] = {
    "resourceType": "Appointment",
    "id": "a1",
    "status": "booked",
    "identifier": [{"type": {"coding": [{"code": "ACSN"}]}, "value": "A-1"}],
    "description": "Laparoscopic cholecystectomy",
    "start": "2026-11-29T13:30:00+01:00",
    "subject": {"reference": "Patient/p1"},
}


def bundle(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "entry": [{"resource": r} for r in resources], **more}


def test_an_appointment_and_its_patient_are_an_entry() -> None:
    page = parse_bundle(bundle(APPOINTMENT, ANNA), BASE)
    (entry,) = page.entries
    assert (entry.patient_id, entry.issuer, entry.name) == ("4711", "urn:his", "Müller^Anna Eva")
    assert (entry.birth_date, entry.sex, entry.accession) == ("19700101", "F", "A-1")
    assert (entry.procedure, entry.starts) == ("Laparoscopic cholecystectomy", "202611291330")
    assert entry.encounter == "Appointment/a1"
    assert (page.skipped, page.next) == (0, "")


def test_an_encounter_and_a_service_request_are_entries_too() -> None:
    encounter = {
        "resourceType": "Encounter",
        "id": "e1",
        "subject": {"reference": BASE + "/Patient/p1"},
        "actualPeriod": {"start": "2026-11-29T08:00:00Z"},
        "type": [{"coding": [{"display": "Operation"}]}],
    }
    request = {
        "resourceType": "ServiceRequest",
        "id": "s1",
        "subject": {"reference": "Patient/p1"},
        "code": {"concept": {"text": "CT abdomen"}},
        "occurrenceDateTime": "2026-11-29",
    }
    page = parse_bundle(bundle(encounter, request, ANNA), BASE)
    assert [(e.procedure, e.starts) for e in page.entries] == [
        ("Operation", "202611290800"),
        ("CT abdomen", "20261129"),
    ]


def test_who_cannot_be_told_from_others_is_not_offered() -> None:
    nameless = {"resourceType": "Patient", "id": "p1", "identifier": ANNA["identifier"]}
    numberless = {"resourceType": "Patient", "id": "p1", "name": ANNA["name"]}
    for patient in (nameless, numberless):
        page = parse_bundle(bundle(APPOINTMENT, patient), BASE)
        assert (page.entries, page.skipped) == ((), 1)
    assert parse_bundle(bundle(APPOINTMENT), BASE).skipped == 1


def test_a_next_page_elsewhere_is_not_followed() -> None:
    def links(url: str) -> dict[str, Any]:
        return bundle(link=[{"relation": "next", "url": url}])

    assert parse_bundle(links(BASE + "?page=2"), BASE).next == BASE + "?page=2"
    assert parse_bundle(links("https://evil.example.org/?page=2"), BASE).next == ""
    assert parse_bundle(links("https://[fhir.example.org/r5"), BASE).next == ""
    assert parse_bundle(links("http://fhir.example.org/r5?page=2"), BASE).next == ""


@pytest.mark.parametrize("value", [None, [], "x", {}, {"resourceType": "OperationOutcome"}])
def test_what_is_no_bundle_is_refused(value: object) -> None:
    with pytest.raises(WorklistError):
        parse_bundle(value, BASE)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*ANNA, *APPOINTMENT, "coding", "participant", "actor", "reference"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(list(ANNA)), values),
    st.dictionaries(st.sampled_from(list(APPOINTMENT)), values),
)
def test_whatever_stands_in_the_resources_nothing_breaks(
    patient: dict[str, Any], appointment: dict[str, Any]
) -> None:
    page = parse_bundle(bundle(APPOINTMENT | appointment, ANNA | patient), BASE)
    assert len(page.entries) + page.skipped <= 2
