"""What a client asks of the room's log: who may, and whether what it hangs on is in the room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from annotation.anchors import Anchor, DicomAnchor, VideoAnchor
from annotation.notes import Answer, Calibrate, Instruct, Page, Say, Withdraw
from annotation.operations import (
    Add,
    ClearField,
    ClearOwn,
    Delete,
    Edit,
    Operation,
    Redo,
    Undo,
    parse_operation,
)
from signalling import messages
from signalling.permissions import Permission, may
from signalling.room import RoomError

if TYPE_CHECKING:
    from .member import Member

#: The permission that each operation needs. What is missing here is the server's own to write.
PERMISSIONS: Final[dict[type[Operation], Permission]] = {
    Add: "mark",
    Edit: "mark",
    Delete: "mark",
    Undo: "mark",
    Redo: "mark",
    ClearOwn: "clear_own",
    ClearField: "clear_field",
    Instruct: "mark",
    Withdraw: "mark",
    Answer: "answer",
    Say: "message",
    Calibrate: "calibrate",
    Page: "mark",
}


def carry_out(member: Member, message: messages.MarkRequest) -> int:
    """Judge and decide an operation; returns its number. Raise RoomError, AnnotationError."""
    operation = parse_operation(message.operation)
    room = member.conductor.room
    if not (isinstance(operation, Answer) and _shows_field(member)):
        room.demand(member.identifier, PERMISSIONS[type(operation)])
    match operation:
        case Add(mark) | Edit(mark):
            check_anchor(member, mark.anchor)
        case Calibrate(anchor):
            check_anchor(member, anchor)
    return member.conductor.apply(member, operation, over_others=may(member.role, "clear_field"))


def check_anchor(member: Member, anchor: Anchor) -> None:
    """Refuse a picture that is not in the room, or not this member's to see. Raise RoomError."""
    conductor = member.conductor
    if isinstance(anchor, VideoAnchor):
        # a mark on a picture that nobody sends would never be drawn
        picture = conductor.room.producer(anchor.producer)
        me = conductor.room.participant(member.identifier)
        if me is not None and not picture.may_be_watched(me):
            raise RoomError("not_permitted", "You may not watch this picture.")
    elif isinstance(anchor, DicomAnchor):
        conductor.check_image(member, anchor)


def _shows_field(member: Member) -> bool:
    return any(
        producer.source == "field" and producer.participant == member.identifier
        for producer in member.conductor.room.producers
    )
