"""Small real files for the publisher's tests: pictures by FFmpeg's encoders, sound by Opus."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

RATE = 30


def write_clip(
    path: Path,
    *,
    frames: int = 20,
    codec: str = "libx264",
    key_every: int = 10,
    b_frames: int = 0,
    sound: str = "",
    options: dict[str, str] | None = None,
) -> Path:
    """Write moving noise of 160 × 120 at 30 fps, with silence encoded by `sound` beside it if given."""
    generator = np.random.default_rng(3)
    defaults = {"preset": "ultrafast", "bf": str(b_frames)} if codec.startswith("libx26") else {}
    if codec == "libx265":
        defaults |= {
            "x265-params": f"log-level=none:keyint={key_every}:min-keyint={key_every}:bframes={b_frames}"
        }
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=RATE, options=defaults | (options or {}))
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        video.codec_context.gop_size = key_every
        video.codec_context.time_base = Fraction(1, RATE)
        audio: Any = None
        if sound:
            audio = container.add_stream(sound, rate=48_000)
        for number in range(frames):
            noise = generator.integers(0, 256, (120, 160, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(noise, format="rgb24")
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            length = audio.codec_context.frame_size or 960
            for number in range(-(-frames * 48_000 // RATE // length)):
                silence = np.zeros((1, 2 * length), np.int16)
                sample = av.AudioFrame.from_ndarray(silence, format="s16", layout="stereo")
                sample.sample_rate, sample.pts = 48_000, number * length
                container.mux(audio.encode(sample))
            container.mux(audio.encode(None))
    return path


def packets_of(path: Path) -> list[bytes]:
    """Return the packets of the first video stream as the file holds them."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(container.streams.video[0]) if packet.size]
