"""What has to be known of a file to send it on, and in which forms a PACS may send us one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_file_meta_info
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import (
    HEVCM10P51,
    HEVCMP51,
    HTJ2K,
    JPEG2000,
    MPEG2MPHL,
    MPEG2MPML,
    MPEG4HP41,
    MPEG4HP41BD,
    MPEG4HP42STEREO,
    MPEG4HP422D,
    MPEG4HP423D,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
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


#: What devices may send besides, as files that are uploaded may be: films, and what nobody writes any more.
_TAKEN_TOO: Final = (
    *(DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, MPEG2MPML, MPEG2MPHL, MPEG4HP41, MPEG4HP41BD),
    *(MPEG4HP422D, MPEG4HP423D, MPEG4HP42STEREO, HEVCMP51, HEVCM10P51),
)

#: Who wrote the files that come by C-STORE: a UID made from a UUID (PS3.5, B.2), the same for ever.
IMPLEMENTATION: Final = "2.25.209117203411352094381540871693347206218"


#: What is larger (a film) is sent from the disk piece by piece; an archive takes at least so many bytes a second.
IN_MEMORY: Final = 64 << 20
SLOWEST: Final = 1 << 20


def file_head(sop_class: str, sop_instance: str, transfer_syntax: str) -> bytes:
    """Write what stands before a data set in a file (PS3.10, 7.1)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance)
    meta.TransferSyntaxUID = UID(transfer_syntax)
    meta.ImplementationClassUID = UID(IMPLEMENTATION)
    head = DicomBytesIO()
    write_file_meta_info(head, meta)
    return bytes(128) + b"DICM" + head.getvalue()


def transfer_syntaxes_taken() -> list[str]:
    """List the transfer syntaxes in which devices may send."""
    return [str(syntax) for syntax in (*_OFFERED, *_TAKEN_TOO)]


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
