"""What was shown to some people only leaves the archive in nobody's film: films are passed on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recorder.audience import Audiences
from recorder.export.kinds import ExportError
from recorder.journal import JsonObject

#: The kinds in which pictures or sound are.
_FILMS = frozenset({"camera", "clip", "composed", "dicom", "teaching"})
#: Those that have sound only where it is asked for, and whose worker leaves such pictures out by itself: of one of them
#: it makes its own choice of one camera.
_CAREFUL = frozenset({"dicom", "teaching"})


def without_restricted(
    kind: str, fields: Mapping[str, object], description: JsonObject, audiences: Audiences
) -> dict[str, object]:
    """Leave out of an export what was not for everybody. Raises ExportError where that is what was asked for."""
    restricted = audiences.restricted
    if kind not in _FILMS or not restricted:
        return dict(fields)
    cameras: Any = description.get("cameras", [])
    sounds = {
        camera["producer"] if camera.get("source") == "microphone" else camera.get("audio")
        for camera in cameras
    }
    careful = kind in _CAREFUL
    if sounds & restricted and fields.get("sound", not careful) is not False:
        raise ExportError(
            "Some sound of this recording was not for everybody: export it without sound.", "sound_restricted"
        )
    named = fields.get("producers") or []
    asked = [*named, fields.get("main")] if isinstance(named, list) else []
    if any(isinstance(producer, int) and producer in restricted for producer in asked):
        raise ExportError("This picture was not for everybody: it is not exported.", "picture_restricted")
    if named:
        return dict(fields)
    free = [
        camera["producer"]
        for camera in cameras
        if camera["producer"] not in restricted and not (careful and camera.get("source") == "microphone")
    ]
    if not free:
        raise ExportError(
            "The pictures of this recording were not for everybody: they are not exported.",
            "pictures_restricted",
        )
    return dict(fields) if careful else {**fields, "producers": free}
