"""What an instance is: the facts that the index keeps, drawn from its attributes, and what is wrong with it."""

from __future__ import annotations

from typing import Final

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from .errors import DicomError
from .facts import Facts, Kind
from .reading import UNDEFINED, Parsed, number, text
from .room_uids import is_uid

#: Most pixels of one side, bytes of one frame, frames, and decoded bytes of one instance.
SIDE_LIMIT: Final = 65_535
FRAME_LIMIT: Final = 512 << 20
FRAMES_LIMIT: Final = 20_000
PIXELS_LIMIT: Final = 16 << 30

#: What can be served from the file as it is.
NATIVE: Final = (str(ImplicitVRLittleEndian), str(ExplicitVRLittleEndian))

#: MPEG-2, H.264 and HEVC: one stream in one container, which browsers play (PS3.5, A.4.5 to A.4.9).
VIDEO_PREFIX: Final = "1.2.840.10008.1.2.4.10"
#: A DICOMDIR.
MEDIA_DIRECTORY: Final = "1.2.840.10008.1.3.10"
_IDENTITY: Final = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "SOPClassUID")

#: SOP classes whose pictures may bear words of the machine: captures, ultrasound, screens, endoscopy.
WRITTEN_IN: Final = {
    "1.2.840.10008.5.1.4.1.1.7": "a secondary capture",
    "1.2.840.10008.5.1.4.1.1.6.1": "an ultrasound picture",
    "1.2.840.10008.5.1.4.1.1.3.1": "an ultrasound film",
    "1.2.840.10008.5.1.4.1.1.77.1": "a photograph or a film of visible light",
}
_SCREEN: Final = "it is a picture of a screen or a scan"
_SCREENS: Final = frozenset(
    {"SCREEN SAVE", "SCREENSAVE", "DISPLAY", "SCANNED", "DIGITIZED", "REPORT", "FUSED SCREEN"}
)


def describe(parsed: Parsed) -> Facts:
    """Draw the facts from a parsed file. Raise DicomError with the reason for which it cannot be taken."""
    dataset = parsed.dataset
    if str(dataset.file_meta.get("MediaStorageSOPClassUID", "")) == MEDIA_DIRECTORY:
        raise DicomError("directory", "This is a table of contents; its images are taken one by one.")
    identity = {keyword: text(dataset, keyword, 65) for keyword in _IDENTITY}
    for keyword, uid in identity.items():
        if not uid:
            raise DicomError(
                "not_dicom", f"The file has no {keyword}: it is no DICOM object that can be kept."
            )
        if not is_uid(uid):
            raise DicomError("broken", f"The file's {keyword} is no UID.", "bad_uid")
    warnings: list[str] = []
    rows, columns = number(dataset, "Rows"), number(dataset, "Columns")
    pictured = parsed.pixel_tag != 0
    kind = _kind(parsed, dataset)
    frames = max(1, number(dataset, "NumberOfFrames", 1)) if pictured else 0
    bits = number(dataset, "BitsAllocated")
    samples = max(1, number(dataset, "SamplesPerPixel", 1))
    if pictured and kind == "image":
        _check_pixels(parsed, rows, columns, samples, bits, frames)
    return Facts(
        **identity,
        TransferSyntaxUID=parsed.transfer_syntax,
        kind=kind,
        Modality=text(dataset, "Modality", 16),
        PatientID=text(dataset, "PatientID"),
        IssuerOfPatientID=text(dataset, "IssuerOfPatientID"),
        PatientName=text(dataset, "PatientName"),
        PatientBirthDate=text(dataset, "PatientBirthDate", 8),
        PatientSex=text(dataset, "PatientSex", 16),
        AccessionNumber=text(dataset, "AccessionNumber"),
        StudyDate=text(dataset, "StudyDate", 8),
        StudyTime=text(dataset, "StudyTime", 16),
        StudyDescription=text(dataset, "StudyDescription"),
        StudyID=text(dataset, "StudyID", 64),
        SeriesNumber=number(dataset, "SeriesNumber"),
        SeriesDescription=text(dataset, "SeriesDescription"),
        BodyPartExamined=text(dataset, "BodyPartExamined", 64),
        InstanceNumber=number(dataset, "InstanceNumber"),
        FrameOfReferenceUID=text(dataset, "FrameOfReferenceUID", 65),
        Rows=rows if pictured else 0,
        Columns=columns if pictured else 0,
        NumberOfFrames=frames,
        SamplesPerPixel=samples,
        BitsAllocated=bits,
        PhotometricInterpretation=text(dataset, "PhotometricInterpretation", 16),
        pixel_offset=_native_offset(parsed, rows, columns, samples, bits, frames) if kind == "image" else 0,
        burned_in=_burned_in(dataset, identity["SOPClassUID"]) if pictured else "NO",
        warnings=tuple(warnings),
    )


def _kind(parsed: Parsed, dataset: Dataset) -> Kind:
    if parsed.pixel_tag:
        return "video" if parsed.transfer_syntax.startswith(VIDEO_PREFIX) else "image"
    if "WaveformSequence" in dataset:
        return "waveform"
    return "document" if "EncapsulatedDocument" in dataset or "ContentSequence" in dataset else "other"


def _check_pixels(parsed: Parsed, rows: int, columns: int, samples: int, bits: int, frames: int) -> None:
    """Hold what the file claims of its pixels against bounds and against the bytes that it has."""
    if not 0 < rows <= SIDE_LIMIT or not 0 < columns <= SIDE_LIMIT:
        raise DicomError("broken", "The file has pixels, but no sizes that an image can have.", "no_sizes")
    if bits not in (1, 8, 16, 32, 64) or samples not in (1, 3, 4):
        raise DicomError(
            "unsupported", "The file's pixels have a depth or a number of colours that nobody defined."
        )
    if frames > FRAMES_LIMIT:
        raise DicomError(
            "too_large", f"The file claims more than {FRAMES_LIMIT:,} frames.", "too_many_frames"
        )
    frame = rows * columns * samples * max(1, bits // 8)
    if frame > FRAME_LIMIT or frame * frames > PIXELS_LIMIT:
        raise DicomError(
            "too_large", "The file's pixels would take more memory than a picture may.", "pixels_too_large"
        )
    if parsed.pixel_length == UNDEFINED:
        return
    if _compressed(parsed.transfer_syntax):
        raise DicomError("broken", "The file's pixels are said to be compressed, but are not in fragments.")
    expected = (rows * columns * samples * bits * frames + 7) // 8
    if text(parsed.dataset, "PhotometricInterpretation").startswith("YBR_FULL_422"):
        expected = expected * 2 // 3
    if parsed.pixel_length < expected:
        raise DicomError(
            "incomplete", "The file has fewer pixels than its frames, rows and columns say.", "too_few_pixels"
        )


def _compressed(syntax: str) -> bool:
    uid = UID(syntax)
    return uid.is_transfer_syntax and uid.is_encapsulated


def _native_offset(parsed: Parsed, rows: int, columns: int, samples: int, bits: int, frames: int) -> int:
    """Tell where frames begin that can be served as they lie in the file, 0 if they have to be decoded."""
    dataset = parsed.dataset
    photometric = text(dataset, "PhotometricInterpretation")
    plain = photometric in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB")
    if parsed.transfer_syntax not in NATIVE or parsed.pixel_length == UNDEFINED or not plain:
        return 0
    if parsed.pixel_tag != 0x7FE00010 or bits not in (8, 16, 32):
        return 0
    if samples > 1 and number(dataset, "PlanarConfiguration") != 0:
        return 0
    stored = number(dataset, "BitsStored", bits)
    if stored != bits and not _unused_bits_are_clean(parsed, rows * columns * samples * frames, bits, stored):
        return 0
    return parsed.pixel_offset


def _unused_bits_are_clean(parsed: Parsed, values: int, bits: int, stored: int) -> bool:
    """Look whether the bits above those stored say nothing else than the value, as old overlays in them do."""
    if not 0 < stored < bits or bits > 16:
        return False
    signed = number(parsed.dataset, "PixelRepresentation") == 1
    parsed.source.seek(parsed.pixel_offset)
    kind = np.dtype(f"<{'i' if signed else 'u'}{bits // 8}")
    step = 4 << 20
    while values > 0:
        pixels = np.frombuffer(parsed.source.read(min(values, step) * kind.itemsize), kind)
        if pixels.size == 0:
            return False
        low, high = (-(1 << stored - 1), 1 << stored - 1) if signed else (0, 1 << stored)
        if int(pixels.min()) < low or int(pixels.max()) >= high:
            return False
        values -= pixels.size
    return True


def _burned_in(dataset: Dataset, sop_class: str) -> str:
    """Tell whether words may stand in the picture: YES and NO as the file says, else why it is feared."""
    said = text(dataset, "BurnedInAnnotation", 16).upper()
    kinds = set(text(dataset, "ImageType").upper().split("\\"))
    if said == "YES":
        return "YES"
    if kinds & _SCREENS or (
        "ConversionType" in dataset and text(dataset, "ConversionType") in ("DF", "WSD", "SD", "SI")
    ):
        return _SCREEN
    if said == "NO":
        return "NO"
    for prefix, words in WRITTEN_IN.items():
        if sop_class == prefix or sop_class.startswith(prefix + "."):
            return f"it is {words}, and does not say that it bears no words"
    return "NO"


def word_of_warning(burned_in: str) -> str:
    """Give the reason for which words are feared in a picture as a word for programs; empty: none are."""
    if burned_in == "NO":
        return ""
    if burned_in == "YES":
        return "said"
    if burned_in == _SCREEN:
        return "screen"
    words = {"a secondary capture": "capture", "a photograph or a film of visible light": "photograph"}
    return next((words.get(kind, "ultrasound") for kind in WRITTEN_IN.values() if kind in burned_in), "said")
