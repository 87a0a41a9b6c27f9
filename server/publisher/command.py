"""The command line: ``python -m server publish FILE|URL --room R``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ipaddress
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from signalling.messages import LABEL_LIMIT, SOURCES
from signalling.tokens import is_room_name, issue

from .. import config as configuration
from ..config import Config
from ..secret_file import load_secret
from .session import ConnectionLostError, Session, Status, Wishes
from .source import Source, SourceError, shown
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
    try:
        return asyncio.run(_until_stopped(options.file, options.loop, server, token, wishes))
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m server publish",
        description="Send a file or a stream (RTSP, HTTP, whatever FFmpeg opens) into a room. H.264, H.265 and Opus "
        "are passed through as they are; nothing is decoded.",
    )
    parser.add_argument("file", metavar="FILE|URL")
    parser.add_argument("--room", required=True)
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
    return parser


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


async def _until_stopped(url: str, loop: bool, server: str, token: str, wishes: Wishes) -> int:
    """Publish, and again if the connection breaks, until the source ends or we are told to stop."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    wait = FIRST_WAIT
    try:
        while True:
            began = time.monotonic()
            try:
                await _publish_once(url, loop, server, token, wishes)
                print("The source has ended.")
                return 0
            except (SourceError, WhipError) as error:
                print(error, file=sys.stderr)
                if error.final:
                    return 1
            except ConnectionLostError as error:
                print(error, file=sys.stderr)
            if time.monotonic() - began > GOOD_SECONDS:
                wait = FIRST_WAIT
            print(f"Trying again in {wait:.0f} s.", file=sys.stderr)
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)
    except asyncio.CancelledError:
        print("Stopped.")
        return 0


async def _publish_once(url: str, loop: bool, server: str, token: str, wishes: Wishes) -> None:
    source = await asyncio.to_thread(Source, url, loop=loop)
    try:
        async with Whip(server, token) as whip:
            for track in source.tracks:
                print(f"{shown(url)}: {track.codec.name} {track.fmtp}")
            await Session(source, whip, wishes, show=_show, say=_say).run()
    finally:
        source.close()


def _show(status: Status) -> None:
    line = (
        f"{status.bits_per_second / 1e6:6.2f} Mbit/s  {status.frames_per_second:5.1f} frames/s  "
        f"{status.key_frames} key frames  {status.repeated} repeated"
    )
    if status.key_frames_wanted:
        line += f"  {status.key_frames_wanted} key frames asked for (the next one of the source serves)"
    if (reception := status.reception) is not None:
        line += f"  loss {100 * reception.lost:.1f} %  jitter {1000 * reception.jitter:.1f} ms"
        if reception.round_trip is not None:
            line += f"  round trip {1000 * reception.round_trip:.1f} ms"
    with contextlib.suppress(BrokenPipeError):
        print(line, flush=True)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
