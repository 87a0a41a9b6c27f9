"""One association that a device asks us for, to store objects (PS3.8, 9.2; PS3.4, annex B): without a socket.

A device connects, names itself and whom it calls, and says in which forms it would send which kinds of objects; we say
which of them we take. From then on it sends commands, each perhaps with a data set in pieces, and waits for the answer
to each. It ends by a release, by an abort, or by going away.

What came so far lies nowhere but in the events: a piece is handed on with the PDU that it came in, so no object is
held in memory. Whoever breaks the protocol, sends a PDU that is larger than was agreed, an object that is larger than
is taken, or nothing for a minute, is aborted; nothing but his own association is touched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from . import upper_layer
from .command_set import CANCEL, COMMAND_LIMIT, ECHO, STORE, Command
from .upper_layer import (
    ABORT,
    ASSOCIATE_RQ,
    DATA,
    HEAD,
    PDU_LIMIT,
    RELEASE_RP,
    RELEASE_RQ,
    Request,
    UpperLayerError,
)

#: Seconds in which a peer has to ask for its association (PS3.8's ARTIM timer).
ASKING: Final = 10.0
#: Seconds in which a command, an answer or so many bytes of an object have to come: 4 kB a second are too slow.
SILENCE: Final = 60.0
PROGRESS: Final = 1 << 18

#: Statuses of C-STORE (PS3.4, B.2.3; PS3.7, annex C).
TAKEN, NOT_AUTHORISED, OUT_OF_RESOURCES, NOT_UNDERSTOOD = 0x0000, 0x0124, 0xA700, 0xC000

_VERIFICATION: Final = "1.2.840.10008.1.1"
#: What all SOP classes of storage begin with (PS3.4, B.5).
_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."


class Rejection(StrEnum):
    """Why nobody takes an association."""

    CALLED = "the title that was called is not known"
    CALLING = "who called is not known"
    BUSY = "there are too many associations"


#: Result, source and reason of each (PS3.8, 9.3.4).
_REJECTIONS: Final = {Rejection.CALLED: (1, 1, 7), Rejection.CALLING: (1, 1, 3), Rejection.BUSY: (2, 3, 2)}


@dataclass(frozen=True, slots=True)
class Begun:
    """An object begins to come."""

    called: str
    calling: str
    sop_class: str
    sop_instance: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Piece:
    """The next bytes of its data set."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Whole:
    """It is complete and waits for `Acceptor.answer`."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The association is over; what was not whole is none. `why` is for the log: nothing of a peer stands in it.

    `too_large`: an object was larger than is taken.
    """

    why: str
    too_large: bool = False


Event = Begun | Piece | Whole | Ended


class State(StrEnum):
    """Where an association stands."""

    AWAITED = "awaited"
    ESTABLISHED = "established"
    OVER = "over"


class Acceptor:
    """Takes what a peer sends and says what to send to it."""

    def __init__(
        self,
        permit: Callable[[str, str], Rejection | None],
        syntaxes: frozenset[str],
        implementation: str,
        object_limit: int,
        now: float,
    ) -> None:
        """`permit` is asked with the called and the calling title; `object_limit` is in bytes; `now` in seconds."""
        self._permit, self._syntaxes, self._implementation = permit, syntaxes, implementation
        self._object_limit = object_limit
        self._state = State.AWAITED
        self._received, self._sending = bytearray(), bytearray()
        self._events: deque[Event] = deque()
        self._due = now + ASKING
        self._progress = 0
        self._request: Request | None = None
        self._chosen: dict[int, str] = {}
        # the command that is coming or whose data set is, the bytes of that, and those that wait for their answer
        self._context, self._command, self._bytes = 0, bytearray(), 0
        self._storing: Command | None = None
        self._waiting: deque[tuple[int, Command]] = deque()

    @property
    def over(self) -> bool:
        """Whether nothing more is taken; what is still to be sent should be, then the connection closed."""
        return self._state is State.OVER

    @property
    def established(self) -> bool:
        """Whether the association was taken and is not over."""
        return self._state is State.ESTABLISHED

    def next_event(self) -> Event | None:
        """Give the next event."""
        return self._events.popleft() if self._events else None

    def data_to_send(self) -> bytes:
        """Give what is to be sent."""
        data = bytes(self._sending)
        self._sending.clear()
        return data

    def get_timer(self) -> float | None:
        """Say when `handle_timer` is to be called."""
        return None if self.over else self._due

    def handle_timer(self, now: float) -> None:
        """End an association that has been silent, or too slow."""
        if not self.over and now >= self._due:
            self._abort(0, "it was silent or too slow")

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes; none: the peer is gone."""
        if self.over:
            return
        if not data:
            self._end("the peer went away")
            return
        self._received += data
        try:
            while not self.over and len(self._received) >= HEAD.size:
                kind, length = HEAD.unpack_from(self._received)
                if length > PDU_LIMIT:
                    raise UpperLayerError("A PDU is larger than was agreed.")
                if len(self._received) < HEAD.size + length:
                    break
                body = bytes(self._received[HEAD.size : HEAD.size + length])
                del self._received[: HEAD.size + length]
                self._take(kind, body, now)
        except UpperLayerError as error:
            self._abort(6, str(error))
        if self._progress >= PROGRESS:
            self._went_on(now)

    def answer(self, status: int, now: float) -> None:
        """Answer the oldest object that is whole."""
        if self._waiting:
            context, command = self._waiting.popleft()
            self._reply(context, command, status)
        self._went_on(now)

    def abort(self, why: str) -> None:
        """End the association for a reason of ours."""
        if not self.over:
            self._abort(0, why)

    # -- one PDU -------------------------------------------------------------------------------------------------

    def _take(self, kind: int, body: bytes, now: float) -> None:
        step = _STEPS.get((self._state, kind))
        if step is None:
            raise UpperLayerError("A PDU came that nobody waited for.")
        step(self, body, now)

    def _asked(self, body: bytes, now: float) -> None:
        request = Request.parse(body)
        refused = self._permit(request.called, request.calling)
        if refused is not None:
            self._sending += upper_layer.reject(*_REJECTIONS[refused])
            self._end(str(refused))
            return
        for context in request.contexts:
            known = context.abstract_syntax == _VERIFICATION or context.abstract_syntax.startswith(_STORAGE)
            syntax = next((one for one in context.transfer_syntaxes if one in self._syntaxes), None)
            if known and syntax is not None:
                self._chosen[context.identifier] = syntax
        self._request = request
        self._state = State.ESTABLISHED
        self._sending += upper_layer.accept(request, self._chosen, self._implementation)
        self._went_on(now)

    def _came(self, body: bytes, now: float) -> None:
        for context, control, data in upper_layer.values(body):
            if self.over:
                return
            if context not in self._chosen:
                raise UpperLayerError("Data came for a presentation context that was not agreed on.")
            if control & 1:
                self._commanded(context, data, last=bool(control & 2), now=now)
            else:
                self._stored(context, data, last=bool(control & 2), now=now)

    def _commanded(self, context: int, data: bytes, *, last: bool, now: float) -> None:
        if self._storing is not None or (self._command and context != self._context):
            raise UpperLayerError("A command came within another message.")
        if len(self._command) + len(data) > COMMAND_LIMIT:
            raise UpperLayerError("A command is too long.")
        self._command += data
        self._context = context
        if not last:
            return
        command = Command.parse(bytes(self._command))
        self._command.clear()
        self._went_on(now)
        if command.field == STORE:
            assert self._request is not None
            self._storing, self._bytes = command, 0
            self._events.append(
                Begun(
                    *(self._request.called, self._request.calling, command.sop_class, command.sop_instance),
                    self._chosen[context],
                )
            )
        elif command.field == ECHO and not command.has_data:
            self._reply(context, command, TAKEN)
        elif command.field != CANCEL or command.has_data:
            raise UpperLayerError("A command came that nobody here obeys.")

    def _stored(self, context: int, data: bytes, *, last: bool, now: float) -> None:
        if self._storing is None or context != self._context:
            raise UpperLayerError("Data came without a command.")
        self._bytes += len(data)
        self._progress += len(data)
        if self._bytes > self._object_limit:
            self._abort(0, "an object is larger than is taken", too_large=True)
            return
        if data:
            self._events.append(Piece(data))
        if last:
            self._waiting.append((context, self._storing))
            self._storing = None
            self._events.append(Whole())
            self._went_on(now)

    def _released(self, body: bytes, now: float) -> None:
        self._sending += upper_layer.pdu(RELEASE_RP, bytes(4))
        self._end("released" if self._storing is None else "it was released within an object")

    def _aborted(self, body: bytes, now: float) -> None:
        self._end("the peer aborted it")

    # -- small things --------------------------------------------------------------------------------------------

    def _went_on(self, now: float) -> None:
        self._progress, self._due = 0, now + SILENCE

    def _reply(self, context: int, command: Command, status: int) -> None:
        assert self._request is not None
        if not self.over:
            self._sending += upper_layer.commands(context, command.answer(status), self._request.maximum)

    def _abort(self, reason: int, why: str, *, too_large: bool = False) -> None:
        self._sending += upper_layer.abort(reason)
        self._end(why, too_large=too_large)

    def _end(self, why: str, *, too_large: bool = False) -> None:
        self._state = State.OVER
        self._received.clear()
        self._events.append(Ended(why, too_large))


#: What is done with which PDU in which state; with any other the association is aborted (PS3.8, table 9-10).
_STEPS: Final[dict[tuple[State, int], Callable[[Acceptor, bytes, float], None]]] = {
    (State.AWAITED, ASSOCIATE_RQ): Acceptor._asked,
    (State.AWAITED, ABORT): Acceptor._aborted,
    (State.ESTABLISHED, DATA): Acceptor._came,
    (State.ESTABLISHED, RELEASE_RQ): Acceptor._released,
    (State.ESTABLISHED, ABORT): Acceptor._aborted,
}
