"""Codecs and header extensions: their names in SDP beside our own."""

from __future__ import annotations

from collections.abc import Iterable

from ..plane import Codec, Extension, ExtensionIds
from ..rtp.extensions import BY_URI, URIS
from .errors import SdpError
from .session import ExtensionMap, Format

#: Encoding names (compared without case), clock rate and channels.
ENCODINGS: dict[Codec, tuple[str, int, int]] = {
    Codec.OPUS: ("opus", 48000, 2),
    Codec.H264: ("H264", 90000, 1),
    Codec.VP8: ("VP8", 90000, 1),
    Codec.VP9: ("VP9", 90000, 1),
    Codec.AV1: ("AV1", 90000, 1),
    Codec.H265: ("H265", 90000, 1),
}


#: The ids that our own offers give, in the order of Extension.
OUR_EXTENSION_IDS: ExtensionIds = tuple(range(1, 1 + len(Extension)))

#: Which extensions make sense for which kind of media.
EXTENSIONS_OF_KIND: dict[str, frozenset[Extension]] = {
    "audio": frozenset(
        {
            Extension.MID,
            Extension.ABS_SEND_TIME,
            Extension.ABS_CAPTURE_TIME,
            Extension.AUDIO_LEVEL,
            Extension.TRANSPORT_WIDE,
        }
    ),
    "video": frozenset(Extension) - {Extension.AUDIO_LEVEL},
}

# what a receiver must know of a stream; everything else in an fmtp is the sender's own affair
_KEPT_PARAMETERS: dict[Codec, tuple[str, ...]] = {
    Codec.OPUS: ("minptime", "useinbandfec", "usedtx", "stereo", "sprop-stereo"),
    Codec.H264: ("profile-level-id",),
    Codec.VP8: (),
    Codec.VP9: ("profile-id",),
    Codec.AV1: ("profile", "level-idx", "tier"),
    Codec.H265: ("profile-id", "tier-flag", "level-id", "tx-mode"),
}


def codec_of(format_: Format) -> Codec | None:
    """Name the codec if it is one that we pass; H.264 only with packetization-mode 1."""
    for codec, (name, clock_rate, channels) in ENCODINGS.items():
        if (
            format_.name.lower() == name.lower()
            and format_.clock_rate == clock_rate
            and format_.channels == channels
        ):
            if codec is Codec.H264 and format_.parameters.get("packetization-mode") != "1":
                return None
            return codec
    return None


def canonical_fmtp(codec: Codec, fmtp: str) -> str:
    """Keep of an fmtp what a receiver must know, in a fixed order, so that equal streams have equal text."""
    given = Format(0, "", 0, fmtp=fmtp).parameters
    kept = [
        f"{name}={given[name].lower()}"
        for name in _KEPT_PARAMETERS[codec]
        if given.get(name, "").isalnum() and given[name].isascii() and len(given[name]) <= 32
    ]
    if codec is Codec.H264:
        kept = ["level-asymmetry-allowed=1", "packetization-mode=1", *kept]
    return ";".join(kept)


def extension_ids(extensions: Iterable[ExtensionMap], kind: str) -> ExtensionIds:
    """Give the ids of the extensions that we know; 0 for the others and for ids beyond the one-byte form.

    SdpError where two of them have one id: a packet could not say which it bears (RFC 8285, section 6).
    """
    ids = [0] * len(Extension)
    for mapping in extensions:
        extension = BY_URI.get(mapping.uri)
        if (
            extension in EXTENSIONS_OF_KIND.get(kind, ())
            and extension is not None
            and 0 < mapping.id < 15
            and mapping.direction != "inactive"
        ):
            ids[extension] = mapping.id
    used = [identifier for identifier in ids if identifier]
    if len(set(used)) != len(used):
        raise SdpError("Two header extensions of a media section have the same id.")
    return tuple(ids)


def extension_maps(ids: ExtensionIds, kind: str) -> tuple[ExtensionMap, ...]:
    """Write ids as SDP has them."""
    return tuple(
        ExtensionMap(ids[extension], uri)
        for extension, uri in URIS.items()
        if ids[extension] and extension in EXTENSIONS_OF_KIND[kind]
    )
