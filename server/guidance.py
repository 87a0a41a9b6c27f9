"""What a member's requests about the glass do (PROTOCOL.md, section 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signalling.guidance_messages import GuidanceRequest

if TYPE_CHECKING:
    from .member import Member


def carry_out(member: Member, message: GuidanceRequest) -> None:
    """Do what a request about the glass asks. Raise RoomError."""
    member.conductor.room.orient(member.identifier, message.producer, message.orientation)
