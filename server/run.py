"""Run the server until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import signal
import ssl
from collections.abc import AsyncIterator

from aiohttp import web

from .application import build
from .config import Config
from .service import Service

log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def serving(config: Config) -> AsyncIterator[tuple[Service, int]]:
    """Serve while the context lasts; gives the service and the TCP port. Raise OSError, ValueError."""
    service = Service(config)
    await service.start()
    runner = web.AppRunner(build(service), access_log=None, shutdown_timeout=3.0)
    await runner.setup()
    try:
        context = None
        if config.http.certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(config.http.certificate, config.http.private_key or None)
        pages = runner.server
        assert pages is not None
        port = service.open_doors(pages, context)
        # what lives as long as the server need not be looked at by every collection
        gc.collect()
        gc.freeze()
        # little here goes in circles, and marks stay: looked at 14 times as seldom as by default
        gc.set_threshold(10_000, 10, 10)
        _give_memory_back()
        yield service, port
    finally:
        await service.close_doors()
        await service.close()
        await runner.cleanup()


def _give_memory_back() -> None:
    """Give back what only starting needed (some 14 MB), where the C library can: glibc keeps it otherwise."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


async def until_stopped() -> None:
    """Wait for SIGINT or SIGTERM."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    await stopped.wait()


async def serve(config: Config) -> None:
    """Serve until SIGINT or SIGTERM."""
    async with serving(config) as (_, port):
        log.info("Konsil serves on port %d; Ctrl-C stops it", port)
        await until_stopped()
        log.info("stopping")
