"""Offers as aiortc writes them, for tests that need one and no call."""

from __future__ import annotations

from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from tests.helpers.peer import connection


async def good_offer() -> str:
    """Offer a picture and a sound that nobody will send."""
    peer = connection()
    peer.addTrack(VideoStreamTrack())
    peer.addTrack(AudioStreamTrack())
    await peer.setLocalDescription(await peer.createOffer())
    sdp = str(peer.localDescription.sdp)
    await peer.close()
    return sdp


async def viewing_offer() -> str:
    """Offer to receive a picture and a sound."""
    peer = connection()
    peer.addTransceiver("video", direction="recvonly")
    peer.addTransceiver("audio", direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    sdp = str(peer.localDescription.sdp)
    await peer.close()
    return sdp
