"""QIDO-RS (PS3.18, 10.6): what a query string asks for, held against records of the index.

Nothing of a patient may stand in a query string: it would stand in histories, proxies and logs. Who looks for a patient
does so in a request's body (the hospital's part).
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pydicom.datadict import tag_for_keyword

from .errors import DicomError
from .facts import Facts
from .room_uids import is_uid

#: What may be looked for: by UID of the room, and by what tells nothing of a patient.
UID_KEYS: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
FACT_KEYS: Final = (
    "Modality",
    "SeriesNumber",
    "InstanceNumber",
    "SOPClassUID",
    "BodyPartExamined",
    "Rows",
    "Columns",
)
LIMIT: Final = 10_000

_KEYWORDS: Final = {
    f"{tag_for_keyword(word):08X}": word for word in (*UID_KEYS, *FACT_KEYS, "ModalitiesInStudy")
}


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: values by keyword, and which part of the answer."""

    values: Mapping[str, tuple[str, ...]]
    offset: int = 0
    limit: int = LIMIT

    def matches(self, uids: tuple[str, str, str], facts: Facts) -> bool:
        """Tell whether an instance, with the room's UIDs of study, series and instance, is looked for."""
        own = dict(zip(UID_KEYS, uids, strict=True))
        for keyword, wanted in self.values.items():
            if keyword == "ModalitiesInStudy":
                continue
            value = own[keyword] if keyword in own else str(getattr(facts, keyword))
            if not any(fnmatch.fnmatchcase(value, pattern) for pattern in wanted):
                return False
        return True

    def modalities(self, present: Iterable[str]) -> bool:
        """Tell whether a study with these modalities is looked for."""
        wanted = self.values.get("ModalitiesInStudy")
        return wanted is None or bool(set(wanted) & set(present))


def parse_query(pairs: Iterable[tuple[str, str]]) -> Query:
    """Parse a query string's pairs. Raise DicomError bad_query."""
    values: dict[str, tuple[str, ...]] = {}
    numbers = {"offset": 0, "limit": LIMIT}
    for count, (name, value) in enumerate(pairs):
        if count >= 64 or len(value) > 4096:
            raise DicomError("bad_query", "The query string is too long.")
        if name in numbers:
            if not (value.isascii() and value.isdigit()) or len(value) > 9:
                raise DicomError("bad_query", f"{name} must be a whole number.")
            numbers[name] = int(value)
            continue
        if name in ("includefield", "fuzzymatching"):
            continue
        keyword = _KEYWORDS.get(name.upper(), name)
        if keyword not in (*UID_KEYS, *FACT_KEYS, "ModalitiesInStudy"):
            raise DicomError(
                "bad_query",
                "Images are looked for here by UID, Modality, ModalitiesInStudy, SeriesNumber, InstanceNumber, "
                "SOPClassUID, BodyPartExamined, Rows and Columns. Nothing of a patient may stand in an address.",
            )
        wanted = tuple(item for item in value.replace(",", "\\").split("\\") if item)
        if keyword in UID_KEYS and not all(is_uid(item) for item in wanted):
            raise DicomError("bad_query", f"{keyword} must be a UID.")
        if wanted:
            values[keyword] = wanted
    return Query(values, numbers["offset"], min(LIMIT, numbers["limit"]))
