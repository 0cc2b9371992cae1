"""Pictures of real files, one for each row of the pipeline: as they were when somebody looked at them.

``python tests/golden/test_rendered.py`` writes the expected pictures anew; look at each that changed before it is
committed. Where dcmtk is installed, its renderer says what it makes of the same frames: another program, by others.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from archives import Given, opened
from dicom_files import uid

HERE = Path(__file__).parent
EXPECTED = HERE / "rendered"
SHARED = HERE.parents[2] / "shared" / "data"
SIZE = 96


@dataclass(frozen=True)
class Row:
    """One file and how it is asked for."""

    name: str
    """Of the expected picture."""
    file: str
    frame: int = 1
    query: str = ""
    dcmtk: tuple[str, ...] | None = None
    """Options with which dcmtk shows the same; None: it can not, or does not look at what we do."""
    reference: str = ""
    """What dcmtk is shown instead, as it does not know the Transfer Syntax: the same image uncompressed."""
    lost: float = 1.0
    """Mean difference from the reference: what was lost by compression."""


MADE = "syntaxes/generated"
FIRST_WINDOW, LEAST_TO_GREATEST, AS_IT_IS = ("+Wi", "1"), ("+Wm",), ("-W",)

ROWS = [
    Row("window-linear", "modalities/ct/01.dcm", dcmtk=FIRST_WINDOW),
    Row("window-given", "modalities/ct/01.dcm", query="window=-600,1500,linear", dcmtk=("+Ww", "-600", "1500")),
    Row(
        "window-sigmoid",
        "modalities/ct/01.dcm",
        query="window=40,400,sigmoid",
        dcmtk=("+Ww", "40", "400", "+Wfs"),
    ),
    Row("least-to-greatest", "modalities/ct/CT_small.dcm", dcmtk=LEAST_TO_GREATEST),
    Row("monochrome1-8-bit", "modalities/dx/dx_image.dcm", dcmtk=AS_IT_IS),
    Row("monochrome1", "modalities/cr/CR-MONO1-10-chest.dcm", dcmtk=FIRST_WINDOW),
    Row("modality-lut", "modalities/luts/mlut_18.dcm", dcmtk=LEAST_TO_GREATEST),
    Row("voi-lut", "modalities/luts/vlut_04.dcm", dcmtk=("+Wl", "1")),
    Row("voi-of-the-frame", "modalities/enhanced/siemens-xa-mr.dcm", frame=3),
    Row("supplemental-palette", "modalities/enhanced/eCT_Supplemental.dcm", frame=2),
    Row("palette-8-bit", "modalities/luts/palette-8-face.dcm", dcmtk=()),
    Row("palette-16-bit", "modalities/us/gdcm-US-ALOKA-16.dcm"),
    Row("window-of-multi-frame", "modalities/nm/NM-MONO2-16-13x-heart.dcm", frame=7, dcmtk=FIRST_WINDOW),
    Row("rescale-pet", "modalities/pt/PET-flt.dcm", dcmtk=FIRST_WINDOW),
    Row("float", "modalities/pm/parametric_map_float.dcm"),
    Row("double-float", "modalities/pm/parametric_map_double_float.dcm"),
    Row("segmentation-1-bit", "syntaxes/deflate/liver.dcm", frame=2),
    Row("segmentation-fractional", "modalities/seg/seg_image_ct_true_fractional.dcm", frame=2, dcmtk=AS_IT_IS),
    Row("segmentation-label-map", "slides/seg_image_sm_control_labelmap.dcm", frame=13),
    Row("dose-32-bit", "syntaxes/bits/rtdose.dcm", frame=4, dcmtk=LEAST_TO_GREATEST),
    Row("signed-9-bit", "syntaxes/bits/signed-9bit.dcm", dcmtk=LEAST_TO_GREATEST),
    Row("rgb", "modalities/us/US-RGB-8-esopecho.dcm", dcmtk=()),
    Row("rgb-16-bit", "syntaxes/colour/SC_rgb_16bit.dcm", dcmtk=()),
    Row("ybr-full-422", "modalities/us/YBR_422.dcm", dcmtk=()),
    Row("ybr-of-jpeg", "syntaxes/colour/SC_rgb_dcmtk_+eb+cy+s4.dcm", dcmtk=()),
    Row("ybr-rct-of-jpeg-2000", "syntaxes/colour/GDCMJ2K_TextGBR.dcm"),
    Row("overlays", "modalities/pr/overlay.dcm", dcmtk=LEAST_TO_GREATEST),
    Row("overlay-out-of-bounds", "modalities/mg/MG-overlay-out-of-bounds.dcm", dcmtk=FIRST_WINDOW),
    Row("icc-profile-of-a-slide", "slides/pyramid/level-1.dcm", frame=2),
    Row("region-and-flip", "modalities/ct/01.dcm", query="viewport=96,96,100,100,-200,100"),
    Row("modality-lut-voi-lut-overlay", "modalities/luts/leadtools-luts-8bit-jpeg.dcm", dcmtk=("+Wl", "1")),
    Row("ophthalmic", "modalities/op/sample-op.dcm", dcmtk=AS_IT_IS),
    Row("angiography-jpeg", "modalities/xa/XA-96-frames-jpeg.dcm", frame=48, dcmtk=AS_IT_IS),
    Row("mammography-crop", "modalities/mg/MG-overlay-out-of-bounds.dcm", query="viewport=96,96,900,0,400,400"),
    Row(
        "palette-of-jpeg-ls",
        "syntaxes/jpeg-ls/palette-multiframe.dcm",
        frame=5,
        dcmtk=(),
        reference="syntaxes/rle/US-PAL-8-10x-echo.dcm",
    ),
    Row("palette-rle", "syntaxes/rle/US-PAL-8-10x-echo.dcm", frame=5, dcmtk=()),
    Row("palette-ultrasound", "modalities/us/examples_palette.dcm", dcmtk=()),
    Row("planar-configuration-1", "syntaxes/colour/color-pl.dcm", dcmtk=()),
    Row("planar-configuration-0", "syntaxes/colour/color-px.dcm", dcmtk=()),
    Row("rgb-32-bit", "syntaxes/colour/SC_rgb_32bit.dcm"),
    Row("rgb-big-endian", "syntaxes/colour/SC_rgb_expb_16bit.dcm", dcmtk=()),
    Row("ybr-full-rle", "syntaxes/rle/YBR_FULL-RLE.dcm", dcmtk=()),
    Row("ybr-full-422-odd", "syntaxes/colour/SC_ybr_full_422_uncompressed.dcm", dcmtk=()),
    Row("ybr-ict", "syntaxes/wg04/US1_J2KI.dcm", dcmtk=(), reference="syntaxes/wg04/US1_UNC.dcm", lost=6),
    Row("ybr-rct", "syntaxes/wg04/US1_J2KR.dcm", dcmtk=(), reference="syntaxes/wg04/US1_UNC.dcm"),
    Row("xyb-of-jpeg-xl", f"{MADE}/rgb-jpegxl-lossy.dcm", dcmtk=(), reference=f"{MADE}/rgb-reference.dcm", lost=3),
    Row("jpeg-xl-lossless", f"{MADE}/rgb-jpegxl-lossless.dcm", dcmtk=(), reference=f"{MADE}/rgb-reference.dcm"),
    Row("htj2k-rct", f"{MADE}/rgb-htj2k-lossless.dcm", frame=2, dcmtk=(), reference=f"{MADE}/rgb-reference.dcm"),
    Row(
        "htj2k-signed",
        f"{MADE}/signed16-htj2k-lossless.dcm",
        dcmtk=LEAST_TO_GREATEST,
        reference=f"{MADE}/signed16-reference.dcm",
    ),
    Row("deflated-frames", f"{MADE}/rgb-deflated-frames.dcm", frame=3, dcmtk=(), reference=f"{MADE}/rgb-reference.dcm"),
    Row("jpeg-ls-interleaved", "syntaxes/jpeg-ls/JLSL_RGB_ILV1.dcm"),
    Row("segmentation-rle", "syntaxes/deflate/liver_rle.dcm", frame=2),
    Row("segmentation-palette", "slides/seg_image_sm_control_labelmap_palette_color.dcm", frame=13),
]


def content(file: str) -> bytes:
    """A file of the set; with UIDs, which some lack."""
    found = pydicom.dcmread(SHARED / file, force=True)
    if all(found.get(keyword) for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")):
        return (SHARED / file).read_bytes()
    found.StudyInstanceUID, found.SeriesInstanceUID, found.SOPInstanceUID = uid(), uid(), uid()
    out = io.BytesIO()
    found.save_as(out)
    return out.getvalue()


def rendered(given: Given, row: Row, query: str) -> np.ndarray:  # type: ignore[type-arg]
    (instance,) = given.store(content(row.file))
    answer = given.get(f"{instance.path}/frames/{row.frame}/rendered", "image/png", query=query)
    assert answer.status == 200, answer.error
    return np.asarray(Image.open(io.BytesIO(answer.body)))


def small(row: Row) -> str:
    return row.query if "viewport" in row.query else "&".join(filter(None, (row.query, f"viewport={SIZE},{SIZE}")))


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


@pytest.mark.shared_data
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_as_somebody_saw_it(given: Given, row: Row) -> None:
    found = rendered(given, row, small(row)).astype(int)
    expected = np.asarray(Image.open(EXPECTED / f"{row.name}.png")).astype(int)
    assert found.shape == expected.shape
    difference = np.abs(found - expected)
    assert difference.mean() < 0.5, "other versions of codecs and of the scaling may round differently, no more"
    assert difference.max() <= 8


@pytest.mark.shared_data
@pytest.mark.skipif(shutil.which("dcmj2pnm") is None, reason="dcmtk (dcmj2pnm) is not installed")
@pytest.mark.parametrize("row", [row for row in ROWS if row.dcmtk is not None], ids=lambda row: row.name)
def test_as_dcmtk_sees_it(given: Given, row: Row, tmp_path: Path) -> None:
    """It cuts fractions off where we round: never more than a gray value or two."""
    assert row.dcmtk is not None
    out = tmp_path / "dcmtk.png"
    file = SHARED / (row.reference or row.file)
    command = ["dcmj2pnm", "--quiet", *row.dcmtk, "+F", str(row.frame), "+on", str(file), str(out)]
    subprocess.run(command, check=True, timeout=60)
    found = rendered(given, row, row.query).astype(int)
    theirs = np.asarray(Image.open(out).convert("L" if found.ndim == 2 else "RGB")).astype(int)
    assert found.shape == theirs.shape
    difference = np.abs(found - theirs)
    assert difference.mean() < row.lost
    if row.lost == 1:
        assert difference.max() <= 3


def main() -> None:
    EXPECTED.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for number, row in enumerate(ROWS):
            with opened(Path(folder) / str(number)) as archive:
                found = rendered(archive, row, small(row))
                Image.fromarray(found).save(EXPECTED / f"{row.name}.png", optimize=True)
                sys.stdout.write(f"{row.name}\n")


if __name__ == "__main__":
    main()
