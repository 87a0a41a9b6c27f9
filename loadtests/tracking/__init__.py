"""How well marks follow tissue: known movements, an echo cine and a coronary angiogram."""

from __future__ import annotations

from .command import main

__all__ = ["main"]
