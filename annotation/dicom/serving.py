"""What is sent of a file beside decoded frames: the object as the room sees it, a large value, frames as stored."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset
from pydicom.encaps import get_frame, parse_fragments
from pydicom.filereader import dcmread
from pydicom.uid import UID, ExplicitVRBigEndian

from .deidentify import deidentify
from .errors import DicomError
from .metadata import swapped
from .original import keep_original
from .reading import FAILURES, UNDEFINED, Bounded, parse, quietly, text
from .room_uids import RoomUids

#: Largest object that is written anew in memory.
OBJECT_LIMIT: Final = 1 << 30


def whole(path: Path, uids: RoomUids, time: str, *, patient: bool) -> bytes:
    """Write the object with the room's UIDs, for those who may see the patient or not. Raise DicomError, OSError."""
    if path.stat().st_size > OBJECT_LIMIT:
        raise DicomError("too_large", "The object is too large to be sent whole; ask for its frames.")
    try:
        return quietly(_whole, path, uids, time, patient)
    except FAILURES as error:
        raise DicomError("broken", f"The object cannot be written ({type(error).__name__}).") from None


def _whole(path: Path, uids: RoomUids, time: str, patient: bool) -> bytes:
    with path.open("rb") as file:
        dataset: Dataset = dcmread(Bounded(file), force=True)
        meta, encoding = dataset.file_meta, dataset.original_encoding
        key = uids.patient_key(text(dataset, "PatientID"), text(dataset, "IssuerOfPatientID"))
        original = keep_original(dataset, time)
        uids.apply(dataset)
        if patient:
            earlier = list(dataset.get("OriginalAttributesSequence") or [])
            dataset.OriginalAttributesSequence = [*earlier, original]
        else:
            dataset = deidentify(dataset, key)
        # what named a station or a person in the header, and what the object was called
        for keyword in (
            "SourceApplicationEntityTitle",
            "SendingApplicationEntityTitle",
            "PrivateInformation",
        ):
            meta.pop(keyword, None)
        meta.MediaStorageSOPInstanceUID = UID(text(dataset, "SOPInstanceUID"))
        meta.MediaStorageSOPClassUID = UID(text(dataset, "SOPClassUID"))
        dataset.file_meta, dataset.preamble = meta, b"\0" * 128
        buffer = io.BytesIO()
        implicit, little = encoding
        if "TransferSyntaxUID" in meta:
            dataset.save_as(buffer, enforce_file_format=True)
        else:
            dataset.save_as(buffer, implicit_vr=implicit, little_endian=little, enforce_file_format=True)
    return buffer.getvalue()


def bulk(path: Path, tag: int) -> bytes:
    """Give one value of the top level. Raise DicomError, OSError."""
    with path.open("rb") as file:
        dataset = parse(file).dataset
        try:
            element = quietly(lambda: dataset[tag])
            value, vr = element.value, element.VR
        except FAILURES:
            value = None
        meta = getattr(dataset, "file_meta", None)
    if not isinstance(value, bytes):
        raise DicomError("unsupported", "The object has no such value.")
    return swapped(value, vr) if meta and meta.get("TransferSyntaxUID") == ExplicitVRBigEndian else value


def stored_frame(path: Path, frame: int) -> bytes:
    """Give a frame as the file has it: its bit stream, or its native bytes. Raise DicomError, OSError."""
    with path.open("rb") as file:
        parsed = parse(file)
        try:
            return quietly(_stored, parsed.dataset, file, parsed.pixel_offset, parsed.pixel_length, frame)
        except FAILURES as error:
            raise DicomError("broken", f"The frame cannot be found ({type(error).__name__}).") from None


def _stored(dataset: Dataset, file: io.BufferedReader, offset: int, length: int, frame: int) -> bytes:
    frames = int(dataset.get("NumberOfFrames") or 1)
    file.seek(offset)
    if length == UNDEFINED:
        return get_frame(file, frame - 1, number_of_frames=frames)
    size = length // frames
    file.seek(offset + (frame - 1) * size)
    return file.read(size)


def fragments(path: Path) -> list[tuple[int, int]]:
    """Tell where the pieces of an encapsulated stream lie in the file: (offset, length). Raise DicomError, OSError."""
    with path.open("rb") as file:
        parsed = parse(file)
        if parsed.pixel_length != UNDEFINED:
            raise DicomError("unsupported", "The object holds no stream.")
        try:
            file.seek(parsed.pixel_offset)
            _, found = parse_fragments(file)
            size = Bounded(file).size
            pieces = []
            # the first item is the offset table
            for offset in found[1:] if len(found) > 1 else found:
                file.seek(offset + 4)
                pieces.append((offset + 8, int.from_bytes(file.read(4), "little")))
        except FAILURES as error:
            raise DicomError("broken", f"The stream cannot be found ({type(error).__name__}).") from None
    if any(offset + length > size for offset, length in pieces):
        raise DicomError("incomplete", "The file ends within its stream: it is cut off.")
    return pieces
