"""The second place: an ordinary folder or an S3-compatible store, behind the same few verbs.

What fails raises StoreError with a sentence that names no key, no address and no credentials.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, S3Store

from ..config import ConfigError, CopiesConfig

if TYPE_CHECKING:
    from obstore.store import S3Config

#: Bytes of a piece on the wire; S3 takes 10,000 of them an object, so that a part may have 160 GB.
PIECE = 16 << 20
#: Pieces under way at once: two, so that the line is never idle and live pictures keep most of it.
_AT_ONCE = 2
_SCHEME = "s3://"


class StoreError(Exception):
    """The second place did not do it; the text is a sentence."""


class Store:
    """What is kept in the second place, by names such as `recordings/<id>/journal.kjr`."""

    def __init__(self, config: CopiesConfig, environment: Mapping[str, str]) -> None:
        """Raise ConfigError where the place, or its credentials, cannot be."""
        self._store = _open(config, environment)

    async def put(self, name: str, pieces: AsyncIterator[bytes]) -> None:
        """Write an object: whole, or not at all. Raise StoreError, and what the pieces raise."""
        failed: list[Exception] = []

        async def given() -> AsyncIterator[bytes]:
            try:
                async for piece in pieces:
                    yield piece
            except Exception as error:
                # what goes through the store's own code comes back as another error
                failed.append(error)
                raise

        try:
            await obstore.put_async(self._store, name, given(), chunk_size=PIECE, max_concurrency=_AT_ONCE)
        except Exception as error:
            if failed:
                raise failed[0] from None
            raise _failed("written", error) from None

    async def get(self, name: str) -> AsyncIterator[bytes]:
        """Read an object in pieces. Raise StoreError."""
        try:
            result = await obstore.get_async(self._store, name)
            async for piece in result.stream(min_chunk_size=1 << 20):
                yield bytes(piece)
        except (BaseError, OSError) as error:
            raise _failed("read", error) from None

    async def sizes(self, prefix: str) -> dict[str, int]:
        """Name the objects under a prefix such as `recordings/<id>`, with their bytes. Raise StoreError."""
        found: dict[str, int] = {}
        try:
            async for some in obstore.list(self._store, prefix):
                found |= {meta["path"]: meta["size"] for meta in some}
        except (BaseError, OSError) as error:
            raise _failed("looked through", error) from None
        return found

    async def remove(self, names: list[str]) -> None:
        """Remove objects; one that is not there is no fault. Raise StoreError."""
        for name in names:
            try:
                await obstore.delete_async(self._store, name)
            except NotFoundError:
                continue
            except (BaseError, OSError) as error:
                raise _failed("cleared", error) from None


def _failed(what: str, error: Exception) -> StoreError:
    kind = (
        ""
        if isinstance(error, OSError) and not isinstance(error, BaseError)
        else f" ({type(error).__name__})"
    )
    return StoreError(f"The second place could not be {what}{kind}.")


def open_store(config: CopiesConfig, environment: Mapping[str, str] = os.environ) -> Store | None:
    """Open the second place; None where there is none. Raise ConfigError."""
    return Store(config, environment) if config.place else None


def _open(config: CopiesConfig, environment: Mapping[str, str]) -> ObjectStore:
    if not config.place.startswith(_SCHEME):
        try:
            Path(config.place).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"[copies] place: the folder cannot be made ({error.strerror}).") from None
        return LocalStore(Path(config.place).resolve(), automatic_cleanup=True)
    bucket, _, prefix = config.place.removeprefix(_SCHEME).partition("/")
    name, secret = _credentials(config, environment)
    options: S3Config = {"region": config.region, "access_key_id": name, "secret_access_key": secret}
    if config.endpoint:
        options["endpoint"] = config.endpoint
    try:
        return S3Store(
            bucket,
            prefix=prefix,
            config=options,
            client_options={"allow_http": config.endpoint.startswith("http://"), "timeout": "5 minutes"},
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=60)},
        )
    except BaseError as error:
        raise ConfigError(f"[copies]: the store cannot be used ({type(error).__name__}).") from None


def _credentials(config: CopiesConfig, environment: Mapping[str, str]) -> tuple[str, str]:
    if config.credentials_file:
        path = Path(config.credentials_file)
        try:
            if path.stat().st_mode & 0o077:
                raise ConfigError(f"[copies] credentials_file: {path} can be read by others: chmod 600 it.")
            lines = path.read_text("utf-8").split()
        except (OSError, UnicodeDecodeError):
            raise ConfigError(f"[copies] credentials_file: {path} cannot be read.") from None
    else:
        lines = [environment.get(key, "") for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
    if len(lines) != 2 or not all(lines):
        raise ConfigError("[copies]: the store needs an access key's name and its secret.")
    return lines[0], lines[1]
