"""Plots as SVG: for each scene how far every mark is off while it says good, and what it says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from .measuring import WRONG, Measured

_WIDTH: Final = 860
_ROW: Final = 118
_LEFT: Final = 130
_PLOT: Final = 60
_INKS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
_STATES: Final = {"good": "#4caf50", "lost": "#e6a100", "stale": "#9aa3ad"}


def plot(measured: Sequence[Measured], path: Path) -> None:
    """Write one picture of all scenes."""
    height = _ROW * len(measured) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
    ]
    for number, one in enumerate(measured):
        parts += _row(one, 10 + number * _ROW)
    legend = "".join(
        f'<rect x="{_LEFT + 90 * n}" y="{height - 20}" width="12" height="12" fill="{ink}"/>'
        f'<text x="{_LEFT + 90 * n + 18}" y="{height - 10}">{state}</text>'
        for n, (state, ink) in enumerate(_STATES.items())
    )
    words = (
        f'<text x="{_LEFT + 290}" y="{height - 10}">lines: error while good; dashed: 5 % of the height</text>'
    )
    parts += [legend, words, "</svg>"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(parts) + "\n", "utf-8")


def _row(one: Measured, top: int) -> list[str]:
    end = max(row.times[-1] for row in one.rows.values())
    wide = _WIDTH - _LEFT - 20
    most = WRONG * one.height * 1.2

    def x(at: float) -> float:
        return round(_LEFT + wide * at / max(end, 0.001), 1)

    def y(error: float) -> float:
        return round(top + _PLOT * (1 - min(error, most) / most), 1)

    limit = y(WRONG * one.height)
    parts = [
        f'<text x="8" y="{top + 14}" font-weight="bold">{escape(one.name)}</text>',
        f'<text x="8" y="{top + 32}" fill="#555">{end:.0f} s</text>',
        f'<text x="{_LEFT - 6}" y="{limit + 4}" text-anchor="end" fill="#555">{WRONG * one.height:.0f} px</text>',
        f'<line x1="{_LEFT}" y1="{top + _PLOT}" x2="{_LEFT + wide}" y2="{top + _PLOT}" stroke="#bbb"/>',
        f'<line x1="{_LEFT}" y1="{limit}" x2="{_LEFT + wide}" y2="{limit}" stroke="#c00" stroke-dasharray="5 4"/>',
    ]
    for number, row in enumerate(one.rows.values()):
        told = [
            (at, error) if state == "good" and not math.isnan(error) else None
            for at, state, error in zip(row.times, row.states, row.all_errors, strict=True)
        ]
        for known, group in groupby(told, key=lambda entry: entry is not None):
            points = " ".join(f"{x(entry[0])},{y(entry[1])}" for entry in group if entry is not None)
            if known:
                parts.append(
                    f'<polyline points="{points}" fill="none" stroke="{_INKS[number % 4]}" stroke-width="1"/>'
                )
        band = top + _PLOT + 6 + 9 * number
        begun = 0
        for state, entries in groupby(row.states):
            length = len(list(entries))
            last = min(begun + length, len(row.times) - 1)
            width = round(x(row.times[last]) - x(row.times[begun]), 1)
            parts.append(
                f'<rect x="{x(row.times[begun])}" y="{band}" width="{width}" height="7" fill="{_STATES[state]}"/>'
            )
            begun += length
    return parts
