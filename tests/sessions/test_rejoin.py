"""A path that does not heal: media connections are built anew, the person stays who it was."""

from __future__ import annotations

from pathlib import Path

from loadtests.caller import Caller, calling
from tests.helpers.peer import Publisher
from tests.helpers.served import served
from tests.helpers.watching_client import WatchingClient

from .test_ice_restart import watching


async def test_a_receiving_connection_is_built_anew_and_everything_else_stays(tmp_path: Path) -> None:
    async with watching(tmp_path) as (server, client):
        me = client.caller.identifier
        second = WatchingClient(client.caller)
        try:
            await client.caller.request("rewatch")
            offer = await second.answer(consumers=2)
            assert offer["connection"] == client.offer["connection"] + 1
            await second.receive(30)
            participants = server.service.rooms["ward"].room.participants
            assert me in {participant.participant for participant in participants}
        finally:
            await second.close()


async def test_a_dead_connection_that_asks_for_a_restart_gets_a_new_one(tmp_path: Path) -> None:
    async with watching(tmp_path) as (_, client):
        connection = client.offer["connection"]
        second = WatchingClient(client.caller)
        try:
            # it says goodbye, so the server's transport has ended when the restart is asked for
            await client.endpoint.close()
            offer = client.offer
            while offer["connection"] == connection:
                await client.caller.request("restart_ice")
                offer = await client.caller.notice("offer")
            client.caller._seen.insert(0, offer)
            await second.answer(consumers=2)
            await second.receive(30)
        finally:
            await second.close()


async def test_a_second_socket_takes_over_without_anybody_noticing(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as server,
        calling(server.url, server.token("chair"), server.token("expert", "Dr. E")) as (chair, expert),
    ):
        publisher = Publisher(expert)
        try:
            producers = await publisher.publish()
            changes: list[str] = []
            chair.on_notice = lambda message: changes.append(message["type"])
            again = Caller(server.url, expert.token)
            welcome = await again.join(session=expert.welcome["session"])
            assert welcome["self"] == expert.identifier
            assert {p["producer"] for p in welcome["producers"]} == {p["producer"] for p in producers}
            await chair.request("ping", time=1.0)
            assert not {"participant", "participant_left", "producer_removed"} & set(changes)
            await again.close()
        finally:
            await publisher.close()
