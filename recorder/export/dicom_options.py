"""What may be chosen of the kind `dicom`, and what the server adds to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .kinds import ExportError
from .masks import Mask, read_masks
from .options import Options, read

Dates = Literal["removed", "moved"]

#: Lines of a film: 1080p in H.264, 2160p in HEVC; 0: as the camera has them.
HEIGHTS = (0, 1080, 2160)
_OWN = ("deidentified", "dates", "masks", "send")
#: Days by which dates are moved back: one year to ten.
FEWEST_DAYS, MOST_DAYS = 365, 3650
_UID = re.compile(r"2\.25\.[1-9]\d{0,38}")
_SUBJECT = (
    *("study", "patient_id", "patient_name", "birth_date", "sex", "issuer", "accession"),
    "study_description",
)


@dataclass(frozen=True, slots=True)
class DicomOptions:
    """What was asked for. `film`: range, camera, sound, rate; `height`: one of HEIGHTS."""

    film: Options
    height: int = 0
    deidentified: bool = False
    dates: Dates = "removed"
    masks: tuple[Mask, ...] = ()
    #: to the archive, when it is done (the server's part)
    send: bool = False


@dataclass(frozen=True, slots=True)
class DicomContext:
    """What the server alone knows: whose film it is (never typed), its names, the time, by how much dates are moved."""

    series: str
    instance: str
    study: str
    now: float
    software: str = ""
    institution: str = ""
    #: the fields of `annotation.dicom.capture.Subject`; None: de-identified
    subject: dict[str, str] | None = None
    days: int | None = None


def dicom_options(fields: Mapping[str, object]) -> DicomOptions:
    """Read what a DICOM film may be. Raises ExportError."""
    film = read(
        {name: value for name, value in fields.items() if name not in (*_OWN, "height")},
        {"from", "to", "producers", "sound", "rate"},
    )
    height = fields.get("height", 0)
    if type(height) is not int or height not in HEIGHTS:
        raise ExportError("`height` is 1080 or 2160, or 0 for what the camera has.")
    if len(film.producers) > 1:
        raise ExportError("A DICOM film is of one camera: name one in `producers`.")
    dates = fields.get("dates", "removed")
    if dates not in ("removed", "moved"):
        raise ExportError("`dates` are removed or moved.")
    deidentified, send = (_flag(fields, name) for name in ("deidentified", "send"))
    if deidentified and send:
        raise ExportError("What goes to the archive bears its patient: it is not de-identified.")
    return DicomOptions(
        film if "sound" in fields else _silent(film),
        height,
        deidentified,
        "moved" if dates == "moved" else "removed",
        read_masks(fields.get("masks")),
        send,
    )


def read_context(fields: Mapping[str, Any], options: DicomOptions) -> DicomContext:
    """Read what the server laid beside the request. Raises ExportError."""
    try:
        subject = fields["subject"]
        if subject is not None:
            subject = {name: str(subject.get(name, "")) for name in _SUBJECT}
        days = fields["days"]
        context = DicomContext(
            str(fields["series"]),
            str(fields["instance"]),
            str(fields["study"]),
            float(fields["now"]),
            str(fields.get("software", "")),
            str(fields.get("institution", "")),
            subject,
            None if days is None else int(days),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ExportError("The server did not say whose film this is.") from None
    names = (context.series, context.instance, *([] if context.subject else [context.study]))
    if not all(_UID.fullmatch(name) for name in names):
        raise ExportError("The server did not say under which names this film goes.")
    if options.deidentified != (context.subject is None):
        raise ExportError("The server did not say whose film this is.")
    return context


def _silent(film: Options) -> Options:
    # voices name people: whoever wants them says so
    return Options(film.begin, film.end, film.producers, sound=False, rate=film.rate)


def _flag(fields: Mapping[str, object], name: str) -> bool:
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise ExportError(f"`{name}` is true or false.")
    return value
