"""A track that a transport sends: its encodings, what each has shown of itself, and who is asked for key frames."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from .arrivals import TOLERANCE, Arrivals
from .frame_identity import FrameIdentity
from .frames_sent import FramesSent
from .ids import ProducerId, Rid, Ssrc, TransportId
from .key_frames import KeyFrameRequests
from .layer_rates import LayerRates
from .plane import Codec
from .reports import ReceiverReportBuilder, SenderInstant
from .sdp.answer import OfferedTrack
from .sdp.formats import canonical_fmtp

#: What a producer's packets are copied for.
TapClaim = Literal["recording", "watching", "hls"]


@dataclass(slots=True)
class Encoding:
    """One stream of a producer; its SSRCs are 0 until they have been seen."""

    rid: Rid
    ssrc: Ssrc
    rtx_ssrc: Ssrc
    key_frames: KeyFrameRequests = field(default_factory=KeyFrameRequests)
    reports: ReceiverReportBuilder = field(default_factory=ReceiverReportBuilder)
    instant: SenderInstant | None = None
    arrivals: Arrivals = field(default_factory=Arrivals)


@dataclass(slots=True)
class Producer:
    """A track that a transport sends. `heights` are its encodings' in pixels where the publisher said so.

    `wanted` are the encodings that somebody watches, since when; the publisher may suspend the others.
    """

    producer: ProducerId
    transport: TransportId
    track: OfferedTrack
    source: str = ""
    heights: tuple[int, ...] = ()
    encodings: list[Encoding] = field(default_factory=list)
    instant: SenderInstant | None = None
    #: who wants its packets of the tap; what is recorded is never put to rest
    claims: set[TapClaim] = field(default_factory=set)
    #: an encoding that is tapped beside the best, for whoever needs few pixels: it is not put to rest either
    low: int | None = None
    muted: bool = False
    #: it is injected: nobody sends it over a line, and this many bits a second are what it is known to take
    inside: int | None = None
    #: an RTP timestamp behind all that came before the newest interruption
    end_of_line: int = 0
    #: whether a key frame of any encoding is to be asked for, now or later
    asks: bool = False
    #: what the plane was told last of our clock less the publisher's, ns
    capture_offset: int = 0
    #: by how much, ns, its reports have frames captured later than can be, as they arrived
    ahead: int = 0
    rates: LayerRates = field(init=False)
    identity: FrameIdentity = field(init=False)
    frames: FramesSent = field(init=False)
    wanted: tuple[bool, ...] = field(init=False)
    wanted_since: list[float] = field(init=False)

    def __post_init__(self) -> None:
        """Begin with what the offer told."""
        self.encodings = [Encoding(e.rid, e.ssrc, e.rtx_ssrc) for e in self.track.encodings]
        self.rates = LayerRates(len(self.encodings))
        self.frames = FramesSent(self.track.clock_rate)
        self.identity = FrameIdentity(self.track.clock_rate)
        self.wanted = (True,) * len(self.encodings)
        self.wanted_since = [float("-inf")] * len(self.encodings)

    @property
    def captured(self) -> SenderInstant | None:
        """When a frame was captured, at the latest: the newest report, as far as arrivals bear it out."""
        return None if self.instant is None else replace(self.instant, time=self.instant.time - self.ahead)

    @property
    def is_doubted(self) -> bool:
        """Whether its reports cannot be true: its frames are older than `captured`, and nobody knows by how much."""
        return self.ahead > TOLERANCE

    @property
    def interrupted(self) -> bool:
        """Whether its transport is gone, and another is waited for."""
        return not self.transport

    def interrupt(self) -> None:
        """Forget the transport: what was sent over it is over, what it shows is not."""
        self.transport = TransportId(0)
        self._begin_anew()

    def go_on(self, transport: TransportId, track: OfferedTrack) -> None:
        """Come from another transport from now on."""
        self.transport, self.track = transport, track
        self._begin_anew()

    def _begin_anew(self) -> None:
        here = [Encoding(e.rid, e.ssrc, e.rtx_ssrc) for e in self.track.encodings]
        self.encodings = [Encoding(e.rid, Ssrc(0), Ssrc(0)) for e in here] if self.interrupted else here
        self.identity = FrameIdentity(self.track.clock_rate, settled=False)
        self.capture_offset = 0
        self.wanted = (True,) * len(self.encodings)
        self.wanted_since = [float("-inf")] * len(self.encodings)

    def may_go_on_as(self, track: OfferedTrack) -> bool:
        """Tell whether a track is of the same kind: its packets mean the same to whoever receives and records them."""
        mine, other = (
            (t.codec, t.clock_rate, t.payload_type, len(t.encodings), canonical_fmtp(t.codec, t.fmtp))
            for t in (self.track, track)
        )
        return mine == other

    @property
    def video(self) -> bool:
        """Whether there are key frames to be asked for."""
        return self.track.codec is not Codec.OPUS

    @property
    def simulcast(self) -> bool:
        """Whether the picture comes in more than one encoding."""
        return len(self.encodings) > 1

    def encoding_with(self, ssrc: int) -> int | None:
        """Find the encoding that sends under this SSRC."""
        return next((i for i, e in enumerate(self.encodings) if ssrc and e.ssrc == ssrc), None)

    def can_be_sent(self, encoding: int) -> bool:
        """Tell whether the plane may switch to an encoding: it is there, and its frames are named as all others'."""
        return bool(self.encodings[encoding].ssrc) and encoding in self.identity.offsets

    @property
    def named(self) -> bool:
        """Whether the frames of all its encodings are named alike."""
        return len(self.identity.offsets) == len(self.encodings)

    def want_key_frame(self, encoding: int) -> None:
        """Ask for a key frame of an encoding, soon."""
        if self.video:
            self.encodings[min(encoding, len(self.encodings) - 1)].key_frames.want()
            self.asks = True
