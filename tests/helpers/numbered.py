"""Pictures that bear their number as a barcode: encoded, recorded, and read again by whoever is sent them."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from media.codecs.packetisation import CodecError
from media.plane import Codec
from media.rtp.packet import RtpPacket
from recorder.export.assembly import assembler_for
from server.demo import barcode
from tests.helpers.journal_media import Encoded, camera, encode_sound, record, sound, video
from tests.helpers.scheduling import unchanged_scheduling

_ENCODERS = {
    Codec.H264: ("libx264", {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}),
    Codec.VP8: ("libvpx", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    Codec.VP9: ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    Codec.AV1: ("libsvtav1", {"preset": "12", "svtav1-params": "pred-struct=1:rc=2"}),
    Codec.H265: ("libx265", {"preset": "ultrafast", "tune": "zerolatency", "x265-params": "log-level=none"}),
}
_DECODERS = {
    Codec.H264: "h264",
    Codec.H265: "hevc",
    Codec.VP8: "vp8",
    Codec.VP9: "vp9",
    Codec.AV1: "libdav1d",
}


@functools.cache
@unchanged_scheduling()
def numbered(
    codec: Codec, count: int = 90, key_every: int = 30, b_frames: int = 0, height: int = 240
) -> tuple[Encoded, ...]:
    """Encode `count` grey pictures, each with its number."""
    name, options = _ENCODERS[codec]
    context = av.CodecContext.create(name, "w")
    context.width, context.height, context.pix_fmt = height * 4 // 3, height, "yuv420p"
    context.time_base = Fraction(1, 30)
    context.gop_size = key_every
    context.bit_rate = 1_000_000
    context.options = options
    if b_frames:
        context.options = {"preset": "ultrafast", "bf": str(b_frames), "b-adapt": "0", "forced-idr": "1"}
    encoded = []
    for number in range(count):
        picture = np.full((height, context.width, 3), 90, np.uint8)
        barcode.draw(picture, number)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = number
        encoded += context.encode(frame)
    encoded += context.encode(None)
    return tuple(Encoded(bytes(packet), int(packet.pts or 0)) for packet in encoded)


def numbered_recording(folder: Path, codec: Codec = Codec.H264, count: int = 90, **how: int) -> Path:
    """Record numbered pictures (producer 7) and sound (producer 8), 30 pictures a second, from 0.1 s on."""
    pictures = video(7, codec, numbered(codec, count, **how))
    voice = sound(8, encode_sound(count * 5 // 3))
    packets = sorted((*pictures, *voice), key=lambda packet: packet.at)
    return record(folder, [camera(7, codec), camera(8, Codec.OPUS)], packets)


class Numbers:
    """Decodes what is sent of one picture: a list of (RTP timestamp, number). It refuses any gap in the packets."""

    def __init__(self, codec: Codec) -> None:
        self.seen: list[tuple[int, int | None]] = []
        self.packets: list[RtpPacket] = []
        self._assembler = assembler_for(codec, "")
        self._decoder = av.CodecContext.create(_DECODERS[codec], "r")
        self._decoder.thread_count = 1  # several hold pictures back
        if codec is Codec.AV1:
            self._decoder.options = {"max_frame_delay": "1"}
        self._gathering: list[RtpPacket] = []
        self._stamps: dict[int, int] = {}

    def receive(self, packets: Iterable[bytes]) -> None:
        """Take packets in their order."""
        for data in packets:
            packet = RtpPacket.parse(data)
            if self.packets:
                expected = self.packets[-1].sequence_number + 1 & 0xFFFF
                assert packet.sequence_number == expected, "a gap in what is sent"
            self.packets.append(packet)
            if not packet.payload:
                continue  # padding
            self._gathering.append(packet)
            if packet.marker:
                self._decode()

    def _decode(self) -> None:
        gathered, self._gathering = self._gathering, []
        assert len({packet.timestamp for packet in gathered}) == 1, "one picture, one timestamp"
        try:
            data, _ = self._assembler.assemble([p.payload for p in gathered], beginning_sure=True)
        except CodecError as error:
            raise AssertionError(f"a picture is not whole: {error}") from None
        packet = av.Packet(data)
        packet.pts = len(self._stamps)
        self._stamps[packet.pts] = gathered[0].timestamp
        for frame in self._decoder.decode(packet):
            number = barcode.read(frame.to_ndarray(format="rgb24"))
            self.seen.append((self._stamps.get(frame.pts, -1), number))
