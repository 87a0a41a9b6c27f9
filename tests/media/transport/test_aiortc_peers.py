"""aiortc publishes to us and subscribes from us, over real sockets."""

from __future__ import annotations

import struct

from aiortc import RTCDataChannel, RTCPeerConnection

from media.ids import Mid, Ssrc
from media.plane import Codec, EventKind, PlaneEvent
from media.sdp import PayloadTypes, SubscribedTrack, offer_subscriber, read_answer
from media.transport import TransportState
from tests.helpers.udp_peers import Heard, publish, publishing_peer, subscribe, until

from .conftest import MakeEndpoint, plane_of


async def test_publisher_connects_sends_media_and_talks(make_endpoint: MakeEndpoint) -> None:
    events: list[PlaneEvent] = []
    endpoint = make_endpoint(on_event=events.append)
    transport = endpoint.create()
    heard = Heard(transport)
    peer = publishing_peer()
    channel = peer.createDataChannel("chat")
    received: list[object] = []
    channel.on("message", received.append)
    try:
        tracks = await publish(peer, transport)
        await until(lambda: heard.last is TransportState.CONNECTED)
        assert [track.kind for track in tracks] == ["audio", "video"]
        assert [track.codec for track in tracks] == [Codec.OPUS, Codec.VP8]
        # aiortc offers AEAD_AES_256_GCM first: the server's order decides
        assert transport.srtp_profile == "SRTP_AEAD_AES_128_GCM"
        await until(lambda: transport.channel_open("chat") and channel.readyState == "open")
        channel.send("from the peer")
        assert transport.send_message("chat", "from us")
        await until(lambda: received and heard.messages)
        assert received == ["from us"]
        assert heard.messages == [("chat", "from the peer")]
        # media and its sender reports arrive decrypted, under the announced SSRC
        await until(lambda: heard.rtcp and plane_of(endpoint).packets)
        assert heard.rtcp[0][1] in {200, 201, 202}
        announced = {track.ssrc for track in tracks}
        await until(lambda: any(event.kind is EventKind.UNKNOWN_SSRC for event in events))
        assert {event.subject for event in events if event.kind is EventKind.UNKNOWN_SSRC} <= announced
    finally:
        await peer.close()
    await until(lambda: heard.last is TransportState.CLOSED)
    await until(lambda: events[-1].kind is EventKind.REMOVED)


async def test_subscriber_connects_receives_media_and_talks(make_endpoint: MakeEndpoint) -> None:
    endpoint = make_endpoint()
    transport = endpoint.create()
    heard = Heard(transport)
    transport.open_channel("ephemeral")
    peer = RTCPeerConnection()
    channels: list[RTCDataChannel] = []
    messages: list[object] = []
    tracks: list[object] = []

    def adopt(channel: RTCDataChannel) -> None:
        channels.append(channel)
        channel.on("message", messages.append)

    peer.on("datachannel", adopt)
    peer.on("track", tracks.append)
    video = SubscribedTrack("video", Codec.VP8, "", Ssrc(1111), Ssrc(2222), "cname", "pt-1", "field")
    audio = SubscribedTrack("audio", Codec.OPUS, "", Ssrc(3333), Ssrc(0), "cname", "pt-1", "voice")
    try:
        offer = offer_subscriber([video, audio], transport.parameters, 1, PayloadTypes())
        answer = read_answer(await subscribe(peer, str(offer)))
        transport.start(answer.remote)
        assert {mid: track.accepted for mid, track in answer.tracks.items()} == {"0": True, "1": True}
        assert answer.tracks[Mid("0")].payload_type == 96
        await until(lambda: transport.channel_open("ephemeral") and channels)
        assert not channels[0].ordered
        assert channels[0].maxRetransmits == 0
        assert transport.send_message("ephemeral", "pointer")
        channels[0].send("stroke")
        await until(lambda: messages and heard.messages)
        assert messages == ["pointer"]
        assert heard.messages == [("ephemeral", "stroke")]
        # RTP that we protect is taken: the receiver reports on it
        packet = struct.pack("!BBHII", 0x80, 111, 1, 160, 3333) + b"\xfc\xff\xfe"
        plane_of(endpoint).send_rtp(transport.id, packet)
        await until(lambda: any(data[1] == 201 for data in heard.rtcp))
        assert len(tracks) == 2
    finally:
        await peer.close()


async def test_a_reoffer_on_the_same_connection_adds_a_section(make_endpoint: MakeEndpoint) -> None:
    endpoint = make_endpoint()
    transport = endpoint.create()
    heard = Heard(transport)
    peer = publishing_peer(video=False)
    try:
        assert len(await publish(peer, transport)) == 1
        await until(lambda: heard.last is TransportState.CONNECTED)
        peer.addTransceiver("video", direction="sendonly")
        tracks = await publish(peer, transport)
        assert [track.kind for track in tracks] == ["audio", "video"]
        assert heard.last is TransportState.CONNECTED
    finally:
        await peer.close()
