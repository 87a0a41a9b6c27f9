"""What a film of a piece is made with: frames up to a place, counted from another."""

from __future__ import annotations

from collections.abc import Iterator

from .frames import Frame


def until(frames: Iterator[Frame], ticks: int) -> Iterator[Frame]:
    """End with what is decoded at a timestamp; a picture that waits for a later one is kept with it."""
    for frame in frames:
        if frame.decoding > ticks:
            return
        yield frame


def some(frames: Iterator[Frame]) -> Iterator[Frame] | None:
    """Give the frames, or None where there are none: a container cannot have an empty track."""
    first = next(frames, None)
    if first is None:
        return None

    def all_of_them() -> Iterator[Frame]:
        yield first
        yield from frames

    return all_of_them()


def film_name(source: str, producer: int, suffix: str) -> str:
    """Name a film by what it shows; a source that is none of ours never becomes part of a path."""
    word = source if source.isascii() and source.isalpha() else "camera"
    return f"{word}-{producer}{suffix}"
