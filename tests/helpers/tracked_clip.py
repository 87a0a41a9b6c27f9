"""A clip of a known movement, made once: a retina under a camera that pans, is cut to another place and back."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from loadtests.tracking.scenes import HEIGHT, RATE, WIDTH, Pose, photograph, see
from server.demo import barcode

ROOT = Path(__file__).parent.parent.parent

#: Frames of the loop: six seconds of panning, then two of another place.
FRAMES = 240
CUT_AT = 180


def pose(number: int) -> Pose:
    """Give where the camera looks in a frame: a slow pan of 16 % of the height, there and back, then elsewhere."""
    if number >= CUT_AT:
        return Pose(240, 230, 1.3, 1.2)
    return Pose(x=-60 + 43 * math.sin(2 * math.pi * number / CUT_AT), y=-30)


def moved(begin: int, now: int) -> tuple[float, float]:
    """Give by how many picture heights the tissue has moved from one frame to another before the cut."""
    before, after = pose(begin), pose(now)
    return (before.x - after.x) / HEIGHT, (before.y - after.y) / HEIGHT


def tracked_clip() -> Path:
    """Give the clip: 960 × 540, a barcode in each frame, a key frame each second."""
    path = ROOT / "build" / "media" / "tracked-1.mp4"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.mp4")
        _encode(partial)
        partial.replace(path)
    return path


def _encode(path: Path) -> None:
    tissue, noise = photograph(), np.random.default_rng(4)
    options = {
        "preset": "ultrafast",
        "profile": "baseline",
        "crf": "23",
        "x264-params": "keyint=30:min-keyint=30",
    }
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, RATE)
        for number in range(FRAMES):
            luma = see(tissue, pose(number), noise)
            barcode.draw(luma, number, black=16, white=235)
            grey = np.full((HEIGHT // 2, WIDTH), 128, np.uint8)
            frame = av.VideoFrame.from_ndarray(np.concatenate([luma, grey]), format="yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
