"""What the sessions over lines have in common: a field in three encodings, a microphone, one expert."""

from __future__ import annotations

from dataclasses import dataclass

from media.congestion.allocator import Reason
from media.ids import ProducerId
from tests.helpers.line import Line
from tests.helpers.picture import Picture
from tests.helpers.virtual_call import Viewer, VirtualCall

M = 1_000_000

#: bit/s and height, the lowest first
FIELD = ((0.15 * M, 180), (0.6 * M, 360), (2.5 * M, 720))
FACE = ((0.1 * M, 180), (0.5 * M, 360))
SOUND = (32_000, 0)


@dataclass(slots=True)
class Consultation:
    """A call with one expert at the end of `line`."""

    line: Line
    call: VirtualCall
    field: ProducerId
    sound: ProducerId
    expert: Viewer

    @property
    def picture(self) -> Picture:
        """The field as the expert sees it."""
        return self.expert.pictures[self.field]

    @property
    def voice(self) -> Picture:
        """The sound as the expert hears it."""
        return self.expert.pictures[self.sound]

    def told(self) -> list[tuple[float, Reason, int]]:
        """List what the expert's page was told of the field: when, why, height."""
        return [(time, d.reason, d.height) for time, d in self.expert.told if d.producer == self.field]

    def heard_share(self, start: float, end: float) -> float:
        """Return the share of the sound's packets that came in a stretch of time."""
        return len(self.voice.between(start, end)) / ((end - start) * 50)


def consultation(line: Line, *, field: tuple[tuple[float, int], ...] = FIELD) -> Consultation:
    """Begin one."""
    call = VirtualCall()
    producer = call.publish("field", *field)
    sound = call.publish("microphone", SOUND)
    return Consultation(line, call, producer, sound, call.add_viewer(line))
