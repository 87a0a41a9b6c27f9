"""Why an export is refused is said in the reader's language."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def codes_of(source: Path) -> set[str]:
    calls = [node for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.Call)]
    refusals = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "ExportError"]
    return {ast.literal_eval(call.args[1]) for call in refusals if len(call.args) > 1}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_refusal_has_its_words(language: str) -> None:
    sources = [*(ROOT / "server" / "exporting").glob("*.py"), *(ROOT / "recorder" / "export").rglob("*.py")]
    codes = set().union(*map(codes_of, sources))
    assert {"no_patient", "picture_restricted"} <= codes
    words = (ROOT / "web_client" / "src" / "words" / language / "exports.ts").read_text()
    assert codes <= set(re.findall(r"exports_why_([a-z_]+):", words))
