"""The one error of this package."""

from __future__ import annotations


class SdpError(ValueError):
    """A session description that cannot be used; the message is a full sentence for its author."""
