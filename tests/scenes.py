"""Small synthetic pictures with something to see everywhere: a ramp, a bright and a dark disc, a wedge, a letter.

What is left, right, above and below can be told apart, as can every gray and the colours of the corners.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicom_files import ct, part10

ROWS, COLUMNS = 72, 96
_LETTER = ((8, 40, 44, 48), (8, 14, 44, 60), (22, 28, 44, 56))
"""An F, as rows and columns from … to of its strokes."""


def gray() -> NDArray[np.float64]:
    """0.0 … 1.0, (72, 96)."""
    row, column = np.mgrid[0:ROWS, 0:COLUMNS]
    found: NDArray[np.float64] = 0.25 + 0.5 * column / (COLUMNS - 1)
    found[52:] = np.repeat(np.linspace(0, 1, 12), 8)
    found[(row - 24) ** 2 + (column - 22) ** 2 <= 14**2] = 1.0
    found[(row - 24) ** 2 + (column - 76) ** 2 <= 14**2] = 0.0
    for top, bottom, left, right in _LETTER:
        found[top:bottom, left:right] = 0.9
    return found


def colour() -> NDArray[np.float64]:
    """0.0 … 1.0, (72, 96, 3)."""
    row, column = np.mgrid[0:ROWS, 0:COLUMNS]
    found: NDArray[np.float64] = np.stack([column / (COLUMNS - 1), row / (ROWS - 1), 1 - column / (COLUMNS - 1)], -1)
    for number, colour in enumerate(np.eye(3)):
        found[(row - 50) ** 2 + (column - 16 - 32 * number) ** 2 <= 12**2] = colour
    for top, bottom, left, right in _LETTER:
        found[top:bottom, left:right] = 1.0
    return found


def levels(scene: NDArray[np.float64], low: float, high: float) -> NDArray[np.int64]:
    """The scene in whole numbers from `low` to `high`."""
    return np.floor(low + scene * (high - low) + 0.5).astype(np.int64)


def file(cells: NDArray[Any], **changes: Any) -> bytes:
    """A PS3.10 file of cells of their own dtype: (rows, columns), with samples behind, or with frames in front.

    Attributes are those of a plain image of these cells, without rescale, and the changes; None leaves one out.
    """
    colour = cells.ndim >= 3 and cells.shape[-1] == 3
    frames = cells.shape[0] if cells.ndim == 3 + colour else 1
    rows, columns = cells.shape[-3:-1] if colour else cells.shape[-2:]
    bits = cells.dtype.itemsize * 8
    attributes: dict[str, Any] = {
        "Rows": rows,
        "Columns": columns,
        "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": changes.get("BitsStored", bits) - 1,
        "PixelRepresentation": int(cells.dtype.kind == "i"),
        "RescaleSlope": None,
        "RescaleIntercept": None,
        **({"PlanarConfiguration": 0} if colour else {}),
        **({"NumberOfFrames": frames} if frames > 1 else {}),
    } | changes
    data = ct(**{keyword: value for keyword, value in attributes.items() if value is not None})
    for keyword, value in attributes.items():
        if value is None and keyword in data:
            delattr(data, keyword)
    content = cells.astype(cells.dtype.newbyteorder("<")).tobytes()
    data.PixelData = content + b"\0" * (len(content) % 2)
    data["PixelData"].VR = "OB" if bits == 8 else "OW"
    return part10(data)
