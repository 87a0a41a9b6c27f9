"""The one configuration: a TOML file, then the environment, every key documented here and nowhere else.

``python -m server config`` prints all keys with their meaning and default as a TOML file to start from. A
mistake is answered with the file, the line and a sentence; the server does not start with half a
configuration.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any


class ConfigError(ValueError):
    """The configuration has a mistake; the text says where and what is expected."""


def _key(default: Any, words: str, low: float | None = None, high: float | None = None) -> Any:
    metadata = {"words": words, "low": low, "high": high}
    if isinstance(default, tuple):
        return field(default_factory=lambda: default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """Pages, signalling and recordings."""

    host: str = _key("127.0.0.1", "Address to listen on; 0.0.0.0 for all.")
    port: int = _key(8080, "TCP port.", 0, 65535)
    public_url: str = _key(
        "", "What links begin with, such as https://konsil.example.org; empty: host and port."
    )
    certificate: str = _key(
        "",
        "PEM file with the TLS chain. Browsers give camera and microphone only to HTTPS or localhost.",
    )
    private_key: str = _key("", "PEM file with the TLS private key.")


@dataclass(frozen=True, slots=True)
class MediaConfig:
    """The packet plane: one UDP port for everyone, and TCP for those whom UDP does not reach."""

    host: str = _key("127.0.0.1", "Address to listen on; 0.0.0.0 for all.")
    port: int = _key(8443, "UDP port; 0 takes any free one.", 0, 65535)
    tcp_port: int = _key(
        0,
        "TCP port for media that UDP does not carry (ICE-TCP), beside the pages' own port, which takes them too; "
        "0: the UDP port's number; -1: none, on neither port.",
        -1,
        65535,
    )
    threads: int = _key(
        0,
        "Threads that move packets, each with its rooms; 0: one for each core but one, at least one.",
        0,
        16,
    )
    advertised: tuple[str, ...] = _key(
        (), "Addresses that browsers are told, as host or host:port; needed with host 0.0.0.0 or behind NAT."
    )
    start_kbps: int = _key(6000, "Bit rate in kbit/s that a browser's camera begins with.", 100, 100_000)
    max_kbps: int = _key(50_000, "Bit rate in kbit/s that a browser may reach.", 100, 1_000_000)
    protection: float = _key(
        0.2,
        "Most protection packets (FlexFEC) a packet of the field, while a line loses 2 % and more; 0 offers none.",
        0,
        0.5,
    )
    redundancy: bool = _key(
        True,
        "Whether browsers send each packet of sound once more with the next (RED, RFC 2198), so that a lost one is not "
        "heard: sound takes up to twice its rate, for those who receive it so as well.",
    )


@dataclass(frozen=True, slots=True)
class TurnConfig:
    """A TURN server for those who reach the media port neither by UDP nor by TCP; docs/coturn.conf fits to it."""

    urls: tuple[str, ...] = _key(
        (),
        "Where it is reached, such as turn:turn.example.org:3478 and turns:turn.example.org:443?transport=tcp.",
    )
    secret_file: str = _key("", "File with the secret that it shares with us: coturn's static-auth-secret.")
    lifetime: float = _key(
        14400.0, "Seconds that a page's credentials hold; it renews them in time.", 60, 86400
    )


@dataclass(frozen=True, slots=True)
class RoomsConfig:
    """Who fits into a room, and for how long a place is kept."""

    participants: int = _key(64, "Most participants in a room.", 2, 1000)
    experts: int = _key(16, "Most experts in a room.", 1, 64)
    resume_seconds: float = _key(30.0, "How long a broken connection keeps identity and state.", 1, 600)
    waiting_room: bool = _key(
        False, "Whether all but surgeon and chair wait until one of these lets them in; a link may differ."
    )


@dataclass(frozen=True, slots=True)
class TrackingConfig:
    """Whether the server watches the fields that bear marks."""

    enabled: bool = _key(
        True,
        "Decode a field while there are marks on it, in a process of its own: marks follow the tissue where asked, "
        "and all turn grey when the camera moves away.",
    )


@dataclass(frozen=True, slots=True)
class RecordingsConfig:
    """Where the archive stands."""

    folder: str = _key("var/recordings", "Folder of the recordings, one folder each.")
    minimum_free_mb: int = _key(
        1024, "Free disk space in MiB without which no recording starts.", 0, 1_000_000
    )
    volume_mb: int = _key(
        4096,
        "MiB of one file of a recording's journal: a longer one goes on in another. 0: never.",
        0,
        1_000_000,
    )
    previews: bool = _key(
        True,
        "Whether a small picture of each frame is made of finished recordings, so that a replay shows any moment at "
        "once. It takes idle processor time, of 4K at 30/s about 25 minutes of one core an hour, and 250 MB an hour.",
    )
    shared_cache: bool = _key(
        False,
        "A cache stands in front that asks /api/authorise about each request (docs/hls.md): it may keep pieces.",
    )


@dataclass(frozen=True, slots=True)
class SealConfig:
    """What recordings are sealed with, so that a disk or a copy that is lost shows nothing."""

    suite: str = _key(
        "SM4-GCM-SM3", "SM4-GCM-SM3 or AES-256-GCM-SHA256; empty: new recordings are not sealed."
    )
    private_key: str = _key(
        "var/keys/archive.pem",
        "PEM file with the SM2 key pair that opens recordings; made with mode 0600 on the first start; "
        "empty: this server records, and replays nothing.",
    )
    public_keys: tuple[str, ...] = _key(
        (), "PEM files with SM2 public keys for whose owners recordings are sealed besides."
    )
    signing_key: str = _key(
        "var/keys/signing.pem",
        "PEM file with the SM2 key pair that signs finished recordings; made with mode 0600 on the first start.",
    )


@dataclass(frozen=True, slots=True)
class FilesConfig:
    """Files that people in a room send to each other."""

    folder: str = _key("var/files", "Folder of the files; what is not clean yet lies apart in it.")
    size_mb: int = _key(2048, "Largest file in MiB; 0: nobody sends files.", 0, 1_000_000)
    room_mb: int = _key(8192, "Most MiB of a room's files together.", 1, 10_000_000)
    minimum_free_mb: int = _key(
        1024, "Free disk space in MiB that files leave to everything else.", 0, 1_000_000
    )
    keep_hours: float = _key(24.0, "Hours after which a file is deleted.", 0.01, 8760)


@dataclass(frozen=True, slots=True)
class ScannerConfig:
    """The virus scanner that looks at files and images before anybody is given them."""

    command: tuple[str, ...] = _key(
        (),
        "Called with the file's path after these words, such as clamdscan, --fdpass, --no-summary: exit code 0: clean, "
        "1: not. Where it is set nothing is passed on that it did not find clean. ClamAV takes for clean what is "
        "larger than its own limits unless clamd.conf says AlertExceedsMax yes (clamscan: --alert-exceeds-max=yes).",
    )
    seconds: float = _key(300.0, "Seconds that it has for one file.", 1, 7200)


@dataclass(frozen=True, slots=True)
class DicomConfig:
    """Images of a consultation (annotation/dicom/DICOMWEB.md)."""

    folder: str = _key("var/dicom", "Folder of the rooms' images and of what was not taken.")
    file_mb: int = _key(4096, "Largest file in MiB.", 1, 65_536)
    room_mb: int = _key(20_480, "Most images of a room in MiB.", 1, 10_000_000)
    keep_days: int = _key(30, "Days for which images are kept after they came; 0: for ever.", 0, 36_500)
    workers: int = _key(2, "Processes that read and decode images.", 1, 16)
    decode_seconds: float = _key(30.0, "Seconds that reading or decoding may take.", 1, 600)
    decode_mb: int = _key(
        3072, "Memory in MiB that reading or decoding may take, in each process.", 512, 65_536
    )


@dataclass(frozen=True, slots=True)
class ScpConfig:
    """Devices that send images into rooms by C-STORE (docs/hospital.md)."""

    host: str = _key("127.0.0.1", "Address to listen on; 0.0.0.0 for all.")
    port: int = _key(
        -1, "TCP port; 104, 11112 and with TLS 2762 are usual; 0 takes any free one; -1: none.", -1, 65535
    )
    rooms: tuple[str, ...] = _key(
        (), 'Which AE title that is called names which room, such as "THEATRE1=theatre-1".'
    )
    senders: tuple[str, ...] = _key(
        (),
        'AE titles that may send, such as "CT1", or "CT1@192.0.2.7" from that address alone: without TLS and '
        "ca_file a title is nothing but a word.",
    )
    certificate: str = _key("", "PEM file with the TLS chain that is shown to devices; empty: no TLS.")
    private_key: str = _key("", "PEM file with its private key.")
    ca_file: str = _key(
        "",
        "PEM file with the certificates that vouch for devices: only those are let in that show one. Empty: all.",
    )


@dataclass(frozen=True, slots=True)
class PacsConfig:
    """The hospital's archive and worklist (docs/hospital.md); what is empty is not used."""

    name: str = _key("The PACS", "What people call the archive.")
    dicomweb: str = _key("", "Its DICOMweb address, such as https://pacs.example.org/dicom-web.")
    user: str = _key("", "User for DICOMweb, with password_file.")
    password_file: str = _key("", "File with the user's password.")
    token_file: str = _key("", "File with a bearer token for DICOMweb, instead of user and password.")
    dimse: str = _key(
        "", "Its application entity, TITLE@host:port: searches go there, the rest if there is no DICOMweb."
    )
    aet: str = _key("KONSIL", "Our own application entity title.")
    move: bool = _key(
        False,
        "Whether the archive is asked to send studies to [scp] (C-MOVE), as many can do nothing else: it must know aet "
        "with our address and that port.",
    )
    dimse_tls: bool = _key(False, "Whether DIMSE, the worklist's too, goes over TLS (PS3.15, B.12).")
    certificate: str = _key("", "PEM file with the TLS chain that we show there, if they ask for one.")
    private_key: str = _key("", "PEM file with its private key.")
    ca_file: str = _key(
        "", "PEM file with the certificates that vouch for all of these; empty: the system's."
    )
    worklist: str = _key("", "The modality worklist's application entity, TITLE@host:port.")
    station: str = _key("", "Our station's title in the worklist: only its entries are shown; empty: all.")
    fhir: str = _key("", "A FHIR R5 server's address, which gives the patients if there is no worklist.")
    fhir_token_file: str = _key("", "File with a bearer token for the FHIR server.")
    seconds: float = _key(20.0, "Seconds that one answer of these may take.", 1, 300)
    study_mb: int = _key(4096, "Largest study in MiB that is fetched.", 1, 1_000_000)
    outbox: str = _key("var/outbox", "Folder of what goes to the archive, until it is there.")
    retry_seconds: float = _key(60.0, "Seconds after which is tried again what could not be sent.", 1, 86_400)
    send_at_end: bool = _key(
        False, "Whether what was drawn goes to the archive by itself when the last one has left the room."
    )
    institution: str = _key("", "The hospital's name, as it is to stand in what goes to the archive.")


@dataclass(frozen=True, slots=True)
class ExportsConfig:
    """Films and texts that people take of a recording, made by worker processes."""

    at_once: int = _key(1, "Workers at a time.", 1, 16)
    memory_mb: int = _key(4096, "Most MiB of address space that a worker may take.", 2048, 1_000_000)
    cpu_hours: float = _key(24.0, "Hours of processor time after which a worker is ended.", 0.01, 1000)
    keep_hours: float = _key(168.0, "Hours after which what was exported is removed.", 0.01, 87_600)


@dataclass(frozen=True, slots=True)
class StillsConfig:
    """Frames that people froze, kept as images. The oldest goes first."""

    folder: str = _key("var/stills", "Folder of the stills, one folder a room.")
    per_room: int = _key(200, "Most stills that are kept of a room.", 1, 10_000)
    total_mb: int = _key(
        4096, "Most MiB that all rooms' stills take; one of 4K takes about 20.", 16, 10_000_000
    )
    keep_hours: float = _key(
        720.0, "Hours after which a still is deleted, when the next one is kept.", 1, 87_600
    )


@dataclass(frozen=True, slots=True)
class DatabaseConfig:
    """What is known beside the recordings: who watched what, what was said of it, how long it is kept."""

    file: str = _key("var/konsil.sqlite3", "SQLite file; made with mode 0600 on the first start.")


@dataclass(frozen=True, slots=True)
class KeepingConfig:
    """How recordings are kept (docs/keeping.md); how long is a table: `python -m server keeping`."""

    request_days: int = _key(
        14, "Days within which a second person agrees to a deletion; then the request falls.", 1, 365
    )


@dataclass(frozen=True, slots=True)
class CopiesConfig:
    """The second place, where finished recordings are copied (docs/keeping.md)."""

    place: str = _key(
        "", "A folder such as /mnt/second, or s3://bucket/prefix; empty: no second copy is made."
    )
    endpoint: str = _key(
        "", "Address of the S3-compatible store, such as https://s3.example.org; empty: Amazon's."
    )
    region: str = _key("us-east-1", "Its region.")
    credentials_file: str = _key(
        "",
        "File with the access key's name in the first line and its secret in the second; empty: AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY.",
    )
    rate_mb: float = _key(
        20.0, "Most MB/s that copying takes; a quarter of it while a room is open.", 0.1, 10_000
    )
    free_mb: int = _key(
        0,
        "Free disk space in MiB below which the oldest recordings that have a proved copy leave this disk, to be "
        "fetched back when they are replayed; 0: never.",
        0,
        1_000_000_000,
    )


@dataclass(frozen=True, slots=True)
class SecretsConfig:
    """What signs the links."""

    file: str = _key("var/secret", "File with the signing secret; made with mode 0600 on the first start.")


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be set."""

    http: HttpConfig = field(default_factory=HttpConfig)
    media: MediaConfig = field(default_factory=MediaConfig)
    turn: TurnConfig = field(default_factory=TurnConfig)
    rooms: RoomsConfig = field(default_factory=RoomsConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    recordings: RecordingsConfig = field(default_factory=RecordingsConfig)
    seal: SealConfig = field(default_factory=SealConfig)
    files: FilesConfig = field(default_factory=FilesConfig)
    scanner: ScannerConfig = field(default_factory=ScannerConfig)
    dicom: DicomConfig = field(default_factory=DicomConfig)
    scp: ScpConfig = field(default_factory=ScpConfig)
    pacs: PacsConfig = field(default_factory=PacsConfig)
    stills: StillsConfig = field(default_factory=StillsConfig)
    exports: ExportsConfig = field(default_factory=ExportsConfig)
    database: DatabaseConfig = field(default_factory=DatabaseConfig)
    keeping: KeepingConfig = field(default_factory=KeepingConfig)
    copies: CopiesConfig = field(default_factory=CopiesConfig)
    secrets: SecretsConfig = field(default_factory=SecretsConfig)

    @property
    def public_url(self) -> str:
        """What links begin with, without a slash at the end."""
        if self.http.public_url:
            return self.http.public_url.rstrip("/")
        scheme = "https" if self.http.certificate else "http"
        host = "localhost" if self.http.host in ("127.0.0.1", "0.0.0.0", "::1", "::") else self.http.host  # noqa: S104
        return f"{scheme}://{host}:{self.http.port}"


SECTIONS: dict[str, Any] = {
    "http": HttpConfig,
    "media": MediaConfig,
    "turn": TurnConfig,
    "rooms": RoomsConfig,
    "tracking": TrackingConfig,
    "recordings": RecordingsConfig,
    "seal": SealConfig,
    "files": FilesConfig,
    "scanner": ScannerConfig,
    "dicom": DicomConfig,
    "scp": ScpConfig,
    "pacs": PacsConfig,
    "stills": StillsConfig,
    "exports": ExportsConfig,
    "database": DatabaseConfig,
    "keeping": KeepingConfig,
    "copies": CopiesConfig,
    "secrets": SecretsConfig,
}


def load(path: Path | None, environment: Mapping[str, str]) -> Config:
    """Read the file (if there is one), then the variables ``KONSIL_<SECTION>_<KEY>``, which win.

    Raises ConfigError on the first mistake, naming file and line or variable.
    """
    text = path.read_text("utf-8") if path is not None else ""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: this is not TOML: {error}") from None
    for name, table in tables.items():
        if name not in SECTIONS:
            raise ConfigError(
                f"{path}, line {_line(text, name, None)}: there is no section [{name}]; "
                f"there are {', '.join(SECTIONS)}."
            )
        if not isinstance(table, dict):
            raise ConfigError(f"{path}, line {_line(text, None, name)}: {name} is a section: write [{name}].")
    values: dict[str, Any] = {}
    for name, kind in SECTIONS.items():
        keys = {key.name: key for key in fields(kind)}
        chosen: dict[str, Any] = {}
        for key, value in tables.get(name, {}).items():
            where = f"{path}, line {_line(text, name, key)}"
            if key not in keys:
                raise ConfigError(f"{where}: [{name}] has no key {key}; it has {', '.join(keys)}.")
            chosen[key] = _checked(where, keys[key], value)
        for key, definition in keys.items():
            variable = f"KONSIL_{name}_{key}".upper()
            if variable in environment:
                chosen[key] = _checked(
                    variable, definition, _from_text(variable, definition, environment[variable])
                )
        values[name] = kind(**chosen)
    _check_variables(environment)
    return Config(**values)


def document() -> str:
    """Render every key with its meaning and default as a TOML file."""
    lines = [
        "# Konsil's configuration. Every key stands here with its default; the environment",
        "# (KONSIL_<SECTION>_<KEY>, lists separated by commas) wins over the file.",
    ]
    for name, kind in SECTIONS.items():
        lines += ["", f"# {kind.__doc__}", f"[{name}]"]
        for key in fields(kind):
            lines += [f"# {key.metadata['words']}", f"{key.name} = {_toml(getattr(kind(), key.name))}"]
    return "\n".join(lines) + "\n"


#: Variables that bear the prefix and are not keys: read by the publisher and the build.
OTHER_VARIABLES = frozenset({"KONSIL_TOKEN", "KONSIL_CONFIG", "KONSIL_DEBUG"})


def _check_variables(environment: Mapping[str, str]) -> None:
    known = set(OTHER_VARIABLES)
    for name, kind in SECTIONS.items():
        known |= {f"KONSIL_{name}_{key.name}".upper() for key in fields(kind)}
    for variable in environment:
        if variable.startswith("KONSIL_") and variable not in known:
            raise ConfigError(
                f"{variable}: no configuration key has this name; `python -m server config` lists them."
            )


def _default(definition: Any) -> Any:
    return definition.default if definition.default is not MISSING else definition.default_factory()


def _checked(where: str, definition: Any, value: Any) -> Any:
    """Hold a value against its key's type and range."""
    default = _default(definition)
    low, high = definition.metadata["low"], definition.metadata["high"]
    if isinstance(default, tuple):
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
            raise ConfigError(f"{where}: {definition.name} is a list of strings.")
        return tuple(value)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not type(default):
        words = {int: "a whole number", float: "a number", str: "a string in quotes", bool: "true or false"}
        expected = words[type(default)]
        raise ConfigError(f"{where}: {definition.name} must be {expected}, not {value!r}.")
    if low is not None and not low <= value <= high:
        raise ConfigError(f"{where}: {definition.name} must be from {low} to {high}, not {value}.")
    return value


def _from_text(variable: str, definition: Any, text: str) -> Any:
    default = _default(definition)
    if isinstance(default, tuple):
        return [item.strip() for item in text.split(",") if item.strip()]
    if isinstance(default, bool):
        if text not in ("true", "false"):
            raise ConfigError(f"{variable}: {definition.name} must be true or false, not {text!r}.")
        return text == "true"
    try:
        return type(default)(text)
    except ValueError:
        raise ConfigError(f"{variable}: {definition.name} must be a number, not {text!r}.") from None


def _line(text: str, section: str | None, key: str | None) -> int:
    """Find the line on which a section or one of its keys stands, 1 if it is written in an unusual way."""
    current: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\s*\"?([^\]\".]+)\"?\s*\]", line)
        if header:
            current = header.group(1).strip()
            if key is None and current == section:
                return number
        elif key is not None and current == section and re.match(rf"\s*\"?{re.escape(key)}\"?\s*=", line):
            return number
    return 1


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
