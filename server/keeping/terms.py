"""When a recording's time is over: calendar years after it began, or the end of the consent that it is kept by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, get_args

Purpose = Literal["treatment", "teaching", "research"]
PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)

#: The class of what is kept for as long as there is consent to teaching.
BY_CONSENT: Final = "teaching"


@dataclass(frozen=True, slots=True)
class Consent:
    """What is known of consent to one use. Times are Unix milliseconds; `until` None: without an end."""

    given: bool
    at: int
    until: int | None = None

    def stands(self, now: int) -> bool:
        """Tell whether the use is allowed."""
        return self.given and (self.until is None or now < self.until)


def due(started: int, years: int | None, consent: Consent | None) -> int | None:
    """Say when a recording's time is over (Unix ms); None while nothing ends it.

    `years` None: it is kept by consent alone, and without any its time is over since it was made.
    """
    if years is not None:
        return later(started, years)
    if consent is None:
        return started
    return consent.until if consent.given else consent.at


def later(started: int, years: int) -> int:
    """Add calendar years; what began on 29 February ends on 1 March where there is none."""
    begun = datetime.fromtimestamp(started / 1000, UTC)
    try:
        ended = begun.replace(year=begun.year + years)
    except ValueError:
        ended = begun.replace(year=begun.year + years, month=3, day=1)
    return int(ended.timestamp() * 1000)
