"""Frames to arrays: one door to all codecs."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, Final, TypeAlias

from numpy.typing import NDArray

from skiagraph.pixels.codecs import deflated, jpeg, jpeg_2000, jpeg_ls, jpeg_xl, native, rle, samples
from skiagraph.pixels.image import BadPixels, ImageParams
from skiagraph.standard import transfer_syntaxes

CODECS: Final[tuple[ModuleType, ...]] = (native, deflated, rle, jpeg, jpeg_ls, jpeg_2000, jpeg_xl)

MAX_FRAME_BYTES: Final = 256 * 2**20
"""Largest array that a frame is decoded to, unless the caller says otherwise."""

Decoder: TypeAlias = Callable[[bytes, str, ImageParams], tuple[NDArray[Any], ImageParams]]

DECODERS: Final[dict[str, Decoder]] = {uid: codec.decode for codec in CODECS for uid in codec.DECODES}
"""By Transfer Syntax UID."""


def can_decode(transfer_syntax_uid: str) -> bool:
    """Whether frames in this Transfer Syntax can be decoded at all."""
    return transfer_syntax_uid in DECODERS


def decode(
    frame: bytes, transfer_syntax_uid: str, image: ImageParams, *, limit: int = MAX_FRAME_BYTES
) -> tuple[NDArray[Any], ImageParams]:
    """Decode one frame to pixel values.

    Parameters
    ----------
    frame
        Native: little endian, from its first bit on. Encapsulated: the code stream without Items; padding may follow.
    image
        As the data set says; it is not changed.
    limit
        Most bytes of the array.

    Returns
    -------
    numpy.ndarray
        ``(rows, columns)`` or ``(rows, columns, samples)``; uint8, uint16, uint32, uint64 or int8, int16, int32,
        int64 as Bits Allocated and Pixel Representation say, float32 or float64 for Float Pixel Data. Bits that are
        not stored are taken out, single bits are 0 and 1, palettes stay indices. Maybe a read-only view of the frame.
    ImageParams
        What the array holds: Photometric Interpretation after the inverse colour transform (RGB for lossy JPEG,
        YBR_RCT, YBR_ICT and XYB; YBR_FULL for YBR_FULL_422), colour by pixel, High Bit in place.

    Raises
    ------
    BadPixels
        The Transfer Syntax can not be decoded, the stream is damaged or contradicts the image, or the array would
        be larger than the limit.
    """
    return samples.values(*cells(frame, transfer_syntax_uid, image, limit=limit))


def cells(
    frame: bytes, transfer_syntax_uid: str, image: ImageParams, *, limit: int = MAX_FRAME_BYTES
) -> tuple[NDArray[Any], ImageParams]:
    """Decode one frame to whole cells, what stands in the bits that are not stored included; else as `decode`."""
    decoder = DECODERS.get(transfer_syntax_uid)
    if decoder is None:
        row = transfer_syntaxes.get(transfer_syntax_uid)
        name = row.name if row.known else transfer_syntax_uid
        raise BadPixels(f"Frames in the Transfer Syntax {name} can not be decoded.")
    if image.decoded_bytes > limit:
        raise BadPixels(f"A frame of {native.describe(image)} takes {image.decoded_bytes} bytes; the limit is {limit}.")
    try:
        return decoder(frame, transfer_syntax_uid, image)
    except MemoryError as error:
        raise BadPixels("There is not enough memory to decode the frame.") from error
