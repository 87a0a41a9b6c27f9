"""Parts of recordings in the second place: what they are called there, and how they come back, each proved."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import hashes

from recorder.manifest import MANIFEST, SIGNATURE, Manifest, ManifestError, Part, hash_file
from recorder.moved import MOVED, moved_parts
from recorder.seal.keys import KEY_FILE

from .store import Store, StoreError

#: Bytes that are hashed at once, other work has its turn between.
PIECE = 256 << 10


def object_name(recording: str, file: str) -> str:
    """Name a part of a recording in the second place."""
    return f"recordings/{recording}/{file}"


def read_manifest(folder: Path) -> Manifest:
    """Read a recording's manifest. Raises ManifestError, OSError."""
    return Manifest.parse((folder / MANIFEST).read_bytes())


def parts_of(folder: Path) -> list[Part]:
    """List what of a recording is copied: its signed parts, the manifest, its signature, the wrapped key."""
    besides = [folder / name for name in (MANIFEST, SIGNATURE, KEY_FILE)]
    return [*read_manifest(folder).parts, *(hash_file(path) for path in besides if path.exists())]


async def hash_there(store: Store, recording: str, file: str) -> str:
    """Read a part in the second place and give its SM3. Raise StoreError."""
    digest = hashes.Hash(hashes.SM3())
    async for piece in store.get(object_name(recording, file)):
        for start in range(0, len(piece), PIECE):
            digest.update(piece[start : start + PIECE])
            await asyncio.sleep(0)
    return digest.finalize().hex()


async def fetch_back(store: Store, folder: Path, tell: Callable[[float], None] = lambda _: None) -> None:
    """Fetch back what is missing of a recording that was moved out; what came before a kill is not fetched again.

    `tell` is told how far it has come, 0-1, and may raise. Raise StoreError, OSError, ManifestError.
    """
    missing = await asyncio.to_thread(_missing, folder)
    signed = {part.name: part for part in (await asyncio.to_thread(read_manifest, folder)).parts}
    size, done = sum(missing.values()) or 1, 0
    for file in missing:
        if file not in signed:
            raise ManifestError("A part that was moved out is not one that was signed.")
        coming = folder / (file + ".part")
        digest = hashes.Hash(hashes.SM3())
        with await asyncio.to_thread(coming.open, "wb") as out:
            async for piece in store.get(object_name(folder.name, file)):
                for start in range(0, len(piece), PIECE):
                    digest.update(piece[start : start + PIECE])
                    await asyncio.sleep(0)
                await asyncio.to_thread(out.write, piece)
                done += len(piece)
                tell(min(done / size, 1.0))
            await asyncio.to_thread(_to_disk, out.fileno())
        if digest.finalize().hex() != signed[file].sm3:
            coming.unlink()
            raise StoreError(f"{file} in the second place is not what was signed.")
        coming.replace(folder / file)
    (folder / MOVED).unlink(missing_ok=True)


def _to_disk(file: int) -> None:
    os.fsync(file)


def _missing(folder: Path) -> dict[str, int]:
    return {file: size for file, size in moved_parts(folder).items() if not (folder / file).exists()}
