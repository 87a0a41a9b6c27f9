"""Session descriptions: parse, answer a publisher, offer to a subscriber. Pure."""

from .answer import Bitrates, OfferedTrack, answer_publisher
from .client import PublishedTrack, ReceivedTrack, answer_subscriber, offer_publisher
from .errors import SdpError
from .formats import OUR_EXTENSION_IDS, canonical_fmtp
from .fragment import MAX_FRAGMENT, IceFragment, over_http, parse_fragment, write_fragment
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
from .viewer import AcceptedFormat, ViewedSection, answer_viewer

__all__ = [
    "DATA_MID",
    "MAX_FRAGMENT",
    "OUR_EXTENSION_IDS",
    "AcceptedFormat",
    "AcceptedTrack",
    "Bitrates",
    "Candidate",
    "Direction",
    "ExtensionMap",
    "Fingerprint",
    "Format",
    "IceFragment",
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
    "ViewedSection",
    "answer_publisher",
    "answer_subscriber",
    "answer_viewer",
    "canonical_fmtp",
    "host_candidates",
    "offer_publisher",
    "offer_subscriber",
    "over_http",
    "parse",
    "parse_fragment",
    "read_answer",
    "remote_parameters",
    "write_fragment",
]
