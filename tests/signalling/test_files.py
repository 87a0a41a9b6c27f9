"""What may be said of a file: names that are what they seem, sizes, hashes and offsets that are numbers."""

from __future__ import annotations

import json

import pytest

from signalling.files import (
    SIZE_LIMIT,
    UNKNOWN_TYPE,
    FileError,
    NewFile,
    check_name,
    disposition,
    is_file_id,
    parse_finish,
    parse_new,
    parse_offset,
)


@pytest.mark.parametrize(
    "name",
    [
        "report.pdf",
        "CT Schädel (2).dcm",
        "超声心动图.mp4",
        "نتائج‌ها.pdf",
        "👩‍⚕️.png",
        "..a",
        " a",
        "a.tar.gz",
        "x" * 200,
    ],
)
def test_names_of_people_are_taken_as_they_are(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        " .. ",
        "../secret",
        "..\\secret",
        "/etc/passwd",
        "a\nb",
        "a\rSet-Cookie: x",
        "a\0.pdf",
        "a\x7f",
        "report\u202efdp.exe",
        "a\u2066b",
        "invoice\u200b.pdf",
        "\ufeffa",
        "\ud800",
        "x" * 201,
        "图" * 86,
        None,
        7,
        ["a"],
    ],
)
def test_names_that_are_not_what_they_seem_are_refused_in_a_sentence(name: object) -> None:
    with pytest.raises(FileError, match=r"^The file's name must .*\.$"):
        check_name(name)


def test_an_announcement() -> None:
    body = json.dumps({"name": "a.pdf", "size": 7, "type": "Application/PDF", "unknown": 1}).encode()
    assert parse_new(body) == NewFile("a.pdf", 7, "application/pdf")
    assert parse_new(b'{"name":"a","size":0}').type == UNKNOWN_TYPE
    assert parse_new(b'{"name":"a","size":0,"type":"text/html\\r\\nX: y"}').type == UNKNOWN_TYPE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 3000,
        b'{"name":"a"}',
        b'{"name":"a","size":-1}',
        b'{"name":"a","size":1.5}',
        b'{"name":"a","size":true}',
        b'{"name":"a","size":%d}' % (SIZE_LIMIT + 1),
        b'{"name":"a","size":1,"type":7}',
        b'{"name":"a","size":1,"type":"%s"}' % (b"x" * 200),
        b'{"name":"a","size":1}' + b" " * 5000,
        b"\xff\xfe",
    ],
)
def test_announcements_that_are_none(body: bytes) -> None:
    with pytest.raises(FileError, match=r"\.$"):
        parse_new(body)


def test_the_hash_that_ends_a_file() -> None:
    digest = "ab" * 32
    assert parse_finish(json.dumps({"digest": digest}).encode()) == digest
    for wrong in (b"{}", b'{"digest":7}', b'{"digest":"ab"}', json.dumps({"digest": "AB" * 32}).encode()):
        with pytest.raises(FileError, match="digest"):
            parse_finish(wrong)


def test_offsets() -> None:
    assert parse_offset("0") == 0
    assert parse_offset("16777216") == 16777216
    for wrong in (None, "", "-1", "+1", "1e3", "٣", " 1", str(SIZE_LIMIT + 1), "9" * 5000):
        with pytest.raises(FileError, match="Upload-Offset"):
            parse_offset(wrong)


def test_identifiers() -> None:
    assert is_file_id("f-" + "0" * 32)
    for wrong in ("f-0", "../" + "0" * 31, "f-" + "A" * 32, "f-" + "0" * 32 + "\n", None):
        assert not is_file_id(wrong)


def test_a_name_in_a_header_stays_one_header() -> None:
    assert disposition('a";x=\r\n.pdf').count('"') == 2
    header = disposition('报告 "1".pdf')
    assert header.isascii()
    assert header == "attachment; filename=\"__ _1_.pdf\"; filename*=UTF-8''%E6%8A%A5%E5%91%8A%20%221%22.pdf"
