"""Ties a plane to the event loop: all transports of one UDP port, and what wakes them.

The server has one with ICE-lite transports; our own clients have one each with an asking transport.
"""

from __future__ import annotations

import asyncio
import heapq
import ipaddress
import logging
import secrets
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from pylibsrtp import Session

from ..ids import TransportId
from ..plane import Address, EventKind, Plane, PlaneEvent
from ..sdp.parameters import SCTP_PORT, Setup, TransportParameters, host_candidates
from .dtls import Certificate
from .ice_client import IceClient
from .ice_lite import IDLE_TIMEOUT, IceLite
from .stun import peek_username
from .transport import IceRole, Transport

logger = logging.getLogger(__name__)

#: Transports that may exist at once: two a participant, and those that are on their way out.
MAX_TRANSPORTS = 1024


class Endpoint:
    """Owns the plane from now on: `close` closes it. To be made and used within a running event loop.

    `advertised` are the addresses that peers are told (default: the plane's own). `on_event` gets the plane's events
    that concern streams, of whichever transport, and REMOVED last of all; each transport's `callbacks` get its own.
    """

    def __init__(
        self,
        plane: Plane,
        *,
        certificate: Certificate | None = None,
        advertised: Sequence[Address] = (),
        on_event: Callable[[PlaneEvent], None] | None = None,
        idle_timeout: float = IDLE_TIMEOUT,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.plane = plane
        self.certificate = certificate or Certificate()
        self.now = now
        self.on_event = on_event
        self.strangers = 0
        self._advertised = tuple(advertised) or (plane.address,)
        self._idle_timeout = idle_timeout
        self._transports: dict[TransportId, Transport] = {}
        self._by_ufrag: dict[str, Transport] = {}
        #: who hears of the streams of each place that has no peer
        self._inside: dict[TransportId, Callable[[PlaneEvent], None]] = {}
        #: those that ask: answers do not say whose they are
        self._clients: dict[TransportId, Transport] = {}
        self._sessions: dict[TransportId, tuple[Session, Session]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0
        #: when transports want to be woken, the earliest first, and which entry is each one's; others are passed over
        self._wakings: list[tuple[float, TransportId]] = []
        self._waking_of: dict[TransportId, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(plane.fileno(), self._read)

    def create(self, role: IceRole | str = IceRole.LITE, *, shard: int = 0) -> Transport:
        """Make a transport; its `parameters` go into our description, its `start` takes the peer's.

        `shard` is the plane's thread that it lives in, with all whom it is sent. RuntimeError when there are too many.
        """
        if self._closed or len(self._transports) >= MAX_TRANSPORTS:
            raise RuntimeError("This endpoint takes no more transports.")
        role = IceRole(role)
        self._count += 1
        ufrag, pwd = _credentials()
        usable = tuple(address for address in self._advertised if not _is_unspecified(address))
        if role is IceRole.LITE and not usable:
            raise RuntimeError(
                "The plane listens on all addresses: `advertised` must say which peers can reach."
            )
        parameters = TransportParameters(
            ufrag=ufrag,
            pwd=pwd,
            fingerprints=(self.certificate.fingerprint,),
            candidates=host_candidates(usable),
            setup=Setup.ACTPASS,
            ice_lite=role is IceRole.LITE,
            sctp_port=SCTP_PORT,
        )
        ice = (
            IceLite(ufrag, pwd, idle_timeout=self._idle_timeout)
            if role is IceRole.LITE
            else IceClient(ufrag, pwd, secrets.token_bytes)
        )
        transport = Transport(TransportId(self._count), self, parameters, self.certificate, ice, shard)
        self._transports[transport.id] = transport
        self._by_ufrag[ufrag] = transport
        if role is IceRole.CLIENT:
            self._clients[transport.id] = transport
        return transport

    def create_inside(self, on_event: Callable[[PlaneEvent], None], *, shard: int = 0) -> TransportId:
        """Make a place in the plane for producers that are injected: a transport without peer, address and keys.

        `on_event` gets what the plane says of its streams.
        """
        self._count += 1
        identifier = TransportId(self._count)
        self.plane.add_transport(identifier, shard)
        self._inside[identifier] = on_event
        return identifier

    def remove_inside(self, transport: TransportId) -> None:
        """Let such a place go, with its producers."""
        if self._inside.pop(transport, None) is not None and not self._closed:
            self.plane.remove_transport(transport)

    @property
    def advertised(self) -> tuple[Address, ...]:
        """What peers are told."""
        return self._advertised

    def advertise(self, addresses: Sequence[Address]) -> None:
        """Tell the peers of transports that are made from now on these addresses too."""
        self._advertised += tuple(addresses)

    def knows(self, request: bytes) -> bool:
        """Whether a STUN request names one of our transports."""
        return self._named(peek_username(request)) is not None

    def adopt_stream(self, connection: socket.socket, request: bytes) -> None:
        """Have the plane take over an accepted TCP connection on which a request that we know (`knows`) has arrived.

        The request is still to be read from it, in its frame (RFC 4571). The connection is the plane's afterwards.
        """
        try:
            name = connection.getpeername()
        except OSError:  # gone already
            connection.close()
            return
        remote = Address(name[0].partition("%")[0], name[1], tcp=True)
        transport = self._named(peek_username(request))
        shard = transport.shard if transport is not None else 0
        self.plane.adopt_stream(connection.detach(), remote, shard=shard)

    def _named(self, username: str) -> Transport | None:
        return self._by_ufrag.get(username.partition(":")[0]) if username else None

    def restart_ice(self, transport: Transport) -> None:
        """Give a transport new credentials, which its `parameters` then bear; the old ones carry on meanwhile.

        The peer is to be told; what it answers is for `Transport.start`.
        """
        before = transport.ufrags
        transport.renew(*_credentials())
        for ufrag in before:
            if ufrag not in transport.ufrags:
                del self._by_ufrag[ufrag]
        for ufrag in transport.ufrags:
            self._by_ufrag[ufrag] = transport

    async def close(self) -> None:
        """Close every transport, let the goodbyes out, and close the plane."""
        if self._closed:
            return
        self._closed = True
        for transport in list(self._transports.values()):
            transport.close()
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._loop.remove_reader(self.plane.fileno())
        self.plane.close()
        # the plane's thread is gone: nobody uses the sessions any more
        self._sessions.clear()
        self._transports.clear()
        self._by_ufrag.clear()

    def hold_sessions(self, transport: TransportId, sessions: tuple[Session, Session]) -> None:
        """Keep the SRTP sessions until the plane has let go of them."""
        self._sessions[transport] = sessions

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run in the background, kept from the garbage collector, with its failure logged."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("A transport's background work failed.", exc_info=error)

    def _read(self) -> None:
        for event in self.plane.events():
            try:
                self._dispatch(event)
            except Exception:
                # one peer's trouble is nobody else's
                logger.exception("An event of kind %s could not be handled.", event.kind.name)

    def _dispatch(self, event: PlaneEvent) -> None:
        transport = self._transports.get(event.transport)
        match event.kind:
            case EventKind.STUN:
                self._dispatch_stun(event)
            case EventKind.DTLS:
                if transport is not None:
                    transport.receive_dtls(event.data)
            case EventKind.RTCP:
                if transport is not None:
                    transport.receive_rtcp(event.data, event.time, event.address)
            case EventKind.STREAM_CLOSED:
                if transport is not None and event.address is not None:
                    transport.lose(event.address)
            case EventKind.REMOVED:
                self._sessions.pop(event.transport, None)
                removed = self._transports.pop(event.transport, None)
                self._clients.pop(event.transport, None)
                self._waking_of.pop(event.transport, None)
                for ufrag in removed.ufrags if removed is not None else ():
                    self._by_ufrag.pop(ufrag, None)
                self._tell(event)
            case _:
                if transport is not None:
                    transport.callbacks.on_event(event)
                elif (inside := self._inside.get(event.transport)) is not None:
                    inside(event)
                self._tell(event)

    def _dispatch_stun(self, event: PlaneEvent) -> None:
        if event.address is None:
            return
        username = peek_username(event.data)
        if username:
            transport = self._named(username)
            if transport is None:
                self.strangers += 1
            else:
                transport.receive_stun(event.data, event.address, event.transport)
            return
        # not a request with a name: an answer to one of our own checks
        for transport in list(self._clients.values()):
            transport.receive_stun(event.data, event.address, event.transport)

    def _tell(self, event: PlaneEvent) -> None:
        if self.on_event is not None:
            self.on_event(event)

    def timer_changed(self, transport: Transport) -> None:
        """Note when a transport wants to be woken, if that is earlier than it was.

        Each packet that is heard puts its end off; one that wants to be woken later is asked when its time has come.
        """
        timer, waking = transport.get_timer(), self._waking_of.get(transport.id)
        if timer is None or (waking is not None and waking <= timer):
            return
        self._waking_of[transport.id] = timer
        heapq.heappush(self._wakings, (timer, transport.id))
        self._set_timer()

    def _set_timer(self) -> None:
        """Set the one timer to the earliest that is noted."""
        if self._closed or not self._wakings:
            return
        when = self._loop.time() + max(0.0, self._wakings[0][0] - self.now())
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._wake)

    def _wake(self) -> None:
        now, due = self.now(), []
        self._timer = None
        while self._wakings and self._wakings[0][0] <= now:
            time, identifier = heapq.heappop(self._wakings)
            if self._waking_of.get(identifier) == time:
                del self._waking_of[identifier]
                due.append(self._transports[identifier])
        for transport in due:
            timer = transport.get_timer()
            if timer is not None and timer <= now:
                transport.handle_timer(now)
            self.timer_changed(transport)
        self._set_timer()


def _credentials() -> tuple[str, str]:
    """Draw 64 and 128 bits of chance in ICE characters (RFC 8445, section 5.3, asks for 24 and 128)."""
    return secrets.token_hex(8), secrets.token_hex(16)


def _is_unspecified(address: Address) -> bool:
    return ipaddress.ip_address(address.host).is_unspecified
