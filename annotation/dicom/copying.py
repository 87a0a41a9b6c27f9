"""A room's objects as they may leave the house: images de-identified, and what is written about them stated to be.

Images go through `deidentify.py` with UIDs that are the copy's own; what Konsil writes of them (presentation states,
reports, selections, captures) is written from the de-identified images and so bears nothing else. Its graphics, its
content and its descriptions are ours, with words that a person has reviewed: hence the options Clean Graphics, Clean
Structured Content and Clean Descriptors.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.filereader import dcmread
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from .codestream import without_comments
from .deidentify import TABLE, Options, deidentify, say_how
from .errors import DicomError
from .reading import FAILURES, Bounded, number, quietly, text
from .room_uids import RoomUids
from .serving import OBJECT_LIMIT
from .storing import IMPLEMENTATION

#: What the table removes and what we write ourselves, always the same words (Clean Descriptors), and a moment that a
#: presentation state must have (type 1), which is none of the patient's.
_OURS: Final = frozenset({0x00081030, 0x0008103E, 0x00082111, 0x00204000, 0x00700082, 0x00700083})
#: The moment of what is written where dates go: DICOM's dummy, 1 January 1900, in Unix seconds.
NO_MOMENT: Final = -2_208_988_800.0

_NATIVE: Final = {
    ImplicitVRLittleEndian: "<",
    ExplicitVRLittleEndian: "<",
    ExplicitVRBigEndian: ">",
}


def copy_of(path: Path, uids: RoomUids, options: Options) -> bytes:
    """Write an image without anything of the patient, under the copy's UIDs. Raise DicomError, OSError."""
    if path.stat().st_size > OBJECT_LIMIT:
        raise DicomError("too_large", "The object is too large to be written anew.")
    try:
        return quietly(_copy, path, uids, options)
    except FAILURES as error:
        raise DicomError("broken", f"The object cannot be written ({type(error).__name__}).") from None


def _copy(path: Path, uids: RoomUids, options: Options) -> bytes:
    with path.open("rb") as file:
        source: Dataset = dcmread(Bounded(file), force=True)
        syntax = source.file_meta.get("TransferSyntaxUID")
        implicit, little = source.original_encoding
        key = uids.patient_key(text(source, "PatientID"), text(source, "IssuerOfPatientID"))
        uids.apply(source)
        copy = deidentify(source, key, options)
    _clear_unused_bits(copy, syntax)
    if syntax and UID(syntax).is_encapsulated and syntax != RLELossless:
        _take_comments(copy)
    # the file's head is ours: it named programs, stations and sometimes people
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(text(copy, "SOPClassUID"))
    meta.MediaStorageSOPInstanceUID = UID(text(copy, "SOPInstanceUID"))
    meta.ImplementationClassUID = UID(IMPLEMENTATION)
    copy.file_meta, copy.preamble = meta, b"\0" * 128
    buffer = io.BytesIO()
    if syntax:
        meta.TransferSyntaxUID = syntax
        copy.save_as(buffer, enforce_file_format=True)
    else:
        copy.save_as(buffer, implicit_vr=implicit, little_endian=little, enforce_file_format=True)
    return buffer.getvalue()


def _clear_unused_bits(copy: Dataset, syntax: UID | None) -> None:
    """Take out what stands in the bits of a pixel that its value does not use: old overlays, and with them words."""
    bits, stored = number(copy, "BitsAllocated"), number(copy, "BitsStored")
    order = _NATIVE.get(syntax or ImplicitVRLittleEndian)
    if order is None or "PixelData" not in copy or bits not in (8, 16, 32) or not 0 < stored < bits:
        return
    high = number(copy, "HighBit", stored - 1)
    if not stored - 1 <= high < bits:
        return
    raw = copy.PixelData
    whole = len(raw) // (bits // 8) * (bits // 8)
    values = np.frombuffer(raw[:whole], f"{order}u{bits // 8}")
    mask = ((1 << stored) - 1) << (high - stored + 1)
    cleared = values & np.array(mask, values.dtype)
    if number(copy, "PixelRepresentation") == 1:
        # the bits above a negative value are its sign
        sign = np.array(1 << high, values.dtype)
        above = np.array(((1 << bits) - 1) ^ ((1 << high + 1) - 1), values.dtype)
        cleared = np.where(cleared & sign, cleared | above, cleared).astype(values.dtype)
    copy.PixelData = cleared.tobytes() + raw[whole:]


def _take_comments(copy: Dataset) -> None:
    """Take comments out of compressed frames."""
    frames = max(1, number(copy, "NumberOfFrames", 1))
    streams = [without_comments(frame) for frame in generate_frames(copy.PixelData, number_of_frames=frames)]
    # where the frames lie is said anew
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        copy.pop(keyword, None)
    copy.PixelData = encapsulate(streams)
    copy["PixelData"].is_undefined_length = True


def state_written(dataset: Dataset, options: Options) -> Dataset:
    """State of an object of ours, written from de-identified images, what it is, and take out what has no place."""
    for tag in list(dataset.keys()):
        if TABLE.get(int(tag)) == "X" and int(tag) not in _OURS:
            del dataset[tag]
    # what a library adds bears this moment
    dataset.pop("ContributingEquipmentSequence", None)
    dataset.StudyID = ""
    cleaned = {"PR": "113103", "SR": "113104", "KO": "113104"}.get(text(dataset, "Modality"))
    codes = {*options.codes(), "113105", *([cleaned] if cleaned else [])}
    say_how(dataset, options, sorted(codes))
    return dataset
