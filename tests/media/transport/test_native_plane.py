"""The same over the plane of every running server: keys reach it, media passes it, and it lets go."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable

import pytest
from aiortc import RTCPeerConnection
from playwright.async_api import async_playwright

from media.ids import ConsumerId, Mid, ProducerId, Ssrc, TransportId
from media.native import NativePlane
from media.plane import (
    NO_EXTENSIONS,
    Address,
    Codec,
    ConsumerSpec,
    Drop,
    EncodingSpec,
    EventKind,
    PlaneEvent,
    ProducerSpec,
)
from media.sdp import (
    OfferedTrack,
    PayloadTypes,
    SubscribedTrack,
    answer_publisher,
    offer_subscriber,
    parse,
    read_answer,
    remote_parameters,
)
from media.transport import Endpoint, Transport, TransportState
from tests.browser.chromium import FLAGS, executable
from tests.helpers.udp_peers import Heard, publish, publishing_peer, subscribe, until

from .test_endpoints import REPORT, connect

MakeNative = Callable[[], tuple[Endpoint, list[PlaneEvent]]]


@pytest.fixture
async def make_native() -> AsyncIterator[MakeNative]:
    endpoints: list[Endpoint] = []

    def make() -> tuple[Endpoint, list[PlaneEvent]]:
        events: list[PlaneEvent] = []
        endpoint = Endpoint(NativePlane(Address("127.0.0.1", 0)), on_event=events.append)
        endpoints.append(endpoint)
        return endpoint, events

    yield make
    for endpoint in endpoints:
        await endpoint.close()


def produce(endpoint: Endpoint, transport: Transport, track: OfferedTrack, number: int) -> None:
    endpoint.plane.add_producer(
        ProducerSpec(
            ProducerId(number),
            transport.id,
            track.codec,
            track.clock_rate,
            track.payload_type,
            (EncodingSpec(track.ssrc, track.rtx_ssrc),),
            track.rtx_payload_type,
            extensions=track.extensions,
        )
    )


async def test_client_and_server_over_two_native_planes(make_native: MakeNative) -> None:
    (server_end, events), (client_end, _) = make_native(), make_native()
    server, client = server_end.create(), client_end.create("client")
    heard, heard_by_client = Heard(server), Heard(client)
    server.open_channel("ephemeral")
    connect(client, server)
    await until(lambda: client.state is server.state is TransportState.CONNECTED)
    client.send_rtcp(REPORT)
    server.send_rtcp(REPORT)
    await until(lambda: heard.rtcp and heard_by_client.rtcp)
    assert heard.rtcp == heard_by_client.rtcp == [REPORT]
    await until(lambda: server.channel_open("ephemeral") and client.channel_open("ephemeral"))
    assert server.send_message("ephemeral", "pointer")
    await until(lambda: heard_by_client.messages)
    client_end.plane.add_producer(
        ProducerSpec(ProducerId(1), TransportId(0), Codec.OPUS, 48000, 111, (EncodingSpec(Ssrc(5)),))
    )
    client_end.plane.add_consumer(ConsumerSpec(ConsumerId(1), ProducerId(1), client.id, 111, Ssrc(77)))
    packet = struct.pack("!BBHII", 0x80, 111, 1, 960, 5) + b"opus"
    client_end.plane.inject(ProducerId(1), [packet], 1)
    await until(lambda: any(event.kind is EventKind.UNKNOWN_SSRC for event in events))
    assert [event.subject for event in events if event.kind is EventKind.UNKNOWN_SSRC] == [77]
    client.close()
    await until(lambda: heard.last is TransportState.CLOSED)
    await until(lambda: any(event.kind is EventKind.REMOVED for event in events))
    assert not server_end._sessions
    assert server_end.plane.statistics().drops[Drop.AUTHENTICATION] == 0


async def test_aiortc_publishes_and_aiortc_is_sent_it(make_native: MakeNative) -> None:
    endpoint, _ = make_native()
    incoming, outgoing = endpoint.create(), endpoint.create()
    publisher, subscriber = publishing_peer(video=False), RTCPeerConnection()
    received: list[object] = []
    subscriber.on("track", received.append)
    try:
        (track,) = await publish(publisher, incoming)
        produce(endpoint, incoming, track, 1)
        slot = SubscribedTrack("audio", track.codec, track.fmtp, Ssrc(9), Ssrc(0), "c", "pt-1", "voice")
        offer = offer_subscriber([slot], outgoing.parameters, 1, PayloadTypes())
        answer = read_answer(await subscribe(subscriber, str(offer)))
        outgoing.start(answer.remote)
        await until(lambda: incoming.state is outgoing.state is TransportState.CONNECTED)
        accepted = answer.tracks[Mid("0")]
        endpoint.plane.add_consumer(
            ConsumerSpec(ConsumerId(1), ProducerId(1), outgoing.id, accepted.payload_type, Ssrc(9), mid="0")
        )
        frame = await received[0].recv()  # type: ignore[attr-defined]
        assert frame.sample_rate == 48000
    finally:
        await publisher.close()
        await subscriber.close()


PUBLISH = """async () => {
  const stream = await navigator.mediaDevices.getUserMedia({audio: true, video: true});
  const peer = window.publisher = new RTCPeerConnection({bundlePolicy: "max-bundle"});
  for (const track of stream.getTracks()) peer.addTransceiver(track, {direction: "sendonly", streams: [stream]});
  await peer.setLocalDescription(await peer.createOffer());
  return peer.localDescription.sdp;
}"""
SUBSCRIBE = """async (sdp) => {
  const peer = window.subscriber = new RTCPeerConnection();
  window.messages = [];
  peer.ondatachannel = ({channel}) => {
    channel.onmessage = ({data}) => { messages.push(data); channel.send("from the page"); };
  };
  await peer.setRemoteDescription({type: "offer", sdp});
  await peer.setLocalDescription(await peer.createAnswer());
  return peer.localDescription.sdp;
}"""
DECODED = """async () => {
  let decoded = {};
  (await subscriber.getStats()).forEach(report => {
    if (report.type === "inbound-rtp")
      decoded[report.kind] = report.framesDecoded ?? report.totalSamplesReceived ?? 0;
  });
  return (decoded.video ?? 0) > 10 && (decoded.audio ?? 0) > 10;
}"""
SRTP = """async (name) => {
  let cipher = "";
  (await window[name].getStats()).forEach(report => {
    if (report.type === "transport") cipher = report.srtpCipher ?? "";
  });
  return cipher;
}"""


@pytest.mark.browser
async def test_chromium_publishes_and_chromium_sees_and_hears_it(make_native: MakeNative) -> None:
    endpoint, events = make_native()
    incoming, outgoing = endpoint.create(), endpoint.create()
    heard = Heard(outgoing)
    outgoing.open_channel("ephemeral")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        page = await browser.new_page()
        # a secure context that is on no network
        await page.route("https://localhost/", lambda route: route.fulfill(body="<title>t</title>"))
        await page.goto("https://localhost/")
        offer = parse(await page.evaluate(PUBLISH))
        answer, tracks = answer_publisher(offer, incoming.parameters, prefer=[Codec.H264])
        incoming.start(remote_parameters(offer))
        slots = []
        for number, track in enumerate(tracks, 1):
            produce(endpoint, incoming, track, number)
            rtx = Ssrc(200 + number) if track.rtx_payload_type else Ssrc(0)
            slots.append(
                SubscribedTrack(
                    track.kind, track.codec, track.fmtp, Ssrc(100 + number), rtx, "c", "pt-1", track.kind
                )
            )
        offered = offer_subscriber(slots, outgoing.parameters, 1, PayloadTypes())
        accepted = read_answer(await page.evaluate(SUBSCRIBE, str(offered)))
        outgoing.start(accepted.remote)
        await until(lambda: outgoing.state is TransportState.CONNECTED)
        for number, (slot, taken) in enumerate(zip(slots, accepted.tracks.values(), strict=True), 1):
            assert taken.accepted
            endpoint.plane.add_consumer(
                ConsumerSpec(
                    ConsumerId(number),
                    ProducerId(number),
                    outgoing.id,
                    taken.payload_type,
                    slot.ssrc,
                    taken.rtx_payload_type,
                    slot.rtx_ssrc,
                    mid=taken.mid,
                    extensions=taken.extensions if slot.rtx_ssrc else NO_EXTENSIONS,
                )
            )
        await page.evaluate("(sdp) => publisher.setRemoteDescription({type: 'answer', sdp})", str(answer))
        await until(lambda: incoming.state is TransportState.CONNECTED)
        assert await page.evaluate(SRTP, "publisher") == "SRTP_AEAD_AES_128_GCM"
        assert await page.evaluate(SRTP, "subscriber") == "SRTP_AEAD_AES_128_GCM"
        await page.wait_for_function(DECODED, timeout=15_000)
        await until(lambda: outgoing.send_message("ephemeral", "from us"))
        await until(lambda: heard.messages)
        assert heard.messages == [("ephemeral", "from the page")]
        assert await page.evaluate("messages") == ["from us"]
        await page.evaluate("publisher.close()")
        await until(lambda: incoming.state is TransportState.CLOSED)
        await browser.close()
    assert EventKind.UNKNOWN_SSRC not in {event.kind for event in events}
