"""What a player of a recording is given: a track's init and all its segments, as one file that FFmpeg reads."""

from __future__ import annotations

from pathlib import Path

from recorder.library import JOURNAL
from recorder.parts import open_part
from recorder.seal.keys import DataKey
from recorder.segments.index import SUFFIX
from recorder.segments.track import open_track


def played(folder: Path, producer: int, key: DataKey | None = None) -> Path:
    """Write what is played of one producer beside the recording's folder; gives the file."""
    with open_part(folder / f"{producer}{SUFFIX}", key) as index:
        track = open_track(index, folder / JOURNAL, key)
        data = track.init() + b"".join(track.segment(number) for number in range(track.count))
        path = folder.parent / f"{folder.name}-{producer}.{'webm' if track.in_webm else 'mp4'}"
    path.write_bytes(data)
    return path
