"""Who speaks, from the loudness in real RTP header extensions (RFC 6464) to the notice that everybody reads."""

from __future__ import annotations

import math
from array import array
from pathlib import Path

from aiortc.mediastreams import AudioStreamTrack
from av import AudioFrame

from loadtests.caller import calling
from tests.helpers.peer import Publisher
from tests.helpers.served import served

#: A tone of 10 dB below full scale; a voice is told from silence by far less.
AMPLITUDE = 10_000
HERTZ = 440


class Voice(AudioStreamTrack):  # type: ignore[misc]
    """Says nothing, or a tone: at the pace of a microphone."""

    def __init__(self) -> None:
        super().__init__()
        self.speaks = False

    async def recv(self) -> AudioFrame:
        """Take the next 20 ms."""
        frame = await super().recv()
        if self.speaks:
            step = 2 * math.pi * HERTZ / frame.sample_rate
            tone = array("h", (int(AMPLITUDE * math.sin(step * n)) for n in range(frame.samples)))
            (plane,) = frame.planes
            plane.update(tone.tobytes().ljust(plane.buffer_size, b"\0"))
        return frame


async def test_everybody_hears_who_speaks_and_a_muted_one_does_not_count(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as server,
        calling(server.url, server.token("expert"), server.token("expert"), server.token("trainee")) as (
            first,
            second,
            trainee,
        ),
    ):
        voices = Voice(), Voice()
        publishers = Publisher(first), Publisher(second)
        # who comes in is told how it stands
        assert (await trainee.notice("speaker"))["participant"] is None
        try:
            sounds = []
            for publisher, voice in zip(publishers, voices, strict=True):
                publisher.peer.addTrack(voice)
                (sound,) = await publisher.publish(tracks=False)
                sounds.append(sound["producer"])

            voices[0].speaks = True
            await trainee.notice("speaker", participant=first.identifier)
            await first.notice("speaker", participant=first.identifier)

            # the other one is clearly louder: the first has fallen silent
            voices[0].speaks, voices[1].speaks = False, True
            await trainee.notice("speaker", participant=second.identifier)

            # still loud, and passed on to nobody
            await second.request("mute", producer=sounds[1], muted=True)
            await trainee.notice("speaker", participant=None)
        finally:
            for publisher in publishers:
                await publisher.close()
