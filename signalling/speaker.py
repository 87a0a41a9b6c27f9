"""Who speaks? From the loudness that microphones tell of themselves (RFC 6464), smoothed, and slow to change its mind.

Each voice has a loudness that rises quickly and falls slowly, so that a pause for breath is not silence. Another
becomes the speaker only when it is clearly louder for a while: a cough is not a speech. Who falls silent stays the
speaker until another speaks, or until nobody has for some seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: Loudness is counted in dB above this floor: -dBov 127 is silence, a quiet room about 60, speech 10 to 40.
FLOOR: Final = 55

#: Seconds in which loudness follows up and down by 63 %.
RISE: Final = 0.15
FALL: Final = 0.9

#: dB above the floor that are speech.
SPEECH: Final = 6.0

#: So many dB louder, for so long in seconds, another takes over.
MARGIN: Final = 4.0
HOLD: Final = 0.5

#: Seconds of silence after which nobody is the speaker.
SILENCE: Final = 3.0


class ActiveSpeaker:
    """Tells the speaker among voices, by whatever names them. `now` is in seconds and must not step back."""

    def __init__(self) -> None:
        self._loudness: dict[str, float] = {}
        self._speaker: str | None = None
        self._rival: tuple[str, float] | None = None
        self._last = 0.0
        self._spoke = 0.0

    @property
    def speaker(self) -> str | None:
        """Who speaks, or spoke last."""
        return self._speaker

    def receive_levels(self, levels: Mapping[str, int], now: float) -> bool:
        """Take the level of each voice (-dBov, 0 loudest, 127 silence); True if the speaker has changed."""
        elapsed, self._last = max(0.0, now - self._last), now
        self._loudness = {name: self._follow(name, level, elapsed) for name, level in levels.items()}
        before = self._speaker
        self._choose(now)
        return self._speaker != before

    def _follow(self, name: str, level: int, elapsed: float) -> float:
        before = self._loudness.get(name, 0.0)
        target = float(max(0, FLOOR - level))
        time = RISE if target > before else FALL
        return before + (target - before) * min(1.0, elapsed / time)

    def _choose(self, now: float) -> None:
        own = self._loudness.get(self._speaker, 0.0) if self._speaker is not None else 0.0
        if self._speaker not in self._loudness:
            self._speaker = None  # gone, or muted
        if own >= SPEECH:
            self._spoke = now
        loudest = max(self._loudness, key=lambda name: self._loudness[name], default=None)
        if loudest is None or loudest == self._speaker or self._loudness[loudest] < max(SPEECH, own + MARGIN):
            self._rival = None
        elif self._rival is None or self._rival[0] != loudest:
            self._rival = (loudest, now)
        if self._rival is not None and (self._speaker is None or now - self._rival[1] >= HOLD):
            self._speaker, self._spoke, self._rival = self._rival[0], now, None
        elif self._speaker is not None and now - self._spoke > SILENCE:
            self._speaker = None
