"""One connection to the server: asks it in, sends the source in time, listens to reports, says goodbye."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from media.ids import Ssrc
from media.native import NativePlane
from media.plane import Address, EventKind, PlaneEvent
from media.rtp.feedback import FullIntraRequest, PictureLossIndication
from media.rtp.rtcp import Goodbye, ReceiverReport, RtcpError, SenderReport, build_compound, parse_compound
from media.sdp import SdpError, offer_publisher, parse, remote_parameters
from media.sdp.formats import extension_ids
from media.transport import Endpoint, TransportState

from .pacing import COMPUTED_AHEAD, READ_AHEAD, Bursts, Pacer, Release
from .reader import Reader
from .source import AccessUnit, Source, SourceError
from .stream import PAYLOAD_TYPES, Reception, Stream
from .whip import Barcode, SessionEndedError, Whip, WhipError

#: Seconds from the answer to the keys.
CONNECT_TIMEOUT = 15.0

#: A server that hears us reports each second; ICE would notice its end only after 30 s.
SILENCE = 8.0

#: A live source that gives nothing for this long has gone.
SOURCE_SILENCE = 8.0

#: Units read beyond what the pacer holds; of a computed picture no more than one.
QUEUE = 16
COMPUTED_QUEUE = 1


class ConnectionLostError(Exception):
    """The connection ended without our wish; a new one may work."""


@dataclass(frozen=True, slots=True)
class Status:
    """What was done in the last interval, and in all."""

    seconds: float
    bits_per_second: float
    frames_per_second: float
    frames: int
    key_frames: int
    key_frames_wanted: int
    repeated: int
    reception: Reception | None
    left_out: int = 0  # pictures that a live source's encoder had no time for


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be published as what."""

    room: str
    source: str
    label: str
    modulus: int = 0  # of the barcode; 0: the picture bears none


class Session:
    """One attempt. `run` returns when the source has ended, and raises when it cannot go on."""

    def __init__(
        self,
        source: Source,
        whip: Whip,
        wishes: Wishes,
        *,
        show: Callable[[Status], None],
        say: Callable[[str], None],
    ) -> None:
        self._source = source
        self._whip = whip
        self._wishes = wishes
        self._show = show
        self._say = say
        cname = secrets.token_hex(8)
        self._streams = {
            track.kind: Stream(
                track,
                number,
                ssrcs=(_random_ssrc(), _random_ssrc()),
                cname=cname,
                first_sequence=secrets.randbits(15),
                first_timestamp=secrets.randbits(32),
            )
            for number, track in enumerate(source.tracks, 1)
        }
        self._pacer = Pacer(live=source.live, read_ahead=COMPUTED_AHEAD if source.computed else READ_AHEAD)
        self._bursts = {kind: Bursts() for kind in self._streams}
        self._wake = asyncio.Event()
        self._heard = 0.0
        self._wanted = 0
        self._newest: tuple[AccessUnit, int] | None = None
        self._warned = 0

    async def run(self) -> None:
        """Publish to the end of the source.

        Raise WhipError, SourceError or ConnectionLostError. A goodbye is said on every way out but those after which
        another attempt is made: its place in the room is kept for that.
        """
        host = await _local_host(self._whip.host)
        self._endpoint = Endpoint(NativePlane(Address(host, 0)), on_event=self._plane_event)
        try:
            self._transport = self._endpoint.create(role="client")
            await self._connect()
            await self._send_all()
        except (ConnectionLostError, SourceError, WhipError) as error:
            if isinstance(error, SourceError | WhipError) and error.final:
                await self._say_goodbye()
            raise
        except BaseException:
            await self._say_goodbye()
            raise
        else:
            await self._say_goodbye()
        finally:
            await self._endpoint.close()

    async def _say_goodbye(self) -> None:
        # what was cancelled may still say goodbye, for a short while
        with contextlib.suppress(WhipError, TimeoutError):
            async with asyncio.timeout(3):
                await self._whip.end()

    async def _connect(self) -> None:
        tracks = [stream.offered(self._wishes.label) for stream in self._streams.values()]
        offer = offer_publisher(tracks, self._transport.parameters)
        text = await self._whip.offer(
            self._wishes.room, str(offer), source=self._wishes.source, label=self._wishes.label
        )
        try:
            answer = parse(text)
            remote = remote_parameters(answer)
        except SdpError as error:
            raise WhipError(f"The server's answer cannot be used: {error}", final=True) from None
        connected = asyncio.Event()

        def changed(state: TransportState, reason: str) -> None:
            connected.set()
            self._wake.set()
            self._reason = reason

        self._reason = ""
        self._transport.callbacks.on_state = changed
        self._transport.callbacks.on_rtcp = self._receive_rtcp
        self._transport.start(remote)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                while self._transport.state is not TransportState.CONNECTED:
                    connected.clear()
                    self._check_transport()
                    await connected.wait()
        except TimeoutError:
            raise ConnectionLostError(
                "The server does not answer over UDP: is its media port open?"
            ) from None
        self._heard = time.monotonic()
        accepted = {section.mid: section for section in answer.media if not section.rejected}
        for kind, stream in list(self._streams.items()):
            section = accepted.get(stream.track.mid)
            payload_type = PAYLOAD_TYPES[kind][0]
            if section is None or section.codec(payload_type) is None:
                if kind == "video":
                    raise WhipError("The server does not take this picture's codec.", final=True)
                self._say("The server does not take the sound.")
                del self._streams[kind]
                continue
            self._endpoint.plane.add_producer(stream.producer_spec())
            extensions = extension_ids(section.extensions, kind)
            rtx = section.rtx_of(payload_type) is not None
            self._endpoint.plane.add_consumer(stream.consumer_spec(self._transport.id, extensions, rtx=rtx))

    async def _send_all(self) -> None:
        ahead = COMPUTED_QUEUE if self._source.computed else QUEUE
        self._reader = Reader(self._source, ahead, self._wake.set)
        tasks = [asyncio.create_task(work) for work in (self._report(), self._tell_times())]
        sending = asyncio.create_task(self._send())
        try:
            done, _ = await asyncio.wait([sending, *tasks], return_when=asyncio.FIRST_COMPLETED)
            while not sending.done() and not any(task.exception() for task in done):
                pending = {task for task in (sending, *tasks) if not task.done()}
                done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (sending, *tasks):
                task.cancel()
            await asyncio.gather(sending, *tasks, return_exceptions=True)
            if not await self._reader.stop():
                self._source.leave()
        # what came before a source broke was sent first
        if self._reader.failure is not None:
            raise self._reader.failure
        # the last packets may be asked for again
        await asyncio.sleep(0.1)
        self._transport.send_rtcp(build_compound([Goodbye(tuple(s.ssrc for s in self._streams.values()))]))

    async def _send(self) -> None:
        """Send each burst when it is due."""
        while True:
            while self._pacer.wants_more and (unit := self._reader.take()) is not None:
                self._warn()
                if unit.kind in self._streams:
                    self._pacer.receive(unit)
            if self._reader.finished:
                self._pacer.receive_end()
            self._check_transport()
            now = time.monotonic()
            while (release := self._pacer.release(now)) is not None:
                self._packetise(release, now)
            for kind, bursts in self._bursts.items():
                while (burst := bursts.next_burst(now)) is not None:
                    self._endpoint.plane.inject(self._streams[kind].producer, burst, time.time_ns())
            timers = [t for bursts in self._bursts.values() if (t := bursts.get_timer()) is not None]
            if self._pacer.finished and not timers:
                return
            if (timer := self._pacer.get_timer()) is not None:
                timers.append(timer)
            self._wake.clear()
            if self._pacer.wants_more and self._reader.waiting:
                continue
            with contextlib.suppress(TimeoutError):
                timeout = max(0.0, min(timers) - time.monotonic()) if timers else None
                # not wait_for: before Python 3.12 it loses a cancellation that comes as the event is set
                async with asyncio.timeout(timeout):
                    await self._wake.wait()

    def _packetise(self, release: Release, now: float) -> None:
        # the time of the schedule and not of our waking: it has no jitter, and what we are late makes a picture look
        # older and never younger than it is
        sent = time.time_ns() - round((time.monotonic() - release.due) * 1e9)
        stream = self._streams[release.unit.kind]
        first = stream.frames == 0
        self._bursts[release.unit.kind].receive(stream.packets(release, sent), now)
        if release.unit.kind == "video":
            self._newest = (release.unit, sent)
        if first:
            self._send_report(stream)

    async def _report(self) -> None:
        """Send a sender report each second, and show how it goes."""
        before = (time.monotonic(), 0, 0)
        while True:
            await asyncio.sleep(1)
            statistics = self._endpoint.plane.statistics()
            for stream in self._streams.values():
                self._send_report(stream)
            now = time.monotonic()
            video = self._streams["video"]
            consumers = [statistics.consumers.get(stream.consumer) for stream in self._streams.values()]
            octets = sum(consumer.octets for consumer in consumers if consumer)
            repeated = sum(consumer.retransmitted for consumer in consumers if consumer)
            seconds = now - before[0]
            self._show(
                Status(
                    seconds=seconds,
                    bits_per_second=8 * (octets - before[1]) / seconds,
                    frames_per_second=(video.frames - before[2]) / seconds,
                    frames=video.frames,
                    key_frames=video.key_frames,
                    key_frames_wanted=self._wanted,
                    repeated=repeated,
                    reception=video.reception,
                    left_out=self._source.left_out,
                )
            )
            before = (now, octets, video.frames)
            # a camera's connection is watched by FFmpeg, a card's is not
            if self._source.live and asyncio.get_running_loop().time() - self._reader.heard > SOURCE_SILENCE:
                raise SourceError(
                    f"{self._source.name} has been silent for {SOURCE_SILENCE:.0f} s.", final=False
                )
            if now - self._heard > SILENCE:
                raise ConnectionLostError(f"The server has not reported for {SILENCE:.0f} s.")

    def _send_report(self, stream: Stream) -> None:
        statistics = self._endpoint.plane.statistics().consumers.get(stream.consumer)
        report = stream.report(statistics, time.time_ns())
        if report is not None:
            self._transport.send_rtcp(report)

    async def _tell_times(self) -> None:
        """Tell the sending time of the newest frame each second, if frames bear the barcode."""
        if not self._wishes.modulus:
            return
        while True:
            if self._newest is not None:
                unit, sent = self._newest
                barcode = Barcode(
                    frame=unit.number % self._wishes.modulus,
                    time=self._whip.clock.translate(sent) / 1e6,
                    interval_ms=float(unit.step) * 1000,
                    modulus=self._wishes.modulus,
                )
                try:
                    await self._whip.tell(barcode)
                except SessionEndedError:
                    raise
                except WhipError as error:
                    # the picture does not need it
                    self._say(f"The sending time could not be told. {error}")
                self._newest = None
                await asyncio.sleep(1)
            else:
                await asyncio.sleep(0.1)

    def _warn(self) -> None:
        warnings = self._source.warnings
        for warning in warnings[self._warned :]:
            self._say(warning)
        self._warned = len(warnings)
        frames = self._source.pictures_per_pass
        if self._wishes.modulus and frames and frames != self._wishes.modulus:
            raise SourceError(
                f"{self._source.name} has {frames} pictures and not the {self._wishes.modulus} of --barcode.",
                final=True,
            )

    def _check_transport(self) -> None:
        if self._transport.ended:
            raise ConnectionLostError(f"The connection ended. {self._reason}")

    def _receive_rtcp(self, data: bytes, arrival: int) -> None:
        try:
            packets = parse_compound(data)
        except RtcpError:
            return
        self._heard = time.monotonic()
        for packet in packets:
            match packet:
                case ReceiverReport(reports=reports) | SenderReport(reports=reports):
                    for block in reports:
                        for stream in self._streams.values():
                            if block.ssrc == stream.ssrc:
                                stream.receive_report(block, arrival)
                case PictureLossIndication() | FullIntraRequest():
                    self._want_key_frame()

    def _plane_event(self, event: PlaneEvent) -> None:
        if event.kind is EventKind.KEY_FRAME_WANTED:
            self._want_key_frame()

    def _want_key_frame(self) -> None:
        # what is passed through has no answer but its own next key frame
        self._wanted += 1
        self._source.want_key_frame()


def _random_ssrc() -> Ssrc:
    return Ssrc(secrets.randbits(32) or 1)


async def _local_host(server: str) -> str:
    """Choose where to listen: a server on this machine is reached without being reachable from outside."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(server, None, family=socket.AF_INET)
        loopback = all(ipaddress.ip_address(address[0]).is_loopback for *_, address in found)
    except OSError:
        loopback = False
    return "127.0.0.1" if loopback else "0.0.0.0"  # noqa: S104
