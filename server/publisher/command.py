"""The command line: ``python -m server publish FILE|URL|DEVICE:NAME --room R``."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from signalling.messages import LABEL_LIMIT
from signalling.sources import SOURCES
from signalling.tokens import is_room_name, issue

from .. import config as configuration
from ..config import Config
from ..secret_file import load_secret
from . import devices
from .address import Address
from .bar import Bar
from .session import ConnectionLostError, Session, Wishes
from .source import AS_NEEDED, Encoding, Source, SourceError
from .whip import Whip, WhipError

#: Seconds before a new attempt: doubled each time, up to the most; from the beginning after a good connection.
FIRST_WAIT = 1.0
LONGEST_WAIT = 15.0
GOOD_SECONDS = 10.0

#: How long a token is good that this command signs for itself.
TOKEN_HOURS = 24 * 30


def main(arguments: Sequence[str], config: Config | None = None) -> int:
    """Publish until the source ends or Ctrl-C; returns the exit status. `config` is read from its file if not given."""
    options = _parser().parse_args(arguments)
    if options.list_devices:
        for line in devices.report():
            print(line)
        return 0
    if options.file is None or options.room is None:
        print("A source and --room are needed; --list-devices shows what there is.", file=sys.stderr)
        return 2
    if not is_room_name(options.room):
        print("A room has 1 to 64 of A-Z a-z 0-9 - _ . and no dot in front.", file=sys.stderr)
        return 2
    try:
        if config is None:
            config = _load_config()
        server = options.server or _own_address(config)
        token = (
            options.token
            or os.environ.get("KONSIL_TOKEN")
            or _sign(config, server, options.room, options.name)
        )
        Whip(server, token)  # refuses a wrong address
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    wishes = Wishes(options.room, options.source, options.name, options.barcode)
    address, encoding = (
        Address(options.file, _ffmpeg_options(options)),
        Encoding(options.encode, options.bitrate),
    )
    try:
        return asyncio.run(_until_stopped(address, options.loop, server, token, wishes, encoding))
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m server publish",
        description="Send a file, a stream (RTSP, HTTP, whatever FFmpeg opens) or a device (v4l2:/dev/video0, "
        "decklink:NAME, x11grab::0, lavfi:testsrc2) into a room. H.264, H.265 and Opus are passed through as they "
        "are; anything else is encoded by the best encoder of this machine.",
    )
    parser.add_argument("file", metavar="FILE|URL|DEVICE:NAME", nargs="?")
    parser.add_argument("--room")
    parser.add_argument("--server", help="address of the server (default: the local configuration's)")
    parser.add_argument(
        "--token",
        help="the bearer token of `python -m server link --token`; better in the environment as KONSIL_TOKEN, where "
        "others do not see it (default: signed by the local configuration's secret)",
    )
    parser.add_argument("--name", default="Operating field", help="what the others see")
    parser.add_argument(
        "--source", default="field", choices=sorted(SOURCES - {"microphone"}), help="what it is"
    )
    parser.add_argument("--loop", action="store_true", help="begin a file again at its end, without a seam")
    parser.add_argument(
        "--barcode",
        type=_modulus,
        default=0,
        metavar="N",
        help="the picture bears the barcode of docs/barcode.md, in a loop of N frames: tell when frames are sent",
    )
    parser.add_argument("--encode", action="store_true", help="encode also what could be passed through")
    parser.add_argument(
        "--bitrate", type=_bits, default=0, metavar="8M", help="of what is encoded (default: by its size)"
    )
    parser.add_argument("--size", metavar="1920x1080", help="what a device is to give")
    parser.add_argument("--rate", metavar="30", help="pictures a second that a device is to give")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        type=_pair,
        metavar="NAME=VALUE",
        help="any of FFmpeg's options for this input, such as input_format=mjpeg; may be repeated",
    )
    parser.add_argument("--list-devices", action="store_true", help="show devices and encoders, and end")
    return parser


def _bits(text: str) -> int:
    units = {"k": 1_000, "M": 1_000_000}
    number = text[:-1] if text[-1:] in units else text
    try:
        bits = int(float(number) * units.get(text[-1:], 1))
    except (ValueError, OverflowError):
        bits = 0
    if not 50_000 <= bits <= 200_000_000:
        raise argparse.ArgumentTypeError("a bit rate is from 50k to 200M")
    return bits


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError("an option is NAME=VALUE")
    return name, value


def _ffmpeg_options(options: argparse.Namespace) -> dict[str, str]:
    named = {"video_size": options.size, "framerate": options.rate}
    return {name: value for name, value in named.items() if value} | dict(options.option)


def _modulus(text: str) -> int:
    number = int(text)
    if not 0 < number <= 65_536:
        raise argparse.ArgumentTypeError("a loop has 1 to 65,536 frames")
    return number


def _load_config() -> Config:
    named = os.environ.get("KONSIL_CONFIG")
    path = Path(named) if named else Path("konsil.toml")
    return configuration.load(path if named or path.exists() else None, os.environ)


def _own_address(config: Config) -> str:
    scheme = "https" if config.http.certificate else "http"
    host = "127.0.0.1" if config.http.host in ("0.0.0.0", "::") else config.http.host  # noqa: S104
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{config.http.port}"


def _sign(config: Config, server: str, room: str, name: str) -> str:
    """Sign a token with the local secret; only for a server that has this secret anyway."""
    if not (_is_loopback(server) or server == _own_address(config) or server == config.public_url):
        raise ValueError(f"A token for {server} is needed: --token or KONSIL_TOKEN.")
    secret = Path(config.secrets.file)
    if not secret.exists():
        raise ValueError(
            f"There is no secret at {secret}: start the server once, or give a token by KONSIL_TOKEN."
        )
    expires = time.time() + TOKEN_HOURS * 3600
    return issue(load_secret(secret), room=room, name=name[:LABEL_LIMIT], role="surgeon", expires=expires)


def _is_loopback(server: str) -> bool:
    host = urlsplit(server).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _until_stopped(
    source: str | Address,
    loop: bool,
    server: str,
    token: str,
    wishes: Wishes,
    encoding: Encoding = AS_NEEDED,
) -> int:
    """Publish, and again if source or connection break, until the source ends or we are told to stop."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    address = source if isinstance(source, Address) else Address(source)
    bar = Bar()
    wait = FIRST_WAIT
    whip = Whip(server, token)
    try:
        while True:
            began = time.monotonic()
            whip = Whip(server, token, whip.resource)
            try:
                await _publish_once(address, loop, whip, wishes, encoding, bar)
                bar.end("The source has ended.")
                return 0
            except SourceError as error:
                bar.say(str(error))
                if error.encode and not encoding.always:
                    bar.say("It is encoded instead.")
                    encoding = replace(encoding, always=True)
                    continue
                if error.final:
                    return 1
            except WhipError as error:
                bar.say(str(error))
                if error.final:
                    return 1
            except ConnectionLostError as error:
                bar.say(str(error))
            if time.monotonic() - began > GOOD_SECONDS:
                wait = FIRST_WAIT
            bar.say(f"Trying again in {wait:.0f} s.")
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)
    except asyncio.CancelledError:
        bar.end("Stopped.")
        return 0


async def _publish_once(
    address: Address,
    loop: bool,
    whip: Whip,
    wishes: Wishes,
    encoding: Encoding,
    bar: Bar,
) -> None:
    source = await asyncio.to_thread(Source, address, loop=loop, encoding=encoding)
    try:
        bar.encodes = source.encodes
        async with whip:
            for track in source.tracks:
                by = f", encoded by {track.encoder}" if track.encoder else ""
                print(f"{address.name}: {track.codec.name} {track.fmtp}{by}", flush=True)
            await Session(source, whip, wishes, show=bar.show, say=bar.say).run()
    finally:
        source.close()
