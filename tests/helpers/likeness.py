"""How much a picture is like another one of another size."""

from __future__ import annotations

import av
import numpy as np


def likeness(small: av.VideoFrame, whole: av.VideoFrame) -> float:
    """Peak signal-to-noise ratio of the luma, in dB, in the size of the first."""
    same = whole.reformat(small.width, small.height, "yuv420p", interpolation="AREA").to_ndarray()
    error = np.mean((small.to_ndarray()[: small.height].astype(float) - same[: small.height]) ** 2)
    return float(10 * np.log10(255**2 / max(float(error), 1e-9)))
