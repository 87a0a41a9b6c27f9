"""Parts are found wherever the pieces end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.dicom.multipart import HEAD_LIMIT, MultipartError, PartReader, boundary_of


def parts_of(pieces: list[bytes], boundary: bytes = b"b-1") -> tuple[list[bytes], bool]:
    reader = PartReader(boundary)
    found, part = [], b""
    for piece in pieces:
        for data in reader.receive(piece):
            if data is None:
                found.append(part)
                part = b""
            else:
                part += data
    return found, reader.complete


bodies = st.lists(
    st.binary(max_size=40) | st.sampled_from([b"\r\n", b"\r\n--b-", b"--b-1", b"\r\n--b-0--", b"\r\n\r\n"]),
    max_size=5,
)


@given(bodies.filter(lambda bodies: not any(b"\r\n--b-1" in b"\r\n" + body for body in bodies)), st.data())
def test_parts_come_out_however_they_are_cut(bodies: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(b"--b-1\r\nContent-Type: x\r\n\r\n" + body + b"\r\n" for body in bodies) + b"--b-1--\r\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert parts_of(pieces) == (bodies, True)


def test_a_head_without_headers_is_one() -> None:
    assert parts_of([b"--b-1\r\n\r\nbody\r\n--b-1--"]) == ([b"body"], True)


def test_what_breaks_off_is_not_complete() -> None:
    assert parts_of([b"--b-1\r\n\r\none\r\n--b-1\r\n\r\ntw"]) == ([b"one"], False)


def test_a_head_without_end_is_refused() -> None:
    with pytest.raises(MultipartError):
        parts_of([b"--b-1\r\n", b"x" * (HEAD_LIMIT + 10)])


@pytest.mark.parametrize(
    "kind", ["", "application/json", "multipart/related", 'multipart/related; boundary=""']
)
def test_what_is_not_in_parts_is_refused(kind: str) -> None:
    with pytest.raises(MultipartError):
        boundary_of(kind)


@given(st.binary(max_size=300))
def test_whatever_a_part_holds_it_ends(data: bytes) -> None:
    found, complete = parts_of([b"--b\r\n\r\n", data, b"\r\n--b--"], b"b")
    assert complete
    assert b"".join(found) in data or b"--b" in data
