"""Chromium mends what a lossy line loses with FlexFEC alone: with no repeats asked for, not a frame is missing."""

from __future__ import annotations

import asyncio
import socket
import time
from fractions import Fraction
from typing import cast

import av
import numpy as np
import pytest

from media.ids import ConsumerId, Mid, ProducerId, Ssrc, TransportId
from media.native import NativePlane
from media.plane import Address, Codec, ConsumerSpec, EncodingSpec, ProducerSpec
from media.rtp.packet import RtpPacket
from media.rtp.rtcp import GenericNack, RtcpPacket, parse_compound
from media.sdp import parse
from media.sdp.offer import PayloadTypes, SubscribedTrack, offer_subscriber, read_answer
from media.sdp.remote import remote_parameters
from media.transport.endpoint import Endpoint
from media.transport.transport import TransportState
from tests.browser.chromium import browser
from tests.helpers.udp_peers import until

pytestmark = [pytest.mark.browser]

FRAMES = 90
MEDIA, PROTECTION = Ssrc(1000), Ssrc(3000)

_ANSWER = """async sdp => {
    const connection = window.connection = new RTCPeerConnection();
    connection.ontrack = event => {
        const video = Object.assign(document.createElement("video"), {autoplay: true, muted: true});
        video.srcObject = new MediaStream([event.track]);
        document.body.append(video);
    };
    await connection.setRemoteDescription({type: "offer", sdp});
    await connection.setLocalDescription(await connection.createAnswer());
    return connection.localDescription.sdp;
}"""
_RECEIVED = """async () => {
    let received = {};
    (await window.connection.getStats()).forEach(one => { if (one.type === "inbound-rtp") received = one; });
    return received;
}"""


def pictures() -> list[bytes]:
    """Encode a calm picture that moves; each frame needs the one before it."""
    encoder = av.CodecContext.create("libvpx", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = 320, 176, "yuv420p"
    encoder.time_base, encoder.bit_rate = Fraction(1, 30), 800_000
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "g": "1000", "lag-in-frames": "0"}
    patches = np.random.default_rng(1).integers(0, 256, (22, 64, 3), np.uint8)
    whole = np.repeat(np.repeat(patches, 8, 0), 8, 1)
    packets = []
    for number in range(FRAMES):
        frame = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(whole[:, 2 * number : 2 * number + 320]), format="rgb24"
        )
        frame.pts = number
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets


class LossyLine(asyncio.DatagramProtocol):
    """Stand between a browser and the plane; of each eight packets of the stream one is lost."""

    def __init__(self, plane: Address) -> None:
        """Lead to `plane`."""
        self._plane = plane
        self._loop = asyncio.get_running_loop()
        self._front: asyncio.DatagramTransport | None = None
        self._backs: dict[tuple[str, int], socket.socket] = {}
        self.lost = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the browser's side."""
        self._front = cast(asyncio.DatagramTransport, transport)

    @property
    def address(self) -> Address:
        """Where the browser finds the plane."""
        assert self._front is not None
        return Address(*self._front.get_extra_info("sockname"))

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        """Carry a datagram to the plane, from a socket for each source."""
        if source not in self._backs:
            back = self._backs[source] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            back.setblocking(False)
            back.connect((self._plane.host, self._plane.port))
            self._loop.add_reader(back.fileno(), self._carry_back, back, source)
        self._backs[source].send(data)

    def _carry_back(self, back: socket.socket, source: tuple[str, int]) -> None:
        data = back.recv(2048)
        assert self._front is not None
        # the header of SRTP is not encrypted
        if data[0] >> 6 == 2 and int.from_bytes(data[8:12], "big") == MEDIA and data[3] % 8 == 3:
            self.lost += 1
        else:
            self._front.sendto(data, source)

    async def close(self) -> None:
        """Close all sockets."""
        for back in self._backs.values():
            self._loop.remove_reader(back.fileno())
            back.close()
        if self._front is not None:
            self._front.abort()
        await asyncio.sleep(0)  # the loop closes it in its next turn


def without_repeats(offer: str) -> str:
    """Leave NACK and RTX out of an offer of VP8."""
    lines = [line for line in offer.split("\r\n") if line and not line.endswith((" nack", "apt=96"))]
    kept = [line.replace(" 96 97 ", " 96 ") for line in lines if "rtx" not in line]
    return "".join(line + "\r\n" for line in kept)


async def test_a_lossy_line_without_repeats_shows_every_frame() -> None:
    plane = NativePlane()
    line = LossyLine(plane.address)
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: line, local_addr=("127.0.0.1", 0))
    endpoint = Endpoint(plane, advertised=[line.address])
    asked: list[RtcpPacket] = []
    try:
        transport = endpoint.create()
        transport.callbacks.on_rtcp = lambda data, _: asked.extend(parse_compound(data))
        track = SubscribedTrack("video", Codec.VP8, "", MEDIA, Ssrc(0), "c", "s", "l", fec_ssrc=PROTECTION)
        offer = offer_subscriber([track], transport.parameters, 1, PayloadTypes(), data_channel=False)
        async with browser() as chromium:
            page = await chromium.new_page()
            answer = await page.evaluate(_ANSWER, without_repeats(str(offer)))
            accepted = read_answer(answer).tracks[Mid("0")]
            assert (accepted.payload_type, accepted.rtx_payload_type, accepted.fec_payload_type) == (
                96,
                0,
                119,
            )
            transport.start(remote_parameters(parse(answer)))
            await until(lambda: transport.state is TransportState.CONNECTED)
            producer = ProducerId(1)
            plane.add_producer(
                ProducerSpec(producer, TransportId(0), Codec.VP8, 90_000, 96, (EncodingSpec(Ssrc(1)),))
            )
            plane.add_consumer(
                ConsumerSpec(
                    ConsumerId(1),
                    producer,
                    transport.id,
                    accepted.payload_type,
                    MEDIA,
                    fec_payload_type=accepted.fec_payload_type,
                    fec_ssrc=PROTECTION,
                )
            )
            plane.set_fec(ConsumerId(1), 0.5)
            sequence = 0
            for number, picture in enumerate(pictures()):
                parts = [picture[at : at + 700] for at in range(0, len(picture), 700)]
                packets = [
                    bytes(
                        RtpPacket(
                            payload_type=96,
                            sequence_number=sequence + i & 0xFFFF,
                            timestamp=3000 * number,
                            ssrc=1,
                            marker=i == len(parts) - 1,
                            payload=(b"\x10" if i == 0 else b"\x00") + part,
                        )
                    )
                    for i, part in enumerate(parts)
                ]
                sequence += len(packets)
                plane.inject(producer, packets, time.time_ns())
                await asyncio.sleep(1 / 60)
            received = {}
            for _ in range(200):
                received = await page.evaluate(_RECEIVED)
                if received["framesDecoded"] == FRAMES:
                    break
                await asyncio.sleep(0.1)
            assert line.lost > FRAMES // 8
            assert received["fecPacketsReceived"] > 0
            assert received["framesDecoded"] == FRAMES
            assert not [one for one in asked if isinstance(one, GenericNack)]
    finally:
        await endpoint.close()
        await line.close()
