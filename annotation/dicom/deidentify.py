"""What those see who may not see the patient: PS3.15, annex E, the Basic Application Confidentiality Profile.

The table stands in basic_profile.txt as the standard has it; what is not in the table is treated by its kind, so that
an attribute that nobody thought of does not pass: free text, dates, persons, addresses and everything private go. Of
its options two can be taken: Retain Patient Characteristics (sex, age, size, weight), which are what a learner judges a
picture by, and Retain Longitudinal Temporal Information with Modified Dates (all dates of the images moved by the same
days). UIDs are the room's or a copy's (room_uids.py). Words within the picture are not removed: `Facts.burned_in` says
that they are feared.
"""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

from .reading import FAILURES, text
from .room_uids import is_uid

_Table = dict[int, str]


def _read_table() -> _Table:
    table: _Table = {}
    for line in (Path(__file__).parent / "basic_profile.txt").read_text("ascii").splitlines():
        if not line.startswith("#"):
            tag, action, _ = line.split()
            table[int(tag, 16)] = action
    return table


#: Tag → action of the Basic Profile.
TABLE: Final[_Table] = _read_table()

#: The option Retain Patient Characteristics: PatientSex, PatientAge, PatientSize, PatientWeight.
CHARACTERISTICS: Final = frozenset({0x00100040, 0x00101010, 0x00101020, 0x00101030})

#: Sequences whose items name images, by the room's UIDs alone: they stay (the table's U*).
_REFERENCES: Final = frozenset({0x00081140, 0x00082112})

#: What is left empty where it has to be there, and what becomes of a value that has to have one.
_DUMMIES: Final[dict[str, object]] = {
    "DA": "19000101",
    "TM": "000000",
    "DT": "19000101000000",
    "AS": "000Y",
    "PN": "Anonymous",
    "LO": "Removed",
    "SH": "Removed",
    "CS": "REMOVED",
    "LT": "Removed",
    "ST": "Removed",
    "UT": "Removed",
    "DS": 0,
    "IS": 0,
    "FD": 0.0,
    "FL": 0.0,
    "US": 0,
    "UL": 0,
    "SS": 0,
    "SL": 0,
    "AE": "REMOVED",
}

#: Data Set Trailing Padding: bytes of which nobody says what they are.
_PADDING: Final = 0xFFFCFFFC

#: Kinds of values that pass only if the table says so: texts without bound, dates, addresses, what is unknown.
_REMOVED_KINDS: Final = frozenset({"LT", "ST", "UT", "UC", "UR", "AE", "DA", "DT", "PN", "UN"})
#: What holds a number of the machine's, whatever it is said to be of.
_NUMBERS: Final = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"})
_WORDS: Final = frozenset({"LO", "SH", "CS", "LT", "ST", "UT", "UC"})

#: PS3.16, CID 7050.
MEANINGS: Final = {
    "113100": "Basic Application Confidentiality Profile",
    "113103": "Clean Graphics Option",
    "113104": "Clean Structured Content Option",
    "113105": "Clean Descriptors Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
}

#: When the patient was looked at: what the option moves. What is of other days (birth, admission, orders) goes.
_MOVED: Final = frozenset(
    {
        *(0x00080012, 0x00080013, 0x00080020, 0x00080021, 0x00080022, 0x00080023, 0x0008002A, 0x00080030),
        *(0x00080031, 0x00080032, 0x00080033, 0x00181072, 0x00181078, 0x00181079, 0x00189074, 0x00189151),
        *(0x00189516, 0x00189517),
    }
)

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Options:
    """What of the profile's options is taken, and whose the UIDs are, in words for DeidentificationMethod."""

    #: Retain Patient Characteristics
    characteristics: bool = True
    #: days by which dates are moved back; None: they go
    days: int | None = None
    uids: str = "UIDs of the room"

    def method(self) -> list[str]:
        """Say it for people, in texts of at most 64 characters."""
        return [
            "PS3.15 2026c table E.1-1, basic profile",
            "Sex, age, size, weight " + ("kept" if self.characteristics else "removed"),
            "Dates " + ("removed" if self.days is None else "moved, all by the same days"),
            self.uids,
        ]

    def codes(self) -> list[str]:
        """Say it by CID 7050."""
        dates = [] if self.days is None else ["113107"]
        return ["113100", *dates, *(["113108"] if self.characteristics else [])]


#: What roles see that may not see the patient.
VIEW: Final = Options()


def deidentify(dataset: Dataset, patient_key: str, options: Options = VIEW) -> Dataset:
    """Give a copy of a data set, which bears other UIDs already, that holds nothing of the patient."""
    hidden = _clean(dataset, _names(dataset), options)
    hidden.PatientName = "Anonymous"
    hidden.PatientID = patient_key
    say_how(hidden, options, options.codes())
    return hidden


def say_how(dataset: Dataset, options: Options, codes: Sequence[str]) -> None:
    """State that and how an object was de-identified (PS3.3 C.12.1.1.1.1): `codes` of CID 7050."""
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = options.method()
    dataset.LongitudinalTemporalInformationModified = "REMOVED" if options.days is None else "MODIFIED"
    items = []
    for value in codes:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", MEANINGS[value]
        items.append(item)
    dataset.DeidentificationMethodCodeSequence = items


def _names(dataset: Dataset) -> frozenset[str]:
    """Collect the words that name somebody or something of the patient anywhere in the data set, folded."""
    found: set[str] = set()

    def collect(_: Dataset, element: DataElement) -> None:
        if element.VR == "PN" or element.keyword in ("PatientID", "AccessionNumber", "OtherPatientIDs"):
            values = element.value if isinstance(element.value, list) else [element.value]
            for value in values:
                found.update(word.casefold() for word in _WORD.findall(str(value or "")) if len(word) > 2)

    # whatever kind the file says that it is of
    for keyword in ("PatientName", "PatientID", "OtherPatientNames", "ReferringPhysicianName"):
        said = _WORD.findall(text(dataset, keyword))
        found.update(word.casefold() for word in said if len(word) > 2)
    # what cannot be walked cannot be written either
    with contextlib.suppress(*FAILURES):
        dataset.walk(collect)
    return frozenset(found)


def _clean(dataset: Dataset, names: frozenset[str], options: Options) -> Dataset:
    hidden = Dataset()
    for tag in list(dataset.keys()):
        if tag.is_private or tag.element == 0 or (0x5000 <= tag.group < 0x7000 and tag.group % 2 == 0):
            # private attributes, group lengths, curves and overlays
            continue
        if tag == _PADDING:
            continue
        try:
            element = dataset[tag]
            kept = _treat(tag, element, names, options)
        except FAILURES:
            continue
        if kept is not None:
            hidden.add(kept)
    return hidden


def _treat(tag: BaseTag, element: DataElement, names: frozenset[str], options: Options) -> DataElement | None:
    action = TABLE.get(int(tag), "")
    if _is_misnamed(tag, element.VR) or (element.VR == "UI" and not _are_uids(element.value)):
        # a name that is said to be a UID, or a size, would pass as one
        return None
    if tag in CHARACTERISTICS and options.characteristics:
        return _characteristic(element, names)
    if element.VR == "SQ":
        if action and int(tag) not in _REFERENCES:
            return None
        return DataElement(tag, "SQ", [_clean(item, names, options) for item in element.value])
    if tag in _MOVED and options.days is not None and (moved := _moved(element, options.days)) is not None:
        return moved
    if action == "X":
        return None
    if action == "U" or element.VR == "UI":
        return element
    if action in ("Z", "X/Z"):
        return DataElement(tag, element.VR, None)
    if action:
        return DataElement(tag, element.VR, _DUMMIES[element.VR]) if element.VR in _DUMMIES else None
    return _by_kind(tag, element, names)


def _moved(element: DataElement, days: int) -> DataElement | None:
    """Move a date back; None: it is none. The time of day stays, so that all lies as far apart as before."""
    value = str(element.value or "")
    if element.VR == "TM":
        return element if re.fullmatch(r"\d{2,6}(\.\d{1,6})?", value) else None
    if element.VR not in ("DA", "DT") or not re.fullmatch(r"\d{8}(\d{2,6}(\.\d{1,6})?([+-]\d{4})?)?", value):
        return None
    try:
        day = datetime.datetime.strptime(value[:8], "%Y%m%d").replace(tzinfo=datetime.UTC)
        earlier = (day - datetime.timedelta(days)).strftime("%Y%m%d")
    except (ValueError, OverflowError):
        return None
    return DataElement(element.tag, element.VR, earlier + value[8:])


def _is_misnamed(tag: BaseTag, kind: str) -> bool:
    """Tell whether an attribute is said to be of another kind than the standard gives it, and could hold words."""
    if kind in _NUMBERS or not dictionary_has_tag(tag):
        return False
    return kind not in dictionary_VR(tag).split(" or ")


def _are_uids(value: Any) -> bool:
    values = value if isinstance(value, list | MultiValue) else [value]
    return all(not item or is_uid(str(item)) for item in values)


def _by_kind(tag: BaseTag, element: DataElement, names: frozenset[str]) -> DataElement | None:
    """Treat what the table does not name."""
    if element.VR in _REMOVED_KINDS:
        return None
    try:
        dictionary_VR(tag)
    except KeyError:
        return None
    if element.VR in _WORDS and _names_somebody(element.value, names):
        return DataElement(tag, element.VR, None)
    return element


def _names_somebody(value: Any, names: frozenset[str]) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(word.casefold() in names for item in values for word in _WORD.findall(str(item or "")))


def _characteristic(element: DataElement, names: frozenset[str]) -> DataElement | None:
    if element.VR in _WORDS and _names_somebody(element.value, names):
        return None
    value = str(element.value or "")
    if element.keyword == "PatientAge" and re.fullmatch(r"\d{3}Y", value) and int(value[:3]) > 89:
        # there are few of that age: it would tell who it is
        return DataElement(element.tag, "AS", "090Y")
    return element
