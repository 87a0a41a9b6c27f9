"""Changes seeds by a seeded generator: what libFuzzer and atheris do better, where they are not at hand, and faster."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

_TELLING = (0, 1, 0x7F, 0x80, 0xFF, 0xFE, 0x10, 0xBE)
MOST_BYTES = 16_384


def changed(seeds: Sequence[bytes], count: int, seed: int, longest: int = MOST_BYTES) -> Iterator[bytes]:
    """Yield each seed as it is, then `count` changes of them, of `longest` bytes at most: the same ones each time."""
    chance = random.Random(seed)
    # multiplied and cut off: five times as fast as randrange, and it is the most of what an execution costs
    draw = chance.random
    yield from seeds
    several = len(seeds)
    for _ in range(count):
        data = bytearray(seeds[int(draw() * several)])
        # few changes more often than many: what is changed in one place gets farthest
        for _ in range(1 + int(draw() * draw() * 8)):
            _change(data, seeds, draw, chance.randbytes)
        yield bytes(data[:longest])


def _change(
    data: bytearray, seeds: Sequence[bytes], draw: Callable[[], float], noise: Callable[[int], bytes]
) -> None:
    at = int(draw() * len(data))
    match int(draw() * 7):
        case 0 if data:
            data[at] ^= 1 << int(draw() * 8)
        case 1 if data:
            data[at] = _TELLING[int(draw() * 8)]
        case 2 if data:
            data[at] = int(draw() * 256)
        case 3:
            del data[at:]
        case 4:
            del data[at : at + 1 + int(draw() * 16)]
        case 5:
            data[at:at] = noise(1 + int(draw() * 16))
        case _:
            other = seeds[int(draw() * len(seeds))]
            data[at:] = other[int(draw() * len(other)) :]
