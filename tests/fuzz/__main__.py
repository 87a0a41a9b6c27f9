"""Fuzz for long: ``python -m tests.fuzz [TARGET ...] [--executions N]``, guided by coverage where the tools are there.

Native targets want clang (apt-get install clang), Python ones atheris (pip install atheris); without them, or with
`--by-chance`, seeds are changed by chance alone. What is found is written to build/fuzz.
"""

from __future__ import annotations

import argparse
import importlib.util
import shlex
import sys
import time
from pathlib import Path

from . import corpora, native_targets
from .changes import changed
from .targets import TARGETS

_GUIDED = """
import sys, atheris
with atheris.instrument_imports(include=["media", "signalling", "annotation"]):
    from tests.fuzz.targets import TARGETS
atheris.Setup(sys.argv[2:], TARGETS[sys.argv[1]])
atheris.Fuzz()
"""


def _guided(name: str) -> Path:
    """Write a program of one target: libFuzzer calls itself by its name when it chooses what to keep."""
    program = native_targets.BUILD / "python" / f"{name}.sh"
    program.parent.mkdir(parents=True, exist_ok=True)
    command = shlex.join([sys.executable, "-c", _GUIDED, name])
    program.write_text(f'#!/bin/sh\nexec {command} "$0" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return program


def fuzz_python(name: str, executions: int, *, guided: bool, keep: bool) -> str:
    """Run one Python target; returns how. Raise RuntimeError with what was found."""
    target = TARGETS[name]
    seeds = target.seeds + corpora.read(f"python-{name}")
    if not guided or importlib.util.find_spec("atheris") is None:
        for data in changed(seeds, executions, seed=int(time.time()), longest=target.longest):
            try:
                target(data)
            except Exception as error:
                raise RuntimeError(f"{name}: {data!r}") from error
        return "by chance"
    program = _guided(name)
    corpus = program.parent / name
    corpus.mkdir(exist_ok=True)
    for number, data in enumerate(seeds):
        (corpus / f"seed-{number:04}").write_bytes(data)
    native_targets.run_to_the_end(
        [
            str(program),
            f"-runs={executions}",
            f"-max_len={target.longest}",
            f"-artifact_prefix={corpus.parent}/found-",
            str(corpus),
        ]
    )
    if keep:
        corpora.write(f"python-{name}", native_targets.merged(program, corpus))
    return "guided by coverage"


def fuzz_native(name: str, executions: int, *, guided: bool, keep: bool) -> str:
    """Run one native target; returns how. Raise RuntimeError with what was found."""
    guided = guided and bool(native_targets.libfuzzer())
    corpus = native_targets.write_seeds(name, native_targets.BUILD / "corpora" / name)
    target = native_targets.build(guided=guided)[name]
    native_targets.run(target, executions, corpus, guided=guided, seed=int(time.time()))
    if guided and keep:
        corpora.write(f"native-{name}", native_targets.merged(target, corpus))
    return "guided by coverage" if guided else "by chance"


def main() -> int:
    """Run the targets named, or all; 1 if anything was found."""
    names = [*native_targets.TARGETS, *TARGETS]
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(names)}; default all")
    parser.add_argument("--native", action="store_true", help="the native ones of them only")
    parser.add_argument("--python", action="store_true", help="the Python ones of them only")
    parser.add_argument(
        "--by-chance", action="store_true", help="unguided, which takes less time an execution"
    )
    parser.add_argument(
        "--keep", action="store_true", help="write what is worth keeping to tests/fuzz/corpora"
    )
    parser.add_argument("--executions", type=int, default=100_000)
    options = parser.parse_args()
    found = 0
    for name in options.targets or names:
        # of two of one name (rtp) both are run
        for runner, known in ((fuzz_native, native_targets.TARGETS), (fuzz_python, TARGETS)):
            other = options.native if runner is fuzz_python else options.python
            if name not in known or other:
                continue
            began = time.monotonic()
            kind = "C" if runner is fuzz_native else "Python"
            try:
                how = runner(name, options.executions, guided=not options.by_chance, keep=options.keep)
            except RuntimeError as error:
                found += 1
                print(f"{name} ({kind}): FOUND\n{error}", flush=True)
                continue
            seconds = time.monotonic() - began
            print(f"{name} ({kind}): {options.executions:,} executions {how}, {seconds:.0f} s", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
