"""One participant's two media connections: what it publishes (it offers), what it is sent (the server offers)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from media.ids import ConsumerId, ProducerId, Ssrc, TransportId
from media.plane import PlaneEvent
from media.router import Router
from media.sdp import (
    Bitrates,
    OfferedTrack,
    PayloadTypes,
    SdpError,
    SessionDescription,
    SubscribedTrack,
    TransportParameters,
    answer_publisher,
    offer_subscriber,
    read_answer,
    remote_parameters,
)
from media.subscriber import Slot
from media.transport.endpoint import Endpoint
from media.transport.transport import Transport, TransportState
from signalling import notices
from signalling.notices import ServerMessage
from signalling.room import RoomError

log = logging.getLogger(__name__)

#: The data channel that carries the ephemeral lane.
EPHEMERAL = "ephemeral"

#: Takes a peer's decrypted control packets: its transport, the compound, when it came (Unix ns).
RtcpHandler = Callable[[TransportId, bytes, int], None]

#: Takes what the plane says of a transport's streams.
PlaneEventHandler = Callable[[PlaneEvent], None]

#: Playout delay of the field in ms, (min, max): a small maximum turns the browser's low-latency renderer on.
FIELD_PLAYOUT = (0, 300)

#: An offer follows the one before after so long at the earliest, seconds: where many come at once, it has all of them.
OFFER_INTERVAL = 0.2

#: Pictures and sounds that one participant sends at most.
MAX_TRACKS = 16


class Publication:
    """What a participant sends: one transport, its producers by media section."""

    def __init__(
        self,
        endpoint: Endpoint,
        router: Router,
        bitrates: Bitrates,
        on_rtcp: RtcpHandler,
        on_event: PlaneEventHandler,
        failed: Callable[[], None],
        heard: Callable[[], None] = lambda: None,
        *,
        redundancy: bool = True,
        shard: int = 0,
    ) -> None:
        """`failed` is called when the transport ends without our wish: whatever was published is gone.

        `heard` is called when `silent` has changed. `redundancy`: sound is taken with redundancy (RED) where it is
        offered so. `shard` is the room's.
        """
        self._heard = heard
        self._shard = shard
        self._endpoint = endpoint
        self._router = router
        self._on_rtcp = on_rtcp
        self._on_event = on_event
        self._redundancy = redundancy
        self._bitrates = bitrates
        self._failed = failed
        self._transport: Transport | None = None
        self._remote: TransportParameters | None = None
        #: whose connection ended, so that nobody goes on with it
        self._ended: TransportParameters | None = None
        #: what waits for another transport, with the RTP timestamp at which it will go on at the earliest
        self._waiting: dict[ProducerId, int] = {}

    @property
    def transport(self) -> Transport | None:
        """The connection that stands, or is about to."""
        return self._transport

    def offer(
        self,
        offer: SessionDescription,
        going_on: Callable[[OfferedTrack], ProducerId | None] = lambda _: None,
    ) -> tuple[SessionDescription, list[tuple[OfferedTrack, ProducerId]]]:
        """Take an offer; returns the answer and the tracks with their producers. Raise SdpError.

        An offer of the same connection adds or drops sections; with new ICE credentials it also restarts ICE, which
        changes neither keys nor producers. An offer of another connection replaces the one before, and `going_on` says
        which of its producers, or of a dead one's, a track is. Raise RoomError for an offer of a connection that ended
        here, whose keys are gone: its owner may have slept and not know.
        """
        remote = remote_parameters(offer)
        transport = self._transport
        if transport is None and self._ended is not None and _same_connection(remote, self._ended):
            raise RoomError("connection_gone", "This connection has ended. Offer a new one.")
        if transport is None or self._remote is None or not _same_connection(remote, self._remote):
            transport = self._endpoint.create(shard=self._shard)
        elif (remote.ufrag, remote.pwd) != (self._remote.ufrag, self._remote.pwd):
            self._endpoint.restart_ice(transport)
        try:
            answer, tracks = answer_publisher(
                offer,
                transport.parameters,
                bitrates={section.mid: self._bitrates for section in offer.media},
                redundancy=self._redundancy,
            )
            if len(tracks) > MAX_TRACKS:
                raise SdpError(f"One participant sends at most {MAX_TRACKS} pictures and sounds.")
        except ValueError:
            if transport is not self._transport:
                transport.close()
            raise
        if transport is not self._transport:
            self.interrupt()
            self._transport = transport
            transport.callbacks.on_state = self._state_changed
            transport.callbacks.on_rtcp = partial(self._on_rtcp, transport.id)
            transport.callbacks.on_event = self._on_event
            transport.callbacks.on_silent = lambda _: self._heard()
            # the one before may have been silent
            self._heard()
        self._remote = remote
        transport.start(remote)
        found = [(track.mid, former) for track in tracks if (former := going_on(track)) is not None]
        try:
            producers = self._router.publish(transport.id, tracks, dict(found))
        except ValueError as error:
            # the plane holds more than the description's grammar: one SSRC names one stream, above all
            self._failed()
            raise SdpError(f"The offer's streams cannot be received: {error}") from None
        return answer, list(zip(tracks, producers, strict=True))

    def restart_ice(self, ufrag: str, pwd: str) -> TransportParameters:
        """Restart ICE with these credentials of the peer's, without an offer; returns ours (RFC 9725, section 4.3.3).

        Raise ValueError when nothing is published.
        """
        if self._transport is None or self._remote is None:
            raise ValueError("There is no connection whose ICE could be restarted.")
        self._endpoint.restart_ice(self._transport)
        self._remote = replace(self._remote, ufrag=ufrag, pwd=pwd)
        self._transport.start(self._remote)
        return self._transport.parameters

    @property
    def silent(self) -> bool:
        """Whether what is published over has not been heard for 5 s."""
        return self._transport is not None and self._transport.silent

    def _state_changed(self, state: TransportState, reason: str) -> None:
        if state in (TransportState.FAILED, TransportState.CLOSED) and self._transport is not None:
            log.info("a publishing transport ended: %s", reason)
            self._failed()

    @property
    def producers(self) -> list[ProducerId]:
        """What is being received or waited for, whether or not the room still names it."""
        own = self._transport.id if self._transport is not None else None
        return [
            p.producer
            for p in self._router.producers.values()
            if p.transport == own or self._waits(p.producer)
        ]

    def _waits(self, producer: ProducerId) -> bool:
        entry = self._router.producers.get(producer)
        return producer in self._waiting and entry is not None and entry.interrupted

    def resumed(self, producer: ProducerId) -> int | None:
        """Take the RTP timestamp from which on a producer goes on that had been waiting; None: it had not."""
        return None if self._waits(producer) else self._waiting.pop(producer, None)

    def interrupt(self) -> list[ProducerId]:
        """Let the transport go; what was published waits for another one. Returns all that waits."""
        transport, self._transport = self._transport, None
        if transport is not None:
            self._ended, self._remote = self._remote, None
            self._waiting |= self._router.interrupt(transport.id)
            transport.close()
        return [producer for producer in self._waiting if self._waits(producer)]

    def close(self) -> None:
        """Close the transport; all producers end."""
        for producer in self.interrupt():
            self._router.unpublish(producer)
        self._waiting.clear()


def _same_connection(a: TransportParameters, b: TransportParameters) -> bool:
    # a certificate alone does not tell: a page may use one for several connections, and each has its own keys. Some
    # (aiortc) draw a new session id for each offer
    same_session = a.connection == b.connection or (a.ufrag, a.pwd) == (b.ufrag, b.pwd)
    return same_session and a.fingerprints == b.fingerprints


class Watching:
    """What a participant is sent: one transport, offered anew whenever the room's producers change.

    At most one offer is open, and one follows another after OFFER_INTERVAL. What changes meanwhile goes into the next
    one, and only what an answer's own offer contained is started.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        router: Router,
        send: Callable[[ServerMessage], None],
        describe: Callable[[ProducerId], tuple[str, str]],
        on_rtcp: RtcpHandler,
        on_event: PlaneEventHandler,
        on_message: Callable[[str, str | bytes], None],
        changed: Callable[[], None],
        heard: Callable[[], None] = lambda: None,
        protection: float = 0.0,
        *,
        shard: int = 0,
    ) -> None:
        """`describe` names a producer's stream (its participant) and source; `changed` has the router looked at.

        `heard` is called when `silent` has changed. `protection`: the most protection packets a packet of a field.
        `shard` is the room's.
        """
        self._shard = shard
        self._changed = changed
        self._heard = heard
        self._protection = protection
        self._on_rtcp = on_rtcp
        self._on_event = on_event
        self._on_message = on_message
        self._endpoint = endpoint
        self._router = router
        self._send = send
        self._describe = describe
        self._revision = 0
        self._connection = 0
        self._wanted: list[ProducerId] = []
        self._open: ServerMessage | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._begin()

    def _begin(self) -> None:
        self.transport = self._endpoint.create(shard=self._shard)
        self._connection += 1
        self.transport.callbacks.on_silent = lambda _: self._heard()
        self.transport.callbacks.on_state = self._state_changed
        self.transport.callbacks.on_rtcp = partial(self._on_rtcp, self.transport.id)
        self.transport.callbacks.on_event = self._on_event
        self.transport.callbacks.on_path = partial(self._router.path_changed, self.transport.id)
        self.transport.callbacks.on_message = self._on_message
        self.transport.open_channel(EPHEMERAL)
        self._subscriber = self._router.watch(self.transport.id)
        self._payload_types = PayloadTypes()
        self._offered: list[tuple[Slot, ConsumerId]] = []
        #: what there is no payload type left for
        self._beyond: set[ProducerId] = set()
        #: what the newest answer refused: its reply may be lost, and the answer given again
        self._refused: list[ProducerId] = []
        self._dirty = False

    def want(self, producers: Iterable[ProducerId]) -> None:
        """Send exactly these from now on; offers if that is a change.

        While the transport is dead they are only remembered: the client asks for a new one.
        """
        wanted = list(producers)
        self._dirty |= wanted != self._wanted
        self._wanted = wanted
        if self.transport.ended:
            return
        watched = self._subscriber.watched()
        for producer in watched:
            if producer not in self._wanted:
                consumer = self._subscriber.release(producer)
                if consumer is not None:
                    self._router.stop([consumer])
        for producer in self._wanted:
            if producer not in watched and producer not in self._beyond:
                track = self._router.producers[producer].track
                try:
                    self._payload_types.reserve(
                        track.codec, track.fmtp, redundant=bool(track.red_payload_type)
                    )
                except SdpError as error:
                    # no harm to whoever sends it, nor to the other streams
                    log.warning("a stream cannot be offered: %s", error)
                    self._beyond.add(producer)
                    continue
                slot = self._subscriber.assign(producer, track.codec, track.clock_rate, track.fmtp)
                if self._describe(producer)[1] == "field":
                    slot.playout_delay, slot.protectable = FIELD_PLAYOUT, self._protection
                else:
                    slot.playout_delay = (0, 0)
                slot.redundant = bool(track.red_payload_type)
        self._offer_changes()

    def _offer_changes(self) -> None:
        if not self._dirty or self._open is not None or self._pause is not None:
            return
        self._dirty = False
        self._pause = asyncio.get_running_loop().call_later(OFFER_INTERVAL, self._paused)
        self._revision += 1
        self._offered = [(slot, slot.consumer) for slot in self._subscriber.slots if slot.producer]
        description = offer_subscriber(
            [self._section(slot) for slot in self._subscriber.slots],
            self.transport.parameters,
            self._revision,
            self._payload_types,
        )
        consumers = [
            {"mid": slot.mid, "producer": slot.producer, "consumer": consumer}
            for slot, consumer in self._offered
        ]
        self._open = notices.offer(self._revision, self._connection, str(description), consumers)
        self._send(self._open)

    def _paused(self) -> None:
        self._pause = None
        if not self.transport.ended:
            self._offer_changes()

    def _hurry(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def _section(self, slot: Slot) -> SubscribedTrack:
        stream, source = self._describe(slot.producer) if slot.producer else ("", "")
        return SubscribedTrack(
            kind="video" if slot.video else "audio",
            codec=slot.codec,
            fmtp=slot.fmtp,
            ssrc=slot.ssrc,
            rtx_ssrc=slot.rtx_ssrc if slot.video else Ssrc(0),
            cname=stream,
            stream=stream,
            label=f"{source}-{slot.producer}",
            active=bool(slot.producer),
            fec_ssrc=slot.fec_ssrc if slot.video else Ssrc(0),
            redundant=slot.redundant,
        )

    def answer(self, revision: int, sdp: str) -> list[ProducerId]:
        """Take an answer and send what it took; returns the producers whose codec the browser refused.

        An answer to an older offer has no effect, nor has one that is given again. Raise SdpError.
        """
        if revision != self._revision:
            return []
        if self._open is None:
            return list(self._refused)
        answer = read_answer(sdp)
        self.transport.start(answer.remote)
        self._open = None
        taken, refused = [], [producer for producer in self._wanted if producer in self._beyond]
        for slot, consumer in self._offered:
            if slot.consumer != consumer or not slot.producer or slot.started:
                continue
            accepted = answer.tracks.get(slot.mid)
            if accepted is None or not accepted.accepted or accepted.codec is not slot.codec:
                refused.append(slot.producer)
                continue
            slot.accept(
                accepted.payload_type,
                accepted.rtx_payload_type,
                accepted.extensions,
                accepted.fec_payload_type,
                accepted.red_payload_type,
            )
            taken.append(slot)
        connected = self.transport.state is TransportState.CONNECTED
        for slot in self._router.start(self.transport.id, taken, connected=connected):
            log.warning("a receiver's answer describes a stream that cannot be sent")
            refused.append(slot.producer)
        self._refused = refused
        self._offer_changes()
        return list(refused)

    def _state_changed(self, state: TransportState, reason: str) -> None:
        if state is TransportState.CONNECTED:
            self._router.connected(self.transport.id)
            self._changed()
        elif state in (TransportState.FAILED, TransportState.CLOSED):
            log.info("a receiving transport ended: %s", reason)
            # the plane lets go of its consumers, so nobody may name them any more
            self._router.remove_transport(self.transport.id)
            self._open = None

    def resend(self) -> None:
        """Repeat the open offer to a client that came back."""
        if self._open is not None:
            self._send(self._open)

    @property
    def silent(self) -> bool:
        """Whether what is sent over has not been heard for 5 s."""
        return self.transport.silent

    def restart_ice(self) -> None:
        """Offer new ICE credentials: keys, streams and channels go on over whichever path the client finds.

        An offer that is still open gives way to it. A dead transport is replaced.
        """
        if self.transport.ended:
            self.restart()
            return
        self._endpoint.restart_ice(self.transport)
        self._open = None
        self._dirty = True
        self._hurry()
        self._offer_changes()

    def restart(self) -> None:
        """Begin anew with a fresh transport: the client's receiving connection failed."""
        self.close()
        self._open = None
        self._begin()
        self._dirty = True
        self.want(self._wanted)

    def close(self) -> None:
        """Stop sending and close the transport."""
        self._hurry()
        self._router.remove_transport(self.transport.id)
        self.transport.close()
