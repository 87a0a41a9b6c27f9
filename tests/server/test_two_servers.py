"""Two servers on one folder of recordings: neither touches what the other is recording, and both sign one chain."""

from __future__ import annotations

from pathlib import Path

from loadtests.caller import calling
from recorder.verify import check_chain, verify
from tests.helpers.recorded import journal_size, prepared
from tests.helpers.served import served
from tests.helpers.udp_peers import until


async def test_a_second_server_leaves_alone_what_the_first_records(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    (tmp_path / "recordings").mkdir()
    (tmp_path / "keys").mkdir()
    for folder in (one, two):
        (folder / "recordings").symlink_to(tmp_path / "recordings")
        (folder / "keys").symlink_to(tmp_path / "keys")
    async with served(one) as first, calling(first.url, first.token("surgeon", "Dr. S")) as (surgeon,):
        await surgeon.request("record", action="start")
        name = (await surgeon.notice("recording"))["recording"]["recording"]
        await until(lambda: journal_size(tmp_path, name) > 500, 30)
        # it comes up while the other records, finds a journal without an end, and lets it be
        async with served(two) as second:
            assert second.service.archive.library.unfinished() == []
            assert second.service.archive.progress == {}
            async with calling(second.url, second.token("surgeon", "Dr. T")) as (other,):
                # the same room, recorded by two: two recordings
                await other.request("record", action="start")
                theirs = (await other.notice("recording"))["recording"]["recording"]
                assert theirs != name
                await other.request("record", action="stop")
            there = journal_size(tmp_path, name)
            await surgeon.request("hand", raised=True)
            await until(lambda: journal_size(tmp_path, name) > there, 30)
            await prepared(second.url, second.bearer("trainee"), theirs)
        await surgeon.request("record", action="stop")
        line = await prepared(first.url, first.bearer("trainee"), name)
        assert line["state"] == "complete"
        folders = [tmp_path / "recordings" / recording for recording in (theirs, name)]
        await until(lambda: all((folder / "manifest.json").exists() for folder in folders), 30)
    verdicts = [verify(folder, tmp_path / "keys" / "signing.public.pem") for folder in folders]
    assert [verdict.problems for verdict in verdicts] == [[], []]
    assert check_chain(verdicts) == []
