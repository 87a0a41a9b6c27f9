"""The nouns of a room, what can happen to a participant, and what a room says is to be done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal, NewType, cast

from .notices import ServerMessage, milliseconds
from .orientation import Orientation
from .permissions import Permission, Role, may
from .sources import SOURCES, Source

#: A participant of one room: "pt-" and what the shell's random source gave. Public.
ParticipantId = NewType("ParticipantId", str)


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
    #: which link opened the room to it: a removed one does not again
    link: str = ""
    #: when it raised its hand, counted in this room; 0: it has not
    hand: int = 0
    #: what it may send; None: what its role may
    sources: frozenset[Source] | None = None
    #: whether it may draw; None: if its role may
    draws: bool | None = None
    #: it is nobody, but a recording that is shown
    recorded: bool = False

    def may(self, permission: Permission) -> bool:
        """Tell whether it has the permission: by its role, but for drawing, which is given and taken.

        Whose pen was taken may still wipe its own marks away.
        """
        if self.draws is not None and permission == "mark":
            return self.draws
        return may(self.role, permission) or (permission == "clear_own" and self.draws is True)

    def may_send(self, source: Source) -> bool:
        """Tell whether it may send this: what it was permitted, else what its role may."""
        if self.sources is not None:
            return source in self.sources
        return may(self.role, "publish_field" if source == "field" else "publish")

    def to_json(self) -> dict[str, Any]:
        """Describe for clients."""
        return {
            "participant": self.participant,
            "name": self.name,
            "role": self.role,
            "state": self.state.value,
            "media": "silent" if self.silent else "live",
            "colour": self.colour,
            "hand": self.hand,
            "sources": sorted(source for source in SOURCES if self.may_send(cast(Source, source))),
            "draws": self.may("mark"),
            **({"recorded": True} if self.recorded else {}),
        }


@dataclass(frozen=True, slots=True)
class Audience:
    """Who may watch a producer: everybody of these roles, and these."""

    roles: frozenset[Role]
    participants: frozenset[str]

    def holds(self, participant: Participant) -> bool:
        """Tell whether a participant belongs to it."""
        return participant.role in self.roles or participant.participant in self.participants

    def to_json(self) -> dict[str, Any]:
        """Describe for clients."""
        return {"roles": sorted(self.roles), "participants": sorted(self.participants)}


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a producer is a replay of: a recording that began at `started` (Unix ms), and one of its producers."""

    recording: str
    started: float
    producer: int
    source: Source

    def to_json(self) -> dict[str, Any]:
        """Describe for clients."""
        return {
            "recording": self.recording,
            "started": self.started,
            "producer": self.producer,
            "source": self.source,
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
    #: who muted it last, if not its owner
    muted_by: ParticipantId | None = None
    audience: Audience | None = None
    #: nothing comes of it any more: its sender's connection is gone, and another one is waited for
    interrupted: bool = False
    #: the RTP timestamp from which on it is sent since the newest interruption: marks from before may lie elsewhere
    since: int | None = None
    #: and when that was, Unix seconds: RTP timestamps come round every 13 hours
    since_time: float = 0
    #: which way round the picture is, as far as anybody has said
    orientation: Orientation | None = None
    #: it is no live picture or sound, but one that was recorded
    recorded: Recorded | None = None

    def may_be_watched(self, by: Participant) -> bool:
        """Tell whether a participant is of its audience."""
        return by.participant == self.participant or self.audience is None or self.audience.holds(by)

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
            "muted_by": self.muted_by,
            "audience": None if self.audience is None else self.audience.to_json(),
            "interrupted": self.interrupted,
            "since": self.since,
            "since_time": None if self.since is None else milliseconds(self.since_time),
            "orientation": None if self.orientation is None else self.orientation.to_json(),
            **({} if self.recorded is None else {"recorded": self.recorded.to_json()}),
        }


@dataclass(frozen=True, slots=True)
class Recording:
    """The room's recording; times in Unix seconds, `reason` a sentence when it failed or is interrupted."""

    recording: str
    since: float
    by: str
    reason: str | None = None
    #: Since when it is not being written, and a word for why.
    interrupted: float | None = None
    cause: str = ""
    #: Seconds and packets of it that are missing by now.
    missing: float = 0.0
    packets: int = 0

    @property
    def runs(self) -> bool:
        """Whether it is being written, or will be when the disk is back: a failed one is not."""
        return self.reason is None or self.interrupted is not None

    def to_json(self) -> dict[str, Any]:
        """Describe for clients."""
        state = "interrupted" if self.interrupted is not None else "recording" if self.runs else "failed"
        body: dict[str, Any] = {"recording": self.recording, "state": state}
        body |= {"since": milliseconds(self.since), "by": self.by}
        if self.reason is not None:
            body["reason"] = self.reason
        if self.interrupted is not None:
            body |= {"cause": self.cause, "interrupted": milliseconds(self.interrupted)}
        if self.packets:
            body["missing"] = {"seconds": round(self.missing, 1), "packets": self.packets}
        return body


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


@dataclass(frozen=True, slots=True)
class ProducerMuted:
    """Stop passing a producer on to anybody, the recorder included, or begin again."""

    producer: int
    muted: bool


@dataclass(frozen=True, slots=True)
class ProducerForbidden:
    """Stop receiving a producer: its owner may not send it any more."""

    producer: int


@dataclass(frozen=True, slots=True)
class ProducerEnded:
    """Stop waiting for a producer that was interrupted."""

    producer: int


@dataclass(frozen=True, slots=True)
class AudienceChanged:
    """Look anew at what each is sent."""


@dataclass(frozen=True, slots=True)
class Happened:
    """Write down what happened, if a recording runs: a room event of recorder/FORMAT.md."""

    event: dict[str, Any]


RoomEvent = (
    Notice
    | ConnectionClosed
    | ParticipantGone
    | ProducerMuted
    | ProducerForbidden
    | ProducerEnded
    | AudienceChanged
    | Happened
)
