"""The contract between the control plane (Python, decides) and the packet plane (moves packets).

Two classes fulfil it: ``media.native.NativePlane``, whose thread never takes the GIL and which is the plane
of every running server, and ``media.reference.ReferencePlane``, the same stages in plain Python, the
executable specification. Their tests are the same.

All calls return at once and take effect in the order in which they were made: the plane's thread owns its
state and takes commands from a queue, so no caller ever holds up a packet. Times are nanoseconds of
``CLOCK_REALTIME``, because the kernel stamps arriving datagrams with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple, Protocol

from pylibsrtp import Session

from .ids import ConsumerId, ProducerId, Ssrc, TransportId


class Address(NamedTuple):
    """Where a peer is: the host in numbers, IPv4 dotted or IPv6 without scope; `tcp`: at the end of a TCP stream."""

    host: str
    port: int
    tcp: bool = False


#: Any free port of this machine alone.
ANY_PORT = Address("127.0.0.1", 0)


def low_tap(producer: ProducerId) -> ProducerId:
    """Name a producer's low encoding in the tap (`Plane.set_low_tap`): no identifier is counted up so far."""
    return ProducerId(producer | 1 << 31)


class Codec(IntEnum):
    """What a producer's packets carry. The plane only peeks: is this the start of a key frame?"""

    OPUS = 0
    H264 = 1
    VP8 = 2
    VP9 = 3
    AV1 = 4
    H265 = 5


class Extension(IntEnum):
    """Header extensions that the plane knows, by their URI. SDP maps each to an id, 0 where it is not negotiated."""

    MID = 0  # urn:ietf:params:rtp-hdrext:sdes:mid (RFC 8843): written, the consumer's
    ABS_SEND_TIME = 1  # http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time: written, time of sending
    ABS_CAPTURE_TIME = 2  # http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time: copied
    AUDIO_LEVEL = 3  # urn:ietf:params:rtp-hdrext:ssrc-audio-level (RFC 6464): copied
    TRANSPORT_WIDE = (
        4  # http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01: written; read
    )
    PLAYOUT_DELAY = 5  # http://www.webrtc.org/experiments/rtp-hdrext/playout-delay: written, the consumer's
    RID = 6  # urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id (RFC 8852): read, by who recognises encodings
    REPAIRED_RID = 7  # urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id (RFC 8852): read, likewise
    DEPENDENCY_DESCRIPTOR = (
        8  # https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension:
    )
    # read; copied with its frame number rewritten. It may be longer than the one-byte form holds: then the packet's
    # block is in the two-byte form, which a consumer that negotiates it must take (a=extmap-allow-mixed)
    VIDEO_ORIENTATION = 9  # urn:3gpp:video-orientation: copied


#: Ids by Extension, one each, in its order; 1-14 (one-byte form, RFC 8285) or 0.
ExtensionIds = tuple[int, ...]
NO_EXTENSIONS: ExtensionIds = (0,) * len(Extension)


class Drop(IntEnum):
    """Why a packet was not forwarded (or an event not delivered). "Lost" is never an answer."""

    EMPTY = 0  # a datagram without a byte
    SHORT = 1  # shorter than the header that its first byte promises
    OVERSIZED = 2  # longer than 1,500 bytes
    UNKNOWN_PROTOCOL = 3  # its first byte is none of RFC 7983's
    STRANGER = 4  # not STUN, from an address that ICE has not validated
    NO_KEYS = 5  # SRTP before DTLS has finished
    AUTHENTICATION = 6  # the SRTP tag is wrong
    REPLAYED = 7  # SRTP saw this index before, or it is older than the window
    MALFORMED = 8  # RTP, RTCP or redundant sound (RFC 2198) whose lengths lie
    UNKNOWN_SSRC = 9  # no producer has this SSRC
    DUPLICATE = 10  # this sequence number is in the history already
    TOO_OLD = 11  # behind the history
    PAUSED = 12  # the consumer asked for nothing
    AWAITING_KEY_FRAME = 13  # a video consumer starts at a key frame
    NOT_IN_HISTORY = 14  # NACKed, but no longer (or never) held
    NACK_LIMIT = (
        15  # this consumer was sent the same packet again less than 10 ms ago, or too many (REPEATS_A_SECOND)
    )
    PROTECT_FAILED = 16  # libsrtp refused to protect
    TOO_LARGE = 17  # would exceed 1,500 bytes once rewritten
    SEND_FAILED = 18  # the kernel refused the datagram
    EVENT_QUEUE_FULL = 19  # Python did not collect events in time
    TAP_FULL = 20  # the recorder did not collect packets in time
    RATE_LIMIT = 21  # STUN from strangers above 2,000 a second, or 1,000 of one host
    PADDING = 22  # a probe on the RTX stream: nothing but padding
    UNKNOWN_PAYLOAD_TYPE = 23  # a known SSRC, but not the payload type of its producer
    RECEIVE_QUEUE = 24  # the kernel's receive buffer was full (SO_RXQ_OVFL)
    PACER_FULL = 25  # it waited too long for its turn on a paced transport
    STREAM_FULL = 26  # a TCP stream is slower than what is sent: its oldest, video before all else
    LAYER = 27  # of an encoding or layer that the consumer is not sent
    SHARD_FULL = 28  # it arrived at another shard, faster than it could be handed over


class EventKind(IntEnum):
    """What the plane hands to the control plane."""

    STUN = 0  # data: the datagram; transport is 0 from an address not (yet) validated
    DTLS = 1  # data: the datagram, from a validated address of this transport
    RTCP = 2  # data: the compound packet, decrypted. NACKs in it are answered; what is only FEEDBACK is not told here
    UNKNOWN_SSRC = 3  # subject: the SSRC; data: header and extensions, decrypted; at most 1 an SSRC in 100 ms
    KEY_FRAME_WANTED = (
        4  # subject: the producer; data: 1 byte, the encoding: a consumer lost what the history no
    )
    # longer holds, or waits for a key frame of this encoding (every 500 ms, while its packets come)
    KEY_FRAME = (
        5  # subject: the producer; data: canonical RTP timestamp (4 bytes big-endian) and encoding (1 byte):
    )
    # a newer key frame of the encoding began
    REMOVED = 6  # the transport is out of the plane's hands: its SRTP sessions may be freed
    LAYER = (
        7  # subject: the consumer; data: encoding, spatial and temporal layer (1 byte each) and canonical RTP
    )
    # timestamp (4 bytes big-endian): what the consumer is sent from this frame on
    FEEDBACK = 8  # what a peer said of arrivals, at `time`: FeedbackGroup.read_all(data)
    STREAM_CLOSED = 9  # the TCP stream from this address has ended; transport: whose it was, 0 if nobody's


@dataclass(frozen=True, slots=True)
class PlaneEvent:
    """One thing that happened. `time` is the kernel's receive time in ns where there is one."""

    kind: EventKind
    transport: TransportId
    address: Address | None
    time: int
    subject: int
    data: bytes


@dataclass(frozen=True, slots=True)
class EncodingSpec:
    """One of the streams in which a producer sends the same pictures (simulcast); most send one.

    0: the SSRC is not known yet (`Plane.set_encoding`), or, for `rtx_ssrc`, the sender repeats lost packets under
    their own SSRC.
    """

    ssrc: Ssrc = Ssrc(0)
    rtx_ssrc: Ssrc = Ssrc(0)


@dataclass(frozen=True, slots=True)
class ProducerSpec:
    """A track to be received (or injected), in one to four encodings, the lowest quality first.

    Each encoding has a history: of what arrived in the last `history_ms`, the newest `history_bytes` at most
    (64 KiB to 256 MiB, each packet counts about 100 bytes more) can be repeated. Memory is used as the rate needs it.
    `nack`: the sender answers generic NACKs (RFC 4585).
    With `red_payload_type` sound may come with redundancy too (RFC 2198), in blocks of `payload_type` alone.
    """

    producer: ProducerId
    transport: TransportId  # 0 for an injected producer
    codec: Codec
    clock_rate: int
    payload_type: int
    encodings: tuple[EncodingSpec, ...] = (EncodingSpec(),)
    rtx_payload_type: int = 0
    nack: bool = True
    history_ms: int = 2000
    history_bytes: int = 8 << 20
    extensions: ExtensionIds = NO_EXTENSIONS
    red_payload_type: int = 0


@dataclass(frozen=True, slots=True)
class Layer:
    """What a consumer is to be sent, at most: which encoding, and of it which spatial and temporal layers (0-3)."""

    encoding: int = 0
    spatial: int = 3
    temporal: int = 3


@dataclass(frozen=True, slots=True)
class ConsumerSpec:
    """What one transport is sent of one producer.

    RTP timestamps are the canonical ones (`Plane.set_timestamp_offset`; of a producer with one encoding its own):
    (producer, timestamp) names a frame for everybody. Sequence numbers are the consumer's own. Without RTX
    (`rtx_ssrc` 0) a repeated packet is bit-identical to the first, since AES-GCM must never see one nonce with two
    contents: then `extensions` must not name ABS_SEND_TIME or TRANSPORT_WIDE (ValueError).
    `playout_delay` is (min, max) in ms, steps of 10, 0-40,950.
    What comes with redundancy (RFC 2198) is passed on so where `red_payload_type` is not 0, its blocks then of
    `payload_type`; else its newest block is, as if it had come alone. Repeats in the RTX stream are of that, too.
    With `fec_ssrc` its packets can be protected (`Plane.set_fec`) by FlexFEC, as draft-ietf-payload-flexible-fec-
    scheme-03 has it and browsers read it.
    An SSRC (RTX too) names one consumer for the life of a transport, also after the consumer is removed: its
    sequence numbers begin anew, and a nonce must never come twice (ValueError).
    """

    consumer: ConsumerId
    producer: ProducerId
    transport: TransportId
    payload_type: int
    ssrc: Ssrc
    rtx_payload_type: int = 0
    rtx_ssrc: Ssrc = Ssrc(0)
    mid: str = ""
    extensions: ExtensionIds = NO_EXTENSIONS
    playout_delay: tuple[int, int] = (0, 0)
    fec_payload_type: int = 0
    fec_ssrc: Ssrc = Ssrc(0)
    red_payload_type: int = 0


#: What a consumer may have repeated, and at once: twice a 4K stream, not more, whatever it asks for.
REPEATS_A_SECOND = 4096
REPEATS_AT_ONCE = 1024

#: Transit histogram: bucket i counts durations in [10 µs * 10**(i/20), 10 µs * 10**((i+1)/20)), i < 100:
#: 10 µs to 1 s, 20 buckets a decade; bucket 0 takes what is faster, bucket 99 what is slower.
TRANSIT_BUCKETS = 100


#: Frames whose timestamps EncodingStatistics remembers.
RECENT_FRAMES = 16


@dataclass(frozen=True, slots=True)
class EncodingStatistics:
    """What came in of one encoding. `highest` is the 64-bit sequence number; `lost` counts numbers never received so
    far; `jitter` is RFC 3550's, in timestamp units.

    RTP timestamps are raw, before the offset. `layer_bytes` counts 16 layers, at 4 * spatial + temporal; what sound
    has of redundancy (RFC 2198) stands in the second place.
    `recent_timestamps` are those of the newest frames, the newest first. `capture` is what abs-capture-time said
    last: RTP timestamp and 64-bit NTP time; (0, 0) nothing. `offset` is what makes its timestamps canonical, None: that
    is not settled.
    """

    packets: int = 0
    bytes: int = 0
    first: int = 0
    highest: int = 0
    lost: int = 0
    recovered: int = 0
    duplicates: int = 0
    jitter: int = 0
    nacks_sent: int = 0
    key_frames: int = 0
    last_timestamp: int = 0
    last_arrival: int = 0
    layer_bytes: tuple[int, ...] = (0,) * 16
    recent_timestamps: tuple[int, ...] = ()
    capture: tuple[int, int] = (0, 0)
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class ProducerStatistics:
    """What came in of a producer, by encoding.

    `audio_level` is the loudest of the last 100 ms or so (RFC 6464: 0 loudest, 127 silence), also 127 when nothing
    said how loud it is.
    """

    encodings: tuple[EncodingStatistics, ...]
    transit: tuple[int, ...]
    audio_level: int = 127

    @property
    def packets(self) -> int:
        """Packets of all encodings."""
        return sum(encoding.packets for encoding in self.encodings)

    @property
    def last_arrival(self) -> int:
        """When the newest packet of any encoding arrived, ns; 0: none did."""
        return max(encoding.last_arrival for encoding in self.encodings)


@dataclass(frozen=True, slots=True)
class ConsumerStatistics:
    """What went out: first sendings and repeats apart. `packets` and `octets` are what a sender report says
    (octets: payload only); `last_timestamp` is that of the newest packet sent. `encoding`, `spatial` and `temporal`
    are what is being sent now, -1: nothing yet."""

    packets: int
    octets: int
    retransmitted: int
    last_timestamp: int
    last_sent: int
    encoding: int = -1
    spatial: int = -1
    temporal: int = -1


@dataclass(frozen=True, slots=True)
class TransportStatistics:
    """What one transport was sent, RTP of all its consumers: UDP payloads, counters since it was added.

    `packets_out` and `bytes_out` are of everything, repeats, padding and protection too. `queued_*` say what waits
    for its turn now. `feedback_in` counts the peer's transport-wide feedbacks, `feedback_out` ours to it;
    `feedback_ignored` the statuses in the peer's that named no packet of ours that was still to be answered for.
    """

    packets_out: int = 0
    bytes_out: int = 0
    padding_packets: int = 0
    padding_bytes: int = 0
    fec_packets: int = 0
    fec_bytes: int = 0
    queued_packets: int = 0
    queued_bytes: int = 0
    paced: int = 0
    feedback_in: int = 0
    feedback_out: int = 0
    feedback_ignored: int = 0


@dataclass(frozen=True, slots=True)
class PlaneStatistics:
    """Counters since the start, of one shard. `drops` is indexed by Drop, `transit` by bucket.

    Packets that waited for their turn on a paced transport (`TransportStatistics.paced`) are not in `transit`.
    What was put into a TCP stream counts as sent. `streams` are those that are held now, `handed_over`
    the datagrams that belonged to another shard.
    """

    packets_in: int
    bytes_in: int
    packets_out: int
    bytes_out: int
    send_calls: int
    datagrams_in: int
    drops: tuple[int, ...]
    transit: tuple[int, ...]
    cpu_ns: int
    tap_backlog_bytes: int
    streams: int = 0
    handed_over: int = 0
    producers: dict[ProducerId, ProducerStatistics] = field(default_factory=dict)
    consumers: dict[ConsumerId, ConsumerStatistics] = field(default_factory=dict)
    transports: dict[TransportId, TransportStatistics] = field(default_factory=dict)


class Plane(Protocol):
    """Moves packets. Misuse (an unknown id, a spec out of range) is a ValueError; peers cannot cause one."""

    @property
    def address(self) -> Address:
        """Where the plane listens: every peer, one UDP port."""

    @property
    def receive_buffer(self) -> int:
        """Bytes of receive buffer that the kernel gave (4 MB are asked for)."""

    @property
    def send_buffer(self) -> int:
        """Bytes of send buffer that the kernel gave."""

    @property
    def realtime(self) -> bool:
        """Whether the plane's thread got a real-time scheduling class."""

    def fileno(self) -> int:
        """A descriptor that is readable while events wait."""

    def add_transport(self, transport: TransportId, shard: int = 0) -> None:
        """Make a peer known; it has neither address nor keys yet.

        Where a plane has several shards (threads), all that is sent to or taken from this peer is in this one:
        its consumers' producers too. A plane with one takes no notice.
        """

    def validate_address(self, transport: TransportId, address: Address, *, selected: bool) -> None:
        """Accept datagrams from this address as the peer's; send to it from now on when `selected`.

        An address belongs to the transport that validated it last. At most 8 a transport; the oldest goes.
        """

    def set_keys(self, transport: TransportId, receive: Session, send: Session) -> None:
        """Hand the SRTP sessions over. The plane alone uses them until the REMOVED event.

        `send` needs `allow_repeat_tx`, for consumers without RTX, and a small `window_size` such as 128: libsrtp
        shifts the whole window for each packet (4,096: 40 % more CPU). What is older than the window goes out in
        the RTX stream; a consumer without one is not sent it (PROTECT_FAILED). `receive` needs 2,048 and more.
        """

    def remove_transport(self, transport: TransportId) -> None:
        """Forget the peer, its producers and its consumers (and all consumers of those producers)."""

    def add_producer(self, spec: ProducerSpec) -> None:
        """Receive a stream."""

    def remove_producer(self, producer: ProducerId) -> None:
        """Forget a stream and its consumers."""

    def move_producer(self, spec: ProducerSpec) -> None:
        """Receive a producer from another transport from now on, or from nobody for now (transport 0).

        Its consumers and its tap stay. Its streams begin anew, video at a key frame; what leaves goes on: sequence
        numbers (in the tap with a gap), the names of pictures, and the canonical timeline. On that, encoding 0 goes on
        after its newest packet by the time that has passed since, 100 ms at least; its offset is settled with its first
        packet (`EncodingStatistics.offset`), those of other encodings are to be told. Codec, clock rate, history and
        number of encodings stay what they were (ValueError).
        """

    def set_encoding(self, producer: ProducerId, index: int, ssrc: Ssrc, rtx_ssrc: Ssrc) -> None:
        """Tell the SSRCs of an encoding, once it has shown them; ValueError where they are another's.

        An SSRC that was told before may be told again, together with the RTX SSRC that was missing. Another SSRC
        means that the sender began this encoding anew: its numbers begin anew too, consumers go on at a key frame. Of
        several encodings its timestamp offset is to be told again.
        """

    def set_timestamp_offset(self, producer: ProducerId, index: int, offset: int) -> None:
        """Add `offset` (modulo 2**32) to an encoding's RTP timestamps: all encodings speak one canonical timeline.

        Before this, only encoding 0 is sent (its offset is 0): the others are not switched to.
        """

    def set_capture_offset(self, producer: ProducerId, offset: int) -> None:
        """Add `offset` (Q32.32 seconds, signed) to abs-capture-time's estimated capture clock offset.

        From now on it is always sent in its long form; an offset that the publisher did not send counts as 0. Where
        a consumer begins, and after a switch, the newest capture time is said once more, on the first four packets.
        """

    def set_tap(self, producer: ProducerId, *, enabled: bool) -> None:
        """Copy every packet of the producer to the tap, or stop; of redundant sound (RFC 2198) the newest block alone.

        Of several encodings it is the best that flows, with canonical timestamps and numbers of its own that do not
        run backwards at a switch; it switches at key frames. A picture that was copied already, in another encoding, is
        copied with 1 added to its timestamp.
        """

    def set_low_tap(self, producer: ProducerId, encoding: int | None) -> None:
        """Copy this encoding to the tap as well, whatever `set_tap` copies, or none (None).

        Its records bear `low_tap(producer)` as producer; its timestamps are canonical, and its numbers go on after a
        gap where it begins anew. It is copied from the moment on at which its frames have the producer's names.
        """

    def add_consumer(self, spec: ConsumerSpec) -> None:
        """Send a producer to a transport; video from its next key frame on."""

    def set_layer(self, consumer: ConsumerId, layer: Layer) -> None:
        """Set what a consumer is to be sent at most; at the beginning it is encoding 0 with all its layers.

        Another encoding is switched to at its next key frame, and the old one goes on until then. Higher layers of
        one encoding begin where the stream allows it (dependency descriptor; VP8 and VP9: payload descriptor),
        lower ones at the next picture. No picture is sent twice, none that is not newer than the last one sent: while
        a switch waits, pictures of the old encoding are held back for as long as the new one usually comes later
        (30-120 ms). Sequence numbers, VP8's and VP9's picture identifiers and TL0PICIDX and the dependency
        descriptor's frame numbers go on without a gap over all of it. LAYER events tell what has happened.

        In whatever order packets arrive, of a picture all is sent or nothing, except the end of one that was still
        arriving when another encoding took its place. What was lost upstream is given a number; when it comes it is
        sent under it, or padding uses it up. So it is while at most 64 such changes and 256 stretches of numbers lie
        behind it; what is later is not sent, nor repeated.
        """

    def set_paused(self, consumer: ConsumerId, *, paused: bool) -> None:
        """Stop sending, or start again (video: at a key frame). Sequence numbers show no gap."""

    def remove_consumer(self, consumer: ConsumerId) -> None:
        """Stop sending and forget."""

    def set_pacing(self, transport: TransportId, bits_per_second: int) -> None:
        """Send a transport's video no faster than this; 0 (as at the beginning): as it comes.

        Audio goes at once, repeats before video, ten packets may leave together. Video that has waited for 250 ms
        (a key frame: 1 s) is dropped with all that waits behind it of its consumer (PACER_FULL), which then begins
        anew at a key frame (KEY_FRAME_WANTED), without a gap in its numbers. Repeats that waited so long are dropped.
        """

    def probe(self, transport: TransportId, cluster: int, bits_per_second: int, packets: int = 15) -> None:
        """Send `packets` times 1,200 bytes more than there is to send, all together at this rate.

        The filling is repeats of what was sent last, or padding where nothing is being sent: in the RTX stream of a
        consumer that negotiated TRANSPORT_WIDE, paused or not. Without one nothing happens. Everything that leaves
        meanwhile is marked with `cluster` (1-65,535) in FEEDBACK. A new probe ends the one under way.
        """

    def set_round_trip(self, transport: TransportId, seconds: float) -> None:
        """Tell the time that an answer of this peer takes, 0 where it is not known; it times repeats.

        A lost packet is asked for again of a publisher after 1.1 round trips (20 ms at least, 40 ms while unknown),
        up to 10 times in 1 s; a packet is not repeated to a subscriber within 0.8 round trips (10 ms at least), and no
        more than REPEATS_A_SECOND are to one consumer.
        """

    def set_fec(self, consumer: ConsumerId, share: float) -> None:
        """Protect a consumer's stream by this many protection packets a packet, 0 (as at the beginning) to 0.5.

        Raise ValueError without `fec_ssrc`.
        """

    def inject(self, producer: ProducerId, packets: Sequence[bytes], time: int) -> None:
        """Feed plain RTP packets (at most 1,452 bytes each) into a producer as if received at `time`.

        This is how a replay, a file or a test is a producer. The packets of one call are one burst. Of several
        encodings it is the one that has the packet's SSRC, else the first.
        """

    def adopt_stream(self, descriptor: int, remote: Address, first: bytes = b"", *, shard: int = 0) -> None:
        """Take over an accepted TCP socket (ICE-TCP, RFC 6544): what its frames carry (RFC 4571) is as datagrams
        from `remote` with `tcp` set, and what is sent there goes into the stream. The descriptor is the plane's.

        `first` is what was read of it already (1,500 bytes at most); `shard` that of the transport whose it will be.
        A stream is closed at a frame of more than 1,500 bytes, at anything but STUN before ICE has validated it, 10 s
        after that ought to have been, and when its transport has gone; STREAM_CLOSED tells. So it is at once beyond
        1,024 streams, or 32 not validated ones from one host. What its line does not take waits, up to 1 MB; then the
        oldest video is dropped (STREAM_FULL).
        Only the native plane has streams: elsewhere this is a ValueError.
        """

    def send_datagram(self, address: Address, data: bytes) -> None:
        """Send as it is: STUN."""

    def send_to(self, transport: TransportId, data: bytes) -> None:
        """Send as it is to the transport's selected address: DTLS. Without one it is dropped."""

    def send_rtcp(self, transport: TransportId, data: bytes) -> None:
        """Protect a compound RTCP packet and send it."""

    def events(self) -> list[PlaneEvent]:
        """Take up to 1,024 events."""

    def read_tap(self, limit: int = 4 << 20) -> bytes:
        """Take whole tap records, at most `limit` bytes.

        Each: u32 length of what follows, u32 producer (or `low_tap` of it), u64 arrival ns, u64 extended sequence
        number, then the RTP packet, decrypted; all big-endian.
        """

    def producer_statistics(self, producer: ProducerId) -> ProducerStatistics:
        """Read one producer's counters."""

    def consumer_statistics(self, consumer: ConsumerId) -> ConsumerStatistics:
        """Read one consumer's counters."""

    def statistics(self) -> PlaneStatistics:
        """Read the counters (not a consistent instant; each counter is monotonic)."""

    def close(self) -> None:
        """Stop the thread and close the socket. Afterwards only `statistics` may be called."""
