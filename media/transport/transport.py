"""One peer: ICE, DTLS, its SRTP keys and data channels, as one thing with five states.

    new ──start──▶ connecting ──keys──▶ connected
     │                 │                    │
     └────────close────┴──────┬─────────────┤
                           failed        closed

`failed` is what happened to us (silence, a wrong certificate, a handshake that broke), `closed` is what was
wanted, by us or by the peer. Both are final, and from then on the plane knows the transport no more.

An ICE restart (`Endpoint.restart_ice`, then `start` with what the peer answers) changes none of these states: DTLS, the
SRTP keys and the data channels go on over whichever path is selected (RFC 8842, section 5.5).

The peer's checks and its ClientHello may arrive before its description does: checks are answered, the
handshake waits in the path's queue.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

from pylibsrtp import Session

from ..ids import TransportId
from ..plane import Address, Plane, PlaneEvent
from ..sdp.parameters import Candidate, Setup, TransportParameters
from .dtls import Certificate, Dtls, DtlsError, split_records
from .ice_client import IceClient
from .ice_lite import AddressValidated, IceFailed, IceLite, PeerSilent
from .path import Path
from .sctp import DataChannels

logger = logging.getLogger(__name__)


class TransportState(StrEnum):
    """See the drawing above."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    FAILED = "failed"
    CLOSED = "closed"


TRANSITIONS: dict[TransportState, frozenset[TransportState]] = {
    TransportState.NEW: frozenset({TransportState.CONNECTING, TransportState.FAILED, TransportState.CLOSED}),
    TransportState.CONNECTING: frozenset(
        {TransportState.CONNECTED, TransportState.FAILED, TransportState.CLOSED}
    ),
    TransportState.CONNECTED: frozenset({TransportState.FAILED, TransportState.CLOSED}),
    TransportState.FAILED: frozenset(),
    TransportState.CLOSED: frozenset(),
}


class IceRole(StrEnum):
    """`lite`: we answer checks (the server). `client`: we send them."""

    LITE = "lite"
    CLIENT = "client"


#: Our DTLS role by our ICE role and the setup in the peer's description. A peer that leaves the choice
#: (actpass) has offered, and the answers that we write choose as this table does.
DTLS_ROLES: dict[tuple[IceRole, Setup], str] = {
    (IceRole.LITE, Setup.ACTIVE): "server",
    (IceRole.LITE, Setup.PASSIVE): "client",
    (IceRole.LITE, Setup.ACTPASS): "server",
    (IceRole.CLIENT, Setup.ACTIVE): "server",
    (IceRole.CLIENT, Setup.PASSIVE): "client",
    (IceRole.CLIENT, Setup.ACTPASS): "client",
}


class Host(Protocol):
    """What a transport needs of the endpoint that it lives in."""

    @property
    def plane(self) -> Plane:
        """Where packets go."""

    def now(self) -> float:
        """Seconds of a steady clock."""

    def hold_sessions(self, transport: TransportId, sessions: tuple[Session, Session]) -> None:
        """Keep the SRTP sessions until the plane has let go of them."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run in the background."""

    def timer_changed(self, transport: Transport) -> None:
        """Look at its `get_timer` again."""


def _ignore(*_: object) -> None:
    pass


@dataclass(slots=True)
class Callbacks:
    """What the owner of a transport wants to hear. Each is called in the event loop and must return at once."""

    on_state: Callable[[TransportState, str], None] = _ignore
    on_rtcp: Callable[[bytes, int], None] = _ignore
    on_message: Callable[[str, str | bytes], None] = _ignore
    on_silent: Callable[[bool], None] = _ignore
    #: the peer is sent to another address than before
    on_path: Callable[[], None] = _ignore
    #: what the plane says of its streams, but for REMOVED
    on_event: Callable[[PlaneEvent], None] = _ignore


class Transport:
    """One peer. Made by `Endpoint.create`; its callbacks are set as attributes of `callbacks`."""

    def __init__(
        self,
        identifier: TransportId,
        host: Host,
        parameters: TransportParameters,
        certificate: Certificate,
        ice: IceLite | IceClient,
        shard: int = 0,
    ) -> None:
        self.id = identifier
        self.shard = shard
        self.parameters = parameters
        self.callbacks = Callbacks()
        self.role = IceRole.LITE if isinstance(ice, IceLite) else IceRole.CLIENT
        self.srtp_profile = ""
        self._host = host
        self._certificate = certificate
        self._ice = ice
        self._state = TransportState.NEW
        self._remote = ("", "")
        self._silent = False
        self._validated: dict[Address, bool] = {}
        self._reachable = asyncio.Event()
        self._path = Path(self._send_datagram, "controlled" if self.role is IceRole.LITE else "controlling")
        self._dtls: Dtls | None = None
        self._channels: DataChannels | None = None
        self._to_open: list[str] = []
        self._connecting: asyncio.Task[None] | None = None
        host.plane.add_transport(identifier, shard)

    @property
    def state(self) -> TransportState:
        """Where it stands."""
        return self._state

    @property
    def ended(self) -> bool:
        """Whether it failed or was closed."""
        return not TRANSITIONS[self._state]

    @property
    def selected(self) -> Address | None:
        """Where its peer wants to be sent to."""
        return self._ice.selected

    def renew(self, ufrag: str, pwd: str) -> None:
        """Take new ICE credentials beside the old ones; see `Endpoint.restart_ice`."""
        self.parameters = replace(
            self.parameters,
            ufrag=ufrag,
            pwd=pwd,
            connection=self.parameters.connection or self.parameters.ufrag,
        )
        self._ice.renew(ufrag, pwd)

    @property
    def ufrags(self) -> tuple[str, ...]:
        """The names under which its peer may call."""
        return self._ice.ufrags

    @property
    def silent(self) -> bool:
        """Whether a peer that was connected has not been heard for 5 s (server's side)."""
        return self._silent

    def start(self, remote: TransportParameters) -> None:
        """Connect to the peer that this description is of; later, take its new credentials (an ICE restart).

        A second call with the same credentials (a re-offer) changes nothing.
        """
        if self.ended or (remote.ufrag, remote.pwd) == self._remote:
            return
        self._remote = (remote.ufrag, remote.pwd)
        first = self._state is TransportState.NEW
        if first:
            self._change(TransportState.CONNECTING, "")
        now = self._host.now()
        if isinstance(self._ice, IceLite):
            self._ice.start(remote.ufrag, now)
        else:
            # who offered controls, unless it is lite (RFC 8445, section 6.1.1); only an offer says actpass
            controlling = remote.ice_lite or remote.setup is not Setup.ACTPASS
            addresses = _addresses(remote.candidates)
            self._ice.start(remote.ufrag, remote.pwd, addresses, now, controlling=controlling)
        self._pump_ice(TransportId(0))
        if first and not self.ended:
            self._connecting = self._host.spawn(self._connect(remote))

    def receive_stun(self, data: bytes, address: Address, known_as: TransportId) -> None:
        """Take a STUN datagram; `known_as` is the transport that the plane gives the address to."""
        if not self.ended:
            self._ice.receive_datagram(data, address, self._host.now())
            self._pump_ice(known_as)

    def lose(self, address: Address) -> None:
        """Note that nothing goes to this address any more, until the peer proves again that it is there."""
        self._validated.pop(address, None)
        if isinstance(self._ice, IceLite):
            self._ice.lose(address)

    def receive_dtls(self, data: bytes) -> None:
        """Take a DTLS datagram from a validated address."""
        for record in split_records(data):
            self._path.feed(record)

    def receive_rtcp(self, data: bytes, time: int, address: Address | None = None) -> None:
        """Take a decrypted compound packet; `time` in ns, `address` where it came from."""
        if self.ended:
            return
        if isinstance(self._ice, IceLite) and address is not None:
            self._ice.heard(address, self._host.now())
            self._pump_ice(self.id)
        self.callbacks.on_rtcp(data, time)

    def send_rtcp(self, data: bytes) -> None:
        """Protect and send a compound packet; nothing happens unless connected."""
        if self._state is TransportState.CONNECTED:
            self._host.plane.send_rtcp(self.id, data)

    def open_channel(self, label: str) -> None:
        """Open an unordered channel without repeats as soon as the data channels stand."""
        if self._channels is not None:
            self._channels.open(label)
        else:
            self._to_open.append(label)

    def channel_open(self, label: str) -> bool:
        """Whether `send_message` would send."""
        return self._channels is not None and self._channels.is_open(label)

    def buffered(self, label: str) -> int:
        """Bytes that wait to be sent on a channel."""
        return self._channels.buffered(label) if self._channels is not None else 0

    def send_message(self, label: str, message: str | bytes) -> bool:
        """Send on a data channel; False if it is not open or full."""
        return self._channels is not None and self._channels.send(label, message)

    def close(self) -> None:
        """Say goodbye and leave the plane."""
        self._end(TransportState.CLOSED, "Closed by this side.")

    def get_timer(self) -> float | None:
        """When `handle_timer` wants to be called."""
        return None if self.ended else self._ice.get_timer()

    def handle_timer(self, now: float) -> None:
        """Repeat checks, or notice that the peer is gone."""
        if not self.ended:
            self._ice.handle_timer(now)
            self._pump_ice(TransportId(0))

    def _pump_ice(self, known_as: TransportId) -> None:
        # validated before it is answered: a ClientHello may follow the answer at once
        while (event := self._ice.next_event()) is not None and not self.ended:
            match event:
                case IceFailed(reason):
                    self._end(TransportState.FAILED, reason)
                case PeerSilent(silent):
                    self._silent = silent
                    self.callbacks.on_silent(silent)
                case AddressValidated(address, selected):
                    if known_as != self.id or self._validated.get(address) != selected:
                        self._validate(address, selected)
        for data, address in self._ice.datagrams_to_send():
            self._host.plane.send_datagram(address, data)
        self._host.timer_changed(self)

    def _validate(self, address: Address, selected: bool) -> None:
        moved = selected and True in self._validated.values() and not self._validated.get(address)
        if selected:
            self._validated = dict.fromkeys(self._validated, False)
        self._validated[address] = selected
        self._host.plane.validate_address(self.id, address, selected=selected)
        if moved:
            self.callbacks.on_path()
        # the plane keeps eight addresses, and so do the agents
        while len(self._validated) > 8:
            del self._validated[next(iter(self._validated))]
        if selected:
            self._reachable.set()

    def _send_datagram(self, data: bytes) -> None:
        self._host.plane.send_to(self.id, data)

    async def _connect(self, remote: TransportParameters) -> None:
        # how long this may take is watched by ICE, which fails the transport
        await self._reachable.wait()
        role = DTLS_ROLES[self.role, remote.setup]
        self._dtls = Dtls(self._path, self._certificate, role, self._take_keys, self._closed_by_peer)
        if remote.sctp_port:
            self._channels = DataChannels(self._dtls, self._deliver)
        try:
            await self._dtls.handshake(remote.fingerprints)
        except DtlsError as error:
            self._end(TransportState.FAILED, str(error))
            return
        if self.ended:
            return
        self._change(TransportState.CONNECTED, "")
        if self._channels is not None:
            await self._channels.start(remote.sctp_port, remote.max_message_size)
            for label in self._to_open:
                self._channels.open(label)

    def _take_keys(self, receive: Session, send: Session, profile: str) -> None:
        if self.ended:  # a cancelled handshake may still come to its end; the plane has forgotten us
            return
        self.srtp_profile = profile
        self._host.hold_sessions(self.id, (receive, send))
        self._host.plane.set_keys(self.id, receive, send)

    def _deliver(self, label: str, message: str | bytes) -> None:
        if not self.ended:
            self.callbacks.on_message(label, message)

    def _closed_by_peer(self) -> None:
        self._end(TransportState.CLOSED, "Closed by the peer.")

    def _change(self, state: TransportState, reason: str) -> None:
        assert state in TRANSITIONS[self._state], f"{self._state} does not lead to {state}"
        self._state = state
        logger.info("Transport %d is %s. %s", self.id, state, reason)
        self.callbacks.on_state(state, reason)

    def _end(self, state: TransportState, reason: str) -> None:
        if self.ended:
            return
        self._host.spawn(self._say_goodbye())
        self._change(state, reason)

    async def _say_goodbye(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
        try:
            if self._channels is not None:
                await self._channels.stop()
            if self._dtls is not None:
                await self._dtls.stop()
        finally:
            self._path.close()
            self._host.plane.remove_transport(self.id)


def _addresses(candidates: tuple[Candidate, ...]) -> list[Address]:
    """Keep the candidates that we can send to: UDP, a numeric host."""
    addresses = []
    for candidate in candidates:
        try:
            host = str(ipaddress.ip_address(candidate.host))
        except ValueError:
            continue
        if candidate.protocol == "udp" and candidate.component == 1 and candidate.port:
            addresses.append(Address(host, candidate.port))
    return addresses
