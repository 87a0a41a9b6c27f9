"""Whatever a receiver answers, or a player offers, harms nobody else: the others' requests go on as before."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiortc import RTCSessionDescription

from loadtests.caller import Caller, Message, Refused, calling
from media.sdp import Fingerprint, TransportParameters, answer_subscriber, parse
from tests.helpers.peer import Publisher, Watcher
from tests.helpers.served import Served, served

from .changed_sdp import changed
from .offers import good_offer

#: Two extensions that Konsil knows under one number.
SAME_ID = (
    "a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
    "a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time\r\n"
)

#: A receiver that only says what it would take.
RECEIVER = TransportParameters("abcd1234", "a" * 32, (Fingerprint("sha-256", "AB:" * 31 + "AB"),))


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


def with_one_id_twice(sdp: str) -> str:
    return re.sub(r"(a=mid:[01v]\r\n)", rf"\g<1>{SAME_ID}", re.sub(r"a=extmap:\d+ [^\r]*\r\n", "", sdp))


def like_rtcp(sdp: str) -> str:
    """Every payload type becomes one that RTCP would be taken for."""
    for number in sorted(set(re.findall(r"a=rtpmap:(\d+)", sdp))):
        other = 64 + int(number) % 32
        sdp = re.sub(rf"(m=(?:audio|video) [^\r]*) {number}\b", rf"\g<1> {other}", sdp)
        sdp = re.sub(rf"(a=(?:rtpmap|fmtp|rtcp-fb):){number} ", rf"\g<1>{other} ", sdp)
        sdp = sdp.replace(f"apt={number}", f"apt={other}")
    return sdp


async def offer_of(caller: Caller, sections: int) -> Message:
    while len((offer := await caller.notice("offer"))["consumers"]) < sections:
        pass
    return offer


async def answer_to(watcher: Watcher, offer: Message) -> str:
    await watcher.peer.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
    await watcher.peer.setLocalDescription(await watcher.peer.createAnswer())
    return str(watcher.peer.localDescription.sdp)


async def refusal_of(caller: Caller, offer: Message, answer: str) -> str | list[int]:
    """The code with which an answer is refused, or the producers that are."""
    try:
        reply = await caller.request("answer", revision=offer["revision"], sdp=answer)
    except Refused as refused:
        return str(refused.code)
    refused_ones: list[int] = sorted(reply.get("refused", []))
    return refused_ones


async def room_goes_on(surgeon: Caller, chair: Caller, producers: list[int], running: Served) -> None:
    """Everybody's requests are carried out, and the router decides as before."""
    for producer in producers:
        await chair.request("mute", producer=producer, muted=True)
        await surgeon.request("mute", producer=producer, muted=False)
    for caller in (surgeon, chair):
        assert (await caller.request("ping", time=1.0))["type"] == "pong"
    (conductor,) = running.service.rooms.values()
    consumers = conductor.router._plane.statistics().consumers
    for subscriber in conductor.router.subscribers.values():
        assert all(slot.consumer in consumers for slot in subscriber.slots if slot.started)


@pytest.mark.parametrize("spoil", [with_one_id_twice, like_rtcp])
async def test_a_lying_answer_harms_nobody_else(running: Served, spoil: Callable[[str], str]) -> None:
    tokens = running.token("surgeon"), running.token("observer", "Liar"), running.token("chair", "Dr. C")
    async with calling(running.url, *tokens) as (surgeon, liar, chair):
        publisher, watcher = Publisher(surgeon), Watcher(liar)
        try:
            producers = [p["producer"] for p in await publisher.publish("field")]
            offer = await offer_of(liar, 2)
            spoilt = spoil(await answer_to(watcher, offer))
            assert await refusal_of(liar, offer, spoilt) in ("bad_sdp", sorted(producers))
            await room_goes_on(surgeon, chair, producers, running)
        finally:
            await publisher.close()
            await watcher.close()


async def test_answers_changed_at_random_harm_nobody_else(running: Served) -> None:
    tokens = running.token("surgeon"), running.token("observer", "Liar"), running.token("chair", "Dr. C")
    chance = random.Random(3264)
    async with calling(running.url, *tokens) as (surgeon, liar, chair):
        publisher, watcher = Publisher(surgeon), Watcher(liar)
        try:
            producers = [p["producer"] for p in await publisher.publish("field")]
            offer = await offer_of(liar, 2)
            lines = (await answer_to(watcher, offer)).splitlines()
            taken = 0
            for _ in range(150):
                if await refusal_of(liar, offer, changed(lines, chance)) == "bad_sdp":
                    continue
                taken += 1
                await liar.request("rewatch")
                offer = await offer_of(liar, 2)
            assert taken > 20
            await room_goes_on(surgeon, chair, producers, running)
        finally:
            await publisher.close()
            await watcher.close()


async def test_a_lying_player_is_refused_before_there_is_a_picture(running: Served) -> None:
    async with calling(running.url, running.token("surgeon"), running.token("chair")) as (surgeon, chair):
        watcher, publisher = Watcher(surgeon), Publisher(surgeon)
        try:
            watcher.peer.addTransceiver("video", direction="recvonly")
            await watcher.peer.setLocalDescription(await watcher.peer.createOffer())
            headers = {**running.bearer("observer"), "Content-Type": "application/sdp"}
            for spoil in (with_one_id_twice, like_rtcp):
                spoilt = spoil(watcher.peer.localDescription.sdp).encode()
                answered = await running.ask("POST", "/whep/ward", headers, spoilt)
                assert answered.status == 422
            producers = [p["producer"] for p in await publisher.publish("field")]
            await room_goes_on(surgeon, chair, producers, running)
        finally:
            await publisher.close()
            await watcher.close()


async def many_profiles(sections: int, first: int) -> str:
    """An offer of so many pictures, each H.264 of a profile of its own."""
    head, *parts = re.split(r"(?m)^(?=m=)", (await good_offer()).replace("\r\n", "\n"))
    video = next(part for part in parts if part.startswith("m=video"))
    kept = "".join(
        f"{line}\n" for line in video.splitlines() if line.startswith(("a=ice-", "a=fingerprint", "a=setup"))
    )
    pictures = [
        f"m=video 9 UDP/TLS/RTP/SAVPF 102\na=mid:v{n}\na=sendonly\na=rtcp-mux\na=rtpmap:102 H264/90000\n"
        f"a=fmtp:102 packetization-mode=1;profile-level-id=42e0{first + n:02x}\n{kept}"
        f"a=ssrc:{5000 + first + n} cname:x\n"
        for n in range(sections)
    ]
    mids = " ".join(f"v{n}" for n in range(sections))
    head = re.sub(r"a=group:BUNDLE[^\n]*", f"a=group:BUNDLE {mids}", head)
    return (head + "".join(pictures)).replace("\n", "\r\n")


async def test_who_sends_in_many_codecs_takes_no_number_from_the_others(running: Served) -> None:
    tokens = (
        running.token("expert", "Mallory"),
        running.token("expert", "Trudy"),
        running.token("surgeon"),
        running.token("trainee"),
    )
    async with calling(running.url, *tokens) as (mallory, trudy, surgeon, trainee):
        with pytest.raises(Refused, match="at most 16 pictures and sounds"):
            await mallory.request("publish", sdp=await many_profiles(17, 0), sources=[])
        (conductor,) = running.service.rooms.values()
        assert not conductor.room.producers
        for index, caller in enumerate((mallory, trudy)):
            await caller.request("publish", sdp=await many_profiles(16, 16 * index), sources=[])
        publisher = Publisher(surgeon)
        try:
            field = [p["producer"] for p in await publisher.publish("field")]
            offered: set[int] = set()
            while not set(field) <= offered:
                offer = await trainee.notice("offer")
                offered = {consumer["producer"] for consumer in offer["consumers"]}
                answer, _ = answer_subscriber(parse(offer["sdp"]), RECEIVER)
                reply = await trainee.request("answer", revision=offer["revision"], sdp=str(answer))
            # what no number was left for is said, like a codec that the browser does not take
            beyond = {entry.producer for entry in conductor.room.producers} - offered
            assert beyond
            assert beyond <= set(reply["refused"])
            assert not set(field) & set(reply.get("refused", []))
            # a reply may be lost with a connection: the answer that is given again is answered alike
            again = await trainee.request("answer", revision=offer["revision"], sdp=str(answer))
            assert again["refused"] == reply["refused"]
        finally:
            await publisher.close()
