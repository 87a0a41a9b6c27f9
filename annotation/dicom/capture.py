"""A picture as everybody can open it: Secondary Capture (PS3.3 A.8.4), with the marks drawn in, or without.

Of a DICOM image it bears that image's patient and study; of a still of the field the room's patient. Pixels are true
RGB, eight bits a sample. Marks that are drawn in cannot be taken out again: the capture says so (BurnedInAnnotation,
DerivationDescription), and the presentation state beside it has them apart.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import highdicom
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from ..still import Facing
from .outgoing import (
    MANUFACTURER,
    UTF_8,
    DrawnMark,
    OutgoingError,
    Stamp,
    Subject,
    finish,
    header,
    words,
    written_quietly,
)
from .painting import paint
from .spacing import spacing_of

Rgb = NDArray[np.uint8]

PIXELS_LIMIT = 64_000_000


@written_quietly
def secondary_capture(
    picture: Rgb,
    subject: Dataset | Subject,
    stamp: Stamp,
    *,
    marks: Sequence[DrawnMark] = (),
    labels: dict[str, str] | None = None,
    description: str = "",
    facing: Facing | None = None,
) -> Dataset:
    """Write a picture (rows x columns x 3), with these marks drawn in; `facing`: which way round people said it is.

    Raise OutgoingError.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise OutgoingError("A capture is made of a picture in RGB of eight bits.")
    rows, columns = picture.shape[:2]
    if not (1 <= rows <= 65535 and 1 <= columns <= 65535) or rows * columns > PIXELS_LIMIT:
        raise OutgoingError("The picture is too large for a capture.")
    drawn = paint(picture, marks, labels or {}) if marks else picture
    source = header(subject) if isinstance(subject, Dataset) else _header_of(subject, stamp)
    try:
        written: Dataset = highdicom.sc.SCImage(
            pixel_array=np.ascontiguousarray(drawn),
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            study_instance_uid=source.StudyInstanceUID,
            series_instance_uid=stamp.new_uid(),
            series_number=9_030 if marks else 9_031,
            sop_instance_uid=stamp.new_uid(),
            instance_number=stamp.number,
            manufacturer=MANUFACTURER,
            patient_id=source.PatientID,
            patient_name=source.PatientName,
            patient_birth_date=source.PatientBirthDate,
            patient_sex=source.PatientSex if source.PatientSex in ("M", "F", "O") else None,
            accession_number=source.AccessionNumber,
            study_id=source.StudyID,
            study_date=source.StudyDate,
            study_time=source.StudyTime,
            referring_physician_name=source.ReferringPhysicianName,
            # the library wants one; it is taken out again
            patient_orientation=("L", "P"),
            specific_character_set=UTF_8,
        )
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise OutgoingError("The image's attributes do not make a valid capture.") from error
    described = _described(written, source, stamp, bool(marks), description)
    return _faced(described, facing)


def _described(written: Dataset, source: Dataset, stamp: Stamp, marked: bool, description: str) -> Dataset:
    # of an image's capture nobody knows how it lies to the patient (type 2C)
    written.PatientOrientation = ""
    written.ConversionType = "WSD"
    written.Modality = "OT"
    written.BurnedInAnnotation = "YES" if marked else "NO"
    written.SeriesDescription = words(description, 64) or ("With marks" if marked else "Without marks")
    if marked:
        written.DerivationDescription = "Marks of a consultation are drawn into the pixels"
        written.ImageType = ["DERIVED", "SECONDARY"]
    if "StudyDescription" in source:
        written.StudyDescription = source.StudyDescription
    spacing = spacing_of(source)
    if not 0.999 < spacing.y / spacing.x < 1.001:
        # type 1C (PS3.3 C.7.6.3): pixels that are no squares are said to be none
        written.PixelAspectRatio = [max(1, round(spacing.y * 10_000)), max(1, round(spacing.x * 10_000))]
    if stamp.institution:
        written.InstitutionName = words(stamp.institution, 64)
    if "SOPInstanceUID" in source:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = source.SOPClassUID, source.SOPInstanceUID
        written.SourceImageSequence = [item]
    moment = stamp.moment
    written.DateOfSecondaryCapture = moment.strftime("%Y%m%d")
    written.TimeOfSecondaryCapture = moment.strftime("%H%M%S")
    return finish(written, source, stamp)


def _faced(written: Dataset, facing: Facing | None) -> Dataset:
    """Say which way of the patient rows and columns lead (PS3.3 C.7.6.1.1.1), and in words what it has no word for."""
    if facing is None:
        return written
    if facing.row is not None and facing.column is not None:
        written.PatientOrientation = [facing.row, facing.column]
    if facing.mirrored:
        written.SeriesDescription = words(f"{written.SeriesDescription}, MIRRORED", 64)
        written.ImageComments = "The picture is mirrored: left and right are exchanged"
    return written


def _header_of(subject: Subject, stamp: Stamp) -> Dataset:
    found: Any = Dataset()
    found.SpecificCharacterSet = UTF_8
    found.StudyInstanceUID = subject.study
    found.PatientID = words(subject.patient_id, 64)
    found.PatientName = words(subject.patient_name, 64)
    found.PatientBirthDate = subject.birth_date
    found.PatientSex = subject.sex
    found.AccessionNumber = words(subject.accession, 16)
    found.StudyDescription = words(subject.study_description, 64)
    # the consultation is a study of its own, which begins now
    found.StudyDate, found.StudyTime = stamp.moment.strftime("%Y%m%d"), stamp.moment.strftime("%H%M%S")
    found.StudyID, found.ReferringPhysicianName = "1", ""
    if subject.issuer:
        found.IssuerOfPatientID = words(subject.issuer, 64)
    return found  # type: ignore[no-any-return]


def rgb_of_png(data: bytes) -> Rgb:
    """Open a still's PNG as RGB. Raise OutgoingError."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if image.width * image.height > PIXELS_LIMIT:
                raise OutgoingError("The still is too large for a capture.")
            return np.array(image.convert("RGB"), np.uint8)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise OutgoingError("The still is no picture that can be read.") from error
