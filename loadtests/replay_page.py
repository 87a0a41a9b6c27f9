"""What is measured in the replay page: when which picture is on the glass, and what its plate says of it meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from playwright.async_api import Page

from .replay_recording import PRODUCER, SOUND, Made

#: Seconds that a page may take for anything.
PATIENCE: Final = 60.0

#: Before the recording is opened. `glass.frames` is what every picture element presented: when, and of which media
#: time; `glass.wrong` counts screens on which the plate said another moment than the picture's for longer than three
#: frames of the screen, since a frame is told of before it is painted, and the page's words follow it.
_WATCH: Final = """([producer, offset]) => {
    const glass = window.glass = { frames: [], wrong: 0, started: 0, waited: 0 };
    const watch = video => {
        glass.video = video;
        const note = (now, frame) => {
            video.requestVideoFrameCallback(note);
            glass.frames.push([Math.max(now, frame.expectedDisplayTime), frame.mediaTime]);
        };
        video.requestVideoFrameCallback(note);
        video.addEventListener('waiting', () => { if (!video.seeking) glass.waited += 1; });
    };
    let apart = 0;
    const look = () => {
        requestAnimationFrame(look);
        if (!glass.video) {
            const video = document.querySelector(`[data-testid="video-${producer}"]`);
            if (video) watch(video);
            return;
        }
        const plate = document.querySelector(`[data-testid="mode-${producer}"]`);
        const newest = glass.frames.at(-1);
        if (!plate || !newest || !plate.dataset.at) return;
        const said = (Number(plate.dataset.at) - glass.started) / 1000 - offset;
        apart = Math.abs(said - newest[1]) > 0.3 ? apart + 1 : 0;
        if (apart === 4) glass.wrong += 1;
    };
    requestAnimationFrame(look);
    performance.setResourceTimingBufferSize(5000);
}"""

#: Open it as a person does. The first picture counts when it is presented.
_OPEN: Final = """([recording, started]) => new Promise(done => {
    glass.started = started;
    const begun = performance.now();
    document.querySelector(`[data-testid="recording-${recording}"]`).click();
    const timer = setInterval(() => {
        if (glass.frames.length === 0) return;
        clearInterval(timer);
        done(glass.frames[0][0] - begun);
    }, 5);
})"""

#: Move the playhead as the bar does. `wished` is the picture's media time, `half` half the time that it stands.
_SEEK: Final = """([producer, position, wished, half]) => new Promise(done => {
    performance.clearResourceTimings();
    const bar = document.querySelector('[data-testid="seek"]');
    const first = glass.frames.length;
    const begun = performance.now();
    bar.value = position;
    bar.dispatchEvent(new Event('input', { bubbles: true }));
    const timer = setInterval(() => {
        const news = glass.frames.slice(first);
        const exact = news.find(([, time]) => Math.abs(time - wished) < half);
        if (!exact) return;
        clearInterval(timer);
        const fetched = performance.getEntriesByType('resource')
            .filter(entry => entry.startTime >= begun)
            .filter(({ name }) => name.includes(`/${producer}/`) && name.endsWith('.m4s'))
            .map(entry => ({
                number: Number(entry.name.match(/(\\d+)\\.m4s$/)[1]),
                made: entry.responseStart - entry.requestStart,
                end: entry.responseEnd - begun,
                bytes: entry.encodedBodySize,
            }));
        done({ first: news[0][0] - begun, exact: exact[0] - begun, shown: news.map(([, time]) => time), fetched });
    }, 4);
})"""

#: Read the number that the picture on the glass bears (docs/barcode.md); null: there is none.
_BARCODE: Final = """() => {
    const { videoWidth: width, videoHeight: height } = glass.video;
    const cell = height / 40;
    const [across, down] = [Math.ceil(20 * cell), Math.ceil(2 * cell)];
    const context = new OffscreenCanvas(across, down).getContext('2d');
    context.drawImage(glass.video, 0, 0, across, down, 0, 0, across, down);
    const { data } = context.getImageData(0, 0, across, down);
    const mean = k => {
        let [sum, count] = [0, 0];
        for (let y = Math.floor(0.75 * cell); y < Math.ceil(1.25 * cell); y++)
            for (let x = Math.floor((k + 0.75) * cell); x < Math.ceil((k + 1.25) * cell); x++) {
                sum += data[4 * (y * across + x) + 1];
                count += 1;
            }
        return sum / count;
    };
    const [light, dark] = [mean(0), mean(1)];
    if (width === 0 || !(light - dark >= 64)) return null;
    let number = 0;
    for (let k = 2; k < 18; k++) number = 2 * number + (mean(k) > (light + dark) / 2 ? 1 : 0);
    return number;
}"""

#: Play at a speed for some seconds: how often it stood still for want of pictures, and how far it came.
_PLAY: Final = """([speed, seconds]) => new Promise(done => {
    const choice = document.querySelector('[data-testid="speed"]');
    const set = value => {
        choice.value = value;
        choice.dispatchEvent(new Event('change', { bubbles: true }));
    };
    set(speed);
    const before = glass.waited;
    const from = window.konsil.position;
    const quality = glass.video.getVideoPlaybackQuality();
    document.querySelector('[data-testid="play"]').click();
    setTimeout(() => {
        document.querySelector('[data-testid="play"]').click();
        set(1);
        const now = glass.video.getVideoPlaybackQuality();
        done({
            waited: glass.waited - before,
            share: (window.konsil.position - from) / (speed * seconds),
            dropped: (now.droppedVideoFrames - quality.droppedVideoFrames) /
                Math.max(1, now.totalVideoFrames - quality.totalVideoFrames),
        });
    }, seconds * 1000);
})"""


class WrongPicture(AssertionError):
    """Another picture is on the glass than the page says."""


@dataclass(frozen=True, slots=True)
class Seek:
    """One seek, milliseconds: to the first other picture, to the wished one, of it until its segments were there, and
    the time of the server for one of them; `distance_s` is how far behind its key frame it lies."""

    first: float
    exact: float
    fetched: float
    made: float
    segments: int
    megabytes: float
    distance_s: float
    #: Media times of all that was on the glass on the way, the wished one last.
    way: tuple[float, ...] = ()


class ReplayPage:
    """The replay page of one recording."""

    def __init__(self, page: Page, made: Made) -> None:
        self.page = page
        self._made = made
        description: Any = made.library.description(made.recording)
        (camera,) = description["cameras"]
        self._offset = float(camera["offset"])
        self._first = int(camera["first_rtp_timestamp"])
        self._started = float(description["started"])
        self._starts: list[float] = []
        assert camera["audio"] == SOUND, "the sound is not that of the picture"
        assert self._first == made.wanted.timestamp(0), "the first picture is not the one that was recorded"

    async def open(self) -> float:
        """Open the recording from the list; milliseconds to the first picture on the glass."""
        recording = self._made.recording
        await self.page.get_by_test_id(f"recording-{recording}").wait_for()
        await self.page.evaluate(_WATCH, [int(PRODUCER), self._offset])
        took = float(await self._within(self.page.evaluate(_OPEN, [recording, self._started])))
        path = f"/api/recordings/{recording}/{int(PRODUCER)}/segments.json"
        script = "async path => (await fetch(path)).json()"
        listed = await self._within(self.page.evaluate(script, path))
        self._starts = [start / listed["timescale"] for start, _, _ in listed["segments"]]
        await self._prove(0)
        return took

    async def seek(self, number: int) -> Seek:
        """Go to the middle of a picture, and wait until it is on the glass. Raise WrongPicture where it is another."""
        wanted = self._made.wanted
        position = self._offset + (number + 0.5) / wanted.fps
        half = 0.5 / wanted.fps
        told = await self._within(
            self.page.evaluate(_SEEK, [int(PRODUCER), position, number / wanted.fps, half])
        )
        await self._prove(number)
        group = wanted.key_frame_s * wanted.fps
        # what was on its way for the place before is not counted
        first, last = (self._segment_of(each) for each in (number - number % group, number))
        needed = [one for one in told["fetched"] if first <= one["number"] <= last]
        return Seek(
            first=told["first"],
            exact=told["exact"],
            fetched=max((one["end"] for one in needed), default=0.0),
            made=max((one["made"] for one in needed), default=0.0),
            segments=len(needed),
            megabytes=sum(one["bytes"] for one in needed) / 1e6,
            distance_s=number % (wanted.key_frame_s * wanted.fps) / wanted.fps,
            way=tuple(told["shown"]),
        )

    def _segment_of(self, number: int) -> int:
        moment = (number + 0.5) / self._made.wanted.fps
        return sum(start <= moment for start in self._starts) - 1

    async def play(self, speed: float, seconds: float) -> dict[str, float]:
        """Play for so long; gives how often it `waited`, the `share` of the way that it made, and what it `dropped`."""
        played: dict[str, float] = await self._within(
            self.page.evaluate(_PLAY, [speed, seconds]), seconds + PATIENCE
        )
        return played

    async def wrong_moments(self) -> int:
        """Count how often the plate told another moment than that of the picture beneath it."""
        return int(await self.page.evaluate("glass.wrong"))

    async def _prove(self, number: int) -> None:
        """Hold what is on the glass against the picture's number, and the name that the page gives it."""
        wanted = self._made.wanted
        name = wanted.timestamp(number)
        said: Any = None
        # the page takes note of a frame in the same callback, in the order in which both asked to be told
        for _ in range(50):
            said = await self.page.evaluate("window.konsil.rtpTimestamp")
            if said == name:
                break
            await asyncio.sleep(0.02)
        read = await self.page.evaluate(_BARCODE)
        if said != name or read != number % wanted.clip_frames:
            raise WrongPicture(f"Picture {number} ({name}) was wished for: {read} ({said}) is there.")

    async def _within(self, work: Any, seconds: float = PATIENCE) -> Any:
        return await asyncio.wait_for(work, seconds)
