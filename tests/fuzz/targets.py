"""What parses bytes from outside, in Python: each takes any bytes and raises nothing but its own refusal."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from annotation.ephemeral import parse_ephemeral
from annotation.operations import AnnotationError, parse_operation
from media.codecs import BY_CODEC, CodecError, vp8, vp9
from media.feedback_group import FeedbackGroup
from media.ids import Ssrc
from media.rtp import dependency_descriptor
from media.rtp.extensions import (
    AbsCaptureTime,
    AudioLevel,
    parse_abs_send_time,
    parse_mid,
    parse_playout_delay,
    parse_transport_wide,
)
from media.rtp.feedback import GenericNack, PictureLossIndication, ReceiverEstimate
from media.rtp.packet import RtpError, RtpPacket
from media.rtp.rtcp import ReceiverReport, SenderReport, build_compound, parse_compound
from media.rtp.rtcp_header import RtcpError
from media.rtp.transport_wide import Arrivals
from media.sdp import SdpError, parse, parse_fragment, remote_parameters
from media.sdp.simulcast import offered_encodings
from media.transport.sctp_guard import is_sound, is_sound_open
from media.transport.stun import Attribute, Message, MessageClass, StunError
from signalling.message_frame import MessageError
from signalling.messages import Ephemeral, MarkRequest, parse_message
from signalling.tokens import TokenError, verify

VECTORS = Path(__file__).parent.parent / "media" / "sdp" / "vectors"


@dataclass(frozen=True, slots=True)
class Target:
    """A parser; `refusals` are what it may raise."""

    run: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]

    def __call__(self, data: bytes) -> None:
        """Feed it; what it refuses is fine."""
        try:
            self.run(data)
        except self.refusals:
            pass


def _extensions(data: bytes) -> None:
    for reader in (
        parse_abs_send_time,
        AbsCaptureTime.parse,
        AudioLevel.parse,
        parse_playout_delay,
        parse_mid,
        parse_transport_wide,
    ):
        try:
            reader(data)
        except RtpError:
            continue


def _descriptors(data: bytes) -> None:
    known: list[dependency_descriptor.Structure] = []
    while data:
        size, data = data[0], data[1:]
        try:
            found = dependency_descriptor.parse(data[:size], known[-2:])
        except RtpError:
            found = None
        if found is not None and found.structure is not None:
            known.append(found.structure)
        data = data[size:]


def _codecs(data: bytes) -> None:
    for codec in BY_CODEC.values():
        codec.starts_key_frame(data)
        codec.starts_frame(data)
    for reader in (vp8.parse_descriptor, vp9.parse_descriptor):
        try:
            reader(data)
        except CodecError:
            continue


def _rtcp(data: bytes) -> None:
    for packet in parse_compound(data):
        bytes(packet)


def _sdp(data: bytes) -> None:
    description = parse(data.decode("utf-8", "replace"))
    for section in description.media:
        offered_encodings(section)
    remote_parameters(description)
    str(description)


def _signalling(data: bytes) -> None:
    message = parse_message(data)
    try:
        if isinstance(message, Ephemeral):
            parse_ephemeral(message.body, "pt-1", 1.0)
        elif isinstance(message, MarkRequest):
            parse_operation(message.operation)
    except AnnotationError:
        return


def _token(data: bytes) -> None:
    verify(b"k" * 32, data.decode("latin-1"), now=1.0)


_STUN = Message(
    MessageClass.REQUEST,
    bytes(range(12)),
    ((Attribute.USERNAME, b"a:b"), (Attribute.PRIORITY, b"\0\0\0\1"), (Attribute.USE_CANDIDATE, b"")),
).write("secret")
_RTP = bytes(
    RtpPacket(
        payload_type=96,
        sequence_number=1,
        timestamp=2,
        ssrc=3,
        payload=b"\x10\0\0\0\x9d\x01\x2a",
        marker=True,
        extensions={1: b"0", 3: bytes(8), 9: b"\x80\0\1"},
    )
)
_COMPOUND = build_compound(
    [
        SenderReport(1, 2, 3, 4, 5),
        GenericNack(1, 2, (3, 4, 20)),
        PictureLossIndication(1, Ssrc(2)),
        ReceiverEstimate(1, 5_000_000, (Ssrc(2),)),
    ]
)
_JSON = tuple(
    json.dumps(message).encode()
    for message in (
        {"type": "hello", "id": 1, "version": 1, "token": "x"},
        {
            "type": "publish",
            "id": 2,
            "sdp": "v=0",
            "sources": [{"mid": "0", "source": "field", "heights": [180]}],
        },
        {"type": "view", "id": 3, "producer": 7, "width": 1, "height": 1},
        {"type": "mark", "id": 4, "operation": {"kind": "undo"}},
        {"type": "pointer", "anchor": None, "point": None, "sent": 1.0, "n": 1},
    )
)

TARGETS: dict[str, Target] = {
    "stun": Target(Message.parse, (StunError,), (_STUN,)),
    "rtp": Target(RtpPacket.parse, (RtpError,), (_RTP,)),
    "rtcp": Target(_rtcp, (RtcpError,), (_COMPOUND, bytes(ReceiverReport(1)))),
    "transport_wide": Target(
        Arrivals.parse,
        (RtcpError, RtpError),
        (struct.pack("!IIHHI", 1, 2, 0, 8, 1 << 8) + b"\x20\x08" + bytes(8),),
    ),
    "header_extensions": Target(_extensions, (), (bytes(8), b"\x80", b"0")),
    "dependency_descriptor": Target(_descriptors, (), (b"\x08\x80\0\1\x80\0\0\0\0", b"\3\x80\0\2")),
    "codecs": Target(_codecs, (), (b"\x10\0\0\0\x9d\x01\x2a", b"\x8c\x80\x01", b"\x65\x88", b"\x26\x01")),
    "sdp": Target(_sdp, (SdpError,), tuple(p.read_bytes() for p in sorted(VECTORS.glob("*.sdp")))),
    "ice_fragment": Target(
        lambda data: parse_fragment(data.decode("utf-8", "replace")),
        (SdpError,),
        (b"a=ice-ufrag:abcd\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n",),
    ),
    "sctp": Target(
        is_sound, (), (bytes(12) + b"\1\0\0\x14" + bytes(16), bytes(12) + b"\0\3\0\x11" + bytes(13))
    ),
    "dcep": Target(is_sound_open, (), (b"\3\0\1\0\0\0\0\0\0\1\0\1xy", b"\3" + bytes(11))),
    "signalling": Target(_signalling, (MessageError,), _JSON),
    "token": Target(_token, (TokenError,), (b"eyJhbGciOiJIUzI1NiJ9.e30.AAAA", b"eyJhbGciOiJub25lIn0.e30.")),
    "feedback_groups": Target(FeedbackGroup.read_all, (struct.error,), (bytes(36), bytes(72))),
}
