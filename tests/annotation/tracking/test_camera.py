"""The camera's movement is the tissue's, whatever is written into the picture."""

from __future__ import annotations

from itertools import islice

import numpy as np

from annotation.tracking.camera import Camera
from annotation.tracking.flow import levelled
from loadtests.tracking.scenes import SCENES

SCENE = {scene.name: scene for scene in SCENES}


def test_a_label_in_the_picture_does_not_hide_how_the_tissue_moves() -> None:
    camera, plain = Camera(), Camera()
    for number, shot in enumerate(islice(SCENE["pan"].shots(), 12)):
        pale = np.asarray(110 + (shot.picture.astype(np.float32) - 110) * 0.2, np.uint8)
        written = pale.copy()
        written[:30, :250] = 255
        written[8:22, 20:230] = 0
        step = camera.receive(levelled(written), written)
        expected = plain.receive(levelled(pale), pale)
        if number > 0:
            assert step.matrix is not None
            assert expected.matrix is not None
            assert np.abs(step.matrix - expected.matrix)[:, 2].max() < 2.0


def test_a_blank_picture_tells_nothing() -> None:
    camera, noise = Camera(), np.random.default_rng(3)
    for number in range(4):
        blank = np.asarray(np.clip(noise.normal(120, 2, (540, 960)), 0, 255), np.uint8)
        step = camera.receive(levelled(blank), blank)
        if number > 0:
            assert step.matrix is None
