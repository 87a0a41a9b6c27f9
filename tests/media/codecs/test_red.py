"""Blocks of sound that was sent before, and the newest (RFC 2198)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.codecs import CodecError, red
from tests.helpers.red import redundant


def test_the_figure_of_the_standard() -> None:
    """RFC 2198, section 5: DVI4 before LPC, here with blocks of 84 and 14 bytes and an offset of 160."""
    payload = bytes([0x80 | 5, 160 >> 6, (160 & 63) << 2, 84, 7]) + bytes(84) + bytes(14)
    before, newest = red.parse(payload)
    assert before == red.Block(5, 160, 5, 89)
    assert newest == red.Block(7, 0, 89, 103)


blocks = st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(max_size=0x3FF)), max_size=red.MAX_BLOCKS - 1)


@given(blocks, st.binary(min_size=1, max_size=400), st.integers(0, 127), st.integers(0, 127))
def test_what_is_written_is_read_and_renamed(
    before: list[tuple[int, bytes]], newest: bytes, payload_type: int, other: int
) -> None:
    payload = redundant(payload_type, before, newest)
    found = red.parse(payload)
    assert [(block.before, payload[block.start : block.end]) for block in found] == [*before, (0, newest)]
    assert {block.payload_type for block in found} == {payload_type}
    assert red.rename(payload, other) == redundant(other, before, newest)


@given(st.binary(max_size=60))
def test_anything_is_refused_or_lies_within_the_payload(payload: bytes) -> None:
    try:
        found = red.parse(payload)
    except CodecError:
        return
    assert found[-1].end == len(payload)
    assert all(block.start <= block.end for block in found)
    assert found[-1].start < found[-1].end


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (b"", "before the newest block's header"),
        (b"\xef\0\0", "within a block's header"),
        (b"\xef\0\0\0", "before the newest block's header"),
        (b"\x6f", "newest is empty"),
        (redundant(111, [(960, bytes(5))], b""), "newest is empty"),
        (redundant(111, [(960, b"")] * red.MAX_BLOCKS, b"1"), "at most 16"),
    ],
)
def test_what_lies_is_refused_with_a_sentence(payload: bytes, sentence: str) -> None:
    with pytest.raises(CodecError, match=sentence):
        red.parse(payload)
