"""Scenes with exact truth: the retina photograph under a camera that moves, breathes, is cut; tissue that gives way; an
instrument that covers it.

Each scene yields pictures of 960 × 540 at 30 a second, and says for each where every point of the first picture is
(or that nobody can know, since it is covered, out of the picture, or another place is shown).
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Points = NDArray[np.float64]

WIDTH: Final = 960
HEIGHT: Final = 540
RATE: Final = 30
#: The disc of tissue in the photograph.
_CENTRE: Final = (704.0, 704.0)

#: Marks as they are drawn: circles of 5 % of the picture's height, at these fractions of the first picture.
MARKS: Final = ((0.30, 0.35), (0.50, 0.50), (0.70, 0.60), (0.40, 0.70))


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture; `where` moves points (px) of the first picture to this one; None: none of them is in it."""

    picture: Image
    where: Callable[[Points], Points] | None
    #: which px of this picture an instrument covers; None: none
    covered: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """A named row of pictures."""

    name: str
    words: str
    shots: Callable[[], Iterator[Shot]]
    #: seconds that each mark takes to be drawn on the first picture
    drawn: float = 0.0


def photograph() -> Image:
    """Give the retina's brightness. Raise FileNotFoundError where scikit-image is not installed."""
    package = importlib.util.find_spec("skimage")
    if package is None or not package.submodule_search_locations:
        raise FileNotFoundError("The retina photograph of scikit-image is needed: pip install scikit-image.")
    file = Path(package.submodule_search_locations[0]) / "data" / "retina.jpg"
    image = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise FileNotFoundError(f"{file} cannot be read.")
    return np.asarray(image, np.uint8)


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the camera looks: a point of the photograph (px from the disc's middle), its scale and turn in radians."""

    x: float = 0.0
    y: float = 0.0
    zoom: float = 1.0
    turn: float = 0.0

    def matrix(self) -> NDArray[np.float64]:
        """Give what takes a px of the picture to the photograph."""
        # at zoom 1 the picture is 960 px of the photograph wide
        cosine, sine = math.cos(self.turn) / self.zoom, math.sin(self.turn) / self.zoom
        middle = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
        turn = np.array([[cosine, -sine], [sine, cosine]])
        shift = np.array([_CENTRE[0] + self.x, _CENTRE[1] + self.y]) - turn @ middle
        return np.hstack([turn, shift[:, None]])


def see(tissue: Image, pose: Pose, noise: np.random.Generator) -> Image:
    """Give what a camera sees of the tissue, with its noise."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpAffine(
        tissue, pose.matrix(), (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return grain(np.asarray(seen, np.uint8), noise)


def grain(picture: Image, noise: np.random.Generator) -> Image:
    """Add a camera's noise: without it a tracker is better than it will be."""
    return np.clip(picture + noise.normal(0, 2.0, picture.shape), 0, 255).astype(np.uint8)


def _where(first: Pose, now: Pose) -> Callable[[Points], Points]:
    there = first.matrix()
    back = cv2.invertAffineTransform(now.matrix())

    def move(points: Points) -> Points:
        photograph = points @ there[:, :2].T + there[:, 2]
        return np.asarray(photograph @ back[:, :2].T + back[:, 2])

    return move


def _moving(poses: Callable[[float], Pose], seconds: float) -> Callable[[], Iterator[Shot]]:
    def shots() -> Iterator[Shot]:
        tissue, noise, first = photograph(), np.random.default_rng(5), poses(0.0)
        for number in range(round(seconds * RATE)):
            pose = poses(number / RATE)
            yield Shot(see(tissue, pose, noise), _where(first, pose))

    return shots


def _pan(t: float) -> Pose:
    # 12 % of the height a second at most, there and back
    return Pose(x=140 * math.sin(0.45 * t), y=60 * math.sin(0.6 * t))


def _rotation(t: float) -> Pose:
    return Pose(turn=math.radians(45) * math.sin(0.5 * t))


def _zoom(t: float) -> Pose:
    return Pose(zoom=1.35 ** math.sin(0.7 * t))


def _breathing(t: float) -> Pose:
    breath, beat = math.sin(2 * math.pi * 0.3 * t), math.sin(2 * math.pi * 1.2 * t)
    return Pose(
        x=60 * math.sin(0.3 * t) + 6 * breath,
        y=10 * breath + 2 * beat,
        zoom=1 + 0.02 * breath,
        turn=0.03 * breath,
    )


def _slow_drift(t: float) -> Pose:
    # a third of a pixel a picture for a minute: what a tracker from picture to picture loses a little of each time
    return Pose(x=120 * math.sin(2 * math.pi * t / 60), y=40 * math.sin(2 * math.pi * t / 30))


def _fast(t: float) -> Pose:
    # calm, then half a picture height within a quarter of a second, calm, and back slowly
    s = min(1.0, max(0.0, (t - 2) / 0.25))
    away = 270 * s * s * (3 - 2 * s)
    back = min(1.0, max(0.0, (t - 4) / 5))
    return Pose(x=away * (1 - back * back * (3 - 2 * back)))


def _cut_shots() -> Iterator[Shot]:
    """Two seconds here, two elsewhere in the same tissue, and back again."""
    tissue, noise, first = photograph(), np.random.default_rng(6), Pose(-120, -80)
    for number in range(round(6 * RATE)):
        here = number < 2 * RATE or number >= 4 * RATE
        pose = (
            Pose(first.x + 20 * math.sin(0.5 * number / RATE), first.y) if here else Pose(250, 250, 1.3, 1.2)
        )
        yield Shot(see(tissue, pose, noise), _where(first, pose) if here else None)


def _light_shots() -> Iterator[Shot]:
    """The light goes down by half and up again, and a glare wanders over the picture."""
    tissue, noise, first = photograph(), np.random.default_rng(7), _breathing(0)
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH]
    for number in range(round(6 * RATE)):
        t = number / RATE
        pose = _breathing(t)
        seen = see(tissue, pose, noise).astype(np.float32) * (0.75 + 0.25 * math.cos(1.5 * t))
        glare = 120 * np.exp(-((xs - 200 - 90 * t) ** 2 + (ys - 300) ** 2) / 900)
        yield Shot(np.clip(seen + glare, 0, 255).astype(np.uint8), _where(first, pose))


def _soft_shots() -> Iterator[Shot]:
    """Tissue that gives way: a hollow of 5 % of the height wanders through it, as if it were pressed."""
    tissue, noise, pose = photograph(), np.random.default_rng(8), Pose()
    still = cv2.warpAffine(
        tissue, pose.matrix(), (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    for number in range(round(6 * RATE)):
        t = number / RATE
        depth = 27 * math.sin(2 * math.pi * 0.25 * t)
        at = np.array([300 + 60 * t, 270.0])

        def pressed(points: Points, at: Points = at, depth: float = depth) -> Points:
            # where a px of this picture comes from
            near = np.exp(-(((points - at) / 160) ** 2).sum(axis=-1, keepdims=True))
            return np.asarray(points - depth * near * np.array([0.6, 0.8]))

        source = pressed(np.stack([xs, ys], axis=-1).astype(np.float64)).astype(np.float32)
        seen = cv2.remap(np.asarray(still), source, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

        def where(points: Points, pressed: Callable[[Points], Points] = pressed) -> Points:
            # the inverse, by iteration: the press is gentle, so it converges
            guess = points.copy()
            for _ in range(40):
                guess += points - pressed(guess)
            return guess

        yield Shot(grain(np.asarray(seen, np.uint8), noise), where)


def _instrument_shots() -> Iterator[Shot]:
    """A bright rod comes in from the right, rests over the middle for two seconds, and goes; the tissue breathes."""
    tissue, noise, first = photograph(), np.random.default_rng(9), _breathing(0)
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH]
    for number in range(round(7 * RATE)):
        t = number / RATE
        pose = _breathing(t)
        seen = see(tissue, pose, noise)
        reach = min(1.0, max(0.0, (t - 1) / 1.0)) - min(1.0, max(0.0, (t - 4) / 1.0))
        tip = WIDTH - reach * (WIDTH - 380)
        rod = (xs >= tip) & (np.abs(ys - 270 - 0.12 * (xs - tip)) < 55)
        # steel: a gradient, and marks of its own that a tracker could take for tissue
        steel = 150 + 60 * np.cos((ys - 270 - 0.12 * (xs - tip)) / 22) + 20 * (((xs - tip) // 17) % 2)
        yield Shot(
            np.where(rod, np.clip(steel, 0, 255), seen).astype(np.uint8), _where(first, pose), np.asarray(rod)
        )


def _smoke_shots() -> Iterator[Shot]:
    """Smoke hides everything for a second and a half, while the camera moves on a little."""
    tissue, noise, first = photograph(), np.random.default_rng(10), _breathing(0)
    for number in range(round(6 * RATE)):
        t = number / RATE
        pose = _breathing(t)
        thick = min(1.0, max(0.0, (t - 2) / 0.6)) - min(1.0, max(0.0, (t - 4) / 0.6))
        seen = see(tissue, pose, noise) * (1 - 0.97 * thick) + 190 * 0.97 * thick
        yield Shot(np.clip(seen, 0, 255).astype(np.uint8), _where(first, pose))


SCENES: Final = (
    Scene("pan", "the camera pans, up to 12 % of the height a second", _moving(_pan, 14)),
    Scene("rotation", "it turns by 45° to either side", _moving(_rotation, 13)),
    Scene("zoom", "it comes nearer and goes away, 1.35 times", _moving(_zoom, 9)),
    Scene("breathing", "breath and pulse under a hand-held camera", _moving(_breathing, 8)),
    Scene("minute", "a third of a pixel a picture, for a minute", _moving(_slow_drift, 60)),
    Scene("pen", "breathing, and each mark takes 5 s to draw", _moving(_breathing, 10), drawn=5.0),
    Scene("light", "the light changes by half, a glare wanders", _light_shots),
    Scene("soft", "pressed tissue gives way by 5 % of the height", _soft_shots),
    Scene("instrument", "an instrument covers the middle and goes again", _instrument_shots),
    Scene("smoke", "smoke hides everything and clears", _smoke_shots),
    Scene("fast", "half a picture height in a quarter of a second", _moving(_fast, 10)),
    Scene("cut", "a cut to another place and back", _cut_shots),
)
