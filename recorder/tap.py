"""Parts what the plane's tap gives, one stream for all recordings of a shard, among the recordings."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

from media.ids import ProducerId

from .journal import tap_packets

Key = TypeVar("Key", bound=Hashable)


def share_out(data: bytes, owner: Mapping[ProducerId, Key]) -> dict[Key, bytes]:
    """Give each recording the tap records of its own producers, in order; those of nobody are dropped.

    No recording may ever hold another room's packets. Neighbouring records of one owner stay one piece.
    """
    pieces: dict[Key, list[bytes]] = {}
    start = end = 0
    current: Key | None = None
    for producer, _, _, _, packet_end in tap_packets(data):
        key = owner.get(ProducerId(producer))
        if key != current:
            if current is not None:
                pieces.setdefault(current, []).append(data[start:end])
            current, start = key, end
        end = packet_end
    if current is not None:
        pieces.setdefault(current, []).append(data[start:end])
    return {key: b"".join(parts) for key, parts in pieces.items()}
