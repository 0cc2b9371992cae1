"""Colours of the pictures of a video: ISO/IEC 23091-2, by the scaler that PyAV has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_MATRIX_709, _MATRIX_601 = 1, 6
_UNTOLD: Final = frozenset({0, 2, 3})
_TRANSFER: Final = {1: 1, 5: 6, 6: 6, 7: 7, 9: 14}
_SPACES: Final = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""Matrix coefficients (ISO/IEC 23091-2) → the scaler's name of them."""
_FULL_RANGE, _LIMITED_RANGE = 2, 1
_BICUBIC, _FULL_CHROMA, _ACCURATE, _EXACT = 4, 0x2000, 0x40000, 0x80000


def tags(frame: VideoFrame) -> tuple[int, int, int]:
    """Matrix, primaries and transfer function of a frame by their numbers of ISO/IEC 23091-2.

    They are what the stream says, else those of ITU-R BT.709 from 720 lines on and of BT.601 below, as browsers have
    it.
    """
    matrix = int(frame.colorspace)
    if matrix not in _SPACES:
        matrix = _MATRIX_709 if frame.height >= 720 else _MATRIX_601
    alike = matrix if matrix in (_MATRIX_709, 5, _MATRIX_601, 7, 9) else _MATRIX_709
    primaries, transfer = int(frame.color_primaries), int(frame.color_trc)
    return matrix, alike if primaries in _UNTOLD else primaries, _TRANSFER[alike] if transfer in _UNTOLD else transfer


def colours(frame: VideoFrame) -> tuple[int, int]:
    """The scaler's names of the colour matrix (`tags`) and the range of a frame."""
    space = _SPACES[tags(frame)[0]]
    full = int(frame.color_range) == _FULL_RANGE or frame.format.name.startswith("yuvj")
    return space, _FULL_RANGE if full else _LIMITED_RANGE


def rgb(frame: VideoFrame, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """A frame as RGB, shape (rows, columns, 3).

    Parameters
    ----------
    size
        Rows and columns, where the stream changes them on its way; None: its own.
    """
    space, source_range = colours(frame)
    rows, columns = size or (frame.height, frame.width)
    converted = frame.reformat(
        width=columns,
        height=rows,
        format="rgb24",
        src_colorspace=space,
        src_color_range=source_range,
        dst_color_range=_FULL_RANGE,
        interpolation=_BICUBIC | _FULL_CHROMA | _ACCURATE | _EXACT,
        threads=1,
    )
    picture: Any = converted.to_ndarray()
    return np.asarray(picture, np.uint8)
