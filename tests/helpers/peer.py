"""aiortc as the other side of a call: it publishes test pictures and sound, or watches."""

from __future__ import annotations

import asyncio
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamTrack, VideoStreamTrack

from loadtests.caller import Caller
from media.ids import ProducerId
from server.service import Service
from tests.helpers.udp_peers import until


def connection() -> RTCPeerConnection:
    """Make a connection that asks no server on the Internet for its address."""
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


class Publisher:
    """Publishes a moving test picture and silence."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.peer = connection()

    async def publish(self, source: str = "camera", *, tracks: bool = True) -> list[dict[str, Any]]:
        """Offer both tracks (or, without `tracks`, those added before); returns what the server made of them."""
        if tracks:
            self.peer.addTrack(VideoStreamTrack())
            self.peer.addTrack(AudioStreamTrack())
        await self.peer.setLocalDescription(await self.peer.createOffer())
        kinds = {t.mid: t.kind for t in self.peer.getTransceivers() if t.direction != "inactive"}
        sources = [
            {"mid": mid, "source": source if kind == "video" else "microphone", "label": "test"}
            for mid, kind in kinds.items()
        ]
        reply = await self.caller.request("publish", sdp=self.peer.localDescription.sdp, sources=sources)
        await self.peer.setRemoteDescription(RTCSessionDescription(reply["sdp"], "answer"))
        return list(reply["producers"])

    async def close(self) -> None:
        """Hang up."""
        await self.peer.close()


class Watcher:
    """Takes the server's offers and keeps what arrives."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.peer = connection()
        self.tracks: dict[str, MediaStreamTrack] = {}
        self.messages: asyncio.Queue[str | bytes] = asyncio.Queue()
        self.consumers: list[dict[str, Any]] = []

        self.peer.on("track", self._take_track)
        self.peer.on("datachannel", self._take_channel)

    def _take_track(self, track: MediaStreamTrack) -> None:
        self.tracks[track.kind] = track

    def _take_channel(self, channel: Any) -> None:
        channel.on("message", self.messages.put_nowait)

    async def serve_offers(self, until: int) -> None:
        """Answer offers until one has so many consumers."""
        while len(self.consumers) < until:
            offer = await self.caller.notice("offer")
            await self.peer.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
            await self.peer.setLocalDescription(await self.peer.createAnswer())
            self.consumers = offer["consumers"]
            await self.caller.request(
                "answer", revision=offer["revision"], sdp=self.peer.localDescription.sdp
            )

    async def frames(self, kind: str, count: int) -> list[Any]:
        """Receive so many decoded frames of the audio or the video."""
        return [await self.tracks[kind].recv() for _ in range(count)]

    async def close(self) -> None:
        """Hang up."""
        await self.peer.close()


async def frame_sent(service: Service, producer: int) -> int:
    """Wait until a frame of a producer has come; returns its RTP timestamp."""
    (router,) = (room.router for room in service.rooms.values() if producer in room.router.producers)
    frames = router.producers[ProducerId(producer)].frames

    def newest() -> int | None:
        router.sent(ProducerId(producer), 0)  # has it look
        return frames.newest

    await until(lambda: newest() is not None, 20)
    found = newest()
    assert found is not None
    return found
