"""Reads session descriptions: every limit is checked here, unknown lines are passed over.

Strict about what we use (a malformed line of a known kind is an error), tolerant about the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ..ids import Mid, Ssrc
from .errors import SdpError
from .parameters import Candidate, Fingerprint, Setup
from .session import (
    Direction,
    ExtensionMap,
    Format,
    MediaSection,
    SessionDescription,
    Source,
    SourceGroup,
)

#: A browser's description of 16 cameras has about 100 KiB when every codec is offered in each.
MAX_TEXT = 128 * 1024
MAX_LINE = 8 * 1024
MAX_SECTIONS = 64
#: One video section of Chromium has about 150 attributes.
MAX_ATTRIBUTES = 1024
#: Kinds of feedback for one format: browsers know six. One line may stand for all formats, so they multiply.
MAX_FEEDBACK = 32

# ice-char of RFC 8839, section 5.4, and token of RFC 8866, section 9
_ICE = re.compile(r"[A-Za-z0-9+/]+", re.ASCII)
_TOKEN = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,20}", re.ASCII)
_HEX_PAIRS = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})*", re.ASCII)

#: Bytes of the hash functions that are strong enough (RFC 8122 names more; MD5 and SHA-1 are not).
DIGEST_SIZES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}


def parse(text: str) -> SessionDescription:
    """Read a description; SdpError for anything that cannot be one."""
    if len(text) > MAX_TEXT or len(text.encode("utf-8", "replace")) > MAX_TEXT:
        raise SdpError(f"The session description is longer than {MAX_TEXT} bytes.")
    lines = [line for line in re.split(r"\r\n|\r|\n", text) if line.strip()]
    if not lines:
        raise SdpError("The session description is empty.")
    if lines[0].strip() != "v=0":
        raise SdpError("The session description does not begin with v=0.")
    session = _Builder()
    sections: list[_Builder] = []
    current = session
    for line in lines[1:]:
        if len(line) > MAX_LINE:
            raise SdpError(f"A line of the session description is longer than {MAX_LINE} characters.")
        if len(line) < 2 or line[1] != "=":
            raise SdpError("A line of the session description is not of the form letter=value.")
        letter, value = line[0], line[2:].strip()
        if letter == "m":
            if len(sections) == MAX_SECTIONS:
                raise SdpError(f"The session description has more than {MAX_SECTIONS} media sections.")
            current = _Builder()
            current.media_line(value)
            sections.append(current)
        elif letter == "o" and current is session:
            session.origin_line(value)
        elif letter == "a":
            current.attribute(value)
    media = tuple(section.build(session) for section in sections)
    mids = [section.mid for section in media if section.mid]
    if len(set(mids)) != len(mids):
        raise SdpError("Two media sections of the session description have the same mid.")
    return SessionDescription(media, session.bundle, session.session_id, session.version, session.ice_lite)


def _number(text: str, what: str, limit: int) -> int:
    if not _NUMBER.fullmatch(text) or int(text) > limit:
        raise SdpError(f"The {what} of the session description is not a number from 0 to {limit}.")
    return int(text)


def _words(value: str, least: int, what: str) -> list[str]:
    words = value.split()
    if len(words) < least:
        raise SdpError(f"The {what} of the session description has fewer than {least} parts.")
    return words


def _following(words: list[str], name: str) -> str:
    """Find the value of an extension: names and values take turns (RFC 8839, section 5.1)."""
    pairs = dict(zip(words[::2], words[1::2], strict=False))
    return pairs.get(name, "")


@dataclass(slots=True)
class _Rtpmap:
    name: str
    clock_rate: int
    channels: int


@dataclass(slots=True)
class _Builder:
    """One section (or the session level) while its lines are read."""

    kind: str = ""
    port: int = 0
    protocol: str = ""
    formats: tuple[str, ...] = ()
    session_id: int = 0
    version: int = 0
    bundle: tuple[Mid, ...] = ()
    ice_lite: bool = False
    count: int = 0
    mid: Mid = Mid("")
    direction: Direction | None = None
    rtpmaps: dict[int, _Rtpmap] = field(default_factory=dict)
    fmtps: dict[int, str] = field(default_factory=dict)
    feedback: list[tuple[int | None, str]] = field(default_factory=list)
    extensions: list[ExtensionMap] = field(default_factory=list)
    msid: str = ""
    sources: dict[Ssrc, dict[str, str]] = field(default_factory=dict)
    groups: list[SourceGroup] = field(default_factory=list)
    rids: list[str] = field(default_factory=list)
    simulcast: str = ""
    ufrag: str = ""
    pwd: str = ""
    fingerprints: list[Fingerprint] = field(default_factory=list)
    setup: Setup | None = None
    candidates: list[Candidate] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)
    sctp_port: int = 0
    max_message_size: int = 0

    def media_line(self, value: str) -> None:
        words = _words(value, 4, "m= line")
        if not all(_TOKEN.fullmatch(part) for word in words for part in word.split("/")):
            raise SdpError("The m= line of the session description has characters that are not allowed.")
        self.kind, self.protocol, self.formats = words[0], words[2], tuple(words[3:])
        # "port/number of ports" is legal, and of no use here
        self.port = _number(words[1].partition("/")[0], "port", 65535)
        if "RTP" in self.protocol:
            for payload_type in self.formats:
                _number(payload_type, "payload type", 127)

    def origin_line(self, value: str) -> None:
        words = value.split()
        if len(words) >= 3 and _NUMBER.fullmatch(words[1]) and _NUMBER.fullmatch(words[2]):
            self.session_id, self.version = int(words[1]), int(words[2])

    def attribute(self, line: str) -> None:
        self.count += 1
        if self.count > MAX_ATTRIBUTES:
            raise SdpError(f"A section of the session description has more than {MAX_ATTRIBUTES} attributes.")
        name, _, value = line.partition(":")
        if name in _FLAGS:
            self.flags.add(name)
        elif name in Direction._value2member_map_:
            self.direction = Direction(name)
        elif name in _READERS:
            _READERS[name](self, value.strip())

    def group(self, value: str) -> None:
        words = value.split()
        if words[:1] == ["BUNDLE"] and not self.bundle:
            self.bundle = tuple(Mid(word) for word in words[1:])

    def mid_(self, value: str) -> None:
        if not _TOKEN.fullmatch(value) or len(value) > 16:
            raise SdpError("A mid of the session description is not a token of 1 to 16 characters.")
        self.mid = Mid(value)

    def rtpmap(self, value: str) -> None:
        words = _words(value, 2, "rtpmap")
        parts = words[1].split("/")
        if len(parts) not in {2, 3} or not _TOKEN.fullmatch(parts[0]):
            raise SdpError("An rtpmap of the session description is not of the form name/clock rate.")
        channels = _number(parts[2], "number of channels", 255) if len(parts) == 3 else 1
        clock_rate = _number(parts[1], "clock rate", 1_000_000)
        if not clock_rate or not channels:
            raise SdpError("A clock rate or a number of channels of the session description is 0.")
        self.rtpmaps[_number(words[0], "payload type", 127)] = _Rtpmap(parts[0], clock_rate, channels)

    def fmtp(self, value: str) -> None:
        payload_type, _, rest = value.partition(" ")
        if _NUMBER.fullmatch(payload_type):  # a data channel's fmtp names no payload type
            self.fmtps[_number(payload_type, "payload type", 127)] = rest.strip()

    def rtcp_fb(self, value: str) -> None:
        words = _words(value, 2, "rtcp-fb")
        payload_type = None if words[0] == "*" else _number(words[0], "payload type", 127)
        self.feedback.append((payload_type, " ".join(words[1:])))

    def extmap(self, value: str) -> None:
        words = _words(value, 2, "extmap")
        number, _, direction = words[0].partition("/")
        identifier = _number(number, "extmap", 4351)
        # 15 is reserved, and those above 255 are offers for later (RFC 8285, section 6)
        if 0 < identifier < 256:
            self.extensions.append(ExtensionMap(identifier, words[1], direction))

    def msid_(self, value: str) -> None:
        self.msid = self.msid or value

    def ssrc(self, value: str) -> None:
        number, _, attribute = value.partition(" ")
        name, _, content = attribute.strip().partition(":")
        self.sources.setdefault(Ssrc(_number(number, "ssrc", 0xFFFFFFFF)), {})[name] = content

    def ssrc_group(self, value: str) -> None:
        words = _words(value, 1, "ssrc-group")
        ssrcs = tuple(Ssrc(_number(word, "ssrc-group", 0xFFFFFFFF)) for word in words[1:])
        self.groups.append(SourceGroup(words[0], ssrcs))

    def rid(self, value: str) -> None:
        self.rids.append(value)

    def simulcast_(self, value: str) -> None:
        self.simulcast = value

    def ice_ufrag(self, value: str) -> None:
        if not _ICE.fullmatch(value) or not 4 <= len(value) <= 256:
            raise SdpError("The ice-ufrag of the session description is not of 4 to 256 ICE characters.")
        self.ufrag = value

    def ice_pwd(self, value: str) -> None:
        if not _ICE.fullmatch(value) or not 22 <= len(value) <= 256:
            raise SdpError("The ice-pwd of the session description is not of 22 to 256 ICE characters.")
        self.pwd = value

    def fingerprint(self, value: str) -> None:
        words = _words(value, 2, "fingerprint")
        algorithm, digest = words[0].lower(), words[1].upper()
        if not _HEX_PAIRS.fullmatch(digest):
            raise SdpError("A fingerprint of the session description is not in hex pairs with colons.")
        size = DIGEST_SIZES.get(algorithm)
        if size is not None and len(digest) != size * 3 - 1:
            raise SdpError(f"A {algorithm} fingerprint of the session description has not {size} bytes.")
        self.fingerprints.append(Fingerprint(algorithm, digest))

    def setup_(self, value: str) -> None:
        if value not in Setup._value2member_map_:
            raise SdpError("The setup of the session description is not actpass, active or passive.")
        self.setup = Setup(value)

    def candidate(self, value: str) -> None:
        words = _words(value, 8, "candidate")
        if words[6] != "typ":
            raise SdpError("A candidate of the session description names no type.")
        self.candidates.append(
            Candidate(
                words[0],
                _number(words[1], "candidate's component", 256),
                words[2].lower(),
                _number(words[3], "candidate's priority", 0xFFFFFFFF),
                words[4],
                _number(words[5], "candidate's port", 65535),
                words[7],
                tcp_type=_following(words[8:], "tcptype"),
            )
        )

    def sctp_port_(self, value: str) -> None:
        self.sctp_port = _number(value, "sctp-port", 65535)

    def max_message_size_(self, value: str) -> None:
        self.max_message_size = _number(value, "max-message-size", (1 << 64) - 1)

    def build(self, session: _Builder) -> MediaSection:
        """Freeze, with the session level's values where the section has none of its own."""
        # a data channel goes both ways, whatever is said: the attributes are those of media (RFC 8866, section 6.7)
        direction = None if self.kind == "application" else self.direction or session.direction
        return MediaSection(
            kind=self.kind,
            port=self.port,
            protocol=self.protocol,
            formats=self.formats,
            mid=self.mid,
            direction=direction or Direction.SENDRECV,
            codecs=self._codecs(),
            extensions=tuple(self.extensions or session.extensions),
            msid=self.msid,
            sources=tuple(
                Source(ssrc, attributes.get("cname", ""), attributes.get("msid", ""))
                for ssrc, attributes in self.sources.items()
            ),
            groups=tuple(self.groups),
            rids=tuple(self.rids),
            simulcast=self.simulcast,
            ufrag=self.ufrag or session.ufrag,
            pwd=self.pwd or session.pwd,
            fingerprints=tuple(self.fingerprints or session.fingerprints),
            setup=self.setup or session.setup,
            candidates=tuple(self.candidates or session.candidates),
            end_of_candidates="end-of-candidates" in self.flags | session.flags,
            rtcp_mux="rtcp-mux" in self.flags,
            rtcp_mux_only="rtcp-mux-only" in self.flags,
            rtcp_rsize="rtcp-rsize" in self.flags,
            bundle_only="bundle-only" in self.flags,
            sctp_port=self.sctp_port,
            max_message_size=self.max_message_size,
        )

    def _codecs(self) -> tuple[Format, ...]:
        codecs = []
        numbers = (int(number) for number in self.formats if _NUMBER.fullmatch(number))
        for payload_type in dict.fromkeys(numbers):  # in the order of preference, each once
            rtpmap = self.rtpmaps.get(payload_type)
            # 64-95 with the marker bit would look like RTCP (RFC 5761, section 4): nothing can come under them
            if rtpmap is None or 64 <= payload_type < 96:
                continue
            feedback = tuple(dict.fromkeys(text for pt, text in self.feedback if pt in {None, payload_type}))
            if len(feedback) > MAX_FEEDBACK:
                raise SdpError(f"The session description names more than {MAX_FEEDBACK} kinds of feedback.")
            codecs.append(
                Format(
                    payload_type,
                    rtpmap.name,
                    rtpmap.clock_rate,
                    rtpmap.channels,
                    self.fmtps.get(payload_type, ""),
                    feedback,
                )
            )
        return tuple(codecs)

    def ice_lite_(self, _: str) -> None:
        self.ice_lite = True


_FLAGS = frozenset({"rtcp-mux", "rtcp-mux-only", "rtcp-rsize", "bundle-only", "end-of-candidates"})

_READERS: dict[str, Callable[[_Builder, str], None]] = {
    "candidate": _Builder.candidate,
    "extmap": _Builder.extmap,
    "fingerprint": _Builder.fingerprint,
    "fmtp": _Builder.fmtp,
    "group": _Builder.group,
    "ice-lite": _Builder.ice_lite_,
    "ice-pwd": _Builder.ice_pwd,
    "ice-ufrag": _Builder.ice_ufrag,
    "max-message-size": _Builder.max_message_size_,
    "mid": _Builder.mid_,
    "msid": _Builder.msid_,
    "rid": _Builder.rid,
    "rtcp-fb": _Builder.rtcp_fb,
    "rtpmap": _Builder.rtpmap,
    "sctp-port": _Builder.sctp_port_,
    "setup": _Builder.setup_,
    "simulcast": _Builder.simulcast_,
    "ssrc": _Builder.ssrc,
    "ssrc-group": _Builder.ssrc_group,
}
