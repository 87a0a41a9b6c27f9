"""Speaks DIMSE (PS3.7) to a PACS, in a process of its own: a peer that stalls or lies costs this process and
nothing else.

It is given one errand as JSON on standard input and answers with a line of JSON for each thing that happens; the last
one bears `done` or `error`. It logs nothing: what libraries say quotes patients. To cancel it, end it.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import ssl
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pynetdicom import AE, StoragePresentationContexts, _config, build_context, build_role, evt
from pynetdicom.sop_class import (
    ModalityWorklistInformationFind,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from annotation.dicom import query
from annotation.dicom.reading import quietly
from annotation.dicom.storing import IN_MEMORY, SLOWEST, StoredFile, transfer_syntaxes_offered
from recorder.small_writes import write_file

from .dicom_tls import client_context

#: Memory for one data set that comes in, and for its copy.
MEMORY = 4 << 30
#: C-STORE and C-GET statuses that mean that it was taken, if with a remark (PS3.4 annexes B and C).
TAKEN = frozenset({0x0000, 0xB000, 0xB006, 0xB007})
PENDING = frozenset({0xFF00, 0xFF01})


class Answered:
    """Tells an archive that is silent from one that broke off: pynetdicom gives the same empty status for both."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._last = seconds, time.monotonic()

    def again(self) -> None:
        """Note that an answer came."""
        self._last = time.monotonic()

    def missing(self) -> Refusal:
        """Say why none came. pynetdicom's clock is a little ahead of this one."""
        waited = time.monotonic() - self._last
        return Refusal("pacs_slow" if waited > 0.9 * self._seconds else "pacs_broken")


class Refusal(Exception):
    """Ends the errand with a code."""


class _Socket(ssl.SSLSocket):
    """Remembers that TLS was not agreed on, which pynetdicom calls a peer that is away."""

    failed = False

    def do_handshake(self, block: bool = False) -> None:
        """Agree on TLS. Raise OSError."""
        try:
            super().do_handshake(block)
        except ssl.SSLError:
            _Socket.failed = True
            raise


def say(**line: Any) -> None:
    """Say a line."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def connect(errand: dict[str, Any], contexts: list[Any], **more: Any) -> Any:
    """Open an association. Raise Refusal."""
    ae = AE(ae_title=errand["aet"])
    ae.connection_timeout = ae.acse_timeout = errand["seconds"]
    ae.dimse_timeout = ae.network_timeout = errand.get("silence", errand["seconds"])
    for context in contexts:
        ae.add_requested_context(context.abstract_syntax, context.transfer_syntax)
    if errand.get("tls"):
        context = client_context(*errand["tls"])
        context.sslsocket_class = _Socket
        more["tls_args"] = (context, errand["host"])
    opened: list[Any] = []
    handlers = [*more.pop("evt_handlers", []), (evt.EVT_CONN_OPEN, opened.append)]
    association = ae.associate(
        errand["host"], errand["port"], ae_title=errand["called"], evt_handlers=handlers, **more
    )
    if association.is_established:
        return association
    if _Socket.failed:
        raise Refusal("untrusted")
    raise Refusal("pacs_refused" if opened else "pacs_away")


def find(errand: dict[str, Any]) -> None:
    """Look for studies, or ask a worklist."""
    if errand["do"] == "worklist":
        model, asked = ModalityWorklistInformationFind, query.worklist_identifier(*errand["asked"])
    else:
        model = StudyRootQueryRetrieveInformationModelFind
        asked = query.study_identifier(query.StudyQuery(**errand["asked"]))
    association = connect(errand, [build_context(model)])
    found = 0
    try:
        for status, answer in association.send_c_find(asked, model):
            if not status:
                raise Refusal("pacs_slow")
            if status.Status in PENDING and answer is not None:
                if errand["do"] == "worklist":
                    entry = query.worklist_of(answer)
                    line = None if entry is None else {"entry": entry}
                else:
                    study = query.study_of(answer)
                    line = None if study is None else {"study": asdict(study)}
                if line is not None:
                    found += 1
                    say(**line)
                if found >= query.ANSWERS_LIMIT:
                    say(more=True)
                    association.abort()
                    return
            elif status.Status != 0:
                raise Refusal("pacs_refused")
    finally:
        if association.is_established:
            association.release()


def get(errand: dict[str, Any]) -> None:
    """Fetch a study into a folder, a file an instance."""
    folder, limit = Path(errand["folder"]), errand["bytes"]
    state, answered = {"bytes": 0, "files": 0}, Answered(errand["seconds"])

    def store(event: Any) -> int:
        data = event.encoded_dataset()
        state["bytes"] += len(data)
        if state["bytes"] > limit:
            say(error="too_large")
            os._exit(0)
        state["files"] += 1
        answered.again()
        path = folder / f"{state['files']}.dcm"
        write_file(path, data)
        say(file=str(path), bytes=len(data))
        return 0x0000

    # 128 contexts at most: the most met kinds of objects, and the query's own
    kinds = [context.abstract_syntax for context in StoragePresentationContexts][:126]
    contexts = [build_context(kind, transfer_syntaxes_offered()) for kind in kinds]
    roles = [build_role(kind, scp_role=True) for kind in kinds]
    model = StudyRootQueryRetrieveInformationModelGet
    association = connect(
        errand, [*contexts, build_context(model)], ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, store)]
    )
    failed = 0
    try:
        for status, _ in association.send_c_get(query.retrieve_identifier(errand["study"]), model):
            if not status:
                raise answered.missing()
            answered.again()
            failed = int(status.get("NumberOfFailedSuboperations", 0) or 0)
            if status.Status not in PENDING and status.Status not in TAKEN:
                raise Refusal("pacs_refused")
    finally:
        if association.is_established:
            association.release()
    say(failed=failed)


def move(errand: dict[str, Any]) -> None:
    """Have a study sent to a title. How long it may be silent is the asker's to judge, who sees what arrives."""
    model = StudyRootQueryRetrieveInformationModelMove
    association = connect(errand, [build_context(model)])
    say(asked=True)
    failed = 0
    try:
        asked = query.retrieve_identifier(errand["study"])
        for status, _ in association.send_c_move(asked, errand["destination"], model):
            if not status:
                raise Refusal("pacs_broken")
            failed = int(status.get("NumberOfFailedSuboperations", 0) or 0)
            if status.Status in PENDING:
                say(pending=True)
            elif status.Status not in TAKEN and not failed:
                # A801: destination unknown; Orthanc says C000
                raise Refusal("does_not_send")
    finally:
        if association.is_established:
            association.release()
    say(failed=failed)


def store(errand: dict[str, Any]) -> None:
    """Send files, and say of each what became of it."""
    files = [StoredFile.read(Path(path)) for path in errand["files"]]
    wanted = {(file.sop_class, file.transfer_syntax) for file in files}
    association = connect(errand, [build_context(kind, syntax) for kind, syntax in sorted(wanted)])
    try:
        for number, file in enumerate(files):
            size = file.path.stat().st_size
            # a film is not decoded, and its answer comes when all of it has gone through the line
            _config.STORE_SEND_CHUNKED_DATASET = size > IN_MEMORY
            if size > IN_MEMORY:
                association.dimse_timeout = max(float(errand["seconds"]), size / SLOWEST)
            try:
                status = association.send_c_store(file.path)
            except (ValueError, RuntimeError):
                say(sent=number, status=0x0122)  # SOP class not supported: it was not agreed upon
                continue
            if not status:
                raise Refusal("pacs_slow")
            say(sent=number, status=int(status.Status))
    finally:
        if association.is_established:
            association.release()


def echo(errand: dict[str, Any]) -> None:
    """Ask whether it is there (C-ECHO)."""
    association = connect(errand, [build_context(Verification)])
    status = association.send_c_echo()
    if association.is_established:
        association.release()
    if not status or status.Status != 0:
        raise Refusal("pacs_refused")


ERRANDS = {"echo": echo, "find": find, "worklist": find, "get": get, "move": move, "store": store}


def main() -> None:
    """Do the errand."""
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    errand: dict[str, Any] = json.loads(sys.stdin.readline())
    try:
        quietly(ERRANDS[errand["do"]], errand)
        say(done=True)
    except Refusal as refusal:
        say(error=str(refusal))
    except (OSError, MemoryError):
        say(error="pacs_away")
    except Exception:
        # whatever a peer's bytes did to the libraries
        say(error="pacs_broken")
    sys.stdout.flush()
    # the library's threads wait for peers; nobody waits for them
    os._exit(0)


if __name__ == "__main__":
    main()
