"""A room's recorder: carries a Recording's bytes to the disk thread and its wishes to the router."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from media.ids import ProducerId
from media.reporting import SenderReportReceived
from media.router import Router
from media.rtp.ntp import ntp_from_unix
from recorder.interruption import Interrupted, Resumed
from recorder.journal import JournalHeader
from recorder.recording import RecordedProducer, Recording, RecordingEvent, TapWanted
from recorder.seal.keys import DataKey
from recorder.sealing import JournalSealer
from recorder.volumes import VolumePlan
from recorder.writer import DiskWriter

from .recorded_stills import ReadStill, RecordedStills
from .tap import INTERVAL

log = logging.getLogger(__name__)


class RoomRecorder:
    """One running recording. `now` is Unix seconds."""

    def __init__(
        self,
        header: JournalHeader,
        journal: Path,
        router: Router,
        by: str,
        now: float,
        failed: Callable[[str], None],
        told: Callable[[Interrupted | Resumed], None],
        read_still: ReadStill,
        clock: Callable[[], float],
        key: DataKey | None = None,
        volume_size: int = 0,
    ) -> None:
        """Begin to write, sealed where there is a key, in volumes of `volume_size` bytes (0: one). Raise DiskError.

        `failed` is called with a sentence when nothing more can be written, `told` when the disk does not follow
        and when it does again.
        """
        loop = asyncio.get_running_loop()
        self.name = header.recording
        self.key = key
        self.folder = journal.parent
        self.producers: set[ProducerId] = set()
        self.tap_interval = INTERVAL
        self._router = router
        self._failed = failed
        self._told = told
        self._clock = clock
        self._reported = 0

        def on_progress() -> None:
            loop.call_soon_threadsafe(self._progress)

        encode = JournalSealer(header, key) if key is not None else bytes
        plan = VolumePlan(volume_size, header) if volume_size else None
        self._writer = DiskWriter(journal, on_progress, encode=encode, plan=plan)
        self._recording = Recording(header, by, now)
        self._stills = RecordedStills(self._recording, read_still, lambda: self.pump(clock()))

    @property
    def backlog(self) -> int:
        """Bytes that are not on the disk yet."""
        return self._recording.backlog

    @property
    def packets_left_out(self) -> int:
        """Packets that this recording lacks since they could not be written."""
        return self._recording.packets_left_out

    @property
    def is_interrupted(self) -> bool:
        """Whether the disk does not follow, and everybody has been told."""
        return self._recording.is_interrupted

    def add_producer(self, producer: RecordedProducer, now: float) -> None:
        """Record a track from now on."""
        self.producers.add(producer.producer)
        self._recording.add_producer(producer, now)
        self.pump(now)

    def remove_producer(self, producer: ProducerId, now: float) -> None:
        """Note that a track is gone."""
        self.producers.discard(producer)
        self._recording.remove_producer(producer, now)
        self.pump(now)

    def receive_tap(self, data: bytes, now: float) -> None:
        """Keep packets of this room."""
        self._recording.receive_tap(data, now)
        self.pump(now)

    def receive_gap(self, packets: int, now: float) -> None:
        """Note that the plane's tap was full and so many packets are missing."""
        self._recording.receive_gap(0, packets, now)

    def receive_sender_report(self, report: SenderReportReceived, now: float) -> None:
        """Keep a publisher's time, as a clock tells it that nobody corrects: sound and picture lie on it together."""
        ntp = ntp_from_unix(report.steady)
        self._recording.receive_sender_report(report.producer, ntp, report.rtp_timestamp, report.arrival, now)

    def receive_key_frame(self, producer: ProducerId, began: float, now: float) -> None:
        """Note that a key frame began."""
        self._recording.receive_key_frame(producer, began, now)

    def receive_operation(self, body: dict[str, object], now: float) -> None:
        """Keep a decided operation on marks."""
        self._recording.receive_operation(body, now)
        self._stills.receive_operation(body)

    def receive_pointer(self, body: dict[str, object], now: float) -> None:
        """Keep a pointer or a stroke."""
        self._recording.receive_pointer(body, now)

    def receive_event(self, body: dict[str, object], now: float) -> None:
        """Keep what happened in the room."""
        self._recording.receive_event(body, now)

    def pump(self, now: float) -> None:
        """Write what is due and carry wishes out. Call it ten times a second."""
        self._recording.receive_trouble(self._writer.trouble, now)
        timer = self._recording.get_timer()
        if timer is not None and timer <= now:
            self._recording.handle_timer(now)
        while (event := self._recording.next_event()) is not None:
            self._carry_out(event)
        self._writer.write(self._recording.bytes_to_write(now))

    def _carry_out(self, event: RecordingEvent) -> None:
        if isinstance(event, Interrupted | Resumed):
            if isinstance(event, Interrupted):
                log.error("a recording is interrupted: %s", event.trouble.sentence)
            else:
                log.warning("a recording goes on; %d packets are missing", event.packets)
            self._told(event)
            return
        producer = self._router.producers.get(event.producer)
        if producer is None:
            return
        if isinstance(event, TapWanted):
            self._router.set_tap(event.producer, enabled=event.enabled)
        else:
            # the tap takes the best encoding that flows
            for encoding in range(len(producer.encodings)):
                producer.want_key_frame(encoding)

    def _progress(self) -> None:
        taken = self._writer.taken
        self._recording.receive_written(taken - self._reported)
        self._reported = taken
        self._stills.handle_written()
        if not self._recording.stopped:
            self.pump(self._clock())
        if self._writer.failure is not None:
            self._stills.give_up()
        if self._writer.failure is not None and not self._recording.stopped:
            log.error("a recording broke off: %s", self._writer.failure)
            self._failed(self._writer.failure)

    async def stop(self, by: str, now: float, reason: str = "stopped") -> None:
        """End the journal and wait until it is on the disk, with the frames that were frozen last."""
        self._recording.close(by, now)
        self.pump(now)
        if self._writer.failure is None and self._writer.trouble is None:
            await self._stills.finish()
        self._stills.give_up()
        self._recording.stop(by, now, reason)
        self.pump(now)
        self._writer.close()
        if not await asyncio.to_thread(self._writer.join, 30.0) or self._writer.failure is not None:
            log.error(
                "the end of a recording could not be written: %s", self._writer.failure or "it takes too long"
            )
