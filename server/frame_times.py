"""When frames were captured: what sender reports say of it, told to who watches, and how the others name them, told to
who sends (PROTOCOL.md, sections 2 and 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.ids import ProducerId
from media.reporting import SenderReportReceived
from media.rtp.ntp import unix_from_ntp
from signalling import notices

if TYPE_CHECKING:
    from .conductor import Conductor
    from .member import Member


class FrameTimes:
    """The clocks of one room's pictures."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor

    def learnt(self, report: SenderReportReceived) -> None:
        """Tell everybody what a publisher's sender report said, and keep it."""
        conductor = self._conductor
        if conductor.recorder is not None:
            conductor.recorder.receive_sender_report(report, conductor.service.now())
        if self.moved(report.producer):
            self._tell_names(report)

    def moved(self, producer: ProducerId) -> bool:
        """Tell everybody what is known now of when a picture's frames were captured, if anything is."""
        notice = self.notice(producer)
        if notice is not None:
            self._conductor.tell_all(notice)
        return notice is not None

    def _tell_names(self, report: SenderReportReceived) -> None:
        """Tell the publisher how the others name its frames: what its own page shows bears no RTP timestamps."""
        entry = self._conductor.router.producers[report.producer]
        offsets = {
            int(encoding.ssrc): entry.identity.offsets[i]
            for i, encoding in enumerate(entry.encodings)
            if encoding.ssrc and i in entry.identity.offsets
        }
        captured = unix_from_ntp(report.ntp_time) / 1e9
        for member in self._conductor.members.values():
            if report.producer in member.publication.producers:
                member.send(notices.naming(report.producer, report.rtp_timestamp, captured, offsets))

    def notice(self, producer: ProducerId) -> notices.ServerMessage | None:
        """Say when a frame of a picture was captured; None: nobody knows yet."""
        entry = self._conductor.router.producers.get(producer)
        # what was recorded has no age: its sender reports say when it is shown, and nothing else
        if entry is None or entry.captured is None or not entry.video or entry.inside is not None:
            return None
        captured = entry.captured
        return notices.clock(
            producer,
            captured.rtp_timestamp,
            captured.time / 1e9,
            entry.track.clock_rate,
            "arrival" if entry.is_doubted else "sender_report",
        )

    def tell(self, member: Member) -> None:
        """Tell a newcomer what is known of each picture."""
        for producer in self._conductor.router.producers:
            notice = self.notice(producer)
            if notice is not None:
                member.send(notice)
