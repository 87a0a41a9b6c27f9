"""What a theatre's worker says over its pipe."""

from __future__ import annotations

from server.theatre import wire

REFUSALS = (wire.WireError,)

MESSAGES = (
    wire.state({"state": "opening", "progress": 0.5}),
    wire.state(
        {
            "state": "playing",
            "reason": "seek",
            "position": 1.5,
            "at": 1.8e9,
            "pictures": {"7": {"frame": None}},
        }
    ),
    wire.burst(7, [bytes(range(20)), b"", b"x" * 40]),
    wire.burst(0xFFFFFFFF, []),
)


def read_message(data: bytes) -> None:
    """Read a message as the server does: what was read is written as it was."""
    kind, length = wire.head(data[: wire.HEAD_SIZE])
    assert length <= wire.MOST
    body = data[wire.HEAD_SIZE : wire.HEAD_SIZE + length]
    if kind == wire.PACKETS:
        track, packets = wire.read_burst(body)
        assert sum(map(len, packets)) < max(1, len(body))
        assert wire.burst(track, packets)[wire.HEAD_SIZE :] == body
    else:
        state = wire.read_state(body)
        assert wire.read_state(wire.state(state)[wire.HEAD_SIZE :]) == state
