"""Beep and flash through journal, segments and MediaSource: what is seen on the glass is heard at the same time.

Three people with picture and sound, who flash and beep together every two seconds: one comes late and loses packets,
the sound of one takes longer over the network and is mute for a while. Chromium plays the recording on the real page;
each frame that it presents is noted with the time of its showing, and Web Audio takes the sound from the same elements.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from playwright.async_api import Page

from media.plane import Codec
from recorder.export.preparing import prepare
from recorder.recording import RecordedProducer
from tests.browser.chromium import browser, person, until
from tests.helpers.journal_media import (
    FRAME_TICKS,
    Report,
    Sent,
    camera,
    encode,
    encode_sound,
    record,
    sound,
    video,
)
from tests.helpers.journals import RECORDING
from tests.helpers.played import played
from tests.helpers.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FRAME = 1 / 30
#: Each block of two seconds has a flash and a beep at its middle.
BLOCK, MIDDLE = 2.0, 1.0
PICTURES, SOUNDS = 60, 100
#: The field's picture, and two faces; each one's sound is ten further.
FIELD, LATE, FAR = 7, 8, 9
#: When each one begins, and for how many blocks: all end together.
BEGIN = {FIELD: (0.1, 3), LATE: (2.1, 2), FAR: (0.1, 3)}
#: What sound takes longer over the network than the picture; the sender's reports tell.
FAR_SOUND = 0.06
#: What an element's clock, the sound's buffers and the screen's frames leave unknown.
BLUR = 0.02
#: Media times come in microseconds, rounded.
ROUNDED = 1e-5


def pictures_of(producer: int) -> list[Sent]:
    begin, blocks = BEGIN[producer]
    frames = encode(Codec.H264, PICTURES, flash_at=round(MIDDLE / FRAME))
    sent: list[Sent] = []
    for block in range(blocks):
        sent += video(
            producer,
            Codec.H264,
            frames,
            begin=begin + block * BLOCK,
            timestamp=producer * 1_000_000 + block * PICTURES * FRAME_TICKS,
            sequence=sent[-1].sequence + 1 if sent else 100,
        )
    if producer == LATE:
        # two packets of a picture are lost: nothing new is shown up to the next key frame
        fourth = producer * 1_000_000 + (PICTURES + 3) * FRAME_TICKS
        lost = [one for one in sent if one.timestamp == fourth][:2]
        sent = [one for one in sent if one not in lost]
    return sent


def sounds_of(producer: int) -> list[Sent]:
    begin, blocks = BEGIN[producer]
    packets = encode_sound(SOUNDS, beep_at=round(MIDDLE * 50)) * blocks
    sent = sound(producer + 10, packets, begin=begin, timestamp=producer * 500_000)
    if producer == FAR:
        # mute for a fifth of a second: nothing is sent, and the numbers go on
        sent = [
            replace(one, at=one.at + FAR_SOUND, sequence=one.sequence - 10 * (place >= 20))
            for place, one in enumerate(sent)
            if not 10 <= place < 20
        ]
    return sent


def reports_of(producer: int) -> Iterator[Report]:
    """Tell the time by the sender's own clock, which is anything."""
    begin, _ = BEGIN[producer]
    for number, rate, zero in ((producer, 90_000, 1_000_000), (producer + 10, 48_000, 500_000)):
        for after in (0.2, 0.7, 1.4):
            time = 1_700_000_000 + producer * 1000 + after
            yield Report(number, begin + after, time, producer * zero + round(after * rate))


def recorded(folder: Path) -> None:
    producers: list[RecordedProducer] = []
    packets: list[Sent] = []
    reports: list[Report] = []
    for producer in (FIELD, LATE, FAR):
        who = f"pt-{producer}"
        source = "field" if producer == FIELD else "camera"
        producers.append(camera(producer, participant=who, source=source))
        producers.append(camera(producer + 10, Codec.OPUS, participant=who))
        packets += [*pictures_of(producer), *sounds_of(producer)]
        reports += reports_of(producer)
    record(folder, producers, sorted(packets, key=lambda one: one.at), reports)
    prepare(folder)


def beeps_in(path: Path) -> list[float]:
    """Find where the tones begin in what is played of a sound."""
    with av.open(str(path)) as container:
        frames = [(float(frame.time), frame) for frame in container.decode(audio=0)]
        loud = [
            at + int(np.argmax(np.abs(samples).max(axis=0) > 0.1)) / frame.sample_rate
            for at, frame in frames
            if np.abs(samples := frame.to_ndarray().reshape(-1, frame.samples)).max() > 0.1
        ]
    return [at for before, at in zip([-1.0, *loud], loud, strict=False) if at - before > 0.5]


#: Notes each frame that is presented (when, of which media time, whether it is a flash), and when a tone begins in the
#: sound of the same element. An analyser keeps the newest 340 ms, so that nothing is lost where this comes late; the
#: sound's clock and the page's are read together, over and over.
_LISTEN = """producers => {
    const context = new AudioContext({ sampleRate: 48000 });
    const silent = new GainNode(context, { gain: 0 });
    silent.connect(context.destination);
    const sync = window.sync = { frames: {}, beeps: {}, clocks: [], context };
    const analysers = producers.map(producer => {
        const video = document.querySelector(`[data-testid="video-${producer}"]`);
        const frames = sync.frames[producer] = [];
        sync.beeps[producer] = [];
        const canvas = new OffscreenCanvas(8, 6).getContext('2d', { willReadFrequently: true });
        const note = (now, { expectedDisplayTime }) => {
            video.requestVideoFrameCallback(note);
            // a page that is told late finds the next frame on the glass: the time is taken from what is looked at
            const frame = new VideoFrame(video);
            const mediaTime = frame.timestamp / 1e6;
            canvas.drawImage(frame, 0, 0, 8, 6);
            frame.close();
            const { data } = canvas.getImageData(0, 0, 8, 6);
            let sum = 0;
            for (let i = 1; i < data.length; i += 4) sum += data[i];
            frames.push([Math.max(now, expectedDisplayTime) / 1000, mediaTime, sum / 48 > 150]);
        };
        video.requestVideoFrameCallback(note);
        const analyser = new AnalyserNode(context, { fftSize: 16384 });
        context.createMediaElementSource(video).connect(analyser).connect(silent);
        return [analyser, sync.beeps[producer]];
    });
    const samples = new Float32Array(16384);
    setInterval(() => {
        for (const [analyser, beeps] of analysers) {
            const at = context.currentTime;
            const now = performance.now() / 1000;
            analyser.getFloatTimeDomainData(samples);
            if (context.currentTime !== at || at < 0.5) continue;
            sync.clocks.push(now - at);
            const first = samples.findIndex(sample => Math.abs(sample) > 0.1);
            const beep = at - (samples.length - first) / 48000;
            // one that had begun before is in here without its beginning
            if (first > 480 && !beeps.some(known => Math.abs(known - beep) < 0.5)) beeps.push(beep);
        }
    }, 40);
    return context.resume();
}"""


async def play(page: Page, seconds: float) -> dict[str, Any]:
    """Play the recording to its end, and give what was seen and heard."""
    await page.get_by_test_id(f"video-{FAR}").wait_for(state="attached")
    await page.evaluate(_LISTEN, [FIELD, LATE, FAR])
    await page.get_by_test_id("play").click()
    # to the very end: while they still play a seek would go on, and a frame might be left out. The position is that of
    # the frame on the glass: on a busy machine the very last one may not have come
    await until(page, f"!k.playing && k.position > {seconds - 0.5}")
    found: dict[str, Any] = await page.evaluate(
        "({ frames: sync.frames, beeps: sync.beeps, clocks: sync.clocks })"
    )
    return found


async def look_at(page: Page, position: float) -> dict[str, Any]:
    """Go where all flash, and give the frames that are presented then: none of them can be left out."""
    before = await page.evaluate(
        "Object.fromEntries(Object.entries(sync.frames).map(([each, frames]) => [each, frames.length]))"
    )
    await page.get_by_test_id("seek").evaluate(
        "(bar, to) => { bar.value = to; bar.dispatchEvent(new Event('input', {bubbles: true})); }", position
    )
    counts = ", ".join(f"[{number}, {count}]" for number, count in before.items())
    await until(
        page, f"[{counts}].every(([n, count]) => window.sync.frames[n].slice(count).some(frame => frame[2]))"
    )
    frames: dict[str, Any] = await page.evaluate("sync.frames")
    await page.evaluate("sync.context.close()")
    return {number: frames[number][count:] for number, count in before.items()}


def lags(flashes: Sequence[float], beeps: Sequence[float]) -> list[float]:
    """Tell how much later each flash comes than the beep next to it."""
    return [min((flash - beep for beep in beeps), key=abs) for flash in flashes]


def apart(first: list[list[float]], second: list[list[float]], offset: float) -> list[float]:
    """Tell how far two pictures are from one another at each frame: as long as neither stands longer than usual."""
    times = np.array([time for time, _, _ in second])
    found = []
    for time, media, _ in first:
        place = int(np.searchsorted(times, time, side="right")) - 1
        if place >= 0 and time - times[place] < 2 * FRAME:
            found.append(media - (second[place][1] + (time - times[place])) - offset)
    return found


async def test_flash_and_beep_are_together_in_chromium_and_cameras_with_each_other(tmp_path: Path) -> None:
    async with served(tmp_path) as server, browser() as chromium:
        folder = server.folder / "recordings" / RECORDING
        await asyncio.to_thread(recorded, folder)
        description: Any = server.service.archive.library.description(RECORDING)
        cameras = {one["producer"]: one for one in description["cameras"]}
        assert {number: one["audio"] for number, one in cameras.items()} == {
            number: number + 10 for number in BEGIN
        }
        page = await person(
            chromium, f"{server.link('trainee', 'Maria', room='demo', page='replay')}&recording={RECORDING}"
        )
        await until(page, f"k.recording === '{RECORDING}'")
        found = await play(page, description["seconds"])
        stood = await look_at(page, BEGIN[LATE][0] + MIDDLE + FRAME / 2)

        flashes: dict[int, list[float]] = {}
        for number, one in cameras.items():
            seen = found["frames"][str(number)] + stood[str(number)]
            # each once: a frame may be presented again after a jump
            marked = sorted({round(media, 4) for _, media, flash in seen if flash})
            beeps = beeps_in(played(folder, one["audio"]))
            blocks = BEGIN[number][1]
            assert len(beeps) == blocks
            # exactly, by the media times that the browser gives its frames
            assert max(map(abs, lags(marked, beeps))) < 0.02, number
            flashes[number] = [one["offset"] + media for media in marked]
        # all of them flash together: the same block's flashes lie within a frame
        for flash in flashes[LATE] + flashes[FAR]:
            nearest = min((flash - other for other in flashes[FIELD]), key=abs)
            assert abs(nearest) < FRAME or abs(abs(nearest) - BLOCK) < FRAME, flashes

        # on the glass and in the ear, by one clock; a page's frames may be late, the middle one of them is not
        clock = statistics.median(found["clocks"])
        late = [
            lag
            for number in map(str, cameras)
            if found["beeps"][number]
            for lag in lags(
                [time for time, _, flash in found["frames"][number] if flash],
                [beep + clock for beep in found["beeps"][number]],
            )
        ]
        assert len(late) >= 3
        assert abs(statistics.median(late)) < FRAME + BLUR, late

        # while they play, cameras are of one moment
        for number in (LATE, FAR):
            offset = cameras[number]["offset"] - cameras[FIELD]["offset"]
            distances = apart(found["frames"][str(FIELD)], found["frames"][str(number)], offset)
            assert len(distances) > 30
            # frames are presented one at a time: one apart is within a frame
            assert statistics.median(map(abs, distances)) < FRAME + ROUNDED, (number, distances)
