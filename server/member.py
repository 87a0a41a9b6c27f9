"""One participant as the server serves it: its socket, its media connections, and what its messages do."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from annotation.channel import Channel
from annotation.ephemeral import parse_ephemeral
from annotation.values import AnnotationError
from media.ids import ProducerId
from media.sdp import Bitrates, SdpError, parse
from signalling import messages, notices
from signalling.guidance_messages import Freeze, Orient
from signalling.manner_messages import Admit, Hand, Lock, Permit, PermitDrawing, Remove, Restrict
from signalling.message_frame import MessageError
from signalling.messages import ClientMessage
from signalling.notices import ServerMessage
from signalling.patient_messages import ChoosePatient
from signalling.permissions import Permission, may
from signalling.presenter_messages import Present, Viewport
from signalling.rate import MESSAGE_BURST, MESSAGE_RATE, TokenBucket
from signalling.room import Participant, RoomError
from signalling.sources import Source
from signalling.theatre_messages import ShowRecording

from . import etiquette, marking, recording
from .connections import EPHEMERAL, Publication, Watching
from .etiquette import RELAYED, Relay
from .guidance import Freezing
from .naming import Naming
from .sockets import Socket
from .wall import Wall

if TYPE_CHECKING:
    from .conductor import Conductor

log = logging.getLogger(__name__)

#: What a section shows that the client does not name.
DEFAULT_SOURCES: dict[str, Source] = {"audio": "microphone", "video": "camera"}


class Member:
    """A participant, from `hello` (or WHIP) until it is gone. Sockets come and go meanwhile."""

    def __init__(
        self, conductor: Conductor, participant: Participant, session: str, *, watching: bool
    ) -> None:
        self.conductor = conductor
        self.identifier = participant.participant
        self.role = participant.role
        self.connection = participant.connection
        self.session = session
        self.socket: Socket | None = None
        self.lane = Channel()
        self._viewport: ServerMessage | None = None
        self.relay = Relay(self)
        self.freezing = Freezing(self)
        self._bucket = TokenBucket(MESSAGE_RATE, MESSAGE_BURST, conductor.service.now())
        service, media = conductor.service, conductor.service.config.media
        self.publication = Publication(
            service.endpoint,
            conductor.router,
            Bitrates(media.start_kbps, min(500, media.start_kbps), media.max_kbps),
            conductor.receive_rtcp,
            conductor.receive_plane_event,
            lambda: conductor.publishing.failed(self),
            self.heard,
            redundancy=media.redundancy,
            shard=conductor.shard,
        )
        self.watching: Watching | Wall | None = None
        if watching and may(self.role, "watch"):
            self.watching = Watching(
                service.endpoint,
                conductor.router,
                self.send,
                conductor.describe_producer,
                conductor.receive_rtcp,
                conductor.receive_plane_event,
                self.receive_channel,
                conductor.pump,
                self.heard,
                media.protection,
                shard=conductor.shard,
            )

    # -- sockets -------------------------------------------------------------------------------------------------

    def attach(self, socket: Socket, connection: int) -> None:
        """Speak through this socket from now on."""
        self.socket, self.connection = socket, connection
        socket.lane = self._take_lane

    def _take_lane(self) -> list[bytes]:
        viewport, self._viewport = self._viewport, None
        lane = [message.data for message in self.lane.to_send(self.conductor.service.now())]
        return lane if viewport is None else [viewport.data, *lane]

    def disconnected(self, socket: Socket, *, leaving: bool = False) -> None:
        """Note that a socket ended; `leaving`: with the code of who does not come back."""
        if self.socket is socket:
            self.socket = None
            if leaving:
                self.conductor.leave(self)
            else:
                self.conductor.lost(self)

    def send(self, message: ServerMessage) -> None:
        """Send to the participant, if it is connected."""
        if self.socket is not None:
            self.socket.send(message)

    def flush_lane(self) -> None:
        """Send what the ephemeral lane holds: over the data channel if it is open, else over the socket."""
        transport = self.watching.transport if self.watching else None
        if transport is not None and transport.channel_open(EPHEMERAL):
            for message in self.lane.to_send(self.conductor.service.now()):
                transport.send_message(EPHEMERAL, message.text)
        elif self.socket is not None:
            self.socket.flush()

    def view_latest(self, viewport: ServerMessage | None) -> None:
        """Send what the presenter sees as soon as the socket takes it; a newer one replaces what waits."""
        self._viewport = viewport
        if viewport is not None and self.socket is not None:
            self.socket.nudge()

    def heard(self) -> None:
        """Tell the room whether the media connections are heard of."""
        silent = self.publication.silent or (self.watching is not None and self.watching.silent)
        self.conductor.media_heard(self, silent=silent)

    @property
    def only_sends(self) -> bool:
        """Whether it is an encoder: it has no socket and watches nothing."""
        return self.socket is None and self.watching is None

    def view(self, wall: Wall) -> None:
        """Be sent pictures by one offer that is never renewed (WHEP)."""
        self.watching = wall

    def close(self) -> None:
        """Free the media connections."""
        self.publication.close()
        if self.watching is not None:
            self.watching.close()

    def turn(self) -> dict[str, Any]:
        """Give TURN credentials of one's own and the seconds that they hold, as PROTOCOL.md names them."""
        service = self.conductor.service
        servers = [server.to_json() for server in service.ice_servers(self.identifier)]
        return {"ice_servers": servers, "ice_lifetime": service.config.turn.lifetime}

    # -- messages ------------------------------------------------------------------------------------------------

    async def receive(self, message: ClientMessage, socket: Socket) -> None:
        """Carry a message out and answer it on the socket that it came by."""
        if isinstance(message, messages.Ephemeral):
            self.receive_ephemeral(message)
            return
        if isinstance(message, Viewport):
            self.conductor.presenting.show(self, message)
            return
        if isinstance(message, messages.Leave):
            # the answer goes first: leaving closes the socket
            socket.send(notices.reply(message.id))
            self.conductor.leave(self)
            return
        if isinstance(message, Freeze):
            # decoding takes its time: what is asked meanwhile is not kept waiting
            self.conductor.service.keep(self._answer(message, socket))
            return
        await self._answer(message, socket)

    async def _answer(self, message: messages.Request, socket: Socket) -> None:
        try:
            answer = await self.carry_out(message)
        except (RoomError, AnnotationError) as error:
            answer = notices.error(message.id, error.code, str(error))
        except SdpError as error:
            answer = notices.error(message.id, "bad_sdp", str(error))
        except RuntimeError as error:
            log.error("a connection could not be made: %s", error)
            answer = notices.error(message.id, "room_full", "The server takes no more connections.")
        socket.send(answer)
        self.conductor.pump()

    async def carry_out(self, message: messages.Request) -> ServerMessage:
        """Do what a request asks; returns the answer. Raise RoomError, AnnotationError, SdpError."""
        conductor = self.conductor
        match message:
            case messages.Ping():
                return notices.pong(message.id, message.time, conductor.service.wall_clock())
            case messages.MarkRequest():
                return notices.reply(message.id, sequence=marking.carry_out(self, message))
            case messages.MarksRequest():
                lacking = conductor.veiling.tail(self.role, conductor.document.after(message.after))
                return notices.marks(message.id, lacking.text)
            case messages.Publish():
                return self._publish(message)
            case messages.Answer():
                return self._take_answer(message)
            case messages.Rewatch():
                self._demand("watch")
                assert isinstance(self.watching, Watching)
                self.watching.restart()
                self.heard()
            case messages.RestartIce():
                self._demand("watch")
                assert isinstance(self.watching, Watching)
                self.watching.restart_ice()
            case messages.IceServers():
                return notices.reply(message.id, **self.turn())
            case messages.Mute():
                conductor.room.mute(self.identifier, message.producer, muted=message.muted)
            case messages.Unpublish():
                self._own(message.producer)
                conductor.publishing.end([ProducerId(message.producer)])
            case messages.Pause():
                self._pause(message)
            case messages.View():
                self._view(message)
            case messages.Barcode():
                self._own(message.producer)
                conductor.barcode(message)
            case messages.Record():
                self._demand("record")
                await recording.carry_out(self, message.action)
            case Hand() | Admit() | Lock() | Remove() | Permit() | PermitDrawing() | Restrict():
                etiquette.carry_out(self, message)
            case Present():
                conductor.presenting.carry_out(self, message)
            case Orient():
                conductor.room.orient(self.identifier, message.producer, message.orientation)
            case Freeze():
                return await self.freezing.carry_out(message)
            case ChoosePatient():
                conductor.bedside.choose(self, message)
            case ShowRecording():
                await conductor.theatre.carry_out(self, message)
            case messages.Hello():
                return notices.error(message.id, "out_of_order", "You have said hello already.")
        return notices.reply(message.id)

    def _demand(self, permission: Permission) -> None:
        self.conductor.room.demand(self.identifier, permission)

    def _own(self, producer: int) -> None:
        if self.conductor.room.producer(producer).participant != self.identifier:
            raise RoomError("not_permitted", "This is somebody else's picture or sound.")

    def _publish(self, message: messages.Publish) -> ServerMessage:
        room = self.conductor.room
        me = room.participant(self.identifier)
        if me is None or me.sources is None:
            self._demand("publish")
        for source in message.sources:
            room.demand_source(self.identifier, source.source)
        offer = parse(message.sdp)
        named = {source.mid for source in message.sources}
        for section in offer.media:
            # one that sends nothing (any more) needs no permission
            if section.direction.sends and section.mid not in named and section.kind in DEFAULT_SOURCES:
                room.demand_source(self.identifier, DEFAULT_SOURCES[section.kind])
        naming = Naming(message.sources)
        answer, tracks = self.publication.offer(offer, self.conductor.publishing.going_on(self, naming))
        self.conductor.publishing.announce(self, tracks, naming)
        producers = [{"mid": track.mid, "producer": producer} for track, producer in tracks]
        return notices.reply(message.id, sdp=str(answer), producers=producers)

    def _take_answer(self, message: messages.Answer) -> ServerMessage:
        self._demand("watch")
        assert isinstance(self.watching, Watching)
        refused = self.watching.answer(message.revision, message.sdp)
        if not refused:
            return notices.reply(message.id)
        return notices.reply(message.id, refused=refused)

    def _view(self, message: messages.View) -> None:
        self.conductor.room.producer(message.producer)
        if self.watching is not None:
            transport, producer = self.watching.transport.id, ProducerId(message.producer)
            self.conductor.router.view(transport, producer, message.height)

    def _pause(self, message: messages.Pause) -> None:
        self.conductor.room.producer(message.producer)
        if self.watching is not None:
            self.conductor.router.pause(
                self.watching.transport.id, ProducerId(message.producer), paused=message.paused
            )

    def receive_ephemeral(self, message: messages.Ephemeral) -> None:
        """Pass a pointer or a stroke on; what is wrong or not permitted is dropped without an answer."""
        me = self.conductor.room.participant(self.identifier)
        if me is None or not me.may("mark"):
            return
        try:
            parsed = parse_ephemeral(message.body, self.identifier, self.conductor.service.now())
            # not for an instant may a stroke be seen where its mark would be refused
            if parsed.anchor is not None:
                marking.check_picture(self, parsed.anchor)
        except (AnnotationError, RoomError):
            return
        self.conductor.relay(self, parsed)

    def receive_channel(self, label: str, data: str | bytes) -> None:
        """Take a message of the data channel: the ephemeral lane's other way in."""
        if label.startswith(RELAYED):
            self.relay.receive(label, data)
        if label != EPHEMERAL:
            return
        try:
            message = messages.parse_message(data)
        except MessageError:
            return
        if isinstance(message, messages.Ephemeral) and self._bucket.take(self.conductor.service.now()):
            self.receive_ephemeral(message)
