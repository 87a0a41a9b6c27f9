"""Builds the native plane's fuzz targets with address and undefined-behaviour sanitizers, and runs them."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import corpora, recording_targets

ROOT = Path(__file__).parent.parent.parent
PLANE = ROOT / "media" / "native"
SOURCES = Path(__file__).parent / "native"
BUILD = ROOT / "build" / "fuzz"

#: And the longest input that a guided run tries: what is longer repeats itself, and costs executions.
TARGETS = {
    "codecs": 256,
    "rtp": 512,
    "dependency": 600,
    "streams": 4096,
    "whole_plane": 2048,
    "frames": 400,
    "tapped": 300,
}

#: Built beside them: it shows that a byte too far is noticed.
WRONG = "wrong"

_SANITIZERS = "address,undefined"
_FLAGS = [
    *("-std=gnu11", "-g", "-pthread", "-fno-sanitize-recover=undefined", "-DKONSIL_DEBUG=1"),
    *(f"-I{PLANE}", f"-I{SOURCES}"),
]
_LINK = ["-pthread", "-lm"]

#: Targets of a whole plane, and the parts of the kernel that they play themselves.
_KERNEL = {
    "streams": ("recv", "sendmsg", "epoll_wait", "epoll_ctl", "close", "shutdown"),
    "whole_plane": ("sendmmsg", "sendto"),
}

#: What speaks to Python is not of the packet path.
_PYTHON = re.compile(r'#include (<Python\.h>|"(plane_type|types)\.h")')


def libfuzzer() -> str:
    """Return the compiler that has libFuzzer, empty where there is none."""
    return shutil.which("clang") or ""


def build(*, guided: bool) -> dict[str, Path]:
    """Build all targets: with libFuzzer when `guided`, else with the system's compiler and our own driver."""
    folder = BUILD / ("guided" if guided else "driven")
    folder.mkdir(parents=True, exist_ok=True)
    compiler = libfuzzer() if guided else "cc"
    wanted = f"{_SANITIZERS},fuzzer-no-link" if guided else _SANITIZERS
    # who runs it for long has compiled it soon; for a moment it is not worth it
    flags = [*_FLAGS, "-O2" if guided else "-O1", f"-fsanitize={wanted}"]
    plane = [path for path in sorted(PLANE.glob("*.c")) if not _PYTHON.search(path.read_text())]
    headers = [*PLANE.glob("*.h"), *SOURCES.glob("*.h")]
    newest = max(path.stat().st_mtime for path in [*plane, *headers, *SOURCES.glob("*.c")])
    built = {name: folder / name for name in (*TARGETS, WRONG)}
    if all(path.exists() and path.stat().st_mtime > newest for path in built.values()):
        return built

    def compile_one(path: Path) -> str:
        target = folder / f"{path.stem}.o"
        run_to_the_end([compiler, *flags, "-c", str(path), "-o", str(target)])
        return str(target)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compile_one, plane))
        archive = folder / "plane.a"
        archive.unlink(missing_ok=True)
        # each target takes of it what it calls: only one of them plays the kernel
        run_to_the_end(["ar", "rcs", str(archive), *objects])
        common = [str(SOURCES / "room.c"), *([] if guided else [str(SOURCES / "driver.c")])]
        link = f"-fsanitize={_SANITIZERS},fuzzer" if guided else f"-fsanitize={_SANITIZERS}"

        def link_one(name: str) -> None:
            sources = [str(SOURCES / f"{name}.c"), *common]
            if name in _KERNEL:
                sources.append(str(SOURCES / "plane_alone.c"))
            wraps = [f"-Wl,--wrap={function}" for function in _KERNEL.get(name, ())]
            command = [compiler, *_FLAGS, link, *sources, str(archive), *_LINK, *wraps]
            run_to_the_end([*command, "-o", str(built[name])])

        list(pool.map(link_one, built))
    return built


def run_to_the_end(command: list[str]) -> str:
    """Run a command; returns what it said. Raise RuntimeError with that if it failed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)[:400]}\n{done.stdout[-2000:]}{done.stderr[-6000:]}")
    return done.stdout + done.stderr


def run(target: Path, executions: int, corpus: Path, *, guided: bool, seed: int = 1) -> str:
    """Run a target; returns what it said. Raise RuntimeError with that where it found something."""
    if guided:
        longest = TARGETS[target.name]
        command = [str(target), f"-runs={executions}", f"-seed={seed}", f"-max_len={longest}", str(corpus)]
        command.append(f"-artifact_prefix={corpus.parent}/found-")
    else:
        command = [str(target), str(executions), str(seed), *map(str, sorted(corpus.iterdir()))]
    return run_to_the_end(command)


def merged(program: Path, corpus: Path) -> list[bytes]:
    """Have a target's libFuzzer choose of a corpus the inputs that reach all that it reaches, few and short ones."""
    with tempfile.TemporaryDirectory() as folder:
        run_to_the_end([str(program), "-merge=1", folder, str(corpus)])
        return [path.read_bytes() for path in Path(folder).iterdir()]


def write_seeds(name: str, folder: Path) -> Path:
    """Write a target's seeds, and what was kept of earlier runs, as files; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate([*SEEDS[name](), *corpora.read(f"native-{name}")]):
        (folder / f"seed-{number:04}").write_bytes(data)
    return folder


_KEY_FRAMES = (
    b"\x01",
    b"\x65\x88",
    b"\x10\0\0\0\x9d\x01\x2a",
    b"\x8c\x80\x01\x0b\1\2",
    b"\x18\x0a",
    b"\x26\x01",
)


def _codecs() -> list[bytes]:
    payloads = [*_KEY_FRAMES, b"\x7c\x85", b"\x90\xe0\x80\1\2\x20", b"\x8f\x90\x81\x03", b"\x98\1\x0a\x0b"]
    seeds = [bytes([codec]) + payload + bytes(20) for codec in range(6) for payload in payloads]
    return [*seeds, b"\x6c" + _redundant(0x6C, 7), b"\x6c" + _redundant(0x6C, 0)]


def _redundant(payload_type: int, before: int) -> bytes:
    """Sound with a block of so many bytes that was sent before (RFC 2198)."""
    return bytes([0x80 | payload_type, 0x0F, 0, before, payload_type]) + bytes(before + 9)


def _packet(number: int, payload: bytes) -> bytes:
    extensions = (
        b"\x51" + struct.pack("!H", 100 + number) + b"\x37" + bytes(8) + b"\x40\x14" + b"\x82\x80\0\1\0\0"
    )
    extensions += bytes(-len(extensions) % 4)
    header = struct.pack("!BBHII", 0x90, 0x80 | 96, 10 + number, 3000 * number, 1000)
    return header + struct.pack("!HH", 0xBEDE, len(extensions) // 4) + extensions + payload


def _rtp() -> list[bytes]:
    return [_packet(1, b"\x65" + bytes(20)), b"\x80\x60" + bytes(10), b"\xb2\x60" + bytes(30) + b"\4"]


def _dependency() -> list[bytes]:
    # a structure of two templates, and frames by it
    structure = b"\x80\0\1\x80\x01\x1e\xa8\x51\x41\x01\x0c\x13\xfc\x0b\x3c"
    return [bytes([len(structure)]) + structure + b"\3\x81\0\2" + b"\4\xc1\0\3\x40", b"\3\0\0\0"]


def _whole_plane() -> list[bytes]:
    def step(kind: int, data: bytes) -> bytes:
        return struct.pack("!BH", kind, len(data)) + data

    nack = struct.pack("!BBHIIHH", 0x81, 205, 3, 1, 3000, 3, 0xFFFF)
    told = struct.pack("!BBHIIHHI", 0x8F, 205, 6, 1, 3000, 0, 8, 1 << 8) + b"\x20\x08" + b"\4" * 8 + b"\0\0"
    seeds = []
    for codec, key_frame in enumerate(_KEY_FRAMES):
        for parts in (0x00, 0x12, 0x61, 0x71):
            steps = [bytes([codec, parts])]
            for number in range(10):
                payload = (key_frame if number % 4 == 0 else b"\x01") + bytes(30)
                steps.append(step(0, _packet(number, payload)))
                if number == 4:
                    steps += [step(6, b"\0\1\1\1"), step(6, b"\2\0\x40\0"), step(6, b"\3\1\x14\5")]
                if number == 6:
                    steps += [
                        step(1, b"\x80\x61" + _packet(number, b"\0\5" + payload)[2:]),
                        step(6, b"\4\x80\0\0"),
                    ]
                if number == 7:
                    steps += [step(6, b"\6\0\0\0"), step(5, b"\xff\0"), step(6, b"\6\1\1\1")]
            steps += [
                step(3, nack),
                step(3, told),
                step(5, b"\xff\xff"),
                step(2, b"\x90" * 30),
                step(5, b"\1\0"),
            ]
            seeds.append(b"".join(steps))
    for parts in (0x00, 0xA0, 0xF1):
        steps = [bytes([0, parts])]
        for number in range(10):
            red = bytearray(_packet(number, _redundant(96, 10 * number)))
            red[1] += 2 * (number % 4 > 0)
            steps.append(step(0, bytes(red)))
        seeds.append(b"".join([*steps, step(3, nack), step(5, b"\1\0")]))
    return seeds


def _streams() -> list[bytes]:
    def step(kind: int, data: bytes) -> bytes:
        return struct.pack("!BH", kind, len(data)) + data

    stun = b"\0\x14\0\1\0\0\x21\x12\xa4\x42" + bytes(12)
    steps = [
        *(step(0, stun + stun[:5]), step(0, stun[5:] + b"\0\x0c\x80\x60" + bytes(10)), step(2, b"\0\x40")),
        *(step(3, b"\4\0"), step(1, b"\0\x10"), step(2, b"\0\x50"), step(1, b"\1\0"), step(4, b"\3\xff")),
        *(step(1, b"\xff\xff"), step(3, b"\1\1"), step(4, b"\0\x20"), step(1, b"\x10\1"), step(5, b"\7\xff")),
    ]
    large = step(0, b"\5\xdc\x80\xc9" + bytes(1600)) + step(0, b"\5\xdd\x80\xc9" + bytes(1700))
    return [b"\0" + b"".join(steps), b"\1" + b"".join(steps), b"\1" + step(5, b"\7\xff"), b"\0" + large]


SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "codecs": _codecs,
    "rtp": _rtp,
    "dependency": _dependency,
    "streams": _streams,
    "whole_plane": _whole_plane,
    "frames": lambda: list(recording_targets.PICTURES),
    "tapped": lambda: list(recording_targets.TAPPED),
}
