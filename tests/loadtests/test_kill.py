"""A few of the hundred kills of `python -m loadtests kill`."""

from __future__ import annotations

from pathlib import Path

from loadtests.kill import GOAL, kill_often
from loadtests.kill_writer import packets, read_frames, write_frames
from media.codecs import h264
from media.plane import Codec
from tests.helpers.journal_media import encode

PAYLOAD = 1150
#: Small pictures, and many of them.
FPS = 130


def real_frames() -> list[list[bytes]]:
    """Take real pictures that come to some 20 Mbit/s."""
    pictures = encode(Codec.H264, 30, bit_rate=20_000_000, noise=256)
    assert 15_000_000 < 8 * FPS * sum(len(picture.data) for picture in pictures) / 30 < 30_000_000
    return [h264.packetise(picture.data, PAYLOAD) for picture in pictures]


async def test_what_a_killed_recorder_leaves_is_whole_up_to_its_last_second(tmp_path: Path) -> None:
    frames = real_frames()
    write_frames(tmp_path / "frames", frames)
    assert [list(one) for one in read_frames(tmp_path / "frames")] == frames
    losses = await kill_often(tmp_path / "killed", frames, FPS, times=2, seed=5)
    assert [loss.problems for loss in losses] == [[], []]
    assert max(loss.seconds for loss in losses) < GOAL
    assert sum(loss.kept for loss in losses) > 1000
    first = packets(frames, FPS)
    assert next(first)[1] != next(first)[1]
