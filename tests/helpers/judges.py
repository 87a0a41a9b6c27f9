"""Foreign judges of DICOM objects: DCMTK's dcmpschk and dsrdump, dicom3tools' dciodvfy."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from pydicom.dataset import Dataset

#: What the judges do not know, or hold to be a matter of taste.
TASTE = re.compile(
    r"Retired Person Name form|Value is zero for value 1 of attribute <Patient's Weight>"
    # neither knows UTF-8: what is checked in ASCII is checked
    r"|does not support this Specific Character Set|Check for template constraints not yet supported"
    # a pair of a body part may be known or not: the source image did not say
    r"|only permitted to be empty when actually unknown"
    # a code of our own, where there is no standard one
    r"|Unrecognized defined term <99KONSIL>"
    # the first line of dcmpschk names the file
    r"|W: Testing: |W: Test passed"
)


def complaints(judge: str, dataset: Dataset, folder: Path) -> list[str]:
    """Have a judge look at an object; returns the lines of what it finds wrong."""
    program = shutil.which(judge)
    assert program is not None, f"{judge} is missing: `make setup-test` installs it"
    path = folder / f"{judge}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    done = subprocess.run([program, str(path)], capture_output=True, timeout=60, check=False)
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
    found = [line for line in lines if re.match(r"(E:|W:|F:|Error|Warning)", line) and not TASTE.search(line)]
    # dcmpschk says nothing wrong with its exit code
    return [*found, *([f"exit code {done.returncode}"] if done.returncode else [])]


def said(judge: str, dataset: Dataset, folder: Path) -> str:
    """Give all that a judge says."""
    path = folder / f"{judge}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    done = subprocess.run([judge, str(path)], capture_output=True, timeout=60, check=False)
    return (done.stdout + done.stderr).decode("utf-8", "replace")
