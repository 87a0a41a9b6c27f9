"""What a room's members publish: made known, ended, and gone on with over another connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from media.ids import ProducerId
from media.sdp import OfferedTrack
from signalling.room import Producer, State
from signalling.tokens import Claims

from . import recording
from .naming import Naming

if TYPE_CHECKING:
    from .conductor import Conductor
    from .member import Member


class Publishing:
    """The producers of one room."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor

    def going_on(self, member: Member, naming: Naming) -> Callable[[OfferedTrack], ProducerId | None]:
        """Find which of a member's interrupted producers a track is: the same source under the same label."""
        conductor = self._conductor
        mine = [p for p in conductor.room.producers if p.participant == member.identifier]

        def find(track: OfferedTrack) -> ProducerId | None:
            name = naming.name(track)
            for entry in mine:
                producer = ProducerId(entry.producer)
                if (entry.source, entry.label) == name and conductor.router.may_go_on(producer, track):
                    mine.remove(entry)
                    return producer
            return None

        return find

    def announce(
        self, member: Member, tracks: Iterable[tuple[OfferedTrack, ProducerId]], naming: Naming
    ) -> None:
        """Make what a member publishes known, and end what it no longer does."""
        conductor = self._conductor
        current = {producer: track for track, producer in tracks}
        mine = [p for p in conductor.room.producers if p.participant == member.identifier]
        self.end([ProducerId(p.producer) for p in mine if p.producer not in current])
        known = {p.producer for p in mine}
        for producer, track in current.items():
            source, label = naming.name(track)
            if (since := member.publication.resumed(producer)) is not None and producer in known:
                conductor.router.describe(producer, source, naming.heights(track))
                conductor.room.go_on(
                    producer, since if track.kind == "video" else None, conductor.service.now()
                )
            if producer in known:
                continue
            entry = Producer(
                producer=producer,
                participant=member.identifier,
                source=source,
                kind="audio" if track.kind == "audio" else "video",
                codec=track.codec.name,
                label=label,
            )
            conductor.room.announce(entry)
            conductor.router.describe(producer, source, naming.heights(track))
            if conductor.recorder is not None:
                recording.add_producer(
                    conductor, conductor.recorder, conductor.room.producer(producer), conductor.service.now()
                )
        conductor.rewatch_all()

    def end(self, producers: Sequence[ProducerId]) -> None:
        """End producers."""
        conductor = self._conductor
        for producer in producers:
            if conductor.recorder is not None:
                # what the tap still holds of it belongs to the recording
                conductor.service.tap.share_out()
                conductor.recorder.remove_producer(producer, conductor.service.now())
            conductor.router.unpublish(producer)
            conductor.room.withdraw(producer)
        if producers:
            conductor.rewatch_all()

    def failed(self, member: Member) -> None:
        """Have what a member published over a dead transport wait for another one; a WHIP publisher is away with it."""
        conductor = self._conductor
        known = {p.producer for p in conductor.room.producers}
        now = conductor.service.now()
        for producer in member.publication.interrupt():
            if producer in known:
                conductor.room.interrupt(producer, now)
            else:
                conductor.router.unpublish(producer)
        conductor.media_heard(member, silent=member.watching is not None and member.watching.silent)
        if member.socket is None and member.watching is None:
            conductor.room.lost(member.identifier, member.connection, now)
        conductor.pump()

    def returning(self, claims: Claims, naming: Naming, former: Member | None = None) -> Member | None:
        """Find the encoder that comes back by this link, and give it its place again; None: it is another one.

        It is the one that proved to be `former`; else one that is away or was not heard for 5 s, and sent the same
        source under the same label.
        """
        conductor = self._conductor
        for member in conductor.members.values():
            participant = conductor.room.participant(member.identifier)
            if participant is None or participant.link != claims.link or not member.only_sends:
                continue
            silent = participant.state is State.AWAY or member.publication.silent
            if member is not former and not (silent and former is None and self._sends(member, naming)):
                continue
            resumed = conductor.room.resume(member.session, claims.name, claims.role, claims.subject)
            if resumed is not None:
                member.connection = resumed.connection
                return member
        return None

    def _sends(self, member: Member, naming: Naming) -> bool:
        conductor = self._conductor
        mine = [
            p for p in conductor.room.producers if p.participant == member.identifier and p.kind == "video"
        ]
        return any((p.source, p.label) == (naming.source, naming.label) for p in mine)
