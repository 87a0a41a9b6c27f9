"""Manners over the wire: the door, mute, removal, permissions, hands, and the room's data channels."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiortc.mediastreams import AudioStreamTrack

from loadtests.caller import Caller, Refused, calling
from media.ids import ProducerId
from server.config import RoomsConfig
from tests.helpers.peer import Publisher, Watcher
from tests.helpers.served import served
from tests.helpers.udp_peers import until

GUARDED = RoomsConfig(waiting_room=True)


async def test_who_waits_sees_it_and_is_let_in_by_the_chair(tmp_path: Path) -> None:
    async with served(tmp_path, rooms=GUARDED) as server, Caller(server.url, server.token("chair")) as chair:
        expert = Caller(server.url, server.token("expert", "Dr. Li"))
        entering = asyncio.create_task(expert.join())
        try:
            place = await chair.notice("door", locked=False)
            while not place["waiting"]:
                place = await chair.notice("door", locked=False)
            (waiting,) = place["waiting"]
            assert (waiting["name"], waiting["role"]) == ("Dr. Li", "expert")
            told = await expert.notice("waiting_room")
            assert told["place"] == 1
            assert len(server.service.rooms["ward"].members) == 1
            await chair.request("admit", waiting=waiting["waiting"], admitted=True)
            assert (await entering)["participants"]
            await expert.request("hand", raised=True)
            assert (await chair.notice("door"))["waiting"] == []
        finally:
            await expert.close()


async def test_who_waits_knows_whether_anybody_is_there_who_may_let_in(tmp_path: Path) -> None:
    async with served(tmp_path, rooms=GUARDED) as server:
        expert = Caller(server.url, server.token("expert"))
        entering = asyncio.create_task(expert.join())
        try:
            assert (await expert.notice("waiting_room"))["attended"] is False
            async with Caller(server.url, server.token("chair")):
                await expert.notice("waiting_room", attended=True)
            await expert.notice("waiting_room", attended=False)
        finally:
            await expert.close()
        with pytest.raises(Refused):
            await entering


async def test_who_is_refused_is_told_why_and_a_locked_door_takes_nobody(tmp_path: Path) -> None:
    async with (
        served(tmp_path, rooms=GUARDED) as server,
        Caller(server.url, server.token("surgeon")) as surgeon,
    ):
        trainee = Caller(server.url, server.token("trainee"))
        entering = asyncio.create_task(trainee.join())
        told = await trainee.notice("waiting_room")
        await surgeon.request("admit", waiting=told["waiting"], admitted=False, reason="Not today.")
        with pytest.raises(Refused) as refused:
            await entering
        assert refused.value.code == "refused"
        assert trainee.closed is not None
        assert trainee.closed["reason"] == trainee.closed["message"] == "Not today."
        await surgeon.request("lock", locked=True)
        with pytest.raises(Refused) as refused:
            await Caller(server.url, server.token("expert")).join()
        assert refused.value.code == "room_locked"
        async with Caller(server.url, server.token("chair")) as chair:
            assert (await chair.notice("door"))["locked"] is True


async def test_who_goes_away_from_the_door_waits_no_more_and_an_empty_room_is_forgotten(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, rooms=GUARDED) as server:
        expert = Caller(server.url, server.token("expert"))
        entering = asyncio.create_task(expert.join())
        await expert.notice("waiting_room")
        assert "ward" in server.service.rooms
        async with Caller(server.url, server.token("chair")) as chair:
            await chair.notice("door")
            expert.abort()
            async with asyncio.timeout(20):
                while (await chair.notice("door"))["waiting"]:
                    pass
        with pytest.raises(Refused):
            await entering
        await until(lambda: not server.service.rooms, 20)


async def test_who_is_removed_does_not_come_back_by_its_link(tmp_path: Path) -> None:
    async with served(tmp_path) as server, Caller(server.url, server.token("surgeon")) as surgeon:
        token = server.token("expert")
        expert = Caller(server.url, token)
        await expert.join()
        await surgeon.request("remove", participant=expert.identifier, reason="Not your patient.")
        assert (await surgeon.notice("participant_left"))["reason"] == "removed"
        closed = await expert.notice("closed")
        assert closed["reason"] == "Not your patient."
        with pytest.raises(Refused) as refused:
            await Caller(server.url, token).join()
        assert refused.value.code == "removed"
        answer = await server.ask(
            "POST",
            "/whip/ward",
            {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"},
            b"v=0",
        )
        assert answer.status >= 400
        await expert.close()


async def test_what_the_chair_mutes_is_passed_on_to_nobody_until_its_owner_unmutes(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as server,
        calling(server.url, server.token("expert"), server.token("chair")) as (expert, chair),
    ):
        watcher, publisher = Watcher(chair), Publisher(expert)
        try:
            producers = await publisher.publish()
            await watcher.serve_offers(until=2)
            await asyncio.wait_for(watcher.frames("audio", 3), 20)
            sound = next(
                ProducerId(p.producer)
                for p in server.service.rooms["ward"].room.producers
                if p.kind == "audio"
            )
            assert sound in {p["producer"] for p in producers}
            plane = server.service.plane

            def sent() -> int:
                return sum(s.packets for s in plane.statistics().consumers.values())

            async def arrived(packets: int) -> None:
                before = plane.producer_statistics(sound).packets
                await until(lambda: plane.producer_statistics(sound).packets >= before + packets, 20)

            for producer in producers:
                await chair.request("mute", producer=producer["producer"], muted=True)
            with pytest.raises(Refused):
                await chair.request("mute", producer=sound, muted=False)
            await arrived(5)  # the command is through, what was under way has left
            before = sent()
            await arrived(20)
            assert sent() == before
            await expert.request("mute", producer=sound, muted=False)
            await until(lambda: sent() >= before + 5, 20)
        finally:
            await publisher.close()
            await watcher.close()


async def test_what_a_participant_may_not_send_ends_and_is_refused(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as server,
        calling(server.url, server.token("expert"), server.token("chair")) as (expert, chair),
    ):
        publisher = Publisher(expert)
        try:
            video, audio = sorted(p["producer"] for p in await publisher.publish())
            await chair.request("permit", participant=expert.identifier, sources=["microphone"])
            gone = (await chair.notice("producer_removed"))["producer"]
            left = server.service.rooms["ward"].room.producers
            assert [p.source for p in left] == ["microphone"]
            assert gone in (video, audio)
            with pytest.raises(Refused) as refused:
                await publisher.publish(tracks=False)
            assert refused.value.code == "not_permitted"
            with pytest.raises(Refused):
                await expert.request("permit", participant=expert.identifier, sources=None)
            # who gives the source up may go on with the others over the same connection
            for transceiver in publisher.peer.getTransceivers():
                if transceiver.kind == "video":
                    transceiver.direction = "inactive"
            assert len(await publisher.publish(tracks=False)) == 1
            assert [p.source for p in server.service.rooms["ward"].room.producers] == ["microphone"]
        finally:
            await publisher.close()


async def test_a_trainee_who_was_permitted_to_speak_is_heard_until_it_is_taken_back(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as server,
        calling(server.url, server.token("trainee"), server.token("chair")) as (trainee, chair),
    ):
        publisher = Publisher(trainee)
        publisher.peer.addTrack(AudioStreamTrack())
        try:
            with pytest.raises(Refused):
                await publisher.publish(tracks=False)
            await chair.request("permit", participant=trainee.identifier, sources=["microphone"])
            (sound,) = await publisher.publish(tracks=False)
            assert (await chair.notice("producer"))["producer"]["producer"] == sound["producer"]
            await chair.request("permit", participant=trainee.identifier, sources=None)
            await chair.notice("producer_removed", producer=sound["producer"])
        finally:
            await publisher.close()


async def test_a_picture_for_some_is_offered_to_them_alone(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as server,
        calling(server.url, server.token("expert"), server.token("observer"), server.token("chair")) as (
            expert,
            observer,
            chair,
        ),
    ):
        publisher, watcher = Publisher(expert), Watcher(observer)
        try:
            await publisher.publish()
            await watcher.serve_offers(until=2)
            picture = next(p for p in server.service.rooms["ward"].room.producers if p.kind == "video")
            await chair.request("restrict", producer=picture.producer, roles=["chair"], participants=[])
            offer = await observer.notice("offer")
            assert picture.producer not in {c["producer"] for c in offer["consumers"]}
            mark = {
                "mark": "m-1",
                "shape": "arrow",
                "points": [[0.1, 0.1], [0.2, 0.2]],
                "width": 0.004,
                "text": "",
                "anchor": {"producer": picture.producer, "rtp_timestamp": 5},
            }
            async with Caller(server.url, server.token("expert")) as other:
                with pytest.raises(Refused) as refused:
                    await other.request("mark", operation={"kind": "add", "mark": mark})
            assert refused.value.code == "not_permitted"
        finally:
            await publisher.close()
            await watcher.close()


async def test_messages_on_a_data_channel_reach_who_has_opened_one_of_the_same_label(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as server,
        calling(server.url, server.token("expert"), server.token("chair"), server.token("trainee")) as (
            expert,
            chair,
            trainee,
        ),
    ):
        publisher = Publisher(expert)
        watchers = [Watcher(caller) for caller in (expert, chair, trainee)]
        channels = [watcher.peer.createDataChannel("room.notes") for watcher in watchers]
        heard: list[asyncio.Queue[str | bytes]] = [asyncio.Queue() for _ in channels]
        for channel, queue in zip(channels, heard, strict=True):
            channel.on("message", queue.put_nowait)
        try:
            await publisher.publish()
            await asyncio.gather(watchers[1].serve_offers(until=2), watchers[2].serve_offers(until=2))
            await until(lambda: all(channel.readyState == "open" for channel in channels[1:]), 20)
            members = server.service.rooms["ward"].members.values()

            def opened() -> int:
                return sum(
                    bool(m.watching and m.watching.transport.channel_open("room.notes")) for m in members
                )

            await until(lambda: opened() == 2, 20)
            # a learner may not
            channels[2].send("not from me")
            channels[1].send("too long " * 4000)
            channels[1].send("Bitte um Ruhe")
            text = await asyncio.wait_for(heard[2].get(), 20)
            assert json.loads(text) == {"author": chair.identifier, "text": "Bitte um Ruhe"}
            channels[1].send(b"\x01\x02")
            data = await asyncio.wait_for(heard[2].get(), 20)
            assert isinstance(data, bytes)
            assert data == bytes([len(chair.identifier)]) + chair.identifier.encode() + b"\x01\x02"
            assert heard[1].empty()
        finally:
            await publisher.close()
            for watcher in watchers:
                await watcher.close()
