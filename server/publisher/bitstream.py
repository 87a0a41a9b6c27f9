"""H.264 and H.265 as files hold them: access units of NAL units, each key frame with its parameter sets.

A decoder may begin at any key frame, so one that comes without parameter sets is given the newest known; nothing
else is added, taken out or changed.
"""

from __future__ import annotations

from collections.abc import Sequence

from media.codecs import CodecError, h264, h265
from media.codecs.packetisation import split_annex_b, split_avcc, unescape
from media.plane import Codec

#: NAL unit types (H.264, table 7-1; H.265, table 7-1).
_DELIMITER = {Codec.H264: 9, Codec.H265: 35}
_PARAMETER_SETS = {Codec.H264: frozenset({7, 8}), Codec.H265: frozenset({32, 33, 34})}
_SEQUENCE = {Codec.H264: 7, Codec.H265: 33}
#: H.265 has several: 16-21 are those at which decoding may begin.
_KEY = {Codec.H264: frozenset({5}), Codec.H265: frozenset(range(16, 22))}
#: Slices: an access unit without one is no picture.
_SLICES = {Codec.H264: range(1, 6), Codec.H265: range(32)}


class Bitstream:
    """Takes the packets of one video stream apart.

    `header` is the container's (`avcC`, `hvcC`, or parameter sets as Annex B); CodecError if it is none of these.
    """

    def __init__(self, codec: Codec, header: bytes) -> None:
        self.codec = codec
        self._length_size = 0  # of the lengths before NAL units; 0: start codes
        if header[:1] == b"\x01" and codec is Codec.H264:
            self._length_size, sets = _read_avcc(header)
        elif header[:1] == b"\x01":
            self._length_size, sets = _read_hvcc(header)
        else:
            sets = split_annex_b(header)
        self._sets = [unit for unit in sets if self._kind(unit) in _PARAMETER_SETS[codec]]

    @property
    def fmtp(self) -> str:
        """The stream's profile and level as SDP names them; CodecError without a sequence parameter set."""
        for unit in self._sets:
            if self._kind(unit) == _SEQUENCE[self.codec]:
                return _h264_fmtp(unit) if self.codec is Codec.H264 else _h265_fmtp(unit)
        raise CodecError("The stream has no sequence parameter set.")

    def split(self, data: bytes) -> tuple[list[bytes], bool]:
        """Return an access unit's NAL units and whether it is a key frame.

        Empty where it holds no picture. CodecError for lengths that lie.
        """
        units = split_avcc(data, self._length_size) if self._length_size else split_annex_b(data)
        kinds = [self._kind(unit) for unit in units]
        sets = [unit for unit, kind in zip(units, kinds, strict=True) if kind in _PARAMETER_SETS[self.codec]]
        has_sequence = _SEQUENCE[self.codec] in kinds
        if has_sequence:
            self._sets = sets
        if not any(kind in _SLICES[self.codec] for kind in kinds):
            return [], False
        key = any(kind in _KEY[self.codec] for kind in kinds)
        if key and not has_sequence:
            # nothing may stand before an access unit delimiter
            start = 1 if kinds[0] == _DELIMITER[self.codec] else 0
            units[start:start] = self._sets
        return units, key

    def packetise(self, units: Sequence[bytes]) -> list[bytes]:
        """Make RTP payloads of an access unit."""
        return h264.packetise(units) if self.codec is Codec.H264 else h265.packetise(units)

    def _kind(self, unit: bytes) -> int:
        return unit[0] & 0x1F if self.codec is Codec.H264 else unit[0] >> 1 & 0x3F


def _read_avcc(header: bytes) -> tuple[int, list[bytes]]:
    """Read an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1): SPS, then PPS."""
    reader = _Reader(header, 4)
    length_size = reader.number(1) % 4 + 1
    units = [reader.unit() for _ in range(reader.number(1) & 0x1F)]
    units += [reader.unit() for _ in range(reader.number(1))]
    return length_size, units


def _read_hvcc(header: bytes) -> tuple[int, list[bytes]]:
    """Read an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1): arrays of NAL units."""
    reader = _Reader(header, 21)
    length_size = reader.number(1) % 4 + 1
    units = []
    for _ in range(reader.number(1)):
        reader.number(1)  # the array's NAL unit type, which each unit says too
        units += [reader.unit() for _ in range(reader.number(2))]
    return length_size, units


class _Reader:
    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._position = position

    def number(self, length: int) -> int:
        return int.from_bytes(self._take(length), "big")

    def unit(self) -> bytes:
        unit = self._take(self.number(2))
        if not unit:
            raise CodecError("A parameter set in the container's header is empty.")
        return unit

    def _take(self, length: int) -> bytes:
        taken = self._data[self._position : self._position + length]
        if len(taken) < length:
            raise CodecError("The container's header ends within a parameter set.")
        self._position += length
        return taken


def _h264_fmtp(unit: bytes) -> str:
    if len(unit) < 4:
        raise CodecError("The sequence parameter set is too short.")
    return f"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={unit[1:4].hex()}"


def _h265_fmtp(unit: bytes) -> str:
    # profile_tier_level after the header and one byte (H.265, 7.3.2.2.1 and 7.3.3)
    level = unescape(unit)[3:15]
    if len(level) < 12:
        raise CodecError("The sequence parameter set is too short.")
    return f"profile-id={level[0] & 0x1F};tier-flag={level[0] >> 5 & 1};level-id={level[11]};tx-mode=SRST"
