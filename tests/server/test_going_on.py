"""Who publishes anew over another connection goes on as the same picture: for viewers, marks and the recording."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from loadtests.caller import Caller, Message, Refused, calling
from server.conductor import Conductor
from server.config import RoomsConfig
from server.publisher.command import _until_stopped
from server.publisher.session import Wishes
from signalling.room import State
from tests.helpers.clips import write_clip
from tests.helpers.peer import Publisher, Watcher
from tests.helpers.recorded import prepared
from tests.helpers.served import Served, served
from tests.helpers.udp_peers import until

from .offers import good_offer

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


def room_of(server: Served) -> Conductor:
    (conductor,) = server.service.rooms.values()
    return conductor


async def changed(caller: Caller, producer: int, **fields: Any) -> Message:
    """Wait for a notice by which a producer is so; returns its description."""
    while True:
        told: Message = (await caller.notice("producer"))["producer"]
        if told["producer"] == producer and all(told[name] == value for name, value in fields.items()):
            return told


async def test_a_page_that_publishes_anew_goes_on_with_picture_marks_and_recording(running: Served) -> None:
    tokens = running.token("surgeon", "Dr. S"), running.token("expert", "Dr. E")
    async with calling(running.url, *tokens) as (surgeon, expert):
        publisher, again, watcher = Publisher(surgeon), Publisher(surgeon), Watcher(expert)
        try:
            before = await publisher.publish("field")
            field = before[0]["producer"]
            await watcher.serve_offers(until=2)
            frames = await asyncio.wait_for(watcher.frames("video", 5), 30)
            clock = await expert.notice("clock")
            mark = {
                "mark": "m-1",
                "shape": "text",
                "anchor": {"producer": field, "rtp_timestamp": clock["rtp_timestamp"]},
                "points": [[0.5, 0.5]],
                "width": 0.004,
                "text": "here",
            }
            await expert.request("mark", operation={"kind": "add", "mark": mark})
            plane = running.service.plane

            def key_frames() -> int:
                return plane.producer_statistics(field).encodings[0].key_frames

            await surgeon.request("record", action="start")
            recording = str((await surgeon.notice("recording"))["recording"]["recording"])
            # one that came before the recording was begun is none of its own
            seen = key_frames()
            # the recording has begun with a picture
            await until(lambda: key_frames() > seen, 30)
            frames += await asyncio.wait_for(watcher.frames("video", 10), 30)
            heard: list[Message] = []
            expert.on_notice = heard.append

            # the old connection is not closed: it is as if its network had gone
            assert await again.publish("field") == before
            await until(lambda: any(m["type"] == "producer" and m["producer"]["since"] for m in heard))
            frames += await asyncio.wait_for(watcher.frames("video", 15), 30)
            await until(lambda: any(m["type"] == "clock" for m in heard))

            # nothing was offered anew, nothing ended, and the timeline went on
            assert {"offer", "producer_removed"}.isdisjoint(m["type"] for m in heard)
            (since,) = {m["producer"]["since"] for m in heard if m["type"] == "producer"} - {None}
            later = next(m for m in reversed(heard) if m["type"] == "clock")
            for old, new in pairwise((clock["rtp_timestamp"], since, later["rtp_timestamp"])):
                assert 0 < (new - old) % (1 << 32) < 90_000 * 60
            assert all(b.pts > a.pts for a, b in pairwise(frames))

            # who comes late finds the mark on the picture that there is
            async with Caller(running.url, running.token("trainee")) as late:
                operations = late.welcome["marks"]["operations"]
                (entry,) = [one for one in operations if one["operation"]["kind"] == "add"]
                anchor = entry["operation"]["mark"]["anchor"]
                shown = {p["producer"]: p for p in late.welcome["producers"]}
                assert anchor["producer"] == field
                assert (shown[field]["interrupted"], shown[field]["since"]) == (False, since)

            await surgeon.request("record", action="stop")
            bearer = running.bearer("trainee")
            line = await prepared(running.url, bearer, recording)
            assert line["cameras"] == 1
            description = (await running.ask("GET", f"/api/recordings/{recording}", bearer)).json()
            assert description["problems"] == []
            (camera,) = description["cameras"]
            assert camera["producer"] == field
            resumed = [event for event in description["events"] if event["kind"] == "producer_resumed"]
            assert {event["producer"] for event in resumed} == {producer["producer"] for producer in before}
            # frames of both connections are in the one file
            (moment,) = (event["at"] for event in resumed if event["producer"] == field)
            assert camera["offset"] < moment < camera["offset"] + camera["seconds"]
            assert any(gap["producer"] == field for gap in description["gaps"])
        finally:
            for peer in (publisher, again, watcher):
                await peer.close()


async def test_another_label_is_another_picture(running: Served) -> None:
    async with Caller(running.url, running.token("surgeon")) as surgeon:
        publisher, again = Publisher(surgeon), Publisher(surgeon)
        try:
            before = await publisher.publish("field")
            after = await again.publish("camera")
            assert after[0]["producer"] != before[0]["producer"]
            # the sound is the same microphone's
            assert after[1]["producer"] == before[1]["producer"]
            assert {p.producer for p in room_of(running).room.producers} == {p["producer"] for p in after}
        finally:
            await publisher.close()
            await again.close()


async def test_what_nobody_goes_on_with_ends_after_its_time(tmp_path: Path) -> None:
    async with (
        served(tmp_path, rooms=RoomsConfig(resume_seconds=1)) as server,
        calling(server.url, server.token("expert"), server.token("trainee", "B")) as (expert, trainee),
    ):
        publisher = Publisher(expert)
        producers = [p["producer"] for p in await publisher.publish()]
        await until(lambda: publisher.peer.connectionState == "connected")
        await publisher.close()
        for producer in producers:
            assert (await changed(trainee, producer, interrupted=True))["since"] is None
        assert {(await trainee.notice("producer_removed"))["producer"] for _ in producers} == set(producers)
        assert len(room_of(server).room.participants) == 2
        assert room_of(server).router.producers == {}


async def test_an_encoder_names_the_session_that_broke(running: Served) -> None:
    async with Caller(running.url, running.token("trainee")) as trainee:
        headers = running.bearer("surgeon") | {"Content-Type": "application/sdp"}
        offer = (await good_offer()).encode()
        first = await running.ask("POST", "/whip/ward", headers, offer)
        producer = (await trainee.notice("producer"))["producer"]["producer"]
        sender = room_of(running).room.producer(producer).participant

        # one that is still there, and says nothing of a former one: somebody else's
        other = await running.ask("POST", "/whip/ward", headers, offer)
        assert other.status == 201
        assert len(room_of(running).room.participants) == 3
        await running.ask("DELETE", other.headers["location"], running.bearer("surgeon"))

        former = {"Konsil-Former": first.headers["location"]}
        again = await running.ask("POST", "/whip/ward", headers | former, (await good_offer()).encode())
        assert again.status == 201
        told = await changed(trainee, producer, interrupted=False)
        assert told["participant"] == sender
        assert len(room_of(running).room.participants) == 2
        # there is one session: the new one
        bearer = running.bearer("surgeon")
        assert (await running.ask("GET", first.headers["location"], bearer)).status == 404
        assert (await running.ask("GET", again.headers["location"], bearer)).status == 204
        # a stranger's guess, or another's link, opens nothing
        guess = {"Konsil-Former": "/whip/ward/guess"}
        foreign = running.bearer("chair") | {"Content-Type": "application/sdp", **former}
        assert (await running.ask("POST", "/whip/ward", headers | guess, offer)).status == 201
        assert (await running.ask("POST", "/whip/ward?source=camera", foreign, offer)).status == 201
        assert len(room_of(running).room.participants) == 4


async def test_a_bad_offer_of_an_encoder_that_comes_back_costs_it_nothing(running: Served) -> None:
    async with Caller(running.url, running.token("trainee")) as trainee:
        headers = running.bearer("surgeon") | {"Content-Type": "application/sdp"}
        first = await running.ask("POST", "/whip/ward", headers, (await good_offer()).encode())
        producer = (await trainee.notice("producer"))["producer"]["producer"]
        member = next(m for m in room_of(running).members.values() if m.only_sends)
        former = headers | {"Konsil-Former": first.headers["location"]}
        bad = (await good_offer()).replace("a=fingerprint", "a=nothing").encode()
        unknown = re.sub("VP8|H264|VP9|AV1|H265", "H261", await good_offer()).encode()

        # while its connection stands
        standing = member.publication.transport
        assert (await running.ask("POST", "/whip/ward", former, bad)).status == 422
        assert member.publication.transport is standing
        assert not room_of(running).room.producer(producer).interrupted

        # and after it broke; the second is refused only when it has taken the former's place
        room_of(running).publishing.failed(member)
        for offer in (bad, unknown):
            assert (await running.ask("POST", "/whip/ward", former, offer)).status == 422
            waits = room_of(running).room.participant(member.identifier)
            assert waits is not None
            assert waits.state is State.AWAY
            assert room_of(running).room.producer(producer).interrupted
        good = await running.ask("POST", "/whip/ward", former, (await good_offer()).encode())
        assert good.status == 201
        assert not room_of(running).room.producer(producer).interrupted


async def test_a_page_that_goes_on_with_a_connection_that_ended_here_is_told_to_make_a_new_one(
    running: Served,
) -> None:
    async with Caller(running.url, running.token("expert")) as expert:
        slept, awake = Publisher(expert), Publisher(expert)
        try:
            before = await slept.publish()
            [member] = room_of(running).members.values()
            assert member.publication.transport is not None
            member.publication.transport.close()
            await changed(expert, before[0]["producer"], interrupted=True)
            with pytest.raises(Refused) as refused:
                await slept.publish(tracks=False)
            assert refused.value.code == "connection_gone"
            assert room_of(running).room.producer(before[0]["producer"]).interrupted
            assert {p["producer"] for p in await awake.publish()} == {p["producer"] for p in before}
        finally:
            await slept.close()
            await awake.close()


async def test_an_encoder_that_was_killed_comes_back_as_itself(
    running: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FFmpeg's muxer knows nothing of us: it is known by its link, its source and its label, once it is not heard."""
    # after a pause aiortc's guess of its line is a few kbit/s, and it is then sent no more than that
    monkeypatch.setattr("aiortc.rate.RemoteBitrateEstimator.add", lambda *_, **__: None)
    token = running.token("surgeon", "Endoscope")
    command = (sys.executable, "-m", "tests.helpers.whip_encoder", f"{running.url}/whip/ward", str(tmp_path))

    async def start() -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        assert process.stdin is not None
        process.stdin.write(f"{token}\n".encode())
        return process

    async with Caller(running.url, running.token("trainee")) as trainee:
        watcher = Watcher(trainee)
        encoder = await start()
        try:
            await until(lambda: room_of(running).room.producers, 60)
            (before,) = room_of(running).room.producers
            await watcher.serve_offers(until=1)
            first = await asyncio.wait_for(watcher.frames("video", 5), 30)
            encoder.kill()
            await encoder.wait()
            room = room_of(running).room
            await until(lambda: any(p.silent for p in room.participants), 30)
            encoder = await start()
            await until(lambda: room.producer(before.producer).since is not None, 60)
            second = await asyncio.wait_for(watcher.frames("video", 5), 30)
            assert second[-1].pts > first[-1].pts
            (after,) = room_of(running).room.producers
            assert (after.producer, after.participant) == (before.producer, before.participant)
        finally:
            if encoder.returncode is None:
                encoder.kill()
            await encoder.wait()
            await watcher.close()


async def test_our_own_publisher_takes_its_place_again(
    running: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    wishes = Wishes("ward", "field", "Microscope")
    token = running.token("surgeon", "Microscope")
    async with Caller(running.url, running.token("trainee")) as trainee:
        watcher = Watcher(trainee)
        publishing = asyncio.create_task(_until_stopped(str(clip), True, running.url, token, wishes))
        try:
            await watcher.serve_offers(until=1)
            first = await asyncio.wait_for(watcher.frames("video", 3), 30)
            conductor = room_of(running)
            (before,) = conductor.room.producers
            # the connection dies, as far as both ends can tell
            conductor.publishing.failed(conductor.members[before.participant])
            assert (await changed(trainee, before.producer, interrupted=True))["since"] is None
            await changed(trainee, before.producer, interrupted=False)
            second = await asyncio.wait_for(watcher.frames("video", 3), 30)
            assert second[-1].pts > first[-1].pts
            (after,) = conductor.room.producers
            assert (after.producer, after.participant) == (before.producer, before.participant)
            publishing.cancel()
            assert await publishing == 0
            assert (await trainee.notice("producer_removed"))["producer"] == before.producer
            assert "Trying again" in capsys.readouterr().err
        finally:
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)
            await watcher.close()


async def test_an_offer_that_is_put_again_since_its_answer_was_lost_changes_nothing(running: Served) -> None:
    async with calling(running.url, running.token("surgeon", "Dr. S")) as (surgeon,):
        offer, sources = await good_offer(), [{"mid": "0", "source": "field", "label": ""}]
        first = await surgeon.request("publish", sdp=offer, sources=sources)
        transport = room_of(running).router.producers[first["producers"][0]["producer"]].transport
        again = await surgeon.request("publish", sdp=offer, sources=sources)
        assert (again["sdp"], again["producers"]) == (first["sdp"], first["producers"])
        producers = room_of(running).router.producers
        assert {producers[p["producer"]].transport for p in again["producers"]} == {transport}
