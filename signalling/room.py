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

from collections import deque
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, Literal, NewType

from . import notices
from .colours import NEUTRAL, choose
from .messages import Source
from .notices import ServerMessage, milliseconds
from .permissions import Permission, Role, may, refusal
from .tokens import is_room_name

#: A participant of one room: "pt-" and what the shell's random source gave. Public.
ParticipantId = NewType("ParticipantId", str)

AWAY_SECONDS: Final = 30.0
CAPACITY: Final = 64
EXPERTS: Final = 16


class State(Enum):
    """Where a participant is (see above)."""

    CONNECTED = "connected"
    AWAY = "away"
    GONE = "gone"


class Cause(Enum):
    """What happens to a participant; those that end it are `participant_left`'s reasons."""

    LOST = "lost"
    RESUMED = "resumed"
    LEFT = "left"
    TIMEOUT = "timeout"
    REMOVED = "removed"
    ROOM_ENDED = "room_ended"


#: Every legal step. What is not in it cannot happen: calls that come too late are ignored before.
TRANSITIONS: Final[dict[tuple[State, Cause], State]] = {
    (State.CONNECTED, Cause.LOST): State.AWAY,
    (State.CONNECTED, Cause.RESUMED): State.CONNECTED,  # taken over
    (State.CONNECTED, Cause.LEFT): State.GONE,
    (State.CONNECTED, Cause.REMOVED): State.GONE,
    (State.CONNECTED, Cause.ROOM_ENDED): State.GONE,
    (State.AWAY, Cause.RESUMED): State.CONNECTED,
    (State.AWAY, Cause.TIMEOUT): State.GONE,
    (State.AWAY, Cause.REMOVED): State.GONE,
    (State.AWAY, Cause.ROOM_ENDED): State.GONE,
}


class RoomError(ValueError):
    """A request that the room refuses: `code` and sentence are those of the `error` (PROTOCOL.md, section 7)."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class Participant:
    """A person (or a publisher, or the recorder) in the room. `connection` counts who speaks for it.

    `silent`: its media connections have not been heard for 5 s, whatever its signalling does.
    """

    participant: ParticipantId
    name: str
    role: Role
    subject: str | None
    colour: str
    state: State = State.CONNECTED
    connection: int = 1
    silent: bool = False

    def to_json(self) -> dict[str, Any]:
        """Describe for clients."""
        return {
            "participant": self.participant,
            "name": self.name,
            "role": self.role,
            "state": self.state.value,
            "media": "silent" if self.silent else "live",
            "colour": self.colour,
        }


@dataclass(frozen=True, slots=True)
class Producer:
    """A track that a participant sends; `producer` is the media plane's number."""

    producer: int
    participant: ParticipantId
    source: Source
    kind: Literal["audio", "video"]
    codec: str
    label: str
    muted: bool = False

    def to_json(self) -> dict[str, Any]:
        """Describe for clients."""
        return {
            "producer": self.producer,
            "participant": self.participant,
            "source": self.source,
            "kind": self.kind,
            "codec": self.codec,
            "label": self.label,
            "muted": self.muted,
        }


@dataclass(frozen=True, slots=True)
class Recording:
    """The room's recording; `since` in Unix seconds, `reason` a sentence when it failed."""

    recording: str
    since: float
    by: str
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Describe for clients."""
        body = {
            "recording": self.recording,
            "state": "recording" if self.reason is None else "failed",
            "since": milliseconds(self.since),
            "by": self.by,
        }
        return body if self.reason is None else body | {"reason": self.reason}


@dataclass(frozen=True, slots=True)
class Notice:
    """Send `message` to `to` alone, or to everybody connected but `but`, or (both None) to everybody."""

    message: ServerMessage
    to: ParticipantId | None = None
    but: ParticipantId | None = None


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """Send `message` on this one connection of the participant, and close it."""

    participant: ParticipantId
    connection: int
    message: ServerMessage


@dataclass(frozen=True, slots=True)
class ParticipantGone:
    """Free what the participant had: its media connections, its lane. Its marks stay."""

    participant: ParticipantId
    reason: Cause


RoomEvent = Notice | ConnectionClosed | ParticipantGone


class Room:
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
        self.name = name
        self._capacity = capacity
        self._experts = experts
        self._away_seconds = away_seconds
        self._participants: dict[ParticipantId, Participant] = {}
        self._sessions: dict[str, ParticipantId] = {}
        self._deadlines: dict[ParticipantId, float] = {}
        self._producers: dict[int, Producer] = {}
        self._recording: Recording | None = None
        self._ended = False
        self._events: deque[RoomEvent] = deque()

    # what stands

    @property
    def participants(self) -> tuple[Participant, ...]:
        """All who are connected or away, in the order of their coming."""
        return tuple(self._participants.values())

    @property
    def producers(self) -> tuple[Producer, ...]:
        """All that is sent, in the order of its coming."""
        return tuple(self._producers.values())

    @property
    def recording(self) -> Recording | None:
        """The running or failed recording."""
        return self._recording

    @property
    def ended(self) -> bool:
        """Whether the room was closed."""
        return self._ended

    def participant(self, identifier: ParticipantId) -> Participant | None:
        """Look a participant up; None if it is gone."""
        return self._participants.get(identifier)

    def producer(self, identifier: int) -> Producer:
        """Look a producer up. Raise RoomError not_found."""
        found = self._producers.get(identifier)
        if found is None:
            raise RoomError("not_found", "There is no such producer in this room.")
        return found

    def demand(self, identifier: ParticipantId, permission: Permission) -> None:
        """Raise RoomError not_permitted, in a sentence, unless the participant has the permission."""
        role = self._present(identifier).role
        if not may(role, permission):
            raise RoomError("not_permitted", refusal(role, permission))

    # coming and going

    def join(
        self,
        identifier: ParticipantId,
        session: str,
        name: str,
        role: Role,
        subject: str | None = None,
    ) -> Participant:
        """Admit a newcomer, whose identifier and session secret the shell drew at random.

        Raise RoomError room_full or room_ended.
        """
        if identifier in self._participants or session in self._sessions:
            raise ValueError("A participant's identifier and session must be new.")
        if self._ended:
            raise RoomError("room_ended", "This room has ended.")
        present = self._participants.values()
        if len(present) >= self._capacity:
            raise RoomError("room_full", f"This room is full: it holds {self._capacity} participants.")
        if role == "expert" and sum(other.role == "expert" for other in present) >= self._experts:
            raise RoomError("room_full", f"This room is full: it holds {self._experts} experts.")
        colour = choose(other.colour for other in present) if may(role, "mark") else NEUTRAL
        newcomer = Participant(identifier, name, role, subject, colour)
        self._participants[identifier] = newcomer
        self._sessions[session] = identifier
        self._tell(notices.participant(newcomer.to_json()), but=identifier)
        return newcomer

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

    def remove(self, identifier: ParticipantId) -> None:
        """Show a participant out; its session is void. Raise RoomError not_found."""
        participant = self._present(identifier)
        if participant.state is State.CONNECTED:
            self._close(participant, "removed", "You were removed from this room.")
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
        self._present(producer.participant)
        if producer.producer in self._producers:
            raise ValueError("A producer is announced once.")
        self._producers[producer.producer] = producer
        self._tell(notices.producer(producer.to_json()))

    def mute(self, by: ParticipantId, identifier: int, *, muted: bool) -> Producer:
        """Mute or unmute: one's own as one likes; who moderates may mute others, but never unmute them.

        Raise RoomError not_found or not_permitted.
        """
        role = self._present(by).role
        producer = self.producer(identifier)
        if producer.participant != by:
            if not may(role, "moderate"):
                raise RoomError("not_permitted", refusal(role, "moderate"))
            if not muted:
                raise RoomError("not_permitted", "Nobody may unmute somebody else.")
        if producer.muted != muted:
            producer = self._producers[identifier] = replace(producer, muted=muted)
            self._tell(notices.producer(producer.to_json()))
        return producer

    def withdraw(self, identifier: int) -> None:
        """Take a producer away. One that is gone already is ignored."""
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
        self._recording = replace(self._recording, reason=reason)
        self._tell(notices.recording(self._recording.to_json()))

    def recording_stopped(self) -> Recording:
        """Tell everybody that the recording is over; return it. Raise RoomError not_recording."""
        stopped, self._recording = self._recording, None
        if stopped is None:
            raise RoomError("not_recording", "This room is not being recorded.")
        self._tell(notices.recording(None))
        return stopped

    @property
    def is_recording(self) -> bool:
        """Whether a recording runs (a failed one does not)."""
        return self._recording is not None and self._recording.reason is None

    # time and events

    def get_timer(self) -> float | None:
        """When `handle_timer` wants to be called: the next end of somebody's 30 seconds."""
        return min(self._deadlines.values(), default=None)

    def handle_timer(self, now: float) -> None:
        """Let go of those who did not come back in time."""
        for identifier, deadline in list(self._deadlines.items()):
            if deadline <= now:
                self._end(self._participants[identifier], Cause.TIMEOUT)

    def next_event(self) -> RoomEvent | None:
        """Take the next thing to do, in order; None: nothing."""
        return self._events.popleft() if self._events else None

    # the engine

    def _present(self, identifier: ParticipantId) -> Participant:
        participant = self._participants.get(identifier)
        if participant is None:
            raise RoomError("not_found", "There is no such participant in this room.")
        return participant

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

    def _close(self, participant: Participant, code: str, sentence: str) -> None:
        message = notices.closed(code, sentence)
        self._events.append(ConnectionClosed(participant.participant, participant.connection, message))

    def _tell(self, message: ServerMessage, but: ParticipantId | None = None) -> None:
        self._events.append(Notice(message, but=but))
