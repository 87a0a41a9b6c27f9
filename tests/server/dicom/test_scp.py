"""Images come into a room by C-STORE: from DCMTK, from pynetdicom, and from peers that lie, over the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import AE, build_context
from pynetdicom.sop_class import CTImageStorage, Verification

from annotation.dicom import upper_layer
from annotation.dicom.acceptor import Begun
from annotation.dicom.upper_layer import pdu
from server.config import DicomConfig, PacsConfig, ScpConfig
from server.dicom.pacs import Pacs
from server.dicom.scp import ASSOCIATIONS, CONNECTIONS, Incoming, Scp
from tests.helpers.dicom_asking import get
from tests.helpers.dicom_files import made, sample
from tests.helpers.dicom_sending import LITTLE, STORE_CT, asking, speaking
from tests.helpers.served import Served, served
from tests.helpers.udp_peers import until

ROOMS = ("THEATRE1=ward", "OTHER=elsewhere")
PATIENCE = 30


@pytest.fixture
async def listening(tmp_path: Path) -> AsyncIterator[Served]:
    scp = ScpConfig(port=0, senders=("MODALITY", "FIXED@192.0.2.1", "LOCAL@127.0.0.1"), rooms=ROOMS)
    async with served(tmp_path, scp=scp, dicom=DicomConfig(file_mb=1)) as server:
        yield server


def associate(running: Served, called: str = "THEATRE1", calling: str = "MODALITY") -> Any:
    ae = AE(ae_title=calling)
    ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = PATIENCE
    contexts = [build_context(Verification), build_context(CTImageStorage)]
    return ae.associate("127.0.0.1", running.service.scp.port, contexts=contexts, ae_title=called)


async def held(running: Served, room: str = "ward") -> list[str]:
    answered = await running.ask("GET", "/dicom/instances", running.bearer("surgeon", room=room))
    return [entry["00080018"]["Value"][0] for entry in json.loads(answered.body or b"[]")]


def half(running: Served) -> list[str]:
    """List what lies half done on the disk."""
    folder = running.folder / "dicom" / "incoming"
    return os.listdir(folder) if folder.exists() else []


async def test_storescu_sends_into_the_room_that_it_calls(listening: Served) -> None:
    files = [str(sample(name)) for name in ("CT_small.dcm", "MR_small.dcm")]
    titles = ("-aet", "MODALITY", "-aec", "THEATRE1")
    process = await asyncio.create_subprocess_exec(
        "storescu", *titles, "127.0.0.1", str(listening.service.scp.port), *files
    )
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    originals = {str(dcmread(file).SOPInstanceUID) for file in files}
    uids = listening.service.images.store.uids("ward")
    assert set(await held(listening)) == {uids.uid(original) for original in originals}
    assert await held(listening, "elsewhere") == []


@pytest.mark.parametrize(
    ("called", "calling", "reason"),
    [("NOBODY", "MODALITY", 7), ("OTHER", "STRANGER", 3), ("OTHER", "FIXED", 3), ("OTHER", "LOCAL", 0)],
)
async def test_who_is_not_listed_is_rejected(
    listening: Served, called: str, calling: str, reason: int
) -> None:
    association = await asyncio.to_thread(associate, listening, called, calling)
    assert association.is_rejected is bool(reason)
    if reason:
        assert association.acceptor.primitive.diagnostic == reason
    else:
        await asyncio.to_thread(association.release)


async def test_the_status_says_what_became_of_an_object(
    listening: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "server")
    association = await asyncio.to_thread(associate, listening)
    assert (await asyncio.to_thread(association.send_c_echo)).Status == 0
    first, again = made(), made(StudyInstanceUID=None)
    other = made(SOPInstanceUID=first.SOPInstanceUID, Rows=2, PixelData=bytes(24))
    for dataset, status in ((first, 0x0000), (first, 0x0000), (other, 0xC000), (again, 0xC000)):
        assert (await asyncio.to_thread(association.send_c_store, dataset)).Status == status
    await asyncio.to_thread(association.release)
    assert len(await held(listening)) == 1
    entries = (await get(listening, "/dicom/quarantine")).json()["quarantine"]
    assert [(entry["source"], entry["code"], entry["kept"]) for entry in entries] == [
        ("device", "not_dicom", True),
        ("device", "duplicate", True),
    ]
    said = " ".join(record.getMessage() for record in caplog.records if record.name.startswith("server"))
    for secret in ("Geheim", "4711", "ward", str(first.SOPInstanceUID)):
        assert secret not in said
    assert half(listening) == []


async def test_who_sends_more_than_is_taken_is_cut_off_and_the_room_told(listening: Served) -> None:
    association = await asyncio.to_thread(associate, listening)
    socket = association.dul.socket.socket
    huge = made(Rows=2048, Columns=2048, PixelData=bytes(8 << 20))
    answered = await asyncio.to_thread(association.send_c_store, huge)
    # pynetdicom leaves its socket open if its peer went first
    socket.close()
    assert "Status" not in answered
    assert await held(listening) == []
    (entry,) = (await get(listening, "/dicom/quarantine")).json()["quarantine"]
    assert (entry["source"], entry["code"], entry["kept"]) == ("device", "too_large", False)
    assert half(listening) == []


async def test_the_server_stops_while_an_object_comes(tmp_path: Path) -> None:
    async def send(port: int) -> bytes:
        async with speaking(port, asking(), STORE_CT, LITTLE) as reader:
            return await asyncio.wait_for(reader.read(), PATIENCE)

    scp = ScpConfig(port=0, senders=("MODALITY",), rooms=ROOMS)
    async with served(tmp_path, scp=scp) as server:
        port = server.service.scp.port
        sending = asyncio.create_task(send(port))
        await until(lambda: bool(half(server)), PATIENCE)
    # an A-ABORT, then the end
    assert (await sending)[-10:] == upper_layer.abort(0)
    assert half(server) == []
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_who_is_stopped_while_the_disk_is_slow_leaves_nothing(tmp_path: Path) -> None:
    """A FIFO stands for a slow disk: it is not open before somebody reads."""

    async def never(*_: object) -> Any:
        raise AssertionError("nothing came whole")

    path = tmp_path / "object"
    os.mkfifo(path)
    incoming = Incoming(lambda: path, never, never)
    begun = Begun("THEATRE1", "MODALITY", CTImageStorage, "1.2.3", ImplicitVRLittleEndian)
    taking = asyncio.create_task(incoming.take(begun))
    await asyncio.sleep(0)
    taking.cancel()
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(asyncio.CancelledError):
        await taking
    incoming.drop()
    assert not path.exists()
    # nobody holds it open for writing any more
    assert os.read(reading, 1) == b""
    os.close(reading)


LIES = {
    "a PDU of 4 GB": [b"\x01\0\xff\xff\xff\xff"],
    "a PDU of 4 GB in an association": [asking(), b"\x04\0\xff\xff\xff\xff"],
    "a value longer than its PDU": [asking(), pdu(4, b"\0\xff\0\0\x01\x02")],
    "another protocol": [b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"],
    "data for a context that was not agreed on": [asking(), pdu(4, b"\0\0\0\x04\x63\x02ab")],
    "data before a command": [asking(), LITTLE],
    "a second request": [asking(), asking()],
    "an answer that nobody asked for": [asking(), pdu(2, bytes(80))],
}


@pytest.mark.parametrize("lie", LIES)
async def test_who_lies_is_aborted_and_others_are_served(listening: Served, lie: str) -> None:
    async with speaking(listening.service.scp.port, *LIES[lie]) as reader:
        assert (await asyncio.wait_for(reader.read(), PATIENCE))[-10:] == upper_layer.abort(6)
    association = await asyncio.to_thread(associate, listening)
    assert (await asyncio.to_thread(association.send_c_echo)).Status == 0
    await asyncio.to_thread(association.release)


async def test_who_goes_away_within_an_object_leaves_nothing(listening: Served) -> None:
    async with speaking(listening.service.scp.port, asking(), STORE_CT, LITTLE) as reader:
        await reader.readexactly(6)
        await until(lambda: bool(half(listening)), PATIENCE)
    await until(lambda: not half(listening), PATIENCE)
    assert await held(listening) == []


async def test_there_is_an_end_to_associations_and_connections(listening: Served) -> None:
    port = listening.service.scp.port
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(ASSOCIATIONS):
            reader = await stack.enter_async_context(speaking(port, asking()))
            assert (await asyncio.wait_for(reader.readexactly(1), PATIENCE)) == b"\x02"
        async with speaking(port, asking()) as reader:
            assert await asyncio.wait_for(reader.read(), PATIENCE) == upper_layer.reject(2, 3, 2)
        for _ in range(CONNECTIONS - ASSOCIATIONS + 1):
            reader = await stack.enter_async_context(speaking(port))
        # the last one is closed at once
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
    association = await _eventually(listening)
    await asyncio.to_thread(association.release)


async def _eventually(running: Served) -> Any:
    """Associate as soon as there is place again."""
    while True:
        association = await asyncio.to_thread(associate, running)
        if association.is_established:
            return association


async def test_nothing_listens_unless_it_is_configured(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        assert server.service.scp.port == -1


@pytest.mark.parametrize(
    "wrong",
    [
        {"senders": ()},
        {"rooms": ()},
        {"senders": ("A" * 17,)},
        {"rooms": ("A=",)},
        {"rooms": ("A",)},
        {"rooms": ("A=no room",)},
        {"rooms": ("Ä=room",)},
        {"ca_file": "somewhere.pem"},
    ],
)
async def test_half_a_configuration_is_refused(listening: Served, wrong: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"port": 0, "senders": ("A",), "rooms": ROOMS, **wrong}
    with pytest.raises(ValueError, match=r"\[scp\]"):
        Scp(ScpConfig(**fields), listening.service.images.store, Pacs(PacsConfig()), "KONSIL")


@pytest.mark.parametrize(("scp", "says"), [({}, "no port"), ({"port": 0, "rooms": ("KONSIL=a",)}, "aet")])
async def test_an_archive_that_moves_needs_a_port_and_a_title_of_its_own(
    listening: Served, scp: dict[str, Any], says: str
) -> None:
    pacs = Pacs(PacsConfig(dimse="PACS@127.0.0.1:104", move=True))
    with pytest.raises(ValueError, match=says):
        Scp(ScpConfig(**scp), listening.service.images.store, pacs, "KONSIL")
