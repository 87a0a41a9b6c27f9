"""Fuzz for long: ``python -m tests.fuzz [TARGET ...] [--executions N]``, guided by coverage where the tools are there.

Native targets want clang (apt-get install clang), Python ones atheris (pip install atheris); without them seeds are
changed by chance alone. What is found is written to build/fuzz.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import time

from . import native_targets
from .changes import changed
from .targets import TARGETS

_GUIDED = """
import sys, atheris
with atheris.instrument_imports(include=["media", "signalling", "annotation"]):
    from tests.fuzz.targets import TARGETS
atheris.Setup(sys.argv[:1] + sys.argv[2:], TARGETS[sys.argv[1]])
atheris.Fuzz()
"""


def fuzz_python(name: str, executions: int) -> str:
    """Run one Python target; returns how. Raise RuntimeError with what was found."""
    target = TARGETS[name]
    if importlib.util.find_spec("atheris") is None:
        for data in changed(target.seeds, executions, seed=int(time.time())):
            try:
                target(data)
            except Exception as error:
                raise RuntimeError(f"{name}: {data!r}") from error
        return "by chance"
    corpus = native_targets.BUILD / "python" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(target.seeds):
        (corpus / f"seed-{number:02}").write_bytes(data)
    command = [sys.executable, "-c", _GUIDED, name, f"-runs={executions}", "-max_len=4096", str(corpus)]
    command.append(f"-artifact_prefix={corpus.parent}/found-")
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=native_targets.ROOT)
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    return "guided by coverage"


def fuzz_native(name: str, executions: int) -> str:
    """Run one native target; returns how. Raise RuntimeError with what was found."""
    guided = bool(native_targets.libfuzzer())
    corpus = native_targets.write_seeds(name, native_targets.BUILD / "corpora" / name)
    native_targets.run(native_targets.build(guided=guided)[name], executions, corpus, guided=guided)
    return "guided by coverage" if guided else "by chance"


def main() -> int:
    """Run the targets named, or all; 1 if anything was found."""
    names = [*native_targets.TARGETS, *TARGETS]
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(names)}; default all")
    parser.add_argument("--native", action="store_true", help="the native ones of them only")
    parser.add_argument("--executions", type=int, default=100_000)
    options = parser.parse_args()
    found = 0
    for name in options.targets or names:
        # of two of one name (rtp) both are run
        for runner, known in ((fuzz_native, native_targets.TARGETS), (fuzz_python, TARGETS)):
            if name not in known or (options.native and runner is fuzz_python):
                continue
            began = time.monotonic()
            kind = "C" if runner is fuzz_native else "Python"
            try:
                how = runner(name, options.executions)
                print(
                    f"{name} ({kind}): {options.executions:,} executions {how}, {time.monotonic() - began:.0f} s"
                )
            except RuntimeError as error:
                found += 1
                print(f"{name} ({kind}): FOUND\n{error}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
