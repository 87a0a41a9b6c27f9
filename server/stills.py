"""Frames that people froze: kept as PNG files a room, within bounds, and given to whom they were meant for.

Beside each image stands who may see it: it may be looked at after the room has ended, in a replay.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from recorder.seal.digest import sm3
from recorder.stills import FrameName
from signalling.permissions import may
from signalling.tokens import Claims, is_room_name

from .config import StillsConfig

_NAME: Final = re.compile(r"([1-9][0-9]{0,9})-(0|[1-9][0-9]{0,9})")


class StillsFull(Exception):
    """The disk refused, or holds no more; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class KeptStill:
    """A frame that is kept. `links` name who took it; `roles` and `guests` (links) who may watch its picture."""

    producer: int
    rtp_timestamp: int
    width: int
    height: int
    sm3: str
    for_all: bool
    links: tuple[str, ...]
    roles: tuple[str, ...] | None = None
    guests: tuple[str, ...] = ()
    #: what was true of the frame, as the note in the log says it: it is not what is true now
    patient: str | None = None
    orientation: dict[str, Any] | None = None
    calibration: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """What it is called in its room: a frame has one name."""
        return f"{self.producer}-{self.rtp_timestamp}"

    def may_be_seen(self, claims: Claims) -> bool:
        """Tell whether the bearer of a link may look at it."""
        if claims.link in self.links:
            return True
        audience = self.roles is None or claims.role in self.roles or claims.link in self.guests
        return self.for_all and audience and may(claims.role, "watch")


class StillStore:
    """All rooms' stills. Its methods read and write files: call them in threads."""

    def __init__(self, config: StillsConfig) -> None:
        self._folder = Path(config.folder)
        self._per_room = config.per_room
        self._limit = config.total_mb << 20
        self._seconds = config.keep_hours * 3600
        # two rooms' frames may be written at once, but only one look is taken at what has to go
        self._lock = threading.Lock()

    def keep(self, room: str, still: KeptStill, png: bytes) -> KeptStill:
        """Write a still, or (the same frame frozen by somebody else) add who may see it. Raise StillsFull."""
        assert is_room_name(room)
        folder = self._folder / room
        with self._lock:
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                known = self.find(room, still.name)
                if known is not None:
                    for_all = known.for_all or still.for_all
                    links = tuple(dict.fromkeys((*known.links, *still.links)))
                    still = replace(
                        known, for_all=for_all, links=links, roles=still.roles, guests=still.guests
                    )
                else:
                    still = replace(still, sm3=sm3(png).hex())
                    _write(folder / f"{still.name}.png", png)
                _write(folder / f"{still.name}.json", json.dumps(asdict(still)).encode())
                self._make_room(folder)
            except OSError:
                raise StillsFull("The frame could not be kept: the server's disk refuses.") from None
        return still

    def find(self, room: str, name: str) -> KeptStill | None:
        """Find a still by its room and name."""
        if not is_room_name(room) or not _NAME.fullmatch(name):
            return None
        try:
            body = json.loads((self._folder / room / f"{name}.json").read_bytes())
            lists = {key: tuple(body[key]) for key in ("links", "guests")}
            roles = None if body["roles"] is None else tuple(body["roles"])
            return KeptStill(**{**body, **lists, "roles": roles})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def read(self, room: str, still: KeptStill) -> bytes | None:
        """Read the PNG file; None: it had to go."""
        try:
            return (self._folder / room / f"{still.name}.png").read_bytes()
        except OSError:
            return None

    def picture(self, room: str, frame: FrameName) -> bytes | None:
        """Read the PNG file of a frame (producer, RTP timestamp), whoever may see it: for the room's recording."""
        still = self.find(room, f"{frame[0]}-{frame[1]}")
        return None if still is None else self.read(room, still)

    def _make_room(self, folder: Path) -> None:
        """Let the oldest go: of this room beyond its number, of all rooms beyond the size, and what had its time."""
        forgotten = time.time() - self._seconds
        for old in _oldest_first(folder.glob("*.png"))[: -self._per_room]:
            _forget(old)
        images = _oldest_first(self._folder.glob("*/*.png"))
        sizes = {path: path.stat().st_size for path in images}
        total = sum(sizes.values())
        # the newest, which is asked for just now, stays in any case
        for path in images[:-1]:
            if total <= self._limit and path.stat().st_mtime >= forgotten:
                return
            total -= sizes[path]
            _forget(path)


def _oldest_first(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: path.stat().st_mtime_ns)


def _forget(image: Path) -> None:
    image.unlink(missing_ok=True)
    image.with_suffix(".json").unlink(missing_ok=True)
    # a room whose last still went
    with contextlib.suppress(OSError):
        image.parent.rmdir()


def _write(path: Path, data: bytes) -> None:
    """Write whole or not at all, readable by us alone."""
    half = path.with_suffix(path.suffix + ".half")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    half.rename(path)
