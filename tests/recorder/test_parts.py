"""What lies beside a journal is the same file, sealed or not, whatever a muxer comes back to at its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from media.plane import Codec
from recorder.export.container import write_container
from recorder.export.frames import Frame
from recorder.parts import create_part, read_part, write_part
from recorder.seal.file import CHUNK
from recorder.seal.keys import DataKey
from recorder.seal.suites import SM4
from tests.helpers.journal_media import encode, encode_sound

KEY = DataKey(SM4, bytes(16))
STEP = 3000
KEY_EVERY = 10


def pictures(codec: Codec) -> Iterator[Frame]:
    """Give one group of pictures again and again, until they fill more than two chunks."""
    group = encode(codec, key_every=KEY_EVERY)
    size = number = 0
    while size < 2 * CHUNK + 1000 or number % len(group):
        picture = group[number % len(group)]
        yield Frame(number * STEP, number * STEP, picture.data, number % KEY_EVERY == 0)
        size += len(picture.data)
        number += 1


@pytest.mark.parametrize("codec", [Codec.VP8, Codec.H264, Codec.AV1])
def test_a_container_of_several_chunks_is_the_same_file_sealed_and_not(codec: Codec, tmp_path: Path) -> None:
    results = []
    for name, key in (("open", None), ("sealed", KEY)):
        path = tmp_path / name / ("7.webm" if codec is Codec.VP8 else "7.mp4")
        path.parent.mkdir()
        sounds = (Frame(n * 960, n * 960, data, True) for n, data in enumerate(encode_sound()))
        written = write_container(path, (codec, pictures(codec)), sounds, key)
        assert written.width == 320
        results.append(read_part(path, key, 1 << 30))
        assert [there.name for there in path.parent.iterdir()] == [path.name]
    assert len(results[0]) > 2 * CHUNK
    assert results[0] == results[1]


@pytest.mark.parametrize("key", [None, KEY], ids=["open", "sealed"])
def test_what_a_killed_worker_left_is_begun_anew(key: DataKey | None, tmp_path: Path) -> None:
    path = tmp_path / "description.json"
    write_part(path, b"old", key)
    with create_part(path, key) as half:
        half.write(b"half")
    assert read_part(path, key, 100) == b"old"
    write_part(path, b"new", key)
    assert read_part(path, key, 100) == b"new"
    assert read_part(path, key, 2) == b"ne"
    assert [there.name for there in tmp_path.iterdir()] == ["description.json"]
