"""Measurements as a structured report: TID 1500 (PS3.16), in a Comprehensive SR (PS3.3 A.35.3).

What is measured between points is a group of measurements (TID 1501) whose values are inferred from coordinates;
a region is a planar ROI (TID 1410) with its area, mean and deviation. Coordinates are pixels of the image, as in
`outlines.py` (PS3.3 C.18.6.1.1 counts them alike). Each group is tracked by its mark's identifier and says whose it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from ..anchors import DicomAnchor
from .frames import of_frame
from .measuring import MEASURING, Measured
from .outgoing import (
    MANUFACTURER,
    UTF_8,
    DrawnMark,
    OutgoingError,
    Stamp,
    finish,
    header,
    person_name,
    words,
    written_quietly,
)
from .outlines import Graphic, outline
from .presentation import tracking_id
from .spacing import spacing_of

#: Measures a mark on its image.
Measurer = Callable[[DrawnMark, Dataset], Measured | None]

_LENGTH: Final = Code("410668003", "SCT", "Length")
_LONG_AXIS: Final = Code("103339001", "SCT", "Long axis")
_SHORT_AXIS: Final = Code("103340004", "SCT", "Short axis")
_ANGLE: Final = Code("1483009", "SCT", "Angle")
_COBB: Final = Code("285285000", "SCT", "Cobb angle")
_AREA: Final = Code("42798000", "SCT", "Area")
_ATTENUATION: Final = Code("112031", "DCM", "Attenuation Coefficient")
_SIGNAL: Final = Code("110852", "DCM", "MR signal intensity")
#: What a value is where it is neither; there is no standard code for a plain grey value.
_PIXEL_VALUE: Final = Code("pixel-value", "99KONSIL", "Pixel value")
_MEAN: Final = Code("373098007", "SCT", "Mean")
_DEVIATION: Final = Code("386136009", "SCT", "Standard Deviation")

_MM: Final = Code("mm", "UCUM", "mm")
_MM2: Final = Code("mm2", "UCUM", "square millimeter")
_PIXELS: Final = Code("{pixels}", "UCUM", "pixels")
_DEGREE: Final = Code("deg", "UCUM", "degree")
_HOUNSFIELD: Final = Code("[hnsf'U]", "UCUM", "Hounsfield unit")
_NO_UNIT: Final = Code("1", "UCUM", "no units")

_PROCEDURE: Final = Code("363679005", "SCT", "Imaging procedure")


@dataclass(frozen=True, slots=True)
class _Value:
    """One numeric item: its name, value, unit, derivation, and which of the mark's graphics it is inferred from."""

    name: Code
    value: float
    unit: Code
    derivation: Code | None = None
    graphics: tuple[int, ...] | None = None


@written_quietly
def measurement_report(
    marks: Sequence[DrawnMark],
    images: Mapping[str, Dataset],
    stamp: Stamp,
    measurer: Measurer,
    organisation: str = "",
) -> Dataset | None:
    """Write the measuring marks on images of one study; None if nothing is measured. Raise OutgoingError."""
    groups: list[Any] = []
    used: dict[str, Dataset] = {}
    for drawn in marks:
        anchor = drawn.mark.anchor
        if not isinstance(anchor, DicomAnchor) or drawn.mark.shape not in MEASURING:
            continue
        if anchor.sop_instance_uid not in images:
            continue
        whole = of_frame(images[anchor.sop_instance_uid], anchor.frame)
        measured, image = measurer(drawn, whole), header(whole)
        values = _values(drawn, measured, image) if measured is not None else []
        if values:
            groups.append(_group(drawn, anchor.frame, image, values, stamp))
            used[anchor.sop_instance_uid] = image
    if not groups:
        return None
    if len({image.StudyInstanceUID for image in used.values()}) > 1:
        raise OutgoingError("A report is about one study; these images are of several.")
    evidence = list(used.values())
    person = sr.ObserverContext(
        Code("121006", "DCM", "Person"),
        sr.PersonObserverIdentifyingAttributes(
            person_name(stamp.creator), organization_name=words(organisation, 64) or None
        ),
    )
    device = sr.ObserverContext(
        Code("121007", "DCM", "Device"),
        sr.DeviceObserverIdentifyingAttributes(
            stamp.new_uid(), name="Konsil", manufacturer_name=MANUFACTURER
        ),
    )
    try:
        content = sr.MeasurementReport(
            observation_context=sr.ObservationContext(person, device),
            procedure_reported=_PROCEDURE,
            imaging_measurements=groups,
        )
        written = sr.ComprehensiveSR(
            evidence=evidence,
            content=content[0],
            series_instance_uid=stamp.new_uid(),
            series_number=9_010,
            sop_instance_uid=stamp.new_uid(),
            instance_number=stamp.number,
            manufacturer=MANUFACTURER,
            is_complete=True,
            institution_name=words(stamp.institution, 64) or None,
        )
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise OutgoingError("The images' attributes do not make a valid report.") from error
    written.SpecificCharacterSet = UTF_8
    return finish(written, evidence[0], stamp)


def _values(drawn: DrawnMark, measured: Measured, image: Dataset) -> list[_Value]:
    known = measured.basis != "none"
    length, area = (_MM, _MM2) if known else (_PIXELS, _PIXELS)
    found = []
    if len(measured.lengths) == 1:
        found.append(_Value(_LENGTH, measured.lengths[0], length))
    elif len(measured.lengths) == 2:
        # the graphics stand as they were drawn: which is the longer one?
        spacing = spacing_of(image)
        wide, high = image.Columns * spacing.x, image.Rows * spacing.y
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = drawn.mark.points
        first = math.hypot((bx - ax) * wide, (by - ay) * high)
        second = math.hypot((dx - cx) * wide, (dy - cy) * high)
        long, short = (0, 1) if first >= second else (1, 0)
        found.append(_Value(_LONG_AXIS, measured.lengths[0], length, graphics=(long,)))
        found.append(_Value(_SHORT_AXIS, measured.lengths[1], length, graphics=(short,)))
    if measured.angle is not None:
        found.append(_Value(_COBB if drawn.mark.shape == "cobb" else _ANGLE, measured.angle, _DEGREE))
    if measured.area is not None:
        found.append(_Value(_AREA, measured.area, area))
    name, unit = (_SIGNAL if image.get("Modality") == "MR" else _PIXEL_VALUE), _NO_UNIT
    if measured.unit == "HU":
        name, unit = _ATTENUATION, _HOUNSFIELD
    values = measured.values
    if values.mean is not None:
        found.append(_Value(name, values.mean, unit, _MEAN if values.pixels > 1 else None))
    if values.deviation is not None and values.pixels > 1:
        found.append(_Value(name, values.deviation, unit, _DEVIATION))
    return found


def _group(drawn: DrawnMark, frame: int, image: Dataset, values: Sequence[_Value], stamp: Stamp) -> Any:
    many = int(image.get("NumberOfFrames", 1) or 1) > 1
    frames = [frame] if many else None
    tracking = sr.TrackingIdentifier(stamp.new_uid(), tracking_id(drawn))
    parts = [part for part in outline(drawn.mark, image.Columns, image.Rows) if isinstance(part, Graphic)]
    # whose it is: a session of its own an expert (TID 1501), since a report has one observer
    common = {"tracking_identifier": tracking, "session": words(drawn.name, 64) or None}
    source = sr.SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID, frames)
    if drawn.mark.shape in ("roi_ellipse", "roi_rectangle"):
        region = sr.ImageRegion(parts[0].kind, _points(parts[0], image), source)
        measurements = [_measurement(value, []) for value in values]
        return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            **common, referenced_region=region, measurements=measurements
        )
    measurements = [
        _measurement(
            value,
            [
                sr.CoordinatesForMeasurement(part.kind, _points(part, image), source)
                for at, part in enumerate(parts)
                if value.graphics is None or at in value.graphics
            ],
        )
        for value in values
    ]
    return sr.MeasurementsAndQualitativeEvaluations(**common, measurements=measurements)


def _points(part: Graphic, image: Dataset) -> Any:
    data = np.array(part.points, np.float64)
    data[:, 0] = np.clip(data[:, 0], 0, image.Columns)
    data[:, 1] = np.clip(data[:, 1], 0, image.Rows)
    return data


def _measurement(value: _Value, coordinates: Sequence[Any]) -> Any:
    return sr.Measurement(
        name=value.name,
        value=round(value.value, 6),
        unit=value.unit,
        derivation=value.derivation,
        referenced_coordinates=list(coordinates) or None,
    )
