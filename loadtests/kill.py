"""Kills a recorder at random instants, and looks at what it left: at most the last second may be missing.

A process records real packets at 20 Mbit/s, sealed; it is killed by SIGKILL, and then what it left is read, held
against what it was given byte for byte, exported, signed and verified. Who was killed before anything was on the disk
has lost all that there was: that, too, must be less than a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from recorder.export.index import index_journal
from recorder.export.preparing import prepare
from recorder.journal import JournalError
from recorder.library import JOURNAL, Library, recording_id
from recorder.manifest import MANIFEST, Manifest
from recorder.seal import keys, sm2
from recorder.seal.keys import DataKey
from recorder.seal.suites import SM4
from recorder.sealing import JournalOpener
from recorder.signing import sign_recording
from recorder.source import JournalSource
from recorder.verify import verify

from .following import FPS, clip_frames
from .kill_writer import PRODUCER, Frames, packets, write_frames

#: What may be missing, in seconds.
GOAL = 1.0
#: A killed recorder had run at most so long.
LONGEST = 3.0
PAYLOAD = 1150
#: Bytes of a journal's volume: kills come between two as well.
VOLUME = 2_000_000

_ROOT = Path(__file__).parent.parent
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Loss:
    """What a kill cost: seconds from the last packet kept to the last one given, and to the kill; packets."""

    given: int
    kept: int
    seconds: float
    by_the_clock: float
    problems: list[str]


class Killer:
    """Starts recorders in a folder and kills them."""

    def __init__(self, folder: Path, frames: Frames, fps: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._library = Library(folder / "recordings", folder / "hospital.pem")
        self._frames_file = folder / "frames"
        self._frames = frames
        self._fps = fps
        write_frames(self._frames_file, frames)
        self._signing = folder / "signing.pem"
        for pair in (folder / "hospital.pem", self._signing):
            sm2.generate(pair)
            self._public(pair).write_bytes(sm2.public_of(pair))
        self._folder = folder

    @staticmethod
    def _public(pair: Path) -> Path:
        return pair.with_suffix(".public.pem")

    async def kill_one(self, number: int, after: float) -> Loss:
        """Let a recorder run for `after` seconds, kill it, and judge what is left."""
        name = recording_id(time.time_ns(), "ward", f"{number:04x}")
        journal = self._library.create(name)
        key = DataKey.random(SM4)
        keys.write(journal.parent, keys.wrap(name, key, [self._public(self._folder / "hospital.pem")]))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "loadtests.kill_writer",
            str(journal), key.suite.name, str(self._frames_file), str(self._fps), str(VOLUME),
            cwd=_ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(key.key)
        process.stdin.close()
        async with asyncio.timeout(_PATIENCE):
            said = await process.stdout.readline()
        started = int(said)
        await asyncio.sleep(after)
        killed = time.time_ns()
        process.kill()
        rest, _ = await process.communicate()
        # the last line may be torn by the kill
        whole = rest.rpartition(b"\n")[0].splitlines()
        count, arrival = map(int, whole[-1].split()) if whole else (0, started)
        return await asyncio.to_thread(self._judge, name, started, count, arrival, killed)

    def _judge(self, name: str, started: int, given: int, last: int, killed: int) -> Loss:
        folder = self._library.folder(name)
        problems: list[str] = []
        key = self._library.key(name) if (folder / JOURNAL).stat().st_size else None
        try:
            index = index_journal(folder / JOURNAL, key=key)
        except JournalError:
            # nothing was on the disk yet
            return Loss(given, 0, (last - started) / 1e9, (killed - started) / 1e9, [])
        assert key is not None
        found = index.packets.get(PRODUCER)
        kept = 0 if found is None else len(found)
        with JournalSource(folder / JOURNAL, index.blocks, JournalOpener(index.header, key)) as source:
            for place, (_, packet) in enumerate(islice(packets(self._frames, self._fps), kept)):
                assert found is not None
                if source.read(int(found.offsets[place]), int(found.lengths[place])) != packet:
                    problems.append(f"Packet {place} is not the one that was given.")
                    break
        newest = index.header.started if found is None or not kept else int(found.arrivals[-1])
        if index.ended or not index.truncated:
            problems.append("It does not say that its end is missing.")
        problems += self._sign(folder, key, index.last_time)
        return Loss(given, kept, max(0, last - newest) / 1e9, (killed - newest) / 1e9, problems)

    def _sign(self, folder: Path, key: DataKey, until: int) -> list[str]:
        """Make what is made of a recording, and see that the manifest says what there is of it."""
        prepare(folder, key=key)
        sign_recording(folder, self._signing, time.time())
        verdict = verify(folder, self._public(self._signing))
        manifest = Manifest.parse((folder / MANIFEST).read_bytes())
        said = (manifest.state, manifest.journal.until)
        return verdict.problems + ([] if said == ("truncated", until) else [f"The manifest says {said}."])


async def kill_often(
    folder: Path,
    frames: Frames,
    fps: int,
    times: int,
    seed: int,
    say: Callable[[int, Loss], None] = lambda *_: None,
) -> list[Loss]:
    """Kill so many recorders, one after the other, at instants that the seed gives."""
    chance = random.Random(seed)
    killer = Killer(folder, frames, fps)
    losses = []
    for number in range(times):
        loss = await killer.kill_one(number, chance.uniform(0.0, LONGEST))
        say(number, loss)
        losses.append(loss)
    return losses


def main(arguments: list[str]) -> int:
    """Run the test; 1 where more than a second, or anything before it, is missing."""
    parser = argparse.ArgumentParser(prog="python -m loadtests kill", description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    options = parser.parse_args(arguments)

    def say(number: int, loss: Loss) -> None:
        for problem in loss.problems:
            print(f"kill {number + 1}: {problem}", flush=True)

    with tempfile.TemporaryDirectory(prefix="konsil-kill-") as folder:
        losses = asyncio.run(
            kill_often(Path(folder), clip_frames(PAYLOAD), int(FPS), options.times, options.seed, say)
        )
    worst = max(loss.seconds for loss in losses)
    figures = {
        "kills": len(losses),
        "wrong": sum(bool(loss.problems) for loss in losses),
        "packets_kept": sum(loss.kept for loss in losses),
        "packets_lost": sum(loss.given - loss.kept for loss in losses),
        "lost_s_worst": round(worst, 3),
        "lost_s_worst_by_the_clock": round(max(loss.by_the_clock for loss in losses), 3),
        "lost_s_mean": round(sum(loss.seconds for loss in losses) / len(losses), 3),
    }
    for name, value in figures.items():
        print(f"{name:28} {value}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0 if worst < GOAL and not figures["wrong"] else 1
