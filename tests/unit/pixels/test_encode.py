"""Round trips through every encoder: the table of PS3.5 §8.2 as this server keeps it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pictures import image, pixels
from skiagraph.pixels import decode, encode
from skiagraph.pixels.image import BadPixels, ImageParams
from skiagraph.standard import transfer_syntaxes

KINDS = {
    "1 bit": image(allocated=1),
    "8 bit MONOCHROME1": image("MONOCHROME1", 8),
    "8 bit signed": image(allocated=8, signed=1),
    "7 of 8 bits": image(allocated=8, stored=7),
    "2 of 16 bits": image(stored=2),
    "9 of 16 bits": image(stored=9),
    "12 of 16 bits": image(stored=12),
    "12 of 16 bits signed": image(stored=12, signed=1),
    "16 bit": image(),
    "16 bit signed": image(signed=1),
    "20 of 32 bits signed": image(allocated=32, stored=20, signed=1),
    "32 bit": image(allocated=32),
    "palette 8 bit": image("PALETTE COLOR", 8),
    "palette 16 bit": image("PALETTE COLOR", 16),
    "RGB 8 bit": image("RGB", 8),
    "RGB 12 of 16 bits": image("RGB", 16, 12),
    "RGB 16 bit": image("RGB", 16),
    "RGB 32 bit": image("RGB", 32),
    "YBR_FULL": image("YBR_FULL", 8),
}
X = "1.2.840.10008.1.2"
NATIVE_BYTES = {f"{X}.1", f"{X}.1.98", f"{X}.1.99", f"{X}.8.1"}
GREY_16 = {f"{X}.4.57", f"{X}.4.70", f"{X}.4.80", f"{X}.4.90", f"{X}.4.201", f"{X}.4.202"}
J2K = {f"{X}.4.90", f"{X}.4.201", f"{X}.4.202"}
LOSSLESS = {
    "1 bit": J2K,
    "8 bit MONOCHROME1": GREY_16 | {f"{X}.4.110"},
    "8 bit signed": GREY_16,
    "7 of 8 bits": GREY_16 | {f"{X}.4.110"},
    "2 of 16 bits": GREY_16 | {f"{X}.4.110"},
    "9 of 16 bits": GREY_16 | {f"{X}.4.110"},
    "12 of 16 bits": GREY_16 | {f"{X}.4.110"},
    "12 of 16 bits signed": GREY_16,
    "16 bit": GREY_16 | {f"{X}.4.110"},
    "16 bit signed": GREY_16,
    "20 of 32 bits signed": {f"{X}.4.90"},
    "32 bit": set(),
    "palette 8 bit": GREY_16 | {f"{X}.4.110"},
    "palette 16 bit": GREY_16 | {f"{X}.4.110"},
    "RGB 8 bit": GREY_16 | {f"{X}.4.110"},
    "RGB 12 of 16 bits": GREY_16 | {f"{X}.4.110"},
    "RGB 16 bit": GREY_16 | {f"{X}.4.110"},
    "RGB 32 bit": set(),
    "YBR_FULL": GREY_16,
}
LOSSY_8, LOSSY = {f"{X}.4.50"}, {f"{X}.4.81", f"{X}.4.91", f"{X}.4.203", f"{X}.4.112"}
LOSSY_OF = {
    "8 bit MONOCHROME1": LOSSY | LOSSY_8 | {f"{X}.4.51"},
    "8 bit signed": {f"{X}.4.91", f"{X}.4.203"},
    "9 of 16 bits": LOSSY - {f"{X}.4.203"} | {f"{X}.4.51"},
    "12 of 16 bits": LOSSY | {f"{X}.4.51"},
    "12 of 16 bits signed": {f"{X}.4.91", f"{X}.4.203"},
    "16 bit": LOSSY,
    "16 bit signed": {f"{X}.4.91", f"{X}.4.203"},
    "RGB 8 bit": LOSSY | LOSSY_8,
    "RGB 12 of 16 bits": LOSSY,
    "RGB 16 bit": LOSSY,
    "YBR_FULL": LOSSY_8 | {f"{X}.4.81", f"{X}.4.91", f"{X}.4.203"},
}
PHOTOMETRIC = {  # of RGB once encoded
    f"{X}.4.50": "YBR_FULL_422",
    f"{X}.4.90": "YBR_RCT",
    f"{X}.4.201": "YBR_RCT",
    f"{X}.4.202": "YBR_RCT",
    f"{X}.4.91": "YBR_ICT",
    f"{X}.4.203": "YBR_ICT",
    f"{X}.4.112": "XYB",
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_each_syntax_holds(kind: str) -> None:
    """The conversion matrix, by type of pixel."""
    holding = {uid for uid in encode.ENCODERS if encode.unfit(uid, KINDS[kind]) is None}
    assert holding == NATIVE_BYTES | {f"{X}.5"} | LOSSLESS[kind] | LOSSY_OF.get(kind, set())


@pytest.mark.parametrize("size", [(24, 31), (1, 1), (1, 40), (5, 3), (130, 70)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_lossless_is_the_very_cells(kind: str, size: tuple[int, int]) -> None:
    of = image(
        KINDS[kind].photometric_interpretation,
        KINDS[kind].bits_allocated,
        KINDS[kind].bits_stored,
        KINDS[kind].pixel_representation,
        rows=size[0],
        columns=size[1],
    )
    cells = pixels(of, noise=0.1)
    before = cells.copy()
    for uid in sorted(NATIVE_BYTES | {f"{X}.5"} | LOSSLESS[kind]):
        frame, described = encode.encode(cells, uid, of)
        found, decoded = decode.cells(frame, uid, described)
        assert found.dtype == cells.dtype, uid
        assert np.array_equal(found, cells), uid
        assert decoded.photometric_interpretation == of.photometric_interpretation, uid
        assert (decoded.bits_allocated, decoded.bits_stored) == (of.bits_allocated, of.bits_stored), uid
        padded, _ = decode.cells(frame + b"\0", uid, described)
        assert np.array_equal(padded, cells), f"{uid}: a byte of padding (PS3.5 Annex A.4)"
        if of.photometric_interpretation == "RGB":
            assert described.photometric_interpretation == PHOTOMETRIC.get(uid, "RGB"), uid
    assert np.array_equal(cells, before), "never changed in place"


@pytest.mark.parametrize(
    ("kind", "uid"), [(kind, uid) for kind, uids in LOSSY_OF.items() for uid in sorted(uids)], ids=str
)
def test_lossy_is_near(kind: str, uid: str) -> None:
    """No sample is off by more than 4 % of the range; on the average, where it is the eye that does not see it."""
    of = KINDS[kind]
    cells = pixels(of, extremes=False)
    frame, described = encode.encode(cells, uid, of)
    found, decoded = decode.decode(frame, uid, described)
    wanted = cells.astype(np.float64)
    if of.photometric_interpretation == "YBR_FULL" and uid == f"{X}.4.50":
        assert decoded.photometric_interpretation == "RGB"
        luminance = found @ np.array([0.299, 0.587, 0.114])
        # Colours that RGB does not have are clipped: where none is, it is the luminance that was encoded
        inside = (found.min(-1) > 0) & (found.max(-1) < 255)
        assert np.abs(luminance - wanted[..., 0])[inside].max() < 0.04 * 256
        return
    assert decoded.photometric_interpretation == of.photometric_interpretation
    difference = np.abs(found.astype(np.float64) - wanted)
    bound = 0.04 * (1 << of.bits_stored)
    if uid == f"{X}.4.112" or (uid == f"{X}.4.50" and of.samples_per_pixel == 3):
        assert difference.mean() < bound
    else:
        assert difference.max() <= bound
    if uid == f"{X}.4.81":
        assert difference.max() <= 2
    if uid == f"{X}.4.51":
        bits = 8 if of.bits_allocated == 8 else 12
        assert (described.bits_stored, described.high_bit) == (bits, bits - 1)


def test_bits_that_are_not_stored_survive() -> None:
    """Old overlays stand there, and values that do not keep to what the header says."""
    of = image(stored=12)
    cells = pixels(of)
    cells[3, 4] |= 0x8000
    for uid in sorted(GREY_16 | {f"{X}.4.110", f"{X}.5"}):
        frame, described = encode.encode(cells, uid, of)
        assert np.array_equal(decode.cells(frame, uid, described)[0], cells), uid
    signed = image(stored=12, signed=1)
    dirty = pixels(signed)
    dirty[0, 0] = 0x7FFF
    for uid in sorted(GREY_16):
        frame, described = encode.encode(dirty, uid, signed)
        assert np.array_equal(decode.cells(frame, uid, described)[0], dirty), uid


@pytest.mark.parametrize(
    ("uid", "of", "says"),
    [
        pytest.param(f"{X}.4.50", image(), "8 to 8 bits", id="16 bits in baseline"),
        pytest.param(f"{X}.4.51", image(stored=12, signed=1), "signed", id="sign in DCT"),
        pytest.param(f"{X}.4.91", image("PALETTE COLOR", 8), "PALETTE COLOR", id="indices with loss"),
        pytest.param(f"{X}.4.90", image("RGB", 16, signed=1), "signed colour", id="signed colour"),
        pytest.param(f"{X}.4.90", ImageParams(2, 2, 4, 8, 8, 7, 0, "CMYK"), "CMYK", id="four samples"),
        pytest.param(f"{X}.4.90", ImageParams(2, 2, 1, 8, 8, 7, 0, "RGB"), "1 samples", id="colour of one sample"),
        pytest.param(f"{X}.5", ImageParams(2, 2, 4, 32, 32, 31, 0, "CMYK"), "15 bytes", id="too many segments"),
        pytest.param(f"{X}.5", ImageParams(2, 2, 1, 32, 32, 31, 1, pixel_tag="7FE00008"), "floating", id="float"),
        pytest.param(f"{X}.5", ImageParams(2, 2, 1, 12, 12, 11), "12 bits", id="packed cells"),
        pytest.param(f"{X}.2", image(), "does not encode", id="big endian"),
        pytest.param(f"{X}.4.102", image(), "does not encode", id="video"),
    ],
)
def test_what_does_not_fit_says_why(uid: str, of: ImageParams, says: str) -> None:
    reason = encode.unfit(uid, of)
    assert reason is not None
    assert says in reason
    with pytest.raises(BadPixels, match=re.escape(says)):
        encode.encode(np.zeros(of.shape, of.dtype), uid, of)


def test_every_rule_is_of_an_encoder() -> None:
    assert set(encode.HOLDS) <= set(encode.ENCODERS)
    assert all(transfer_syntaxes.find(uid) for uid in encode.ENCODERS)
