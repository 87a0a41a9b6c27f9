"""The demo clip: readable numbers, a seamless loop, a stream that WebRTC decoders take."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from media.codecs import h264
from media.codecs.packetisation import split_avcc
from server.demo.barcode import Picture, read
from server.demo.clip import FIELD_4K, SMALL, ClipError, ensure_clip, make_clip


def _frames(path: Path) -> Iterator[Picture]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="gray")


def test_each_decoded_frame_bears_its_number(small_clip: Path) -> None:
    assert [read(frame) for frame in _frames(small_clip)] == list(range(SMALL.frames))


def test_the_loop_has_no_seam(small_clip: Path) -> None:
    # below the barcode, which of course jumps
    frames = [frame[40:].astype(np.float32) for frame in _frames(small_clip)]
    steps = [float(np.abs(b - a).mean()) for a, b in zip(frames, [*frames[1:], frames[0]], strict=True)]
    seam, others = steps[-1], steps[:-1]
    assert seam <= max(others)
    # a reversed neighbour would be as near: the movement goes on in the same direction too
    assert float(np.abs(frames[1] - frames[-1]).mean()) > seam
    # and the camera does move
    assert min(others) > 0.2


def test_the_stream_suits_every_webrtc_decoder(small_clip: Path) -> None:
    with av.open(str(small_clip)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.profile == "Constrained Baseline"
        packets = [packet for packet in container.demux(stream) if packet.size]
    assert [packet.pts for packet in packets] == [packet.dts for packet in packets]
    assert [n for n, packet in enumerate(packets) if packet.is_keyframe] == [0, 30]
    for packet in packets:
        kinds = [unit[0] & 0x1F for unit in split_avcc(bytes(packet))]
        assert (h264.IDR in kinds) == packet.is_keyframe
        assert ({h264.SPS, h264.PPS} <= set(kinds)) == packet.is_keyframe
    largest = max(packet.size for packet in packets)
    assert 8 * largest < SMALL.bitrate / 4


def test_the_field_is_4k_and_readable(tmp_path: Path) -> None:
    spec = replace(FIELD_4K, frames=3, key_frame_every=1)
    path = ensure_clip(tmp_path / "field.mp4", spec)
    frames = list(_frames(path))
    assert [frame.shape for frame in frames] == [(2160, 3840)] * 3
    assert [read(frame) for frame in frames] == [0, 1, 2]


def test_the_field_holds_whole_groups_of_pictures() -> None:
    assert FIELD_4K.frames % FIELD_4K.key_frame_every == 0
    assert FIELD_4K.frames / FIELD_4K.rate == 10


def test_a_clip_is_made_once_and_again_when_its_recipe_changes(tmp_path: Path) -> None:
    spec = replace(SMALL, width=320, height=180, frames=4, key_frame_every=2)
    path = tmp_path / "new" / "clip.mp4"
    told: list[tuple[int, int]] = []
    ensure_clip(path, spec, lambda done, total: told.append((done, total)))
    assert told[-1] == (6, 6)
    first = path.read_bytes()
    ensure_clip(path, spec, lambda *_: pytest.fail("made twice"))
    ensure_clip(path, replace(spec, frames=6))
    assert path.read_bytes() != first
    # the same recipe gives the same bytes
    make_clip(path, spec)
    assert path.read_bytes() == first
    assert [file.name for file in path.parent.iterdir()] == ["clip.mp4"]


def test_rubbish_in_the_place_of_the_clip_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"not a video")
    ensure_clip(path, replace(SMALL, width=320, height=180, frames=2, key_frame_every=2))
    assert [read(frame) for frame in _frames(path)] == [0, 1]


def test_without_the_photograph_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ClipError, match="pip install scikit-image"):
        make_clip(tmp_path / "clip.mp4", SMALL)
    assert list(tmp_path.iterdir()) == []
