"""When a recording's time is over."""

from __future__ import annotations

from datetime import UTC, datetime

from server.keeping.terms import Consent, due


def ms(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, 9, 30, tzinfo=UTC).timestamp() * 1000)


def test_years_are_the_calendar_s() -> None:
    assert due(ms(2026, 11, 22), 3, None) == ms(2029, 11, 22)
    assert due(ms(2024, 2, 29), 15, None) == ms(2039, 3, 1)
    assert due(ms(2024, 2, 29), 4, None) == ms(2028, 2, 29)


def test_what_is_kept_by_consent_ends_with_it() -> None:
    began, given, ended = ms(2026, 11, 22), ms(2026, 11, 23), ms(2027, 1, 1)
    assert due(began, None, Consent(True, given)) is None
    assert due(began, None, Consent(True, given, until=ended)) == ended
    assert due(began, None, Consent(False, ended)) == ended
    assert due(began, None, None) == began


def test_consent_stands_until_its_end() -> None:
    assert Consent(True, 0).stands(1 << 50)
    assert Consent(True, 0, until=10).stands(9)
    assert not Consent(True, 0, until=10).stands(10)
    assert not Consent(False, 0).stands(1)
