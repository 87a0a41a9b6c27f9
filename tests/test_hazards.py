"""docs/hazards.md is true: every control that it names is in the code, every test is there, every risk is reckoned."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "hazards.md").read_text("utf-8")
HAZARDS = re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
#: What the issue that asked for the log names, by a word of its title.
ASKED = (
    "mark that lies",
    "wrong patient",
    "believed to be live",
    "mirrored",
    "wrong measure",
    "Lost sound",
    "unknown expert",
    "overload",
)

REFERENCE = re.compile(r"`([\w./-]+\.(?:py|ts|svelte|json))(?:::([^`]+))?`")


def references() -> list[tuple[str, str]]:
    return sorted({(path, name) for path, name in REFERENCE.findall(TEXT)})


def stands(path: str, name: str, source: str) -> bool:
    """Tell whether a file defines what is named: a test by its words, anything else by its name."""
    if path.endswith(".test.ts"):
        return re.search(rf"\b(?:it|test)\('{re.escape(name)}'", source) is not None
    if path.endswith(".py"):
        return (
            re.search(
                rf"\b(?:def|class) {re.escape(name)}\b|^\s*{re.escape(name)}\b.*=", source, re.MULTILINE
            )
            is not None
        )
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", source) is not None


@pytest.mark.parametrize(("path", "name"), references())
def test_what_is_named_is_there(path: str, name: str) -> None:
    file = ROOT / path
    assert file.is_file(), f"there is no {path}"
    if name:
        assert stands(path, name, file.read_text("utf-8")), f"{path} has no {name}"


def test_the_check_can_fail() -> None:
    assert not stands("x.py", "test_gone", "def test_gone_by() -> None: ...")
    assert not stands("x.test.ts", "is called", "it('is called lost', () => {});")
    assert not stands("x.svelte", "look", "const overlook = 1;")


@pytest.mark.parametrize("hazard", HAZARDS, ids=[hazard.split()[0] for hazard in HAZARDS])
def test_a_hazard_is_whole_and_its_risk_is_reckoned(hazard: str) -> None:
    for part in ("**Cause**", "**Harm**", "**Before**", "**After**", "**Remains**"):
        assert part in hazard
    controls = re.split(r"\*\*Control\*\*", hazard)[1:]
    assert controls
    for control in controls:
        place, _, test = control.partition("**Test**")
        assert REFERENCE.search(place), f"a control without a place: {control[:60]}"
        assert re.search(r"`(?:tests|web_client/test)/", test), f"a control without a test: {control[:60]}"
    risks = re.findall(r"S([1-5]) × P([1-5]) = (\d+)", hazard)
    assert len(risks) == 2
    assert all(int(severity) * int(probability) == int(risk) for severity, probability, risk in risks)
    before, after = (int(risk) for _, _, risk in risks)
    assert after < before
    assert after < 12, "what is not acceptable is not released"


def test_every_hazard_that_was_asked_for_has_its_entry() -> None:
    titles = [hazard.partition("\n")[0] for hazard in HAZARDS]
    for words in ASKED:
        assert any(words in title for title in titles), words
