"""The load test of images: it misses no goal silently, and a small one runs through."""

from __future__ import annotations

from loadtests import images
from loadtests.images_series import SLICE_BYTES

GOOD: dict[str, float | bool] = {"first_image_ms": 300.0, "middle_slice_ms": 20.0, "same_samples": True}


def test_goals_are_told_in_sentences() -> None:
    assert images.missed(GOOD) == []
    assert images.missed(GOOD | {"first_image_ms": 1000.0}) == [
        "The first image takes 1000 ms, not below 1000."
    ]
    assert images.missed(GOOD | {"same_samples": False}) == ["What came is not what was sent."]


async def test_a_small_series_comes_as_it_was_sent() -> None:
    figures = await images.run(20)
    assert figures["same_samples"] is True
    assert figures["slices"] == 20
    assert 20 * SLICE_BYTES / 1e6 < figures["megabytes"] < 11
    assert 0 < figures["metadata_ms"] < figures["first_image_ms"]
    for key in ("ingest_mb_s", "ingest_server_cpu_s", "middle_slice_ms", "frames_mb_s", "rss_mb"):
        assert figures[key] > 0, key
