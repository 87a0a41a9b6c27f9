"""What runs guided by coverage have found worth keeping: inputs each of which reaches what no other does.

One file a target, one input a line in hex. `python -m tests.fuzz TARGET --keep` renews it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parent / "corpora"

#: Bytes of one target's inputs, and of one of them: the repository is no place for more.
MOST = 24_000
LONGEST = 1500


def read(name: str) -> tuple[bytes, ...]:
    """Read a target's inputs, the shortest first; none where none were kept."""
    path = FOLDER / f"{name}.hex"
    if not path.exists():
        return ()
    return tuple(bytes.fromhex(line) for line in path.read_text(encoding="ascii").splitlines())


def write(name: str, inputs: Iterable[bytes]) -> int:
    """Keep the shortest inputs, as many as there is room for; returns how many."""
    kept: list[bytes] = []
    room = MOST
    for data in sorted(set(inputs), key=lambda data: (len(data), data)):
        room -= len(data)
        if room < 0 or len(data) > LONGEST:
            break
        kept.append(data)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.hex").write_text("".join(f"{data.hex()}\n" for data in kept), encoding="ascii")
    return len(kept)
