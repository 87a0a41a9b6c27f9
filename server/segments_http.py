"""Segments of a recording over HTTP (PROTOCOL.md, section 8): made when they are asked for, never stored.

A track that was asked for stays open a while, so that the next segment costs its own blocks alone. Each track
makes one segment at a time, all of them together a few: whoever asks for thousands waits, or is told to come again.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from aiohttp import web

from recorder.journal import JournalError, JsonObject
from recorder.library import JOURNAL
from recorder.parts import open_part
from recorder.seal.keys import DataKey
from recorder.seal.suites import SealError
from recorder.segments.index import SUFFIX, SegmentError
from recorder.segments.track import SegmentedTrack, open_track

from .recordings_http import BEING_PREPARED, PATH, Recordings
from .service import Service

log = logging.getLogger(__name__)

#: Tracks that stay open: four cameras with their sound, for two who look; each holds some ten MB of opened blocks.
OPEN_TRACKS = 16
#: Segments that are made at once: the cipher uses a core, and the rooms must have another. (On two cores two makers
#: made no more than one, and the event loop was late by 39 ms instead of 13, p99.)
MAKERS = max(1, (os.cpu_count() or 1) // 2)
#: Requests that may wait for a maker.
WAITING = 64

#: A piece never changes, but who may see it does: nobody keeps it for others.
CACHED = {"Cache-Control": "private, max-age=3600"}
_TYPES = {"m4s": "video/iso.segment", "webm": "video/webm", "mp4": "video/mp4"}

TAMPERED = "This recording has been tampered with, or is damaged."

T = TypeVar("T")
_Stamp = tuple[int, int, int]


class Closable(Protocol):
    """What stays open a while."""

    def close(self) -> None: ...


Opened = TypeVar("Opened", bound=Closable)


def add_routes(application: web.Application, service: Service) -> Segments:
    """Add the segments below ``/api/recordings``."""
    segments = Segments(service)
    track = PATH + "/{recording}/{producer:[0-9]{1,10}}"
    application.router.add_get(track + "/segments.json", segments.list)
    application.router.add_get(track + "/init.{suffix:mp4|webm}", segments.init)
    application.router.add_get(track + "/{number:[0-9]{1,9}}.{suffix:m4s|webm}", segments.segment)
    application.on_cleanup.append(segments.close)
    return segments


class _Open(Generic[Opened]):
    """What is open of a track, whether somebody uses it, and what its file was on the disk."""

    def __init__(self, stamp: _Stamp) -> None:
        self.stamp = stamp
        self.opened: Opened | None = None
        #: One request of a track at a time, and one thread: a request that was given up leaves its thread behind.
        self.lock = asyncio.Lock()
        self.thread = threading.Lock()
        self.users = 0
        self.retired = False

    def leave(self) -> None:
        """One user less; the last one closes what was retired."""
        self.users -= 1
        self.close_unused()

    def close_unused(self) -> None:
        """Close it when it was retired and nobody uses it."""
        if self.retired and self.users == 0 and self.opened is not None:
            with self.thread:
                self.opened.close()
                self.opened = None


class OpenTracks(Generic[Opened]):
    """Keeps open what was asked for last of tracks: their segments or previews."""

    def __init__(self, opens: Callable[[Path, DataKey | None], Opened], most: int = OPEN_TRACKS) -> None:
        """`opens` opens a file of a recording."""
        self._opens = opens
        self._most = most
        self._open: OrderedDict[tuple[Path, DataKey | None], _Open[Opened]] = OrderedDict()
        self._makers = asyncio.Semaphore(MAKERS)
        self._waiting = 0

    async def use(self, file: Path, key: DataKey | None, work: Callable[[Opened], T]) -> T:
        """Let `work` use what a file holds in a thread.

        Raises what it raises, FileNotFoundError, and 503 when too many wait.
        """
        if self._waiting >= WAITING:
            raise web.HTTPServiceUnavailable(
                text="Too much is asked for at once. Please try again.", headers={"Retry-After": "1"}
            )
        self._waiting += 1
        try:
            async with self._entered(file, key) as entry, entry.lock, self._makers:
                return await asyncio.to_thread(self._work, entry, file, key, work)
        finally:
            self._waiting -= 1

    @asynccontextmanager
    async def _entered(self, file: Path, key: DataKey | None) -> AsyncIterator[_Open[Opened]]:
        stamp = await asyncio.to_thread(_stamp, file)
        name = file, key
        entry = self._open.get(name)
        if entry is None or entry.stamp != stamp:
            self._retire(name)
            entry = self._open[name] = _Open(stamp)
        self._open.move_to_end(name)
        entry.users += 1
        try:
            while len(self._open) > self._most:
                self._retire(next(iter(self._open)))
            yield entry
        finally:
            entry.leave()

    def _work(self, entry: _Open[Opened], file: Path, key: DataKey | None, work: Callable[[Opened], T]) -> T:
        with entry.thread:
            if entry.opened is None:
                entry.opened = self._opens(file, key)
            return work(entry.opened)

    def _retire(self, name: tuple[Path, DataKey | None]) -> None:
        if (entry := self._open.pop(name, None)) is not None:
            entry.retired = True
            entry.close_unused()

    def close_below(self, folder: Path) -> None:
        """Close the tracks whose files lie in a folder; one that is in use is closed with its last user."""
        for name in [name for name in self._open if name[0].parent == folder]:
            self._retire(name)

    def close(self) -> None:
        """Close all."""
        while self._open:
            self._retire(next(iter(self._open)))


def _stamp(file: Path) -> _Stamp:
    if file.is_symlink():
        raise FileNotFoundError(file.name)
    status = file.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _track(index: Path, key: DataKey | None) -> SegmentedTrack:
    file = open_part(index, key)
    try:
        return open_track(file, index.with_name(JOURNAL), key)
    except BaseException:
        file.close()
        raise


class Segments:
    """Serves the segments to whoever may replay the room's recordings."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.recordings = Recordings(service)
        self._tracks = OpenTracks(_track)
        service.keeper.places.add("what was open of it", self.forget)

    async def forget(self, recording: str) -> str:
        """Close a deleted recording's tracks: an open file is on the disk still, and its key in memory."""
        self._tracks.close_below(self._service.archive.library.root / recording)
        return ""

    async def close(self, _: web.Application) -> None:
        """Close what is open."""
        self._tracks.close()

    async def list(self, request: web.Request) -> web.Response:
        """List a track's segments."""
        squeezed = "gzip" in request.headers.get("Accept-Encoding", "")
        body = await self.made(request, lambda track: _listed(track, squeezed=squeezed))
        headers = {**CACHED, "Content-Type": "application/json", "Vary": "Accept-Encoding"}
        if squeezed:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=body, headers=headers)

    async def init(self, request: web.Request) -> web.Response:
        """Give what stands before all segments."""
        return await self._media(request, SegmentedTrack.init)

    async def segment(self, request: web.Request) -> web.Response:
        """Make one segment."""
        number = int(request.match_info["number"])
        if str(number) != request.match_info["number"]:
            raise web.HTTPNotFound(text="There is no such segment.")
        return await self._media(request, lambda track: track.segment(number))

    async def _media(self, request: web.Request, make: Callable[[SegmentedTrack], bytes]) -> web.Response:
        suffix = request.match_info["suffix"]

        def work(track: SegmentedTrack) -> bytes:
            if track.in_webm != (suffix == "webm"):
                raise IndexError(suffix)
            return make(track)

        body = await self.made(request, work)
        return web.Response(body=body, headers={**CACHED, "Content-Type": _TYPES[suffix]})

    async def made(self, request: web.Request, work: Callable[[SegmentedTrack], bytes]) -> bytes:
        """Let `work` make something of the track that is asked for, or refuse."""
        recording, key = await self.recordings.check_track(request)
        name = f"{int(request.match_info['producer'])}{SUFFIX}"
        index = self._service.archive.library.root / recording / name
        try:
            return await self._tracks.use(index, key, work)
        except IndexError:
            raise web.HTTPNotFound(text="There is no such segment.") from None
        except FileNotFoundError:
            raise await self._prepare(recording, int(request.match_info["producer"])) from None
        except (SegmentError, JournalError, SealError):
            log.error("a segment of a recording cannot be made: it is not what was recorded")
            raise web.HTTPInternalServerError(text=TAMPERED) from None

    async def _prepare(self, recording: str, producer: int) -> web.HTTPException:
        """Say why there is no index, and have it made for a recording that was prepared before there were any."""
        archive = self._service.archive
        if recording not in archive.running and recording not in archive.progress:
            try:
                description = await asyncio.to_thread(archive.library.description, recording)
            except SealError:
                return web.HTTPInternalServerError(text=TAMPERED)
            if description is not None and producer not in tracks_of(description):
                return web.HTTPNotFound(text="The recording has no such track.")
            if not archive.index(recording):
                return web.HTTPNotFound(text="This track cannot be given in segments.")
        return web.HTTPConflict(text=BEING_PREPARED)


def tracks_of(description: JsonObject) -> set[object]:
    """Name the producers whose tracks a description lists."""
    cameras = description.get("cameras")
    if not isinstance(cameras, list):
        return set()
    return {camera.get(which) for camera in cameras for which in ("producer", "audio")} - {None}


def _listed(track: SegmentedTrack, *, squeezed: bool) -> bytes:
    suffix = "webm" if track.in_webm else "mp4"
    body = json.dumps(
        {
            "type": track.facts.media_type,
            "timescale": track.facts.timescale,
            "init": f"init.{suffix}",
            "segments": [[start, duration, int(key)] for start, duration, key in track.segments()],
        },
        separators=(",", ":"),
    ).encode()
    return gzip.compress(body, 6, mtime=0) if squeezed else body
