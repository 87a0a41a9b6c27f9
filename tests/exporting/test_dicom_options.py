"""What may be asked for of DICOM films and teaching copies, and what the server adds."""

from __future__ import annotations

from typing import Any

import pytest

from recorder.export.dicom_options import dicom_options, read_context
from recorder.export.kinds import KINDS, ExportError, kind_of, read_options
from recorder.export.masks import Mask, masks_of_one, masks_on, read_masks
from recorder.export.teaching_options import TeachingOptions, teaching_options
from server.exporting.dicom_films import patient_within

MASK = {"producer": 7, "x": 0.1, "y": 0.2, "width": 0.3, "height": 0.4}


def test_a_dicom_film_is_silent_and_the_patients_unless_said_otherwise() -> None:
    usual = dicom_options({})
    assert (usual.film.sound, usual.height, usual.deidentified, usual.send) == (False, 0, False, False)
    told = dicom_options(
        {
            "from": 1, "to": 9, "producers": [7], "sound": True, "rate": 50, "height": 2160,
            "deidentified": True, "dates": "moved", "masks": [MASK],
        }
    )  # fmt: skip
    assert (told.film.begin, told.film.end, told.film.producers, told.film.rate) == (1.0, 9.0, (7,), 50)
    assert (told.height, told.dates, told.masks) == (2160, "moved", (Mask(7, 0.1, 0.2, 0.3, 0.4),))
    assert told.film.sound


@pytest.mark.parametrize(
    "fields",
    [
        {"height": 720},
        {"height": True},
        {"producers": [7, 9]},
        {"dates": "kept"},
        {"send": 1},
        {"deidentified": True, "send": True},
        {"subject": {"patient_id": "4711"}},
        {"study": "1.2.3"},
        {"names": True},
        {"masks": [{}]},
    ],
)
def test_what_no_dicom_film_can_be_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ExportError):
        dicom_options(fields)


CONTEXT: dict[str, Any] = {
    "series": "2.25.11", "instance": "2.25.12", "study": "1.2.3", "now": 1.0, "days": None,
    "subject": {"study": "1.2.3", "patient_id": "4711", "odd": "x"},
}  # fmt: skip


def test_whose_film_it_is_comes_from_the_server_or_not_at_all() -> None:
    found = read_context(CONTEXT, dicom_options({}))
    assert found.subject is not None
    assert (found.subject["patient_id"], found.subject["sex"], "odd" in found.subject) == ("4711", "", False)
    nobody = CONTEXT | {"subject": None, "study": "2.25.10"}
    assert read_context(nobody, dicom_options({"deidentified": True})).subject is None
    for context, options in (
        ({}, {}),
        (CONTEXT, {"deidentified": True}),
        (nobody, {}),
        (CONTEXT | {"instance": "../x"}, {}),
        # a hospital's study would lead back to the patient
        (nobody | {"study": "1.2.3"}, {"deidentified": True}),
        (CONTEXT | {"now": "soon"}, {}),
    ):
        with pytest.raises(ExportError):
            read_context(context, dicom_options(options))


def chosen(at: float, key: str | None) -> dict[str, Any]:
    return {"kind": "patient_chosen", "at": at, "patient": key}


def test_a_film_has_the_one_patient_of_its_range() -> None:
    events = [chosen(0.01, "p-1"), {"kind": "speaker", "at": 3}, chosen(60, "p-2"), chosen(90, None)]
    assert patient_within(events, 0, 60) == "p-1"
    assert patient_within(events, 60, 90) == "p-2"
    # once more the same is nobody else
    assert patient_within([chosen(0, "p-1"), chosen(5, "p-1")], 0, 60) == "p-1"
    for begin, end in ((0, 61), (50, 70), (60, 95), (90, 95)):
        with pytest.raises(ExportError):
            patient_within(events, begin, end)
    for nobody in ([], [chosen(0, None)], [chosen(10, "p-1")], ["odd", {"kind": "patient_chosen"}]):
        with pytest.raises(ExportError):
            patient_within(nobody, 0, 60)


def test_a_teaching_copy_names_nobody_whatever_is_asked_for() -> None:
    usual = teaching_options({})
    film = usual.film
    assert (film.names, film.title, film.clock, film.sound, usual.texts) == (
        False,
        False,
        False,
        False,
        False,
    )
    told = teaching_options(
        {"sound": True, "texts": True, "view": "camera", "producers": [7], "masks": [MASK]}
    )
    assert (told.film.sound, told.texts, told.view, len(told.film.masks)) == (True, True, "camera", 1)
    for fields in (
        {"names": True},
        {"title": True},
        {"clock": True},
        {"bookmarks": [{"at": 1, "text": "Anna"}]},
        {"view": "field"},
        {"view": "camera", "producers": [7, 9]},
        {"texts": "yes"},
    ):
        with pytest.raises(ExportError):
            teaching_options(fields)


def test_the_kinds_are_known_and_only_the_teaching_copy_waits_for_a_look() -> None:
    assert [name for name, kind in KINDS.items() if kind.sign_off] == ["teaching"]
    assert isinstance(read_options(kind_of("teaching"), {}), TeachingOptions)
    assert read_options(kind_of("dicom"), {"deidentified": True}).deidentified


@pytest.mark.parametrize(
    "value",
    [
        {},
        [MASK] * 65,
        [MASK | {"x": 0.8}],
        [MASK | {"y": -0.1}],
        [MASK | {"width": 0}],
        [MASK | {"height": float("nan")}],
        [MASK | {"x": "0"}],
        [MASK | {"x": True}],
        [MASK | {"producer": 0}],
        [MASK | {"note": "Anna"}],
        [7],
    ],
)
def test_masks_lie_within_a_picture(value: object) -> None:
    with pytest.raises(ExportError):
        read_masks(value)


def test_a_mask_covers_every_pixel_that_it_touches_by_pairs() -> None:
    assert Mask(7, 0.0, 0.0, 1.0, 1.0).rows_and_columns(1920, 1080) == (slice(0, 1080), slice(0, 1920))
    assert Mask(7, 0.101, 0.101, 0.1, 0.1).rows_and_columns(100, 100) == (slice(10, 22), slice(10, 22))
    tiny = Mask(7, 0.5, 0.5, 0.0001, 0.0001).rows_and_columns(101, 101)
    assert all(edges.stop - edges.start >= 2 and edges.start % 2 == 0 for edges in tiny)
    assert masks_on(read_masks([MASK, MASK | {"producer": 9}]), 9)[0].producer == 9


def test_masks_that_would_hide_nothing_are_no_masks() -> None:
    masks = read_masks([MASK, MASK | {"producer": 9}])
    assert masks_of_one(masks, 7) == masks[:1]
    assert masks_of_one((), 7) == ()
    with pytest.raises(ExportError, match="another camera"):
        masks_of_one(masks, 8)
