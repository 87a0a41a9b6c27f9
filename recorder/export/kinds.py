"""What can be exported: one line a kind. The server reads this table to check what is asked for, the worker to do it.

A kind's modules are imported when it is used: the server never loads PyAV or OpenCV for it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .work import Work


class ExportError(ValueError):
    """What is asked for cannot be exported: a sentence for whoever asked, and a code that says it to a page."""

    def __init__(self, sentence: str, code: str = "bad_request") -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class Kind:
    """Where a kind's two functions are, as `module:function` within this package.

    `options(fields)` reads the JSON object that the page sent and raises ExportError; `run(work, options)` writes the
    files in the worker process. With `sign_off` nobody is given the files before somebody has said that they may go.
    """

    options: str
    run: str
    sign_off: bool = False
    #: Whether it shows the DICOM images that were presented (`Work.images`).
    images: bool = False
    #: Whether it hides the recording's patients (`Work.patients`).
    patients: bool = False


KINDS: dict[str, Kind] = {
    "camera": Kind("options:camera_options", "camera_film:run"),
    "clip": Kind("options:clip_options", "camera_film:run"),
    "composed": Kind("options:composed_options", "composed.film:run", images=True),
    "captions": Kind("options:captions_options", "captions:run"),
    "dicom": Kind("dicom_options:dicom_options", "dicom_video:run"),
    "teaching": Kind("teaching_options:teaching_options", "teaching:run", sign_off=True, patients=True),
    "annotations": Kind("options:annotations_options", "recorded_annotations:run"),
}


def kind_of(name: object) -> Kind:
    """Find a kind by its name. Raises ExportError."""
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ExportError(f"A recording is exported as one of {', '.join(KINDS)}.")
    return kind


def read_options(kind: Kind, fields: Mapping[str, object]) -> Any:
    """Read what was asked for; cheap, and without PyAV. Raises ExportError."""
    return _function(kind.options)(fields)


def run_kind(kind: Kind, work: Work, options: Any) -> None:
    """Write the files. Only in the worker process."""
    _function(kind.run)(work, options)


def _function(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(f".{module}", __package__), name)
