"""The executable specification of the packet plane: the same stages as ``media.native``, in plain Python."""

from .plane import ReferencePlane

__all__ = ["ReferencePlane"]
