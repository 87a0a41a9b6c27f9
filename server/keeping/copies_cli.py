"""``python -m server copies``: prove the second copies, part by part, or fetch recordings back."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from recorder.library import Library, UnknownRecording
from recorder.manifest import ManifestError
from recorder.moved import MOVED

from ..config import Config, ConfigError
from .fetching import fetch_back, hash_there, object_name, read_manifest
from .store import Store, StoreError, open_store


def main(config: Config, arguments: list[str]) -> int:
    """Run one of the commands; returns 0, 1 where a copy is wrong or not whole, 2 for a mistake."""
    parser = argparse.ArgumentParser(prog="python -m server copies", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, words in (
        (
            "verify",
            "Read the second copies of recordings (all, by default) and hold each part against its manifest.",
        ),
        ("fetch", "Fetch back what was moved out (all, by default)."),
    ):
        command = commands.add_parser(name, help=words, description=words)
        command.add_argument("names", nargs="*", metavar="RECORDING")
    options = parser.parse_args(arguments)
    library = Library(Path(config.recordings.folder))
    try:
        store = open_store(config.copies)
        if store is None:
            print("No second place is configured: [copies] place.", file=sys.stderr)
            return 2
        folders = [library.place(name) for name in options.names or sorted(library.names())]
        if options.command == "verify":
            return asyncio.run(_verify(store, folders))
        return asyncio.run(_fetch(store, folders))
    except (ConfigError, StoreError, UnknownRecording, ManifestError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


async def _verify(store: Store, folders: list[Path]) -> int:
    wrong = 0
    for folder in folders:
        problems = await problems_there(store, folder)
        wrong += bool(problems)
        print(f"{folder.name}: {'WRONG' if problems else 'as it was signed'}")
        print("".join(f"    {sentence}\n" for sentence in problems), end="")
    print(f"{len(folders) - wrong} of {len(folders)} second copies are whole.")
    return 1 if wrong else 0


async def problems_there(store: Store, folder: Path) -> list[str]:
    """Read a recording in the second place and say what is not as it was signed. Raise StoreError, ManifestError."""
    prefix = object_name(folder.name, "")
    there = {path.removeprefix(prefix) for path in await store.sizes(prefix[:-1])}
    problems = []
    for part in read_manifest(folder).parts:
        if part.name not in there:
            problems.append(f"{part.name} is missing.")
        elif await hash_there(store, folder.name, part.name) != part.sm3:
            problems.append(f"{part.name} was changed.")
    return problems


async def _fetch(store: Store, folders: list[Path]) -> int:
    for folder in folders:
        if (folder / MOVED).exists():
            await fetch_back(store, folder)
            print(f"{folder.name}: fetched back, as it was signed")
    return 0
