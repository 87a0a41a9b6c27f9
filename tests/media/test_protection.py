"""Protection follows loss: at once upwards, slowly downwards, never above what is allowed."""

import pytest

from media.protection import LEAST, share_for


@pytest.mark.parametrize(
    ("loss", "current", "share"),
    [
        (0.0, 0.0, 0.0),
        (0.01, 0.0, 0.0),
        (0.02, 0.0, 0.06),
        (0.05, 0.0, 0.15),
        (0.05, 0.1, 0.15),
        (0.3, 0.0, 0.2),
        (0.0, 0.2, 0.16),
        (0.0, LEAST, 0.0),
        (0.02, 0.2, 0.16),
    ],
)
def test_the_share_by_loss(loss: float, current: float, share: float) -> None:
    assert share_for(loss, current, 0.2) == pytest.approx(share)


def test_what_is_not_allowed_is_not_sent() -> None:
    assert share_for(0.5, 0.0, 0.0) == 0.0


def test_protection_ends_some_time_after_the_loss() -> None:
    share, reports = share_for(0.1, 0.0, 0.5), 0
    while share:
        share, reports = share_for(0.0, share, 0.5), reports + 1
    assert 5 <= reports <= 15
