"""Why an export is refused, or failed, is said in the reader's language."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


#: What bears a sentence and a code.
SAYING = {"ExportError", "ContainerError", "Failure"}


def codes_of(source: Path) -> set[str]:
    calls = [node for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.Call)]
    said = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id in SAYING]
    codes = [code for call in said for code in call.args[1:2] if isinstance(code, ast.Constant)]
    return {str(code.value) for code in codes}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_refusal_and_failure_has_its_words(language: str) -> None:
    sources = [*(ROOT / "server" / "exporting").glob("*.py"), *(ROOT / "recorder" / "export").rglob("*.py")]
    codes = set().union(*map(codes_of, sources))
    assert {"no_patient", "picture_restricted", "disk_full", "disk", "no_picture", "killed"} <= codes
    words = (ROOT / "web_client" / "src" / "words" / language / "exports.ts").read_text()
    assert codes <= set(re.findall(r"exports_why_([a-z_]+):", words))
    # and other programs are told of them
    told = (ROOT / "signalling" / "PROTOCOL.md").read_text()
    assert [code for code in codes if f"`{code}`" not in told] == []
