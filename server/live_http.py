"""The room's pictures as low-latency HLS, for trainees by the hundred behind an HTTP cache (docs/hls.md).

From the same packets, without transcoding. Who may fetch it is in the room, by a socket that costs next to nothing
while he watches so: thus the waiting room, the lock, being shown out and a picture's audience hold here too. A stream
is made while somebody fetches it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from datetime import UTC, datetime

from aiohttp import web

from media.codecs import CodecError, opus
from media.ids import ProducerId
from media.plane import Codec
from media.producer import Producer
from media.rtp.packet import RtpError, RtpPacket
from recorder.export.container import ContainerError
from recorder.export.sample_entry import picture_parameters, sound_parameters
from recorder.journal import tap_packets
from recorder.segments import fmp4, hls
from recorder.segments.live import LONGEST, LiveTrack
from recorder.segments.sample import as_sample
from signalling.room import ParticipantId
from signalling.tokens import Claims, person_named

from .bearer import bearer, demand, person_of
from .conductor import Conductor
from .path_cookie import PathCookie
from .service import Service
from .watching.pictures import Pictures, Stream

PATH = "/api/live"
#: Seconds after which a stream that nobody fetches ends, and between two requests for a key frame.
LINGER = 30.0
KEY_FRAME_EVERY = 4.0
#: Streams of one room that are made at once: each puts its pictures together in Python.
MOST_STREAMS = 4
#: Seconds that a request waits for what comes next.
_PATIENCE = 3.0 * LONGEST

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
    application.router.add_get(track + "/init.mp4", live.init)
    application.router.add_get(track + "/{segment:[0-9]{1,9}}.m4s", live.segment)
    application.router.add_get(track + "/{segment:[0-9]{1,9}}.{part:[0-9]{1,4}}.m4s", live.part)
    application.on_cleanup.append(live.close)


class Zero:
    """From when the streams of a room count their time, Unix ns: a second before the first frame of any."""

    value: int | None = None


class LiveStream:
    """One producer's stream: a customer of the tap. All streams of a room count their time from one zero."""

    def __init__(self, producer: Producer, zero: Zero) -> None:
        track = producer.track
        self.producers: Collection[ProducerId] = frozenset({ProducerId(producer.producer)})
        #: A part lasts a third of a second: it is not to lie in the tap for another.
        self.tap_interval = 0.05
        self.sound = track.codec is Codec.OPUS
        self.track = LiveTrack(track.clock_rate, sound=self.sound)
        #: What stands before all parts, from the first key frame on.
        self.first_picture = b""
        self.init = b""
        self.media_type = ""
        self.size = (0, 0)
        self.describing = asyncio.Lock()
        self.asked = float("-inf")
        self._producer = producer
        self.zero = zero
        self._base: tuple[int, int] | None = None  # RTP timestamp and ticks of the first frame
        self._last = 0  # its newest frame, ticks
        self._pictures = (
            None
            if self.sound
            else Pictures(Stream(track.codec, track.payload_type, track.fmtp, track.clock_rate))
        )
        self._news = asyncio.Event()
        self._wanted_key = float("-inf")

    def receive_tap(self, data: bytes, now: float) -> None:
        """Put together what came, and wake who waits for a part."""
        made = False
        if self._pictures is None:
            for arrival, timestamp, payload in self._sounds(data):
                made = self._take(timestamp, payload, True, arrival) or made
        else:
            for picture in self._pictures.receive(data):
                if picture.key and not self.first_picture:
                    self.first_picture = picture.data
                made = self._take(picture.rtp_timestamp, picture.data, picture.key, picture.arrival) or made
        if made:
            self.wake()

    def receive_gap(self, packets: int, now: float) -> None:
        """Learn that packets are missing: their numbers tell where."""

    def pump(self, now: float) -> None:
        """Ask for a key frame where one is due: a segment begins with it, and so does whoever comes."""
        if not self.sound and now - self._wanted_key > KEY_FRAME_EVERY and not self._producer.muted:
            self._wanted_key = now
            for encoding in range(len(self._producer.encodings)):
                self._producer.want_key_frame(encoding)

    def wake(self) -> None:
        """Let everybody who waits look again."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def until(self, segment: int, part: int | None) -> None:
        """Wait until this segment or part is there; raise TimeoutError."""
        async with asyncio.timeout(_PATIENCE):
            while not self.track.has(segment, part):
                await self._news.wait()

    def describe(self) -> None:
        """Make what stands before all parts, of the first key frame. Call it in a thread. Raises ContainerError."""
        if self.sound:
            parameters = sound_parameters()
        else:
            parameters = picture_parameters(self._producer.track.codec, self.first_picture, sets_change=True)
        self.media_type, self.size = parameters.media_type, (parameters.width, parameters.height)
        rate = self._producer.track.clock_rate
        # pictures may change their size at any time
        self.init = fmp4.write_init(parameters.entry, rate, 0, None if self.sound else (0, 0))

    def _sounds(self, data: bytes) -> list[tuple[int, int, bytes]]:
        found = []
        for _, arrival, _, start, end in tap_packets(data):
            try:
                packet = RtpPacket.parse(data[start:end])
                opus.duration(packet.payload)
            except (RtpError, CodecError):
                continue
            if packet.payload_type == self._producer.track.payload_type:
                found.append((arrival, packet.timestamp, packet.payload))
        return found

    def _take(self, timestamp: int, data: bytes, key: bool, arrival: int) -> bool:
        rate = self._producer.track.clock_rate
        if self._base is None:
            # by the sender's reports, so that sound lies at its picture; by its arrival before there is one
            instant = self._producer.instant
            seen = arrival
            if instant is not None:
                ticks = (timestamp - instant.rtp_timestamp + (1 << 31)) % (1 << 32) - (1 << 31)
                seen = instant.time + ticks * 1_000_000_000 // rate
            if self.zero.value is None:
                self.zero.value = seen - 1_000_000_000
            begin = (seen - self.zero.value) * rate // 1_000_000_000
            if begin < 0:
                return False
            self._base, self._last = (timestamp, begin), begin
        first, begin = self._base
        near = self._last - begin
        ticks = near + (timestamp - first - near + (1 << 31)) % (1 << 32) - (1 << 31)
        self._last = max(self._last, begin + ticks)
        assert self.zero.value is not None
        seen_at = (self.zero.value + (begin + ticks) * 1_000_000_000 // rate) / 1e9
        return self.track.receive(begin + ticks, as_sample(self._producer.track.codec, data), key, seen_at)


class Live:
    """Serves the streams of all rooms to who is in them."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._streams: dict[tuple[str, int], tuple[Conductor, LiveStream]] = {}
        self._cookie = PathCookie(service, "live", PATH)
        shared = service.config.recordings.shared_cache
        self._kept = {"CDN-Cache-Control": "max-age=60", "X-Accel-Expires": "60"} if shared else {}
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
        return web.Response(status=204, headers={"Cache-Control": "no-store"})

    async def index(self, request: web.Request) -> web.Response:
        """Give the playlist of a picture with the sound of who sends it."""
        stream, conductor = await self._stream(request)
        producer = conductor.room.producer(int(request.match_info["producer"]))
        sounds = [
            other.producer
            for other in conductor.room.producers
            if other.participant == producer.participant and other.source == "microphone" and not stream.sound
        ]
        sound = next((number for number in sounds if self._may(request, number)), None)
        text = hls.multivariant(
            stream.media_type, stream.size, self._service.config.media.max_kbps * 1000, sound
        )
        return self._text(text)

    async def playlist(self, request: web.Request) -> web.Response:
        """Give a track's playlist; with `_HLS_msn` (and `_HLS_part`) once that is in it."""
        stream, _ = await self._stream(request)
        query = request.query
        try:
            wanted = int(query["_HLS_msn"]) if "_HLS_msn" in query else None
            part = int(query["_HLS_part"]) if "_HLS_part" in query else None
        except ValueError:
            raise web.HTTPBadRequest(text="_HLS_msn and _HLS_part are numbers.") from None
        upcoming = stream.track.next_part
        if wanted is None:
            wanted = 0  # players that know nothing of parts take a playlist without a segment for the end
        elif not 0 <= wanted <= upcoming[0] + 2 or (part is not None and part < 0):
            raise web.HTTPBadRequest(text="That segment is too far ahead.")
        await self._until(stream, wanted, part)
        begun = stream.track.begun
        assert begun is not None
        stamp = datetime.fromtimestamp(begun, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return self._text(stream.track.playlist(stamp))

    async def init(self, request: web.Request) -> web.Response:
        """Give what stands before all parts."""
        stream, _ = await self._stream(request)
        return self._media(stream.init)

    async def segment(self, request: web.Request) -> web.Response:
        """Give a whole segment."""
        stream, _ = await self._stream(request)
        return self._media(stream.track.segment(int(request.match_info["segment"])))

    async def part(self, request: web.Request) -> web.Response:
        """Give a part; the next one that was hinted at when it comes."""
        stream, _ = await self._stream(request)
        segment, part = int(request.match_info["segment"]), int(request.match_info["part"])
        if (segment, part) == stream.track.next_part:
            await self._until(stream, segment, part)
        return self._media(stream.track.part(segment, part))

    def _media(self, body: bytes | None) -> web.Response:
        if body is None:
            raise web.HTTPNotFound(text="This part is not there (any more).")
        headers = {"Cache-Control": "private, max-age=60", **self._kept, "Content-Type": "video/iso.segment"}
        return web.Response(body=body, headers=headers)

    def _text(self, text: str) -> web.Response:
        return web.Response(text=text, headers={"Cache-Control": "no-cache", "Content-Type": _PLAYLIST})

    def _may(self, request: web.Request, number: int) -> bool:
        try:
            self.allow(request, request.match_info["room"], number)
        except web.HTTPException:
            return False
        return True

    async def _until(self, stream: LiveStream, segment: int, part: int | None) -> None:
        try:
            await stream.until(segment, part)
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
            if sum(1 for other, _ in self._streams if other == room) >= MOST_STREAMS:
                raise web.HTTPServiceUnavailable(text="So many pictures are not given at once.")
            stream = self._begin(conductor, producer)
        else:
            stream = found[1]
        stream.asked = self._service.steady()
        await self._described(stream)
        return stream, conductor

    def _begin(self, conductor: Conductor, producer: Producer) -> LiveStream:
        room = conductor.room.name
        zero = next((other.zero for (name, _), (_, other) in self._streams.items() if name == room), Zero())
        stream = LiveStream(producer, zero)
        self._streams[room, int(producer.producer)] = conductor, stream
        conductor.router.set_tap(producer.producer, enabled=True, claim="hls")
        self._service.tap.join(stream)
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.create_task(self._sweep())
        return stream

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
            await self._until(stream, 0, 0)
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
