"""FFmpeg's WHIP muxer by PyAV, as a process of its own: ``python -m tests.helpers.whip_encoder URL FOLDER``.

The muxer holds the GIL while it posts its offer, so it cannot share a process with the server that answers. The token
comes by standard input; the picture ends when standard input does.
"""

from __future__ import annotations

import sys
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.helpers.certificates import self_signed

#: Pictures a second.
RATE = 25


def certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate and its key, as PEM files: the muxer's own is refused by OpenSSL."""
    pem, secret = folder / "encoder.pem", folder / "encoder.key"
    for file, content in zip((pem, secret), self_signed("encoder"), strict=True):
        file.write_bytes(content)
    return pem, secret


def main(url: str, folder: Path) -> None:
    """Send a grey picture of 320x240 that grows lighter, as H.264, until standard input ends."""
    pem, key = certificate(folder)
    token = sys.stdin.readline().strip()
    ended = threading.Event()

    def listen() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=listen, daemon=True).start()
    options = {"authorization": token, "cert_file": str(pem), "key_file": str(key)}
    with av.open(url, "w", format="whip", options=options) as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.options = {"profile": "baseline", "preset": "ultrafast", "tune": "zerolatency", "g": "10"}
        number = 0
        while not ended.wait(1 / RATE):
            picture = np.full((240, 320, 3), number % 256, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
            number += 1


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
