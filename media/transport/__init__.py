"""ICE, DTLS and SCTP: the shell around the plane. aiortc is used nowhere else."""

from .dtls import Certificate
from .endpoint import Endpoint
from .transport import Callbacks, IceRole, Transport, TransportState

__all__ = ["Callbacks", "Certificate", "Endpoint", "IceRole", "Transport", "TransportState"]
