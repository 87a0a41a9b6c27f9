"""The values of the header extensions that Konsil knows: their URIs, how they are built and read.

Times are Unix nanoseconds. Readers raise RtpError for a wrong length.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..plane import Extension
from .ntp import ntp_from_unix, unix_from_ntp
from .packet import RtpError

#: The URI by which SDP names each extension (a=extmap).
URIS: dict[Extension, str] = {
    Extension.MID: "urn:ietf:params:rtp-hdrext:sdes:mid",
    Extension.ABS_SEND_TIME: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    Extension.ABS_CAPTURE_TIME: "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
    Extension.AUDIO_LEVEL: "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    Extension.TRANSPORT_WIDE: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    Extension.PLAYOUT_DELAY: "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
    Extension.RID: "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    Extension.REPAIRED_RID: "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    Extension.DEPENDENCY_DESCRIPTOR: (
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
    ),
    Extension.VIDEO_ORIENTATION: "urn:3gpp:video-orientation",
}

#: The same the other way round.
BY_URI: dict[str, Extension] = {uri: extension for extension, uri in URIS.items()}

_NS = 1_000_000_000


def build_abs_send_time(time: int) -> bytes:
    """Write a time of sending: seconds modulo 64 with 18 bits of fraction, 3 bytes."""
    return ((time << 18) // _NS & 0xFFFFFF).to_bytes(3, "big")


def parse_abs_send_time(value: bytes) -> int:
    """Read a time of sending: nanoseconds modulo 64 s."""
    _expect("abs-send-time", value, 3)
    return int.from_bytes(value, "big") * _NS >> 18


@dataclass(frozen=True, slots=True)
class AbsCaptureTime:
    """Say when a frame was captured, by the capturer's clock, and what to add for the sender's clock.

    `time`: Unix ns (UQ32.32 NTP on the wire). `offset`: ns (Q32.32), None where it is not known.
    """

    time: int
    offset: int | None = None

    def __bytes__(self) -> bytes:
        """Build 8 bytes, or 16 with the offset."""
        value = ntp_from_unix(self.time).to_bytes(8, "big")
        if self.offset is None:
            return value
        fixed = ((self.offset << 32) + _NS // 2) // _NS
        if not -(1 << 63) <= fixed < 1 << 63:
            raise RtpError("The clock offset of abs-capture-time does not fit 64 bits.")
        return value + fixed.to_bytes(8, "big", signed=True)

    @classmethod
    def parse(cls, value: bytes) -> AbsCaptureTime:
        """Read either form."""
        _expect("abs-capture-time", value, 8, 16)
        time = unix_from_ntp(int.from_bytes(value[:8], "big"))
        if len(value) == 8:
            return cls(time)
        return cls(time, (int.from_bytes(value[8:], "big", signed=True) * _NS + (1 << 31)) >> 32)


@dataclass(frozen=True, slots=True)
class AudioLevel:
    """Say how loud a packet is (RFC 6464): `level` in -dBov, 0 (loudest) to 127; `voice`: it holds speech."""

    voice: bool
    level: int

    def __bytes__(self) -> bytes:
        """Build 1 byte."""
        if not 0 <= self.level < 128:
            raise RtpError("An audio level is 0 to 127.")
        return bytes([self.voice << 7 | self.level])

    @classmethod
    def parse(cls, value: bytes) -> AudioLevel:
        """Read 1 byte; in the two-byte form a padding byte may follow (RFC 6464, section 3)."""
        _expect("ssrc-audio-level", value, 1, 2)
        return cls(bool(value[0] & 0x80), value[0] & 0x7F)


def build_playout_delay(minimum: int, maximum: int) -> bytes:
    """Write the playout delay's limits, ms in steps of 10, 0 to 40,950: two times 12 bits."""
    if not 0 <= minimum <= maximum <= 40_950:
        raise RtpError("A playout delay has 0 <= minimum <= maximum <= 40,950 ms.")
    return (minimum // 10 << 12 | maximum // 10).to_bytes(3, "big")


def parse_playout_delay(value: bytes) -> tuple[int, int]:
    """Read the playout delay's (minimum, maximum) in ms."""
    _expect("playout-delay", value, 3)
    both = int.from_bytes(value, "big")
    return (both >> 12) * 10, (both & 0xFFF) * 10


def build_mid(mid: str) -> bytes:
    """Write the identification tag of a media section (RFC 8843, section 15)."""
    value = mid.encode()
    if not 0 < len(value) <= 255:
        raise RtpError("A MID has 1 to 255 bytes.")
    return value


def parse_mid(value: bytes) -> str:
    """Read the identification tag of a media section."""
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise RtpError("The MID is not UTF-8.") from error


def build_transport_wide(number: int) -> bytes:
    """Write a transport-wide sequence number, modulo 65,536."""
    return (number & 0xFFFF).to_bytes(2, "big")


def parse_transport_wide(value: bytes) -> int:
    """Read a transport-wide sequence number; the 2 bytes that version 2 adds are passed over."""
    _expect("transport-wide-cc", value, 2, 4)
    return int.from_bytes(value[:2], "big")


def _expect(name: str, value: bytes, *lengths: int) -> None:
    if len(value) not in lengths:
        raise RtpError(f"{name} has {' or '.join(map(str, lengths))} bytes, not {len(value)}.")
