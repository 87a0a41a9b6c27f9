"""Films: put into MP4 without being encoded anew where a page plays them, frame by frame where none does."""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests.helpers.dicom_asking import at, bring, get
from tests.helpers.dicom_files import made, written
from tests.helpers.films import H264, HEVC, MPEG2, RATE, encoded, film, level
from tests.helpers.served import Served


def brightness(picture: Any) -> float:
    return float(np.asarray(picture.convert("L"))[60:].mean())


def packets(data: bytes) -> list[bytes]:
    with av.open(io.BytesIO(data)) as container:
        return [bytes(packet) for packet in container.demux(container.streams.video[0]) if packet.size]


@pytest.mark.parametrize("container", ["mp4", "mpegts"])
async def test_h264_is_put_into_mp4_as_it_is(running: Served, container: str) -> None:
    stream = encoded(H264, 30, container)
    taken = await bring(running, film(H264, 30, stream=stream))
    told = await get(running, at(taken) + "/film")
    assert told.json()["type"].startswith('video/mp4; codecs="avc1.')
    assert (told.json()["frames"], told.json()["rate"], told.json()["width"]) == (30, RATE, 160)
    whole = (await get(running, at(taken) + "/film.mp4")).body
    with av.open(io.BytesIO(whole)) as played:
        frames = list(played.decode(video=0))
        assert [round(float(frame.time or 0) * RATE) for frame in frames] == list(range(30))
        assert all(abs(brightness(f.to_image()) - level(n)) < 4 for n, f in enumerate(frames, 1))
    if container == "mp4":
        # the same bytes in another order: nothing was encoded anew
        assert packets(whole) == packets(stream)
    part = await get(running, at(taken) + "/film.mp4", range="bytes=4-11")
    assert (part.status, part.body) == (206, whole[4:12])


async def test_the_player_is_let_to_this_film_by_a_cookie_and_to_nothing_else(running: Served) -> None:
    taken = [await bring(running, film(frames=n)) for n in (5, 6)]
    where = at(taken[0]) + "/film"
    assert (await running.ask("GET", where + ".mp4")).status == 401
    cookie = (await get(running, where, "trainee")).headers["set-cookie"]
    assert f"Path={where}.mp4" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    pair = {"Cookie": cookie.partition(";")[0]}
    assert (await running.ask("GET", where + ".mp4", pair)).status == 200
    for other in (where, at(taken[0]) + "/metadata", "/dicom/studies"):
        assert (await running.ask("GET", other, pair)).status == 401
    assert (await running.ask("GET", where + ".mp4", {"Cookie": "konsil_film=x"})).status == 401
    # a link's token is no such cookie
    link = {"Cookie": f"konsil_film={running.token('chair')}"}
    assert (await running.ask("GET", where + ".mp4", link)).status == 401


async def test_what_no_page_plays_is_shown_frame_by_frame(running: Served) -> None:
    taken = await bring(running, film(MPEG2, 12, "mpeg"))
    told = (await get(running, at(taken) + "/film")).json()
    assert (told["type"], told["codec"], told["frames"]) == ("", "mpeg2video", 12)
    assert (await get(running, at(taken) + "/film.mp4")).status == 422
    for number in (1, 7, 12):
        shown = await get(running, f"{at(taken)}/frames/{number}/rendered", accept="image/png")
        assert abs(brightness(Image.open(io.BytesIO(shown.body))) - level(number)) < 6
    assert (await get(running, at(taken) + "/frames/13/rendered")).status == 404
    small = await get(running, at(taken) + "/thumbnail")
    assert Image.open(io.BytesIO(small.body)).size == (160, 120)


async def test_every_frame_of_a_film_with_reordered_frames_is_found(running: Served) -> None:
    for container, syntax in (("mp4", H264), ("mpegts", H264), ("mp4", HEVC)):
        taken = await bring(running, film(syntax, 23, container))
        for number in (1, 2, 9, 10, 11, 22, 23):
            shown = await get(running, f"{at(taken)}/frames/{number}/rendered", accept="image/png")
            seen = brightness(Image.open(io.BytesIO(shown.body)))
            assert abs(seen - level(number)) < 6, (container, syntax, number)
    told = (await get(running, at(taken) + "/film")).json()
    assert told["type"].startswith('video/mp4; codecs="hvc1.')


async def test_a_broken_film_is_said_to_be_broken_and_is_gone_with_its_object(running: Served) -> None:
    taken = await bring(running, film(H264, 20))
    assert (await get(running, at(taken) + "/film")).status == 200
    rooms = running.folder / "dicom" / "rooms"
    assert {path.suffix for path in rooms.rglob("*.*")} == {".dcm", ".mp4", ".json"}
    await running.ask("DELETE", at(taken), running.bearer("chair"))
    assert not list(rooms.rglob("*.*"))
    for stream in (b"no film at all" * 40, encoded(H264, 20)[:2000], encoded(MPEG2, 20, "mpeg")[3000:3100]):
        taken = await bring(running, film(H264, 20, stream=stream))
        for path in ("/film", "/frames/20/rendered"):
            answered = await get(running, at(taken) + path)
            assert answered.status == 422, path
            assert answered.json()["message"].endswith(".")
    assert not list(rooms.rglob("*.half"))
    plain = await bring(running, written(made()))
    assert (await get(running, at(plain) + "/film")).status == 404


async def test_a_withheld_film_is_not_played(running: Served) -> None:
    data = film(frames=5).replace(b"BurnedInAnnotation", b"")
    warned = data.replace(b"CS\x02\x00NO", b"CS\x02\x00  ")
    taken = await bring(running, warned)
    assert taken["withheld"] == "photograph"
    assert (await get(running, at(taken) + "/film", "trainee")).status == 403
    assert (await get(running, at(taken) + "/film.mp4", "trainee")).status == 403
