"""Guidance over the wire: the pen given and taken, which way round a picture is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from loadtests.caller import Caller, Refused, calling
from signalling.worklist import Entry
from tests.helpers.dicom_files import sample
from tests.helpers.peer import Publisher, frame_sent
from tests.helpers.served import served
from tests.server.test_marks_over_the_wire import Theatre, add, fresh, pointer
from tests.server.test_presenting import written


@pytest.fixture
async def theatre(tmp_path: Path) -> AsyncIterator[Theatre]:
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(served(tmp_path))
        surgeon, expert = await stack.enter_async_context(
            calling(server.url, server.token("surgeon", "Dr. S"), server.token("expert", "Dr. E"))
        )
        publisher = Publisher(surgeon)
        stack.push_async_callback(publisher.close)
        field = (await publisher.publish("field"))[0]["producer"]
        yield Theatre(server, surgeon, expert, field, await frame_sent(server.service, field))


async def test_without_the_pen_neither_marks_nor_pointers_pass(theatre: Theatre) -> None:
    surgeon, expert = theatre.surgeon, theatre.expert
    await expert.request("mark", operation=add(theatre.field, "m-1", theatre.frame))
    await surgeon.request("permit", participant=expert.identifier, draws=False)
    with pytest.raises(Refused) as refused:
        await expert.request("mark", operation=add(theatre.field, "m-2", theatre.frame))
    assert refused.value.code == "not_permitted"
    (conductor,) = theatre.server.service.rooms.values()
    lane = next(m for m in conductor.members.values() if m.identifier == surgeon.identifier).lane
    await expert.send(pointer(theatre.field, 1, fresh(theatre)))
    # what was drawn stays, and its author may wipe it away
    await expert.request("mark", operation={"kind": "clear_own"})
    assert lane.counters.offered == 0
    await surgeon.request("permit", participant=expert.identifier, draws=None)
    await expert.send(pointer(theatre.field, 2, fresh(theatre)))
    await expert.request("mark", operation=add(theatre.field, "m-3", theatre.frame))
    assert lane.counters.offered == 1


async def test_no_stroke_is_seen_where_its_mark_would_be_refused(theatre: Theatre) -> None:
    surgeon, expert = theatre.surgeon, theatre.expert
    conductor = theatre.server.service.rooms["ward"]
    data = sample("CT_small.dcm").read_bytes()
    answered = await theatre.server.ask("POST", "/dicom/upload", theatre.server.bearer("expert"), data)
    image = {"SOPInstanceUID": answered.json()["files"][0]["SOPInstanceUID"], "frame": 1}
    lane = conductor.members[surgeon.identifier].lane  # type: ignore[index]

    async def seen(anchor: dict[str, Any]) -> bool:
        before = lane.counters.offered
        await expert.send({**pointer(theatre.field, 1, fresh(theatre)), "anchor": anchor})
        stroke = {
            "type": "stroke",
            "mark": "m-1",
            "shape": "line",
            "from": 0,
            "points": [[0.1, 0.2], [0.3, 0.4]],
        }
        await expert.send({**stroke, "anchor": anchor, "width": 0.004, "sent": fresh(theatre), "n": 2})
        await expert.request("ping", time=0)
        return lane.counters.offered > before

    field = {"producer": theatre.field, "rtp_timestamp": 1}
    assert await seen(field)
    assert await seen(image)
    # another patient's image, what is not in the room, a frozen frame that is not for all
    other = Entry("4711", "", "Müller^Anna", "", "", "", "", "20261129")
    await surgeon.request("choose_patient", entry=conductor.bedside.offer([other])[0])
    assert not await seen(image)
    assert not await seen({"SOPInstanceUID": "1.2.3", "frame": 1})
    assert not await seen({**field, "producer": 4711})
    assert not await seen({**field, "still": True})
    # a picture that its author may not watch
    await surgeon.request("restrict", producer=theatre.field, roles=["surgeon"], participants=[])
    assert not await seen(field)


async def test_a_trainee_with_the_pen_draws_in_a_colour_of_his_own(theatre: Theatre) -> None:
    async with Caller(theatre.server.url, theatre.server.token("trainee", "Maria")) as trainee:
        with pytest.raises(Refused):
            await trainee.request("mark", operation=add(theatre.field, "m-1", theatre.frame))
        await theatre.surgeon.request("permit", participant=trainee.identifier, draws=True)
        await trainee.request("mark", operation=add(theatre.field, "m-2", theatre.frame))
        told = await theatre.expert.notice("operation")
        colours = {p["colour"] for p in trainee.welcome["participants"]}
        assert told["author"] == trainee.identifier
        assert told["colour"] not in colours


async def test_everybody_is_told_which_way_round_the_field_is(theatre: Theatre) -> None:
    mirrored = {"row": "R", "column": "F", "mirrored": True}
    with pytest.raises(Refused):
        await theatre.expert.request("orient", producer=theatre.field, orientation=mirrored)
    await theatre.surgeon.request("orient", producer=theatre.field, orientation=mirrored)
    told = await theatre.expert.notice("producer")
    while told["producer"]["orientation"] is None:
        told = await theatre.expert.notice("producer")
    assert told["producer"]["orientation"] == mirrored


async def test_a_recording_that_begins_later_knows_which_way_round_it_was_and_whose(
    theatre: Theatre, tmp_path: Path
) -> None:
    surgeon, mirrored = theatre.surgeon, {"row": "R", "column": "F", "mirrored": True}
    conductor = theatre.server.service.rooms["ward"]
    await surgeon.request("orient", producer=theatre.field, orientation=mirrored)
    entry = Entry("4711", "", "Müller^Anna", "", "", "", "", "20261129")
    await surgeon.request("choose_patient", entry=conductor.bedside.offer([entry])[0])
    await surgeon.request("record", action="start")
    # another picture of the same source, which is labelled as the first one was
    publisher = Publisher(surgeon)
    try:
        again = (await publisher.publish("field"))[0]["producer"]
    finally:
        await publisher.close()
    await surgeon.request("choose_patient", entry=None)
    await surgeon.request("record", action="stop")
    events = await asyncio.to_thread(written, tmp_path)
    oriented = {one["producer"]: one["orientation"] for one in events if one["kind"] == "orient"}
    assert oriented == {theatre.field: mirrored, again: mirrored}
    patients = [one["patient"] for one in events if one["kind"] == "patient_chosen"]
    assert [patient is None for patient in patients] == [False, True]


async def test_an_instruction_is_answered_by_the_surgeon_and_everybody_knows_when(theatre: Theatre) -> None:
    surgeon, expert = theatre.surgeon, theatre.expert
    await expert.request("mark", operation=add(theatre.field, "m-1", theatre.frame))
    asked = {"kind": "instruct", "instruction": "i-1", "text": "Clip here", "mark": "m-1", "spoken": False}
    await expert.request("mark", operation=asked)
    for caller in (expert, surgeon):
        await caller.notice("operation", operation={**asked, "number": 1})
    seen = {"kind": "answer", "instruction": "i-1", "answer": "seen"}
    with pytest.raises(Refused) as refused:
        await expert.request("mark", operation=seen)
    assert refused.value.code == "not_permitted"
    await surgeon.request("mark", operation=seen)
    told = await expert.notice("operation", operation=seen)
    assert told["author"] == surgeon.identifier
    await surgeon.request("mark", operation={**seen, "answer": "done"})
    with pytest.raises(Refused) as refused:
        await surgeon.request("mark", operation={**seen, "answer": "no"})
    assert refused.value.code == "not_open"
    # who comes late reads what was asked and answered, though the field was cleared
    await surgeon.request("mark", operation={"kind": "clear_field"})
    async with Caller(theatre.server.url, theatre.server.token("trainee")) as trainee:
        told_late = [entry["operation"] for entry in trainee.welcome["marks"]["operations"]]
        kinds = [operation["kind"] for operation in told_late]
        assert next(o for o in told_late if o["kind"] == "instruct")["number"] == 1
        assert [kind for kind in kinds if kind in ("instruct", "answer")] == ["instruct", "answer", "answer"]


async def test_who_lost_the_pen_still_withdraws_what_he_asked_for(theatre: Theatre) -> None:
    asked = {"kind": "instruct", "instruction": "i-1", "text": "Clip here", "mark": None, "spoken": True}
    await theatre.expert.request("mark", operation=asked)
    await theatre.surgeon.request("permit", participant=theatre.expert.identifier, draws=False)
    with pytest.raises(Refused):
        await theatre.expert.request("mark", operation={**asked, "instruction": "i-2"})
    await theatre.expert.request("mark", operation={"kind": "withdraw", "instruction": "i-1"})
