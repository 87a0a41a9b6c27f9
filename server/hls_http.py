"""A recording as HTTP Live Streaming, for trainees by the hundred behind an HTTP cache (decision 0029).

The playlists lie beside the segments, and their pieces are the same bytes. A cache in front may keep pieces when it
asks this server about each request (``/api/authorise``); so a token is in no URL, and each piece is made once.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from aiohttp import web

from recorder.library import UnknownRecording
from recorder.seal.suites import SealError
from recorder.segments import hls
from recorder.segments.track import SegmentedTrack

from .recordings_http import PATH
from .segments_http import CACHED, Segments
from .service import Service

_PLAYLIST = "application/vnd.apple.mpegurl"
#: What a cache in front may keep; everybody else keeps it for himself (RFC 9213).
_SHARED = {"CDN-Cache-Control": "max-age=86400", "X-Accel-Expires": "86400"}
_ASKED = re.compile(re.escape(PATH) + r"/([^/?]+)/([0-9]{1,10})/[^?]*(?:\?.*)?")


def add_routes(application: web.Application, service: Service, segments: Segments) -> None:
    """Add the playlists below ``/api/recordings``, their pieces, and what a cache asks."""
    streams = Streams(service, segments)
    track = PATH + "/{recording}/{producer:[0-9]{1,10}}"
    application.router.add_get(track + "/index.m3u8", streams.index)
    application.router.add_get(track + "/track.m3u8", streams.track)
    application.router.add_get(track + "/{first:[0-9]{1,9}}-{last:[0-9]{1,9}}.m4s", streams.piece)
    application.router.add_get("/api/authorise", streams.authorise)


class Streams:
    """Serves playlists and pieces to whoever may replay the room's recordings."""

    def __init__(self, service: Service, segments: Segments) -> None:
        self._service = service
        self._segments = segments
        self._shared = _SHARED if service.config.recordings.shared_cache else {}

    async def index(self, request: web.Request) -> web.Response:
        """Give the playlist of a camera with its sound."""
        recording, _ = await self._segments.recordings.check(request)
        producer = int(request.match_info["producer"])
        sound = await asyncio.to_thread(self._sound_of, recording, producer)
        return await self._playlist(
            request, lambda track: hls.multivariant_playlist(track.facts, track.rate(), sound)
        )

    async def track(self, request: web.Request) -> web.Response:
        """Give the playlist of one track."""

        def listed(track: SegmentedTrack) -> str:
            sound = not track.facts.width
            return hls.media_playlist(track.facts, list(hls.pieces(track.segments(), sound=sound)))

        return await self._playlist(request, listed)

    async def piece(self, request: web.Request) -> web.Response:
        """Make the segments of one piece."""
        first, last = int(request.match_info["first"]), int(request.match_info["last"])
        if not first <= last < first + hls.MOST_TOGETHER:
            raise web.HTTPNotFound(text="There is no such segment.")

        def made(track: SegmentedTrack) -> bytes:
            if track.in_webm:
                raise IndexError(first)
            return b"".join(track.segment(number) for number in range(first, last + 1))

        body = await self._segments.made(request, made)
        return web.Response(
            body=body, headers={**CACHED, **self._shared, "Content-Type": "video/iso.segment"}
        )

    async def authorise(self, request: web.Request) -> web.Response:
        """Tell a cache whether it may give what it keeps: 204, or the refusal that the request itself would get."""
        asked = _ASKED.fullmatch(request.headers.get("X-Original-URI", ""))
        if asked is None:
            raise web.HTTPForbidden(
                text="A cache says in X-Original-URI what is asked for: a piece of a recording."
            )
        recordings = self._segments.recordings
        claims = await recordings.allow(request, asked[1])
        await recordings.check_audience(asked[1], claims, int(asked[2]))
        # what a cache gives is opened as much as what we give ourselves
        await self._service.openings.note(claims, asked[1])
        return web.Response(status=204, headers={"Cache-Control": "no-store"})

    async def _playlist(self, request: web.Request, write: Callable[[SegmentedTrack], str]) -> web.Response:
        def written(track: SegmentedTrack) -> bytes:
            # HLS knows MP4, and VP8 is not in it (RFC 8216, section 3.3)
            return b"" if track.in_webm else write(track).encode()

        body = await self._segments.made(request, written)
        if not body:
            raise web.HTTPNotFound(text="VP8 cannot be given as HLS. The player of the replay shows it.")
        return web.Response(body=body, headers={**CACHED, "Content-Type": _PLAYLIST})

    def _sound_of(self, recording: str, producer: int) -> int | None:
        try:
            description = self._service.archive.library.description(recording)
        except (UnknownRecording, SealError):
            return None
        cameras = description.get("cameras") if description is not None else None
        if not isinstance(cameras, list):
            return None
        sounds = [camera.get("audio") for camera in cameras if camera.get("producer") == producer]
        return next((sound for sound in sounds if isinstance(sound, int)), None)
