"""The golden table: every compressed sample decodes to the pixels of its uncompressed reference.

One row per sample, shared by all codecs. Lossless rows are equal, in sign and word too. Lossy ones differ by no more
than their encoder lost; several are compared with what another decoder (dcmtk) made of the same stream.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from frames_of import frames
from skiagraph.pixels import decode
from skiagraph.pixels.image import BadPixels

pytestmark = pytest.mark.shared_data

TABLE = [
    [column.strip() for column in line.split("|")]
    for line in (Path(__file__).parent / "decoded.txt").read_text().splitlines()
    if line and not line.startswith("#")
]
ROUNDING = 2
"""What two decoders of one lossy stream may differ by."""


@pytest.mark.parametrize(("path", "reference", "largest"), TABLE, ids=[f"{row[0]}-{row[1]}" for row in TABLE])
def test_decodes_to_its_reference(shared_data: Path, path: str, reference: str, largest: str) -> None:
    uid, image, coded = frames(shared_data / "syntaxes" / path)
    other_uid, other, plain = frames(shared_data / "syntaxes" / reference)
    bound = int(largest)
    for frame, expected in zip(coded, plain, strict=False):
        pixels, found = decode.decode(frame, uid, image)
        wanted, described = decode.decode(expected, other_uid, other)
        assert pixels.shape == wanted.shape == found.shape
        assert found.photometric_interpretation == described.photometric_interpretation
        assert found.planar_configuration == 0
        if bound == 0:
            assert pixels.dtype == wanted.dtype == found.dtype
            assert np.array_equal(pixels, wanted)
        else:
            difference = np.abs(pixels.astype(np.int64) - wanted.astype(np.int64)).max()
            assert difference <= bound + ROUNDING


def test_every_sample_decodes(shared_data: Path) -> None:
    """All frames of all samples, or a sentence that says why not."""
    refused = {}
    count = 0
    for path in sorted((shared_data / "syntaxes").rglob("*.dcm")):
        if path.parent.name == "video" or "jpip" in path.name or path.stem in ("report_dfl", "12bit-packed-MR"):
            continue
        uid, image, coded = frames(path)
        assert len(coded) == image.number_of_frames
        for frame in coded:
            try:
                pixels, found = decode.decode(frame, uid, image)
            except BadPixels as error:
                refused[path.name] = error.message
                break
            assert pixels.dtype == found.dtype
            count += 1
    assert count > 250
    assert list(refused) == ["JPEG2000-embedded-sequence-delimiter.dcm"], refused
    assert "3722445056 columns" in refused["JPEG2000-embedded-sequence-delimiter.dcm"], "it was damaged on purpose"
