"""``python -m server.demo.clip_units FILE [low]``: the demo's clip for load tests, made where it is not there.

With `low` it is the same picture by picture, 640 pixels wide: a field's low layer.

Writes to standard output each access unit as Annex B, behind its length in four bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import av

from .clip import FIELD_4K, ClipSpec, ensure_clip

LOW = ClipSpec(width=640, height=360, bitrate=1_000_000)


def main(path: Path, *, low: bool) -> None:
    """Write all access units of the clip."""
    with av.open(str(ensure_clip(path, LOW if low else FIELD_4K))) as container:
        stream = container.streams.video[0]
        with_start_codes = av.BitStreamFilterContext("h264_mp4toannexb", stream)
        for packet in container.demux(stream):
            for whole in with_start_codes.filter(packet) if packet.size else ():
                data = bytes(whole)
                sys.stdout.buffer.write(len(data).to_bytes(4, "big") + data)


if __name__ == "__main__":
    main(Path(sys.argv[1]), low=sys.argv[2:] == ["low"])
