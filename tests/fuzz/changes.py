"""Changes seeds by a seeded generator: what libFuzzer and atheris do better, where they are not at hand."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

_TELLING = (0, 1, 0x7F, 0x80, 0xFF, 0xFE, 0x10, 0xBE)
MOST_BYTES = 16_384


def changed(seeds: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Yield each seed as it is, then `count` changes of them: the same ones each time."""
    chance = random.Random(seed)
    yield from seeds
    for _ in range(count):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 8)):
            _change(data, seeds, chance)
        yield bytes(data[:MOST_BYTES])


def _change(data: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    at = chance.randrange(len(data)) if data else 0
    match chance.randrange(7):
        case 0 if data:
            data[at] ^= 1 << chance.randrange(8)
        case 1 if data:
            data[at] = chance.choice(_TELLING)
        case 2 if data:
            data[at] = chance.randrange(256)
        case 3:
            del data[at:]
        case 4:
            del data[at : at + chance.randint(1, 16)]
        case 5:
            data[at:at] = chance.randbytes(chance.randint(1, 16))
        case _:
            other = chance.choice(seeds)
            start = chance.randrange(len(other)) if other else 0
            data[at:] = other[start:]
