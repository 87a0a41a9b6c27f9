"""Whatever the server says of an image that it does not take or show, the page has words of its own for it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = [*(ROOT / "annotation" / "dicom").glob("*.py"), *(ROOT / "server" / "dicom").glob("*.py")]


def raised(name: str) -> list[ast.Call]:
    calls = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                if re.fullmatch(name, called):
                    calls.append(node)
    return calls


def text(node: ast.expr) -> str:
    assert isinstance(node, ast.Constant)
    assert isinstance(node.value, str)
    return node.value


def words(language: str) -> set[str]:
    catalogue = (ROOT / "web_client" / "src" / "words" / language / "dicom.ts").read_text()
    return set(re.findall(r"^  (\w+):", catalogue, re.MULTILINE))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_code_and_detail_of_an_error_has_words(language: str) -> None:
    known = words(language)
    errors = raised("DicomError")
    assert len(errors) > 40
    for call in errors:
        if not isinstance(call.args[0], ast.Constant):
            continue
        code, detail = text(call.args[0]), text(call.args[2]) if len(call.args) > 2 else ""
        if code in {"bad_query", "bad_request"}:
            # no page asks so
            continue
        assert {f"aside_code_{code}", f"image_refused_{code}"} & known, code
        if detail:
            assert {f"aside_detail_{detail}", f"image_refused_{detail}"} & known, detail


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_refusal_of_an_image_has_words(language: str) -> None:
    reasons = {
        text(keyword.value).replace(" ", "_")
        for call in raised("HTTP\\w+")
        for keyword in call.keywords
        if keyword.arg == "reason" and isinstance(keyword.value, ast.Constant)
    }
    assert {"withheld", "no_image", "disk_full"} <= reasons
    known = words(language)
    missing = [name for name in reasons if not {f"image_refused_{name}", f"upload_error_{name}"} & known]
    assert missing == []
