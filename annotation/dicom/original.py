"""What an instance was called where it comes from: the Original Attributes Sequence (PS3.3, C.12.1.1.9.1)."""

from __future__ import annotations

from typing import Final

from pydicom.dataset import Dataset

from .reading import text

_KEPT: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")


def keep_original(dataset: Dataset, time: str) -> Dataset:
    """Make the item that keeps the UIDs of the file beside those of the room; `time` is DICOM's DT."""
    values = Dataset()
    for keyword in _KEPT:
        if uid := text(dataset, keyword, 64):
            setattr(values, keyword, uid)
    item = Dataset()
    item.AttributeModificationDateTime = time
    item.ModifyingSystem = "Konsil"
    item.ReasonForTheAttributeModification = "COERCE"
    item.SourceOfPreviousValues = ""
    item.ModifiedAttributesSequence = [values]
    return item
