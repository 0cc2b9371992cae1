"""ICC profiles: those of the well-known spaces (PS3.3 C.11.15.1.2), and conversions through LittleCMS.

The profiles are made here from the primaries and curves that define the spaces, so that their bytes never change.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skiagraph.standard.rendering import IccProfile

LARGEST = 16 * 2**20
"""Bytes of the largest profile that is looked at."""

# x, y of red, green, blue and white
_D65, _D50 = (0.3127, 0.3290), (0.34567, 0.35850)


def _srgb_curve(encoded: NDArray[np.float64]) -> NDArray[np.float64]:
    """IEC 61966-2-1, of Display P3 too."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _romm_curve(encoded: NDArray[np.float64]) -> NDArray[np.float64]:
    """ISO 22028-2: gamma 1.8 with a straight start."""
    return np.where(encoded < 1 / 32, encoded / 16, encoded**1.8)


_Curve: TypeAlias = float | Callable[[NDArray[np.float64]], NDArray[np.float64]]
_SPACES: dict[IccProfile, tuple[str, tuple[tuple[float, float], ...], _Curve]] = {
    IccProfile.SRGB: ("sRGB IEC61966-2.1", ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65), _srgb_curve),
    IccProfile.ADOBE_RGB: ("Adobe RGB (1998) compatible", ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65), 563 / 256),
    IccProfile.ROMM_RGB: (
        "ROMM RGB (ISO 22028-2)",
        ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001), _D50),
        _romm_curve,
    ),
    IccProfile.DISPLAY_P3: ("Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65), _srgb_curve),
}
_SAMPLES = 1024


@lru_cache(maxsize=len(_SPACES))
def profile(space: IccProfile) -> bytes:
    """An ICC profile of a well-known space: matrix and curves, version 2, which JP2 files can hold too."""
    name, (*primaries, white), curve = _SPACES[space]
    columns = _colorants(primaries, white)
    tags: list[tuple[bytes, bytes]] = [
        (b"desc", _description(name)),
        (b"cprt", b"text\0\0\0\0No copyright, use freely\0"),
        (b"wtpt", _xyz(_PCS_WHITE)),
        *((tag, _xyz(column)) for tag, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns.T, strict=True)),
        *((tag, _curve(curve)) for tag in (b"rTRC", b"gTRC", b"bTRC")),
    ]
    offset = 128 + 4 + 12 * len(tags)
    table, data = b"", b""
    placed: dict[bytes, int] = {}
    for tag, value in tags:
        if value not in placed:
            placed[value] = offset + len(data)
            data += value + b"\0" * (-len(value) % 4)
        table += tag + struct.pack(">II", placed[value], len(value))
    size = offset + len(data)
    header = struct.pack(">I4sI4s4s4s", size, b"\0" * 4, 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28 + _xyz(_PCS_WHITE)[8:] + b"\0" * 48
    return header + struct.pack(">I", len(tags)) + table + data


def convert(pixels: NDArray[np.uint8], source: bytes | None, target: IccProfile) -> NDArray[np.uint8]:
    """Convert RGB, or gray taken as equal parts of sRGB, into a well-known space.

    Parameters
    ----------
    source
        Profile of the pixels; None, or one that can not be used: sRGB.

    Returns
    -------
    numpy.ndarray
        (rows, columns, 3), uint8.
    """
    if pixels.ndim == 2:
        source = None
        pixels = np.repeat(pixels[..., None], 3, axis=-1)
    transform = None
    if source is not None and len(source) <= LARGEST:
        transform = _transform(source, target)
    if transform is None:
        if target is IccProfile.SRGB:
            return pixels
        transform = _transform(profile(IccProfile.SRGB), target)
    from PIL import Image, ImageCms

    image = Image.fromarray(np.ascontiguousarray(pixels))
    ImageCms.applyTransform(image, transform, inPlace=True)
    return np.asarray(image)


def is_rgb(data: bytes) -> bool:
    """Whether this is a profile for RGB pixels."""
    return 128 < len(data) <= LARGEST and data[16:20] == b"RGB " and data[36:40] == b"acsp"


@lru_cache(maxsize=8)
def _transform(source: bytes, target: IccProfile) -> Any:
    """LittleCMS's transform; None when the source is no profile of RGB."""
    import io

    from PIL import ImageCms

    if not is_rgb(source):
        return None
    try:
        return ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(source)),
            ImageCms.ImageCmsProfile(io.BytesIO(profile(target))),
            "RGB",
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


_PCS_WHITE = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def _colorants(primaries: list[tuple[float, float]], white: tuple[float, float]) -> NDArray[np.float64]:
    """Columns: XYZ of red, green and blue, adapted to the white of the connection space."""
    matrix = np.array([_to_xyz(point) for point in primaries]).T
    scale = np.linalg.solve(matrix, _to_xyz(white))
    adapted: NDArray[np.float64] = _adaptation(white) @ (matrix * scale)
    return adapted


def _adaptation(white: tuple[float, float]) -> NDArray[np.float64]:
    gain = (_BRADFORD @ _PCS_WHITE) / (_BRADFORD @ _to_xyz(white))
    matrix: NDArray[np.float64] = np.linalg.inv(_BRADFORD) @ np.diag(gain) @ _BRADFORD
    return matrix


def _to_xyz(point: tuple[float, float]) -> NDArray[np.float64]:
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _xyz(values: NDArray[np.float64]) -> bytes:
    return b"XYZ " + struct.pack(">I", 0) + b"".join(struct.pack(">i", round(float(value) * 65536)) for value in values)


def _curve(curve: _Curve) -> bytes:
    if isinstance(curve, float):
        return b"curv" + struct.pack(">IIH", 0, 1, round(curve * 256))
    samples = np.floor(curve(np.linspace(0.0, 1.0, _SAMPLES)) * 65535 + 0.5).astype(">u2")
    return b"curv" + struct.pack(">II", 0, _SAMPLES) + samples.tobytes()


def _description(name: str) -> bytes:
    """textDescriptionType, without Unicode and Macintosh text."""
    text = name.encode("ascii") + b"\0"
    return b"desc" + struct.pack(">II", 0, len(text)) + text + b"\0" * (4 + 4 + 2 + 1 + 67)
