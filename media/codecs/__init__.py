"""The payloads of the codecs that Konsil carries: peeking, packetising, putting together. Never decoding."""

from __future__ import annotations

from ..plane import Codec
from . import av1, h264, h265, opus, vp8, vp9
from .packetisation import PAYLOAD_LIMIT, CodecError, PayloadFormat

__all__ = ["BY_CODEC", "PAYLOAD_LIMIT", "CodecError", "PayloadFormat"]

#: What peeks into the payloads of each codec.
BY_CODEC: dict[Codec, PayloadFormat] = {
    Codec.OPUS: opus,
    Codec.H264: h264,
    Codec.VP8: vp8,
    Codec.VP9: vp9,
    Codec.AV1: av1,
    Codec.H265: h265,
}
