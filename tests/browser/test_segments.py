"""Segments in a real player: Chromium's MediaSource takes them, in any order that begins with a key."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from media.plane import Codec
from recorder.export.preparing import prepare
from recorder.library import JOURNAL
from recorder.parts import open_part
from recorder.segments.track import open_track
from tests.browser.chromium import PATIENCE, browser
from tests.helpers.journal_media import camera, encode, encode_sound, record, sound, video
from tests.helpers.journals import RECORDING
from tests.helpers.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: Pictures before and after the size changes; each ten begin with a key.
HALF = 20

_PLAYER = """() => { window.player = async tracks => {
    const once = (target, name) => new Promise((done, failed) => {
        target.addEventListener(name, done, { once: true });
        target.addEventListener("error", () => failed(new Error(name + ": error")), { once: true });
    });
    const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
    const video = document.createElement("video");
    video.muted = true;
    document.body.replaceChildren(video);
    const source = new MediaSource();
    video.src = URL.createObjectURL(source);
    await once(source, "sourceopen");
    // all of them before anything is appended: later Chromium takes none
    for (const track of tracks) track.buffer = source.addSourceBuffer(track.type);
    for (const { buffer, ...track } of tracks) {
        for (const piece of [track.init, ...track.order.map(number => track.segments[number])]) {
            buffer.appendBuffer(bytes(piece));
            await once(buffer, "updateend");
        }
    }
    source.endOfStream();
    const listed = tracks.map(track => {
        const found = [];
        for (let n = 0; n < track.buffer.buffered.length; n++)
            found.push([track.buffer.buffered.start(n), track.buffer.buffered.end(n)]);
        return found;
    });
    const seen = [];
    for (const time of tracks[0].times) {
        const shown = new Promise(done => video.requestVideoFrameCallback((_, frame) => done(frame)));
        video.currentTime = time;
        const frame = await shown;
        seen.push([frame.mediaTime, video.videoWidth, video.videoHeight]);
    }
    return { buffered: listed, seen };
}; }
"""


def track_of(
    folder: Path, producer: int, times: list[float], order: list[int] | None = None
) -> dict[str, Any]:
    """Give the page a track: its pieces, in which order they are appended, and the times to look at."""
    track = open_track(open_part(folder / f"{producer}.index", None), folder / JOURNAL, None)
    try:
        pieces = [base64.b64encode(track.segment(number)).decode() for number in range(track.count)]
        init = base64.b64encode(track.init()).decode()
        order = list(range(track.count)) if order is None else order
        return {
            "type": track.facts.media_type,
            "init": init,
            "segments": pieces,
            "order": order,
            "times": times,
        }
    finally:
        track.close()


async def play(page: Page, *tracks: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = await page.evaluate("tracks => window.player(tracks)", list(tracks))
    return result


async def test_chromium_plays_segments_of_every_codec_through_a_change_of_size(tmp_path: Path) -> None:
    middles = [(n + 0.5) / 30 for n in (0, 3, 19, 20, 31, 39, 5)]
    expected = [n / 30 for n in (0, 3, 19, 20, 31, 39, 5)]
    async with browser() as chromium:
        page = await chromium.new_page()
        page.set_default_timeout(PATIENCE)
        await page.evaluate(_PLAYER)
        for codec in (Codec.H264, Codec.VP8, Codec.VP9, Codec.AV1):
            folder = tmp_path / codec.name
            small, large = encode(codec, HALF), encode(codec, HALF, size=(480, 272))
            frames = [*small, *(replace(frame, order=frame.order + HALF) for frame in large)]
            packets = [*video(7, codec, frames), *sound(8, encode_sound(60))]
            packets.sort(key=lambda packet: packet.at)
            prepare(record(folder, [camera(7, codec), camera(8, Codec.OPUS)], packets))
            whole = await play(page, track_of(folder, 7, middles), track_of(folder, 8, []))
            precise = 0.0006 if codec is Codec.VP8 else 0.00002  # WebM counts milliseconds
            times = [time for time, _, _ in whole["seen"]]
            assert times == pytest.approx(expected, abs=precise), codec.name
            sizes = [(width, height) for _, width, height in whole["seen"]]
            assert sizes == [*[(320, 240)] * 3, *[(480, 272)] * 3, (320, 240)], codec.name
            (pictures,), (sounds,) = whole["buffered"]
            assert pictures == pytest.approx([0, 2 * HALF / 30], abs=precise), codec.name
            # silent to the picture's end
            assert sounds == pytest.approx([0, 2 * HALF / 30], abs=0.025), codec.name
            # a seek fetches from a key on, and what lies before it later
            later = await play(page, track_of(folder, 7, [35.5 / 30, 12.5 / 30], [3, 1, 2]))
            assert [time for time, _, _ in later["seen"]] == pytest.approx([35 / 30, 12 / 30], abs=precise)
            assert later["buffered"] == [[pytest.approx([10 / 30, 40 / 30], abs=precise)]]


_HLS = """async ([token, address]) => {
    const traded = await fetch("/api/replay", { method: "POST", headers: { Authorization: token } });
    const video = document.createElement("video");
    video.muted = true;
    document.body.append(video);
    const moved = new Promise((done, failed) => {
        video.addEventListener("error", () => failed(new Error(video.error.message)));
        video.addEventListener("timeupdate", () => video.currentTime > 0.5 && done());
    });
    video.src = address;
    await video.play();
    await moved;
    // and it seeks, ahead and back again
    video.pause();
    const seen = [];
    for (const time of [1.55, 0.25]) {
        const shown = new Promise(done => video.requestVideoFrameCallback((_, frame) => done(frame)));
        video.currentTime = time;
        seen.push((await shown).mediaTime);
    }
    return [traded.status, video.duration, video.videoWidth, video.videoHeight, ...seen];
}"""


async def test_chromiums_own_player_of_hls_shows_a_recording_by_the_cookie(tmp_path: Path) -> None:
    async with served(tmp_path) as server, browser() as chromium:
        folder = server.folder / "recordings" / RECORDING
        packets = [*video(7, Codec.H264, encode(Codec.H264, 60)), *sound(8, encode_sound(100))]
        packets.sort(key=lambda packet: packet.at)
        prepare(record(folder, [camera(7), camera(8, Codec.OPUS)], packets))
        page = await chromium.new_page()
        page.set_default_timeout(PATIENCE)
        # any page of this origin will do
        await page.goto(server.url.replace("127.0.0.1", "localhost") + "/healthz")
        token = server.bearer("trainee", room="demo")["Authorization"]
        shown = await page.evaluate(_HLS, [token, f"/api/recordings/{RECORDING}/7/index.m3u8"])
        frames = [pytest.approx(time, abs=0.001) for time in (46 / 30, 7 / 30)]
        assert shown == [204, pytest.approx(2.0, abs=0.1), 320, 240, *frames]
