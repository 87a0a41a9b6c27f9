"""The size of a picture as its sequence parameter set says it: H.264 (7.3.2.1.1) and H.265 (7.3.2.2)."""

from __future__ import annotations

from .packetisation import BitReader, CodecError, unescape

#: Larger than 8K on either side is no camera's.
MAX_SIDE = 16_384

#: A parameter set is some dozens of bytes; with scaling lists some hundreds.
MAX_LENGTH = 4096

#: The profiles of H.264 whose parameter sets tell the chroma format.
_WITH_CHROMA = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})


def h264_size(unit: bytes) -> tuple[int, int]:
    """Read (width, height) in pixels, cropped, from an SPS NAL unit of H.264."""
    reader = _open(unit, 1)
    profile = reader.bits(8)
    reader.bits(16)  # constraint flags and level
    reader.golomb()  # seq_parameter_set_id
    chroma_format, separate = 1, False
    if profile in _WITH_CHROMA:
        chroma_format = reader.golomb()
        if chroma_format > 3:
            raise CodecError("The parameter set names an unknown chroma format.")
        if chroma_format == 3:
            separate = reader.flag()
        reader.golomb()  # bit_depth_luma_minus8
        reader.golomb()  # bit_depth_chroma_minus8
        reader.flag()  # qpprime_y_zero_transform_bypass_flag
        if reader.flag():
            _pass_scaling_lists(reader, 8 if chroma_format != 3 else 12)
    reader.golomb()  # log2_max_frame_num_minus4
    order = reader.golomb()  # pic_order_cnt_type
    if order == 0:
        reader.golomb()
    elif order == 1:
        reader.flag()
        reader.signed_golomb()
        reader.signed_golomb()
        cycle = reader.golomb()
        if cycle > 255:
            raise CodecError("The picture order cycle has at most 255 frames.")
        for _ in range(cycle):
            reader.signed_golomb()
    reader.golomb()  # max_num_ref_frames
    reader.flag()  # gaps_in_frame_num_value_allowed_flag
    width = 16 * (reader.golomb() + 1)
    map_height = reader.golomb() + 1
    frames_only = reader.flag()
    height = 16 * map_height * (1 if frames_only else 2)
    if not frames_only:
        reader.flag()  # mb_adaptive_frame_field_flag
    reader.flag()  # direct_8x8_inference_flag
    crop = _crop(reader, 0 if separate else chroma_format, 1 if frames_only else 2)
    return _checked(width - crop[0], height - crop[1])


def h265_size(unit: bytes) -> tuple[int, int]:
    """Read (width, height) in pixels, cropped, from an SPS NAL unit of H.265."""
    reader = _open(unit, 2)
    reader.bits(4)  # sps_video_parameter_set_id
    sub_layers = reader.bits(3)
    reader.flag()  # sps_temporal_id_nesting_flag
    reader.bits(96)  # general profile, tier and level
    present = [(reader.flag(), reader.flag()) for _ in range(sub_layers)]
    if sub_layers:
        reader.bits(2 * (8 - sub_layers))
    for profile, level in present:
        reader.bits(88 * profile + 8 * level)
    reader.golomb()  # sps_seq_parameter_set_id
    chroma_format = reader.golomb()
    if chroma_format > 3:
        raise CodecError("The parameter set names an unknown chroma format.")
    separate = chroma_format == 3 and reader.flag()
    width, height = reader.golomb(), reader.golomb()
    crop = _crop(reader, 0 if separate else chroma_format, 1)
    return _checked(width - crop[0], height - crop[1])


def _open(unit: bytes, header: int) -> BitReader:
    if not header < len(unit) <= MAX_LENGTH:
        raise CodecError("A sequence parameter set has some dozens of bytes.")
    return BitReader(unescape(unit[header:]))


def _crop(reader: BitReader, chroma_format: int, fields: int) -> tuple[int, int]:
    """Read what is cut off at both sides, in units of the chroma samples (6-1 in either standard)."""
    if not reader.flag():
        return 0, 0
    left, right, top, bottom = (reader.golomb() for _ in range(4))
    across = 2 if chroma_format in (1, 2) else 1
    down = (2 if chroma_format == 1 else 1) * fields
    return across * (left + right), down * (top + bottom)


def _pass_scaling_lists(reader: BitReader, count: int) -> None:
    for index in range(count):
        if not reader.flag():
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + reader.signed_golomb()) % 256
            last = following or last


def _checked(width: int, height: int) -> tuple[int, int]:
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise CodecError(f"A picture of {width} × {height} pixels is not possible.")
    return width, height
