"""The way in for files and addresses: H.264, H.265 and Opus are passed through, nothing is decoded.

The walk: `source` demultiplexes access units, `bitstream` takes them apart, `timeline` makes one running time of
them, `pacing` says when each leaves, `stream` makes RTP of it, a plane of our own sends it (and answers NACKs),
`whip` asks the server in, `session` ties these together, `command` is the command line.
"""

from __future__ import annotations

from .command import main

__all__ = ["main"]
