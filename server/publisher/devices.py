"""``--list-devices``: what this machine and this FFmpeg can take pictures from, and what it can encode them with."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.error

from .address import COMPUTED, DEVICES
from .encoder import PREFERRED, Format, NoEncoderError, choose

#: An encoder is tried with a small picture: some refuse large ones, and say so when they are used.
_TRIAL = Format(640, 360, Fraction(30))

#: Where Linux names its cameras and capture cards.
_V4L2 = Path("/sys/class/video4linux")


def report() -> Iterator[str]:
    """Yield the lines."""
    known = {name for names in av.formats_available for name in names.split(",")}
    yield "Devices:"
    found = [line for device in sorted(DEVICES & known) for line in _devices(device)]
    yield from found or ["  none"]
    yield f"  {COMPUTED}:testsrc2=size=1920x1080:rate=30    a moving test picture"
    missing = sorted(DEVICES - known)
    yield f"Not in this FFmpeg: {', '.join(missing)}."
    yield "Encoders, the best first:"
    for name in PREFERRED:
        try:
            choose(_TRIAL, (name,))
            yield f"  {name}"
        except NoEncoderError as error:
            yield f"  ({error})"


def _devices(device: str) -> Iterator[str]:
    if device == "v4l2" and _V4L2.is_dir():
        for folder in sorted(_V4L2.iterdir()):
            name = (folder / "name").read_text("utf-8", "replace").strip()
            yield f"  v4l2:/dev/{folder.name}    {name}"
        return
    try:
        for info in av.enumerate_input_devices(device):
            yield f"  {device}:{info.name}    {info.description}"
    except (av.error.FFmpegError, ValueError):
        # most cannot list what there is
        return
