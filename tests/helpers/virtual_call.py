"""A whole session in virtual time: one publisher, the server's router and plane, viewers at the end of lines.

Everything is real but the wire and the clock: SRTP, NACKs, transport-wide feedback, the router's decisions. A viewer is
a reference plane too, which asks for what is missing and tells what arrived, and a `Picture` that shows what is
complete, as a browser does.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from media.delivery import Delivered
from media.ids import Mid, ProducerId, Rid, Ssrc, TransportId
from media.plane import Address, Codec, EncodingSpec, EventKind, Extension, ProducerSpec
from media.reference import ReferencePlane
from media.router import EncodingsWanted, Router
from media.rtp.extensions import AbsCaptureTime
from media.rtp.feedback import PictureLossIndication
from media.rtp.packet import RtpPacket
from media.rtp.rtcp import ReceiverReport, RtcpPacket, build_compound, parse_compound
from media.sdp import OUR_EXTENSION_IDS, OfferedTrack
from media.sdp.simulcast import OfferedEncoding
from media.subscriber import Slot

from .line import Line
from .picture import Picture
from .rtp_peer import Peer, make_session

PROFILE = "AEAD_AES_128_GCM"
TICK = 0.001
EPOCH_NS = 1_795_305_600_000_000_000
PAYLOAD = 1100
SERVER = Address("10.0.0.1", 8443)
#: The one transport of a viewer's own plane.
OWN = TransportId(1)

VIDEO, VIDEO_RTX, AUDIO = 96, 97, 111
_KEY, _DELTA, _FURTHER = b"\x10\x00", b"\x10\x01", b"\x00\x00"
_IDS = {int(extension): OUR_EXTENSION_IDS[extension] for extension in Extension}


@dataclass(slots=True)
class SentStream:
    """One encoding: so many bits a second in so many frames; a key frame weighs four others.

    Its RTP timestamps begin at `offset`, as a browser chooses them.
    """

    ssrc: Ssrc
    rate: float
    height: int
    fps: float
    clock_rate: int = 90_000
    offset: int = 0
    audio: bool = False
    active: bool = True
    key_wanted: bool = True
    frames: int = 0
    sequence: int = 100
    _carried: float = 0.0

    def next_frame(self, now: float) -> list[RtpPacket]:
        """Make the frame that is captured now."""
        key, self.key_wanted = self.key_wanted, False
        if self.rate / self.fps / 8 > PAYLOAD:
            self._carried += self.rate / self.fps / 8 / PAYLOAD
        whole = int(self._carried)
        self._carried -= whole
        packets = max(1, whole) * (4 if key else 1)
        timestamp = int(now * self.clock_rate + self.offset) & 0xFFFFFFFF
        self.frames += 1
        return [self._packet(i, packets, timestamp, key, now) for i in range(packets)]

    def _packet(self, i: int, of: int, timestamp: int, key: bool, now: float) -> RtpPacket:
        self.sequence += 1
        first = (_KEY if key else _DELTA) if i == 0 else _FURTHER
        body = b"" if self.audio else first
        size = min(PAYLOAD, int(self.rate / self.fps / 8))
        capture = {_IDS[Extension.ABS_CAPTURE_TIME]: bytes(AbsCaptureTime(EPOCH_NS + int(now * 1e9)))}
        return RtpPacket(
            payload_type=AUDIO if self.audio else VIDEO,
            sequence_number=self.sequence & 0xFFFF,
            timestamp=timestamp,
            ssrc=self.ssrc,
            marker=i == of - 1,
            payload=(body + self.height.to_bytes(2, "big")).ljust(size, b"\x55"),
            extensions=capture if i == 0 and not self.audio else {},
        )


@dataclass(slots=True)
class Viewer:
    """Somebody who watches: what they were told, and what they saw of each producer."""

    transport: TransportId
    address: Address
    plane: ReferencePlane
    down: Line
    up: Line
    told: list[tuple[float, Delivered]] = field(default_factory=list)
    pictures: dict[ProducerId, Picture] = field(default_factory=dict)
    ssrcs: dict[ProducerId, Ssrc] = field(default_factory=dict)


class VirtualCall:
    """The server, its publisher and its viewers. Times are seconds since the beginning."""

    def __init__(self, *, start: int = 6_000_000) -> None:
        """`start`: bits a second that a line is taken to carry at first."""
        self.now = 0.0
        self.plane = ReferencePlane(SERVER)
        self._numbers = count(1)
        self.router = Router(self.plane, lambda: next(self._numbers), start=start)
        self.viewers: list[Viewer] = []
        self.wanted: list[tuple[float, EncodingsWanted]] = []
        self.streams: dict[ProducerId, list[SentStream]] = {}
        self._due: list[tuple[float, int, SentStream]] = []
        self._to_server: list[tuple[bytes, Address, int]] = []
        self._wire: list[tuple[float, int, bytes, Viewer | None, Address]] = []
        self._order = count()
        self._publisher = self._add_publisher()
        self._tracks: list[OfferedTrack] = []
        self._heard = 0

    # -- who is there ----------------------------------------------------------------------------------------------

    def _add_publisher(self) -> Peer:
        transport = TransportId(next(self._numbers))
        peer = Peer(transport, Address("10.0.0.2", 5000), PROFILE, self._from_publisher)
        self.plane.add_transport(transport)
        self.plane.validate_address(transport, peer.address, selected=True)
        self.plane.set_keys(transport, peer.plane_receive, peer.plane_send)
        return peer

    def _from_publisher(self, peer: Peer, data: bytes) -> None:
        self._to_server.append((data, peer.address, self._unix()))

    def publish(self, source: str, *encodings: tuple[float, int], fps: float = 30.0) -> ProducerId:
        """Send a picture in encodings of (bit/s, height), the lowest first; sound where the height is 0."""
        mid = Mid(str(len(self._tracks)))
        audio = encodings[0][1] == 0
        streams = [
            SentStream(
                Ssrc(1000 + 10 * len(self._tracks) + i),
                rate,
                height,
                50.0 if audio else fps,
                48_000 if audio else 90_000,
                0 if i == 0 else 777_777_777 * i,
                audio,
            )
            for i, (rate, height) in enumerate(encodings)
        ]
        offered = tuple(
            OfferedEncoding(Rid(str(i)), stream.ssrc, Ssrc(stream.ssrc + 5))
            for i, stream in enumerate(streams)
        )
        self._tracks.append(
            OfferedTrack(
                mid,
                "audio" if audio else "video",
                Codec.OPUS if audio else Codec.VP8,
                streams[0].clock_rate,
                AUDIO if audio else VIDEO,
                "",
                0 if audio else VIDEO_RTX,
                streams[0].ssrc,
                extensions=OUR_EXTENSION_IDS,
                simulcast=offered if len(offered) > 1 else (),
            )
        )
        producer = self.router.publish(self._publisher.transport, self._tracks)[-1]
        self.router.describe(producer, source, tuple(height for _, height in encodings))
        self.streams[producer] = streams
        for stream in streams:
            heapq.heappush(self._due, (self.now, next(self._order), stream))
        return producer

    def add_viewer(self, down: Line, up: Line | None = None) -> Viewer:
        """Let somebody watch all that is published, at the end of this line."""
        transport = TransportId(next(self._numbers))
        number = len(self.viewers)
        viewer = Viewer(
            transport,
            Address(f"10.0.1.{number + 1}", 5000),
            ReferencePlane(Address(f"10.0.1.{number + 1}", 5000)),
            down,
            up or Line(1000 + number, delay=down.delay),
        )
        for plane, own, other in (
            (self.plane, transport, viewer.address),
            (viewer.plane, OWN, SERVER),
        ):
            plane.add_transport(own)
            plane.validate_address(own, other, selected=True)
        names = f"{transport} to plane", f"{transport} from plane"
        self.plane.set_keys(
            transport,
            *(
                make_session(PROFILE, name, inbound=inbound)
                for name, inbound in zip(names, (True, False), strict=True)
            ),
        )
        viewer.plane.set_keys(
            OWN,
            *(
                make_session(PROFILE, name, inbound=inbound)
                for name, inbound in zip(names[::-1], (True, False), strict=True)
            ),
        )
        viewer.plane.set_round_trip(OWN, viewer.down.delay + viewer.up.delay)
        subscriber = self.router.watch(transport)
        slots = []
        for producer in self.streams:
            track = self.router.producers[producer].track
            slot = subscriber.assign(producer, track.codec, track.clock_rate, "")
            slot.accept(track.payload_type, track.rtx_payload_type, OUR_EXTENSION_IDS)
            slots.append(slot)
            self._receive(viewer, slot)
        self.router.start(transport, slots)
        self.viewers.append(viewer)
        return viewer

    def _receive(self, viewer: Viewer, slot: Slot) -> None:
        viewer.plane.add_producer(
            ProducerSpec(
                producer=slot.producer,
                transport=OWN,
                codec=slot.codec,
                clock_rate=slot.clock_rate,
                payload_type=slot.payload_type,
                encodings=(EncodingSpec(slot.ssrc, slot.rtx_ssrc if slot.rtx_payload_type else Ssrc(0)),),
                rtx_payload_type=slot.rtx_payload_type,
                nack=slot.video,
                extensions=slot.extensions,
            )
        )
        viewer.plane.set_tap(slot.producer, enabled=True)
        viewer.pictures[slot.producer] = Picture(slot.clock_rate, video=slot.video)
        viewer.ssrcs[slot.producer] = slot.ssrc

    # -- time --------------------------------------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """Let so much time pass, a millisecond at a time."""
        end = self.now + seconds - TICK / 2
        while self.now < end:
            self.now += TICK
            self._publish_due()
            self._run_server()
            for viewer in self.viewers:
                self._run_viewer(viewer)

    def _unix(self, time: float | None = None) -> int:
        return EPOCH_NS + int((self.now if time is None else time) * 1e9)

    def _publish_due(self) -> None:
        while self._due and self._due[0][0] <= self.now:
            time, _, stream = heapq.heappop(self._due)
            heapq.heappush(self._due, (time + 1 / stream.fps, next(self._order), stream))
            if stream.active:
                for packet in stream.next_frame(time):
                    self._publisher.send_rtp(packet)

    def _run_server(self) -> None:
        arrived = [(data, address, time) for data, address, time in self._to_server]
        self._to_server = []
        while self._wire and self._wire[0][0] <= self.now:
            time, _, data, viewer, address = heapq.heappop(self._wire)
            if viewer is None:
                arrived.append((data, address, self._unix(time)))
            else:
                viewer.plane.receive([(data, address, self._unix(time))], self._unix())
        if arrived:
            self.plane.receive(arrived, self._unix())
        self._timer_of(self.plane)
        for event in self.plane.events():
            if event.kind is EventKind.RTCP:
                self.router.receive_rtcp(event.transport, event.data, self.now, event.time)
            else:
                self.router.receive_event(event, self.now)
        timer = self.router.get_timer()
        if timer is not None and timer <= self.now:
            self.router.handle_timer(self.now)
        while (said := self.router.next_event()) is not None:
            self._told(said)
        by_address = {viewer.address: viewer for viewer in self.viewers}
        for address, data in self.plane.datagrams_to_send():
            if address in by_address:
                self._enter(by_address[address].down, data, by_address[address], SERVER)
            else:
                self._publisher.deliver(data)
        self._obey()

    def _told(self, said: Any) -> None:
        if isinstance(said, EncodingsWanted):
            self.wanted.append((self.now, said))
            for stream, active in zip(self.streams[said.producer], said.active, strict=True):
                stream.active = active
        elif isinstance(said, Delivered):
            for viewer in self.viewers:
                if viewer.transport == said.transport:
                    viewer.told.append((self.now, said))

    def _obey(self) -> None:
        """Make the key frames that the publisher was asked for."""
        compounds, self._heard = self._publisher.rtcp[self._heard :], len(self._publisher.rtcp)
        for packet in (packet for compound in compounds for packet in parse_compound(compound)):
            if isinstance(packet, PictureLossIndication):
                for stream in (s for streams in self.streams.values() for s in streams):
                    stream.key_wanted |= stream.ssrc == packet.media_ssrc

    def _run_viewer(self, viewer: Viewer) -> None:
        self._timer_of(viewer.plane)
        viewer.plane.events()
        if (records := viewer.plane.read_tap()) != b"":
            for producer, picture in viewer.pictures.items():
                picture.take(records, producer, self.now)
        for producer, picture in viewer.pictures.items():
            if picture.needs_key_frame(self.now):
                request: list[RtcpPacket] = [
                    ReceiverReport(Ssrc(1)),
                    PictureLossIndication(Ssrc(1), viewer.ssrcs[producer]),
                ]
                viewer.plane.send_rtcp(OWN, build_compound(request))
        for _, data in viewer.plane.datagrams_to_send():
            self._enter(viewer.up, data, None, viewer.address)

    def _enter(self, line: Line, data: bytes, to: Viewer | None, address: Address) -> None:
        for arrival in line.pass_on(len(data), self.now):
            heapq.heappush(self._wire, (arrival, next(self._order), data, to, address))

    def _timer_of(self, plane: ReferencePlane) -> None:
        timer = plane.get_timer()
        if timer is not None and timer <= self._unix():
            plane.handle_timer(self._unix())
