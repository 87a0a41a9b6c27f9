"""The face of the compiled extension. Only ``media.native`` calls it: it checks nothing but types."""

from collections.abc import Sequence
from typing import Any

from _typeshed import ReadableBuffer

class _Transport: ...
class _Producer: ...
class _Consumer: ...
class _ShardGroup: ...

_Ids = tuple[int, ...]

def bare_send(
    addresses: Sequence[tuple[str, int]], sizes: Sequence[int], bursts: int, buffer: int, interval_ns: int, /
) -> tuple[int, int]:
    """Send bursts of datagrams of these sizes to each address, and tell (datagrams, CPU ns).

    The batches and GSO groups are the plane's; nothing is received, copied or encrypted.
    """

class _Drain: ...

def bare_drain(descriptors: Sequence[int], /) -> _Drain:
    """Read and forget what comes to these sockets, in a thread, for as long as the result lives."""

def set_srtp(protect: int, unprotect: int, protect_rtcp: int, unprotect_rtcp: int) -> None:
    """Take the addresses of libsrtp's functions. Comes before any plane."""

def shard_group(shards: int, /) -> _ShardGroup:
    """Make what the planes of one port have in common; it outlives them."""

def walk_tap(data: ReadableBuffer, base: int, /) -> tuple[list[tuple[int, bytes]], int, bool]:
    """Walk through tap records, see media.native.frames."""

class Joiner:
    """Puts a track's pictures together, see media.native.frames."""

    def __init__(self, codec: int, payload_type: int, /) -> None: ...
    def keep(self, unit: bytes, /) -> None: ...
    def join(
        self,
        data: ReadableBuffer,
        places: ReadableBuffer,
        lengths: ReadableBuffer,
        counts: ReadableBuffer,
        flags: ReadableBuffer,
        /,
    ) -> list[tuple[bytes, bool] | None]: ...

def protect(session: int, data: bytes) -> bytes:
    """Call srtp_protect as the plane does; ValueError with its status."""

def unprotect(session: int, data: bytes) -> bytes:
    """Call srtp_unprotect as the plane does."""

def protect_rtcp(session: int, data: bytes) -> bytes:
    """Call srtp_protect_rtcp as the plane does."""

def unprotect_rtcp(session: int, data: bytes) -> bytes:
    """Call srtp_unprotect_rtcp as the plane does."""

class Plane:
    """The plane's thread, its socket and its rings; see media.plane.Plane for the methods."""

    def __init__(
        self,
        host: str,
        port: int,
        buffer: int,
        tap_bytes: int,
        event_bytes: int,
        stream_patience: int,
        group: _ShardGroup | None = None,
        shard: int = 0,
    ) -> None: ...
    def fileno(self) -> int: ...
    def socket(self) -> tuple[str, int, int, int, bool, bool]:
        """Tell (host, port, receive buffer, send buffer, real-time, GSO)."""

    def add_transport(self, transport: int, /) -> _Transport: ...
    def validate_address(
        self, transport: _Transport, host: str, port: int, tcp: bool, selected: bool, /
    ) -> None: ...
    def set_keys(self, transport: _Transport, receive: int, send: int, /) -> None: ...
    def remove_transport(self, transport: _Transport, /) -> None: ...
    def add_producer(
        self,
        producer: int,
        transport: _Transport | None,
        codec: int,
        clock_rate: int,
        payload_type: int,
        encodings: tuple[tuple[int, int], ...],
        rtx_payload_type: int,
        nack: bool,
        history_ms: int,
        history_bytes: int,
        extensions: _Ids,
        red_payload_type: int,
        /,
    ) -> _Producer: ...
    def move_producer(
        self,
        producer: _Producer,
        transport: _Transport | None,
        payload_type: int,
        encodings: tuple[tuple[int, int], ...],
        rtx_payload_type: int,
        nack: bool,
        extensions: _Ids,
        red_payload_type: int,
        /,
    ) -> None: ...
    def remove_producer(self, producer: _Producer, /) -> None: ...
    def set_encoding(self, producer: _Producer, index: int, ssrc: int, rtx_ssrc: int, /) -> None: ...
    def set_timestamp_offset(self, producer: _Producer, index: int, offset: int, /) -> None: ...
    def set_capture_offset(self, producer: _Producer, offset: int, /) -> None: ...
    def set_tap(self, producer: _Producer, enabled: bool, /) -> None: ...
    def set_low_tap(self, producer: _Producer, encoding: int, /) -> None: ...
    def add_consumer(
        self,
        consumer: int,
        producer: _Producer,
        transport: _Transport,
        payload_type: int,
        ssrc: int,
        rtx_payload_type: int,
        rtx_ssrc: int,
        mid: str,
        extensions: _Ids,
        min_delay: int,
        max_delay: int,
        fec_payload_type: int,
        fec_ssrc: int,
        red_payload_type: int,
        /,
    ) -> _Consumer: ...
    def set_layer(self, consumer: _Consumer, encoding: int, spatial: int, temporal: int, /) -> None: ...
    def set_paused(self, consumer: _Consumer, paused: bool, /) -> None: ...
    def remove_consumer(self, consumer: _Consumer, /) -> None: ...
    def set_round_trip(self, transport: _Transport, nanoseconds: int, /) -> None: ...
    def set_pacing(self, transport: _Transport, bits_per_second: int, /) -> None: ...
    def probe(self, transport: _Transport, cluster: int, bits_per_second: int, packets: int, /) -> None: ...
    def set_fec(self, consumer: _Consumer, share_1024: int, /) -> None: ...
    def inject(self, producer: _Producer, packets: Sequence[bytes], time: int, /) -> None: ...
    def send_datagram(self, host: str, port: int, tcp: bool, data: bytes, /) -> None: ...
    def send_to(self, transport: _Transport, data: bytes, /) -> None: ...
    def send_rtcp(self, transport: _Transport, data: bytes, /) -> None: ...
    def events(
        self, limit: int, /
    ) -> list[tuple[int, int, tuple[str, int, bool] | None, int, int, bytes]]: ...
    def forget_address(self, host: str, port: int, /) -> None: ...
    def adopt_stream(self, descriptor: int, host: str, port: int, first: bytes, /) -> None: ...
    def read_tap(self, limit: int, /) -> bytes: ...
    def statistics(
        self,
    ) -> tuple[int, int, int, int, int, int, tuple[int, ...], tuple[int, ...], int, int, int, int]: ...
    def producer_statistics(
        self, producer: _Producer, /
    ) -> tuple[tuple[tuple[Any, ...], ...], tuple[int, ...], int]:
        """Tell (a tuple an encoding, transit, audio level): the fields as media.plane has them."""

    def consumer_statistics(
        self, consumer: _Consumer, /
    ) -> tuple[int, int, int, int, int, int, int, int]: ...
    def transport_statistics(
        self, transport: _Transport, /
    ) -> tuple[int, int, int, int, int, int, int, int, int, int, int, int]: ...
    def live(self) -> tuple[int, int, int, int, int]:
        """Tell how many (transports, producers, consumers, data blocks, TCP streams) are made and not freed."""

    def close(self) -> None: ...

class Probe:
    """The probe's two threads and its sockets; see media.native.probe."""

    def __init__(self) -> None: ...
    def fileno(self) -> int: ...
    def open(self, host: str, /) -> tuple[int, int]: ...
    def send(self, socket: int, host: str, port: int, data: bytes, /) -> None: ...
    def set_keys(
        self,
        socket: int,
        receive: int,
        send: int,
        host: str,
        port: int,
        capture_time_id: int,
        wide_id: int,
        /,
    ) -> None: ...
    def send_rtcp(self, socket: int, data: bytes, /) -> None: ...
    def start_sending(
        self,
        socket: int,
        ssrc: int,
        payload_type: int,
        clock_rate: int,
        mid_id: int,
        mid: str,
        capture_time_id: int,
        frames: list[list[bytes]],
        fps: float,
        bursts: int,
        offset: float,
        /,
    ) -> int: ...
    def stop_sending(self, stream: int, /) -> None: ...
    def key_frame(self, stream: int, /) -> None: ...
    def set_rate(self, stream: int, fps: float, bursts: int, /) -> None: ...
    def sending(self, stream: int, /) -> tuple[int, int, int, int, int, int]: ...
    def events(self) -> list[tuple[int, int, tuple[str, int] | None, int, int, bytes]]: ...
    def statistics(
        self, socket: int, /
    ) -> tuple[list[tuple[int, int, int, int, int, int, int]], int, int, int, tuple[int, ...]]: ...
    def close(self) -> None: ...
