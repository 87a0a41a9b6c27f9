"""DICOM over TLS with DCMTK at the other end: devices that send to us, and an archive that we send to."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.error import HTTPError

import pytest

from annotation.dicom.query import StudyQuery
from server.config import PacsConfig, ScpConfig
from server.dicom.pacs import Pacs
from server.dicom.pacs_error import PacsError, Verdict
from tests.helpers.certificates import Authority
from tests.helpers.dicom_files import sample
from tests.helpers.orthanc import Orthanc, over_tls
from tests.helpers.served import served
from tests.helpers.udp_peers import until

PATIENCE = 30
FILE = sample("CT_small.dcm")


@pytest.fixture
def trusted(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "Hospital")


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "Elsewhere")


async def storescu(port: int, *tls: str) -> int:
    """Send one object; gives the exit code."""
    titles = ("-aet", "MODALITY", "-aec", "THEATRE")
    process = await asyncio.create_subprocess_exec(
        *("storescu", *tls, *titles, "127.0.0.1", str(port), str(FILE)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await asyncio.wait_for(process.wait(), PATIENCE)


def enabled(authority: Authority, certified: tuple[str, str]) -> tuple[str, ...]:
    """Give DCMTK's options for a certificate, its key and who is trusted."""
    certificate, key = certified
    return ("+tls", key, certificate, "+cf", str(authority.ca))


async def agrees(port: int, authority: Authority, certified: tuple[str, str], cipher: str) -> bool:
    """Tell whether TLS 1.2 with one cipher is agreed on."""
    context = ssl.create_default_context(cafile=str(authority.ca))
    context.load_cert_chain(*certified)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(cipher)
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def test_devices_that_are_vouched_for_send_into_a_room(
    tmp_path: Path, trusted: Authority, stranger: Authority
) -> None:
    certificate, key = trusted.certify("127.0.0.1", "konsil")
    scp = ScpConfig(
        port=0, rooms=("THEATRE=ward",), senders=("MODALITY",),
        certificate=certificate, private_key=key, ca_file=str(trusted.ca),
    )  # fmt: skip
    async with served(tmp_path, scp=scp) as server:
        port = server.service.scp.port
        # in the clear, with another's certificate, with none, and with a cipher that is not of the profile
        assert await storescu(port) != 0
        assert await storescu(port, *enabled(trusted, stranger.certify("127.0.0.1", "other"))) != 0
        assert await storescu(port, "+tla", "+cf", str(trusted.ca)) != 0
        device = trusted.certify("127.0.0.1", "device")
        assert await agrees(port, trusted, device, "ECDHE-ECDSA-AES128-GCM-SHA256")
        assert not await agrees(port, trusted, device, "ECDHE-ECDSA-AES128-SHA256")
        assert server.service.images.store.instances("ward") == []
        assert await storescu(port, *enabled(trusted, device)) == 0
        assert len(server.service.images.store.instances("ward")) == 1


@pytest.fixture
def storescp(pacs: Orthanc, trusted: Authority) -> Iterator[int]:
    """Run DCMTK's archive, which asks for a certificate, beside Orthanc; gives its port."""
    folder, port = trusted.ca.parent / "kept", 11112
    folder.mkdir()
    options = enabled(trusted, trusted.certify(pacs.host, "archive"))
    process = pacs.beside("storescp", *options, "-od", str(folder), "-aet", "ARCHIVE", str(port))
    try:
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


async def test_an_archive_is_sent_to_if_both_trust_each_other(
    tmp_path: Path, pacs: Orthanc, storescp: int, trusted: Authority, stranger: Authority
) -> None:
    def listens() -> bool:
        with contextlib.closing(socket.socket()) as probe:
            return probe.connect_ex((pacs.host, storescp)) == 0

    await until(listens, PATIENCE)

    def archive(vouching: Authority, certified: tuple[str, str]) -> Pacs:
        config = PacsConfig(dimse=f"ARCHIVE@{pacs.host}:{storescp}", dimse_tls=True, seconds=10.0)
        certificate, key = certified
        return Pacs(replace(config, ca_file=str(vouching.ca), certificate=certificate, private_key=key))

    ours = trusted.certify("127.0.0.1", "konsil")
    with pytest.raises(PacsError, match="does not trust the other's certificate"):
        await archive(stranger, ours).send(FILE)
    with pytest.raises(PacsError) as refused:
        await archive(trusted, stranger.certify("127.0.0.1", "other")).send(FILE)
    assert refused.value.code == "pacs_refused"
    assert list((tmp_path / "kept").iterdir()) == []
    assert await archive(trusted, ours).send(FILE) == Verdict(True)
    (kept,) = (tmp_path / "kept").iterdir()
    assert kept.name.startswith("CT.")


async def test_orthanc_speaks_tls_with_us_in_both_directions(
    tmp_path: Path, pacs: Orthanc, trusted: Authority, stranger: Authority
) -> None:
    ours, theirs = trusted.certify("127.0.0.1", "konsil"), trusted.certify(pacs.host, "archive")
    scp = ScpConfig(
        host=pacs.neighbour, port=0, rooms=("THEATRE=ward",), senders=("ORTHANC",),
        certificate=ours[0], private_key=ours[1], ca_file=str(trusted.ca),
    )  # fmt: skip
    with over_tls(pacs, tmp_path / "orthanc", trusted.ca, theirs) as archive:

        def us(certified: tuple[str, str], *, tls: bool = True) -> Pacs:
            config = archive.config(tmp_path, web=False, dimse=True, worklist="", dimse_tls=tls, seconds=10.0)
            certificate, key = certified
            return Pacs(replace(config, ca_file=str(trusted.ca), certificate=certificate, private_key=key))

        # in the clear, and with a certificate of somebody whom it does not know
        with pytest.raises(PacsError):
            await us(ours, tls=False).send(FILE)
        with pytest.raises(PacsError):
            await us(stranger.certify("127.0.0.1", "other")).send(FILE)
        assert archive.objects() == []
        assert await us(ours).send(FILE) == Verdict(True)
        (study,), _ = await us(ours).search(StudyQuery(patient_id="1CT1"))
        # its own way to us: refused in the clear, taken over TLS
        async with served(tmp_path / "server", scp=scp) as server:
            for name, tls in (("clear", False), ("konsil", True)):
                archive.know(name, "THEATRE", server.service.scp.port, tls=tls)
            with pytest.raises(HTTPError):
                await asyncio.to_thread(archive.send, "clear")
            assert server.service.images.store.instances("ward") == []
            await asyncio.to_thread(archive.send, "konsil")
            (came,) = server.service.images.store.instances("ward")
    assert came.facts.StudyInstanceUID == study.study


def test_certificates_that_are_none_stop_the_server(tmp_path: Path, trusted: Authority) -> None:
    certificate, key = trusted.certify("127.0.0.1", "konsil")
    Path(key).chmod(0o644)
    config = PacsConfig(dimse="PACS@127.0.0.1:104", dimse_tls=True, certificate=certificate, private_key=key)
    with pytest.raises(ValueError, match="can be read by others"):
        Pacs(config)
    for wrong in ({"ca_file": key}, {"ca_file": "none.pem"}, {"certificate": "none.pem", "private_key": ""}):
        fields = {"ca_file": "", "certificate": "", "private_key": "", **wrong}
        with pytest.raises(ValueError, match="PEM"):
            Pacs(PacsConfig(dimse="PACS@127.0.0.1:104", dimse_tls=True, **fields))  # type: ignore[arg-type]
