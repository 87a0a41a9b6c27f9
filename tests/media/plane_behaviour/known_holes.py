"""What broke others (tests/README.md has the table): here it costs a counter, and the stream goes on."""

import pytest

from media.plane import Drop
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_stream import VP8_DELTA, Stream, View, ids

DESCRIPTORS = {
    "one byte": b"\x80",
    "a template that no structure has": b"\xbf\0\1",
    "a structure that ends at once": b"\x80\0\1\x80",
    "a structure of ones": b"\xff" * 14,
    "a structure of noughts": b"\x80\0\1\x80" + bytes(12),
    "chains without end": b"\xc0\0\1\x9f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
}


class KnownHoles:
    """Rows of the table that concern packets."""

    @pytest.mark.parametrize("payload", [b"", b"\0"])
    def test_rtx_without_room_for_a_number(self, harness: PlaneHarness, payload: bytes) -> None:
        stream = Stream(harness)
        view = View(stream)
        stream.send_key()
        stream.send_rtx(payload, 1)
        stream.send()
        assert len(view.packets) == 2
        assert harness.drops(Drop.MALFORMED) == 1

    @pytest.mark.parametrize("payload", [b"", b"\x10", b"\x90", b"\x90\x80", b"\x90\xff\xff"])
    def test_vp8_that_ends_within_its_descriptor(self, harness: PlaneHarness, payload: bytes) -> None:
        stream = Stream(harness)
        view = View(stream)
        stream.send_key()
        packet = stream.packet()
        stream.peer.send_rtp(bytes(packet)[:12] + payload)
        stream.send()
        assert [p.payload for p in view.packets][-1] == VP8_DELTA + (1002).to_bytes(2, "big")

    @pytest.mark.parametrize("name", DESCRIPTORS)
    def test_a_descriptor_that_lies(self, harness: PlaneHarness, name: str) -> None:
        stream = Stream(harness, extensions=ids(0, 0, 0, 0, 0, 0, 0, 0, 9))
        view = View(stream, extensions=ids(0, 0, 0, 0, 0, 0, 0, 0, 9))
        stream.send_key()
        for _ in range(3):
            stream.send(extensions={9: DESCRIPTORS[name]})
        stream.send_key()
        stream.send()
        assert len(view.packets) >= 3
        assert view.packets[-1].payload.endswith((1005).to_bytes(2, "big"))
