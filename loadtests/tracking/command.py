"""``python -m loadtests tracking``: scenes and cines through the tracker, and whether a mark ever lied for too long."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from annotation.tracking.flow import work_alone

from . import cines, figures
from .evaluation import scenes
from .measuring import Measured
from .scenes import SCENES

#: No mark may stay good for longer, ms, after the truth left it by more than 5 % of the picture.
RULE_MS = 200


def main(arguments: list[str]) -> int:
    """Measure, print, and return 1 where the rule is broken."""
    names = [scene.name for scene in SCENES] + ["echo", "angiogram"]
    parser = argparse.ArgumentParser(prog="python -m loadtests tracking", description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--plot", type=Path, help="write an SVG of all errors and states here")
    parser.add_argument("--scene", action="append", choices=names, help="only these (may be given again)")
    options = parser.parse_args(arguments)
    work_alone()
    chosen = frozenset(options.scene or names)
    results: list[dict[str, object]] = []
    measured: list[Measured] = []
    for one in scenes(chosen):
        measured.append(one)
        results.append(_say(one.summary() | {"truth_known": 1.0}))
    for cine in cines.cines():
        if cine.name in chosen:
            one, known = cines.run(cine)
            measured.append(one)
            results.append(_say(one.summary() | {"truth_known": round(known, 3)}))
    broken = [result["scene"] for result in results if int(str(result["longest_wrong_ms"])) > RULE_MS]
    print(
        f"rule (good at most {RULE_MS} ms while more than 5 % off): {'broken by ' + str(broken) if broken else 'kept'}"
    )
    if options.json:
        options.json.write_text(
            json.dumps({"rule_ms": RULE_MS, "kept": not broken, "scenes": results}, indent=1) + "\n"
        )
    if options.plot:
        figures.plot(measured, options.plot)
    return 1 if broken else 0


def _say(result: dict[str, object]) -> dict[str, object]:
    error, cost = result["error_px"], result["ms_a_picture"]
    assert isinstance(error, dict)
    assert isinstance(cost, dict)
    print(
        f"{result['scene']:>10}: error {error['p50']}/{error['p95']}/{error['max']} px of {result['height_px']}, "
        f"good {result['good_share']:.0%}, wrong for {result['longest_wrong_ms']} ms at most, "
        f"{cost['p50']} ms a picture",
        flush=True,
    )
    return result
