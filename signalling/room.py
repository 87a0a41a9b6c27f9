"""A room: who is in it, what they send, whether it is recorded, and who is told of each change.

A participant is **connected** while a socket speaks for it. When the socket breaks it is **away**: it keeps
identity, colour, producers and marks for 30 s, and the others see that it is away. Whoever knows its session
secret resumes it within that time; a second socket with the same secret takes over at once, so that a page
that was opened again never waits for the death of the old one to be noticed. It is **gone** when it leaves,
when nobody comes back in time, when it is removed or when the room ends; a later visit is a new identity.

    connected ──lost──▶ away ──timeout──▶ gone
        ▲ │ resumed      │                 ▲
        └─┘◀──resumed────┘                 │
        └──── left, removed, room ended ───┘ (from away too)

The room never sees a socket. Each join or resumption numbers the connection that speaks for the participant;
what comes late from an older one is ignored. Events say what to send to whom, in order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from . import notices
from .colours import NEUTRAL, choose
from .entities import (
    TRANSITIONS,
    Audience,
    AudienceChanged,
    Cause,
    ConnectionClosed,
    Happened,
    Notice,
    Participant,
    ParticipantGone,
    ParticipantId,
    Producer,
    ProducerEnded,
    ProducerForbidden,
    ProducerMuted,
    Recording,
    RoomError,
    RoomEvent,
    State,
)
from .guidance import Guidance
from .permissions import Role, may
from .tokens import is_room_name

__all__ = [
    "TRANSITIONS",
    "Audience",
    "AudienceChanged",
    "Cause",
    "ConnectionClosed",
    "Happened",
    "Notice",
    "Participant",
    "ParticipantGone",
    "ParticipantId",
    "Producer",
    "ProducerEnded",
    "ProducerForbidden",
    "ProducerMuted",
    "Recording",
    "Room",
    "RoomError",
    "RoomEvent",
    "State",
]

AWAY_SECONDS: Final = 30.0
CAPACITY: Final = 64
EXPERTS: Final = 16


class Room(Guidance):
    """The participants, producers and recording of one room. `now` is in seconds and must not step back."""

    def __init__(
        self,
        name: str,
        *,
        capacity: int = CAPACITY,
        experts: int = EXPERTS,
        away_seconds: float = AWAY_SECONDS,
    ) -> None:
        if not is_room_name(name):
            raise ValueError("A room's name has 1-64 characters of A-Z a-z 0-9 - _ . and no dot in front.")
        super().__init__()
        self.name = name
        self._capacity = capacity
        self._experts = experts
        self._away_seconds = away_seconds
        self._sessions: dict[str, ParticipantId] = {}
        self._deadlines: dict[ParticipantId, float] = {}
        self._interrupted: dict[int, float] = {}
        self._removed: set[str] = set()
        self._recording: Recording | None = None
        self._ended = False

    # what stands

    @property
    def recording(self) -> Recording | None:
        """The running or failed recording."""
        return self._recording

    @property
    def ended(self) -> bool:
        """Whether the room was closed."""
        return self._ended

    # coming and going

    def join(
        self,
        identifier: ParticipantId,
        session: str,
        name: str,
        role: Role,
        subject: str | None = None,
        link: str = "",
        *,
        recorded: bool = False,
    ) -> Participant:
        """Admit a newcomer, whose identifier and session secret the shell drew at random.

        `link` names the link that it came by; `recorded`: it is nobody, but a recording that is shown. Raise
        RoomError room_full, room_ended or removed.
        """
        if identifier in self._participants or session in self._sessions:
            raise ValueError("A participant's identifier and session must be new.")
        if self._ended:
            raise RoomError("room_ended", "This room has ended.")
        self.check_link(link)
        present = self._participants.values()
        if len(present) >= self._capacity:
            raise RoomError("room_full", f"This room is full: it holds {self._capacity} participants.")
        if role == "expert" and sum(other.role == "expert" for other in present) >= self._experts:
            raise RoomError("room_full", f"This room is full: it holds {self._experts} experts.")
        colour = choose(other.colour for other in present) if may(role, "mark") else NEUTRAL
        permitted = self._permits.get(link) if link else None
        newcomer = Participant(
            identifier, name, role, subject, colour, link=link, sources=permitted, recorded=recorded
        )
        self._participants[identifier] = newcomer = self._with_pen(newcomer)
        self._sessions[session] = identifier
        self._tell(notices.participant(newcomer.to_json()), but=identifier)
        return newcomer

    def check_link(self, link: str) -> None:
        """Raise RoomError removed for the link of one who was shown out."""
        if link and link in self._removed:
            raise RoomError("removed", "You were removed from this room; this link does not open it again.")

    def resume(self, session: str, name: str, role: Role, subject: str | None = None) -> Participant | None:
        """Give a returning client its identity back; None if the session is over or the link another's.

        A connection that still speaks for it is closed with taken_over. The caller tells connections apart by
        the `connection` number of what is returned.
        """
        identifier = self._sessions.get(session)
        if identifier is None:
            return None
        before = self._participants[identifier]
        if (before.name, before.role, before.subject) != (name, role, subject):
            return None
        if before.state is State.CONNECTED:
            self._close(before, "taken_over", "This consultation was opened elsewhere with the same link.")
        self._deadlines.pop(identifier, None)
        after = replace(before, connection=before.connection + 1)
        self._participants[identifier] = after = self._step(after, Cause.RESUMED)
        if before.state is not after.state:
            self._tell(notices.participant(after.to_json()), but=identifier)
        return after

    def lost(self, identifier: ParticipantId, connection: int, now: float) -> None:
        """Note that a connection broke. One that speaks for nobody any more is ignored."""
        participant = self._speaking(identifier, connection)
        if participant is None:
            return
        self._participants[identifier] = participant = self._step(participant, Cause.LOST)
        self._deadlines[identifier] = now + self._away_seconds
        self._tell(notices.participant(participant.to_json()), but=identifier)

    def leave(self, identifier: ParticipantId, connection: int) -> None:
        """Note that a participant said goodbye. A connection that speaks for nobody any more is ignored."""
        participant = self._speaking(identifier, connection)
        if participant is not None:
            self._end(participant, Cause.LEFT)

    def remove(self, identifier: ParticipantId, reason: str = "", by: ParticipantId | None = None) -> None:
        """Show a participant out; its session is void, and its link opens this room no more.

        With `by` that one must be permitted to. Raise RoomError not_found or not_permitted.
        """
        if by is not None:
            self.demand(by, "remove")
            if by == identifier:
                raise RoomError("not_permitted", "Nobody removes himself: leave instead.")
        participant = self._present(identifier)
        if participant.link:
            self._removed.add(participant.link)
        self._happened("removed", participant=identifier, by=by, reason=reason)
        if participant.state is State.CONNECTED:
            self._close(participant, "removed", reason or "You were removed from this room.", reason)
        self._end(participant, Cause.REMOVED)

    def close(self, code: str = "room_ended", sentence: str = "This room has ended.") -> None:
        """End the room for everybody (with `server_stopping`, too). Nobody can join afterwards."""
        self._ended = True
        for participant in self.participants:
            if participant.state is State.CONNECTED:
                self._close(participant, code, sentence)
            self._end(participant, Cause.ROOM_ENDED)

    def media(self, identifier: ParticipantId, *, silent: bool) -> None:
        """Note whether a participant's media connections are heard of. Who is gone is ignored."""
        participant = self._participants.get(identifier)
        if participant is not None and participant.silent != silent:
            self._participants[identifier] = participant = replace(participant, silent=silent)
            self._tell(notices.participant(participant.to_json()))

    # what is sent

    def announce(self, producer: Producer) -> None:
        """Make a new producer known to all, its owner included."""
        owner = self._present(producer.participant)
        if producer.producer in self._producers:
            raise ValueError("A producer is announced once.")
        producer = self._oriented(self._restricted(producer, owner), owner)
        if producer.audience is not None:
            body = producer.audience.to_json()
            self._happened("restrict", producer=producer.producer, audience=body, by=owner.participant)
        self._producers[producer.producer] = producer
        self._tell(notices.producer(producer.to_json()))

    def interrupt(self, identifier: int, now: float) -> None:
        """Note that its sender's connection is gone: it ends unless it goes on within the time of who is away."""
        producer = self.producer(identifier)
        if not producer.interrupted:
            self._interrupted[identifier] = now + self._away_seconds
            self._change(replace(producer, interrupted=True))
            self._happened("producer_interrupted", producer=identifier)

    def go_on(self, identifier: int, since: int | None, now: float) -> None:
        """Note that it comes over another connection, its pictures from RTP timestamp `since` on; None: sound."""
        producer = self.producer(identifier)
        self._interrupted.pop(identifier, None)
        self._change(replace(producer, interrupted=False, since=since, since_time=now))
        self._happened("producer_resumed", producer=identifier, since=since)

    def withdraw(self, identifier: int) -> None:
        """Take a producer away. One that is gone already is ignored."""
        self._interrupted.pop(identifier, None)
        if self._producers.pop(identifier, None) is not None:
            self._tell(notices.producer_removed(identifier))

    # the recording

    def recording_started(self, recording: str, by: ParticipantId, now: float) -> Recording:
        """Tell everybody that this room is being recorded. Raise RoomError already_recording."""
        if self.is_recording:
            raise RoomError("already_recording", "This room is being recorded already.")
        self._recording = Recording(recording, now, self._present(by).name)
        self._tell(notices.recording(self._recording.to_json()))
        return self._recording

    def recording_failed(self, reason: str) -> None:
        """Tell everybody why the recording broke off; it may be stopped or started anew."""
        if self._recording is None:
            raise RoomError("not_recording", "This room is not being recorded.")
        self._record(replace(self._recording, reason=reason, interrupted=None))

    def recording_interrupted(self, cause: str, reason: str, since: float) -> None:
        """Tell everybody that nothing is being written since `since`, and why; it goes on by itself."""
        if self._recording is None:
            raise RoomError("not_recording", "This room is not being recorded.")
        self._record(replace(self._recording, reason=reason, cause=cause, interrupted=since))

    def recording_resumed(self, seconds: float, packets: int) -> None:
        """Tell everybody that it is being written again, and what of it is missing more."""
        if self._recording is None:
            raise RoomError("not_recording", "This room is not being recorded.")
        missing, lost = self._recording.missing + seconds, self._recording.packets + packets
        again = replace(self._recording, reason=None, interrupted=None, missing=missing, packets=lost)
        self._record(again)

    def _record(self, recording: Recording) -> None:
        self._recording = recording
        self._tell(notices.recording(recording.to_json()))

    def recording_stopped(self) -> Recording:
        """Tell everybody that the recording is over; return it. Raise RoomError not_recording."""
        stopped, self._recording = self._recording, None
        if stopped is None:
            raise RoomError("not_recording", "This room is not being recorded.")
        self._tell(notices.recording(None))
        return stopped

    @property
    def is_recording(self) -> bool:
        """Whether a recording runs (a failed one does not, one that is interrupted does)."""
        return self._recording is not None and self._recording.runs

    # time and events

    def get_timer(self) -> float | None:
        """When `handle_timer` wants to be called: the next end of somebody's, or something's, 30 seconds."""
        return min([*self._deadlines.values(), *self._interrupted.values()], default=None)

    def handle_timer(self, now: float) -> None:
        """Let go of those who did not come back in time."""
        for identifier, deadline in list(self._deadlines.items()):
            if deadline <= now:
                self._end(self._participants[identifier], Cause.TIMEOUT)
        for producer, deadline in list(self._interrupted.items()):
            if deadline <= now:
                del self._interrupted[producer]
                self._events.append(ProducerEnded(producer))

    # the engine

    def _speaking(self, identifier: ParticipantId, connection: int) -> Participant | None:
        participant = self._participants.get(identifier)
        if participant is None or participant.connection != connection:
            return None
        return participant if participant.state is State.CONNECTED else None

    def _step(self, participant: Participant, cause: Cause) -> Participant:
        return replace(participant, state=TRANSITIONS[participant.state, cause])

    def _end(self, participant: Participant, cause: Cause) -> None:
        self._step(participant, cause)
        identifier = participant.participant
        del self._participants[identifier]
        self._deadlines.pop(identifier, None)
        self._sessions = {secret: owner for secret, owner in self._sessions.items() if owner != identifier}
        for producer in self.producers:
            if producer.participant == identifier:
                self.withdraw(producer.producer)
        self._tell(notices.participant_left(identifier, cause.value))
        self._events.append(ParticipantGone(identifier, cause))

    def _close(self, participant: Participant, code: str, sentence: str, reason: str = "") -> None:
        message = notices.closed(code, sentence, reason)
        self._events.append(ConnectionClosed(participant.participant, participant.connection, message))
