"""Tells whether recordings are what was recorded, with the public signing key alone.

It opens nothing: what is sealed is held against the manifest as it lies on the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from .manifest import MANIFEST, SIGNATURE, Manifest, ManifestError, hash_file
from .moved import MOVED, moved_parts
from .seal import sm2
from .seal.digest import sm3
from .seal.keys import KEY_FILE
from .segments.index import SUFFIX
from .segments.preview import SUFFIX as PREVIEW
from .tombstone import STAYS, TOMBSTONE, TOMBSTONE_SIGNATURE, Tombstone, read

#: What is not the manifest's: itself, and the wrapped key, which changes when the hospital's key does.
NOT_PARTS = {MANIFEST, SIGNATURE, KEY_FILE, MOVED, TOMBSTONE, TOMBSTONE_SIGNATURE}
#: Where a repair keeps what it replaced (repairing.py).
BEFORE_REPAIR = "before-repair"


@dataclass(slots=True)
class Verdict:
    """What was found in one recording; `problems` are sentences, none when all is as it was recorded."""

    recording: str
    manifest: Manifest | None = None
    digest: str = ""
    problems: list[str] = field(default_factory=list)
    #: Things to know that are no fault.
    remarks: list[str] = field(default_factory=list)


def verify(folder: Path, public: Path, progress: Callable[[int], None] = lambda _: None) -> Verdict:
    """Hold a recording's files against its manifest. Raises SealError for a public key that is none."""
    verdict = Verdict(folder.name)
    signer = sm2.fingerprint(public)
    tombstone = _tombstone(folder, public, verdict)
    if tombstone is not None and not tombstone.manifest:
        return verdict
    try:
        data = (folder / MANIFEST).read_bytes()
        signature = (folder / SIGNATURE).read_bytes()
    except OSError:
        verdict.problems.append("It has no manifest: it was never finished, or the manifest was taken away.")
        return verdict
    verdict.digest = sm3(data).hex()
    if not sm2.verify(public, data, signature):
        verdict.problems.append(
            "The manifest's signature is not the hospital's: nothing it says is believed."
        )
        return verdict
    try:
        manifest = verdict.manifest = Manifest.parse(data)
    except ManifestError as error:
        verdict.problems.append(str(error))
        return verdict
    if manifest.signer != signer or manifest.recording != folder.name:
        verdict.problems.append(f"The manifest is that of {manifest.recording}.")
    if tombstone is not None:
        if tombstone.manifest != verdict.digest:
            verdict.problems.append("The manifest is another one than when it was deleted.")
        return verdict
    verdict.problems += _parts(folder, manifest, _moved(folder, verdict), progress)
    if later := _indices_of_later(folder, manifest):
        verdict.remarks.append(f"Made for replay after it was signed, and not signed: {', '.join(later)}.")
    if manifest.state != "complete":
        end = datetime.fromtimestamp(manifest.journal.until / 1e9, UTC)
        verdict.remarks.append(
            f"It was cut short when it was made (a kill, a power cut) or is damaged: it goes to {end:%F %T} UTC."
        )
    if manifest.journal.ignored_bytes:
        verdict.remarks.append(
            f"{manifest.journal.ignored_bytes} bytes of its journal belong to no whole block."
        )
    if manifest.journal.packets_left_out:
        verdict.remarks.append(
            f"{manifest.journal.packets_left_out} packets were left out: the disk could not follow."
        )
    if manifest.replaces:
        verdict.remarks.append("It was repaired after it had been signed: its manifest names the one before.")
    if (folder / BEFORE_REPAIR).is_dir():
        verdict.remarks.append("What it was before a repair is kept beside it, and not signed.")
    if not (folder / KEY_FILE).exists():
        verdict.remarks.append("It has no key: it was never sealed, or has been erased.")
    return verdict


def _tombstone(folder: Path, public: Path, verdict: Verdict) -> Tombstone | None:
    """Read what is left of a recording that was deleted; one that is no such note is a problem, and hides nothing."""
    if not (folder / TOMBSTONE).exists():
        return None
    try:
        tombstone = read(folder, public)
    except (ManifestError, OSError) as error:
        verdict.problems.append(
            str(error) if isinstance(error, ManifestError) else "Its tombstone cannot be read."
        )
        return None
    day = datetime.fromtimestamp(tombstone.deleted, UTC)
    verdict.remarks.append(
        f"It was deleted on {day:%Y-%m-%d} by decision of two people (request {tombstone.request}); "
        "its manifest is left."
    )
    left = sorted(path.name for path in folder.iterdir() if path.name not in STAYS)
    if left:
        verdict.remarks.append(f"The deletion is not finished: {', '.join(left)} is still there.")
    return tombstone


def _moved(folder: Path, verdict: Verdict) -> dict[str, int]:
    try:
        moved = moved_parts(folder)
    except (ManifestError, OSError):
        verdict.problems.append("It cannot be read which of its parts were moved out.")
        return {}
    if moved:
        verdict.remarks.append(
            f"{len(moved)} of its parts were moved to the second place: here they cannot be looked at. "
            "`python -m server copies verify` does it there."
        )
    return moved


def _parts(
    folder: Path, manifest: Manifest, moved: dict[str, int], progress: Callable[[int], None]
) -> Iterator[str]:
    there = {path.name: path for path in folder.iterdir()}
    for part in manifest.parts:
        path = there.pop(part.name, None)
        if path is None and moved.get(part.name) == part.size:
            pass
        elif path is None:
            yield f"{part.name} is missing."
        elif path.is_symlink() or not path.is_file():
            yield f"{part.name} is no file."
        elif path.stat().st_size != part.size:
            yield f"{part.name} has {path.stat().st_size} bytes, {part.size} were signed."
        elif hash_file(path).sm3 != part.sm3:
            yield f"{part.name} was changed."
        progress(part.size)
    if BEFORE_REPAIR in there and there[BEFORE_REPAIR].is_dir():
        del there[BEFORE_REPAIR]
    for name in sorted(there.keys() - NOT_PARTS):
        # a preview shows nothing that the signed parts do not, and can be made of them again
        if not name.endswith((".part", SUFFIX, PREVIEW)):
            yield f"{name} was slipped in: the manifest does not know it."


def _indices_of_later(folder: Path, manifest: Manifest) -> list[str]:
    """Name the frame indices that were made for a recording of before there were any."""
    signed = {part.name for part in manifest.parts}
    return sorted(path.name for path in folder.glob(f"*{SUFFIX}") if path.name not in signed)


def check_chain(verdicts: list[Verdict]) -> list[str]:
    """Follow the manifests from each to the one before: sentences about what is missing between them."""
    known = {verdict.recording: verdict for verdict in verdicts}
    followed: dict[str, str] = {}
    problems = []
    for verdict in verdicts:
        link = verdict.manifest.previous if verdict.manifest is not None else None
        if link is None:
            continue
        before = known.get(link.recording)
        if before is None:
            problems.append(f"{link.recording}, made before {verdict.recording}, is missing.")
        elif link.sm3 not in (before.digest, *(before.manifest.replaces if before.manifest else ())):
            problems.append(f"{link.recording} has another manifest than when {verdict.recording} was made.")
        if link.recording in followed:
            problems.append(
                f"{verdict.recording} and {followed[link.recording]} both follow {link.recording}."
            )
        followed[link.recording] = verdict.recording
    beginnings = [v.recording for v in verdicts if v.manifest is not None and v.manifest.previous is None]
    if len(beginnings) > 1:
        problems.append("Several chains begin here: " + ", ".join(sorted(beginnings)) + ".")
    return problems
