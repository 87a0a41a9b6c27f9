"""One room, live: carries what the room's cores decide to sockets, transports and the recorder.

It decides nothing: `signalling.room` knows who may come and who is told, `media.router` what is sent to whom,
`annotation.document` what a mark does, `recorder.recording` what is kept. After each input `pump` takes their events.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from annotation.anchors import DicomAnchor
from annotation.document import Document
from annotation.ephemeral import EphemeralMessage, Pointer, Stroke
from annotation.notes import Note, Tracked
from annotation.operations import Add, Operation
from media.delivery import Delivered
from media.ids import ProducerId, TransportId
from media.plane import EventKind, PlaneEvent
from media.reporting import CaptureTimeMoved, SenderReportReceived
from media.router import EncodingsWanted, KeyFrameAsked, Router, RouterEvent
from recorder.audience import person_digest
from signalling import messages, notices
from signalling.messages import Hello
from signalling.permissions import Role, permissions
from signalling.room import (
    AudienceChanged,
    ConnectionClosed,
    Happened,
    Notice,
    Participant,
    ParticipantGone,
    ParticipantId,
    ProducerEnded,
    ProducerForbidden,
    ProducerMuted,
    Room,
    RoomError,
    RoomEvent,
)
from signalling.tokens import Claims, person_named

from .bedside import Bedside
from .connections import Watching
from .dicom.recall import Recall
from .etiquette import Speaking
from .frame_times import FrameTimes
from .keeping.audit import SERVER, Doer, write
from .member import Member
from .presenting import Presenting
from .publishing import Publishing
from .reception import Guest, Reception
from .room_recorder import RoomRecorder
from .sockets import Socket
from .theatre.theatre import Theatre
from .veiling import Veiling
from .wall import Wall
from .watching.watcher import Watcher

if TYPE_CHECKING:
    from .service import Service

log = logging.getLogger(__name__)


class Conductor:
    """One room and everybody in it."""

    def __init__(self, name: str, service: Service, shard: int = 0) -> None:
        limits = service.config.rooms
        self.service = service
        self.shard = shard
        self.room = Room(
            name,
            capacity=limits.participants,
            experts=limits.experts,
            away_seconds=limits.resume_seconds,
        )
        media = service.config.media
        self.router = Router(
            service.plane, service.next_id, start=media.start_kbps * 1000, maximum=media.max_kbps * 1000
        )
        self.document = Document()
        #: Each tells whether an image is in the room, or raises RoomError where it must not be drawn on.
        self.image_checks: list[Callable[[Member, DicomAnchor], bool]] = []
        self.members: dict[ParticipantId, Member] = {}
        #: of all who were ever here, for what is written of their marks when they have gone
        self.roles: dict[ParticipantId, Role] = {}
        self.recorder: RoomRecorder | None = None
        self.reception = Reception(self, guarded=limits.waiting_room)
        self.publishing = Publishing(self)
        self.frame_times = FrameTimes(self)
        self.speaking = Speaking(self)
        self.watcher = Watcher(self)
        self.presenting = Presenting(self)
        self.veiling = Veiling(self)
        self.bedside = Bedside(self)
        self.theatre = Theatre(self)
        self.recall = Recall(self)
        self.ephemeral_dropped = 0
        self._timer: asyncio.TimerHandle | None = None
        self._flush_due = False

    # -- coming and going ----------------------------------------------------------------------------------------

    def admit(self, claims: Claims, hello: Hello, socket: Socket) -> Member | Guest:
        """Let a client in, or back in, or have it wait at the door. Raise RoomError."""
        if hello.session is not None:
            resumed = self.room.resume(hello.session, claims.name, claims.role, claims.subject)
            if resumed is not None:
                member = self.members[resumed.participant]
                self.pump()
                member.attach(socket, resumed.connection)
                self._welcome(member, hello, socket)
                return member
        return self.reception.knock(claims, hello, socket) or self.enter(claims, hello, socket)

    def enter(self, claims: Claims, hello: Hello, socket: Socket) -> Member:
        """Let a newcomer in. Raise RoomError."""
        member = self._join(claims, watching=True)
        member.attach(socket, member.connection)
        self._welcome(member, hello, socket)
        return member

    def _welcome(self, member: Member, hello: Hello, socket: Socket) -> None:
        after = hello.marks_after if hello.session == member.session else 0
        socket.send(
            notices.welcome(
                hello.id,
                participant=member.identifier,
                session=member.session,
                room=self.room.name,
                now=self.service.wall_clock(),
                permissions=permissions(member.role),
                participants=[participant.to_json() for participant in self.room.participants],
                producers=[producer.to_json() for producer in self.room.producers],
                marks=self.veiling.tail(member.role, self.document.after(after)).text,
                recording=self.room.recording.to_json() if self.room.recording else None,
                turn=member.turn(),
                presenter=self.presenting.presenter.last(),
                patient=self.bedside.describe(member.role),
            )
        )
        self.reception.tell(member)
        member.send(notices.speaker(self.speaking.speaker))
        self.service.images.tell(member)
        self.recall.look()
        self.service.hospital.tell(member)
        self.theatre.tell(member)
        if isinstance(member.watching, Watching):
            member.watching.resend()
            member.watching.want(self._wanted_by(member))
            self.router.tell_again(member.publication.producers, member.watching.transport.id)
        self.frame_times.tell(member)
        self.pump()

    def join(self, claims: Claims) -> Member:
        """Add a participant who only sends, or is sent what it chose (WHIP, WHEP). Raise RoomError."""
        self.reception.check(claims)
        return self._join(claims, watching=False)

    def join_inside(self, name: str) -> Member:
        """Add a participant that nobody is, whose producers are injected; by no link. Raise RoomError."""
        claims = Claims(room=self.room.name, name=name, role="observer", subject=None, expires=0)
        return self._join(claims, watching=False, recorded=True)

    def _join(self, claims: Claims, *, watching: bool, recorded: bool = False) -> Member:
        identifier = ParticipantId(f"pt-{secrets.token_hex(4)}")
        session = secrets.token_urlsafe(24)
        participant = self.room.join(
            identifier,
            session,
            claims.name,
            claims.role,
            claims.subject,
            claims.link,
            recorded=recorded,
        )
        try:
            member = Member(self, participant, session, watching=watching)
        except RuntimeError:
            # without a transport nobody stays, not even as a name in the list
            self.room.leave(identifier, participant.connection)
            self.pump()
            self.forget_if_empty()
            raise
        self.members[identifier] = member
        self.roles[identifier] = claims.role
        self.watcher.look()
        self.record_joined(participant)
        return member

    def lost(self, member: Member) -> None:
        """Note that a member's socket broke."""
        self.room.lost(member.identifier, member.connection, self.service.now())
        self.pump()

    def leave(self, member: Member) -> None:
        """Let a member go who said so."""
        self.room.leave(member.identifier, member.connection)
        self.pump()

    def close(self, code: str, sentence: str) -> None:
        """End the room for everybody."""
        self.reception.close(code, sentence)
        self.theatre.close("closed")
        self.room.close(code, sentence)
        self.pump()
        self.veiling.end()
        self.presenting.close()
        if self._timer is not None:
            self._timer.cancel()

    # -- media ---------------------------------------------------------------------------------------------------

    def media_heard(self, member: Member, *, silent: bool) -> None:
        """Tell everybody whether a member's media connections fell silent or are heard again."""
        self.room.media(member.identifier, silent=silent)
        self.pump()

    def describe_producer(self, producer: ProducerId) -> tuple[str, str]:
        """Name a producer's participant and source."""
        entry = self.room.producer(producer)
        return entry.participant, entry.source

    def write_down(self, event: dict[str, object]) -> None:
        """Keep what happened in the room, if it is being recorded."""
        if self.recorder is not None:
            self.recorder.receive_event(event, self.service.now())

    def barcode(self, message: messages.Barcode) -> None:
        """Pass on when the frames of a picture with a barcode are sent."""
        self.tell_all(
            notices.barcode(
                message.producer, message.frame, message.time, message.interval_ms, message.modulus
            )
        )

    def receive_plane_event(self, event: PlaneEvent) -> None:
        """Take an event about a stream of one of this room's transports."""
        self.router.receive_event(event, self.service.steady())
        if event.kind is EventKind.KEY_FRAME and self.recorder is not None:
            now, age = self.service.now(), self.service.wall_clock() - event.time / 1e9
            self.recorder.receive_key_frame(ProducerId(event.subject), now - age, now)
        self.pump()

    def receive_rtcp(self, transport: TransportId, data: bytes, time: int) -> None:
        """Take a peer's decrypted control packets."""
        self.router.receive_rtcp(transport, data, self.service.steady(), time)
        self.pump()

    def view(self, member: Member, wall: Wall) -> None:
        """Send a member without socket whatever its wall chooses of the room, from now on."""
        member.view(wall)
        wall.want(self._wanted_by(member))

    def _wanted_by(self, member: Member) -> list[ProducerId]:
        wanted = self.room.audience_of(member.identifier)
        if isinstance(member.watching, Wall):
            # a player has no place for the words that this is no live picture
            wanted = [producer for producer in wanted if self.room.producer(producer).recorded is None]
        return [ProducerId(producer) for producer in wanted]

    def rewatch_all(self) -> None:
        """Offer everybody what they may watch now."""
        self.watcher.look()
        for member in self.members.values():
            if member.watching is not None:
                member.watching.want(self._wanted_by(member))

    # -- marks ---------------------------------------------------------------------------------------------------

    def apply(self, member: Member, operation: Operation, *, over_others: bool = False) -> int:
        """Decide what a participant asks, tell everybody and the recorder; returns its number.

        Raise AnnotationError.
        """
        participant = self.room.participant(member.identifier)
        assert participant is not None, "only who is in the room is heard"
        author, name, colour = member.identifier, participant.name, participant.colour
        if isinstance(operation, Add):
            for other in self.members.values():
                other.lane.finish(author, operation.mark.mark)
        return self.decide(operation, author, name, colour, over_others=over_others)

    def decide(
        self, operation: Operation, author: str, name: str, colour: str, *, over_others: bool = False
    ) -> int:
        """Put an operation into the log in anybody's name: the tracker and the keeper of stills have no socket."""
        now = self.service.now()
        entry = self.document.apply(operation, author, name, colour, now, over_others=over_others)
        if not isinstance(operation, Note | Tracked):
            self.watcher.marked()
        self.veiling.tell(entry)
        return entry.sequence

    def vouch(self, producer: ProducerId, rtp_timestamp: int) -> None:
        """Tell everybody that this frame was looked at, and what was told of its marks stands."""
        self.tell_all(notices.followed(producer, rtp_timestamp))

    def check_image(self, member: Member, anchor: DicomAnchor) -> None:
        """Refuse an image that this participant has not in this room. Raise RoomError."""
        for check in self.image_checks:
            if check(member, anchor):
                return
        raise RoomError("not_found", "This image is not in the room.")

    def relay(self, member: Member, message: EphemeralMessage) -> None:
        """Offer a pointer or a stroke to everybody else's lane."""
        now = self.service.now()
        for other in self.members.values():
            if other is not member:
                other.lane.offer(message, now)
        if isinstance(message, Stroke):
            self.watcher.drawing(message)
        # where a pen hovered says nothing afterwards
        if self.recorder is not None and not (isinstance(message, Pointer) and message.ghost):
            self.recorder.receive_pointer(message.to_json(), now)
        if not self._flush_due:
            # once a turn of the loop: what arrives together leaves together
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        for member in self.members.values():
            member.flush_lane()

    # -- recording -----------------------------------------------------------------------------------------------

    def record_joined(self, participant: Participant) -> None:
        """Write down who is here, so that a replay knows him again where a picture is for some only."""
        if self.recorder is not None:
            person = person_named(self.room.name, participant.name, participant.subject)
            event = {"kind": "participant_joined", **participant.to_json()}
            self.write_down(event | {"person": person_digest(self.recorder.name, person)})

    def recording_failed(self, sentence: str) -> None:
        """End a recording whose disk refused."""
        if self.room.is_recording:
            self.room.recording_failed(sentence)
        self.service.keep(self.stop_recorder("", "failed"))
        self.pump()

    async def stop_recorder(self, by: str, reason: str, doer: Doer = SERVER) -> None:
        """End the journal, if there is one, and have its containers made; `doer` stands in the audit book."""
        recorder = self.recorder
        if recorder is None:
            return
        self.service.tap.share_out()
        self.recorder = None
        await recorder.stop(by, self.service.now(), reason)
        self.service.tap.leave(recorder)
        self.service.archive.finish(recorder)
        await write(self.service, doer, "recording_stopped", recorder.name, reason=reason)

    # -- events and time -----------------------------------------------------------------------------------------

    def pump(self) -> None:
        """Carry out what the cores decided, then wait for the next timer."""
        while (happened := self.router.next_event()) is not None:
            self._router_event(happened)
        while (event := self.room.next_event()) is not None:
            self._room_event(event)
        self.reception.look()
        self._set_timer()

    def _router_event(self, event: RouterEvent) -> None:
        match event:
            case SenderReportReceived():
                self.frame_times.learnt(event)
            case CaptureTimeMoved(producer):
                self.frame_times.moved(producer)
            case EncodingsWanted(producer, active):
                for member in self.members.values():
                    if producer in member.publication.producers:
                        member.send(notices.encodings(producer, active))
            case KeyFrameAsked(producer):
                self.theatre.want_key_frame(producer)
            case Delivered(transport, producer, reason, height):
                for member in self.members.values():
                    if member.watching is not None and member.watching.transport.id == transport:
                        member.send(notices.delivery(producer, reason, height))

    def _room_event(self, event: RoomEvent) -> None:
        match event:
            case Notice(message, to, but):
                for member in self.members.values():
                    if (to is None or member.identifier == to) and member.identifier != but:
                        member.send(message)
            case ConnectionClosed(identifier, connection, message):
                closing = self.members.get(identifier)
                if closing is not None and closing.connection == connection and closing.socket is not None:
                    closing.socket.finish(message)
                    closing.socket = None
            case ParticipantGone(identifier):
                self._gone(identifier)
            case ProducerMuted(producer, muted):
                self.router.set_muted(ProducerId(producer), muted=muted)
            case ProducerForbidden(producer) | ProducerEnded(producer):
                self.publishing.end([ProducerId(producer)])
            case AudienceChanged():
                self.rewatch_all()
            case Happened(happened):
                self.write_down(happened)
                if happened["kind"] == "permit_drawing":
                    # frames are kept where somebody draws
                    self.watcher.look()

    def _gone(self, identifier: ParticipantId) -> None:
        member = self.members.pop(identifier, None)
        if member is None:
            return
        self.theatre.gone(identifier)
        # the room has let go of them already
        self.publishing.end(member.publication.producers)
        member.close()
        if member.socket is not None:
            member.socket.finish()
        self.ephemeral_dropped += member.lane.counters.stale
        self.watcher.look()
        for other in self.members.values():
            other.lane.forget(identifier)
        self.presenting.gone(identifier)
        self.write_down({"kind": "participant_left", "participant": identifier})
        self.forget_if_empty()

    def forget_if_empty(self) -> None:
        """Let go of a room that nobody is in; while somebody waits before it, only its recording ends."""
        if self.theatre.alone:
            self.theatre.close("closed")
            return
        if self.members:
            return
        self.theatre.close("closed")
        self.reception.emptied()
        if not self.reception.guests:
            self.service.forget(self)
        elif self.recorder is not None:
            self.service.keep(self.stop_recorder("", "room_ended"))
            self.room.recording_stopped()

    def tell_all(self, message: notices.ServerMessage) -> None:
        """Send a notice to everybody."""
        for member in self.members.values():
            member.send(message)

    def _set_timer(self) -> None:
        timers = []
        if (router := self.router.get_timer()) is not None:
            timers.append(router)
        if (speaking := self.speaking.get_timer()) is not None:
            timers.append(speaking)
        if (room := self.room.get_timer()) is not None:
            timers.append(room - self.service.now() + self.service.steady())
        if self._timer is not None and (not timers or self._timer.when() > min(timers)):
            self._timer.cancel()
            self._timer = None
        if timers and self._timer is None:
            # one that would come too early stays: it is set anew when it has come
            self._timer = asyncio.get_running_loop().call_at(min(timers), self._handle_timer)

    def _handle_timer(self) -> None:
        self._timer = None
        self.router.handle_timer(self.service.steady())
        self.room.handle_timer(self.service.now())
        self.speaking.handle_timer(self.service.steady())
        self.pump()
