"""``python -m server recordings``: look at the archive, prove it, repair it, change the hospital's key, erase."""

from __future__ import annotations

import argparse
import sqlite3
import sys
import time
from pathlib import Path

from recorder.journal import JournalError
from recorder.library import JOURNAL, Library, UnknownRecording, read_header
from recorder.manifest import ManifestError
from recorder.reader import JournalReader
from recorder.repairing import RepairError
from recorder.seal import keys, sm2
from recorder.seal.suites import SealError
from recorder.segments.preview import SUFFIX as PREVIEW
from recorder.verify import Verdict, check_chain, verify
from recorder.volumes import JournalFiles

from .config import Config
from .database import DatabaseError
from .keeping.audit import append, operator
from .keeping.commands import at_once
from .keeping.decisions import held
from .repair_cli import repair_all

_READ = 1 << 20
#: Damaged places that are listed.
_PLACES = 20


def main(config: Config, arguments: list[str]) -> int:
    """Run one of the commands; returns 0, 1 where something is wrong with a recording, 2 for a mistake."""
    parser = argparse.ArgumentParser(prog="python -m server recordings", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, words: str, *, some: bool) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words, description=words)
        added.add_argument(
            "--folder", type=Path, default=Path(config.recordings.folder), help="of the recordings"
        )
        added.add_argument("names", nargs="+" if some else "*", metavar="RECORDING")
        return added

    verifying = command("verify", "Hold recordings (all, by default) against their manifests.", some=False)
    public = Path(config.seal.signing_key).with_suffix(".public.pem")
    verifying.add_argument(
        "--public-key", type=Path, default=public, help="PEM file of the signing key's public half"
    )
    showing = command("show", "Say what recordings hold.", some=True)
    wrapping = command(
        "rewrap", "Seal the keys of recordings for other owners; no recording is touched.", some=True
    )
    for opening in (showing, wrapping):
        opening.add_argument("--private-key", type=Path, default=Path(config.seal.private_key or "none"))
    wrapping.add_argument(
        "--for",
        type=Path,
        action="append",
        required=True,
        dest="owners",
        metavar="PEM",
        help="an owner's public key",
    )
    repairing = command(
        "repair",
        "End torn journals cleanly and make anew what is made of them; what is replaced is kept beside them.",
        some=True,
    )
    repairing.add_argument("--private-key", type=Path, default=Path(config.seal.private_key or "none"))
    repairing.add_argument("--signing-key", type=Path, default=Path(config.seal.signing_key))
    after = repairing.add_mutually_exclusive_group()
    after.add_argument("--undo", action="store_true", help="give back what a repair replaced")
    after.add_argument("--discard", action="store_true", help="let go of what was kept from before a repair")
    erasing = command("erase", "Destroy the keys of recordings: nobody opens them again.", some=True)
    erasing.add_argument("--yes", action="store_true", help="do not ask")
    erasing.add_argument(
        "--despite-hold",
        metavar="REASON",
        help="erase what lies under a legal hold too: the word for the audit book",
    )
    options = parser.parse_args(arguments)
    library = Library(options.folder)
    try:
        match options.command:
            case "verify":
                return _verify(library, options.names, options.public_key)
            case "show":
                return _show(library, options.names, options.private_key)
            case "repair":
                return repair_all(library, options, lambda name, deed: _note(config, deed, name))
            case "rewrap":
                return _rewrap(config, library, options)
            case _:
                return _erase(config, library, options)
    except (
        DatabaseError,
        sqlite3.Error,
        RepairError,
        SealError,
        ManifestError,
        JournalError,
        UnknownRecording,
        OSError,
    ) as error:
        print(error, file=sys.stderr)
        return 2


def _verify(library: Library, names: list[str], public: Path) -> int:
    chosen = names or sorted({*library.names(), *library.deleted()})
    deleted = set(library.deleted())
    verdicts = []
    for name in chosen:
        folder = library.root / name if name in deleted else library.place(name)
        size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) or 1
        done = 0

        def say(read: int, name: str = name, size: int = size) -> None:
            nonlocal done
            done += read
            if sys.stderr.isatty():
                print(f"\r{name} {done / size:4.0%} ", end="", file=sys.stderr, flush=True)

        verdict = verify(folder, public, say)
        verdicts.append(verdict)
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        _print(verdict)
    # some of them tell nothing of those between
    links = [] if names else check_chain(verdicts)
    for sentence in links:
        print(sentence)
    wrong = sum(1 for verdict in verdicts if verdict.problems)
    print(f"{len(verdicts) - wrong} of {len(verdicts)} recordings are as they were signed.")
    return 1 if wrong or links else 0


def _print(verdict: Verdict) -> None:
    print(f"{verdict.recording}: {'WRONG' if verdict.problems else 'as it was signed'}")
    for sentence in verdict.problems + verdict.remarks:
        print(f"    {sentence}")


def _show(library: Library, names: list[str], private: Path) -> int:
    for name in names:
        folder = library.folder(name)
        header = read_header(folder / JOURNAL)
        wrapped = keys.read(folder)
        print(
            f"{name}: room {header.room}, since {time.strftime('%F %T', time.gmtime(header.started / 1e9))} UTC"
        )
        if header.seal is not None:
            owners = ", ".join(wrapped.wrapped) if wrapped else "nobody: its key has been destroyed"
            print(f"    sealed with {header.seal.suite} for {owners}")
        key = wrapped.open(private) if wrapped is not None and private.exists() else None
        reader = JournalReader(key)
        found: dict[str, int] = {}
        with JournalFiles(folder / JOURNAL) as file:
            while data := file.read(_READ):
                reader.receive_data(data)
                while (record := reader.next_record()) is not None:
                    found[record.type.name] = found.get(record.type.name, 0) + 1
        reader.finish()
        for kind, count in sorted(found.items()):
            print(f"    {count:8} {kind.lower().replace('_', ' ')}")
        if reader.unopened:
            print(f"    {reader.unopened} sealed blocks, which this key does not open")
        if reader.truncated:
            print(
                f"    cut short: {reader.damaged} damaged places, {reader.ignored} bytes that belong to nothing"
            )
            for place, size in reader.ignored_at[:_PLACES]:
                print(f"    {size:14,} bytes at {place:,} of the journal belong to nothing")
        if made := len(list(folder.glob(f"*.*{PREVIEW}"))):
            print(f"    its preview is being made: {made} pieces of about a minute are whole")
        for path in sorted(folder.iterdir()):
            print(f"    {path.stat().st_size:14,} {path.name}")
    return 0


def _rewrap(config: Config, library: Library, options: argparse.Namespace) -> int:
    for name in options.names:
        folder = library.folder(name)
        if (wrapped := keys.read(folder)) is None:
            raise SealError(f"{name} has no key: it was never sealed, or has been erased.")
        anew = keys.wrap(name, wrapped.open(options.private_key), options.owners)
        _note(config, "key_rewrapped", name, owners=len(options.owners))
        keys.write(folder, anew)
        print(f"{name}: sealed for {', '.join(sm2.fingerprint(owner) for owner in options.owners)}")
    return 0


def _note(config: Config, deed: str, name: str, **about: object) -> None:
    at_once(config, lambda c: append(c, operator(), deed, int(time.time() * 1000), name, **about))


def _erase(config: Config, library: Library, options: argparse.Namespace) -> int:
    names = options.names
    folders = [library.folder(name) for name in names]
    kept = at_once(config, lambda c: [name for name in names if held(c, name)])
    if kept and not options.despite_hold:
        print(
            f"A legal hold lies on {', '.join(kept)}: nothing was done. `--despite-hold REASON` goes over it."
        )
        return 1
    if not options.yes:
        print(
            f"This destroys the keys of {', '.join(names)} for good. Write `erase` to go on: ",
            end="",
            flush=True,
        )
        if sys.stdin.readline().strip() != "erase":
            print("Nothing was done.")
            return 1
    for folder in folders:
        if keys.read(folder) is None:
            raise SealError(f"{folder.name} has no key: it was never sealed, or has been erased already.")
        # what cannot be written down is not done
        despite = {"despite_hold": options.despite_hold} if folder.name in kept else {}
        _note(config, "key_erased", folder.name, **despite)
        keys.erase(folder)
        print(f"{folder.name}: its key is destroyed.")
    return 0
