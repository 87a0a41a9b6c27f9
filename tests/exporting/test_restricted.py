"""A picture that was for some only is in nobody's film: films are passed on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recorder.audience import Audiences
from recorder.export.kinds import ExportError
from server.exporting.restricted import without_restricted
from tests.helpers.recorded import prepared, recorded
from tests.helpers.served import served

CAMERAS: dict[str, Any] = {
    "cameras": [
        {"producer": 7, "source": "field", "audio": 8},
        {"producer": 9, "source": "camera", "audio": None},
        {"producer": 10, "source": "microphone", "audio": None},
    ]
}


def restricted(*producers: int) -> Audiences:
    return Audiences(
        "r",
        [
            {"kind": "restrict", "producer": producer, "audience": {"roles": ["chair"], "participants": []}}
            for producer in producers
        ],
    )


def test_what_was_for_everybody_is_asked_for_as_it_was() -> None:
    assert without_restricted("camera", {"from": 1.0}, CAMERAS, restricted()) == {"from": 1.0}
    assert without_restricted("captions", {}, CAMERAS, restricted(7)) == {}
    assert without_restricted("clip", {"producers": [7]}, CAMERAS, restricted(9)) == {"producers": [7]}


@pytest.mark.parametrize("kind", ["camera", "clip", "composed"])
def test_of_all_cameras_those_are_left_that_were_for_everybody(kind: str) -> None:
    assert without_restricted(kind, {"to": 2.0}, CAMERAS, restricted(9)) == {"to": 2.0, "producers": [7, 10]}


@pytest.mark.parametrize("fields", [{"producers": [7, 9]}, {"main": 9}])
def test_one_that_is_named_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ExportError, match="not for everybody"):
        without_restricted("composed", fields, CAMERAS, restricted(9))


@pytest.mark.parametrize("sound", [8, 10])
def test_sound_that_was_for_some_is_left_out_by_a_word(sound: int) -> None:
    with pytest.raises(ExportError, match="without sound"):
        without_restricted("camera", {}, CAMERAS, restricted(sound))
    given = without_restricted("camera", {"sound": False}, CAMERAS, restricted(sound))
    assert given["producers"] == [producer for producer in (7, 9, 10) if producer != sound]


@pytest.mark.parametrize("kind", ["dicom", "teaching"])
def test_a_worker_that_chooses_is_left_to_choose_among_the_others(kind: str) -> None:
    # silent unless it is asked otherwise
    assert without_restricted(kind, {"to": 2.0}, CAMERAS, restricted(8, 9)) == {"to": 2.0}
    for fields in ({"producers": [9]}, {"sound": True}, {"main": 9}):
        with pytest.raises(ExportError, match="not for everybody"):
            without_restricted(kind, fields, CAMERAS, restricted(8, 9))
    with pytest.raises(ExportError, match="pictures of this recording"):
        without_restricted(kind, {}, CAMERAS, restricted(7, 9))


def test_where_nothing_is_left_it_is_said() -> None:
    with pytest.raises(ExportError, match="pictures of this recording"):
        without_restricted("camera", {"sound": False}, CAMERAS, restricted(7, 9, 10))


async def test_a_server_makes_no_film_of_it(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        recording, (field, _) = await recorded(server, {"roles": ["chair"], "participants": []})
        # not even for one of its audience
        bearer = server.bearer("chair")
        await prepared(server.url, bearer, recording)
        for kind in ("camera", "dicom"):
            for options in ({}, {"producers": [field["producer"]]}):
                body = json.dumps({"recording": recording, "kind": kind, "options": options}).encode()
                answer = await server.ask("POST", "/api/exports", bearer, body)
                assert answer.status == 400
                assert b"not for everybody" in answer.body
                code = "pictures_restricted" if not options else "picture_restricted"
                assert json.loads(answer.body)["code"] == code
