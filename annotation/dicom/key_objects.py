"""Which images a consultation was about: Key Object Selection (PS3.3 A.35.4, TID 2010)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from highdicom import ko, sr
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from .outgoing import (
    MANUFACTURER,
    UTF_8,
    OutgoingError,
    Stamp,
    finish,
    header,
    person_name,
    words,
    written_quietly,
)

#: CID 7010: for what they were chosen.
FOR_CONFERENCE: Final = Code("113006", "DCM", "For Conference")
OF_INTEREST: Final = Code("113000", "DCM", "Of Interest")


@written_quietly
def key_object_selection(
    objects: Sequence[Dataset], stamp: Stamp, description: str = "", title: Code = FOR_CONFERENCE
) -> Dataset:
    """Choose images (and other objects) of one study. Raise OutgoingError."""
    if not objects:
        raise OutgoingError("No image was chosen.")
    headers = [header(chosen) if "Rows" in chosen else _document(chosen) for chosen in objects]
    if len({chosen.StudyInstanceUID for chosen in headers}) > 1:
        raise OutgoingError("A selection is of one study; these images are of several.")
    person = sr.ObserverContext(
        Code("121006", "DCM", "Person"), sr.PersonObserverIdentifyingAttributes(person_name(stamp.creator))
    )
    try:
        content = ko.KeyObjectSelection(
            document_title=title,
            referenced_objects=headers,
            observer_person_context=person,
            description=words(description, 1024) or None,
        )
        written: Dataset = ko.KeyObjectSelectionDocument(
            evidence=headers,
            content=content,
            series_instance_uid=stamp.new_uid(),
            series_number=9_020,
            sop_instance_uid=stamp.new_uid(),
            instance_number=stamp.number,
            manufacturer=MANUFACTURER,
            institution_name=words(stamp.institution, 64) or None,
        )
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise OutgoingError("The images' attributes do not make a valid selection.") from error
    written.SpecificCharacterSet = UTF_8
    return finish(written, headers[0], stamp)


def _document(source: Dataset) -> Dataset:
    """Take of a presentation state or a report what refers to it."""
    copy = Dataset()
    copy.update(source)
    copy.Rows = copy.Columns = 1
    found = header(copy)
    del found.Rows, found.Columns, found.SamplesPerPixel
    return found
