"""aiortc as the other end of our transports, and a bounded wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiortc import AudioStreamTrack, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack

from media.sdp import OfferedTrack, answer_publisher, parse, remote_parameters
from media.transport import Transport, TransportState


class Heard:
    """Collects what a transport tells its owner."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.states: list[tuple[TransportState, str]] = []
        self.rtcp: list[bytes] = []
        self.messages: list[tuple[str, str | bytes]] = []
        transport.callbacks.on_state = lambda state, reason: self.states.append((state, reason))
        transport.callbacks.on_rtcp = lambda data, _: self.rtcp.append(data)
        transport.callbacks.on_message = lambda label, message: self.messages.append((label, message))

    @property
    def last(self) -> TransportState:
        return self.states[-1][0] if self.states else TransportState.NEW


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until the condition holds; TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  (conditions are plain expressions of the tests)
            await asyncio.sleep(0.005)


def publishing_peer(*, video: bool = True, audio: bool = True) -> RTCPeerConnection:
    """Make an aiortc connection that sends synthetic tracks."""
    peer = RTCPeerConnection()
    if audio:
        peer.addTrack(AudioStreamTrack())
    if video:
        peer.addTrack(VideoStreamTrack())
    for transceiver in peer.getTransceivers():
        transceiver.direction = "sendonly"
    return peer


async def publish(peer: RTCPeerConnection, transport: Transport) -> list[OfferedTrack]:
    """Let the peer offer, answer it, start the transport."""
    await peer.setLocalDescription(await peer.createOffer())
    offer = parse(peer.localDescription.sdp)
    answer, tracks = answer_publisher(offer, transport.parameters)
    transport.start(remote_parameters(offer))
    await peer.setRemoteDescription(RTCSessionDescription(sdp=str(answer), type="answer"))
    return tracks


async def subscribe(peer: RTCPeerConnection, offer: str) -> str:
    """Let the peer answer our offer."""
    await peer.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    return str(peer.localDescription.sdp)
