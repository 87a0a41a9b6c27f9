"""Session descriptions: parse, answer a publisher, offer to a subscriber. Pure."""

from .answer import Bitrates, OfferedTrack, answer_publisher
from .client import PublishedTrack, ReceivedTrack, answer_subscriber, offer_publisher
from .errors import SdpError
from .formats import OUR_EXTENSION_IDS, canonical_fmtp
from .offer import (
    DATA_MID,
    AcceptedTrack,
    PayloadTypes,
    SubscribedTrack,
    SubscriberAnswer,
    offer_subscriber,
    read_answer,
)
from .parameters import Candidate, Fingerprint, Setup, TransportParameters, host_candidates
from .parser import parse
from .remote import remote_parameters
from .session import Direction, ExtensionMap, Format, MediaSection, SessionDescription

__all__ = [
    "DATA_MID",
    "OUR_EXTENSION_IDS",
    "AcceptedTrack",
    "Bitrates",
    "Candidate",
    "Direction",
    "ExtensionMap",
    "Fingerprint",
    "Format",
    "MediaSection",
    "OfferedTrack",
    "PayloadTypes",
    "PublishedTrack",
    "ReceivedTrack",
    "SdpError",
    "SessionDescription",
    "Setup",
    "SubscribedTrack",
    "SubscriberAnswer",
    "TransportParameters",
    "answer_publisher",
    "answer_subscriber",
    "canonical_fmtp",
    "host_candidates",
    "offer_publisher",
    "offer_subscriber",
    "parse",
    "read_answer",
    "remote_parameters",
]
