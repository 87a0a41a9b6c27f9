"""The demo field's clip: a slow, breathing pan over a photograph of a retina, made once and kept.

The tissue is real: the CC0 fundus photograph that scikit-image ships (its Notes: "made available under the
Creative Commons CC0 1.0 Universal Public Domain Dedication"). Only the camera moves, as an endoscope held by
hand does, and each frame bears the barcode of its number. The path is periodic, so the clip loops unseen.

The stream is what every WebRTC decoder takes without asking: Constrained Baseline H.264, no B-frames, closed
groups of pictures, parameter sets before each key frame.
"""

from __future__ import annotations

import importlib.util
import math
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from . import barcode

#: Raise when the picture changes, so that a kept clip is made anew.
_RECIPE = 1

#: The photograph's disc of tissue, in its own pixels: what the camera may never leave.
_DISC_CENTRE = (704.0, 704.0)
_DISC_RADIUS = 675.0

#: A calm patient: 18 breaths and 72 heartbeats a minute; the loop holds a whole number of both.
_BREATHS_PER_SECOND = 0.3
_BEATS_PER_SECOND = 1.2

#: BT.709, limited range: rows for Y, Cb, Cr of (R, G, B) in 0-1.
_BT709 = np.array(
    [
        [219 * 0.2126, 219 * 0.7152, 219 * 0.0722],
        [-224 * 0.2126 / 1.8556, -224 * 0.7152 / 1.8556, 224 * 0.5],
        [224 * 0.5, -224 * 0.7152 / 1.5748, -224 * 0.0722 / 1.5748],
    ],
    dtype=np.float32,
)
_BT709_OFFSET = np.array([16, 128, 128], dtype=np.float32)

Plane = NDArray[np.uint8]
Progress = Callable[[int, int], None]


class ClipError(Exception):
    """The clip cannot be made here; the text says why and what would help."""


@dataclass(frozen=True, slots=True)
class ClipSpec:
    """What the clip is: size in pixels (even), frames and frames a second, bits a second, group of pictures."""

    width: int = 3840
    height: int = 2160
    frames: int = 300
    rate: int = 30
    bitrate: int = 20_000_000
    key_frame_every: int = 60

    @property
    def recipe(self) -> str:
        """Name everything that the clip depends on: written into the file to know it again."""
        return (
            f"konsil demo field {_RECIPE}: {self.width}x{self.height}, {self.frames} frames at {self.rate}/s, "
            f"{self.bitrate} bit/s, key frame every {self.key_frame_every}"
        )


#: The field of `make run`: 4K, 10 s, about 20 Mbit/s.
FIELD_4K = ClipSpec()

#: Two seconds for tests.
SMALL = ClipSpec(width=640, height=360, frames=60, bitrate=1_000_000, key_frame_every=30)


def ensure_clip(path: Path, spec: ClipSpec = FIELD_4K, progress: Progress | None = None) -> Path:
    """Return the clip's path, making it first unless the file there is of this very recipe.

    `progress` is told (frames done, frames in all). ClipError when it cannot be made.
    """
    if not _is_of_recipe(path, spec):
        make_clip(path, spec, progress)
    return path


def print_progress(done: int, total: int) -> None:
    """Show on standard error how far the making is, on one line."""
    end = "\n" if done == total else ""
    print(f"\rMaking the demo clip: {100 * done // total} %", end=end, file=sys.stderr, flush=True)


def make_clip(path: Path, spec: ClipSpec = FIELD_4K, progress: Progress | None = None) -> None:
    """Encode the clip under a temporary name beside `path`, then rename it. ClipError when impossible."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        _encode(temporary, spec, progress)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def pictures(spec: ClipSpec, first: int = 0) -> Iterator[tuple[Plane, Plane, Plane]]:
    """Yield each frame's planes (Y full size, Cb and Cr half size; BT.709 limited range) with its barcode.

    A negative `first` begins that many frames before the loop, which are those of its end.
    """
    photograph = _photograph()
    # enlarge once and smoothly, so that each frame needs only a cheap bilinear warp
    enlargement = max(1.0, spec.width / _view_width(spec) / 1.15)
    luma = _enlarge(photograph[0], enlargement)
    chroma = [_enlarge(plane, max(1.0, enlargement / 2)) for plane in photograph[1:]]
    strip_width, strip_height = barcode.strip_size(spec.height)
    for number in range(first, spec.frames):
        camera = _camera(spec, number)
        y = _warp(luma, camera, spec.width, spec.height, photograph[0].shape[1])
        cb, cr = (
            _warp(plane, camera, spec.width // 2, spec.height // 2, photograph[0].shape[1])
            for plane in chroma
        )
        barcode.draw(y, number % spec.frames, black=16, white=235)
        for plane in (cb, cr):
            plane[: (strip_height + 1) // 2, : (strip_width + 1) // 2] = 128
        yield y, cb, cr


def _is_of_recipe(path: Path, spec: ClipSpec) -> bool:
    try:
        with av.open(str(path)) as container:
            return bool(container.metadata.get("comment") == spec.recipe)
    except (OSError, av.FFmpegError):
        return False


def _photograph() -> list[Plane]:
    """Return the retina as Y, Cb, Cr planes of its own size."""
    # found without importing it: scikit-image pulls in SciPy, and its loader may want to download
    package = importlib.util.find_spec("skimage")
    if package is None or not package.submodule_search_locations:
        raise ClipError(
            "The demo clip needs the retina photograph of scikit-image: pip install scikit-image."
        )
    file = Path(package.submodule_search_locations[0]) / "data" / "retina.jpg"
    image = cv2.imread(str(file), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise ClipError(f"scikit-image is installed, but its retina photograph cannot be read: {file}.")
    ycc = image.astype(np.float32) / 255 @ _BT709.T + _BT709_OFFSET
    return [np.ascontiguousarray(np.rint(ycc[:, :, channel]).astype(np.uint8)) for channel in range(3)]


def _view_width(spec: ClipSpec) -> float:
    """Return the width of the widest view, in the photograph's pixels: its corners stay in the disc."""
    diagonal = math.hypot(1.0, spec.height / spec.width)
    # 0.80 leaves room to pan
    return 2 * 0.80 * _DISC_RADIUS / diagonal


def _camera(spec: ClipSpec, number: int) -> NDArray[np.float64]:
    """Return the 2×3 matrix from fractions of the view (about its middle, in widths) to the photograph."""
    seconds = spec.frames / spec.rate
    phase = 2 * math.pi * number / spec.frames
    breath = math.sin(max(1, round(_BREATHS_PER_SECOND * seconds)) * phase)
    beat = math.sin(max(1, round(_BEATS_PER_SECOND * seconds)) * phase)
    # a slow figure of eight; breathing moves towards the lens and aside, the pulse trembles
    room = (1 - 0.80) * _DISC_RADIUS
    x = _DISC_CENTRE[0] + room * (0.55 * math.sin(phase) + 0.06 * breath)
    y = _DISC_CENTRE[1] + room * (0.30 * math.sin(2 * phase) + 0.10 * breath + 0.02 * beat)
    width = _view_width(spec) * (0.93 - 0.05 * math.cos(phase) + 0.012 * breath + 0.003 * beat)
    turn = math.radians(1.5) * math.sin(phase)
    cosine, sine = width * math.cos(turn), width * math.sin(turn)
    return np.array([[cosine, -sine, x], [sine, cosine, y]])


def _enlarge(plane: Plane, factor: float) -> Plane:
    size = round(plane.shape[1] * factor)
    return np.asarray(cv2.resize(plane, (size, size), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def _warp(plane: Plane, camera: NDArray[np.float64], width: int, height: int, side: int) -> Plane:
    """Return what the camera sees of an enlarged plane (`side`: the photograph's width in its own pixels)."""
    scale = plane.shape[1] / side
    # pixel centres: (column + ½ - width/2) / width is the fraction of the view
    view = np.array(
        [[1 / width, 0, (0.5 - width / 2) / width], [0, 1 / width, (0.5 - height / 2) / width], [0, 0, 1]]
    )
    matrix = camera @ view * scale
    matrix[:, 2] -= 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(plane, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, dtype=np.uint8)


def _encode(path: Path, spec: ClipSpec, progress: Progress | None) -> None:
    # the encoder sees the loop's last group of pictures first, so that its rate control is in step when the
    # loop begins: else the picture would blur and sharpen at each turn
    lead = spec.key_frame_every
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        container.metadata["comment"] = spec.recipe
        stream = container.add_stream("libx264", rate=spec.rate, options=_encoder_options(spec))
        stream.width, stream.height = spec.width, spec.height
        stream.pix_fmt = "yuv420p"
        stream.codec_context.bit_rate = spec.bitrate
        stream.codec_context.time_base = Fraction(1, spec.rate)
        # with a bound on the buffer, x264's threads make the bits depend on chance
        stream.codec_context.thread_count = 1
        for done, (y, cb, cr) in enumerate(pictures(spec, first=-lead), 1):
            planes = np.concatenate([y.reshape(-1), cb.reshape(-1), cr.reshape(-1)])
            frame = av.VideoFrame.from_ndarray(
                planes.reshape(spec.height * 3 // 2, spec.width), format="yuv420p"
            )
            frame.pts = done - 1
            _mux(container, stream.encode(frame), lead)
            if progress is not None:
                progress(done, lead + spec.frames)
        _mux(container, stream.encode(None), lead)


def _mux(container: av.container.OutputContainer, packets: list[av.Packet], lead: int) -> None:
    """Write what does not belong to the lead; the group of pictures is closed, so it is a clean cut."""
    for packet in packets:
        ticks = round(lead / packet.stream.average_rate / packet.time_base)
        if packet.pts >= ticks:
            packet.pts -= ticks
            packet.dts -= ticks
            container.mux(packet)


def _encoder_options(spec: ClipSpec) -> dict[str, str]:
    every = spec.key_frame_every
    parameters = {
        "keyint": every,
        "min-keyint": every,
        "scenecut": 0,
        "open-gop": 0,
        "bframes": 0,
        "repeat-headers": 1,
        "vbv-maxrate": spec.bitrate // 1000,
        # a sixth of a second: a key frame may not be a burst that no buffer takes
        "vbv-bufsize": spec.bitrate // 6000,
        "colorprim": "bt709",
        "transfer": "bt709",
        "colormatrix": "bt709",
    }
    joined = ":".join(f"{name}={value}" for name, value in parameters.items())
    return {"preset": "ultrafast", "profile": "baseline", "x264-params": joined}
