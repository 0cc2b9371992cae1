"""Arrays to frames: which pixels a Transfer Syntax can hold, and one door to all encoders."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from numpy.typing import NDArray

from skiagraph.pixels.codecs import jpeg, jpeg_2000, jpeg_ls, jpeg_xl, rle
from skiagraph.pixels.decode import CODECS
from skiagraph.pixels.image import BadPixels, ImageParams
from skiagraph.standard import transfer_syntaxes

Encoder: TypeAlias = Callable[[NDArray[Any], str, ImageParams], tuple[bytes, ImageParams]]

ENCODERS: Final[dict[str, Encoder]] = {uid: codec.encode for codec in CODECS for uid in codec.ENCODES}
"""By Transfer Syntax UID."""

_GREY: Final = frozenset({"MONOCHROME1", "MONOCHROME2"})
_PALETTE: Final = frozenset({"PALETTE COLOR"})
_COLOUR: Final = frozenset({"RGB", "YBR_FULL"})


@dataclass(frozen=True, slots=True)
class Holds:
    """Pixels that a Transfer Syntax can hold as this server encodes it; within the tables of PS3.5 §8.2."""

    bits_allocated: frozenset[int]
    bits_stored: Collection[int]
    photometric: frozenset[str]
    signed: bool = True


_8_OR_16: Final = frozenset({8, 16})
_1_TO_16: Final = frozenset({1, 8, 16})

HOLDS: Final[dict[str, Holds]] = {
    # Table 8.2.1-1
    jpeg.BASELINE: Holds(frozenset({8}), range(8, 9), _GREY | _COLOUR, signed=False),
    jpeg.EXTENDED: Holds(_8_OR_16, range(8, 13), _GREY, signed=False),
    jpeg.LOSSLESS: Holds(_8_OR_16, range(2, 17), _GREY | _PALETTE | _COLOUR),
    jpeg.LOSSLESS_SV1: Holds(_8_OR_16, range(2, 17), _GREY | _PALETTE | _COLOUR),
    # Table 8.2.3-1. Signed samples pass for unsigned ones, so that a small error may turn -1 into 0 and far beyond
    jpeg_ls.LOSSLESS: Holds(_8_OR_16, range(2, 17), _GREY | _PALETTE | _COLOUR),
    jpeg_ls.NEAR_LOSSLESS: Holds(_8_OR_16, range(8, 17), _GREY | _COLOUR, signed=False),
    # Table 8.2.4-1; OpenJPEG keeps 24 bits for certain, and decodes 16 of HTJ2K
    jpeg_2000.LOSSLESS: Holds(_1_TO_16 | {32}, range(1, 25), _GREY | _PALETTE | _COLOUR),
    jpeg_2000.LOSSY: Holds(_8_OR_16, range(8, 17), _GREY | _COLOUR),
    # Table 8.2.14-1
    jpeg_2000.HT_LOSSLESS: Holds(_1_TO_16, range(1, 17), _GREY | _PALETTE | _COLOUR),
    jpeg_2000.HT_LOSSLESS_RPCL: Holds(_1_TO_16, range(1, 17), _GREY | _PALETTE | _COLOUR),
    jpeg_2000.HT: Holds(_8_OR_16, frozenset(range(8, 17)) - {9}, _GREY | _COLOUR),
    # Table 8.2.15-1: JPEG XL has no sign
    jpeg_xl.LOSSLESS: Holds(_8_OR_16, range(1, 17), _GREY | _PALETTE | frozenset({"RGB"}), signed=False),
    jpeg_xl.LOSSY: Holds(_8_OR_16, range(8, 17), _GREY | frozenset({"RGB"}), signed=False),
}
"""By Transfer Syntax UID; native syntaxes and those that pack native bytes hold whatever their encoder takes."""


def unfit(transfer_syntax_uid: str, image: ImageParams) -> str | None:
    """Say why a Transfer Syntax can not hold such pixels; None when it can.

    Parameters
    ----------
    image
        As `decode` describes it.
    """
    name = transfer_syntaxes.get(transfer_syntax_uid).name
    if transfer_syntax_uid not in ENCODERS:
        return f"This server does not encode {name}."
    encapsulated = transfer_syntaxes.get(transfer_syntax_uid).encapsulated
    if image.is_float and encapsulated:
        return f"{name} does not hold floating point pixels."
    if image.bits_allocated not in (1, 8, 16, 32, 64):
        return f"{name} is not encoded from cells of {image.bits_allocated} bits."
    if transfer_syntax_uid in rle.ENCODES and rle.segments(image) > rle.MOST_SEGMENTS:
        return f"{name} holds at most {rle.MOST_SEGMENTS} bytes of each pixel."
    holds = HOLDS.get(transfer_syntax_uid)
    if holds is None:
        return None
    if image.bits_allocated not in holds.bits_allocated or image.bits_stored not in holds.bits_stored:
        return (
            f"{name} holds {min(holds.bits_stored)} to {max(holds.bits_stored)} bits of a sample, not"
            f" {image.bits_stored} in {image.bits_allocated}."
        )
    if image.signed and not holds.signed:
        return f"{name} does not hold signed pixels."
    if image.photometric_interpretation not in holds.photometric or image.samples_per_pixel != (
        3 if image.photometric_interpretation in _COLOUR else 1
    ):
        return f"{name} is not encoded from {image.photometric_interpretation} with {image.samples_per_pixel} samples."
    if image.signed and image.samples_per_pixel > 1:
        return f"{name} does not hold signed colour."
    return None


def encode(cells: NDArray[Any], transfer_syntax_uid: str, image: ImageParams) -> tuple[bytes, ImageParams]:
    """Encode one frame.

    Parameters
    ----------
    cells, image
        As `decode.cells` returns them; lossless syntaxes give back the very cells.

    Returns
    -------
    bytes
        The frame as it goes into one Item (without padding), or among native frames.
    ImageParams
        The Image Pixel attributes that belong to it.

    Raises
    ------
    BadPixels
        The syntax can not hold such pixels.
    """
    reason = unfit(transfer_syntax_uid, image)
    if reason is not None:
        raise BadPixels(reason)
    return ENCODERS[transfer_syntax_uid](cells, transfer_syntax_uid, image)
