"""The room's pictures as low-latency HLS, for trainees by the hundred behind an HTTP cache (docs/hls.md).

From the same packets, without transcoding. Who may fetch it is in the room, by a socket that costs next to nothing
while he watches so: thus the waiting room, the lock, being shown out and a picture's audience hold here too. A stream
is made while somebody fetches it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from aiohttp import web

from media.ids import ProducerId
from media.plane import Codec
from media.producer import Producer
from recorder.export.container import ContainerError
from recorder.segments import hls
from recorder.segments.live import FIRST, LONGEST
from recorder.segments.live_place import Zero
from signalling.room import ParticipantId
from signalling.tokens import Claims, person_named

from .bearer import bearer, demand, person_of
from .conductor import Conductor
from .live_stream import LiveStream
from .path_cookie import PathCookie
from .service import Service

PATH = "/api/live"
#: Seconds after which a stream that nobody fetches ends.
LINGER = 30.0
#: Pictures of one room that are given at once: each is put together in Python.
MOST_PICTURES = 4
#: In a query: who asks knows parts, and does not wait for whole segments.
_PARTS = "parts"
_ASKED = re.compile(re.escape(PATH) + r"/([A-Za-z0-9_.-]{1,64})/([0-9]{1,10})/[^/?]*(?:\?.*)?")
_PLAYLIST = "application/vnd.apple.mpegurl"


def add_routes(application: web.Application, service: Service) -> None:
    """Add ``/api/live``."""
    live = Live(service)
    track = PATH + "/{room}/{producer:[0-9]{1,10}}"
    application.router.add_post(PATH, live.open)
    application.router.add_get(PATH + "/authorise", live.authorise)
    application.router.add_get(track + "/index.m3u8", live.index)
    application.router.add_get(track + "/track.m3u8", live.playlist)
    application.router.add_get(track + "/init-{first:[0-9]{1,10}}.mp4", live.init)
    application.router.add_get(track + "/{segment:[0-9]{1,10}}.m4s", live.segment)
    application.router.add_get(track + "/{segment:[0-9]{1,10}}.{part:[0-9]{1,4}}.m4s", live.part)
    application.on_cleanup.append(live.close)


class Live:
    """Serves the streams of all rooms to who is in them."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._streams: dict[tuple[str, int], tuple[Conductor, LiveStream]] = {}
        self._cookie = PathCookie(service, "live", PATH)
        # a reload that waited stays true for who asks for the same; one that did not is soon old (appendix B.1)
        self._asked_for = {"Cache-Control": "no-cache", **self._kept(6 * LONGEST)}
        self._plain = {"Cache-Control": "private, max-age=1", **self._kept(1)}
        self._sweeping: asyncio.Task[None] | None = None

    async def close(self, _: web.Application) -> None:
        """End all streams."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        for key in list(self._streams):
            self._end(key)

    async def open(self, request: web.Request) -> web.Response:
        """Trade the bearer for the cookie of players that bear none."""
        claims = bearer(request, self._service)
        demand(claims, "watch")
        return self._cookie.give(web.Response(status=204), claims)

    def allow(self, request: web.Request, room: str, number: int) -> tuple[Conductor, Producer]:
        """Find a picture or sound that who asks may watch now, as somebody in the room; raise the refusal."""
        service = self._service
        claims = self._cookie.claims(request)
        demand(claims, "watch")
        conductor = service.rooms.get(room)
        if room != claims.room or conductor is None:
            raise web.HTTPNotFound(text="There is no such room now.")
        # the door, the lock, who was shown out, and a picture's audience: all that holds for who is there
        present = _present(conductor, claims)
        if not present:
            raise web.HTTPForbidden(text="Who is not in the room does not see it.")
        producer = conductor.router.producers.get(ProducerId(number))
        shown = any(number in conductor.room.audience_of(identifier) for identifier in present)
        # a player has no place for the words that a replay in the room is no live picture
        if producer is None or not shown or conductor.room.producer(number).recorded is not None:
            raise web.HTTPNotFound(text="There is no such picture for you.")
        return conductor, producer

    async def authorise(self, request: web.Request) -> web.Response:
        """Tell a cache whether it may give what it keeps: 204, or the refusal that the request itself would get."""
        asked = _ASKED.fullmatch(request.headers.get("X-Original-URI", ""))
        if asked is None:
            raise web.HTTPForbidden(
                text="A cache says in X-Original-URI what is asked for: a part of a live picture."
            )
        self.allow(request, asked[1], int(asked[2]))
        # who is shown out sees two seconds more of it where a cache keeps this answer
        return web.Response(status=204, headers={"Cache-Control": "no-store", **self._kept(2)})

    async def index(self, request: web.Request) -> web.Response:
        """Give the playlist of a picture with the sound of who sends it."""
        stream, conductor = await self._stream(request)
        sound = self._sound_of(conductor, int(request.match_info["producer"]))
        if sound is not None and not self._may(request, sound):
            sound = None
        rate = self._service.config.media.max_kbps * 1000
        query = f"?{_PARTS}=1" if _PARTS in request.query else ""
        text = hls.multivariant(stream.media_type, stream.size, rate, sound, query)
        return self._text(text, {"Cache-Control": "no-cache"})

    async def playlist(self, request: web.Request) -> web.Response:
        """Give a track's playlist; with `_HLS_msn` (and `_HLS_part`) once that is in it."""
        stream, _ = await self._stream(request)
        query = request.query
        try:
            wanted = int(query["_HLS_msn"]) if "_HLS_msn" in query else None
            part = int(query["_HLS_part"]) if "_HLS_part" in query else None
        except ValueError:
            raise web.HTTPBadRequest(text="_HLS_msn and _HLS_part are numbers.") from None
        track = stream.track
        if wanted is None:
            # players that know segments alone begin with three, and take a playlist without any for the end
            least = 0 if _PARTS in query else FIRST
            await self._until(stream, lambda: track.whole >= least)
            return self._text(track.playlist(), self._plain)
        if not 0 <= wanted <= track.next_part[0] + 2 or (part is not None and part < 0):
            raise web.HTTPBadRequest(text="That segment is too far ahead.")
        await self._until(stream, lambda: track.has(wanted, part))
        return self._text(track.playlist(), self._asked_for)

    async def init(self, request: web.Request) -> web.Response:
        """Give what stands before all parts."""
        stream, _ = await self._stream(request)
        return self._media(stream.init if int(request.match_info["first"]) == stream.track.first else None)

    async def segment(self, request: web.Request) -> web.Response:
        """Give a whole segment."""
        stream, _ = await self._stream(request)
        return self._media(stream.track.segment(int(request.match_info["segment"])))

    async def part(self, request: web.Request) -> web.Response:
        """Give a part; the next one that was hinted at when it comes."""
        stream, _ = await self._stream(request)
        segment, part = int(request.match_info["segment"]), int(request.match_info["part"])
        if (segment, part) == stream.track.next_part:
            await self._until(stream, lambda: stream.track.has(segment, part))
        return self._media(stream.track.part(segment, part))

    def _media(self, body: bytes | None) -> web.Response:
        if body is None:
            raise web.HTTPNotFound(text="This part is not there (any more).")
        # no address ever means other bytes: a stream that begins anew counts on
        headers = {"Cache-Control": "private, max-age=60, immutable", "Content-Type": "video/iso.segment"}
        return web.Response(body=body, headers={**headers, **self._kept(6 * LONGEST)})

    def _text(self, text: str, headers: dict[str, str]) -> web.Response:
        return web.Response(text=text, headers={**headers, "Content-Type": _PLAYLIST})

    def _kept(self, seconds: int) -> dict[str, str]:
        """Say how long the cache in front may keep an answer (RFC 9213), where there is one that asks."""
        if not self._service.config.recordings.shared_cache:
            return {}
        return {"CDN-Cache-Control": f"max-age={seconds}", "X-Accel-Expires": str(seconds)}

    def _may(self, request: web.Request, number: int) -> bool:
        try:
            self.allow(request, request.match_info["room"], number)
        except web.HTTPException:
            return False
        return True

    async def _until(self, stream: LiveStream, there: Callable[[], bool]) -> None:
        try:
            await stream.until(there)
        except TimeoutError:
            raise web.HTTPServiceUnavailable(
                text="Nothing comes of this picture just now.", headers={"Retry-After": "2"}
            ) from None

    async def _stream(self, request: web.Request) -> tuple[LiveStream, Conductor]:
        """Find the stream that is asked for, or begin it, and wait until it can be described."""
        room, number = request.match_info["room"], int(request.match_info["producer"])
        conductor, producer = self.allow(request, room, number)
        found = self._streams.get((room, number))
        if found is None or found[0] is not conductor:
            self._end((room, number))
            if producer.track.codec is Codec.VP8:
                raise web.HTTPNotFound(text="VP8 cannot be given as HLS.")
            pictures = [
                key for key, (_, other) in self._streams.items() if key[0] == room and not other.sound
            ]
            if producer.video and len(pictures) >= MOST_PICTURES:
                raise web.HTTPServiceUnavailable(text="So many pictures are not given at once.")
            stream = self._begin(conductor, producer)
            sound = self._sound_of(conductor, number)
            if sound is not None and self._may(request, sound):
                # its segments follow this picture's
                self._end((room, sound))
                self._begin(
                    conductor, conductor.router.producers[ProducerId(sound)]
                ).asked = self._service.steady()
        else:
            stream = found[1]
        stream.asked = self._service.steady()
        await self._described(stream)
        return stream, conductor

    def _begin(self, conductor: Conductor, producer: Producer) -> LiveStream:
        """Begin a stream, and with a picture its sender's sound: players put both together by their segments."""
        room, number = conductor.room.name, int(producer.producer)
        zero = next((other.zero for (name, _), (_, other) in self._streams.items() if name == room), Zero())
        # more than a second lasts each segment: so no number was there before
        first = int(self._service.now())
        picture = next(
            (
                stream
                for (name, other), (_, stream) in self._streams.items()
                if name == room and not stream.sound and self._sound_of(conductor, other) == number
            ),
            None,
        )
        stream = LiveStream(producer, zero, first, picture)
        self._streams[room, number] = conductor, stream
        conductor.router.set_tap(producer.producer, enabled=True, claim="hls")
        self._service.tap.join(stream)
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.create_task(self._sweep())
        return stream

    def _sound_of(self, conductor: Conductor, number: int) -> int | None:
        """Find the microphone of who sends a picture."""
        sender = conductor.room.producer(number)
        if sender.source == "microphone":
            return None
        return next(
            (
                other.producer
                for other in conductor.room.producers
                if other.participant == sender.participant and other.source == "microphone"
            ),
            None,
        )

    def _end(self, key: tuple[str, int]) -> None:
        conductor, stream = self._streams.pop(key, (None, None))
        if conductor is None or stream is None:
            return
        self._service.tap.leave(stream)
        if ProducerId(key[1]) in conductor.router.producers:
            conductor.router.set_tap(ProducerId(key[1]), enabled=False, claim="hls")

    async def _sweep(self) -> None:
        while self._streams:
            await asyncio.sleep(LINGER / 4)
            now = self._service.steady()
            for key, (conductor, stream) in list(self._streams.items()):
                gone = ProducerId(key[1]) not in conductor.router.producers
                if gone or now - stream.asked > LINGER:
                    self._end(key)

    async def _described(self, stream: LiveStream) -> None:
        """Make what stands before all parts, once the first key frame is there."""
        async with stream.describing:
            if stream.init:
                return
            await self._until(stream, lambda: stream.track.next_part > (stream.track.first, 0))
            try:
                await asyncio.to_thread(stream.describe)
            except ContainerError as error:
                raise web.HTTPNotFound(text=str(error)) from None


def _present(conductor: Conductor, claims: Claims) -> list[ParticipantId]:
    """Find under which names somebody is in the room; a person may be there from two places."""
    room, person = conductor.room, person_of(claims)
    return [
        participant.participant
        for participant in room.participants
        if person_named(room.name, participant.name, participant.subject) == person
        and participant.role == claims.role
    ]
