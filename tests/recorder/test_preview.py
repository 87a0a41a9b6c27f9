"""Previews: each frame of a track, small, at its own time; a piece is read or refused, and making goes on."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import av
import numpy as np
import pytest

from media.plane import Codec
from recorder.export import previews
from recorder.export.composed.pictures import decode
from recorder.export.indexed import IndexedTrack
from recorder.export.kinds import ExportError
from recorder.export.preparing import prepare
from recorder.export.previews import KEY_TICKS, LINES, make_previews
from recorder.journal import JournalError
from recorder.library import JOURNAL
from recorder.parts import open_part
from recorder.seal.keys import DataKey
from recorder.seal.suites import SM4, SealError
from recorder.segments.preview import (
    MAX_FRAMES,
    MAX_PIECE,
    MAX_TICKS,
    PreviewError,
    PreviewFile,
    PreviewFrame,
    parse_piece,
    write_piece,
)
from recorder.segments.track import SegmentedTrack, open_track
from tests.exporting.recordings import worker
from tests.helpers.journal_media import Encoded, Sent, camera, encode, encode_sound, record, sound, video
from tests.helpers.likeness import likeness

KEY = DataKey.random(SM4)


def recorded(folder: Path, codec: Codec, packets: list[Sent], key: DataKey | None = KEY) -> Path:
    record(folder, [camera(7, codec)], packets, sealed_with=key)
    prepare(folder, key=key)
    return folder


def pieces(folder: Path, key: DataKey | None = KEY) -> list[tuple[int, int, list[PreviewFrame]]]:
    with closing(PreviewFile(open_part(folder / "7.preview", key))) as preview:
        return [
            (piece.start, piece.end, parse_piece(preview.piece(number)))
            for number, piece in enumerate(preview.pieces)
        ]


def size(folder: Path) -> tuple[int, int]:
    with closing(PreviewFile(open_part(folder / "7.preview", KEY))) as preview:
        return preview.facts.width, preview.facts.height


def whole_pictures(folder: Path, codec: Codec, key: DataKey | None = KEY) -> Iterator[av.VideoFrame]:
    """Decode the track itself: what a preview is held against."""
    track = open_track(open_part(folder / "7.index", key), folder / JOURNAL, key)
    with closing(track):
        yield from decode(codec, IndexedTrack(track, lambda: None).pictures_from(0))


def small_pictures(frames: list[PreviewFrame]) -> list[av.VideoFrame]:
    """Decode a piece by itself: each access unit is one picture, at once."""
    context = av.CodecContext.create("h264", "r")
    found = [picture for frame in frames for picture in context.decode(av.Packet(frame.data))]
    assert len(found) == len(frames)
    return found


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265, Codec.VP8, Codec.VP9, Codec.AV1])
def test_each_frame_is_there_small_at_its_own_time(tmp_path: Path, codec: Codec) -> None:
    # an uneven pace, as cameras have it
    times = [number * 3000 + (700 if number % 3 else 0) for number in range(70)]
    frames = encode(codec, 70, key_every=30, size=(1280, 720), bit_rate=2_000_000)
    folder = recorded(tmp_path / "r", codec, video(7, codec, frames, times=times))
    assert make_previews(folder, KEY) == ["7.preview"]
    assert size(folder) == (854, 480)
    found = pieces(folder)
    assert [start for start, _, _ in found[1:]] == [end for _, end, _ in found[:-1]]
    whole = whole_pictures(folder, codec)
    count = 0
    for start, end, piece in found:
        assert start == piece[0].time <= piece[-1].time < end
        last_key = None
        for frame, small in zip(piece, small_pictures(piece), strict=True):
            picture = next(whole)
            assert frame.time == picture.pts
            assert (small.width, small.height) == (854, 480)
            assert likeness(small, picture) > 28
            last_key = frame.time if frame.key else last_key
            assert last_key is not None
            assert frame.time - last_key < KEY_TICKS
            count += 1
    assert next(whole, None) is None
    assert count == len(frames)


def test_a_decoder_may_begin_at_each_key_frame(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "r", Codec.H264, video(7, Codec.H264, encode(Codec.H264, 60)))
    make_previews(folder, KEY)
    (_, _, piece), *_ = pieces(folder)
    keys = [number for number, frame in enumerate(piece) if frame.key]
    assert keys == [0, 15, 30, 45]
    whole = small_pictures(piece)
    for begin in keys:
        for one, other in zip(small_pictures(piece[begin:]), whole[begin:], strict=True):
            assert np.array_equal(one.to_ndarray(), other.to_ndarray())


def test_pictures_that_wait_for_later_ones_come_in_the_order_of_being_shown(tmp_path: Path) -> None:
    frames = encode(Codec.H264, 60, key_every=20, b_frames=2)
    folder = recorded(tmp_path / "r", Codec.H264, video(7, Codec.H264, frames))
    make_previews(folder, KEY)
    times = [frame.time for _, _, piece in pieces(folder) for frame in piece]
    assert times == sorted(picture.pts for picture in whole_pictures(folder, Codec.H264))
    assert len(times) == 60


def test_what_changes_its_size_or_shape_keeps_the_tracks(tmp_path: Path) -> None:
    layers = [(640, 360), (1280, 720), (360, 640)]
    packets: list[Sent] = []
    for number, layer in enumerate(layers):
        frames = encode(Codec.VP8, 20, size=layer, noise=120)
        begin = number * 20
        packets += video(
            7,
            Codec.VP8,
            frames,
            begin=0.1 + begin / 30,
            timestamp=1_000_000 + begin * 3000,
            sequence=packets[-1].sequence + 1 if packets else 100,
        )
    folder = recorded(tmp_path / "r", Codec.VP8, packets)
    make_previews(folder, KEY)
    # of a track that began with its smallest layer more lines are kept than that has
    assert size(folder) == (854, LINES)
    shown = [picture for _, _, piece in pieces(folder) for picture in small_pictures(piece)]
    whole = list(whole_pictures(folder, Codec.VP8))
    assert {(picture.width, picture.height) for picture in whole} == set(layers)
    assert len(shown) == len(whole) == 60
    for small, picture in zip(shown[:40], whole[:40], strict=True):
        assert likeness(small, picture) > 28
    for small in shown[41:]:
        # upright between black bars
        luma = small.to_ndarray()[:LINES]
        assert luma[:, :250].max() < 40
        assert luma[:, -250:].max() < 40
        assert luma[:, 300:550].mean() > 50


def test_small_tracks_stay_as_they_are(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "r", Codec.VP8, video(7, Codec.VP8, encode(Codec.VP8, 10)))
    make_previews(folder, KEY)
    assert size(folder) == (320, 240)


def test_no_piece_spans_a_gap(tmp_path: Path) -> None:
    frames = encode(Codec.H264, 30, key_every=10)
    # five seconds between the 10th and the 11th
    times = [number * 3000 + (450_000 if number >= 10 else 0) for number in range(30)]
    folder = recorded(tmp_path / "r", Codec.H264, video(7, Codec.H264, frames, times=times))
    make_previews(folder, KEY)
    found = pieces(folder)
    assert [len(piece) for _, _, piece in found] == [10, 20]
    # the last picture before the gap stands in it, as in the track
    assert [(start, end) for start, end, _ in found] == [(0, 480_000), (480_000, 540_000)]


def test_sound_has_no_preview(tmp_path: Path) -> None:
    record(tmp_path / "r", [camera(8, Codec.OPUS)], sound(8, encode_sound(20)), sealed_with=KEY)
    prepare(tmp_path / "r", key=KEY)
    assert make_previews(tmp_path / "r", KEY) == []


def long_recording(folder: Path) -> tuple[Path, tuple[Encoded, ...]]:
    """A picture each second for three minutes, a key frame each ten: three sections."""
    frames = encode(Codec.H264, 180, key_every=10)
    times = [number * 90_000 for number in range(180)]
    return recorded(folder, Codec.H264, video(7, Codec.H264, frames, times=times)), frames


def test_who_was_killed_goes_on_and_makes_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, frames = long_recording(tmp_path / "r")
    make_previews(folder, KEY)
    expected = pieces(folder)
    assert sum(len(piece) for _, _, piece in expected) == len(frames)
    (folder / "7.preview").unlink()

    class Killed(Exception):
        pass

    def kill(share: float) -> None:
        if share > 0.5:
            raise Killed

    with pytest.raises(Killed):
        make_previews(folder, KEY, kill)
    assert [path.name for path in folder.glob("*.preview*")] == ["7.0.preview"]
    (folder / "7.1.preview.part").write_bytes(b"begun")

    made: list[str] = []
    make_section = previews._Track._make_section

    def noted(self: previews._Track, name: str, *rest: object) -> None:
        made.append(name)
        make_section(self, name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(previews._Track, "_make_section", noted)
    told: list[float] = []
    assert make_previews(folder, KEY, told.append) == ["7.preview"]
    assert made == ["7.1.preview", "7.2.preview"]
    assert told == sorted(told)
    assert told[0] > 0.3
    assert pieces(folder) == expected
    # nothing but the preview is left, and it is not made once more
    assert [path.name for path in folder.glob("*.preview*")] == ["7.preview"]
    stamp = (folder / "7.preview").stat().st_mtime_ns
    assert make_previews(folder, KEY) == ["7.preview"]
    assert (folder / "7.preview").stat().st_mtime_ns == stamp


def test_a_section_that_was_changed_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = long_recording(tmp_path / "r")
    with monkeypatch.context() as patched:
        patched.setattr(previews._Track, "_join", lambda *_: None)
        patched.setattr(previews._Track, "_drop_sections", lambda _: None)
        make_previews(folder, KEY)
    path = folder / "7.1.preview"
    data = bytearray(path.read_bytes())
    data[2000] ^= 1
    path.write_bytes(data)
    with pytest.raises(SealError):
        make_previews(folder, KEY)
    assert not list(folder.glob("*.preview*"))
    assert make_previews(folder, KEY) == ["7.preview"]


def test_of_two_workers_one_makes_it(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "r", Codec.H264, video(7, Codec.H264, encode(Codec.H264, 10)))
    with previews._alone(folder), pytest.raises(ExportError, match="Another process"):
        make_previews(folder, KEY)
    assert make_previews(folder, KEY) == ["7.preview"]


def test_what_is_damaged_costs_its_section_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = long_recording(tmp_path / "r")
    joined = SegmentedTrack.joined

    def damaged(self: SegmentedTrack, number: int) -> object:
        if number == 65:
            raise JournalError("A block of the journal is damaged.")
        return joined(self, number)

    monkeypatch.setattr(SegmentedTrack, "joined", damaged)
    make_previews(folder, KEY)
    times = [frame.time // 90_000 for _, _, piece in pieces(folder) for frame in piece]
    assert times == [*range(65), *range(120, 180)]


def test_the_worker(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "r", Codec.H264, video(7, Codec.H264, encode(Codec.H264, 10)))
    limits = {"memory_mb": 2048, "cpu_seconds": 60}
    asked = {"recording": str(folder), "suite": KEY.suite.name, "key": KEY.key.hex(), **limits}
    status, said = worker(asked, "recorder.export.previews")
    assert status == 0
    assert said[-1] == {"files": ["7.preview"]}
    assert all(0 <= line["progress"] <= 1 for line in said[:-1])
    (folder / "7.preview").unlink()
    status, said = worker(asked | {"key": DataKey.random(SM4).key.hex()}, "recorder.export.previews")
    assert status == 1
    assert "error" in said[-1]
    assert not list(folder.glob("*.preview*"))
    assert worker({"recording": str(folder)}, "recorder.export.previews")[0] == 1


# -- the format ------------------------------------------------------------------------------------------------------


def test_a_piece_byte_by_byte() -> None:
    piece = write_piece([PreviewFrame(90_000, b"key", True), PreviewFrame(93_000, b"next", False)])
    assert piece == (
        b"KPV1" + struct.pack(">I", 2)
        + struct.pack(">QI", 90_000, 3 | 1 << 31) + struct.pack(">QI", 93_000, 4) + b"keynext"
    )  # fmt: skip


def built(*frames: tuple[int, int, bool], body: bytes = b"", count: int | None = None) -> bytes:
    heads = b"".join(struct.pack(">QI", time, length | key << 31) for time, length, key in frames)
    return b"KPV1" + struct.pack(">I", len(frames) if count is None else count) + heads + body


@pytest.mark.parametrize(
    ("piece", "words"),
    [
        (b"", "shorter or longer"),
        (b"KPV2" + built((0, 1, True), body=b"x")[4:], "no piece"),
        (built(), "no piece"),
        (built((0, 1, True), body=b"x", count=2), "no piece"),
        (built(*[(n, 1, True) for n in range(MAX_FRAMES + 1)], body=b"x" * (MAX_FRAMES + 1)), "no piece"),
        (built((0, 0, True)), "no bytes"),
        (built((0, 2, True), body=b"x"), "no bytes, or more"),
        (built((0, 1, True), body=b"xy"), "something else"),
        (built((0, 1, False), body=b"x"), "No decoder can begin"),
        (built((5, 1, True), (5, 1, False), body=b"xy"), "do not rise"),
        (built((0, 1, True), (MAX_TICKS + 1, 1, False), body=b"xy"), "lasts longer"),
        (built((1 << 53, 1, True), body=b"x"), "lasts longer"),
        (built((0, MAX_PIECE, True), body=b"x" * MAX_PIECE), "shorter or longer"),
    ],
)
def test_what_is_no_piece_is_refused(piece: bytes, words: str) -> None:
    with pytest.raises(PreviewError, match=words):
        parse_piece(piece)
