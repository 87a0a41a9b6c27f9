"""What holds for every test in a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.chromium import MISTAKES


@pytest.fixture(autouse=True)
def no_page_makes_a_mistake() -> Iterator[None]:
    """Fail where a page threw what nobody caught, even if it went on: it may turn in a circle below what is seen."""
    MISTAKES.clear()
    yield
    assert MISTAKES == []
