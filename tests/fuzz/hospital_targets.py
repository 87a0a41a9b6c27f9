"""What comes from a hospital's systems: objects with marks, answers of DICOMweb in parts and in JSON, FHIR."""

from __future__ import annotations

import io
import json

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from annotation.anchors import DicomAnchor
from annotation.dicom.codestream import CodestreamError, without_comments
from annotation.dicom.errors import DicomError
from annotation.dicom.query import study_of_json
from annotation.dicom.read_back import GRAYSCALE_STATE, ReadBackError, read_back
from annotation.dicom.reading import parse, quietly
from annotation.shapes import Mark, parse_mark
from server.dicom.copy_request import LIST_LIMIT, parse_copy_request
from server.dicom.multipart import MultipartError, PartReader
from server.dicom.pacs_error import PacsError
from signalling.worklist import WorklistError, parse_bundle

REFUSALS = (DicomError, ReadBackError, MultipartError, WorklistError, PacsError, CodestreamError)


def read_marks(data: bytes) -> None:
    """Read an object's marks; each must be one that a room takes."""
    dataset = parse(io.BytesIO(data)).dataset
    found = quietly(read_back, dataset, lambda _: (64, 48))
    for number, one in enumerate(found.marks):
        anchor = DicomAnchor("1.2.3", min(one.frame, 1000))
        made = Mark(f"m-{number}", one.shape, anchor, one.points, 0.004, one.text)
        # as the wire has it
        parse_mark(json.loads(json.dumps(made.to_json())))
        assert 1 <= len(one.name) <= 80


def read_parts(data: bytes) -> None:
    """Take an answer in parts, in two pieces; what comes out is never more than what came."""
    reader, given = PartReader(b"b"), 0
    for piece in (data[: len(data) // 2], data[len(data) // 2 :]):
        given += sum(len(part) for part in reader.receive(piece) if part is not None)
    assert given <= len(data)


def read_answers(data: bytes) -> None:
    """Read an answer of QIDO-RS and one of FHIR."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    for answer in value if isinstance(value, list) else [value]:
        study = study_of_json(answer)
        assert study is None or len(study.name) <= 64
    page = parse_bundle(value, "https://fhir.example.org")
    assert page.next == "" or page.next.lower().startswith("https://fhir.example.org")


def read_copy_request(data: bytes) -> None:
    """Read what is asked for in a copy; nothing of it is longer than a room needs."""
    request = parse_copy_request(data)
    for names in (request.series, request.pictures, request.stills, request.texts):
        assert len(names) <= LIST_LIMIT
        assert all(len(name) <= 64 for name in names)


def read_codestream(data: bytes) -> None:
    """Take comments out of a stream; a second time there are none."""
    once = without_comments(data)
    assert len(once) <= len(data) + 2
    assert without_comments(once) == once


def _state() -> bytes:
    image = Dataset()
    image.ReferencedSOPInstanceUID, image.ReferencedFrameNumber = "1.2.3", 1
    graphics: list[Dataset] = []
    for kind, data, tracking in (
        ("POLYLINE", [1.0, 2.0, 30.0, 40.0, 5.0, 6.0, 1.0, 2.0], "polygon m-1"),
        ("ELLIPSE", [1.0, 8.0, 9.0, 8.0, 5.0, 4.0, 5.0, 12.0], "roi_ellipse m-2"),
        ("POINT", [7.0, 8.0], ""),
    ):
        item = Dataset()
        item.GraphicAnnotationUnits, item.GraphicDimensions = "PIXEL", 2
        item.NumberOfGraphicPoints, item.GraphicData, item.GraphicType = len(data) // 2, data, kind
        if tracking:
            item.TrackingID, item.TrackingUID = tracking, f"2.25.{len(graphics) + 1}"
        graphics.append(item)
    words = Dataset()
    words.AnchorPoint, words.AnchorPointAnnotationUnits = [3.0, 4.0], "PIXEL"
    words.UnformattedTextValue = "here"
    annotation = Dataset()
    annotation.GraphicLayer, annotation.ReferencedImageSequence = "EXPERT_1", [image]
    annotation.GraphicObjectSequence, annotation.TextObjectSequence = graphics, [words]
    layer = Dataset()
    layer.GraphicLayer, layer.GraphicLayerDescription = "EXPERT_1", "A"
    layer.GraphicLayerRecommendedDisplayCIELabValue = [40000, 30000, 30000]
    return _file(GRAYSCALE_STATE, GraphicAnnotationSequence=[annotation], GraphicLayerSequence=[layer])


def _report() -> bytes:
    sop = Dataset()
    sop.ReferencedSOPInstanceUID = "1.2.3"
    image = Dataset()
    image.ValueType, image.ReferencedSOPSequence = "IMAGE", [sop]
    place = Dataset()
    place.ValueType, place.GraphicType, place.GraphicData = "SCOORD", "POLYLINE", [1.0, 2.0, 30.0, 40.0]
    place.ContentSequence = [image]
    concept = Dataset()
    concept.CodeValue = "125007"
    group = Dataset()
    group.ValueType, group.ConceptNameCodeSequence, group.ContentSequence = "CONTAINER", [concept], [place]
    return _file("1.2.840.10008.5.1.4.1.1.88.33", ContentSequence=[group])


def _file(sop_class: str, **values: object) -> bytes:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = UID(sop_class), "1.2.4"
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = UID("1.2.4")
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


MARKS = (_state(), _report())
PARTS = (b"--b\r\n\r\none\r\n--b\r\nA: b\r\n\r\n\r\n--b--", b"--b--")
ANSWERS = (
    b'[{"0020000D":{"vr":"UI","Value":["1.2"]},"00100010":{"vr":"PN","Value":[{"Alphabetic":"A^B"}]}}]',
    b'{"resourceType":"Bundle","link":[{"relation":"next","url":"https://fhir.example.org/x"}],"entry":[{"resource":'
    b'{"resourceType":"Appointment","id":"a","subject":{"reference":"Patient/p"},"start":"2026-11-29"}},{"resource":'
    b'{"resourceType":"Patient","id":"p","identifier":[{"value":"1"}],"name":[{"family":"A","given":["B"]}]}}]}',
)
COPIES = (
    b'{"want":["report"],"series":["2.25.1"],"pictures":[],"stills":["7-90000"],"texts":["t-1"],"dates":"moved",'
    b'"characteristics":true,"patient":"p-1"}',
)
STREAMS = (
    b"\xff\xd8\xff\xe0\0\x07JFIF\0\xff\xfe\0\x04ab\xff\xda\0\x04ab12\xff\0\xff\xd0\xff\xfe\0\3a\xff\xd9",
    b"\xff\x4f\xff\x51\0\x04ab\xff\x64\0\x05\0\1a\xff\x90\0\x0a12345678",
    b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14jp2c\xff\x4f\xff\x64\0\x04ab\xff\x90",
)
