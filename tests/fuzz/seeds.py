"""What fuzzing begins with: at least one sound input of each kind, and short ones, so that there is time for many."""

from __future__ import annotations

import json
from pathlib import Path

from media.ids import Ssrc
from media.plane import Address
from media.rtp.extended_report import DelaySinceLastReceiverReport, ExtendedReport, ReceiverReferenceTime
from media.rtp.feedback import FullIntraRequest, GenericNack, PictureLossIndication, ReceiverEstimate
from media.rtp.packet import RtpPacket
from media.rtp.rtcp import (
    CNAME,
    Goodbye,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    build_compound,
)
from media.transport.stun import Attribute, Message, MessageClass, error_code, xor_mapped_address

VECTORS = Path(__file__).parent.parent / "media" / "sdp" / "vectors"


def stun() -> tuple[bytes, ...]:
    """Make a check, its answers, and each of them without a FINGERPRINT."""
    address = xor_mapped_address(Address("192.0.2.1", 5000), bytes(12))
    address_v6 = xor_mapped_address(Address("2001:db8::1", 5000), bytes(12))
    check = (
        (Attribute.USERNAME, b"a:b"),
        (Attribute.PRIORITY, b"\0\0\0\1"),
        (Attribute.ICE_CONTROLLING, bytes(8)),
        (Attribute.USE_CANDIDATE, b""),
    )
    written = [
        Message(MessageClass.REQUEST, bytes(range(12)), check).write("secret"),
        Message(MessageClass.SUCCESS, bytes(12), (address, (Attribute.SOFTWARE, b"x"))).write("secret"),
        Message(MessageClass.SUCCESS, bytes(12), (address_v6,)).write(),
        Message(MessageClass.ERROR, bytes(12), (error_code(401, "no"), (0x7777, b"?"))).write(),
    ]
    # changed ones get past the end only where no FINGERPRINT is wrong
    bare = [data[:2] + (len(data) - 28).to_bytes(2, "big") + data[4:-8] for data in written]
    return (*written, *bare)


def _frame(codec: int, *payloads: bytes) -> bytes:
    return bytes([codec]) + b"".join(bytes([len(payload)]) + payload for payload in payloads)


_SPS_264 = bytes.fromhex("6742c01fda014016ec0440000003004000000c83c60ca8")
_SPS_265 = bytes.fromhex("420101016000000300900000030000030078a003c08010e59669")
FRAMES = (
    _frame(0, b"\x78\0\x17" + _SPS_264 + b"\0\4\x68\xce\x3c\x80", b"\x7c\x85\1", b"\x7c\x45\2"),
    _frame(1, b"\x60\1\0\x1a" + _SPS_265, b"\x62\1\x93\1", b"\x62\1\x53\2"),
    _frame(2, b"\x90\x80\1\x10\2\0\x9d\1\x2a\0\5\xd0\2", b"\0\1"),
    _frame(3, b"\x8a\1\x18\0\x82\x49\x83\x42\0\4\xff\2\xcf\0", b"\x84\1\2"),
    _frame(4, b"\x08") + b"\xfb\3",
)
RTP = bytes(
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
RTP_LONG = bytes(
    RtpPacket(96, 1, 2, 3, csrc=(4, 5), extensions={20: b"", 9: bytes(20)}, payload=b"p", padding=3)
)
#: A structure of two templates, and a frame by it.
STRUCTURES = (
    b"\x0f\x80\0\1\x80\x01\x1e\xa8\x51\x41\x01\x0c\x13\xfc\x0b\x3c\3\x81\0\2",
    b"\x0f\x80\0\1\xc0\x01\x1e\xa8\x51\x41\x01\x0c\x13\xfc\x0b\x3c\4\xc1\0\3\x40",
)
COMPOUND = build_compound(
    [
        SenderReport(1, 2, 3, 4, 5),
        GenericNack(1, 2, (3, 4, 20)),
        PictureLossIndication(1, Ssrc(2)),
        ReceiverEstimate(1, 5_000_000, (Ssrc(2),)),
    ]
)
EMPTY_REPORT = bytes(ReceiverReport(1))
REPORTS = build_compound(
    [
        ReceiverReport(1, (ReportBlock(2, 3, 4, 5, 6, 7, 8),)),
        SourceDescription(((1, ((CNAME, b"x"),)),)),
        FullIntraRequest(1, ((2, 3),)),
        ExtendedReport(1, (ReceiverReferenceTime(2), DelaySinceLastReceiverReport(((1, 2, 3),)))),
        Goodbye((1,), b"bye"),
    ]
)
MESSAGES = tuple(
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
        {"type": "theatre", "id": 5, "action": "open", "recording": "r", "producers": [7], "position": 1},
        {"type": "theatre", "id": 6, "action": "speed", "speed": 0.5},
        {"type": "pointer", "anchor": None, "point": None, "sent": 1.0, "n": 1},
    )
)
_FRAME = {"producer": 7, "rtp_timestamp": 3}
_MARK = {"mark": "m", "anchor": {"board": 1}, "width": 0.004, "text": "x"}
_ON_IMAGE = {**_MARK, "anchor": {"SOPInstanceUID": "1.2.840", "frame": 1}}
OPERATIONS = tuple(
    json.dumps(operation).encode()
    for operation in (
        {"kind": "add", "mark": {**_MARK, "shape": "freehand", "points": [[0.1, 0.2]], "pressures": [0.5]}},
        {
            "kind": "add",
            "mark": {**_MARK, "shape": "pin", "points": [[1, 0]], "anchor": {**_FRAME, "still": True}},
        },
        {"kind": "add", "mark": {**_ON_IMAGE, "shape": "angle", "points": [[0, 0], [1, 1], [1e-07, 0.25]]}},
        {
            "kind": "edit",
            "mark": {**_MARK, "shape": "arrow", "points": [[0, 0], [1, 1]], "anchor": _FRAME, "follow": True},
        },
        {
            "kind": "edit",
            "marks": [
                {**_MARK, "mark": name, "shape": "line", "points": [[0, 0], [1, 1]]} for name in ("m", "n")
            ],
        },
        {"kind": "delete", "marks": ["m", "n"]},
        {"kind": "undo"},
        {"kind": "clear_field", "of": "dicom"},
        {"kind": "instruct", "instruction": "i", "text": "Clip", "mark": None, "spoken": True},
        {"kind": "say", "text": "a\nb"},
        {"kind": "calibrate", "anchor": _FRAME, "points": [[0, 0], [1, 0]], "millimetres": 10.0},
        {"kind": "page", "board": 3, "title": "Plan"},
    )
)
_SIGNED = {"time": 1.0, "author": "a", "name": "A", "colour": "#fff"}
TAILS = tuple(
    json.dumps(
        {
            "after": 0,
            "sequence": 3,
            "operations": [{**_SIGNED, "sequence": n, "operation": o} for n, o in row],
        }
    ).encode()
    for row in (
        [
            (1, json.loads(OPERATIONS[0])),
            (2, {"kind": "undo", "target": 1}),
            (3, {"kind": "redo", "target": 1}),
        ],
        [
            (1, {"kind": "add", "mark": {**_MARK, "shape": "text", "points": [[0, 0]]}}),
            (2, {"kind": "edit", "mark": {**_MARK, "shape": "text", "points": [[0, 1]]}}),
            (3, {"kind": "delete", "marks": ["m"]}),
        ],
        [
            (
                3,
                {
                    "kind": "track",
                    "tracks": [{"mark": "m", "state": "good", "matrix": [1, 0, 0, 1, 0, 0], "confidence": 1}],
                    "anchor": _FRAME,
                },
            )
        ],
    )
)

_TRANSPORT_LINES = (
    "a=ice-ufrag:abcd\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\n"
    f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}\r\na=setup:actpass\r\n"
)
#: Short, so that there is time for many: each kind of line stands in one of them.
DESCRIPTIONS = tuple(
    text.encode()
    for text in (
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-lite\r\na=group:BUNDLE 0\r\n"
        f"{_TRANSPORT_LINES}m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\na=mid:0\r\na=sendonly\r\na=rtcp-mux\r\n"
        "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10\r\na=msid:a b\r\n",
        "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=rtpmap:96 VP8/90000\r\n"
        "a=rtcp-fb:* nack\r\na=rtcp-fb:96 nack pli\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
        "a=ssrc-group:FID 1 2\r\na=ssrc:1 cname:c\r\na=ssrc:2 msid:a b\r\n",
        "v=0\r\nm=video 0 UDP/TLS/RTP/SAVPF 96\r\na=bundle-only\r\na=rtcp-rsize\r\na=rid:h send\r\n"
        "a=rid:l send\r\na=simulcast:send h;l\r\na=extmap:4/recvonly uri:x\r\na=rtpmap:96 H264/90000\r\n",
        "v=0\r\na=inactive\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
        "a=candidate:1 1 tcp 2 192.0.2.1 9 typ host tcptype passive\r\na=end-of-candidates\r\n"
        "a=sctp-port:5000\r\na=max-message-size:262144\r\n",
    )
)
BROWSERS = tuple(path.read_bytes() for path in sorted(VECTORS.glob("*.sdp")))
FRAGMENT = b"a=ice-ufrag:abcd\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
CLAIMS = json.dumps(
    {
        "aud": "konsil",
        "room": "r",
        "name": "n",
        "role": "expert",
        "exp": 9,
        "sub": "s",
        "wait": True,
        "nbf": 0,
    }
).encode()

FILES = (
    b'n{"name":"report.pdf","size":123,"type":"application/pdf"}',
    b'h{"digest":"' + b"a1" * 32 + b'"}',
    b"o16777216",
    "/CT Schädel.dcm".encode(),
)
