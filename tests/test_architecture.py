"""The plan of the house (docs/architecture.md) against the imports: who may import whom, and what has one home."""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("annotation", "loadtests", "media", "recorder", "server", "signalling")

#: Which other top-level folders each may import.
MAY_IMPORT: dict[str, set[str]] = {
    "annotation": set(),
    "media": set(),
    "signalling": set(),
    "recorder": {"annotation", "media"},
    "server": {"annotation", "media", "recorder", "signalling"},
    "loadtests": {"annotation", "media", "recorder", "signalling"},
}

#: The one home of each heavy dependency (or the two, where DESIGN says so): paths that begin so.
HOMES: dict[str, tuple[str, ...]] = {
    "aiortc": ("media/transport/",),
    "aioice": ("media/transport/",),
    "OpenSSL": ("media/transport/",),
    "pylibsrtp": ("media/", "loadtests/"),
    "av": (
        "recorder/export/",
        "server/publisher/",
        "server/demo/",
        "server/watching/",
        "server/dicom/films.py",
        "loadtests/archive.py",
    ),
    "cv2": ("server/demo/", "annotation/tracking/", "loadtests/tracking/", "recorder/export/composed/"),
    "pynetdicom": ("server/dicom/",),
    "highdicom": ("annotation/dicom/",),
    "PIL": ("annotation/dicom/", "recorder/export/composed/"),
    "gdcm": ("annotation/dicom/",),
    "pydicom": (
        "annotation/dicom/",
        "server/demo/images.py",
        "loadtests/tracking/",
        "loadtests/images_series.py",
    ),
    "numpy": (
        "annotation/dicom/",
        "recorder/export/",
        "recorder/segments/joining.py",  # thousands of packets' places a second
        "server/demo/",
        "server/watching/",
        "server/theatre/pictures.py",
        "server/theatre/indexed.py",
        "loadtests/",
        "annotation/tracking/",
    ),
    "aiohttp": ("server/", "loadtests/server_process.py", "loadtests/hls.py", "loadtests/peers/"),
    "prometheus_client": ("server/", "loadtests/server_process.py"),
    "websockets": ("loadtests/",),
    "obstore": ("server/keeping/store.py",),
    "jwt": ("signalling/tokens.py",),
}

#: What would make the core depend on when and where it runs.
EFFECTS = frozenset({"asyncio", "multiprocessing", "random", "secrets", "select", "socket", "subprocess"})
EFFECTS |= {"threading", "time"}

CORE = ("annotation/", "media/", "recorder/", "signalling/")

#: The shell's rooms within the core's folders: DTLS and SCTP, the disk thread, C, worker processes, OpenSSL.
SHELL = (
    "media/transport/",
    "recorder/writer.py",
    "media/native/",
    "recorder/export/",
    "recorder/seal/sm2.py",
)


@cache
def sources(*folders: str) -> list[str]:
    """List the Python files below these folders, relative to the root."""
    return sorted(
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if "node_modules" not in path.parts
    )


@cache
def imports(path: str) -> tuple[tuple[str, int], ...]:
    """Name the imports of a file, with their level (0: absolute). A file is parsed once for all tests."""
    found: list[tuple[str, int]] = []
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"), path)):
        if isinstance(node, ast.Import):
            found += [(alias.name, 0) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.module or "", node.level))
    return tuple(found)


def absolute(path: str) -> set[str]:
    """Name the top-level packages that a file imports absolutely."""
    return {name.partition(".")[0] for name, level in imports(path) if level == 0}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_imports_only_whom_it_may(folder: str) -> None:
    found = {
        (path, other)
        for path in sources(folder)
        for other in absolute(path) & {*FOLDERS, "tests", "web_client"}
    }
    assert {(path, other) for path, other in found if other not in MAY_IMPORT[folder]} == set()


@pytest.mark.parametrize("folder", FOLDERS)
def test_relative_imports_stay_within_their_folder(folder: str) -> None:
    for path in sources(folder):
        depth = path.count("/")
        assert all(level <= depth for _, level in imports(path)), path


@pytest.mark.parametrize("package", HOMES)
def test_a_heavy_dependency_has_one_home(package: str) -> None:
    users = [path for path in sources(*FOLDERS) if package in absolute(path)]
    assert [path for path in users if not path.startswith(HOMES[package])] == []


def test_each_home_is_lived_in() -> None:
    everything = set[str]().union(*(absolute(path) for path in sources(*FOLDERS)))
    # aioice is aiortc's own, and stays so
    assert set(HOMES) - everything <= {"aioice"}


def test_the_core_has_no_clock_no_socket_and_no_chance() -> None:
    found = {
        path: absolute(path) & EFFECTS
        for path in sources(*(folder.rstrip("/") for folder in CORE))
        if not path.startswith(SHELL) and absolute(path) & EFFECTS
    }
    assert found == {}


def test_no_module_bears_the_name_of_a_standard_one() -> None:
    # a module that is run, or whose folder is the working one, would stand before the standard one
    names = {Path(path).stem for path in sources(*FOLDERS)} | set(FOLDERS)
    assert names & sys.stdlib_module_names == set()


def test_no_file_of_the_core_is_longer_than_a_person_reads() -> None:
    long = {path for path in sources(*FOLDERS) if len((ROOT / path).read_text().splitlines()) > 600}
    assert long == set()
