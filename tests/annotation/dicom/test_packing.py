"""ZIP files that burst, lie, nest or are broken."""

from __future__ import annotations

import io
import os
import struct
import zipfile

import pytest

from annotation.dicom import packing
from annotation.dicom.errors import DicomError
from annotation.dicom.packing import Archive

TOTAL = 1 << 30


def packed(*files: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return buffer.getvalue()


def read(data: bytes, total: int = TOTAL) -> dict[str, bytes]:
    archive = Archive(io.BytesIO(data), total)
    return {file.name: b"".join(archive.read(file)) for file in archive.files}


def refused(data: bytes, total: int = TOTAL) -> str:
    with pytest.raises(DicomError) as error:
        read(data, total)
    assert str(error.value).endswith(".")
    return error.value.code


def test_files_come_out_as_they_went_in() -> None:
    files = {"CT/1": os.urandom(3_000_000), "CT/2": b"", "Ü/影像.dcm": b"abc"}
    assert read(packed(*files.items())) == files


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = packed(("bomb", bytes(100 << 20)))
    assert len(bomb) < 200_000
    assert refused(bomb) == "too_large"


def test_what_all_files_become_is_bounded() -> None:
    assert refused(packed(*((str(n), os.urandom(1000)) for n in range(20))), 15_000) == "too_large"


def test_an_archive_in_an_archive_is_not_opened() -> None:
    assert refused(packed(("inner", packed(("file", b"abc"))))) == "unsupported"


def test_a_size_that_lies_is_noticed() -> None:
    data = bytearray(packed(("file", os.urandom(50_000))))
    central = data.rindex(b"PK\1\2")
    data[central + 24 : central + 28] = struct.pack("<I", 100)
    assert refused(bytes(data)) in ("too_large", "broken")
    data[central + 20 : central + 24] = struct.pack("<I", 1 << 30)
    assert refused(bytes(data)) == "broken"


def test_what_is_encrypted_or_packed_in_another_way_is_said() -> None:
    data = bytearray(packed(("file", b"abc" * 100)))
    central = data.rindex(b"PK\1\2")
    data[central + 8] |= 1
    assert refused(bytes(data)) == "unsupported"
    data[central + 8] = 0
    data[central + 10 : central + 12] = struct.pack("<H", 99)
    assert refused(bytes(data)) == "unsupported"


@pytest.mark.parametrize("cut", [30, 100, 500])
def test_what_is_cut_off_is_refused(cut: int) -> None:
    assert refused(packed(("file", os.urandom(1000)))[:-cut]) == "broken"


def test_files_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "FILES_LIMIT", 3)
    assert refused(packed(*((str(n), b"") for n in range(4)))) == "too_large"


def test_names_are_for_people() -> None:
    (name,) = read(packed(("a\x1b[31m\n" + "b" * 500, b"")))
    assert name.isprintable()
    assert len(name) <= packing.NAME_LIMIT


def test_a_file_without_a_name_is_a_file() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x", b"content")
    # the name's length is said to be none in the directory, its byte becomes the comment's
    data = bytearray(buffer.getvalue())
    entry = data.index(b"PK\x01\x02")
    data[entry + 28], data[entry + 32] = 0, 1
    opened = Archive(io.BytesIO(bytes(data)), 1 << 20)
    assert [packed.name for packed in opened.files] == [""]
    with pytest.raises(DicomError):
        list(opened.read(opened.files[0]))
