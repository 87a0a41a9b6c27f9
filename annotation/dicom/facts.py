"""What the index keeps of an instance: enough to find it, to list it and to give its frames."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

#: What an instance is to a page: pictures, a film in its own container, curves, a paper, or something else.
Kind = Literal["image", "video", "waveform", "document", "other"]


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts of one instance, by DICOM's own names; UIDs are those of the file."""

    SOPInstanceUID: str
    SeriesInstanceUID: str
    StudyInstanceUID: str
    SOPClassUID: str
    TransferSyntaxUID: str
    kind: Kind
    Modality: str = ""
    PatientID: str = ""
    IssuerOfPatientID: str = ""
    PatientName: str = ""
    PatientBirthDate: str = ""
    PatientSex: str = ""
    AccessionNumber: str = ""
    StudyDate: str = ""
    StudyTime: str = ""
    StudyDescription: str = ""
    StudyID: str = ""
    SeriesNumber: int = 0
    SeriesDescription: str = ""
    BodyPartExamined: str = ""
    InstanceNumber: int = 0
    FrameOfReferenceUID: str = ""
    Rows: int = 0
    Columns: int = 0
    NumberOfFrames: int = 0
    SamplesPerPixel: int = 1
    BitsAllocated: int = 0
    #: of the stored pixels; what is served decoded may differ
    PhotometricInterpretation: str = ""
    #: where the native frames begin in the file, one behind the other and ready to be served; 0: they are decoded
    pixel_offset: int = 0
    #: whether words may stand in the picture: "YES", "NO" (the file says so, or cannot), or why it is feared
    burned_in: str = "NO"
    #: sentences about what was read tolerantly
    warnings: tuple[str, ...] = ()

    @property
    def frame_bytes(self) -> int:
        """Bytes of one decoded frame."""
        # single bits are served as bytes
        return self.Rows * self.Columns * self.SamplesPerPixel * max(1, self.BitsAllocated // 8)

    def to_json(self) -> str:
        """Write for the index."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Facts:
        """Read what `to_json` wrote."""
        known = {field.name for field in fields(cls)}
        body: dict[str, Any] = {key: value for key, value in json.loads(text).items() if key in known}
        body["warnings"] = tuple(body.get("warnings", ()))
        return cls(**body)
