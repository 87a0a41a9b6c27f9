"""Orthanc from Debian as the hospital's PACS, in a network namespace of its own: it listens on every address it finds.

One runs for all tests of a session, begun with the first that asks for it. Its only way out is a veth pair to this
machine; over DICOMweb it wants a user and a password.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from server.config import PacsConfig

from .namespaces import add_line, add_namespace, ip, remove

USER, PASSWORD = "konsil", "north-of-the-river"
PLUGINS = Path("/usr/share/orthanc/plugins")
_counter = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Orthanc:
    """Where it runs, and its files."""

    host: str
    folder: Path
    namespace: str
    #: its ports: its own interface's, and DICOM's
    web: int = 8042
    dicom: int = 4242

    @property
    def url(self) -> str:
        """Its own interface."""
        return f"http://{self.host}:{self.web}"

    def beside(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a program in its namespace."""
        as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
        return subprocess.Popen(
            [*as_root, "ip", "netns", "exec", self.namespace, *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
        )

    def ask(self, path: str, method: str = "GET", body: bytes | None = None) -> Any:
        """Ask over its own interface; returns its JSON."""
        return json.loads(self.raw(path, method, body) or b"null")

    def raw(self, path: str, method: str = "GET", body: bytes | None = None) -> bytes:
        """Ask over its own interface; returns what it says, to the byte."""
        request = urllib.request.Request(self.url + path, data=body, method=method)
        request.add_header("Authorization", "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode())
        with urllib.request.urlopen(request, timeout=20) as answer:
            said: bytes = answer.read()
            return said

    def put(self, data: bytes) -> None:
        """Give it an object."""
        self.ask("/instances", "POST", data)

    @property
    def neighbour(self) -> str:
        """This machine's address as it sees us."""
        return self.host.rpartition(".")[0] + ".1"

    def know(self, name: str, aet: str, port: int, *, tls: bool = False) -> None:
        """Make it know a title at our address, by a name of its own; `tls`: it speaks TLS with it."""
        modality = {"AET": aet, "Host": self.neighbour, "Port": port, "UseDicomTls": tls}
        self.ask(f"/modalities/{name}", "PUT", json.dumps(modality).encode())

    def send(self, name: str) -> None:
        """Have it send all that it holds to whom it knows by this name (C-STORE). Raise HTTPError if that fails."""
        instances = json.dumps({"Resources": self.ask("/instances"), "Synchronous": True}).encode()
        self.ask(f"/modalities/{name}/store", "POST", instances)

    def clear(self) -> None:
        """Take everything out of it, and whom it knows."""
        for modality in self.ask("/modalities"):
            self.ask(f"/modalities/{modality}", "DELETE")
        for patient in self.ask("/patients"):
            self.ask(f"/patients/{patient}", "DELETE")
        for entry in (self.folder / "worklist").iterdir():
            entry.unlink()

    def objects(self) -> list[dict[str, Any]]:
        """List what it holds, by tags."""
        return [self.ask(f"/instances/{instance}/simplified-tags") for instance in self.ask("/instances")]

    def schedule(self, **fields: str) -> None:
        """Put an entry on its worklist; `starts` is YYYYMMDD."""
        entry = Dataset()
        entry.SpecificCharacterSet = "ISO_IR 192"
        entry.PatientName, entry.PatientID = fields["name"], fields["patient_id"]
        entry.IssuerOfPatientID = fields.get("issuer", "")
        entry.PatientBirthDate, entry.PatientSex = fields.get("birth_date", ""), fields.get("sex", "")
        entry.AccessionNumber = fields.get("accession", "")
        entry.StudyInstanceUID = generate_uid()
        entry.RequestedProcedureDescription = fields.get("procedure", "")
        entry.RequestedProcedureID = "1"
        step = Dataset()
        step.Modality = "OT"
        step.ScheduledStationAETitle = fields.get("station", "OR1")
        step.ScheduledProcedureStepStartDate = fields["starts"]
        step.ScheduledProcedureStepStartTime = "1330"
        step.ScheduledProcedureStepDescription = fields.get("procedure", "")
        step.ScheduledProcedureStepID = "1"
        entry.ScheduledProcedureStepSequence = [step]
        entry.file_meta = FileMetaDataset()
        entry.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        entry.file_meta.MediaStorageSOPClassUID = UID("1.2.276.0.7230010.3.1.0.1")
        entry.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        entry.save_as(self.folder / "worklist" / f"{next(_counter)}.wl", enforce_file_format=True)

    def config(self, tmp: Path, *, web: bool = True, dimse: bool = False, **more: Any) -> PacsConfig:
        """Make our [pacs] section for it."""
        password = tmp / "pacs-password"
        password.write_text(PASSWORD + "\n")
        password.chmod(0o600)
        fields: dict[str, Any] = {
            "outbox": str(tmp / "outbox"),
            "worklist": f"ORTHANC@{self.host}:{self.dicom}",
            **more,
        }
        if web:
            fields = {
                "dicomweb": self.url + "/dicom-web",
                "user": USER,
                "password_file": str(password),
                **fields,
            }
        if dimse:
            fields["dimse"] = f"ORTHANC@{self.host}:{self.dicom}"
        return PacsConfig(**fields)


@contextlib.contextmanager
def orthanc() -> Iterator[Orthanc]:
    """Run it while the context lasts."""
    program = shutil.which("Orthanc")
    assert program is not None, "Orthanc is missing: `make setup-test` installs it"
    folder = Path(tempfile.mkdtemp(prefix="orthanc-"))
    (folder / "worklist").mkdir()
    (folder / "orthanc.json").write_text(json.dumps(_configuration(folder)))
    name, number = add_namespace("kp", 11)
    net = f"10.{60 + number % 40}.{number // 40 % 250}"
    process = None
    try:
        ip("-n", name, "link", "set", "lo", "up")
        add_line(name, f"{name}o", f"{name}i")
        ip("addr", "add", f"{net}.1/30", "dev", f"{name}o")
        ip("link", "set", f"{name}o", "up")
        ip("-n", name, "addr", "add", f"{net}.2/30", "dev", f"{name}i")
        ip("-n", name, "link", "set", f"{name}i", "up")
        running = Orthanc(f"{net}.2", folder, name)
        process = running.beside(program, str(folder / "orthanc.json"))
        _wait_for(running, process)
        yield running
    finally:
        if process is not None:
            # what sudo began as root is not ended by a signal of ours; and going by itself it takes three seconds
            if os.geteuid() == 0:
                process.kill()
            with contextlib.suppress(OSError, ValueError):
                Orthanc(f"{net}.2", folder, name).ask("/tools/shutdown", "POST", b"")
            process.wait(30)
        remove(name, f"{name}o")
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def over_tls(beside: Orthanc, folder: Path, ca: Path, certified: tuple[str, str]) -> Iterator[Orthanc]:
    """Run another one beside it, which takes DICOM over TLS alone, from those whom `ca` vouches for."""
    folder.mkdir()
    (folder / "worklist").mkdir()
    certificate, key = certified
    configuration = {
        **_configuration(folder),
        "HttpPort": 8043,
        "DicomPort": 2762,
        "Plugins": [],
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": certificate,
        "DicomTlsPrivateKey": key,
        "DicomTlsTrustedCertificates": str(ca),
        "DicomTlsRemoteCertificateRequired": True,
    }
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    running = Orthanc(beside.host, folder, beside.namespace, 8043, 2762)
    process = running.beside("Orthanc", str(folder / "orthanc.json"))
    try:
        _wait_for(running, process)
        yield running
    finally:
        if os.geteuid() == 0:
            process.kill()
        with contextlib.suppress(OSError, ValueError):
            running.ask("/tools/shutdown", "POST", b"")
        process.wait(30)


def _configuration(folder: Path) -> dict[str, Any]:
    return {
        "Name": "Test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "Plugins": [str(PLUGINS / "libOrthancDicomWeb.so"), str(PLUGINS / "libModalityWorklists.so")],
        "HttpPort": 8042,
        "DicomPort": 4242,
        # the other end of the veth pair is remote to it
        "RemoteAccessAllowed": True,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowFindWorklist": True,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowMove": True,
        "H265TransferSyntaxAccepted": True,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        "Worklists": {"Enable": True, "Database": str(folder / "worklist"), "FilterIssuerAet": False},
    }


def _wait_for(running: Orthanc, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    asked = 0
    while time.monotonic() < until:
        assert process.poll() is None, "Orthanc ended"
        asked += 1
        try:
            running.ask("/system")
        except (urllib.error.URLError, OSError):
            # what is refused at once is asked again a little later
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
            continue
        return
    raise AssertionError(f"Orthanc has not answered in a minute, asked {asked} times")
