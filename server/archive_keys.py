"""The keys of the archive: whom new recordings are sealed for, the pair that opens them, the one that signs them."""

from __future__ import annotations

from pathlib import Path

from recorder.seal import keys, sm2
from recorder.seal.keys import DataKey
from recorder.seal.suites import SealError, Suite, check_suites, suite_named

from .config import ConfigError, SealConfig


class ArchiveKeys:
    """What `[seal]` says, checked once at the start."""

    def __init__(self, config: SealConfig) -> None:
        """Check the ciphers, and the keys by wrapping and opening one; make the pair if it is not there yet.

        Takes a tenth of a second. Raises ConfigError with a sentence.
        """
        self.suite: Suite | None = None
        self.private = Path(config.private_key) if config.private_key else None
        self._for: dict[str, bytes] = {}
        self._public = [Path(name) for name in config.public_keys]
        self.signing = Path(config.signing_key)
        try:
            public = _pair(self.signing)
            if not sm2.verify(public, b"check", sm2.sign(self.signing, b"check")):
                raise SealError("SM2 does not know its own signature.")
            if not config.suite:
                return
            self.suite = suite_named(config.suite)
            check_suites()
            if self.private is not None:
                self._public.insert(0, _pair(self.private))
            if not self._public:
                raise SealError("recordings are to be sealed, and there is no key to seal them for.")
            self._check()
        except (SealError, OSError) as error:
            raise ConfigError(f"[seal]: {error}") from None

    def _check(self) -> None:
        assert self.suite is not None
        key = DataKey.random(self.suite)
        wrapped = keys.wrap("check", key, self._public)
        if self.private is not None and wrapped.open(self.private) != key:
            raise SealError("SM2 does not give back what it was given.")

    def new(self, folder: Path) -> DataKey | None:
        """Draw the key of a new recording and put it, wrapped, in its folder; None when nothing is sealed.

        Takes about 15 ms: call it in a thread. Raises SealError, OSError.
        """
        if self.suite is None:
            return None
        key = DataKey.random(self.suite)
        keys.write(folder, keys.wrap(folder.name, key, self._public))
        return key


def _pair(private: Path) -> Path:
    """Give the public half of the pair, as a file beside it; make both where there is none."""
    public = private.with_suffix(".public.pem")
    if not private.exists():
        private.parent.mkdir(parents=True, exist_ok=True)
        sm2.generate(private)
    if private.stat().st_mode & 0o077:
        raise PermissionError(f"{private} can be read by others: chmod 600 it.")
    public.write_bytes(sm2.public_of(private))
    return public
