"""Live sound without holes, as long as its samples, in segments that begin with its picture's."""

from __future__ import annotations

import io
from itertools import pairwise

import av

from recorder.export.sample_entry import sound_parameters
from recorder.segments import fmp4
from recorder.segments.live import Cut, LiveTrack
from recorder.segments.live_sound import PATIENCE, TOLERANCE, LiveSound
from tests.helpers.journal_media import encode_sound

RATE = 48_000
PACKETS = encode_sound(200)


def seen(time: int) -> float:
    return 1_700_000_000 + time / RATE


def picture(
    seconds: float, begin: float = 1.0, key_every: int = 63, track: LiveTrack | None = None
) -> LiveTrack:
    """Feed a picture of 30 frames a second from `begin` on, a key frame each 2.1 s."""
    track = track or LiveTrack(90_000)
    for number in range(round(seconds * 30)):
        track.receive(round((begin + number / 30) * 90_000), b"x", number % key_every == 0, 0.0)
    return track


class Noting(LiveTrack):
    """A track that also notes what it is given: when, and the number that a packet bears."""

    def __init__(self, timescale: int) -> None:
        super().__init__(timescale)
        self.given: list[tuple[int, int]] = []

    def receive(self, time: int, sample: bytes, key: bool, at: float, cut: Cut | None = None) -> bool:
        self.given.append((time, int.from_bytes(sample[1:5], "big")))
        return super().receive(time, sample, key, at, cut)


def times(track: LiveTrack) -> list[int]:
    """Let FFmpeg read all that is given of a track: where each packet of it lies."""
    pieces = [track.segment(number) or b"" for number in range(track.whole)]
    upcoming = track.next_part
    pieces += [track.part(upcoming[0], part) or b"" for part in range(upcoming[1])]
    whole = fmp4.write_init(sound_parameters().entry, RATE, 0, None) + b"".join(pieces)
    with av.open(io.BytesIO(whole)) as container:
        return [int(packet.pts or 0) for packet in container.demux(audio=0) if packet.size]


def test_holes_are_silent_and_every_sample_has_its_time() -> None:
    track = LiveTrack(RATE)
    voice = LiveSound(track, seen)
    # a packet is lost, then the microphone is off for three seconds, then one comes twice and one too late
    places = [n * 960 for n in range(40) if n != 20] + [n * 960 for n in range(190, 260)]
    places.insert(60, places[59])
    places.insert(70, places[30])
    for number, place in enumerate(places):
        voice.receive(RATE + place, PACKETS[number])
    found = times(track)
    assert [after - before for before, after in pairwise(found)] == [960] * (len(found) - 1)
    assert found[0] == RATE
    assert found[-1] > RATE + 250 * 960


def test_a_clock_that_runs_wrong_costs_a_packet_now_and_then_and_never_the_sync() -> None:
    for step in (955, 965):  # half a per cent: far worse than any microphone
        track = Noting(RATE)
        voice = LiveSound(track, seen)
        for number in range(3000):
            # a packet that bears its number: 20 ms of CELT
            voice.receive(number * step, b"\xfc" + number.to_bytes(4, "big"))
        given = track.given
        assert [after - before for (before, _), (after, _) in pairwise(given)] == [960] * (len(given) - 1)
        apart = [time - number * step for time, number in given if number < 3000]
        assert max(map(abs, apart)) <= TOLERANCE + 960
        assert abs(len(given) * 960 - 3000 * step) <= TOLERANCE + 960


def test_segments_begin_with_the_pictures() -> None:
    leader = LiveTrack(90_000)
    track = LiveTrack(RATE)
    voice = LiveSound(track, seen, leader)
    sent = 0
    # sound comes a little before its picture, which is encoded
    for number in range(30 * 12):
        at = 1.0 + number / 30
        while sent / 50 < number / 30 + 0.1:
            voice.receive(RATE + sent * 960, PACKETS[sent % 200])
            sent += 1
        leader.receive(round(at * 90_000), b"x", number % 63 == 0, at)
    voice.advance()
    text, ours = leader.playlist(), track.playlist()
    assert leader.whole >= 5
    assert track.whole == leader.whole
    lasting = [
        [float(line[8:-1]) for line in given.splitlines() if line.startswith("#EXTINF")]
        for given in (text, ours)
    ]
    # to a packet of 20 ms
    assert all(abs(a - b) <= 0.0201 for a, b in zip(*lasting, strict=True))


def test_sound_begins_with_its_pictures_segment_whenever_it_comes() -> None:
    leader = picture(9.0)
    track = LiveTrack(RATE)
    voice = LiveSound(track, seen, leader)
    assert leader.segment_at(0.9) is None
    for number in range(200):
        voice.receive(round(4.3 * RATE) + number * 960, PACKETS[number])
    assert leader.segment_at(4.3) == 1.0 + 63 / 30
    # silent from there to the first sound
    assert times(track)[0] == round((1.0 + 63 / 30) * RATE)
    assert track.whole == 2


def test_sound_does_not_wait_for_a_picture_that_stands() -> None:
    leader = picture(3.0)
    track = LiveTrack(RATE)
    voice = LiveSound(track, seen, leader)
    for number in range(500):
        voice.receive(RATE + number * 960, PACKETS[number % 200])
    # the picture stopped at 4 s; sound goes on to what waited long enough
    assert times(track)[-1] / RATE > 11 - PATIENCE - 0.4
    # and a hole of the picture is said of the sound too, so that players count alike
    picture(5.0, begin=20.0, track=leader)
    for number in range(500, 1200):
        voice.receive(RATE + number * 960, PACKETS[number % 200])
    assert leader.discontinuities == track.discontinuities == 1


def test_silence_follows_the_picture_while_the_microphone_is_off() -> None:
    leader = LiveTrack(90_000)
    track = LiveTrack(RATE)
    voice = LiveSound(track, seen, leader)
    for number in range(30 * 10):
        leader.receive(90_000 + number * 3000, b"x", number % 63 == 0, 0.0)
        if number < 60:
            for packet in range(number * 5 // 3, (number + 1) * 5 // 3):
                voice.receive(RATE + packet * 960, PACKETS[packet])
        voice.advance()
    found = times(track)
    assert found[-1] / RATE > 11 - PATIENCE - 0.4
    assert {after - before for before, after in pairwise(found)} == {960}
