"""What the reference plane is held to, the native one is too: whatever arrives, what is sent is one whole stream."""

from __future__ import annotations

from hypothesis import given, settings

from media.native import NativePlane
from tests.helpers.rtp_harness import NativeHarness
from tests.media.reference.test_any_layers import Line, lines, play


@settings(max_examples=40, deadline=None)
@given(lines())
def test_what_is_sent_is_one_whole_stream(line: Line) -> None:
    harness = NativeHarness(NativePlane(), "AEAD_AES_128_GCM")
    try:
        # its clock is its own, and what a picture is held back for is shorter than a wait for it would be
        play(harness, line, harness.settle)
    finally:
        harness.close()
