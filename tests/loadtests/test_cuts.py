"""A few of the ten thousand damages of `python -m loadtests cuts`."""

from __future__ import annotations

from pathlib import Path

from loadtests.cuts import everything
from media.codecs import h264
from media.plane import Codec
from tests.helpers.journal_media import encode


def test_every_damage_is_seen_and_the_rest_is_read(tmp_path: Path) -> None:
    frames = [h264.packetise(picture.data, 1150) for picture in encode(Codec.H264, 30)]
    done, wrong = everything(frames, tmp_path, times=40, seed=7, around=6)
    assert wrong == []
    assert done["journal plain: cut"] == done["journal SM4-GCM-SM3: flip"] == 40
    assert {name.partition(": ")[2] for name in done} >= {
        "swapped",
        "dropped",
        "doubled",
        "borrowed",
        "wrong key",
    }
