"""What the server says: one builder a message of PROTOCOL.md.

Each returns a `ServerMessage`, which is encoded once however many participants it is sent to.
`now` and other times are Unix seconds; on the wire they are milliseconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from .messages import VERSION

Json = Mapping[str, Any]

#: By what is known when a frame was captured: its sender's word, or that it was no later than when it came.
ClockSource = Literal["sender_report", "arrival"]

# json.dumps would make one at each call
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class ServerMessage:
    """One JSON object for clients: `body` as plain values (not to be changed), `text` as sent.

    `text` may be given where it is known already; `encoded` are further fields that are.
    """

    __slots__ = ("_data", "_encoded", "_text", "body")

    def __init__(
        self, body: dict[str, Any], text: str | None = None, *, encoded: Mapping[str, str] | None = None
    ) -> None:
        self.body = body
        self._text = text
        self._data: bytes | None = None
        self._encoded = encoded

    @property
    def data(self) -> bytes:
        """Encode to UTF-8 at the first use, once for all who are told."""
        if self._data is None:
            self._data = self.text.encode()
        return self._data

    @property
    def text(self) -> str:
        """Encode at the first use. A NaN in it is our fault and raises ValueError."""
        if self._text is None:
            text = _ENCODER.encode(self.body)
            for name, value in (self._encoded or {}).items():
                text = f'{text[:-1]},"{name}":{value}}}'
            self._text = text
        return self._text

    def __repr__(self) -> str:
        return f"ServerMessage({self.body.get('type')!r})"  # contents may be secret: never in a log


def milliseconds(now: float) -> float:
    """Convert Unix seconds to the wire's Unix milliseconds, to the microsecond."""
    return round(now * 1000, 3)


# answers


def reply(request: int, **fields: Any) -> ServerMessage:
    """Answer a request; `fields` are what its section of PROTOCOL.md names (sdp, producers, sequence, …)."""
    return ServerMessage({"type": "reply", "id": request, **fields})


def marks(request: int, tail: str) -> ServerMessage:
    """Answer a `marks` request: `tail` is `annotation`'s Tail, encoded."""
    return ServerMessage({"type": "reply", "id": request}, f'{{"type":"reply","id":{request},{tail[1:]}')


def error(request: int | None, code: str, sentence: str) -> ServerMessage:
    """Refuse a request (or a message whose id could not be read: null)."""
    return ServerMessage({"type": "error", "id": request, "code": code, "message": sentence})


def closed(code: str, sentence: str, reason: str = "") -> ServerMessage:
    """Say why the socket is closed now; `reason` is in the words of who decided it, empty if none was given."""
    body = {"type": "closed", "code": code, "message": sentence}
    return ServerMessage(body | {"reason": reason} if reason else body)


def pong(request: int, client_time: float, now: float) -> ServerMessage:
    """Answer a ping: `client_time` comes back as it was sent."""
    return ServerMessage(
        {"type": "pong", "id": request, "time": client_time, "server_time": milliseconds(now)}
    )


def welcome(
    request: int,
    *,
    participant: str,
    session: str,
    room: str,
    now: float,
    permissions: Sequence[str],
    participants: Sequence[Json],
    producers: Sequence[Json],
    marks: str,
    recording: Json | None,
    turn: Json,
    presenter: Json,
    patient: Json | None,
) -> ServerMessage:
    """Admit: everything that the client needs to show the room.

    `marks` is `annotation`'s Tail, encoded; `turn` holds ice_servers and ice_lifetime; `presenter` says who
    presents what, `patient` whose consultation it is as far as the role may know.
    """
    return ServerMessage(
        {
            "type": "welcome",
            "id": request,
            "version": VERSION,
            "self": participant,
            "session": session,
            "room": room,
            "time": milliseconds(now),
            "permissions": list(permissions),
            "participants": list(participants),
            "producers": list(producers),
            "recording": recording,
            "presenter": presenter,
            "patient": patient,
            **turn,
        },
        encoded={"marks": marks},
    )


# notices


def offer(revision: int, connection: int, sdp: str, consumers: Sequence[Json]) -> ServerMessage:
    """Offer what the client is to be sent: `consumers` are objects of mid, producer, consumer.

    `connection` counts the receiving connections: with the same number, new ICE credentials are an ICE restart.
    """
    body = {"type": "offer", "revision": revision, "connection": connection, "sdp": sdp}
    return ServerMessage({**body, "consumers": list(consumers)})


def participant(description: Json) -> ServerMessage:
    """Describe a participant who is new or has changed."""
    return ServerMessage({"type": "participant", "participant": description})


def participant_left(identifier: str, reason: str) -> ServerMessage:
    """Say that a participant is no longer of the room: left, timeout, removed or room_ended."""
    return ServerMessage({"type": "participant_left", "participant": identifier, "reason": reason})


def producer(description: Json) -> ServerMessage:
    """Describe a producer that is new or has changed."""
    return ServerMessage({"type": "producer", "producer": description})


def producer_removed(identifier: int) -> ServerMessage:
    """Say that a producer has ended."""
    return ServerMessage({"type": "producer_removed", "producer": identifier})


def encodings(identifier: int, active: Sequence[bool]) -> ServerMessage:
    """Tell a publisher which encodings of its producer, the lowest first, anybody watches."""
    return ServerMessage({"type": "encodings", "producer": identifier, "active": list(active)})


def delivery(identifier: int, reason: str, height: int) -> ServerMessage:
    """Tell a receiver in what height it is sent a producer (0: not at all), and why not better."""
    return ServerMessage(
        {"type": "delivery", "producer": identifier, "reason": str(reason), "height": height}
    )


def clock(
    producer: int, rtp_timestamp: int, captured: float, clock_rate: int, source: ClockSource
) -> ServerMessage:
    """Tie an RTP timestamp to the server's clock.

    It was captured then by the producer's sender report, or then at the latest, since the report cannot be true.
    """
    return ServerMessage(
        {
            "type": "clock",
            "producer": producer,
            "rtp_timestamp": rtp_timestamp,
            "time": milliseconds(captured),
            "clock_rate": clock_rate,
            "source": source,
        }
    )


def naming(producer: int, rtp_timestamp: int, captured: float, offsets: Mapping[int, int]) -> ServerMessage:
    """Tell a publisher how receivers name its frames: `captured` is by its own clock, `offsets` are by SSRC."""
    return ServerMessage(
        {
            "type": "naming",
            "producer": producer,
            "rtp_timestamp": rtp_timestamp,
            "time": milliseconds(captured),
            "offsets": [{"ssrc": ssrc, "offset": offset} for ssrc, offset in offsets.items()],
        }
    )


def barcode(producer: int, frame: int, time: float, interval_ms: float, modulus: int) -> ServerMessage:
    """Pass a publisher's barcode on; `time` stays in Unix ms, as `messages.Barcode` has it."""
    return ServerMessage(
        {
            "type": "barcode",
            "producer": producer,
            "frame": frame,
            "time": time,
            "interval_ms": interval_ms,
            "modulus": modulus,
        }
    )


def operation(entry: Json, text: str | None = None) -> ServerMessage:
    """Tell everybody a decided operation: `entry` is `annotation`'s Entry as JSON, `text` the same if encoded."""
    encoded = None if text is None else f'{{"type":"operation",{text[1:]}'
    return ServerMessage({"type": "operation", **entry}, encoded)


def followed(producer: int, rtp_timestamp: int) -> ServerMessage:
    """Say that what was told of this producer's marks stands in this frame too."""
    return ServerMessage({"type": "followed", "producer": producer, "rtp_timestamp": rtp_timestamp})


def patient(description: Json | None) -> ServerMessage:
    """Say whose consultation it is, as far as the receiver may know; None: nobody's yet."""
    return ServerMessage({"type": "patient", "patient": description})


def hospital(description: Json) -> ServerMessage:
    """Say how what is fetched from the hospital or goes to it stands."""
    return ServerMessage({"type": "hospital", **description})


def presenter(description: Json) -> ServerMessage:
    """Say who presents, and who asks to."""
    return ServerMessage({"type": "presenter", **description})


def showing(described: Json | None, reason: str | None = None) -> ServerMessage:
    """Say which recording is shown, and how it stands; None: none is, for this `reason`."""
    return ServerMessage({"type": "showing", "showing": described, "reason": reason})


def viewport(author: str, n: int, sent: float, state: Json) -> ServerMessage:
    """Show what the presenter sees; `sent` stays in Unix ms, as `presenter_messages.Viewport` has it."""
    return ServerMessage({"type": "viewport", "author": author, "n": n, "sent": sent, "state": state})


def recording(description: Json | None) -> ServerMessage:
    """Tell what is being recorded; None: nothing."""
    return ServerMessage({"type": "recording", "recording": description})


# manners


def waiting_room(request: int, waiting: str, room: str, place: int, *, attended: bool) -> ServerMessage:
    """Answer a hello that has to wait: `place` in the queue, from 1, and whether anybody is there to open."""
    body = {"type": "waiting_room", "id": request, "waiting": waiting, "room": room, "place": place}
    return ServerMessage({**body, "attended": attended})


def door(locked: bool, waiting: Sequence[Json]) -> ServerMessage:
    """Tell those who may open it how the door stands: `waiting` only to them, else empty."""
    return ServerMessage({"type": "door", "locked": locked, "waiting": list(waiting)})


def speaker(identifier: str | None) -> ServerMessage:
    """Say who speaks."""
    return ServerMessage({"type": "speaker", "participant": identifier})


# images


def studies(summaries: Sequence[Json], aside: Json | None = None) -> ServerMessage:
    """Say which studies the room has, as whom it goes to may see them (annotation/dicom/DICOMWEB.md).

    `aside` counts what was put aside, for those who may bring images.
    """
    more = {} if aside is None else {"aside": aside}
    return ServerMessage({"type": "studies", "studies": list(summaries), **more})
