"""What a page asks for in a de-identified copy: the choice that a person made, held against bounds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

from annotation.dicom.kinds import KINDS

from .pacs_error import PacsError

#: What may be in a copy beside the images.
WANTED: Final = (*KINDS, "annotations")
#: Bytes of the question, and what one list of it may hold: a room's images are bounded by size, not by number.
REQUEST_LIMIT: Final = 2 << 20
LIST_LIMIT: Final = 20_000
#: Characters of a UID, of the name of a still, of a text's identifier.
NAME_LIMIT: Final = 64


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """`series` and `pictures` by the room's UIDs (pictures: those in which words may stand), `stills` by their names,
    `texts` by `Words.words_id`; `patient` is the key of the patient whose preview was looked at."""

    want: frozenset[str]
    series: frozenset[str]
    pictures: frozenset[str]
    stills: frozenset[str]
    texts: frozenset[str]
    dates: Literal["removed", "moved"]
    characteristics: bool
    patient: str


def parse_copy_request(raw: bytes) -> CopyRequest:
    """Parse the body. Raise PacsError bad_request."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise _bad("The body is a JSON object.")
    dates, characteristics, patient = (body.get(key) for key in ("dates", "characteristics", "patient"))
    if dates not in ("removed", "moved"):
        raise _bad("The field dates is removed or moved.")
    if not isinstance(characteristics, bool):
        raise _bad("The field characteristics is true or false.")
    if not isinstance(patient, str) or len(patient) > NAME_LIMIT:
        raise _bad("The field patient is a key, or empty.")
    want = _names(body, "want")
    if not want <= set(WANTED):
        raise _bad(f"The field want lists some of {', '.join(WANTED)}.")
    lists = {key: _names(body, key) for key in ("series", "pictures", "stills", "texts")}
    return CopyRequest(want, **lists, dates=dates, characteristics=characteristics, patient=patient)


def _names(body: dict[str, Any], field: str) -> frozenset[str]:
    value = body.get(field)
    if (
        not isinstance(value, list)
        or len(value) > LIST_LIMIT
        or not all(isinstance(name, str) and len(name) <= NAME_LIMIT for name in value)
    ):
        raise _bad(f"The field {field} is a list of at most {LIST_LIMIT:,} names.")
    return frozenset(value)


def _bad(sentence: str) -> PacsError:
    return PacsError("bad_request", sentence)
