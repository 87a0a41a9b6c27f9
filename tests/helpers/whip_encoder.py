"""FFmpeg's WHIP muxer by PyAV, in a process: ``python -m tests.helpers.whip_encoder URL FOLDER [clock [early]]``.

The muxer holds the GIL while it posts its offer, so it cannot share a process with the server that answers. The token
comes by standard input; the picture ends when standard input does.
"""

from __future__ import annotations

import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from server.demo import barcode
from tests.helpers.certificates import self_signed

#: Pictures a second.
RATE = 25

#: Hundredths of a second that a barcode of 16 bits counts before it begins anew.
TURN = 1 << 16


def clock_now() -> int:
    """Give what the barcode of a picture of this moment says: hundredths of a second."""
    return int(time.time() * 100) % TURN


def certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate and its key, as PEM files: the muxer's own is refused by OpenSSL."""
    pem, secret = folder / "encoder.pem", folder / "encoder.key"
    for file, content in zip((pem, secret), self_signed("encoder"), strict=True):
        file.write_bytes(content)
    return pem, secret


def main(url: str, folder: Path, *, clock: bool = False, early: bool = False) -> None:
    """Send a grey picture of 320x240 that grows lighter, as H.264, until standard input ends.

    With `clock` it bears the time as a barcode instead (`clock_now`), and is sent with silent sound. With `early` the
    picture runs before its connection is there, as a camera does: the muxer then reports it as younger than it is.
    """
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
        sound = container.add_stream("libopus", rate=48_000, layout="stereo") if clock else None
        number, sounded, began = 0, 0, time.monotonic()
        while not ended.wait(max(0.0, began + number / RATE - time.monotonic())):
            picture = np.full((240, 320, 3), 90 if clock else number % 256, dtype=np.uint8)
            if clock:
                barcode.draw(picture, clock_now())
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
            if number == 0 and not early:
                # the first waits for the connection, and the muxer's reports count from then on
                began = time.monotonic()
            number += 1
            while sound is not None and sounded < number * 48_000 // RATE:
                silence = av.AudioFrame.from_ndarray(
                    np.zeros((1, 1920), np.int16), format="s16", layout="stereo"
                )
                silence.sample_rate, silence.pts, silence.time_base = 48_000, sounded, Fraction(1, 48_000)
                container.mux(sound.encode(silence))
                sounded += 960


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), clock="clock" in sys.argv[3:], early="early" in sys.argv[3:])
