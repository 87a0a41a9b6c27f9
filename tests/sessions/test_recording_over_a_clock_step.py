"""The publisher's clock is corrected during a recording: in the file sound and picture stay together.

Real VP8 and Opus go through a plane's tap, the router's reports and the room's recorder; the file is decoded. A flash
and a beep of one instant come after the correction. The microphone falls silent soon, so that most of its reports are
from before the correction and most of the picture's from after it.
"""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from media.ids import ProducerId
from media.plane import Codec
from media.reporting import SenderReportReceived
from media.rtp.packet import RtpPacket
from recorder.export.preparing import prepare
from recorder.volumes import volumes_of
from server.room_recorder import RoomRecorder
from tests.helpers.journal_media import camera, encode, encode_sound, payloads_of
from tests.helpers.journals import STARTED, STARTED_NS, header
from tests.helpers.played import played
from tests.media.test_router import AUDIO, VIDEO, World

SECONDS, CORRECTED_AT, FLASH_AT, LAST_SOUND_REPORT = 10, 4.0, 7.5, 6.0
VIDEO_ORIGIN, AUDIO_ORIGIN = 4_294_900_000, 77_000
#: Pictures a second: few, since each is encoded.
RATE = 2


class Publisher:
    """Sends both streams and tells its time; its clock is `ahead` of ours."""

    def __init__(self, world: World, ahead: float) -> None:
        self.world = world
        self.ahead = ahead
        self._numbers = {VIDEO.ssrc: 100, AUDIO.ssrc: 500}

    def send(self, at: float, ssrc: int, payloads: list[bytes]) -> None:
        """Send a picture, or 20 ms of sound."""
        self.world.harness.now = STARTED_NS + round(at * 1e9)
        video = ssrc == VIDEO.ssrc
        timestamp = VIDEO_ORIGIN + round(at * 90_000) if video else AUDIO_ORIGIN + round(at * 48_000)
        for i, payload in enumerate(payloads):
            self._numbers[VIDEO.ssrc if video else AUDIO.ssrc] += 1
            packet = RtpPacket(
                payload_type=96 if video else 111,
                sequence_number=self._numbers[VIDEO.ssrc if video else AUDIO.ssrc],
                timestamp=timestamp & 0xFFFFFFFF,
                ssrc=ssrc,
                marker=video and i == len(payloads) - 1,
                payload=payload,
            )
            self.world.sender.send_rtp(packet)
        self.world.settle()

    def report(self, at: float, ssrc: int) -> None:
        """Tell what time it is."""
        video = ssrc == VIDEO.ssrc
        timestamp = VIDEO_ORIGIN + round(at * 90_000) if video else AUDIO_ORIGIN + round(at * 48_000)
        self.world.now = 1000.0 + at
        self.world.report(
            STARTED + at + self.ahead, timestamp & 0xFFFFFFFF, ssrc=ssrc, delay=0.02 - self.ahead
        )


@pytest.mark.parametrize("step", [0.8, -0.8, 3600.0])
async def test_a_flash_and_a_beep_stay_together(tmp_path: Path, step: float) -> None:
    world = World()
    video, audio = world.router.publish(world.sender.transport, [VIDEO, AUDIO])
    failures: list[str] = []
    recorder = RoomRecorder(
        header(),
        tmp_path / "journal.kjr",
        world.router,
        "Dr. Li Wei",
        STARTED,
        failures.append,
        lambda event: failures.append(str(event)),
        read_still=lambda _: None,
        clock=lambda: STARTED,
        volume_size=30_000,
    )
    recorder.add_producer(camera(video, Codec.VP8), STARTED)
    recorder.add_producer(camera(audio, Codec.OPUS, payload_type=111), STARTED)
    publisher = Publisher(world, ahead=12.5)
    frames = encode(Codec.VP8, SECONDS * RATE, flash_at=int(FLASH_AT * RATE))
    sounds = encode_sound(SECONDS * 50, beep_at=int(FLASH_AT * 50))
    for n, sound in enumerate(sounds):
        at = n / 50
        publisher.ahead = 12.5 + (step if at >= CORRECTED_AT else 0.0)
        if n % (50 // RATE) == 0:
            publisher.send(at, VIDEO.ssrc, payloads_of(Codec.VP8, frames[n * RATE // 50].data))
        publisher.send(at, AUDIO.ssrc, [sound])
        if n % 50 == 5:
            publisher.report(at, VIDEO.ssrc)
        if n % 50 == 30 and at < LAST_SOUND_REPORT:
            publisher.report(at, AUDIO.ssrc)
        while (event := world.router.next_event()) is not None:
            if isinstance(event, SenderReportReceived):
                recorder.receive_sender_report(event, STARTED + at)
        recorder.receive_tap(world.harness.plane.read_tap(), STARTED + at)
    await recorder.stop("Dr. Li Wei", STARTED + SECONDS)
    assert failures == []
    assert len(volumes_of(tmp_path / "journal.kjr")) > 1
    prepare(tmp_path)
    assert abs(_beep_after_flash(tmp_path, video)) < 0.03


def _beep_after_flash(folder: Path, video: ProducerId) -> float:
    """Decode the recording; seconds from the flash to the beep."""
    (entry,) = json.loads((folder / "description.json").read_text())["cameras"]
    assert entry["producer"] == video
    with av.open(str(played(folder, video))) as container:
        flash = next(f.time for f in container.decode(video=0) if f.to_ndarray(format="gray").mean() > 150)
    with av.open(str(played(folder, entry["audio"]))) as container:
        beep = next(f.time for f in container.decode(audio=0) if np.abs(f.to_ndarray()).max() > 0.1)
    return float(beep - flash)
