"""The encodings in which a publisher offers one track: by RID (RFC 8851, RFC 8853), or by SSRCs in a SIM group."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..ids import Rid, Ssrc
from .session import MediaSection

#: Encodings that a producer can have (media.plane); of more the lowest are taken.
MAX_ENCODINGS = 4

# RFC 8851, section 10: letters, digits, - and _; the one-byte header extension holds 16
_RID = re.compile(r"[A-Za-z0-9_-]{1,16}\Z")

#: Names that say which is the smaller picture, lowest first; where others are used, the order of the offer counts.
_ORDERS = (("q", "h", "f"), ("l", "m", "h"), ("low", "mid", "high"), ("s", "m", "l"))


@dataclass(frozen=True, slots=True)
class OfferedEncoding:
    """One encoding of a track. Its SSRCs are 0 where the offer names only its RID."""

    rid: Rid = Rid("")
    ssrc: Ssrc = Ssrc(0)
    rtx_ssrc: Ssrc = Ssrc(0)


def offered_encodings(section: MediaSection) -> tuple[OfferedEncoding, ...]:
    """Read the encodings that a section offers to send, the lowest first; empty where it is no simulcast."""
    declared = {text.split(" ", 1)[0] for text in section.rids if text.split(" ", 2)[1:2] == ["send"]}
    rids = [rid for rid in _sent(section.simulcast) if rid in declared]
    if len(rids) > 1:
        return tuple(OfferedEncoding(Rid(rid)) for rid in _lowest_first(rids)[:MAX_ENCODINGS])
    repairs = {g.ssrcs[0]: g.ssrcs[1] for g in section.groups if g.semantics == "FID" and len(g.ssrcs) == 2}
    for group in section.groups:
        if group.semantics == "SIM" and len(set(group.ssrcs)) > 1:
            ssrcs = list(dict.fromkeys(group.ssrcs))[:MAX_ENCODINGS]
            return tuple(OfferedEncoding(ssrc=s, rtx_ssrc=repairs.get(s, Ssrc(0))) for s in ssrcs)
    return ()


def _sent(simulcast: str) -> list[str]:
    """The RIDs behind `send` in a simulcast attribute; of alternatives the first (RFC 8853, section 5.1)."""
    words = simulcast.split()
    directions = dict(zip(words[::2], words[1::2], strict=False))
    streams = [stream.split(",")[0].removeprefix("~") for stream in directions.get("send", "").split(";")]
    return list(dict.fromkeys(stream for stream in streams if _RID.match(stream)))


def _lowest_first(rids: list[str]) -> list[str]:
    for order in _ORDERS:
        if set(rids) <= set(order):
            return sorted(rids, key=order.index)
    return rids
