"""Barcodes at the camera and at the glass: which captured frame is it that a picture shows? (docs/barcode.md)"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from playwright.async_api import Page

from loadtests.barcode import READ_NUMBER

#: Frames of the camera's loop: 1.4 MB each.
LOOP = 50

CELLS = 18


def write_camera(
    path: Path, *, width: int = 1280, height: int = 720, rate: int = 20, frames: int = LOOP
) -> Path:
    """Write what Chromium's fake camera shows (`--use-file-for-fake-video-capture`): each frame bears its number."""
    cell = height / 40
    rows, columns = np.mgrid[0:height, 0:width]
    ground = (columns // 4 + rows // 3) % 160 + 40
    # a camera's noise: without it the larger picture would cost fewer bits than the smaller
    noise = np.random.default_rng(7).integers(-4, 5, (height + frames, width + frames))
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420jpeg\n" % (width, height, rate))
        for number in range(frames):
            grain = noise[7 * number % frames :, 11 * number % frames :][:height, :width]
            luma = (np.roll(ground, 11 * number, axis=1) + grain).astype(np.uint8)
            luma[: round(2 * cell), : round((CELLS + 1) * cell)] = 255
            bits = [1, 0, *(number >> (15 - bit) & 1 for bit in range(16))]
            for k, bit in enumerate(bits):
                x, y = (
                    (round((k + 0.5) * cell), round((k + 1.5) * cell)),
                    (round(cell / 2), round(1.5 * cell)),
                )
                luma[y[0] : y[1], x[0] : x[1]] = 255 * bit
            file.write(b"FRAME\n" + luma.tobytes() + bytes([128]) * (width * height // 2))
    return path


#: Notes of each frame that an element presents what it is called and which number it bears; `window.seen` by name.
_WATCH = """([selector, name]) => {
    const video = document.querySelector(selector);
    const seen = ((window.seen ??= {})[name] = []);
    const read = async (frame, note) => {
        const { height, x, y } = frame.visibleRect;
        const cell = height / 40;
        const even = length => 2 * Math.ceil(length / 2);
        const rect = { x, y, width: even(19 * cell), height: even(2 * cell) };
        const bytes = new Uint8Array(frame.allocationSize({ rect }));
        const [{ offset, stride }] = await frame.copyTo(bytes, { rect });
        const planar = /^(I4|NV)/.test(frame.format);
        const [step, start] = planar ? [1, offset] : [4, offset + 1];
        note.number = READ_NUMBER((u, v) => bytes[start + v * stride + u * step], cell);
    };
    const watch = (now, metadata) => {
        video.requestVideoFrameCallback(watch);
        const { rtpTimestamp, captureTime, height, mediaTime } = metadata;
        const note = { now, rtpTimestamp, captureTime, height, number: null };
        seen.push(note);
        let frame;
        try { frame = new VideoFrame(video); } catch { return; }
        // the element may be a frame further than this callback
        if (Math.abs(frame.timestamp / 1e6 - mediaTime) > 0.001) return frame.close();
        read(frame, note).catch(() => undefined).finally(() => frame.close());
    };
    video.requestVideoFrameCallback(watch);
}""".replace("READ_NUMBER", READ_NUMBER)


async def watch(page: Page, selector: str, name: str = "main") -> None:
    """Begin to note the frames of a video element."""
    await page.evaluate(_WATCH, [selector, name])


async def seen(page: Page, name: str = "main") -> list[dict[str, Any]]:
    """Return what was noted: `now`, `rtpTimestamp`, `captureTime`, `height`, `number` (null: not read)."""
    found: list[dict[str, Any]] = await page.evaluate("name => window.seen[name]", name)
    return found


#: Reads the number off a canvas or an image; null: there is none.
READ_PICTURE = """picture => {
    const [width, height] = [picture.naturalWidth ?? picture.width, picture.naturalHeight ?? picture.height];
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext('2d').drawImage(picture, 0, 0);
    const cell = height / 40;
    const { data } = canvas.getContext('2d').getImageData(0, 0, Math.ceil(20 * cell), Math.ceil(2 * cell));
    const stride = 4 * Math.ceil(20 * cell);
    return READ_NUMBER((u, v) => data[v * stride + u * 4 + 1], cell);
}""".replace("READ_NUMBER", READ_NUMBER)
