"""What a client asks of the room's log: who may, and whether what it hangs on is in the room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from annotation.anchors import Anchor, DicomAnchor, VideoAnchor
from annotation.calibration import ticks_between
from annotation.notes import Answer, Calibrate, Instruct, Page, Say, Withdraw
from annotation.operations import (
    Add,
    ClearField,
    ClearOwn,
    Delete,
    Edit,
    Entry,
    Operation,
    Redo,
    Undo,
    parse_operation,
)
from annotation.shapes import Mark
from annotation.values import AnnotationError
from media.ids import ProducerId
from signalling import messages
from signalling.entities import Producer
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
    # one's own goes away also without the pen
    Withdraw: "clear_own",
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
        case Add(mark):
            check_anchor(member, mark.anchor)
            check_scale(member, mark)
        case Edit(marks):
            for anchor in {mark.anchor for mark in marks}:
                check_anchor(member, anchor)
            for mark in marks:
                check_scale(member, mark)
        case Calibrate(anchor):
            check_anchor(member, anchor)
    return member.conductor.apply(member, operation, over_others=may(member.role, "clear_field"))


def check_anchor(member: Member, anchor: Anchor) -> None:
    """Refuse what this member may not draw on, and a frame that was never sent. Raise RoomError."""
    check_picture(member, anchor)
    if not isinstance(anchor, VideoAnchor) or anchor.still:
        return
    if not member.conductor.router.sent(ProducerId(anchor.producer), anchor.rtp_timestamp):
        raise RoomError("unknown_frame", "No frame of this picture bears this RTP timestamp.")


def check_picture(member: Member, anchor: Anchor) -> None:
    """Refuse a picture that is not in the room, or not this member's to see or to draw on. Raise RoomError."""
    conductor = member.conductor
    if isinstance(anchor, VideoAnchor) and anchor.still:
        _check_still(member, anchor)
    elif isinstance(anchor, VideoAnchor):
        # a mark on a picture that nobody sends would never be drawn
        picture = conductor.room.producer(anchor.producer)
        me = conductor.room.participant(member.identifier)
        if me is not None and not picture.may_be_watched(me):
            raise RoomError("not_permitted", "You may not watch this picture.")
    elif isinstance(anchor, DicomAnchor):
        conductor.check_image(member, anchor)


def check_scale(member: Member, mark: Mark) -> None:
    """Refuse a length by a calibration from before the picture was interrupted. Raise AnnotationError."""
    conductor, anchor = member.conductor, mark.anchor
    if mark.shape != "length" or not isinstance(anchor, VideoAnchor) or anchor.still:
        return
    found = conductor.document.calibration(anchor, conductor.service.now() * 1000)
    if found is not None and not is_uninterrupted(conductor.room.producer(anchor.producer), found):
        raise AnnotationError("not_calibrated", "The picture was interrupted since it was calibrated.")


def is_uninterrupted(producer: Producer, calibration: Entry) -> bool:
    """Tell whether a calibration was made since the picture was interrupted last: the camera may see something else."""
    made = calibration.operation
    assert isinstance(made, Calibrate)
    if producer.since is None:
        return True
    seconds = calibration.time / 1000 - producer.since_time
    return ticks_between(made.anchor.rtp_timestamp, producer.since, seconds) >= 0


def _check_still(member: Member, anchor: VideoAnchor) -> None:
    """Refuse a frozen frame that is not shown to all: the others would never see the mark. Raise RoomError."""
    conductor = member.conductor
    place = anchor.producer, anchor.rtp_timestamp
    if conductor.document.still(*place) is None:
        raise RoomError("not_found", "This frame was not frozen for all.")
    # it outlives its picture; as long as that is there, so is its audience
    picture = next((p for p in conductor.room.producers if p.producer == anchor.producer), None)
    me = conductor.room.participant(member.identifier)
    if picture is not None and me is not None and not picture.may_be_watched(me):
        raise RoomError("not_permitted", "You may not watch this picture.")


def _shows_field(member: Member) -> bool:
    return any(
        producer.source == "field" and producer.participant == member.identifier
        for producer in member.conductor.room.producers
    )
