"""What all adapters do alike: a native client's transport until it stands, and key frames that are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from media.rtp.feedback import FullIntraRequest, PictureLossIndication
from media.rtp.rtcp import parse_compound
from media.rtp.rtcp_header import RtcpError
from media.transport.transport import Transport, TransportState

PATIENCE = 20.0


async def connected(transport: Transport) -> None:
    """Wait until a transport stands. Raise RuntimeError when it does not come to that."""
    changed: asyncio.Queue[TransportState] = asyncio.Queue()
    changed.put_nowait(transport.state)
    transport.callbacks.on_state = lambda state, _: changed.put_nowait(state)
    state = TransportState.NEW
    while state in (TransportState.NEW, TransportState.CONNECTING):
        async with asyncio.timeout(PATIENCE):
            state = await changed.get()
    if state is not TransportState.CONNECTED:
        raise RuntimeError(f"A client's connection is {state}.")


def hear_picture_loss(transport: Transport, on_picture_loss: Callable[[], None]) -> None:
    """Call when the server asks the sender for a key frame (RFC 4585 PLI, RFC 5104 FIR)."""

    def on_rtcp(data: bytes, _: int) -> None:
        try:
            packets = parse_compound(data)
        except RtcpError:
            return
        if any(isinstance(packet, PictureLossIndication | FullIntraRequest) for packet in packets):
            on_picture_loss()

    transport.callbacks.on_rtcp = on_rtcp
