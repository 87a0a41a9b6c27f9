"""Build the native packet plane in place: ``python setup.py build_ext --inplace`` (``make`` does so)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from setuptools import Extension, setup

if {"bdist_wheel", "sdist", "install"} & set(sys.argv):
    sys.exit(
        "Konsil is an application, not a library: check it out and run `make run`, or `pip install -e .`."
    )

NATIVE = Path("media/native")
# leak counters; `sanitize` adds what wants an interpreter that was started with libasan: `make debug` does so
DEBUG = os.environ.get("KONSIL_DEBUG", "") in {"1", "sanitize"}
SANITIZERS = (
    ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"]
    if os.environ.get("KONSIL_DEBUG") == "sanitize"
    else []
)

setup(
    ext_modules=[
        Extension(
            "media.native._native",
            sources=sorted(str(path) for path in NATIVE.glob("*.c")),
            depends=sorted(str(path) for path in NATIVE.glob("*.h")),
            extra_compile_args=[
                "-std=gnu11",
                "-Wall",
                "-Wextra",
                "-Werror=implicit-function-declaration",
                "-pthread",
                *(["-O1", "-g", "-UNDEBUG", "-DKONSIL_DEBUG=1", *SANITIZERS] if DEBUG else ["-O3", "-g1"]),
            ],
            extra_link_args=["-pthread", *SANITIZERS],
        )
    ],
    options={"build": {"build_base": "build/native"}},
)
