"""How many bits a second each layer of a producer takes, measured as it comes in."""

from __future__ import annotations

from collections.abc import Sequence

from .plane import EncodingStatistics, Layer

#: A measurement spans at least so long, seconds (the first one less), and moves the average by this share.
INTERVAL = 0.5
FIRST_INTERVAL = 0.1
WEIGHT = 0.4
#: An encoding of which nothing came for so long has stopped.
STOPPED = 1.5

_LAYERS = 4


class LayerRates:
    """Follows one producer; all its subscribers share what is found."""

    def __init__(self, encodings: int) -> None:
        self._bytes: list[tuple[int, ...]] = [()] * encodings
        self._rates: list[list[float]] = [[0.0] * (_LAYERS * _LAYERS) for _ in range(encodings)]
        self._heard = [float("-inf")] * encodings
        self._measured: float | None = None

    def due(self, now: float) -> bool:
        """Whether the counters are to be looked at again."""
        known = max(self._heard) > float("-inf")
        interval = (INTERVAL if known else FIRST_INTERVAL) - 0.01
        return self._measured is None or now - self._measured >= interval

    def update(self, encodings: Sequence[EncodingStatistics], now: float) -> None:
        """Take the counters, where they are due."""
        if not self.due(now):
            return
        elapsed, self._measured = (now - self._measured if self._measured is not None else 0.0), now
        for i, statistics in enumerate(encodings):
            before, self._bytes[i] = self._bytes[i], statistics.layer_bytes
            if not before or elapsed <= 0:
                continue
            came = [b - a for a, b in zip(before, statistics.layer_bytes, strict=True)]
            if not sum(came):
                continue  # what an encoding took before it was suspended is what it will take again
            first = now - self._heard[i] > STOPPED
            self._heard[i] = now
            for layer, count in enumerate(came):
                rate = count * 8 / elapsed
                old = self._rates[i][layer]
                self._rates[i][layer] = rate if first else old + WEIGHT * (rate - old)

    def declare(self, bits_per_second: int, now: float) -> None:
        """Take for a fact what one stream without layers takes, however fast it comes just now."""
        self._rates[0][0] = float(bits_per_second)
        self._heard[0] = self._measured = now

    def flows(self, encoding: int, now: float) -> bool:
        """Tell whether anything of an encoding came lately."""
        return now - self._heard[encoding] < STOPPED

    def layers(self, encoding: int) -> tuple[int, int]:
        """Return the highest spatial and temporal layer that an encoding was seen to have."""
        taking = [i for i, rate in enumerate(self._rates[encoding]) if rate > 0]
        return max((i // _LAYERS for i in taking), default=0), max((i % _LAYERS for i in taking), default=0)

    def rate(self, layer: Layer) -> int:
        """Return the bits a second of a layer with all that it stands on; 0 where it never came."""
        rates = self._rates[layer.encoding]
        return int(
            sum(
                rates[_LAYERS * spatial + temporal]
                for spatial in range(layer.spatial + 1)
                for temporal in range(layer.temporal + 1)
            )
        )
