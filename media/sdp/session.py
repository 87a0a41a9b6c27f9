"""A session description (RFC 8866) in the dialect of WebRTC (RFC 8829), as values that know how to be written.

Reading is in `parser.py`. ICE and DTLS attributes, which may stand at session level, are always held (and
written) by the media sections.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..ids import Mid, Ssrc
from .parameters import Candidate, Fingerprint, Setup


class Direction(StrEnum):
    """Which way media flows, seen by the author of the description (RFC 8866, section 6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        """Whether the author sends."""
        return self in {Direction.SENDRECV, Direction.SENDONLY}


@dataclass(frozen=True, slots=True)
class Format:
    """A payload type: its rtpmap, fmtp and rtcp-fb lines."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1
    fmtp: str = ""
    feedback: tuple[str, ...] = ()

    @property
    def parameters(self) -> dict[str, str]:
        """The fmtp as a mapping; names in lower case, a parameter without `=` maps to an empty string."""
        pairs = (part.strip().partition("=") for part in self.fmtp.split(";"))
        return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}

    def lines(self) -> list[str]:
        """Write the attributes."""
        channels = f"/{self.channels}" if self.channels > 1 else ""
        lines = [f"a=rtpmap:{self.payload_type} {self.name}/{self.clock_rate}{channels}"]
        lines += [f"a=rtcp-fb:{self.payload_type} {feedback}" for feedback in self.feedback]
        if self.fmtp:
            lines.append(f"a=fmtp:{self.payload_type} {self.fmtp}")
        return lines


@dataclass(frozen=True, slots=True)
class ExtensionMap:
    """A header extension's identifier for this session (RFC 8285, section 5)."""

    id: int
    uri: str
    direction: str = ""

    def __str__(self) -> str:
        return f"a=extmap:{self.id}{'/' + self.direction if self.direction else ''} {self.uri}"


@dataclass(frozen=True, slots=True)
class Source:
    """A stream that the author announces by its SSRC (RFC 5576)."""

    ssrc: Ssrc
    cname: str = ""
    msid: str = ""


@dataclass(frozen=True, slots=True)
class SourceGroup:
    """Streams that belong together.

    FID: the second repeats what was lost of the first (RFC 4588); FEC-FR: the second protects it (RFC 5956).
    """

    semantics: str
    ssrcs: tuple[Ssrc, ...]


@dataclass(frozen=True, slots=True)
class MediaSection:
    """One m= line and what follows it. `port` 0 without `bundle_only` is a rejected section."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    mid: Mid = Mid("")
    direction: Direction = Direction.SENDRECV
    codecs: tuple[Format, ...] = ()
    extensions: tuple[ExtensionMap, ...] = ()
    msid: str = ""
    sources: tuple[Source, ...] = ()
    groups: tuple[SourceGroup, ...] = ()
    rids: tuple[str, ...] = ()
    simulcast: str = ""
    ufrag: str = ""
    pwd: str = ""
    fingerprints: tuple[Fingerprint, ...] = ()
    setup: Setup | None = None
    candidates: tuple[Candidate, ...] = ()
    end_of_candidates: bool = False
    rtcp_mux: bool = False
    rtcp_mux_only: bool = False
    rtcp_rsize: bool = False
    bundle_only: bool = False
    sctp_port: int = 0
    max_message_size: int = 0

    @property
    def rejected(self) -> bool:
        """Whether the section is not (or no longer) in use."""
        return self.port == 0 and not self.bundle_only

    def codec(self, payload_type: int) -> Format | None:
        """Find a payload type's description."""
        return next((codec for codec in self.codecs if codec.payload_type == payload_type), None)

    def rtx_of(self, payload_type: int) -> Format | None:
        """Find the retransmission format (RFC 4588) of a payload type."""
        for codec in self.codecs:
            if codec.name.lower() == "rtx" and codec.parameters.get("apt") == str(payload_type):
                return codec
        return None

    def red_of(self, payload_type: int) -> Format | None:
        """Find the format in which a payload type comes with redundancy (RFC 2198) of its own kind."""
        plain = self.codec(payload_type)
        for codec in self.codecs:
            if codec.name.lower() != "red" or plain is None or codec.payload_type == payload_type:
                continue
            same = (codec.clock_rate, codec.channels) == (plain.clock_rate, plain.channels)
            if same and set(codec.fmtp.replace(" ", "").split("/")) == {str(payload_type)}:
                return codec
        return None

    @property
    def flexfec(self) -> Format | None:
        """The format of protection packets (draft-ietf-payload-flexible-fec-scheme-03)."""
        return next((codec for codec in self.codecs if codec.name.lower() == "flexfec-03"), None)

    def lines(self) -> list[str]:
        """Write the section."""
        lines = [f"m={self.kind} {self.port} {self.protocol} {' '.join(self.formats)}", "c=IN IP4 0.0.0.0"]
        if self.kind != "application":
            lines.append("a=rtcp:9 IN IP4 0.0.0.0")
        if self.mid:
            lines.append(f"a=mid:{self.mid}")
        if self.bundle_only:
            lines.append("a=bundle-only")
        if self.ufrag:
            lines.append(f"a=ice-ufrag:{self.ufrag}")
        if self.pwd:
            lines.append(f"a=ice-pwd:{self.pwd}")
        lines += [f"a=fingerprint:{fingerprint}" for fingerprint in self.fingerprints]
        if self.setup is not None:
            lines.append(f"a=setup:{self.setup}")
        lines += [f"a=candidate:{candidate}" for candidate in self.candidates]
        if self.end_of_candidates:
            lines.append("a=end-of-candidates")
        lines += [str(extension) for extension in self.extensions]
        if self.kind != "application":
            lines.append(f"a={self.direction}")
        if self.msid:
            lines.append(f"a=msid:{self.msid}")
        if self.rtcp_mux:
            lines.append("a=rtcp-mux")
        if self.rtcp_mux_only:
            lines.append("a=rtcp-mux-only")
        if self.rtcp_rsize:
            lines.append("a=rtcp-rsize")
        for codec in self.codecs:
            lines += codec.lines()
        lines += [f"a=rid:{rid}" for rid in self.rids]
        if self.simulcast:
            lines.append(f"a=simulcast:{self.simulcast}")
        for group in self.groups:
            lines.append(f"a=ssrc-group:{group.semantics} {' '.join(map(str, group.ssrcs))}")
        for source in self.sources:
            lines.append(f"a=ssrc:{source.ssrc} cname:{source.cname}")
            if source.msid:
                lines.append(f"a=ssrc:{source.ssrc} msid:{source.msid}")
        if self.sctp_port:
            lines.append(f"a=sctp-port:{self.sctp_port}")
        if self.max_message_size:
            lines.append(f"a=max-message-size:{self.max_message_size}")
        return lines


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """An offer or an answer. `str()` gives its text with CRLF line ends."""

    media: tuple[MediaSection, ...] = ()
    bundle: tuple[Mid, ...] = ()
    session_id: int = 0
    version: int = 0
    ice_lite: bool = False
    ice_options: str = ""

    def section(self, mid: str) -> MediaSection | None:
        """Find a media section by its mid."""
        return next((section for section in self.media if section.mid == mid), None)

    def __str__(self) -> str:
        lines = ["v=0", f"o=- {self.session_id} {self.version} IN IP4 127.0.0.1", "s=-", "t=0 0"]
        if self.bundle:
            lines.append(f"a=group:BUNDLE {' '.join(self.bundle)}")
        if self.ice_lite:
            lines.append("a=ice-lite")
        if self.ice_options:
            lines.append(f"a=ice-options:{self.ice_options}")
        lines += ["a=extmap-allow-mixed", "a=msid-semantic: WMS *"]
        for section in self.media:
            lines += section.lines()
        return "".join(line + "\r\n" for line in lines)
