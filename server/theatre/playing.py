"""When each recorded picture leaves, and under which RTP timestamp: play, pause, seek and speed. No clock, no file.

There is one time line of what is sent: an RTP timestamp is the instant (by the steady clock of `now`, seconds) at which
its picture belongs on the glass, for all tracks by the same rule. So whatever is done the timestamps rise, sound and
picture lie together, and one sender report a second says all of it. The recording's time lies upon it piece by piece:

    instant = at + (time - position) / speed      while it plays, from `at` on, when `position` is shown
    instant = at - (position - time) / haste      in the run-up: what a decoder needs to show `position`, from the
                                                  picture on that it can begin at, as quickly as the lines take it

A pause is a time line on which nothing is sent. Who comes meanwhile, or has lost a picture, is helped by a run-up to
the very position: everybody is sent it, for they are all sent the same.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from .pictures import Pictures

#: No run-up is shorter, seconds, nor hastier: decoders have to follow.
SHORTEST_RUN_UP = 0.05
MOST_HASTE = 16.0
#: Run-ups on behalf of who lacks a picture: so long after the one before, while it stands still and while it plays.
REPEAT_PAUSED = 1.0
REPEAT_PLAYING = 5.0
#: Where nothing stands at a position yet, the first picture is shown that comes within so many seconds: a camera is a
#: little late everywhere at a recording's begin, and a dark screen would say that there is none.
LEAD = 2.0
#: A picture that a decoder can begin at is waited for so long while it plays, seconds.
PATIENCE = 2.0
#: Later than this is a pause of ours and not a hiccup: what was missed is not sent in a rush.
MOST_LATE = 0.5


@dataclass(frozen=True, slots=True)
class Sending:
    """A picture that leaves now. `begins`: it does not follow on from the one before. The timestamp is not cut."""

    track: int
    picture: int
    timestamp: int
    begins: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """What is shown: `position` (seconds of the recording) at the instant `at`, which may be still to come.

    `frames`: of each track the timestamp of the picture that shows `position`, or of the one that comes first after it,
    where nothing was before; None: there is none.
    """

    playing: bool
    position: float
    at: float
    speed: float
    frames: dict[int, int | None]


@dataclass(slots=True)
class _Voice:
    """One track on its way."""

    pictures: Pictures
    rate: int
    first: int
    next: int = 0
    intact: bool = False
    begins: bool = True
    newest: int | None = None
    frame: int | None = None
    #: pictures of the run-up, each with the instant at which it leaves
    run_up: list[tuple[float, int]] = field(default_factory=list)
    haste: float = 1.0


class Player:
    """Plays the tracks of one recording together. It begins paused, at `seek`."""

    def __init__(
        self, tracks: dict[int, Pictures], firsts: dict[int, int], seconds: float, epoch: float
    ) -> None:
        """`firsts` are the RTP timestamps that belong to the instant `epoch`; `seconds`: how long the recording is."""
        self.seconds = seconds
        self.version = 0
        self._voices = {
            name: _Voice(pictures, pictures.track.clock_rate, firsts[name])
            for name, pictures in tracks.items()
        }
        self._epoch = epoch
        self._playing = False
        self._speed = 1.0
        self._position, self._at = 0.0, epoch
        self._bits = 0

    # -- what is asked ---------------------------------------------------------------------------------------------

    def position(self, now: float) -> float:
        """Return what is shown."""
        passed = max(0.0, now - self._at) * self._speed if self._playing else 0.0
        return min(self._position + passed, self.seconds)

    def standing(self) -> Standing:
        """Say what is shown, and what is going to be."""
        frames = {name: voice.frame for name, voice in self._voices.items() if not voice.pictures.sound}
        return Standing(self._playing, self._position, self._at, self._speed, frames)

    def timestamp(self, track: int, instant: float) -> int:
        """Give the RTP timestamp of an instant, not cut to 32 bits."""
        voice = self._voices[track]
        return voice.first + round((instant - self._epoch) * voice.rate)

    # -- what is done ----------------------------------------------------------------------------------------------

    def play(self, now: float) -> None:
        """Go on from where it stands; from the beginning where it stands at the end."""
        if self._playing:
            return
        if self._position >= self.seconds:
            self.seek(0.0, now, self._bits)
        self._playing = True
        self._go_on(now)

    def pause(self, now: float) -> None:
        """Stand still."""
        if self._playing:
            position = self.position(now)
            self._playing = False
            self._stand(position, max(now, self._at))

    def set_speed(self, speed: float, now: float) -> None:
        """Go on faster or slower. Sound is heard at speed 1 alone: nothing here resamples it."""
        if speed == self._speed:
            return
        position = self.position(now)
        self._speed = speed
        self._stand(position, max(now, self._at))
        self._go_on(now)

    def seek(self, position: float, now: float, bits_per_second: int) -> None:
        """Show another position, played or standing as before; the run-up takes so many bits a second."""
        position = min(max(position, 0.0), self.seconds)
        self._bits = bits_per_second
        self.version += 1
        begin = now
        longest, bits, runs = 0.0, 0, {}
        for name, voice in self._voices.items():
            if voice.newest is not None:
                # a picture that waits for its turn on the glass is not overtaken
                begin = max(begin, self._epoch + (voice.newest - voice.first + 1) / voice.rate)
            numbers, voice.intact = ([], True) if voice.pictures.sound else voice.pictures.until(position)
            voice.next, voice.begins = voice.pictures.after(position), True
            if not numbers and not voice.pictures.sound:
                # it is sent once more when its time has come: as nothing was before it a decoder begins there again
                ahead = voice.pictures.first_within(position, LEAD)
                numbers = [] if ahead is None else [ahead]
            runs[name] = numbers
            bits += voice.pictures.bits(numbers)
            if numbers:
                longest = max(longest, position - float(voice.pictures.times[numbers[0]]))
        takes = max(SHORTEST_RUN_UP, longest / MOST_HASTE, min(longest, bits / max(1, bits_per_second)))
        self._position, self._at = position, begin + takes
        for name, voice in self._voices.items():
            self._lay(name, voice, runs[name], takes)

    def want_picture(self, now: float) -> bool:
        """Note that somebody lacks a picture to begin with; return whether a run-up serves it."""
        since = now - self._at
        if since < (REPEAT_PLAYING if self._playing else REPEAT_PAUSED):
            return False
        position = self.position(now)
        if self._playing and all(
            voice.pictures.sound or voice.pictures.comes_soon(position, PATIENCE * self._speed)
            for voice in self._voices.values()
        ):
            return False
        self.seek(position, now, self._bits)
        return True

    # -- time ------------------------------------------------------------------------------------------------------

    def get_timer(self) -> float | None:
        """When `due` has something next; None while it stands still."""
        timers = [voice.run_up[0][0] for voice in self._voices.values() if voice.run_up]
        if self._playing:
            timers.append(self._instant(self.seconds))
            timers += [
                self._instant(float(voice.pictures.due[voice.next]))
                for voice in self._voices.values()
                if not voice.run_up and voice.next < len(voice.pictures)
            ]
        return min(timers, default=None)

    def due(self, now: float) -> list[Sending]:
        """Take what leaves now, in the order of time; at the end it stands still."""
        self._forgive(now)
        found: list[tuple[float, Sending]] = []
        for name, voice in self._voices.items():
            found += self._run_up(name, voice, now)
            if self._playing and not voice.run_up and now >= self._at:
                found += self._played(name, voice, now)
        if self._playing and now >= self._instant(self.seconds):
            self._playing = False
            self._stand(self.seconds, now)
        found.sort(key=lambda pair: pair[0])
        return [sending for _, sending in found]

    def _instant(self, time: float) -> float:
        return self._at + (time - self._position) / self._speed

    def _stand(self, position: float, at: float) -> None:
        self._position, self._at = position, at
        self.version += 1

    def _go_on(self, now: float) -> None:
        """Begin a new piece of the time line at what is shown."""
        if any(voice.pictures.reordered for voice in self._voices.values()):
            # pictures that were sent before they are shown lie on the old piece, those between them would on the new
            self.seek(self._position, now, self._bits)
            return
        self._stand(self._position, max(now, self._at))
        for voice in self._voices.values():
            if voice.pictures.sound:
                voice.next, voice.begins = voice.pictures.after(self._position), True

    def _forgive(self, now: float) -> None:
        timer = self.get_timer()
        if timer is None or now - timer <= MOST_LATE:
            return
        late = now - timer
        if now - late >= self._at and self._playing:
            self._stand(self.position(now - late), now)
            return
        self._at += late
        self.version += 1
        for voice in self._voices.values():
            voice.run_up = [(instant + late, picture) for instant, picture in voice.run_up]
            if voice.frame is not None:
                voice.frame += round(late * voice.rate)

    def _lay(self, name: int, voice: _Voice, numbers: list[int], takes: float) -> None:
        """Lay a run-up on the time line: it ends at `_at` with the picture of the position."""
        voice.run_up = []
        voice.frame = None
        if not numbers:
            return
        if float(voice.pictures.times[numbers[0]]) > self._position:
            # the first picture, ahead of its time: it stands where the position does
            voice.run_up, voice.haste = [(self._at, numbers[0])], float("inf")
            voice.frame = self.timestamp(name, self._at)
            return
        length = max(self._position - float(voice.pictures.times[numbers[0]]), 1e-3)
        haste = length / takes
        shown = 0.0
        for number in numbers:
            time = float(voice.pictures.times[number])
            voice.run_up.append((self._at - (self._position - time) / haste, number))
            shown = max(shown, time)
        # what leaves first is shown last where pictures are sent out of order: leave as the decoder needs them
        leaving = float("inf")
        for place in range(len(voice.run_up) - 1, -1, -1):
            leaving = min(leaving, voice.run_up[place][0])
            voice.run_up[place] = (leaving, voice.run_up[place][1])
        voice.frame = self.timestamp(name, self._at - (self._position - shown) / haste)
        voice.haste = haste

    def _run_up(self, name: int, voice: _Voice, now: float) -> list[tuple[float, Sending]]:
        count = bisect_right(voice.run_up, now, key=lambda pair: pair[0])
        leaving, voice.run_up = voice.run_up[:count], voice.run_up[count:]
        found = []
        for instant, number in leaving:
            shown = self._at - (self._position - float(voice.pictures.times[number])) / voice.haste
            found.append((instant, self._send(name, voice, number, shown)))
        return found

    def _played(self, name: int, voice: _Voice, now: float) -> list[tuple[float, Sending]]:
        found = []
        pictures = voice.pictures
        while voice.next < len(pictures):
            number = voice.next
            instant = self._instant(float(pictures.due[number]))
            if instant > now:
                break
            voice.next += 1
            if pictures.sound:
                if self._speed == 1.0 and pictures.begins(number):
                    shown = self._instant(float(pictures.times[number]))
                    found.append((instant, self._send(name, voice, number, shown)))
                continue
            follows = pictures.follows(number, intact=voice.intact)
            # after something is missing the names of pictures go on as if nothing had been there
            voice.begins = voice.begins or not voice.intact or pictures.jumps(number)
            voice.intact = follows
            if follows:
                shown = self._instant(float(pictures.times[number]))
                found.append((instant, self._send(name, voice, number, shown)))
        return found

    def _send(self, name: int, voice: _Voice, number: int, shown: float) -> Sending:
        timestamp = self.timestamp(name, shown)
        begins, voice.begins = voice.begins, False
        voice.newest = timestamp if voice.newest is None else max(voice.newest, timestamp)
        return Sending(name, number, timestamp, begins)
