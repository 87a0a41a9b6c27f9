"""Sixteen people come in at once: each is offered everybody, in few offers, and no packet's way grows longer by it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from loadtests.caller import Caller, Message
from media.ids import Mid, Ssrc
from media.plane import Address, Codec, EventKind, PlaneEvent
from media.sdp import (
    Fingerprint,
    PublishedTrack,
    Setup,
    TransportParameters,
    answer_subscriber,
    offer_publisher,
    parse,
)
from server.connections import OFFER_INTERVAL
from tests.helpers.served import Served, served

PEOPLE = 16
TRACKS = 2  # a camera and a voice each
H264 = "packetization-mode=1;profile-level-id=42e01f"


@dataclass
class Person:
    """Somebody whose signalling is real and whose media connections never come about."""

    number: int
    caller: Caller
    offers: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)
    times: list[float] = field(default_factory=list)
    watched: int = 0

    def parameters(self, kind: str) -> TransportParameters:
        """Describe a connection of its own."""
        return TransportParameters(
            ufrag=f"{kind}{self.number:03}",
            pwd="p" * 24,
            fingerprints=(Fingerprint("sha-256", ":".join(["AB"] * 32)),),
            candidates=(),
            setup=Setup.ACTPASS,
        )

    def hear(self, message: Message) -> None:
        """Note when offers come."""
        if message["type"] == "offer":
            self.times.append(asyncio.get_running_loop().time())
            self.offers.put_nowait(message)

    async def publish(self) -> None:
        """Send a camera and a voice."""
        first = 1000 + 10 * self.number
        name = f"s{self.number}"
        tracks = [
            PublishedTrack(Mid("0"), "video", Codec.H264, H264, 102, Ssrc(first), name, name, "camera"),
            PublishedTrack(Mid("1"), "audio", Codec.OPUS, "", 111, Ssrc(first + 1), name, name, "voice"),
        ]
        sources = [
            {"mid": "0", "source": "camera", "label": "camera"},
            {"mid": "1", "source": "microphone", "label": "voice"},
        ]
        offer = offer_publisher(tracks, self.parameters("pub"))
        await self.caller.request("publish", sdp=str(offer), sources=sources)

    async def watch(self, until: int) -> None:
        """Answer offers until one has so many streams."""
        while self.watched < until:
            message = await self.offers.get()
            answer, _ = answer_subscriber(parse(message["sdp"]), self.parameters("sub"))
            self.watched = len(message["consumers"])
            await self.caller.request("answer", revision=message["revision"], sdp=str(answer))


async def come_in(server: Served, number: int) -> Person:
    """Join with a name of one's own."""
    person = Person(number, Caller(server.url, server.token("expert", f"Dr. {number}")))
    person.caller.on_notice = person.hear
    await person.caller.join()
    return person


async def test_sixteen_who_come_at_once_are_each_offered_everybody_in_few_offers(tmp_path: Path) -> None:
    clock = asyncio.get_running_loop().time
    async with served(tmp_path) as server:
        people = [await come_in(server, number) for number in range(PEOPLE)]
        try:
            began = clock()
            async with asyncio.timeout(60):
                watching = [asyncio.create_task(p.watch(TRACKS * (PEOPLE - 1))) for p in people]
                await asyncio.gather(*(person.publish() for person in people))
                await asyncio.gather(*watching)
            lasted = clock() - began
            offers = [len(person.times) for person in people]
            # one at once, the next with all who came meanwhile; however slow the machine is
            assert max(offers) <= 2 + lasted / OFFER_INTERVAL
            # one for each change of the room would be 15 for each
            assert sum(offers) <= PEOPLE * (PEOPLE - 1) / 2
        finally:
            for person in people:
                await person.caller.close()


async def test_an_event_costs_the_same_however_many_are_there(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        people = [await come_in(server, number) for number in range(PEOPLE)]
        try:
            async with asyncio.timeout(60):
                for person in people:
                    await person.publish()
            endpoint = server.service.endpoint
            transports = list(endpoint._transports.values())
            assert len(transports) == 2 * PEOPLE
            asked: Counter[int] = Counter()
            for transport in transports:
                get_timer = transport.get_timer

                def counted(
                    number: int = transport.id, ask: Callable[[], float | None] = get_timer
                ) -> float | None:
                    asked[number] += 1
                    return ask()

                transport.get_timer = counted  # type: ignore[method-assign]
            address = Address("127.0.0.1", 9)
            for _ in range(50):
                endpoint._dispatch(PlaneEvent(EventKind.RTCP, transports[0].id, address, 0, 0, b"\x80\xc9"))
            assert set(asked) <= {transports[0].id}
            assert len(endpoint._wakings) <= 2 * len(transports)
        finally:
            for person in people:
                await person.caller.close()
