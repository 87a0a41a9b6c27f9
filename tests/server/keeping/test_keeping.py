"""Retention, holds, consent and deletion by two, over HTTP, with a clock of the test's own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recorder import tombstone
from recorder.seal import keys
from recorder.seal.keys import KEY_FILE
from recorder.verify import check_chain, verify
from server.keeping import audit
from signalling.permissions import Role
from signalling.tokens import issue
from tests.helpers.journals import STARTED
from tests.helpers.kept import keep_recording
from tests.helpers.served import Answered, Served, served

DAY = 86_400
YEAR = 365.25 * DAY


@dataclass
class Archive:
    """A server whose archive has a time of its own, and people of room ward in it."""

    server: Served
    time: float = STARTED + DAY

    async def ask(self, who: str, method: str, target: str, **body: Any) -> Answered:
        return await self.ask_as("chair", who, method, target, **body)

    async def ask_as(self, role: Role, who: str, method: str, target: str, **body: Any) -> Answered:
        bearer = {"Authorization": f"Bearer {self.server.token(role, who)}"}
        data = json.dumps(body).encode() if method != "GET" else b""
        return await self.server.ask(method, f"/api/keeping{target}", bearer, data)

    async def line(self, recording: str, who: str = "A") -> dict[str, Any]:
        shown = (await self.ask(who, "GET", "")).json()["recordings"]
        found: dict[str, Any] = next(line for line in shown if line["recording"] == recording)
        return found

    async def deeds(self) -> list[str]:
        found = await audit.last_entries(self.server.service, "ward", None, 1000)
        return [entry["deed"] for entry in reversed(found)]

    async def new(self) -> str:
        name = await asyncio.to_thread(keep_recording, self.server.folder, "ward")
        await self.server.service.keeper.take_in()
        return name

    def folder(self, recording: str) -> Path:
        return self.server.folder / "recordings" / recording


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with served(tmp_path) as running:
        made = Archive(running)
        running.service.keeper.clock = lambda: made.time
        yield made


async def test_two_people_delete_a_recording_and_the_archive_can_still_be_proved(archive: Archive) -> None:
    before, gone, after = [await archive.new() for _ in range(3)]
    service, signing = archive.server.service, archive.server.folder / "keys" / "signing.public.pem"
    one = f"/recordings/{gone}/deletion"
    trainee = archive.server.bearer("trainee")
    assert (
        await archive.server.ask("GET", f"/api/recordings/{gone}", trainee)
    ).status == 200  # its key is known now

    # who asks says why, and has the permission; a recording of another room does not exist
    assert (await archive.ask_as("expert", "A", "POST", one, reason="over")).status == 403
    assert (await archive.ask("A", "POST", one)).status == 400
    other = await asyncio.to_thread(keep_recording, archive.server.folder, "elsewhere")
    assert (await archive.ask("A", "POST", f"/recordings/{other}/deletion", reason="x")).status == 404
    assert (await archive.ask("A", "POST", one, reason="consent was withdrawn")).status == 200
    request = (await archive.line(gone))["request"]
    assert (request["by"], request["mine"], request["state"]) == ("A", True, "asked")
    assert (await archive.ask("C", "POST", one, reason="me too")).json()["code"] == "asked_already"

    # the same person does not agree, under another role neither
    answer = f"{one}/{request['number']}"
    roles: tuple[Role, ...] = ("chair", "surgeon")
    for role in roles:
        refused = await archive.ask_as(role, "A", "POST", answer, agree=True)
        assert (refused.status, refused.json()["code"]) == (403, "same_person")
    assert (await archive.ask("B", "POST", f"{one}/{request['number'] + 1}", agree=True)).status == 409
    assert archive.folder(gone).joinpath(KEY_FILE).exists()
    assert (await archive.ask_as("surgeon", "B", "POST", answer, agree=True)).status == 200
    await service.keeper.round()

    # the key and all files are gone, the manifest stays
    assert {path.name for path in archive.folder(gone).iterdir()} == tombstone.STAYS
    line = await archive.line(gone)
    assert line["deleted"] == int(archive.time * 1000)
    assert (line["request"]["state"], line["request"]["agreed_by"]) == ("done", "B")
    for address in ("", "/7/0.webm"):
        assert (await archive.server.ask("GET", f"/api/recordings/{gone}{address}", trainee)).status == 404
    listed = (await archive.server.ask("GET", "/api/recordings", trainee)).json()["recordings"]
    assert {line["recording"] for line in listed} == {before, after}
    assert (await archive.ask("B", "POST", answer, agree=True)).status == 409

    # and the chain of manifests is whole over it, with the public key alone
    verdicts = [verify(archive.folder(name), signing) for name in (before, gone, after, other)]
    assert [verdict.problems for verdict in verdicts] == [[], [], [], []]
    assert check_chain(verdicts) == []
    assert "deleted on 2026-11-23 by decision of two people" in verdicts[1].remarks[0]
    assert await archive.deeds() == [
        "replay_opened", "deletion_asked", "deletion_agreed", "recording_deleted",
    ]  # fmt: skip
    assert (await service.database.run(audit.verify)).problem == ""

    # who takes a recording away and lays such a note himself is found out
    stolen = archive.folder(after)
    for path in stolen.iterdir():
        if path.name not in tombstone.STAYS:
            path.unlink()
    for name in (tombstone.TOMBSTONE, tombstone.TOMBSTONE_SIGNATURE):
        text = (archive.folder(gone) / name).read_bytes().replace(gone.encode(), after.encode())
        (stolen / name).write_bytes(text)
    assert "not signed by the hospital" in verify(stolen, signing).problems[0]


async def test_somebody_is_one_person_in_all_of_his_links(archive: Archive) -> None:
    recording = await archive.new()

    async def ask(name: str, subject: str, target: str, body: dict[str, Any]) -> Answered:
        token = issue(
            archive.server.service.secret, room="ward", name=name, role="chair", expires=2e9, subject=subject
        )
        return await archive.server.ask(
            "POST",
            f"/api/keeping/recordings/{recording}/deletion{target}",
            {"Authorization": f"Bearer {token}"},
            json.dumps(body).encode(),
        )

    assert (await ask("Dr. Wang", "w-7", "", {"reason": "over"})).status == 200
    number = (await archive.line(recording))["request"]["number"]
    assert (await ask("Prof. Wang", "w-7", f"/{number}", {"agree": True})).status == 403
    assert (await ask("Dr. Wang", "w-8", f"/{number}", {"agree": True})).status == 200


async def test_a_request_can_be_refused_taken_back_and_expires(archive: Archive) -> None:
    recording = await archive.new()
    one = f"/recordings/{recording}/deletion"
    for who, deed in (("B", "deletion_refused"), ("A", "deletion_withdrawn")):
        await archive.ask("A", "POST", one, reason="over")
        number = (await archive.line(recording))["request"]["number"]
        assert (await archive.ask(who, "POST", f"{one}/{number}", agree=False)).status == 200
        assert (await archive.line(recording))["request"] is None
        assert (await archive.deeds())[-1] == deed
    await archive.ask("A", "POST", one, reason="over")
    number = (await archive.line(recording))["request"]["number"]
    archive.time += 14 * DAY
    assert (await archive.line(recording))["request"] is None
    late = await archive.ask("B", "POST", f"{one}/{number}", agree=True)
    assert (late.status, late.json()["code"]) == (409, "no_request")
    await archive.server.service.keeper.round()
    assert (await archive.deeds())[-1] == "deletion_expired"
    assert archive.folder(recording).joinpath("journal.kjr").exists()


async def test_a_hold_stops_everything_until_it_is_lifted(archive: Archive) -> None:
    recording = await archive.new()
    one = f"/recordings/{recording}"
    await archive.ask("A", "POST", f"{one}/deletion", reason="over")
    number = (await archive.line(recording))["request"]["number"]
    assert (await archive.ask("C", "POST", f"{one}/holds", reason="claim 17")).status == 200
    assert (await archive.line(recording))["request"] is None
    assert (await archive.ask("B", "POST", f"{one}/deletion/{number}", agree=True)).status == 409
    again = await archive.ask("A", "POST", f"{one}/deletion", reason="over")
    assert (again.status, again.json()["code"]) == (409, "held")
    # even when its time is over
    archive.time += 20 * YEAR
    await archive.server.service.keeper.round()
    assert "retention_ended" not in await archive.deeds()
    held = (await archive.line(recording))["holds"]
    assert [(hold["reason"], hold["by"]) for hold in held] == [("claim 17", "C")]
    lift = f"{one}/holds/{held[0]['number']}/lift"
    assert (await archive.ask("B", "POST", lift)).status == 400  # nobody lifts one without a reason
    assert (await archive.ask("B", "POST", lift, reason="settled")).status == 200
    assert (await archive.ask("B", "POST", lift, reason="settled")).status == 404
    assert (await archive.ask("A", "POST", f"{one}/deletion", reason="over")).status == 200
    deeds = await archive.deeds()
    assert [deed for deed in deeds if "hold" in deed] == ["hold_laid", "hold_lifted"]


async def test_of_hold_and_consent_to_deletion_the_first_wins_and_the_other_is_told(archive: Archive) -> None:
    recordings = [await archive.new() for _ in range(4)]
    keeper = archive.server.service.keeper
    races = []
    for turn, recording in enumerate(recordings):
        await archive.ask("A", "POST", f"/recordings/{recording}/deletion", reason="over")
        number = (await archive.line(recording))["request"]["number"]
        race = [
            archive.ask("B", "POST", f"/recordings/{recording}/deletion/{number}", agree=True),
            archive.ask("C", "POST", f"/recordings/{recording}/holds", reason="claim"),
        ]
        races.append(race if turn % 2 else race[::-1])
    answers = await asyncio.gather(*(asyncio.gather(*race) for race in races))
    await keeper.round()
    for turn, (recording, pair) in enumerate(zip(recordings, answers, strict=True)):
        agreed, held = pair if turn % 2 else pair[::-1]
        assert sorted((agreed.status, held.status)) == [200, 409]
        assert archive.folder(recording).joinpath("journal.kjr").exists() is (held.status == 200)


async def test_classes_have_terms_and_what_is_over_is_proposed_and_never_deleted(archive: Archive) -> None:
    recording = await archive.new()
    service, one = archive.server.service, f"/recordings/{recording}"
    shown = (await archive.ask("A", "GET", "")).json()
    assert {row["class"]: row["years"] for row in shown["classes"]} == {
        "audit": 5, "medical": 15, "process": 3, "teaching": None,
    }  # fmt: skip
    line = await archive.line(recording)
    assert (line["class"], line["due"], line["over"]) == ("process", (STARTED + 1096 * DAY) * 1000, False)
    for name, code in (("audit", "unknown_class"), ("forever", "unknown_class"), ("teaching", "no_consent")):
        refused = await archive.ask("A", "PUT", f"{one}/class", **{"class": name})
        assert refused.json()["code"] == code
    archive.time += 3 * YEAR + 2 * DAY
    for _ in range(2):
        await service.keeper.round()
    assert (await archive.deeds()).count("retention_ended") == 1
    assert (await archive.line(recording))["over"]
    assert archive.folder(recording).joinpath(KEY_FILE).exists()
    assert (await archive.ask("A", "PUT", f"{one}/class", **{"class": "medical"})).status == 200
    assert not (await archive.line(recording))["over"]


async def test_consent_is_by_use_and_a_teaching_copy_lasts_as_long_as_it(archive: Archive) -> None:
    recording = await archive.new()
    keeper, one = archive.server.service.keeper, f"/recordings/{recording}"
    consent = f"{one}/consent"
    assert not await keeper.may_teach(recording)
    assert "no consent" in await keeper.why_not_teach(recording)
    for wrong in (
        {"purpose": "teaching", "given": True, "reference": "Li Wei"},
        {"purpose": "teaching", "given": True, "reference": "李伟"},
        {"purpose": "teaching", "given": "yes", "reference": "F-2026/118"},
        {"purpose": "sale", "given": True, "reference": "F-2026/118"},
        {"purpose": "teaching", "given": True, "reference": "F-1", "until": 5},
        {"purpose": "teaching", "given": False, "reference": "F-1", "until": int(2e12)},
    ):
        assert (await archive.ask("A", "POST", consent, **wrong)).status == 400
    given = {"purpose": "teaching", "given": True, "reference": "F-2026/118"}
    assert (await archive.ask("A", "POST", consent, **given)).status == 200
    assert (await archive.line(recording))["consent"] == {
        "treatment": None,
        "teaching": {
            "given": True, "stands": True, "at": int(archive.time * 1000), "until": None,
            "reference": "F-2026/118", "by": "A",
        },
        "research": None,
    }  # fmt: skip
    assert await keeper.may_teach(recording)
    assert (await archive.ask("A", "PUT", f"{one}/class", **{"class": "teaching"})).status == 200
    archive.time += 40 * YEAR
    assert (await archive.line(recording))["due"] is None
    await archive.ask("C", "POST", f"{one}/holds", reason="claim")
    assert "hold" in await keeper.why_not_teach(recording)
    number = (await archive.line(recording))["holds"][0]["number"]
    await archive.ask("C", "POST", f"{one}/holds/{number}/lift", reason="settled")
    await archive.ask("B", "POST", consent, purpose="teaching", given=False, reference="F-2066/2")
    assert not await keeper.may_teach(recording)
    assert (await archive.line(recording))["over"]
    await keeper.round()
    assert (await archive.deeds())[-2:] == ["consent_withdrawn", "retention_ended"]
    # with an end of its own
    until = int((archive.time + DAY) * 1000)
    await archive.ask("B", "POST", consent, purpose="teaching", given=True, reference="F-3", until=until)
    assert await keeper.may_teach(recording)
    archive.time += DAY
    assert not await keeper.may_teach(recording)


async def test_what_is_not_written_into_the_book_is_not_decided(archive: Archive) -> None:
    recording = await archive.new()
    database, one = archive.server.service.database, f"/recordings/{recording}"
    await archive.ask("A", "POST", f"{one}/deletion", reason="over")
    number = (await archive.line(recording))["request"]["number"]
    await database.run(lambda c: c.execute("ALTER TABLE audit RENAME TO gone"))
    for target, body in (
        (f"{one}/deletion/{number}", {"agree": True}),
        (f"{one}/holds", {"reason": "claim"}),
    ):
        answer = await archive.ask("B", "POST", target, **body)
        assert answer.status == 503
        assert b"nothing was done" in answer.body
    await database.run(lambda c: c.execute("ALTER TABLE gone RENAME TO audit"))
    line = await archive.line(recording)
    assert (line["request"]["state"], line["holds"]) == ("asked", [])
    assert await asyncio.to_thread(keys.read, archive.folder(recording)) is not None


async def test_a_place_that_cannot_be_reached_keeps_the_deletion_open_and_is_asked_again(
    archive: Archive,
) -> None:
    recording = await archive.new()
    keeper, one = archive.server.service.keeper, f"/recordings/{recording}/deletion"
    reachable = False

    async def forget(_: str) -> str:
        if not reachable:
            raise OSError("away")
        return ""

    keeper.places.add("the other house", forget)
    await archive.ask("A", "POST", one, reason="over")
    number = (await archive.line(recording))["request"]["number"]
    await archive.ask("B", "POST", f"{one}/{number}", agree=True)
    for _ in range(2):
        await keeper.round()
    line = await archive.line(recording)
    assert (line["deleted"], line["request"]["state"]) == (None, "agreed")
    assert "the other house" in line["request"]["remaining"]
    assert not archive.folder(recording).joinpath(KEY_FILE).exists()
    # too late for a hold: nothing is there that it could keep
    assert (await archive.ask("C", "POST", f"/recordings/{recording}/holds", reason="x")).status == 409
    reachable = True
    await keeper.round()
    assert (await archive.line(recording))["request"]["state"] == "done"
    assert (await archive.deeds())[-2:] == ["deletion_not_complete", "recording_deleted"]
