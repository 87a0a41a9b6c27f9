"""Probe: many cheap WebRTC clients in one process, for load tests. The packets are C's, ICE and DTLS Python's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pylibsrtp import Session

from ..plane import Address, EventKind
from . import _native
from .srtp import connect_libsrtp, session_pointer

connect_libsrtp()

#: Latency histogram: bucket i counts [10 µs * 10**(i/60), 10 µs * 10**((i+1)/60)): 10 µs to 1 s.
LATENCY_BUCKETS = 300
LATENCY_PER_DECADE = 60

#: In place of a `capture_time_id`: the stamp is the last 8 bytes of each payload, for servers that do not pass
#: the header extension on.
STAMP_IN_PAYLOAD = 255


@dataclass(frozen=True, slots=True)
class ProbeEvent:
    """A datagram that Python must answer: STUN, DTLS, or RTCP (decrypted). `time` is the kernel's, in ns."""

    kind: EventKind
    socket: int
    address: Address
    time: int
    data: bytes


@dataclass(frozen=True, slots=True)
class StreamReceived:
    """What came of one SSRC. `lost` are numbers that were skipped and never came."""

    ssrc: int
    packets: int
    bytes: int
    lost: int
    duplicates: int
    reordered: int
    unstamped: int


@dataclass(frozen=True, slots=True)
class ProbeStatistics:
    """What came to one socket. `latency` is from the stamp in abs-capture-time to the kernel's arrival time.

    The stamp is written before the burst is protected: latencies include that, some 10 µs.
    """

    streams: tuple[StreamReceived, ...]
    unauthenticated: int
    other: int
    queue_drops: int
    latency: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StreamSent:
    """What was sent of one stream, as a sender report wants it. `late`: bursts later than a frame's time."""

    packets: int
    octets: int
    repeated: int
    late: int
    last_timestamp: int
    last_sent: int


class Probe:
    """Open sockets, hand keys over, send and measure. One at a time in a process."""

    def __init__(self) -> None:
        """Start the two threads."""
        self._native = _native.Probe()
        self._sessions: list[tuple[Session, Session]] = []

    def fileno(self) -> int:
        """Give a descriptor that is readable while events wait."""
        return self._native.fileno()

    def open(self, host: str) -> tuple[int, int]:
        """Open one more client's socket on a host in numbers; return its index and its port."""
        return self._native.open(host)

    def send(self, socket: int, address: Address, data: bytes) -> None:
        """Send a datagram as it is: STUN, DTLS."""
        self._native.send(socket, address.host, address.port, data)

    def events(self) -> list[ProbeEvent]:
        """Take what arrived for Python."""
        events = []
        for kind, _, address, time, socket, data in self._native.events():
            assert address is not None
            events.append(ProbeEvent(EventKind(kind), socket, Address(*address), time, data))
        return events

    def set_keys(
        self,
        socket: int,
        receive: Session,
        send: Session,
        remote: Address,
        *,
        capture_time_id: int = 0,
        wide_id: int = 0,
    ) -> None:
        """Hand the SRTP sessions over. `capture_time_id`: where received packets bear their stamp.

        `wide_id`: where they bear transport-wide numbers, whose arrivals are then told to the sender.
        """
        self._sessions.append((receive, send))
        self._native.set_keys(
            socket,
            session_pointer(receive),
            session_pointer(send),
            remote.host,
            remote.port,
            capture_time_id,
            wide_id,
        )

    def send_rtcp(self, socket: int, data: bytes) -> None:
        """Protect a compound RTCP packet and send it."""
        self._native.send_rtcp(socket, data)

    def start_sending(
        self,
        socket: int,
        *,
        ssrc: int,
        payload_type: int,
        clock_rate: int,
        frames: Sequence[Sequence[bytes]],
        fps: float,
        bursts: int = 1,
        offset: float = 0.0,
        mid: tuple[int, str] = (0, ""),
        capture_time_id: int = 0,
    ) -> int:
        """Send frames, each of RTP payloads, in a loop and in real time; return the stream's number.

        A frame is sent in `bursts` equal parts, evenly over its time. The first frame is sent `offset`
        seconds from now. `mid` and `capture_time_id` are the ids of the header extensions that every packet
        bears: the MID, and the time of sending. NACKs are answered with the same packet again.
        """
        return self._native.start_sending(
            socket,
            ssrc,
            payload_type,
            clock_rate,
            mid[0],
            mid[1],
            capture_time_id,
            [list(frame) for frame in frames],
            fps,
            bursts,
            offset,
        )

    def stop_sending(self, stream: int) -> None:
        """Stop a stream; NACKs are still answered."""
        self._native.stop_sending(stream)

    def key_frame(self, stream: int) -> None:
        """Begin the loop anew with the next frame: the first one should be a key frame."""
        self._native.key_frame(stream)

    def set_rate(self, stream: int, fps: float, bursts: int) -> None:
        """Go on at this rate after the present frame; RTP timestamps follow without a jump."""
        self._native.set_rate(stream, fps, bursts)

    def sent(self, stream: int) -> StreamSent:
        """Read what was sent."""
        return StreamSent(*self._native.sending(stream))

    def statistics(self, socket: int) -> ProbeStatistics:
        """Read what came to a socket."""
        streams, unauthenticated, other, queue_drops, latency = self._native.statistics(socket)
        received = tuple(StreamReceived(*stream) for stream in streams)
        return ProbeStatistics(received, unauthenticated, other, queue_drops, latency)

    def close(self) -> None:
        """Stop the threads, close the sockets."""
        self._native.close()
        self._sessions.clear()


def percentile(latency: Sequence[int], fraction: float) -> float:
    """Tell, in ms, the upper bound of the bucket that holds this fraction; 0 without samples."""
    wanted = fraction * sum(latency)
    if not wanted:
        return 0.0
    for i, number in enumerate(latency):
        wanted -= number
        if wanted <= 0:
            return float(0.01 * 10 ** ((i + 1) / LATENCY_PER_DECADE))
    return float(0.01 * 10 ** (len(latency) / LATENCY_PER_DECADE))
