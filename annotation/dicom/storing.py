"""What has to be known of a file to send it on, and in which forms a PACS may send us one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom.filereader import read_file_meta_info
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

#: What our decoders know. An archive sends as it keeps a file if that is among them, else it converts.
_OFFERED: Final = (
    *(ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless),
    *(JPEGLosslessSV1, JPEGLSLossless, JPEGLSNearLossless, JPEG2000Lossless, JPEG2000, RLELossless),
    *(HTJ2KLossless, HTJ2K),
)


def transfer_syntaxes_offered() -> list[str]:
    """List the transfer syntaxes in which a PACS may send."""
    return [str(syntax) for syntax in _OFFERED]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of ours: its SOP class and transfer syntax."""

    path: Path
    sop_class: str
    transfer_syntax: str

    @classmethod
    def read(cls, path: Path) -> StoredFile:
        """Read a file's head."""
        meta = read_file_meta_info(path)
        return cls(path, str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID))
