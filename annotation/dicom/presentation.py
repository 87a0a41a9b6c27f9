"""Marks as presentation states: Grayscale (PS3.3 A.33.1) for images in grey, Color (A.33.2) for those in colour.

A layer an expert, in the expert's colour. Each graphic bears its mark's identifier and shape as TrackingID, and the
mark's own TrackingUID: by it an arrow comes back as an arrow. Measured values stand beside their graphics as text.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

import highdicom
import numpy as np
from highdicom import pr
from PIL import ImageCms
from pydicom.dataset import Dataset

from ..anchors import DicomAnchor
from .cielab import lab_from_hex
from .frames import of_frame
from .outgoing import (
    MANUFACTURER,
    MODEL,
    SERIAL,
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
from .outlines import Graphic, Words, outline
from .rendering import own_window
from .spacing import spacing_of

#: Says what a mark measures on an image, such as "34.2 mm"; empty: nothing.
Labeller = Callable[[DrawnMark, Dataset], str]

#: The layers of one presentation state, a sane bound: a room has 16 experts.
LAYERS_LIMIT: Final = 64
_TRANSFORMING: Final = (
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
)


@written_quietly
def presentation_states(
    marks: Sequence[DrawnMark],
    images: Mapping[str, Dataset],
    stamp: Stamp,
    *,
    labeller: Labeller = lambda _mark, _image: "",
) -> list[Dataset]:
    """Write the marks on DICOM images: one state for all images that are shown alike, in one series of the study.

    `images` are those that marks hang on, by the SOPInstanceUID of their anchors, with the attributes of the
    hospital; marks on others are left out. Raise OutgoingError.
    """
    placed: dict[tuple[Any, ...], list[tuple[DrawnMark, Dataset]]] = {}
    framed: dict[tuple[str, int], Dataset] = {}
    for drawn in marks:
        anchor = drawn.mark.anchor
        if isinstance(anchor, DicomAnchor) and anchor.sop_instance_uid in images:
            key = (anchor.sop_instance_uid, anchor.frame)
            if key not in framed:
                framed[key] = _framed(images[anchor.sop_instance_uid], anchor.frame)
            placed.setdefault(_shown_alike(framed[key]), []).append((drawn, framed[key]))
    series: dict[tuple[str, bool], str] = {}
    states = []
    for number, group in enumerate(placed.values(), stamp.number):
        image = group[0][1]
        kind = (image.StudyInstanceUID, _is_grey(image))
        if kind not in series:
            series[kind] = stamp.new_uid()
        state = _state(group, series[kind], number, stamp, labeller)
        _only_its_frames(state, group, images)
        states.append(state)
    return states


def _framed(image: Dataset, frame: int) -> Dataset:
    """Give what a state refers to of an image: a frame's header with its tables of values."""
    whole = of_frame(image, frame)
    found = header(whole)
    for keyword in ("ModalityLUTSequence", "VOILUTSequence"):
        if items := whole.get(keyword):
            setattr(found, keyword, [deepcopy(items[0])])
    return found


def _is_grey(image: Dataset) -> bool:
    return str(image.get("PhotometricInterpretation", "MONOCHROME2")).startswith("MONOCHROME")


def _shown_alike(image: Dataset) -> tuple[Any, ...]:
    """One modality LUT, one window and one displayed area hold for all images of a state."""
    many = int(image.get("NumberOfFrames", 1) or 1) > 1
    shown = [
        str(image.get(k, ""))
        for k in ("RescaleSlope", "RescaleIntercept", "PixelAspectRatio", "PixelSpacing")
    ]
    window = [str(image.get(keyword, "")) for keyword in ("WindowCenter", "WindowWidth", "VOILUTFunction")]
    alone = image.SOPInstanceUID if many else ""
    tables = [_table(image, keyword) for keyword in ("ModalityLUTSequence", "VOILUTSequence")]
    size = (image.SeriesInstanceUID, image.Rows, image.Columns)
    return (*size, _is_grey(image), alone, *shown, *window, *tables)


def _table(image: Dataset, keyword: str) -> str:
    items = image.get(keyword)
    return f"{items[0].get('LUTDescriptor')} {items[0].get('LUTData')!r}" if items else ""


def _state(
    group: Sequence[tuple[DrawnMark, Dataset]],
    series: str,
    number: int,
    stamp: Stamp,
    labeller: Labeller,
) -> Dataset:
    images = list({image.SOPInstanceUID: image for _, image in group}.values())
    layers = _layers([drawn for drawn, _ in group])
    annotations = list(_annotations(group, layers, stamp, labeller))
    common: dict[str, Any] = {
        "series_instance_uid": series,
        "series_number": 9_000 + (0 if _is_grey(images[0]) else 1),
        "sop_instance_uid": stamp.new_uid(),
        "instance_number": number,
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": MODEL,
        "software_versions": stamp.software,
        "device_serial_number": SERIAL,
        "content_label": "KONSIL",
        "content_description": "Marks of a consultation",
        "graphic_annotations": annotations,
        "graphic_layers": list(layers.values()),
        "institution_name": words(stamp.institution, 64) or None,
        "content_creator_name": person_name(stamp.creator),
        "specific_character_set": UTF_8,
    }
    referred = [_as_the_library_wants_it(image) for image in images]
    try:
        if _is_grey(images[0]):
            written = pr.GrayscaleSoftcopyPresentationState(referred, **common, **_luts(images[0]))
        else:
            written = pr.ColorSoftcopyPresentationState(referred, **common, icc_profile=srgb_profile())
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise OutgoingError("The image's attributes do not make a valid presentation state.") from error
    _aspect(written, images[0])
    if _is_grey(images[0]):
        _tables(written, images[0])
    return finish(written, images[0], stamp)


def _as_the_library_wants_it(image: Dataset) -> Dataset:
    """Make the copy by which the library refers to an image: of what it would look up, only what is meant."""
    copy = Dataset()
    copy.update(image)
    for keyword in _TRANSFORMING:
        if keyword in copy:
            delattr(copy, keyword)  # `_luts` and `_tables` take what is of use
    if not _is_grey(image):
        copy.SamplesPerPixel = 3  # a palette's image is one in colour
    else:
        copy.SamplesPerPixel = 1
    # what holds for a frame alone is not looked up: `_luts` carries over what holds for all
    copy.SharedFunctionalGroupsSequence = [Dataset()]
    copy.PerFrameFunctionalGroupsSequence = []
    return copy


def _luts(image: Dataset) -> dict[str, Any]:
    """Carry the image's own rescaling and window over, where it says them plainly."""
    found: dict[str, Any] = {}
    slope, intercept = image.get("RescaleSlope"), image.get("RescaleIntercept")
    if slope is not None and intercept is not None:
        found["modality_lut_transformation"] = highdicom.ModalityLUTTransformation(
            rescale_slope=float(slope),
            rescale_intercept=float(intercept),
            rescale_type=str(
                image.get("RescaleType", "") or ("HU" if image.get("Modality") == "CT" else "US")
            ),
        )
    if (window := own_window(image)) is not None:
        # an image may name several windows, a state one (PS3.3 C.11.8): the first is what a viewer begins with
        found["voi_lut_transformations"] = [
            pr.SoftcopyVOILUTTransformation(
                window_center=window.centre,
                window_width=window.width,
                voi_lut_function=str(image.get("VOILUTFunction") or "") or None,
            )
        ]
    return found


def _tables(written: Dataset, image: Dataset) -> None:
    """Carry over what the image says by tables (PS3.3 C.11.1, C.11.2), which the library takes unsigned only."""
    if modality := image.get("ModalityLUTSequence"):
        for keyword in ("RescaleSlope", "RescaleIntercept", "RescaleType"):
            if keyword in written:
                delattr(written, keyword)
        written.ModalityLUTSequence = modality
    if "WindowCenter" not in image and (voi := image.get("VOILUTSequence")):
        item = Dataset()
        item.VOILUTSequence = voi
        written.SoftcopyVOILUTSequence = [item]


def _only_its_frames(
    written: Dataset, group: Sequence[tuple[DrawnMark, Dataset]], images: Mapping[str, Dataset]
) -> None:
    """Have a state hold for its marks' frames alone where an image says frame by frame how it is shown (C.11.11)."""
    frames: dict[str, set[int]] = {}
    for drawn, image in group:
        anchor = drawn.mark.anchor
        assert isinstance(anchor, DicomAnchor), "only these were gathered"
        groups = images[anchor.sop_instance_uid].get("PerFrameFunctionalGroupsSequence") or ()
        if any("PixelValueTransformationSequence" in g or "FrameVOILUTSequence" in g for g in groups):
            frames.setdefault(image.SOPInstanceUID, set()).add(anchor.frame)
    for series in written.ReferencedSeriesSequence:
        for item in series.ReferencedImageSequence:
            if item.ReferencedSOPInstanceUID in frames:
                item.ReferencedFrameNumber = sorted(frames[item.ReferencedSOPInstanceUID])


def _aspect(written: Dataset, image: Dataset) -> None:
    """Say how high a pixel is to its width (PS3.3 C.10.4): the library takes all pixels for squares."""
    area = written.DisplayedAreaSelectionSequence[0]
    spacing = spacing_of(image)
    if "PixelSpacing" in image and spacing.basis != "none":
        del area.PresentationPixelAspectRatio
        area.PresentationPixelSpacing = [str(value) for value in image.PixelSpacing]
    elif spacing.y != 1.0:
        area.PresentationPixelAspectRatio = [int(value) for value in image.PixelAspectRatio]


def _layers(marks: Iterable[DrawnMark]) -> dict[str, Any]:
    layers: dict[str, Any] = {}
    for drawn in marks:
        if drawn.author not in layers and len(layers) < LAYERS_LIMIT:
            order = len(layers) + 1
            layers[drawn.author] = pr.GraphicLayer(
                layer_name=f"EXPERT_{order}",
                order=order,
                # the name as it was shown; a layer's own name has no room for it
                description=words(drawn.name, 64) or f"Expert {order}",
                display_color=highdicom.color.CIELabColor(*lab_from_hex(drawn.colour)),
            )
    return layers


def _annotations(
    group: Sequence[tuple[DrawnMark, Dataset]],
    layers: Mapping[str, Any],
    stamp: Stamp,
    labeller: Labeller,
) -> Iterable[Any]:
    """Make one annotation for each layer on each frame of each image."""
    gathered: dict[tuple[str, str, int], list[tuple[DrawnMark, Dataset]]] = {}
    for drawn, image in group:
        anchor = drawn.mark.anchor
        assert isinstance(anchor, DicomAnchor), "only these were gathered"
        if drawn.author in layers:
            key = (drawn.author, anchor.sop_instance_uid, anchor.frame)
            gathered.setdefault(key, []).append((drawn, image))
    for (author, _, frame), here in gathered.items():
        graphics: list[Any] = []
        texts: list[Any] = []
        for drawn, image in here:
            tracking = {"tracking_id": tracking_id(drawn), "tracking_uid": stamp.new_uid()}
            label = labeller(drawn, image)
            for part in outline(drawn.mark, image.Columns, image.Rows, label):
                if isinstance(part, Words):
                    texts.append(_text(part, image, tracking, exact=drawn.mark.shape == "text"))
                else:
                    graphics.append(_graphic(part, image, tracking))
        image = here[0][1]
        many = int(image.get("NumberOfFrames", 1) or 1) > 1
        yield pr.GraphicAnnotation(
            [_as_the_library_wants_it(image)],
            layers[author],
            referenced_frame_number=frame if many else None,
            graphic_objects=graphics or None,
            text_objects=texts or None,
        )


def tracking_id(drawn: DrawnMark) -> str:
    """Name a mark as its graphics bear it: the shape, then the identifier."""
    return f"{drawn.mark.shape} {drawn.mark.mark}"[:64]


def _graphic(part: Graphic, image: Dataset, tracking: Mapping[str, str]) -> Any:
    data = np.array(part.points, np.float64)
    data[:, 0] = np.clip(data[:, 0], 0, image.Columns)
    data[:, 1] = np.clip(data[:, 1], 0, image.Rows)
    return pr.GraphicObject(part.kind, data, "PIXEL", **tracking)


def _text(part: Words, image: Dataset, tracking: Mapping[str, str], *, exact: bool) -> Any:
    # a box keeps within the image; the anchor says where the words really begin
    return pr.TextObject(
        words(part.text, 1024) or " ",
        "PIXEL",
        bounding_box=part.box(image.Columns, image.Rows),
        anchor_point=part.at if exact else None,
        anchor_point_visible=False,
        text_justification="LEFT",
        **tracking,
    )


def srgb_profile() -> bytes:
    """Make an ICC profile that says the pixels are sRGB, of the class that DICOM asks for (PS3.3 C.11.15)."""
    profile = io.BytesIO(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()).getbuffer()
    # bytes 12 to 15 are the device class (ICC.1 7.2.5): a matrix profile of a screen is one of an input device as well
    profile[12:16] = b"scnr"
    # its date of making (7.2.8) and identifier (7.2.18) would make each one another
    profile[24:36] = bytes((0x07, 0xD0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0))
    return bytes(profile)
