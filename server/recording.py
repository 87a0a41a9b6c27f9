"""How a room's recording begins and ends at somebody's request, and what it is told of the room."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from media.ids import ProducerId
from recorder.interruption import Interrupted, Resumed
from recorder.journal import JournalHeader
from recorder.library import recording_id
from recorder.recording import RecordedProducer
from recorder.seal.keys import DataKey
from recorder.sealing import new_seal
from recorder.writer import DiskError, check_free_space, describe
from signalling import notices
from signalling.messages import Action
from signalling.room import Producer, RoomError

from .keeping.audit import doer_in, write
from .room_recorder import RoomRecorder

if TYPE_CHECKING:
    from .conductor import Conductor
    from .member import Member
    from .service import Service


async def carry_out(member: Member, action: Action) -> None:
    """Start or stop the recording. Raise RoomError."""
    conductor = member.conductor
    room = conductor.room
    if action == "stop":
        by = room.participant(member.identifier)
        room.recording_stopped()
        await conductor.stop_recorder(by.name if by else "", "stopped", doer_in(room.name, by))
        return
    if room.is_recording:
        raise RoomError("already_recording", "This room is being recorded already.")
    service = conductor.service
    name = recording_id(int(service.now() * 1e9), room.name, secrets.token_hex(2))
    try:
        journal, key = await asyncio.to_thread(_prepare, service, name)
    except DiskError as error:
        raise RoomError("disk_full", str(error)) from None
    now = service.now()
    seal = new_seal(key) if key is not None else None
    header = JournalHeader(name, room.name, int(now * 1e9), seal=seal)
    try:
        # somebody may have begun, or left, meanwhile: then this raises
        recording = room.recording_started(name, member.identifier, now)
        try:
            conductor.recorder = RoomRecorder(
                header,
                journal,
                conductor.router,
                recording.by,
                now,
                conductor.recording_failed,
                partial(_tell, conductor),
                partial(service.stills.picture, room.name),
                service.now,
                key,
                service.config.recordings.volume_mb << 20,
            )
        except DiskError as error:
            room.recording_stopped()
            raise RoomError("disk_full", str(error)) from None
    except RoomError:
        await asyncio.to_thread(shutil.rmtree, journal.parent, ignore_errors=True)
        raise
    service.archive.running[name] = conductor.recorder
    service.tap.join(conductor.recorder)
    _record_present(conductor, conductor.recorder, now)
    by = room.participant(member.identifier)
    await write(service, doer_in(room.name, by), "recording_started", name)


def _tell(conductor: Conductor, what: Interrupted | Resumed) -> None:
    """Say to everybody that the disk does not follow, or does again."""
    room = conductor.room
    if room.recording is None:
        return
    if isinstance(what, Interrupted):
        room.recording_interrupted(what.trouble.cause, what.trouble.sentence, what.since)
    else:
        room.recording_resumed(what.seconds, what.packets)
    # who called may be in the middle of a pump
    asyncio.get_running_loop().call_soon(conductor.pump)


def _prepare(service: Service, name: str) -> tuple[Path, DataKey | None]:
    archive = service.archive
    root = archive.library.root
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(describe(error)) from error
    check_free_space(root, service.config.recordings.minimum_free_mb << 20)
    return archive.create(name)


def _record_present(conductor: Conductor, recorder: RoomRecorder, now: float) -> None:
    """Write down what the room holds as the recording begins."""
    for participant in conductor.room.participants:
        conductor.record_joined(participant)
    for entry in conductor.document.after(0).entries:
        recorder.receive_operation(notices.operation(entry.to_json()).body, now)
    conductor.veiling.begun(recorder.name, recorder.key)
    conductor.presenting.write_present()
    conductor.bedside.write_present()
    conductor.theatre.write_present()
    for producer in conductor.room.producers:
        add_producer(conductor, recorder, producer, now)


def add_producer(conductor: Conductor, recorder: RoomRecorder, producer: Producer, now: float) -> None:
    """Write down a picture or a sound, with what had been said of it before."""
    recorder.add_producer(recorded(conductor, producer), now)
    about: dict[str, object] = {"producer": producer.producer}
    if producer.audience is not None:
        conductor.write_down({"kind": "restrict", **about, "audience": producer.audience.to_json()})
    if producer.orientation is not None:
        conductor.write_down({"kind": "orient", **about, "orientation": producer.orientation.to_json()})
    if producer.since is not None:
        # marks from before are shown as outdated in a replay too
        conductor.write_down({"kind": "producer_resumed", **about, "since": producer.since})


def recorded(conductor: Conductor, producer: Producer) -> RecordedProducer:
    """Describe a producer as a recording knows it."""
    track = conductor.router.producers[ProducerId(producer.producer)].track
    return RecordedProducer(
        producer=ProducerId(producer.producer),
        participant=producer.participant,
        source=producer.source,
        codec=track.codec,
        label=producer.label,
        clock_rate=track.clock_rate,
        payload_type=track.payload_type,
        fmtp=track.fmtp,
        muted=producer.muted,
    )
