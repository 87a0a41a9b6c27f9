"""Konsil itself, through the same door as the others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from media.native import STAMP_IN_PAYLOAD
from media.sdp import answer_subscriber, offer_publisher, parse, remote_parameters
from media.transport.transport import IceRole

from ..caller import Caller, Message
from ..probe_endpoint import ProbePump
from ..server_process import ServerUnderLoad, started
from . import FIELD, Client
from .connect import PATIENCE, connected, hear_picture_loss


class RunningKonsil:
    """A server of its own, on free ports."""

    def __init__(self, server: ServerUnderLoad, host: str) -> None:
        assert server.pid is not None, "it was started here"
        self.pid = server.pid
        self._server = server
        self._host = host
        self._callers: list[Caller] = []

    async def publish(
        self, pump: ProbePump, on_picture_loss: Callable[[], None], *, drawn_on: bool = True
    ) -> Client:
        """See RunningPeer."""
        caller = await self._join("surgeon", lambda _: None)
        socket, endpoint = pump.open(STAMP_IN_PAYLOAD, self._host)
        transport = endpoint.create(IceRole.CLIENT)
        offer = offer_publisher([FIELD], transport.parameters)
        sources = [{"mid": FIELD.mid, "source": "field" if drawn_on else "second", "label": "Field"}]
        reply = await caller.request("publish", sdp=str(offer), sources=sources)
        transport.start(remote_parameters(parse(reply["sdp"])))
        hear_picture_loss(transport, on_picture_loss)
        await connected(transport)
        return Client(socket, transport)

    async def subscribe(self, pump: ProbePump) -> Client:
        """See RunningPeer."""
        offers: asyncio.Queue[Message] = asyncio.Queue()

        def on_notice(message: Message) -> None:
            if message["type"] == "offer":
                offers.put_nowait(message)

        caller = await self._join("trainee", on_notice)
        socket, endpoint = pump.open(STAMP_IN_PAYLOAD, self._host)
        transport = endpoint.create(IceRole.CLIENT)
        async with asyncio.timeout(PATIENCE):
            message = await offers.get()
        offer = parse(message["sdp"])
        answer, _ = answer_subscriber(offer, transport.parameters)
        transport.start(remote_parameters(offer))
        await caller.request("answer", revision=message["revision"], sdp=str(answer))
        await connected(transport)
        return Client(socket, transport)

    async def _join(self, role: str, on_notice: Callable[[Message], None]) -> Caller:
        number = len(self._callers)
        token = self._server.token("surgeon" if role == "surgeon" else "trainee", f"Client {number}")
        caller = Caller(self._server.url, token, on_notice)
        await caller.join()
        self._callers.append(caller)
        return caller

    async def close(self) -> None:
        """Leave."""
        for caller in self._callers:
            with contextlib.suppress(TimeoutError):
                await caller.close()


class Konsil:
    """The server of this checkout, as delivered."""

    name = "konsil"
    configuration = "as delivered"

    def missing(self) -> str:
        """Nothing: it is here."""
        return ""

    @contextlib.asynccontextmanager
    async def run(self, host: str, cores: set[int]) -> AsyncIterator[RunningKonsil]:
        """See Peer."""
        async with started(host=host, cores=cores) as server:
            running = RunningKonsil(server, host)
            try:
                yield running
            finally:
                await running.close()
