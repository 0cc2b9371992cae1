"""Synthetic pixels of every type that Image Pixel Modules have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels.image import ImageParams


def image(
    photometric: str = "MONOCHROME2",
    allocated: int = 16,
    stored: int | None = None,
    signed: int = 0,
    *,
    rows: int = 24,
    columns: int = 31,
    **more: Any,
) -> ImageParams:
    stored = stored or allocated
    samples = 3 if photometric.startswith(("RGB", "YBR")) else 1
    return ImageParams(rows, columns, samples, allocated, stored, stored - 1, signed, photometric, **more)


def pixels(of: ImageParams, seed: int = 0, *, noise: float = 0.01, extremes: bool = True) -> NDArray[Any]:
    """Cells that are smooth with some noise, over the whole range of the bits stored."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0 : of.rows, 0 : of.columns]
    planes = []
    for sample in range(of.samples_per_pixel):
        wave = (np.sin(x / 7 + sample) + np.cos(y / (5 + sample))) / 4 + 0.5
        wave = wave + generator.normal(0, noise, wave.shape)
        top = (1 << of.bits_stored) - 1
        plane = np.clip(np.round(wave * top), 0, top).astype(np.int64)
        if extremes:
            plane[0, 0], plane[-1, -1] = 0, top
        planes.append(plane - (1 << of.bits_stored - 1) if of.signed else plane)
    cells = np.stack(planes, -1) if of.samples_per_pixel > 1 else planes[0]
    return cells.reshape(of.shape).astype(of.dtype)
