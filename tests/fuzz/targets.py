"""What parses bytes from outside, in Python: each takes any bytes and raises nothing but its own refusal."""

from __future__ import annotations

import base64
import hmac
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass

from annotation.document import Document, Replica, parse_tail
from annotation.ephemeral import parse_ephemeral
from annotation.operations import parse_entry, parse_operation
from annotation.values import AnnotationError
from media.checks import check_consumer
from media.codecs import BY_CODEC, CodecError, h264, h265, opus, red, vp8, vp9
from media.feedback_group import FeedbackGroup
from media.ids import ConsumerId, ProducerId, Ssrc, TransportId
from media.plane import Codec, ConsumerSpec
from media.rtp import dependency_descriptor
from media.rtp.extensions import (
    AbsCaptureTime,
    AudioLevel,
    parse_abs_send_time,
    parse_mid,
    parse_playout_delay,
    parse_transport_wide,
)
from media.rtp.packet import RtpError, RtpPacket
from media.rtp.rtcp import parse_compound
from media.rtp.rtcp_header import RtcpError
from media.rtp.transport_wide import Arrivals
from media.sdp import (
    Fingerprint,
    SdpError,
    TransportParameters,
    answer_publisher,
    answer_viewer,
    parse,
    parse_fragment,
    read_answer,
    remote_parameters,
)
from media.sdp.parser import MAX_ATTRIBUTES, MAX_LINE, MAX_TEXT
from media.sdp.simulcast import offered_encodings
from media.subscriber import Slot
from media.transport.sctp_guard import is_sound, is_sound_open
from media.transport.stun import Message, StunError
from signalling.files import FileError, check_name, disposition, parse_finish, parse_new, parse_offset
from signalling.message_frame import MessageError
from signalling.messages import Ephemeral, MarkRequest, parse_message
from signalling.tokens import TokenError, verify

from . import (
    export_targets,
    hospital_targets,
    image_targets,
    recording_targets,
    seeds,
    segment_targets,
    study_targets,
    theatre_targets,
    training_targets,
)


@dataclass(frozen=True, slots=True)
class Target:
    """A parser; `refusals` are what it may raise. Inputs are `longest` bytes at most: more of them cost executions."""

    run: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]
    longest: int

    def __call__(self, data: bytes) -> None:
        """Feed it; what it refuses is fine."""
        try:
            self.run(data)
        except self.refusals:
            pass


def _stun(data: bytes) -> None:
    message = Message.parse(data)
    # what is asked of a message before it is known to be authentic
    _ = message.username, message.unknown, message.error_code, message.mapped_address
    message.authenticated("secret")
    assert Message.parse(message.write()).attributes == message.attributes


def _rtp(data: bytes) -> None:
    packet = RtpPacket.parse(data)
    assert RtpPacket.parse(bytes(packet)) == packet


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


def _frames(data: bytes) -> None:
    """A codec, then payloads of a frame, each behind its length of a byte."""
    codec, at = data[:1], 1
    payloads = []
    while at < len(data):
        payloads.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    match codec:
        case b"\0":
            h264.picture_size(h264.depacketise(payloads))
        case b"\1":
            h265.picture_size(h265.depacketise(payloads))
        case b"\2":
            vp8.picture_size(vp8.depacketise(payloads))
        case b"\3":
            vp9.picture_size(vp9.depacketise(payloads))
        case _:
            opus.duration(data[1:])


def _redundant_sound(data: bytes) -> None:
    newest = red.parse(data)[-1]
    assert 0 < newest.start < newest.end == len(data)
    assert red.parse(red.rename(data, 100))[-1].start == newest.start


def _rtcp(data: bytes) -> None:
    for packet in parse_compound(data):
        bytes(packet)


def _sdp(data: bytes) -> None:
    description = parse(data.decode("utf-8", "replace"))
    for section in description.media:
        offered_encodings(section)
    text = str(description)
    # what stood once for all sections or formats is written for each, and may be too much then
    if _within_limits(text):
        assert parse(text) == description
    remote_parameters(description)


def _within_limits(text: str) -> bool:
    lines = text.split("\r\n")
    return (
        len(text.encode()) <= MAX_TEXT
        and max(map(len, lines)) <= MAX_LINE
        and all(section.count("\r\na=") <= MAX_ATTRIBUTES for section in text.split("\r\nm="))
    )


_LOCAL = TransportParameters("abcd1234", "a" * 32, (Fingerprint("sha-256", ":".join(["AB"] * 32)),))


def _publisher(data: bytes) -> None:
    answer, _ = answer_publisher(parse(data.decode("utf-8", "replace")), _LOCAL)
    assert str(parse(str(answer))) == str(answer)


def _viewer(data: bytes) -> None:
    answer, sections = answer_viewer(parse(data.decode("utf-8", "replace")), _LOCAL, "stream")
    parse(str(answer))
    for section in sections:
        for taken in section.formats:
            slot = Slot(section.mid, section.video)
            slot.accept(taken.payload_type, taken.rtx_payload_type, section.extensions)
            _can_be_sent(slot)


def _subscriber(data: bytes) -> None:
    for track in read_answer(data.decode("utf-8", "replace")).tracks.values():
        if track.accepted:
            slot = Slot(track.mid, track.codec is not Codec.OPUS, protectable=0.1, redundant=True)
            slot.accept(
                track.payload_type,
                track.rtx_payload_type,
                track.extensions,
                track.fec_payload_type,
                track.red_payload_type,
            )
            _can_be_sent(slot)


def _can_be_sent(slot: Slot) -> None:
    """What is taken of a description the plane takes, too: there a refusal would come too late."""
    check_consumer(
        ConsumerSpec(
            ConsumerId(1),
            ProducerId(1),
            TransportId(1),
            slot.payload_type,
            slot.ssrc,
            rtx_payload_type=slot.rtx_payload_type,
            rtx_ssrc=slot.rtx_ssrc if slot.rtx_payload_type else Ssrc(0),
            mid=slot.mid,
            extensions=slot.extensions,
            fec_payload_type=slot.fec_payload_type,
            fec_ssrc=slot.fec_ssrc if slot.fec_payload_type else Ssrc(0),
            red_payload_type=slot.red_payload_type,
        )
    )


def _signalling(data: bytes) -> None:
    message = parse_message(data)
    try:
        if isinstance(message, Ephemeral):
            parse_ephemeral(message.body, "pt-1", 1.0)
        elif isinstance(message, MarkRequest):
            parse_operation(message.operation)
    except AnnotationError:
        return


def _operations(data: bytes) -> None:
    """What a client asks for: it is read as it was written, and the server and a page make the same of it."""
    operation = parse_operation(json.loads(data))
    assert parse_operation(json.loads(json.dumps(operation.to_json()))) == operation
    document, replica = Document(), Replica()
    entry = document.apply(operation, "pt-1", "Dr. Li Wei", "#4cc2ff", 1.0)
    assert replica.receive(parse_entry(json.loads(entry.text)))
    assert replica.digest() == document.digest()


def _entries(data: bytes) -> None:
    """What a server or a journal says: it is read as it was written, and a page takes it or sees a gap."""
    tail = parse_tail(json.loads(data))
    assert parse_tail(json.loads(tail.text)) == tail
    replica = Replica()
    replica.load(tail)
    replica.digest()


_SECRET = b"k" * 32
_HEAD = base64.urlsafe_b64encode(b'{"alg":"HS256"}').rstrip(b"=")


def _token(data: bytes) -> None:
    verify(_SECRET, data.decode("latin-1"), now=1.0)


def _claims(data: bytes) -> None:
    """What somebody with the secret says: any claims, in a sound signature."""
    signed = _HEAD + b"." + base64.urlsafe_b64encode(data).rstrip(b"=")
    signature = base64.urlsafe_b64encode(hmac.digest(_SECRET, signed, "sha256")).rstrip(b"=")
    verify(_SECRET, (signed + b"." + signature).decode(), now=1.0)


def _files(data: bytes) -> None:
    """What is said of a file, by its first byte: the announcement, the hash that ends it, an offset, a name."""
    kind, rest = data[:1], data[1:]
    match kind:
        case b"n":
            new = parse_new(rest)
            header = disposition(check_name(new.name))
            assert header.isascii()
            assert header.isprintable()
        case b"h":
            assert len(parse_finish(rest)) == 64
        case b"o":
            assert parse_offset(rest.decode("latin-1")) >= 0
        case _:
            check_name(rest.decode("utf-8", "surrogateescape"))


TARGETS: dict[str, Target] = {
    "operations": Target(_operations, (AnnotationError, ValueError, RecursionError), seeds.OPERATIONS, 400),
    "entries": Target(_entries, (AnnotationError, ValueError, RecursionError), seeds.TAILS, 800),
    "stun": Target(_stun, (StunError,), seeds.stun(), 160),
    "rtp": Target(_rtp, (RtpError,), (seeds.RTP, seeds.RTP_LONG), 160),
    "rtcp": Target(_rtcp, (RtcpError,), (seeds.COMPOUND, seeds.REPORTS, seeds.EMPTY_REPORT), 240),
    "transport_wide": Target(
        Arrivals.parse,
        (RtcpError, RtpError),
        (struct.pack("!HHI", 0, 8, 1 << 8) + b"\x20\x08" + bytes(8), b"\0\1\0\x0e\0\0\1\0\xa5\5" + bytes(7)),
        64,
    ),
    "header_extensions": Target(_extensions, (), (bytes(16), bytes(8), bytes(3), b"\x80\0", b"0"), 32),
    "dependency_descriptor": Target(
        _descriptors, (), (b"\x08\x80\0\1\x80\0\0\0\0", b"\3\x80\0\2", *seeds.STRUCTURES), 120
    ),
    "codecs": Target(_codecs, (), (b"\x10\0\0\0\x9d\x01\x2a", b"\x8c\x80\x01", b"\x65\x88", b"\x26\x01"), 64),
    "redundant_sound": Target(
        _redundant_sound,
        (CodecError,),
        (b"\xef\x0f\0\2\x6fabcdef", b"\x6fabc", b"\xef\x0f\0\0" * 3 + b"\x6fa"),
        64,
    ),
    "frames": Target(_frames, (CodecError,), seeds.FRAMES, 200),
    "sdp": Target(_sdp, (SdpError,), seeds.DESCRIPTIONS, 600),
    "sdp_of_browsers": Target(_sdp, (SdpError,), seeds.BROWSERS, 8192),
    "sdp_publisher": Target(_publisher, (SdpError,), seeds.BROWSERS + seeds.DESCRIPTIONS, 8192),
    "sdp_viewer": Target(_viewer, (SdpError,), seeds.BROWSERS + seeds.DESCRIPTIONS, 8192),
    "sdp_subscriber": Target(_subscriber, (SdpError,), seeds.BROWSERS + seeds.DESCRIPTIONS, 8192),
    "ice_fragment": Target(
        lambda d: parse_fragment(d.decode("utf-8", "replace")), (SdpError,), (seeds.FRAGMENT,), 300
    ),
    "sctp": Target(
        is_sound, (), (bytes(12) + b"\1\0\0\x14" + bytes(16), bytes(12) + b"\0\3\0\x11" + bytes(13)), 120
    ),
    "dcep": Target(is_sound_open, (), (b"\3\0\1\0\0\0\0\0\0\1\0\1xy", b"\3" + bytes(11)), 48),
    "signalling": Target(_signalling, (MessageError,), seeds.MESSAGES, 400),
    "files": Target(_files, (FileError,), seeds.FILES, 200),
    "hospital_marks": Target(
        hospital_targets.read_marks, hospital_targets.REFUSALS, hospital_targets.MARKS, 1600
    ),
    "hospital_parts": Target(
        hospital_targets.read_parts, hospital_targets.REFUSALS, hospital_targets.PARTS, 120
    ),
    "hospital_answers": Target(
        hospital_targets.read_answers, hospital_targets.REFUSALS, hospital_targets.ANSWERS, 500
    ),
    "copy_request": Target(
        hospital_targets.read_copy_request, hospital_targets.REFUSALS, hospital_targets.COPIES, 300
    ),
    "codestream": Target(
        hospital_targets.read_codestream, hospital_targets.REFUSALS, hospital_targets.STREAMS, 200
    ),
    "token": Target(
        _token, (TokenError,), (b"eyJhbGciOiJIUzI1NiJ9.e30.AAAA", b"eyJhbGciOiJub25lIn0.e30."), 120
    ),
    "claims": Target(_claims, (TokenError,), (seeds.CLAIMS, b"{}"), 200),
    "feedback_groups": Target(FeedbackGroup.read_all, (struct.error,), (bytes(36), bytes(72)), 80),
    "dicom": Target(image_targets.read_dicom, image_targets.REFUSALS, image_targets.FILES, 1600),
    "looked_at": Target(image_targets.look_closer, (), image_targets.HEADS, image_targets.HEAD_LIMIT),
    "films": Target(
        image_targets.play, image_targets.REFUSALS, image_targets.FILMS, image_targets.FILM_LIMIT
    ),
    "deidentified": Target(
        image_targets.hide, image_targets.REFUSALS, image_targets.HEADS, image_targets.HEAD_LIMIT
    ),
    "zip": Target(image_targets.unpack, image_targets.REFUSALS, image_targets.ZIPS, 400),
    "image_query": Target(image_targets.look_for, image_targets.REFUSALS, image_targets.QUERIES, 120),
    "association": Target(image_targets.associate, image_targets.REFUSALS, image_targets.ASSOCIATIONS, 900),
    "window": Target(image_targets.window, image_targets.REFUSALS, image_targets.WINDOWS, 40),
    "rendered_viewport": Target(image_targets.part, image_targets.REFUSALS, image_targets.PARTS, 60),
    "watcher_wire": Target(image_targets.read_wire, image_targets.REFUSALS, image_targets.MESSAGES, 80),
    "watched_pictures": Target(
        image_targets.put_together, image_targets.REFUSALS, image_targets.PICTURES, 200
    ),
    "watched_order": Target(image_targets.sort_records, image_targets.REFUSALS, image_targets.TAPS, 200),
    "backlog": Target(image_targets.keep_back, image_targets.REFUSALS, image_targets.TAPS, 200),
    "theatre_wire": Target(
        theatre_targets.read_message, theatre_targets.REFUSALS, theatre_targets.MESSAGES, 200
    ),
    "study_note": Target(study_targets.read_note, study_targets.REFUSALS, study_targets.NOTES, 200),
    "export_request": Target(
        export_targets.read_request, export_targets.REFUSALS, export_targets.REQUESTS, 400
    ),
    "still_parts": Target(
        recording_targets.read_part, recording_targets.REFUSALS, recording_targets.PARTS, 64
    ),
    "journal_header": Target(
        recording_targets.read_header, recording_targets.REFUSALS, recording_targets.HEADERS, 400
    ),
    "manifest": Target(
        recording_targets.read_manifest, recording_targets.REFUSALS, recording_targets.MANIFESTS, 1500
    ),
    "tombstone": Target(
        recording_targets.read_tombstone, recording_targets.REFUSALS, recording_targets.TOMBSTONES, 300
    ),
    "moved_parts": Target(
        recording_targets.read_moved, recording_targets.REFUSALS, recording_targets.MOVED, 300
    ),
    "wrapped_key": Target(
        recording_targets.read_wrapped_key, recording_targets.REFUSALS, recording_targets.KEYS, 800
    ),
    "volume_header": Target(
        recording_targets.read_volume_header, recording_targets.REFUSALS, recording_targets.VOLUMES, 300
    ),
    "journal": Target(
        recording_targets.read_journal, recording_targets.REFUSALS, recording_targets.JOURNALS, 1000
    ),
    "frame_index": Target(segment_targets.read_index, segment_targets.REFUSALS, segment_targets.INDICES, 700),
    "preview": Target(
        segment_targets.read_preview, segment_targets.PREVIEW_REFUSALS, segment_targets.PREVIEWS, 300
    ),
    "joined_pictures": Target(recording_targets.join_both, (IndexError,), recording_targets.JOINED, 400),
    "walked_tap": Target(recording_targets.walk_both, (), recording_targets.WALKED, 300),
    "training": Target(training_targets.read_asked, training_targets.REFUSALS, training_targets.ASKED, 400),
    "learning": Target(
        training_targets.read_learned, training_targets.REFUSALS, training_targets.LEARNED, 300
    ),
    "viewport": Target(image_targets.see, image_targets.REFUSALS, image_targets.VIEWPORTS, 500),
}
