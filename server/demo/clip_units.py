"""``python -m server.demo.clip_units FILE [low]``: the demo's clip for load tests, made where it is not there.

With `low` it is the same picture by picture, 640 pixels wide: a field's low layer. `--rate`, `--seconds`,
`--bitrate` and `--key-frame-every` (frames) make another clip of the full size, and say on standard error how far it
is.

Writes to standard output each access unit as Annex B, behind its length in four bytes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import av

from .clip import FIELD_4K, ClipSpec, ensure_clip, print_progress

LOW = ClipSpec(width=640, height=360, bitrate=1_000_000)


def main(path: Path, spec: ClipSpec) -> None:
    """Write all access units of the clip."""
    progress = None if spec in (FIELD_4K, LOW) else print_progress
    with av.open(str(ensure_clip(path, spec, progress))) as container:
        stream = container.streams.video[0]
        with_start_codes = av.BitStreamFilterContext("h264_mp4toannexb", stream)
        for packet in container.demux(stream):
            for whole in with_start_codes.filter(packet) if packet.size else ():
                data = bytes(whole)
                sys.stdout.buffer.write(len(data).to_bytes(4, "big") + data)


def asked_for(arguments: list[str]) -> tuple[Path, ClipSpec]:
    """Read which clip is wanted, and where it is kept."""
    parser = argparse.ArgumentParser(prog="python -m server.demo.clip_units", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("size", nargs="?", choices=("full", "low"), default="full")
    parser.add_argument("--rate", type=int, default=FIELD_4K.rate)
    parser.add_argument("--seconds", type=int, default=FIELD_4K.frames // FIELD_4K.rate)
    parser.add_argument("--bitrate", type=int, default=FIELD_4K.bitrate)
    parser.add_argument("--key-frame-every", type=int, default=FIELD_4K.key_frame_every)
    options = parser.parse_args(arguments)
    if options.size == "low":
        return options.file, LOW
    spec = ClipSpec(
        frames=options.seconds * options.rate,
        rate=options.rate,
        bitrate=options.bitrate,
        key_frame_every=options.key_frame_every,
    )
    return options.file, spec


if __name__ == "__main__":
    main(*asked_for(sys.argv[1:]))
