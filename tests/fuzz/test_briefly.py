"""Every fuzz target for a moment; `make fuzz` runs them for long."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import corpora, native_targets
from .changes import changed
from .targets import TARGETS

#: Executions of each Python target, and of each native one.
PYTHON = 4_000
NATIVE = {
    "codecs": 100_000,
    "rtp": 100_000,
    "dependency": 20_000,
    "streams": 10_000,
    "whole_plane": 4_000,
    "frames": 50_000,
    "tapped": 50_000,
}


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_refuses_or_takes_whatever_comes(name: str) -> None:
    target = TARGETS[name]
    seeds = target.seeds + corpora.read(f"python-{name}")
    # whole descriptions take their time
    count = PYTHON // 20 if target.longest > 1000 else PYTHON
    for data in changed(seeds, count, seed=1, longest=target.longest):
        target(data)


@pytest.fixture(scope="session")
def built() -> dict[str, Path]:
    return native_targets.build(guided=False)


@pytest.mark.parametrize("name", native_targets.TARGETS)
def test_the_plane_survives_whatever_comes(name: str, built: dict[str, Path], tmp_path: Path) -> None:
    corpus = native_targets.write_seeds(name, tmp_path / name)
    said = native_targets.run(built[name], NATIVE[name], corpus, guided=False)
    assert f"{NATIVE[name]} executions" in said


def test_what_was_kept_is_of_a_target_and_short() -> None:
    names = {f"python-{name}" for name in TARGETS} | {f"native-{name}" for name in native_targets.TARGETS}
    for path in corpora.FOLDER.iterdir():
        kept = corpora.read(path.stem)
        assert path.stem in names
        assert 0 < sum(map(len, kept)) <= corpora.MOST
        assert len(set(kept)) == len(kept)


def test_a_byte_too_far_is_noticed(built: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    with pytest.raises(RuntimeError, match="use-after-poison"):
        native_targets.run(built[native_targets.WRONG], 1, tmp_path / "corpus", guided=False)


def test_a_target_can_find_something() -> None:
    """A parser that is wrong is noticed: the seeds' changes do reach it."""

    def wrong(data: bytes) -> int:
        return data[data[0]]

    with pytest.raises(IndexError):
        list(map(wrong, changed((b"\1\2\3",), 1000, seed=1)))
