"""Which decode target a consumer is sent of an encoding: chosen where a picture begins; what comes late follows.

The first packet of a picture that is dealt in the order of the numbers chooses: the best target that is wanted and that
may be changed to there. `covered` are the targets of which nothing is missing that was sent since they could begin: to
these a consumer may change at any picture, to others where the stream says so.

A packet that comes late follows what was in force where its number stands. Only around a change that is not enough:
of the numbers missing there some are of the picture that brought the change, and its timestamp tells which. So whatever
the order, of a picture all is sent or nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ..plane import Layer
from .history import HeldPacket
from .ingress import Encoding
from .places import ALL, GRID, Place, grid

#: Changes that are remembered. They come as often as somebody changes what is wanted, not with each picture.
MAX_CHANGES = 64

#: When layers that are wanted have not begun for so long, a key frame is asked for.
LAYER_PATIENCE_NS = 500_000_000

#: The layers of each target where no descriptor names them.
GRID_LAYERS = tuple((spatial, temporal) for spatial in range(GRID) for temporal in range(GRID))


@dataclass(frozen=True, slots=True)
class Chosen:
    """Say which target is sent from a picture on.

    `stint` counts the beginnings of encodings. `first` is the number of the picture's first packet that was dealt,
    `timestamp` its canonical timestamp; `layer` is that of the target, spatial and temporal.
    """

    stint: int
    first: int
    timestamp: int
    target: int
    layer: tuple[int, int]

    def sends(self, place: Place) -> bool:
        """Tell whether a frame is sent."""
        return bool(place.targets >> self.target & 1)

    def ended_by(self, place: Place) -> bool:
        """Tell whether a packet is the last of its picture, of what is sent of it."""
        return place.layered and place.ends and place.spatial == self.layer[0]


class Targets:
    """Choose targets, and remember them."""

    def __init__(self) -> None:
        """Begin with nothing chosen; all layers are wanted."""
        self.wanted = Layer()
        self.wanted_at: int | None = None  # None: what is wanted is being sent
        self.lacking = False  # whether layers that are wanted have not begun for long
        self.stint = 0
        self.target, self.layer = 0, (0, 0)
        self.begins_picture = self.begins_frame = False  # whether the packet that was decided of last does
        self._remembered: deque[Chosen] = deque(maxlen=MAX_CHANGES)
        self._covered = ALL
        self._picture: int | None = None  # its canonical timestamp
        self._frame: int | None = None  # its spatial layer
        self._frame_sent = True

    def begin(self) -> None:
        """Go on with an encoding's key frame."""
        self.stint += 1
        self.target, self.layer = 0, (0, 0)
        self._covered = ALL
        self._picture = self._frame = None

    def decide(self, held: HeldPacket, encoding: Encoding, now: int, *, gap: bool) -> bool:
        """Tell whether a packet, the newest so far, is sent; the first of a frame decides for all of it.

        `gap`: numbers are missing before it.
        """
        place, timestamp = held.place, encoding.canonical(held)
        self.begins_picture = timestamp != self._picture
        self.begins_frame = self.begins_picture or place.spatial != self._frame
        if place.layered and gap and self._picture is not None:
            # what is missing will be sent if it comes and is in this target: to others it may be missing for good
            self._covered &= ~_lacking(place, encoding, self.target)
        if not self.begins_frame:
            return self._frame_sent
        switches = 0
        if place.layered:
            if held.starts_key_frame:
                self._covered = ALL
            switches = _switches(place, self._covered)
        if self.begins_picture:
            self._choose(held, encoding, switches, now)
            self._remember(held, timestamp)
        self._picture, self._frame = timestamp, place.spatial
        self._frame_sent = bool(place.targets >> self.target & 1)
        if self._frame_sent:
            self._covered |= switches
        else:
            self._covered &= ~place.targets
        return self._frame_sent

    def find(self, stint: int, number: int, timestamp: int) -> Chosen | None:
        """Find what holds for a packet that comes late, or again.

        None: it is before the beginning, not before what was gone on with, or too old.
        """
        behind: Chosen | None = None
        following: Chosen | None = None
        for chosen in reversed(self._remembered):
            if chosen.stint > stint:
                following = chosen
            elif chosen.stint == stint:
                if chosen.first <= number:
                    if behind is not None and behind.timestamp == timestamp:
                        return behind
                    # what was gone on with has taken the place of pictures that had not come
                    late = following is not None and not newer(following.timestamp, timestamp)
                    return None if late else chosen
                behind = chosen
        return behind if behind is not None and behind.timestamp == timestamp else None

    def _remember(self, held: HeldPacket, timestamp: int) -> None:
        newest = self._remembered[-1] if self._remembered else None
        if newest is None or (newest.stint, newest.target, newest.layer) != (
            self.stint,
            self.target,
            self.layer,
        ):
            self._remembered.append(Chosen(self.stint, held.sequence, timestamp, self.target, self.layer))

    def _choose(self, held: HeldPacket, encoding: Encoding, switches: int, now: int) -> None:
        """Choose the target of a picture that begins: never within one, for what was sent may have ended it."""
        place = held.place
        if not place.layered:
            self.target, self.layer = 0, (0, 0)
            return
        layers = self._layers(place, encoding)
        best = self._best(layers, (self._covered | switches) & encoding.places.active)
        if best is not None:
            self.target, self.layer = best, layers[best]
        self._look_for_lacking(layers, encoding, best, now)

    @staticmethod
    def _layers(place: Place, encoding: Encoding) -> tuple[tuple[int, int], ...]:
        return encoding.places.layers if place.described else GRID_LAYERS

    def _best(self, layers: tuple[tuple[int, int], ...], usable: int) -> int | None:
        """Choose the best target that is usable and not above what is wanted."""
        able = [
            number
            for number, (spatial, temporal) in enumerate(layers)
            if usable >> number & 1 and spatial <= self.wanted.spatial and temporal <= self.wanted.temporal
        ]
        return max(able, key=lambda number: layers[number], default=None)

    def _look_for_lacking(
        self, layers: tuple[tuple[int, int], ...], encoding: Encoding, best: int | None, now: int
    ) -> None:
        if self.wanted_at is None or now - self.wanted_at < LAYER_PATIENCE_NS:
            return
        ideal = self._best(layers, encoding.places.active)
        top = encoding.top
        if ideal is None or (best is not None and capped(layers[ideal], top) == capped(layers[best], top)):
            self.wanted_at = None
        else:
            self.wanted_at = now
            self.lacking = True


def newer(timestamp: int, than: int) -> bool:
    """Compare RTP timestamps over their wrap."""
    return 0 < timestamp - than & 0xFFFFFFFF < 1 << 31


def capped(layer: tuple[int, int], top: tuple[int, int]) -> tuple[int, int]:
    """Name no higher layer than flows."""
    return min(layer[0], top[0]), min(layer[1], top[1])


def _lacking(place: Place, encoding: Encoding, target: int) -> int:
    """List the targets that have frames which another one has not (bits)."""
    if place.described:
        frames = [template.present for template in encoding.places.structures[0].templates]
    else:
        frames = [grid(spatial, temporal) for spatial, temporal in GRID_LAYERS]
    lacking = 0
    for present in frames:
        if not present >> target & 1:
            lacking |= present
    return lacking


def _switches(place: Place, covered: int) -> int:
    """Tell which targets may begin at a frame; `covered` are those whose frames were all sent."""
    if place.described:
        # what the descriptor says holds for who can decode the frame: all that it needs is in its own targets
        return place.switches if place.targets & covered else 0
    switches = 0
    for number, (spatial, temporal) in enumerate(GRID_LAYERS):
        below = GRID * spatial + max(place.temporal - 1, 0)
        if place.synchronises and spatial >= place.spatial and temporal == place.temporal:
            switches |= (covered >> below & 1) << number
        own = GRID * spatial + place.temporal
        if place.opens and spatial >= place.spatial and temporal > place.temporal:
            switches |= (covered >> own & 1) << number
    return switches
