"""Who wants to come in: the room's door, and those who wait before it with a socket of their own.

Whoever waits is not a participant: it hears of its place in the queue and nothing else, and may ask nothing but the
time. Once let in, its socket is a member's as if it had just said hello.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from signalling import messages, notices
from signalling.door import Door
from signalling.manner_messages import Admit
from signalling.messages import ClientMessage, Hello
from signalling.permissions import may
from signalling.presenter_messages import Viewport
from signalling.room import RoomError
from signalling.tokens import Claims

from .sockets import Socket

if TYPE_CHECKING:
    from .conductor import Conductor
    from .member import Member


class Guest:
    """One who waits, or waited: afterwards its messages are its member's."""

    def __init__(
        self, reception: Reception, waiting: str, claims: Claims, hello: Hello, socket: Socket
    ) -> None:
        self._reception = reception
        self.waiting = waiting
        self.claims = claims
        self.hello = hello
        self.socket = socket
        self.member: Member | None = None

    async def receive(self, message: ClientMessage, socket: Socket) -> None:
        """Answer what one may ask at the door."""
        if self.member is not None:
            await self.member.receive(message, socket)
            return
        match message:
            case messages.Ephemeral() | Viewport():
                return
            case messages.Ping():
                socket.send(notices.pong(message.id, message.time, self._reception.wall_clock()))
            case messages.Leave():
                socket.send(notices.reply(message.id))
                self._reception.withdraw(self)
                socket.finish()
            case _:
                socket.send(notices.error(message.id, "out_of_order", "You are not in the room yet."))

    def disconnected(self, socket: Socket, *, leaving: bool = False) -> None:
        """Note that the socket ended: nobody's place is kept at the door."""
        if self.member is not None:
            self.member.disconnected(socket, leaving=leaving)
        else:
            self._reception.withdraw(self)

    def tell(self, place: int) -> None:
        """Tell the place in the queue, and whether anybody is there who may let in."""
        attended = self._reception.attended
        self.socket.send(
            notices.waiting_room(self.hello.id, self.waiting, self.claims.room, place, attended=attended)
        )


class Reception:
    """The door of one room, with sockets."""

    def __init__(self, conductor: Conductor, *, guarded: bool) -> None:
        self._conductor = conductor
        self.door = Door(guarded=guarded)
        self.guests: dict[str, Guest] = {}
        #: what those who wait were told last
        self._attended = False

    @property
    def attended(self) -> bool:
        """Whether anybody is in the room who may let in; an encoder of the surgeon's cannot."""
        members = self._conductor.members.values()
        return any(member.socket is not None and may(member.role, "admit") for member in members)

    def wall_clock(self) -> float:
        """Unix seconds."""
        return self._conductor.service.wall_clock()

    def check(self, claims: Claims) -> None:
        """Raise RoomError for an encoder or a player that cannot wait for being let in."""
        self.door.check(claims.role)
        if self.door.must_wait(claims.role, claims.wait):
            raise RoomError(
                "not_permitted", "Whoever comes by this link must be let in, which needs the page."
            )

    def knock(self, claims: Claims, hello: Hello, socket: Socket) -> Guest | None:
        """Have a newcomer wait; None: it may go in at once. Raise RoomError."""
        self._conductor.room.check_link(claims.link)
        self.door.check(claims.role)
        if not self.door.must_wait(claims.role, claims.wait):
            return None
        waiting = f"w-{secrets.token_hex(4)}"
        self.door.knock(waiting, claims.name, claims.role, self._conductor.service.now())
        guest = self.guests[waiting] = Guest(self, waiting, claims, hello, socket)
        self._queue_changed()
        return guest

    def decide(self, member: Member, request: Admit) -> None:
        """Let in or send away. Raise RoomError."""
        self._conductor.room.demand(member.identifier, "admit")
        self.door.take(request.waiting)
        guest = self.guests.pop(request.waiting)
        happened = {"name": guest.claims.name, "role": guest.claims.role, "by": member.identifier}
        if request.admitted:
            try:
                guest.member = self._conductor.enter(guest.claims, guest.hello, guest.socket)
            except RoomError as error:
                guest.socket.finish(notices.closed(error.code, str(error)))
            except RuntimeError:
                guest.socket.finish(notices.closed("room_full", "The server takes no more connections."))
        else:
            sentence = request.reason or "You were not let in."
            guest.socket.finish(notices.closed("refused", sentence, request.reason))
        self._conductor.write_down({"kind": "admitted" if guest.member else "refused", **happened})
        self._queue_changed()

    def lock(self, member: Member, *, locked: bool) -> None:
        """Lock or open. Raise RoomError."""
        self._conductor.room.demand(member.identifier, "admit")
        if self.door.locked != locked:
            self.door.locked = locked
            self._conductor.write_down({"kind": "lock", "locked": locked, "by": member.identifier})
            self.tell_all()

    def withdraw(self, guest: Guest) -> None:
        """Note that one went away."""
        if self.guests.pop(guest.waiting, None) is not None:
            self.door.withdraw(guest.waiting)
            self._queue_changed()
            self._conductor.forget_if_empty()

    def emptied(self) -> None:
        """The last participant has left: who waits goes on waiting, before an open door."""
        self.door.locked = False

    def close(self, code: str, sentence: str) -> None:
        """Send everybody away."""
        for guest in list(self.guests.values()):
            del self.guests[guest.waiting]
            self.door.withdraw(guest.waiting)
            guest.socket.finish(notices.closed(code, sentence))

    def _queue_changed(self) -> None:
        self._tell_guests()
        self.tell_all()

    def look(self) -> None:
        """Tell those who wait if somebody has come, or nobody is left, who may let them in."""
        if self.guests and self.attended != self._attended:
            self._tell_guests()

    def _tell_guests(self) -> None:
        self._attended = self.attended
        for entry in self.door.waiting:
            self.guests[entry.waiting].tell(self.door.place(entry.waiting))

    def tell_all(self) -> None:
        """Tell everybody how the door stands."""
        for member in self._conductor.members.values():
            self.tell(member)

    def tell(self, member: Member) -> None:
        """Tell a member how the door stands; who waits only to who may let in."""
        waiting = self.door.waiting if may(member.role, "admit") else ()
        member.send(notices.door(self.door.locked, [entry.to_json() for entry in waiting]))
