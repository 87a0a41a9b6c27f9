"""Signs a finished recording, and binds it to the one that was finished before."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from .journal import encode_json
from .library import JOURNAL, SUMMARY, read_header
from .manifest import MANIFEST, SIGNATURE, UNSIGNED, JournalEnd, Link, Manifest, ManifestError, Part
from .parts import write_part
from .seal import sm2
from .seal.digest import sm3

#: In the folder of all recordings: which manifest was made last.
LAST = "last-manifest.json"


def sign_recording(
    folder: Path,
    signing: Path,
    now: float,
    previous: Link | None = None,
    replaces: tuple[str, ...] = (),
) -> None:
    """Make the manifest of a recording whose files have been made; one that has one is left as it is.

    `now` is Unix seconds. After a repair it `replaces` others, and follows the same `previous` one
    as they did. Takes about 20 ms. Raises ManifestError, JournalError, SealError, OSError.
    """
    if (folder / MANIFEST).exists():
        return
    # of two servers on one folder one is after the other, or both would follow the same
    with _alone(folder.parent):
        _sign(folder, signing, now, previous, replaces)


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    opened = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # a disk without locks is none less
            fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _sign(folder: Path, signing: Path, now: float, previous: Link | None, replaces: tuple[str, ...]) -> None:
    header = read_header(folder / JOURNAL)
    try:
        summary = json.loads((folder / SUMMARY).read_bytes())
        unsigned = json.loads((folder / UNSIGNED).read_bytes())
        manifest = Manifest(
            recording=folder.name,
            room=header.room,
            started=header.started,
            state=summary["state"],
            made=int(now),
            signer=sm2.fingerprint_of_pair(signing),
            parts=tuple(Part(part["name"], part["size"], part["sm3"]) for part in unsigned["parts"]),
            operations=unsigned["log"]["operations"],
            log_head=unsigned["log"]["head"],
            previous=previous if replaces else _last(folder.parent),
            replaces=replaces,
            journal=JournalEnd(**unsigned["journal"]),
        )
    except (ValueError, KeyError, TypeError):
        raise ManifestError("What the export left to be signed cannot be read.") from None
    data = bytes(manifest)
    write_part(folder / SIGNATURE, sm2.sign(signing, data), None)
    # a kill from here on leaves no manifest, and all is made again, or leaves it for `catch_up`
    (folder / UNSIGNED).unlink()
    write_part(folder / MANIFEST, data, None)
    if not replaces or _last(folder.parent) == Link(folder.name, replaces[-1]):
        _write_last(folder.parent, Link(folder.name, sm3(data).hex()))


def catch_up(root: Path) -> None:
    """Find the manifest that was made last, where a kill came between it and the note of it. Raises OSError."""
    last = _last(root) if root.is_dir() else None
    found = {}
    for path in root.glob(f"*/{MANIFEST}"):
        data = path.read_bytes()
        try:
            found[Manifest.parse(data).previous] = Link(path.parent.name, sm3(data).hex())
        except ManifestError:
            continue
    while (following := found.pop(last, None)) is not None:
        last = following
        _write_last(root, last)


def _last(root: Path) -> Link | None:
    try:
        fields = json.loads((root / LAST).read_bytes())
        return Link(str(fields["recording"]), str(fields["sm3"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise ManifestError(f"{LAST} cannot be read: it says which manifest was made last.") from None


def _write_last(root: Path, link: Link) -> None:
    write_part(root / LAST, encode_json({"recording": link.recording, "sm3": link.sm3}), None)
