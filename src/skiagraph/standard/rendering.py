"""What a rendering is told: the values of PS3.18 §8.3.5.1 with the meaning that PS3.3 gives them.

Frozen values that the query parser makes and the pixel pipeline obeys.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class VoiFunction(enum.Enum):
    """VOI LUT Function (0028,1056), PS3.3 C.11.2.1.2 and C.11.2.1.3; as the data set spells it."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


@dataclass(frozen=True, slots=True)
class Window:
    """A VOI window in the units that the Modality LUT gives."""

    center: float
    width: float
    """At least 1 for LINEAR, more than 0 for the others."""
    function: VoiFunction = VoiFunction.LINEAR

    @property
    def valid(self) -> bool:
        """Whether the width is one that the function is defined for."""
        return self.width >= 1 if self.function is VoiFunction.LINEAR else self.width > 0


@dataclass(frozen=True, slots=True)
class Viewport:
    """Which region is shown, and how large it may become (PS3.18 §8.3.5.1.3)."""

    width: int
    """Pixels, at least 1, that the result may have at most; it keeps its aspect ratio."""
    height: int
    x: float = 0.0
    """Left edge of the source region in pixels of the image; 0 is the left edge of the first pixel."""
    y: float = 0.0
    region_width: float | None = None
    """Pixels, more than 0; None: up to the right edge of the image."""
    region_height: float | None = None
    flip_horizontally: bool = False
    flip_vertically: bool = False

    @property
    def whole(self) -> bool:
        """Whether it shows all of the image as it is, only scaled."""
        flipped = self.flip_horizontally or self.flip_vertically
        return not (self.x or self.y or self.region_width or self.region_height or flipped)


class IccProfile(enum.Enum):
    """Value of ``iccprofile`` (PS3.18 §8.3.5.1.5); ``displayp3`` is of later text."""

    NO = "no"
    YES = "yes"
    SRGB = "srgb"
    ADOBE_RGB = "adobergb"
    ROMM_RGB = "rommrgb"
    DISPLAY_P3 = "displayp3"


class Annotation(enum.Enum):
    """Keyword of ``annotation`` (PS3.18 §8.3.5.1.1)."""

    PATIENT = "patient"
    TECHNIQUE = "technique"
