"""A field's low layer: of several encodings one that is wide enough to be followed, and cheap to decode.

Its frames bear the same RTP timestamps as the best encoding's, so what is found in it holds for both. Stills are taken
from the best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from media.ids import ProducerId
from media.plane import Codec, low_tap

from .backlog import Backlog

#: Heights, px, of a picture in which tissue is followed well; below it is too coarse, above nothing is gained.
LEAST: Final = 270
MOST: Final = 540
#: Nanoseconds for which a layer must have flowed before it is followed, and after which one that fell silent is left.
FLOWING: Final = 2_000_000_000
SILENT: Final = 200_000_000


def low_encoding(heights: Sequence[int]) -> int | None:
    """Choose among encodings of these heights, the lowest first; None: the best is to be followed itself."""
    fit = [number for number, height in enumerate(heights[:-1]) if LEAST <= height <= MOST]
    return fit[-1] if fit else None


class LowLayer:
    """A customer of the tap beside the field's own, which is given packets of one low encoding."""

    #: The field's own interval counts.
    tap_interval: Final = 1.0

    def __init__(self, producer: ProducerId, codec: Codec, deliver: Callable[[bytes], None]) -> None:
        """`deliver` takes the packets, in order, besides what is kept."""
        self.producers = frozenset({low_tap(producer)})
        self.backlog = Backlog(codec)
        self._deliver = deliver
        self._arrived = 0  # when the newest packet did, ns
        self._flowing_since: int | None = None

    def receive_tap(self, data: bytes, now: float) -> None:
        """Take packets of the encoding."""
        self.backlog.receive(data)
        self._arrived = int.from_bytes(data[8:16], "big")
        if self._flowing_since is None:
            self._flowing_since = self._arrived
        self._deliver(data)

    def receive_gap(self, packets: int, now: float) -> None:
        """Learn that packets are missing: their numbers tell where."""

    def pump(self, now: float) -> None:
        """Nothing is due by itself."""

    def compare(self, arrived: int) -> None:
        """Note when the best encoding's newest packet arrived, ns: beside it this one may be silent."""
        if arrived - self._arrived > SILENT:
            self._flowing_since = None

    @property
    def flows(self) -> bool:
        """Whether it has not fallen silent beside the best."""
        return self._flowing_since is not None

    @property
    def reliable(self) -> bool:
        """Whether it has flowed for a while, and a decoder could begin."""
        lately = self._flowing_since is not None and self._arrived - self._flowing_since >= FLOWING
        return lately and self.backlog.newest_key_frame is not None
