"""Presenting over the wire: all follow, late comers too; two at once are refused; who goes is released."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadtests.caller import Caller, Message, Refused
from recorder.journal import RecordType, decode_json
from recorder.reader import JournalReader
from recorder.seal import keys
from signalling.messages import parse_message
from signalling.permissions import Role
from signalling.presenter_messages import Present, Viewport
from tests.helpers.dicom_files import made
from tests.helpers.dicom_files import written as as_file
from tests.helpers.served import Served, served
from tests.helpers.udp_peers import until
from tests.signalling.test_presenter import PANE, STATE

#: What the issue asks for, ms; the sockets are the loopback's.
GOAL_P95 = 100.0


def seen(n: int, **pane: Any) -> Message:
    return {"type": "viewport", "n": n, "sent": time.time() * 1000, "state": STATE | {"panes": [PANE | pane]}}


async def test_all_follow_one_presenter(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as server,
        Caller(server.url, server.token("expert", "Dr. Li")) as first,
        Caller(server.url, server.token("expert", "Dr. Santos")) as second,
        Caller(server.url, server.token("trainee")) as trainee,
    ):
        await first.request("present", action="start")
        me = first.welcome["self"]
        for caller in (first, second, trainee):
            await caller.notice("presenter", participant=me)
        with pytest.raises(Refused) as refused:
            await second.request("present", action="start")
        assert refused.value.code == "already_presenting"

        await first.send(seen(1, zoom=3))
        for caller in (second, trainee):
            told = await caller.notice("viewport")
            assert (told["author"], told["n"], told["state"]["panes"][0]["zoom"]) == (me, 1, 3)

        # who comes late stands before the same image
        async with Caller(server.url, server.token("observer")) as late:
            presenting = late.welcome["presenter"]
            assert (presenting["participant"], presenting["viewport"]["n"]) == (me, 1)

        # who is not the presenter shows nothing, and is not told so
        await second.send(seen(9, zoom=9))
        await second.request("present", action="ask")
        await first.notice("presenter", asking=[second.welcome["self"]])
        assert server.service.rooms["ward"].presenting.presenter.viewport is not None
        assert server.service.rooms["ward"].presenting.presenter.viewport.n == 1
        await first.request("present", action="give", to=second.welcome["self"])
        await trainee.notice("presenter", participant=second.welcome["self"])

        # gone is released
        await second.close()
        await trainee.notice("presenter", participant=None)


async def test_the_views_come_in_time(tmp_path: Path) -> None:
    """Sixty views a second to 15 others: the age on arrival, by one machine's clock."""
    ages: list[float] = []
    heard = 0
    newest: dict[int, int] = {}

    def listening(number: int) -> Callable[[Message], None]:
        def listen(message: Message) -> None:
            nonlocal heard
            if message["type"] == "viewport":
                heard += 1
                newest[number] = message["n"]
                ages.append(time.time() * 1000 - message["sent"])

        return listen

    async with served(tmp_path) as server, Caller(server.url, server.token("surgeon")) as presenter:
        others = [Caller(server.url, server.token("expert", f"Dr. {n}"), listening(n)) for n in range(15)]
        try:
            for other in others:
                await other.join()
            await presenter.request("present", action="start")
            for n in range(1, 61):
                await presenter.send(seen(n, slice=n))
                await asyncio.sleep(1 / 60)
            # views may be left out, the last one never: all end before the same image
            await until(lambda: newest == dict.fromkeys(range(15), 60))
            p50, p95 = np.percentile(ages, [50, 95])
            print(
                f"viewport: {heard} of {15 * 60} heard, p50 {p50:.1f} ms, p95 {p95:.1f} ms, goal {GOAL_P95:.0f} ms"
            )
        finally:
            for other in others:
                await other.close()


async def test_asking_takes_no_view_away_that_waits_for_a_slow_socket(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as server,
        Caller(server.url, server.token("expert", "Dr. Li")) as first,
        Caller(server.url, server.token("expert", "Dr. Santos")) as second,
    ):
        await first.request("present", action="start")
        await second.notice("presenter", participant=first.welcome["self"])
        member = server.service.rooms["ward"].members[second.welcome["self"]]
        presenting = server.service.rooms["ward"].presenting
        sending = server.service.rooms["ward"].members[first.welcome["self"]]
        # all within one turn of the loop: the socket has taken nothing yet
        told = parse_message(json.dumps(seen(1, zoom=3)))
        asked = parse_message(json.dumps({"type": "present", "id": 1, "action": "ask"}))
        assert isinstance(told, Viewport)
        assert isinstance(asked, Present)
        presenting.show(sending, told)
        presenting.carry_out(member, asked)
        assert (await second.notice("viewport"))["n"] == 1


async def test_it_is_written_down(tmp_path: Path) -> None:
    async with served(tmp_path) as server, Caller(server.url, server.token("surgeon")) as surgeon:
        await surgeon.request("present", action="start")
        await surgeon.send(seen(1, zoom=2))
        await surgeon.request("record", action="start")
        for n in range(2, 40):
            await surgeon.send(seen(n, zoom=n))
        await until(partial(at_rest, server, 39))
        await surgeon.request("record", action="stop")
        events = await asyncio.to_thread(written, tmp_path)
    zooms = [event["state"]["panes"][0]["zoom"] for event in events if event["kind"] == "viewport"]
    # what was there as it began, not each step, and where it came to rest
    assert (zooms[0], zooms[-1]) == (2, 39)
    assert len(zooms) < 20
    assert {"kind": "presenter", "participant": surgeon.welcome["self"]} in events


async def test_a_recording_says_what_was_shown_should_it_be_gone_one_day(tmp_path: Path) -> None:
    async with served(tmp_path) as server, Caller(server.url, server.token("surgeon")) as surgeon:
        for number in (1, 2):
            ct = made(InstanceNumber=number, SeriesNumber=4, SeriesDescription="Gerda, venous")
            answer = await server.ask("POST", "/dicom/upload", server.bearer("surgeon"), as_file(ct))
            (taken,) = answer.json()["files"]
        there = {"study": taken["StudyInstanceUID"], "series": taken["SeriesInstanceUID"]}
        await surgeon.request("present", action="start")
        await surgeon.request("record", action="start")
        recording = (await surgeon.notice("recording"))["recording"]["recording"]
        for n in range(1, 5):
            # nobody has the second one
            await surgeon.send(seen(n, zoom=n, **(there if n % 2 else {"series": "2.25.99"})))
            await until(partial(at_rest, server, n))
        await surgeon.request("record", action="stop")
        events = await asyncio.to_thread(written, tmp_path)
        named = [event for event in events if event["kind"] == "images_shown"]
        me = surgeon.welcome["self"]
        said = {"participant": me, "series": there["series"], "modality": "CT", "number": 4, "images": 2}
        assert named == [{"kind": "images_shown", **said}]
        assert "Gerda" not in json.dumps(events)

        # what is still there is told to each as he may know the patient; of another room's recording nothing
        path = f"/api/study/{recording}/images"
        told: tuple[tuple[Role, str], ...] = (("surgeon", "Gerda, venous"), ("trainee", ""))
        for role, description in told:
            (study,) = (await server.ask("GET", path, server.bearer(role))).json()["studies"]
            (series,) = study["series"]
            assert (series["SeriesInstanceUID"], series["instances"]) == (there["series"], 2)
            assert series["description"] == description
        assert (await server.ask("GET", path, server.bearer("surgeon", room="other"))).status == 404
        assert (await server.ask("GET", path, server.bearer("observer"))).status == 403


def at_rest(server: Served, n: int) -> bool:
    presenting = server.service.rooms["ward"].presenting
    last = presenting.presenter.viewport
    return last is not None and last.n == n and presenting.idle


def written(folder: Path) -> list[dict[str, Any]]:
    (journal,) = folder.glob("recordings/*/journal.kjr")
    wrapped = keys.read(journal.parent)
    assert wrapped is not None
    reader = JournalReader(wrapped.open(folder / "keys" / "archive.pem"))
    reader.receive_data(journal.read_bytes())
    records = [record for record in iter(reader.next_record, None) if record.type is RecordType.EVENT]
    return [dict(decode_json(record.payload)) for record in records]
