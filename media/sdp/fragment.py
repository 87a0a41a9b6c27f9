"""What WHIP and WHEP send after the offer: ICE alone, as `application/trickle-ice-sdpfrag` (RFC 8840, section 9).

A fragment has no `v=` line. Its credentials tell which ICE session its candidates belong to; other ones than those
known ask for an ICE restart (RFC 9725, section 4.3.3).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .errors import SdpError
from .parameters import Candidate, TransportParameters
from .parser import parse
from .session import MediaSection, SessionDescription

#: A fragment of 64 candidates has about 8 KiB.
MAX_FRAGMENT = 16 * 1024
MAX_CANDIDATES = 64

#: What a lite agent that takes candidates at any time says of itself (RFC 8840; RFC 8445, section 10).
ICE_OPTIONS = "trickle ice2"

#: Stands for the section of a fragment that has none.
_PSEUDO_SECTION = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"


@dataclass(frozen=True, slots=True)
class IceFragment:
    """Candidates of one ICE session; `ufrag` and `pwd` are empty where the fragment does not name the session."""

    ufrag: str = ""
    pwd: str = ""
    candidates: tuple[Candidate, ...] = ()
    end_of_candidates: bool = False


def parse_fragment(text: str) -> IceFragment:
    """Read a fragment; SdpError for anything that cannot be one."""
    if len(text.encode("utf-8", "replace")) > MAX_FRAGMENT:
        raise SdpError(f"The ICE fragment is longer than {MAX_FRAGMENT} bytes.")
    if not text.strip():
        raise SdpError("The ICE fragment is empty.")
    if text.lstrip().startswith("v="):
        raise SdpError("This is a whole session description and no ICE fragment.")
    lines = [line.strip() for line in text.splitlines()]
    pseudo = "" if any(line.startswith("m=") for line in lines) else _PSEUDO_SECTION
    # candidates outside a section are those of the one transport
    sections = parse(f"v=0\r\n{text.rstrip()}\r\n{pseudo}").media
    named = {(section.ufrag, section.pwd) for section in sections} - {("", "")}
    if len(named) > 1:
        raise SdpError("The sections of the ICE fragment name different ICE sessions.")
    ufrag, pwd = next(iter(named), ("", ""))
    if bool(ufrag) != bool(pwd):
        raise SdpError("The ICE fragment has only one of ice-ufrag and ice-pwd.")
    candidates = tuple(dict.fromkeys(c for section in sections for c in section.candidates))
    if len(candidates) > MAX_CANDIDATES:
        raise SdpError(f"The ICE fragment has more than {MAX_CANDIDATES} candidates.")
    end = any(section.end_of_candidates for section in sections)
    if not (ufrag or candidates or end):
        raise SdpError("The ICE fragment says nothing of ICE.")
    return IceFragment(ufrag, pwd, candidates, end)


def write_fragment(local: TransportParameters, section: MediaSection) -> str:
    """Write our half of a restarted ICE session, for the section that carries the bundle's."""
    lines = [
        *(["a=ice-lite"] if local.ice_lite else []),
        f"a=ice-options:{ICE_OPTIONS}",
        f"a=group:BUNDLE {section.mid}",
        f"m={section.kind} 9 {section.protocol} {' '.join(section.formats)}",
        f"a=mid:{section.mid}",
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.pwd}",
        *(f"a=candidate:{candidate}" for candidate in local.candidates),
        "a=end-of-candidates",
    ]
    return "".join(line + "\r\n" for line in lines)


def over_http(answer: SessionDescription) -> SessionDescription:
    """Complete an answer as WHIP and WHEP want it (RFC 9725, section 4.4.1): RTCP on the same port, trickle taken."""
    media = tuple(
        section if section.rejected or section.kind == "application" else replace(section, rtcp_mux_only=True)
        for section in answer.media
    )
    return replace(answer, media=media, ice_options=ICE_OPTIONS)
