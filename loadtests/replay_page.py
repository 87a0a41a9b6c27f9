"""What is measured in the replay page: when which picture is on the glass, and what its plate says of it meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from playwright.async_api import Page

from .barcode import READ_NUMBER
from .replay_recording import PRODUCER, SOUND, Made

#: Seconds that a page may take for anything.
PATIENCE: Final = 60.0

#: Before the recording is opened. `glass.frames` is what the picture element presented: when, and of which media time;
#: `glass.previews` what was seen on top of it: when, the number that its barcode tells, and the RTP timestamp that the
#: page gave then. A canvas is read when a screen begins, and counts for the next one, on which it surely is.
#: `glass.wrong` counts screens on which the plate said another moment than that of the picture on top for longer than
#: three frames of the screen, since a frame is told of before it is painted, and the page's words follow it.
_WATCH: Final = """([producer, offset, fps, clip]) => {
    const glass = window.glass = { frames: [], previews: [], wrong: 0, started: 0, waited: 0 };
    const watch = video => {
        glass.video = video;
        const note = (now, frame) => {
            video.requestVideoFrameCallback(note);
            glass.frames.push([Math.max(now, frame.expectedDisplayTime), frame.mediaTime]);
        };
        video.requestVideoFrameCallback(note);
        video.addEventListener('waiting', () => { if (!video.seeking) glass.waited += 1; });
    };
    // the number that a picture bears (docs/barcode.md); null: there is none
    const strip = new OffscreenCanvas(1, 1);
    const context = strip.getContext('2d', { willReadFrequently: true });
    glass.read = (picture, width, height) => {
        const cell = height / 40;
        const [across, down] = [Math.ceil(20 * cell), Math.ceil(2 * cell)];
        if (width === 0) return null;
        [strip.width, strip.height] = [across, down];
        context.drawImage(picture, 0, 0, across, down, 0, 0, across, down);
        const { data } = context.getImageData(0, 0, across, down);
        return READ_NUMBER((x, y) => data[4 * (y * across + x) + 1], cell);
    };
    // the canvas that lies over the video, if it does
    glass.cover = () => {
        const canvas = document.querySelector(`[data-testid="preview-${producer}"]`);
        return canvas && getComputedStyle(canvas).visibility === 'visible' ? canvas : null;
    };
    let apart = 0;
    let seen = null;
    const look = now => {
        // behind what the page does for the same screen
        setTimeout(() => requestAnimationFrame(look));
        if (!glass.video) {
            const video = document.querySelector(`[data-testid="video-${producer}"]`);
            if (!video) return;
            watch(video);
        }
        if (seen !== null) glass.previews.push([now, ...seen]);
        const cover = glass.cover();
        const number = cover && glass.read(cover, cover.width, cover.height);
        seen = cover === null ? null : [number, window.konsil.rtpTimestamp];
        const plate = document.querySelector(`[data-testid="mode-${producer}"]`);
        const newest = glass.frames.at(-1);
        if (!plate || !plate.dataset.at || (!newest && !cover)) return;
        const said = (Number(plate.dataset.at) - glass.started) / 1000 - offset;
        const away = ((Math.round(said * fps - 0.5) - number) % clip + clip) % clip / fps;
        const wrong = cover
            ? number === null || Math.min(away, clip / fps - away) > 0.3
            : Math.abs(said - newest[1]) > 0.3;
        apart = wrong ? apart + 1 : 0;
        if (apart === 4) glass.wrong += 1;
    };
    requestAnimationFrame(look);
    performance.setResourceTimingBufferSize(5000);
}""".replace("READ_NUMBER", READ_NUMBER)

#: Open it as a person does. The first picture counts when it is presented, a preview or a sharp one.
_OPEN: Final = """([recording, started]) => new Promise(done => {
    glass.started = started;
    const begun = performance.now();
    document.querySelector(`[data-testid="recording-${recording}"]`).click();
    const timer = setInterval(() => {
        if (glass.frames.length === 0) return;
        clearInterval(timer);
        const [preview, sharp] = [glass.previews[0]?.[0] ?? Infinity, glass.frames[0][0]];
        done({
            first: Math.min(preview, sharp) - begun, sharp: sharp - begun,
            preview: preview < sharp ? glass.previews[0].slice(1) : null,
        });
    }, 5);
})"""

#: Move the playhead as the bar does. `wished` is the picture's media time, `half` half the time that it stands,
#: `number` and `name` what its barcode and the page must tell of it.
_SEEK: Final = """([producer, position, wished, half, number, name]) => new Promise(done => {
    performance.clearResourceTimings();
    const bar = document.querySelector('[data-testid="seek"]');
    const first = glass.frames.length;
    glass.previews.length = 0;
    const begun = performance.now();
    bar.value = position;
    bar.dispatchEvent(new Event('input', { bubbles: true }));
    const timer = setInterval(() => {
        const news = glass.frames.slice(first);
        const exact = news.find(([, time]) => Math.abs(time - wished) < half);
        if (!exact) return;
        clearInterval(timer);
        const preview = glass.previews.find(([at, read, said]) => at > begun && read === number && said === name);
        const resources = performance.getEntriesByType('resource')
            .filter(entry => entry.startTime >= begun && entry.name.includes(`/${producer}/`));
        const fetched = resources.filter(({ name }) => name.endsWith('.m4s')).map(entry => ({
            number: Number(entry.name.match(/(\\d+)\\.m4s$/)[1]),
            made: entry.responseStart - entry.requestStart,
            end: entry.responseEnd - begun,
            bytes: entry.encodedBodySize,
        }));
        const piece = resources.find(({ name }) => name.endsWith('.kpv'));
        done({
            first: Math.min(news[0][0], preview?.[0] ?? Infinity) - begun,
            sharp: exact[0] - begun,
            preview: preview ? preview[0] - begun : null,
            piece: piece ? piece.responseEnd - begun : null,
            shown: news.map(([, time]) => time),
            fetched,
        });
    }, 4);
})"""

#: What the sharp picture's barcode tells, once no preview lies over it (null).
_BARCODE: Final = """() =>
    glass.cover() ? null : glass.read(glass.video, glass.video.videoWidth, glass.video.videoHeight)
"""

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
class Opening:
    """Milliseconds from the click to the first picture, a preview or a sharp one, and to the first sharp one."""

    first: float
    sharp: float


@dataclass(frozen=True, slots=True)
class Seek:
    """One seek, milliseconds: to the first other picture, to the sharp one that was wished for, of it until its
    segments were there, and the server's time for one of them; `distance_s` is how far behind its key frame it lies.
    `preview` is when the wished picture's preview was on top, and `piece` when its piece was there; None: never."""

    first: float
    exact: float
    fetched: float
    made: float
    segments: int
    megabytes: float
    distance_s: float
    #: Media times of all that was on the glass on the way, the wished one last.
    way: tuple[float, ...] = ()
    preview: float | None = None
    piece: float | None = None

    @property
    def wished(self) -> float:
        """When the picture of the very moment was on the glass, as a preview or sharp."""
        return self.exact if self.preview is None else min(self.preview, self.exact)


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

    async def open(self) -> Opening:
        """Open the recording from the list. Raise WrongPicture where another picture comes first."""
        recording = self._made.recording
        await self.page.get_by_test_id(f"recording-{recording}").wait_for()
        wanted = self._made.wanted
        await self.page.evaluate(_WATCH, [int(PRODUCER), self._offset, wanted.fps, wanted.clip_frames])
        told = await self._within(self.page.evaluate(_OPEN, [recording, self._started]))
        if told["preview"] not in (None, [0, wanted.timestamp(0)]):
            raise WrongPicture(f"A preview of {told['preview']} came first.")
        path = f"/api/recordings/{recording}/{int(PRODUCER)}/segments.json"
        script = "async path => (await fetch(path)).json()"
        listed = await self._within(self.page.evaluate(script, path))
        self._starts = [start / listed["timescale"] for start, _, _ in listed["segments"]]
        await self._prove(0)
        return Opening(told["first"], told["sharp"])

    def place(self, number: int) -> float:
        """Give the position of the middle of a picture, seconds of the recording."""
        return self._offset + (number + 0.5) / self._made.wanted.fps

    async def seek(self, number: int) -> Seek:
        """Go to the middle of a picture, and wait until it is on the glass, sharp; its preview may come before.

        Raise WrongPicture where it is another.
        """
        wanted = self._made.wanted
        position = self.place(number)
        half = 0.5 / wanted.fps
        bears = [number % wanted.clip_frames, wanted.timestamp(number)]
        told = await self._within(
            self.page.evaluate(_SEEK, [int(PRODUCER), position, number / wanted.fps, half, *bears])
        )
        await self._prove(number)
        group = wanted.key_frame_s * wanted.fps
        # what was on its way for the place before is not counted
        first, last = (self._segment_of(each) for each in (number - number % group, number))
        needed = [one for one in told["fetched"] if first <= one["number"] <= last]
        return Seek(
            first=told["first"],
            exact=told["sharp"],
            preview=told["preview"],
            piece=told["piece"],
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
        """Count how often the plate told another moment than that of the picture beneath it, preview or sharp."""
        return int(await self.page.evaluate("glass.wrong"))

    async def _prove(self, number: int) -> None:
        """Hold what is on the glass against the picture's number, and the name that the page gives it."""
        wanted = self._made.wanted
        name = wanted.timestamp(number)
        said: Any = None
        read: Any = None
        # the page takes note of a frame in the same callback, in the order in which both asked to be told
        for _ in range(50):
            said = await self.page.evaluate("window.konsil.rtpTimestamp")
            read = await self.page.evaluate(_BARCODE)
            if said == name and read is not None:
                break
            await asyncio.sleep(0.02)
        if said != name or read != number % wanted.clip_frames:
            raise WrongPicture(f"Picture {number} ({name}) was wished for: {read} ({said}) is there.")

    async def _within(self, work: Any, seconds: float = PATIENCE) -> Any:
        return await asyncio.wait_for(work, seconds)
