"""A view-only player's one connection (WHEP): it offered once, and is sent what the room shows as long as it stays.

Watching a room by WebSocket means an offer for each change; a WHEP player hears of no change at all. So a wall is
answered with every codec that its offer has, and is told no SSRC. When the picture's producer ends the section falls
silent and the last frame stays on the glass; when a picture of the kind comes again, from the same sender or another,
in the same codec or another, it begins in the same section under a new SSRC, with a key frame. Chromium, GStreamer
and aiortc were seen to take it so (tests/server/test_whep.py, tests/browser/test_whep.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from media.ids import ProducerId
from media.router import Router
from media.sdp import SessionDescription, TransportParameters, ViewedSection, answer_viewer, remote_parameters
from media.subscriber import Slot
from media.transport.endpoint import Endpoint
from media.transport.transport import Transport, TransportState

from .connections import FIELD_PLAYOUT, PlaneEventHandler, RtcpHandler

log = logging.getLogger(__name__)


class Wall:
    """What one player is sent: the first picture of a source (or one named producer), and its sender's sound."""

    def __init__(
        self,
        endpoint: Endpoint,
        router: Router,
        describe: Callable[[ProducerId], tuple[str, str]],
        on_rtcp: RtcpHandler,
        on_event: PlaneEventHandler,
        changed: Callable[[], None],
        heard: Callable[[], None],
        ended: Callable[[], None],
        *,
        source: str = "field",
        pinned: ProducerId | None = None,
        shard: int = 0,
    ) -> None:
        """`describe` names a producer's participant and source, `changed` has the router looked at.

        `heard` is called when `silent` has changed, `ended` when the connection ends without our wish or the `pinned`
        producer does. `shard` is the room's. RuntimeError when there are too many connections.
        """
        self.transport: Transport = endpoint.create(shard=shard)
        self._endpoint = endpoint
        self._remote: TransportParameters | None = None
        self._router = router
        self._describe = describe
        self._changed = changed
        self._ended = ended
        self._source = source
        self._pinned = pinned
        self._sections: dict[bool, ViewedSection] = {}  # by whether they are video
        self._subscriber = router.watch(self.transport.id)
        self.transport.callbacks.on_silent = lambda _: heard()
        self.transport.callbacks.on_state = self._state_changed
        self.transport.callbacks.on_rtcp = partial(on_rtcp, self.transport.id)
        self.transport.callbacks.on_event = on_event
        self.transport.callbacks.on_path = partial(router.path_changed, self.transport.id)

    def offer(self, offer: SessionDescription, stream: str) -> SessionDescription:
        """Take the player's only offer; returns the answer. SdpError where nothing of it can be sent.

        `stream` names what picture and sound belong to.
        """
        remote = remote_parameters(offer)
        answer, sections = answer_viewer(offer, self.transport.parameters, stream)
        self._sections = {section.video: section for section in sections}
        self._subscriber.slots = [Slot(section.mid, section.video) for section in sections]
        self._remote = remote
        self.transport.start(remote)
        return answer

    def restart_ice(self, ufrag: str, pwd: str) -> TransportParameters:
        """Restart ICE with these credentials of the player's; returns ours. Keys and streams go on."""
        assert self._remote is not None, "who never offered has no session"
        self._endpoint.restart_ice(self.transport)
        self._remote = replace(self._remote, ufrag=ufrag, pwd=pwd)
        self.transport.start(self._remote)
        return self.transport.parameters

    @property
    def silent(self) -> bool:
        """Whether the player has not been heard for 5 s."""
        return self.transport.silent

    def want(self, producers: Iterable[ProducerId]) -> None:
        """Choose among what the room shows now."""
        if self.transport.ended:
            return
        present = list(producers)
        if self._pinned is not None and self._pinned not in present:
            self._ended()
            return
        chosen = self._choose(present)
        for producer in self._subscriber.watched():
            if producer not in chosen:
                consumer = self._subscriber.release(producer)
                if consumer is not None:
                    self._router.stop([consumer])
        for producer in chosen:
            if self._subscriber.slot_of(producer) is None:
                self._begin(producer)

    def fits(self, producer: ProducerId) -> bool:
        """Whether the player takes this producer's codec."""
        track = self._router.producers[producer].track
        section = self._sections.get(self._router.producers[producer].video)
        return section is not None and section.format_for(track.codec, track.fmtp) is not None

    def picture(self, present: Iterable[ProducerId]) -> ProducerId | None:
        """Choose the picture: the pinned one, else the oldest of the source."""
        for producer in present:
            if self._pinned is not None:
                if producer == self._pinned:
                    return producer
            elif self._router.producers[producer].video and self._describe(producer)[1] == self._source:
                return producer
        return None

    def _choose(self, present: list[ProducerId]) -> list[ProducerId]:
        picture = self.picture(present)
        if picture is None:
            return []
        sender = self._describe(picture)[0]
        sounds = [
            p for p in present if not self._router.producers[p].video and self._describe(p)[0] == sender
        ]
        return [producer for producer in (picture, *sounds[:1]) if self.fits(producer)]

    def _begin(self, producer: ProducerId) -> None:
        track = self._router.producers[producer].track
        section = self._sections[self._router.producers[producer].video]
        accepted = section.format_for(track.codec, track.fmtp)
        assert accepted is not None, "what does not fit is not chosen"
        slot = self._subscriber.assign(producer, track.codec, track.clock_rate, track.fmtp)
        slot.playout_delay = FIELD_PLAYOUT if self._describe(producer)[1] == "field" else (0, 0)
        slot.accept(accepted.payload_type, accepted.rtx_payload_type, section.extensions)
        connected = self.transport.state is TransportState.CONNECTED
        if self._router.start(self.transport.id, [slot], connected=connected):
            log.warning("a player's offer describes a stream that cannot be sent")
            self._ended()

    def _state_changed(self, state: TransportState, reason: str) -> None:
        if state is TransportState.CONNECTED:
            self._router.connected(self.transport.id)
            self._changed()
        elif state in (TransportState.FAILED, TransportState.CLOSED):
            log.info("a wall's transport ended: %s", reason)
            self._router.remove_transport(self.transport.id)
            self._ended()

    def close(self) -> None:
        """Stop sending and close the transport."""
        self._ended = _nothing
        self._router.remove_transport(self.transport.id)
        self.transport.close()


def _nothing() -> None:
    pass
