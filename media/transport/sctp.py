"""Data channels (RFC 8831, RFC 8832) by aiortc's RTCSctpTransport, guarded.

Private names used, each with a contract test: `_handle_data`, `_send_chunk`, `_receive_data_chunk`,
`_data_channel_receive`, `_data_channels`, `_inbound_streams`, `_sack_misordered`, `_advertised_rwnd`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcsctptransport import (
    WEBRTC_DCEP,
    WEBRTC_STRING,
    Chunk,
    DataChunk,
    RTCSctpCapabilities,
    RTCSctpTransport,
)
from OpenSSL import SSL

from ..sdp.parameters import MAX_MESSAGE_SIZE, SCTP_PORT
from .dtls import Dtls
from .sctp_guard import is_sound, is_sound_open, is_utf8

logger = logging.getLogger(__name__)

MAX_CHANNELS = 16

#: Chunks that wait for missing ones, in one stream and in all: 64 KiB are 57 chunks.
MAX_WAITING = 512

#: Bytes that may wait to be sent on a channel; what comes on top is refused.
MAX_BUFFERED = 256 * 1024

_ACK = 2

MessageCallback = Callable[[str, str | bytes], None]


class _SctpTransport(RTCSctpTransport):  # type: ignore[misc]
    """aiortc's association, closed to what a peer should not be able to do to it."""

    def __init__(self, dtls: Dtls) -> None:
        super().__init__(dtls.transport, SCTP_PORT)
        self.refused = 0

    async def _handle_data(self, data: bytes) -> None:
        if self.state == "closed":
            return
        if not is_sound(data):
            self.refused += 1
            return
        try:
            await super()._handle_data(data)
        except Exception:
            # the association is in a state that its author did not think of: only this peer's channels end
            self.refused += 1
            logger.info("A data channel association was closed because of what its peer sent.")
            await self.stop()

    async def _send_chunk(self, chunk: Chunk) -> None:
        try:
            await super()._send_chunk(chunk)
        except (ConnectionError, SSL.Error):
            pass  # DTLS has ended: so does this, by its own signal

    async def _receive_data_chunk(self, chunk: DataChunk) -> None:
        stream = self._inbound_streams.get(chunk.stream_id)
        waiting = len(stream.reassembly) if stream is not None else 0
        too_many = waiting >= MAX_WAITING or len(self._sack_misordered) >= MAX_WAITING
        if too_many or self._advertised_rwnd < len(chunk.user_data):
            self.refused += 1
            await self.stop()
            return
        await super()._receive_data_chunk(chunk)

    async def _data_channel_receive(self, stream_id: int, pp_id: int, data: bytes) -> None:
        if pp_id == WEBRTC_DCEP:
            acceptable = self._is_acceptable_control(stream_id, data)
        else:
            acceptable = len(data) <= MAX_MESSAGE_SIZE and (pp_id != WEBRTC_STRING or is_utf8(data))
        if not acceptable:
            self.refused += 1
            return
        await super()._data_channel_receive(stream_id, pp_id, data)

    def _is_acceptable_control(self, stream_id: int, data: bytes) -> bool:
        if data[:1] == bytes([_ACK]):
            return stream_id in self._data_channels
        free = stream_id not in self._data_channels and len(self._data_channels) < MAX_CHANNELS
        return free and is_sound_open(data)


class DataChannels:
    """The data channels of one transport, by label."""

    def __init__(self, dtls: Dtls, on_message: MessageCallback) -> None:
        self._sctp = _SctpTransport(dtls)
        self._sctp.on("datachannel", self._adopt)
        self._on_message = on_message
        self._channels: dict[str, RTCDataChannel] = {}

    @property
    def refused(self) -> int:
        """Packets and messages that were not taken."""
        return int(self._sctp.refused)

    async def start(self, remote_port: int, max_message_size: int) -> None:
        """Begin the association (both sides do)."""
        await self._sctp.start(RTCSctpCapabilities(max_message_size), remote_port)

    def open(self, label: str) -> None:
        """Open a channel for what may be lost: unordered, nothing repeated."""
        parameters = RTCDataChannelParameters(label=label, ordered=False, maxRetransmits=0)
        self._adopt(RTCDataChannel(self._sctp, parameters))

    def is_open(self, label: str) -> bool:
        """Whether messages can be sent."""
        channel = self._channels.get(label)
        return channel is not None and channel.readyState == "open"

    def buffered(self, label: str) -> int:
        """Bytes that wait to be sent."""
        channel = self._channels.get(label)
        return int(channel.bufferedAmount) if channel is not None else 0

    def send(self, label: str, message: str | bytes) -> bool:
        """Send a message; False if the channel is not open, is full, or the peer takes none so large."""
        if not self.is_open(label) or self.buffered(label) >= MAX_BUFFERED:
            return False
        try:
            self._channels[label].send(message)
        except ValueError:
            return False
        return True

    async def stop(self) -> None:
        """Abort the association."""
        await self._sctp.stop()

    def _adopt(self, channel: RTCDataChannel) -> None:
        label = channel.label
        channel.on("message", lambda message: self._on_message(label, message))
        # the first of two channels with one label is the one that we send on
        if label not in self._channels:
            self._channels[label] = channel
            channel.on("close", lambda: self._channels.pop(label, None))
