"""The way in for files, addresses and devices: H.264, H.265 and Opus are passed through, anything else is encoded.

The walk: `address` says what is meant, `source` demultiplexes it, `picture` and `sound` pass on or encode (`encoder`
finds what really opens), `reader` does so in a thread; `bitstream` takes access units apart, `timeline` makes one
running time of them, `pacing` says when each leaves, `stream` makes RTP of it, a plane of our own sends it (and answers
NACKs), `whip` asks the server in, `session` ties these together, `command` is the command line, `bar` what it shows,
`devices` what there is.
"""

from __future__ import annotations

from .command import main

__all__ = ["main"]
