"""The dependency descriptor: read as it is written, refused when it lies, never read beyond its end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.rtp.dependency_descriptor import (
    DescriptorError,
    Indication,
    Structure,
    Template,
    parse,
)
from tests.helpers.dependency import L2T2, BitWriter, indications, write_descriptor


def structure_of(descriptor: bytes) -> Structure:
    structure = parse(descriptor).structure
    assert structure is not None
    return structure


def test_a_structure_is_read_as_it_is_written() -> None:
    written = write_descriptor(
        3, 0xABCD, structure=L2T2, active=0b0101, chains=2, resolutions=[(640, 360), (1280, 720)]
    )
    read = parse(written)
    assert (read.starts, read.ends, read.frame_number, read.active) == (True, True, 0xABCD, 0b0101)
    assert read.structure == Structure(
        0,
        tuple(Template(spatial, temporal, indications(text)) for spatial, temporal, text in L2T2),
        ((0, 0), (0, 1), (1, 0), (1, 1)),
        ((640, 360), (1280, 720)),
    )
    assert read.template == read.structure.templates[3]


def test_short_descriptors_name_a_template_of_a_known_structure() -> None:
    older = structure_of(write_descriptor(60, 1, structure=L2T2, offset=60))
    newer = structure_of(write_descriptor(10, 1, structure=L2T2[:3], offset=10))
    read = parse(write_descriptor(12, 77, starts=False), [newer, older])
    assert (read.starts, read.ends, read.frame_number, read.template) == (False, True, 77, newer.templates[2])
    # identifiers go round at 64; what only the structure before knows is looked up there
    assert parse(write_descriptor(1, 77), [newer, older]).template == older.templates[5]
    assert parse(write_descriptor(33, 77), [newer, older]).template is None
    assert parse(write_descriptor(0, 77)).template is None


def test_indications_of_its_own_replace_the_templates() -> None:
    known = structure_of(write_descriptor(0, 1, structure=L2T2))
    template = parse(write_descriptor(4, 5, custom="-DSR"), [known]).template
    assert template is not None
    assert template.indications == tuple(Indication)
    assert (template.spatial, template.temporal) == (1, 0)
    assert parse(write_descriptor(4, 5, active=3, targets=4, custom="-DSR"), [known]).active == 3


@pytest.mark.parametrize("size", [0, 1, 2, 256])
def test_a_descriptor_has_3_to_255_bytes(size: int) -> None:
    with pytest.raises(DescriptorError):
        parse(bytes(size))


def test_whatever_is_cut_off_is_refused() -> None:
    whole = write_descriptor(
        0, 1, structure=L2T2, active=15, custom="SSSS", chains=3, resolutions=[(9, 9)] * 2
    )
    for size in range(4, len(whole)):
        with pytest.raises(DescriptorError):
            parse(whole[:size])
    assert parse(whole + bytes(20)).structure == structure_of(whole)


def test_a_structure_has_at_most_64_templates_and_4_spatial_layers() -> None:
    def head() -> BitWriter:
        return BitWriter().put(0b11, 2).put(0, 22).put(0b10000, 5).put(0, 6).put(0, 5)

    endless = head()
    for _ in range(200):
        endless.put(0, 2)
    towering = head().put(2, 2).put(2, 2).put(2, 2).put(2, 2).put(3, 2).put(0, 400)
    hurried = head()
    for _ in range(8):
        hurried.put(1, 2)
    hurried.put(3, 2).put(0, 400)
    for bits in (endless, towering, hurried):
        with pytest.raises(DescriptorError, match="at most"):
            parse(bytes(bits))


def test_a_structure_must_know_the_template_that_comes_with_it() -> None:
    with pytest.raises(DescriptorError, match="its own structure"):
        parse(write_descriptor(9, 1, structure=L2T2))


@settings(deadline=None)
@given(st.binary(max_size=255), st.lists(st.integers(0, 60), max_size=2))
def test_any_bytes_are_read_or_refused(data: bytes, offsets: list[int]) -> None:
    known = [structure_of(write_descriptor(o, 1, structure=L2T2, offset=o)) for o in offsets]
    try:
        read = parse(data, known)
    except DescriptorError:
        return
    assert 0 <= read.frame_number < 1 << 16
    if read.structure is not None:
        assert read.template is not None
        assert 1 <= len(read.structure.targets) <= 32
