"""One picture from the payloads of its packets, a codec a class: is it whole, is it a key frame?

For pictures as they come (server/watching), and the reference of what media/native puts together for a recording.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Protocol

from media.codecs import av1 as av1_payload
from media.codecs import h264, h265, vp8, vp9
from media.codecs.packetisation import CodecError, join_annex_b
from media.plane import Codec

from . import av1


class Assembler(Protocol):
    """Puts pictures of one track together, in the order of sending."""

    def assemble(self, payloads: Sequence[bytes], *, beginning_sure: bool) -> tuple[bytes, bool]:
        """Return a picture and whether a decoder can begin at it.

        With `beginning_sure` False packets before these were lost: the picture must show by itself that none
        of them was its own. Raises CodecError when it is not whole.
        """


class _NalAssembler:
    """H.264 and H.265: Annex B, and parameter sets that a key frame did not bring are put before it."""

    def __init__(self, codec: Codec, fmtp: str) -> None:
        self._h264 = codec is Codec.H264
        self._needed = (h264.SPS, h264.PPS) if self._h264 else (h265.VPS, h265.SPS, h265.PPS)
        self._sets: dict[int, bytes] = {}
        for unit in sets_of_fmtp(fmtp):
            self._keep(unit)

    def assemble(self, payloads: Sequence[bytes], *, beginning_sure: bool) -> tuple[bytes, bool]:
        units = (h264 if self._h264 else h265).depacketise(payloads)
        pictures = [unit for unit in units if self._is_slice(unit)]
        if not pictures:
            for unit in units:
                self._keep(unit)
            raise CodecError("An access unit holds no picture.")
        # first_mb_in_slice is 0, or first_slice_segment_in_pic_flag is set
        first_byte = 1 if self._h264 else 2
        if not beginning_sure and not (len(pictures[0]) > first_byte and pictures[0][first_byte] & 0x80):
            raise CodecError("The beginning of a picture is missing.")
        for unit in units:
            self._keep(unit)
        key = all(self._is_key(unit) for unit in pictures)
        if key:
            present = {self._kind(unit) for unit in units}
            absent = [kind for kind in self._needed if kind not in present]
            if any(kind not in self._sets for kind in absent):
                raise CodecError("A key frame's parameter sets are missing.")
            units = [self._sets[kind] for kind in absent] + units
        return join_annex_b(units), key

    def _kind(self, unit: bytes) -> int:
        return unit[0] & 0x1F if self._h264 else unit[0] >> 1 & 0x3F

    def _is_slice(self, unit: bytes) -> bool:
        return 1 <= self._kind(unit) <= 5 if self._h264 else self._kind(unit) < 32

    def _is_key(self, unit: bytes) -> bool:
        return self._kind(unit) == h264.IDR if self._h264 else 16 <= self._kind(unit) <= 21

    def _keep(self, unit: bytes) -> None:
        if self._kind(unit) in self._needed:
            self._sets[self._kind(unit)] = unit


class _Vp8Assembler:
    def assemble(self, payloads: Sequence[bytes], *, beginning_sure: bool) -> tuple[bytes, bool]:
        frame = vp8.depacketise(payloads)  # the descriptor tells a beginning, so it is always sure
        if not frame:
            raise CodecError("A VP8 frame is empty.")
        return frame, vp8.picture_size(frame) is not None


class _Vp9Assembler:
    def assemble(self, payloads: Sequence[bytes], *, beginning_sure: bool) -> tuple[bytes, bool]:
        layers: list[list[bytes]] = []
        for payload in payloads:
            if vp9.parse_descriptor(payload).begins or not layers:
                layers.append([])
            layers[-1].append(payload)
        if vp9.parse_descriptor(payloads[0]).spatial_layer and not beginning_sure:
            raise CodecError("The lowest spatial layer of a VP9 picture is missing.")
        if not 0 < len(layers) <= 8:
            raise CodecError("A VP9 picture has one to eight spatial layers.")
        frames = [vp9.depacketise(layer) for layer in layers]
        key = vp9.picture_size(frames[0]) is not None
        if len(frames) == 1:
            return frames[0], key
        # RTP left the superframe index away (VP9 bitstream specification, annex B)
        marker = bytes([0xC0 | 3 << 3 | len(frames) - 1])
        sizes = b"".join(len(frame).to_bytes(4, "little") for frame in frames)
        return b"".join(frames) + marker + sizes + marker, key


class _Av1Assembler:
    def assemble(self, payloads: Sequence[bytes], *, beginning_sure: bool) -> tuple[bytes, bool]:
        key = av1_payload.starts_key_frame(payloads[0])
        if not beginning_sure and not key:
            raise CodecError("Whether an AV1 frame begins here cannot be told.")
        return av1.depacketise(payloads), key


def assembler_for(codec: Codec, fmtp: str) -> Assembler:
    """Make the assembler of a video track; `fmtp` may bring parameter sets (RFC 6184, RFC 7798)."""
    match codec:
        case Codec.H264 | Codec.H265:
            return _NalAssembler(codec, fmtp)
        case Codec.VP8:
            return _Vp8Assembler()
        case Codec.VP9:
            return _Vp9Assembler()
        case Codec.AV1:
            return _Av1Assembler()
        case Codec.OPUS:
            raise ValueError("Opus has no pictures.")


def sets_of_fmtp(fmtp: str) -> list[bytes]:
    """Read sprop-parameter-sets, or sprop-vps, -sps and -pps; what is not base64 is passed over."""
    units = []
    for parameter in fmtp.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() in ("sprop-parameter-sets", "sprop-vps", "sprop-sps", "sprop-pps"):
            for text in value.split(","):
                try:
                    unit = base64.b64decode(text.strip(), validate=True)
                except (binascii.Error, ValueError):
                    continue
                if len(unit) > 2:
                    units.append(unit)
    return units
