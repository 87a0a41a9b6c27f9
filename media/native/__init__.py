"""The packet plane of every running server: one thread in C that never takes the GIL."""

from .plane import NativePlane

__all__ = ["NativePlane"]
