"""The second copy, in a real S3 server and in a folder: made, proved, gone on with, moved to, fetched back from."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from recorder.tombstone import STAYS
from recorder.verify import verify
from server.config import ConfigError, CopiesConfig
from server.keeping import audit
from server.keeping.pace import Pace
from server.keeping.store import Store, open_store
from signalling.patient import Identity, Patient
from tests.helpers.kept import keep_recording
from tests.helpers.object_store import KEY, SECRET, ObjectStore, object_store
from tests.helpers.recorded import prepared
from tests.helpers.served import Served, served
from tests.helpers.udp_peers import until

PATIENT = Patient(Identity("4711", "HIS", "Geheim^Anna", "19700101"), "p-1")


@pytest.fixture(scope="module")
def _second() -> Iterator[ObjectStore]:
    with object_store() as running:
        yield running


@pytest.fixture
def second(_second: ObjectStore) -> ObjectStore:
    _second.clear()
    return _second


async def _new(server: Served) -> str:
    name = await asyncio.to_thread(keep_recording, server.folder, "ward")
    await server.service.keeper.take_in()
    return name


def _files(server: Served, recording: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (server.folder / "recordings" / recording).iterdir()}


async def _deeds(server: Served) -> list[str]:
    return [entry["deed"] for entry in reversed(await audit.last_entries(server.service, "ward", None, 1000))]


async def _problem(server: Served, recording: str) -> str:
    row = await server.service.database.run(
        lambda c: c.execute("SELECT problem FROM copy WHERE recording = ?", (recording,)).fetchone()
    )
    return str(row["problem"])


async def test_a_recording_lies_in_the_second_place_leaves_this_disk_and_comes_back(
    second: ObjectStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(tmp_path, copies=second.config(tmp_path, free_mb=1000)) as running:
        keeper, trainee = running.service.keeper, running.bearer("trainee")
        keeper.moving.free = lambda: 1 << 40
        held, recording = await _new(running), await _new(running)
        whole = _files(running, recording)
        await keeper.copy_round()
        there = f"house/recordings/{recording}/"
        copied = {name.removeprefix(there): second.read(name) for name in second.names() if there in name}
        assert copied == whole
        assert await _deeds(running) == ["copied", "copied"]
        times = [second.changed(name) for name in second.names()]
        await keeper.copy_round()
        assert [second.changed(name) for name in second.names()] == times

        key = await asyncio.to_thread(running.service.archive.library.key, recording)
        await running.service.recorded_patients.keep(recording, key, (PATIENT,), final=True)
        # the disk is full: what nobody holds and nobody has opened today goes
        hold = await running.ask(
            "POST", f"/api/keeping/recordings/{held}/holds", running.bearer("chair"), b'{"reason":"claim"}'
        )
        assert hold.status == 200
        keeper.moving.free = lambda: 0
        await keeper.copy_round()
        assert set(_files(running, held)) == set(whole)
        assert set(_files(running, recording)) == {
            "moved.json", "summary.json", "manifest.json", "manifest.sig", "key.json",
        }  # fmt: skip
        listed = (await running.ask("GET", "/api/recordings", trainee)).json()["recordings"]
        assert {line["recording"]: line["state"] for line in listed} == {held: "complete", recording: "moved"}
        # whose it is is known all the same: playlists name it
        known = await running.service.recorded_patients.known(recording)
        assert (known.patients, known.is_all) == ((PATIENT,), True)
        verdict = verify(tmp_path / "recordings" / recording, tmp_path / "keys" / "signing.public.pem")
        assert verdict.problems == []
        assert "were moved to the second place" in verdict.remarks[0]

        # who opens it has it fetched; others do not learn of it
        elsewhere = running.bearer("trainee", room="other")
        assert (await running.ask("GET", f"/api/recordings/{recording}", elsewhere)).status == 404
        answer = await running.ask("GET", f"/api/recordings/{recording}", trainee)
        assert (answer.status, answer.json()["code"]) == (409, "moved")
        assert (await prepared(running.url, trainee, recording))["state"] == "complete"
        assert _files(running, recording) == whole
        # and it stays for a day, since it was opened
        await keeper.copy_round()
        assert _files(running, recording) == whole
        assert [deed for deed in await _deeds(running) if "_" in deed] == [
            "hold_laid", "moved_out", "fetched_back", "replay_opened",
        ]  # fmt: skip
    assert SECRET not in caplog.text
    assert KEY not in caplog.text


async def test_what_is_not_what_was_signed_is_neither_copied_nor_taken_back(
    second: ObjectStore, tmp_path: Path
) -> None:
    now = 1_800_000_000.0
    async with served(tmp_path, copies=second.config(tmp_path, free_mb=1000)) as running:
        keeper = running.service.keeper
        keeper.clock = lambda: now
        keeper.moving.free = lambda: 0
        recording = await _new(running)
        journal = tmp_path / "recordings" / recording / "journal.kjr"
        sound = journal.read_bytes()
        journal.write_bytes(bytes([*sound[:-1], sound[-1] ^ 1]))
        await keeper.copies.round()
        assert "journal.kjr on this disk is not what was signed" in await _problem(running, recording)
        assert not any("journal" in name for name in second.names())
        assert await _deeds(running) == ["copy_damaged_here"]
        journal.write_bytes(sound)
        await keeper.copy_round()
        assert journal.exists()  # it is not tried again at once, and nothing leaves before its copy is whole
        now += 601
        await keeper.copy_round()
        assert await _problem(running, recording) == ""
        assert not journal.exists()

        # somebody changes it there: it does not come back, and nobody is given it
        there = f"house/recordings/{recording}/journal.kjr"
        second.write(there, bytes([*sound[:-1], sound[-1] ^ 1]))
        trainee = running.bearer("trainee")
        for _ in range(2):
            assert (await running.ask("GET", f"/api/recordings/{recording}", trainee)).status == 409
            await until(lambda: not keeper.copies.fetching, 30)
            assert not journal.exists()
            assert not journal.with_name("journal.kjr.part").exists()
        second.write(there, sound)
        assert (await running.ask("GET", f"/api/recordings/{recording}", trainee)).status == 409
        await prepared(running.url, trainee, recording)
        assert journal.read_bytes() == sound


class Stalling(Store):
    """The second place, which hangs at the third part."""

    def __init__(self, config: CopiesConfig) -> None:
        super().__init__(config, {})
        self.puts = 0
        self.hangs = asyncio.Event()

    async def put(self, name: str, pieces: AsyncIterator[bytes]) -> None:
        self.puts += 1
        if self.puts == 3:
            self.hangs.set()
            await asyncio.Event().wait()
        await super().put(name, pieces)


async def test_copying_that_was_cut_short_is_gone_on_with_by_the_next_server(
    second: ObjectStore, tmp_path: Path
) -> None:
    config = second.config(tmp_path)
    async with served(tmp_path, copies=config) as running:
        running.service.keeper.copies.store = stalling = Stalling(config)
        recording = await _new(running)
        copying = asyncio.create_task(running.service.keeper.copy_round())
        await asyncio.wait_for(stalling.hangs.wait(), 30)
        copying.cancel()
        await asyncio.gather(copying, return_exceptions=True)
    assert len(second.names()) == 2
    async with served(tmp_path, copies=config) as running:
        running.service.keeper.copies.store = counting = Stalling(config)
        counting.puts = 100
        await running.service.keeper.copy_round()
        assert counting.puts == 100 + len(_files(running, recording)) - 2
        assert len(second.names()) == len(_files(running, recording))
        assert "copied" in await _deeds(running)


async def test_a_deleted_recording_is_deleted_in_the_second_place_too(
    second: ObjectStore, tmp_path: Path
) -> None:
    async with served(tmp_path, copies=second.config(tmp_path)) as running:
        keeper = running.service.keeper
        gone, stays = await _new(running), await _new(running)
        await keeper.copy_round()
        one = f"/api/keeping/recordings/{gone}/deletion"
        asked = await running.ask("POST", one, _as(running, "A"), b'{"reason":"over"}')
        lines = {line["recording"]: line for line in asked.json()["recordings"]}
        await running.ask(
            "POST", f"{one}/{lines[gone]['request']['number']}", _as(running, "B"), b'{"agree":true}'
        )
        await keeper.round()
        assert {name.rpartition("/")[2] for name in second.names() if gone in name} == STAYS
        assert len([name for name in second.names() if stays in name]) == len(_files(running, stays))
        assert (await _deeds(running))[-1] == "recording_deleted"


class Slow(Store):
    """The second place, which takes its time over each part until a recording is dropped."""

    def __init__(self, config: CopiesConfig, is_dropped: Callable[[], bool]) -> None:
        super().__init__(config, {})
        self.is_dropped, self.going = is_dropped, asyncio.Event()

    async def put(self, name: str, pieces: AsyncIterator[bytes]) -> None:
        async def slowly() -> AsyncIterator[bytes]:
            async for piece in pieces:
                self.going.set()
                await until(self.is_dropped, 30)
                yield piece

        await super().put(name, slowly())


async def test_a_deletion_does_not_wait_for_a_copy_under_way(second: ObjectStore, tmp_path: Path) -> None:
    config = second.config(tmp_path)
    async with served(tmp_path, copies=config) as running:
        keeper = running.service.keeper
        recording = await _new(running)
        keeper.copies.store = slow = Slow(config, lambda: recording in keeper.copies.dropped)
        copying = asyncio.create_task(keeper.copy_round())
        await asyncio.wait_for(slow.going.wait(), 30)
        assert await asyncio.wait_for(keeper.copies.forget(recording), 30) == ""
        await asyncio.wait_for(copying, 30)
        assert [name for name in second.names() if name.rpartition("/")[2] not in STAYS] == []


async def test_a_place_that_is_away_is_tried_again_later_and_no_secret_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    credentials = tmp_path / "credentials"
    credentials.write_text(f"{KEY}\n{SECRET}\n")
    credentials.chmod(0o600)
    config = CopiesConfig(
        place="s3://second", endpoint="http://127.0.0.1:9", credentials_file=str(credentials), rate_mb=1000
    )
    async with served(tmp_path, copies=config) as running:
        recording = await _new(running)
        await running.service.keeper.copy_round()
        assert "The second place could not be written" in await _problem(running, recording)
        assert "a recording could not be copied: StoreError" in caplog.text
        assert SECRET not in caplog.text
        assert recording not in caplog.text


async def test_a_folder_is_a_second_place_too(tmp_path: Path) -> None:
    config = CopiesConfig(place=str(tmp_path / "second"), free_mb=1000, rate_mb=1000)
    async with served(tmp_path, copies=config) as running:
        keeper = running.service.keeper
        keeper.moving.free = lambda: 0
        recording = await _new(running)
        whole = _files(running, recording)
        await keeper.copy_round()
        assert (
            await running.ask("GET", f"/api/recordings/{recording}", running.bearer("trainee"))
        ).status == 409
        await prepared(running.url, running.bearer("trainee"), recording)
        assert _files(running, recording) == whole
        # a copy that somebody took away lets nothing leave this disk
        shutil.rmtree(tmp_path / "second" / "recordings" / recording)
        keeper.clock = lambda: 1.9e9
        await keeper.moving.round()
        assert _files(running, recording) == whole


def test_credentials_come_from_a_file_that_others_cannot_read_or_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("one\n")
    file.chmod(0o600)
    place = CopiesConfig(place="s3://second", credentials_file=str(file))
    for change, words in (("one", "needs an access key"), ("one two three", "needs an access key")):
        file.write_text(change)
        with pytest.raises(ConfigError, match=words):
            open_store(place)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        open_store(place)
    with pytest.raises(ConfigError, match="needs an access key"):
        open_store(CopiesConfig(place="s3://second"), {})
    environment = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    assert open_store(CopiesConfig(place="s3://second"), environment) is not None
    assert open_store(CopiesConfig(), {}) is None


def test_copying_goes_at_its_pace_and_slower_beside_rooms() -> None:
    pace = Pace(1000.0)
    assert pace.wait(500, 10.0) == 0.0
    assert pace.wait(500, 10.1) == pytest.approx(0.4)
    assert pace.wait(100, 20.0, share=0.25) == 0.0
    assert pace.wait(100, 20.0) == pytest.approx(0.4)


def _as(server: Served, name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.token('chair', name)}"}
