"""What those see who may not see the patient."""

from __future__ import annotations

from typing import Final

from pydicom.dataset import Dataset

#: Groups of attributes about the machine, the place of the picture and its pixels.
_GROUPS: Final = (0x0028,)
#: What stays of the others.
_KEPT: Final = frozenset(
    {
        *(
            "SOPClassUID",
            "SOPInstanceUID",
            "StudyInstanceUID",
            "SeriesInstanceUID",
            "FrameOfReferenceUID",
            "Modality",
        ),
        *(
            "ImageType",
            "SeriesNumber",
            "InstanceNumber",
            "AcquisitionNumber",
            "ImagePositionPatient",
            "Laterality",
        ),
        *(
            "ImageOrientationPatient",
            "PatientOrientation",
            "SliceLocation",
            "SliceThickness",
            "SpacingBetweenSlices",
        ),
        *(
            "ImagerPixelSpacing",
            "BodyPartExamined",
            "ViewPosition",
            "FrameTime",
            "FrameTimeVector",
            "CineRate",
        ),
        *(
            "RecommendedDisplayFrameRate",
            "NumberOfFrames",
            "TemporalPositionIdentifier",
            "FrameIncrementPointer",
        ),
    }
)


def deidentify(dataset: Dataset, patient_key: str) -> Dataset:
    """Give a copy of a data set, which bears the room's UIDs already, that holds nothing of the patient."""
    hidden = Dataset()
    for element in dataset:
        if element.tag.group in _GROUPS or element.keyword in _KEPT:
            hidden.add(element)
    hidden.PatientName = "Anonymous"
    hidden.PatientID = patient_key
    hidden.PatientIdentityRemoved = "YES"
    hidden.DeidentificationMethod = "Konsil: attributes of the picture only"
    return hidden
