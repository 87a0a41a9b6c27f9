"""What holds for one frame of an image: of an enhanced multi-frame object most of it stands in functional groups.

The twin of `frameOf` in `web_client/src/dicom/image.ts`; tests/vectors/measurements.json holds the two together.
"""

from __future__ import annotations

from typing import Final

from pydicom.dataset import Dataset

#: The groups (PS3.3 C.7.6.16.2) that say how large a pixel is, what its value means, and how it is to be shown.
GROUPS: Final = ("PixelMeasuresSequence", "PixelValueTransformationSequence", "FrameVOILUTSequence")


def of_frame(image: Dataset, frame: int) -> Dataset:
    """Give an image's attributes as they hold for a frame, counted from 1.

    The frame's own functional groups go before those that all frames share, and these before the image itself.
    """
    found = Dataset()
    found.update(image)
    found.pop("SharedFunctionalGroupsSequence", None)
    found.pop("PerFrameFunctionalGroupsSequence", None)
    shared = list(image.get("SharedFunctionalGroupsSequence") or ())[:1]
    own = list(image.get("PerFrameFunctionalGroupsSequence") or ())[frame - 1 : frame]
    for name in GROUPS:
        items = [item for group in (*own, *shared) for item in list(group.get(name) or ())[:1] if len(item)]
        if items:
            found.update(items[0])
    return found
