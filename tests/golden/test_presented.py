"""Pictures of presentation states, one for each thing that they can say: as they were when somebody looked at them.

``python tests/golden/test_presented.py`` writes the expected pictures anew; look at each that changed before it is
committed. Where dcmtk is installed, its renderer of presentation states says what it makes of the same pair: it draws
no graphics, overlays and shutters, which its callers have to do.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from archives import Given, opened
from dicom_files import part10
from presentation_states import (
    BLENDING,
    COLOR,
    GRAYSCALE,
    annotation,
    area,
    graphic,
    item,
    layer,
    series_references,
    state,
    text,
)

HERE = Path(__file__).parent
EXPECTED = HERE / "rendered"
SHARED = HERE.parents[2] / "shared" / "data"
SIZE = 128

CT, PR = "volumes/ct-phantom-24/010.dcm", "modalities/pr"
SOFT: dict[str, Any] = {
    "RescaleSlope": 1,
    "RescaleIntercept": -1024,
    "RescaleType": "HU",
    "SoftcopyVOILUTSequence": [item(WindowCenter=40, WindowWidth=400)],
}
RED, YELLOW, GREEN = [34885, 53485, 50171], [63000, 30500, 56000], [57000, 10000, 50171]
LAYERS = [
    layer("WHITE", 1, GraphicLayerRecommendedDisplayGrayscaleValue=65535),
    layer("RED", 2, GraphicLayerRecommendedDisplayCIELabValue=RED),
]
FRAME = [0.03, 0.03, 0.97, 0.03, 0.97, 0.97, 0.03, 0.97, 0.03, 0.03]
DRAWN: dict[str, Any] = {
    **SOFT,
    "GraphicLayerSequence": LAYERS,
    "GraphicAnnotationSequence": [
        annotation(
            graphic("POLYLINE", [100, 100, 200, 100, 200, 200, 100, 200, 100, 100]),
            graphic("CIRCLE", [256, 256, 300, 256]),
            graphic("POLYLINE", FRAME, "DISPLAY", LineStyleSequence=[item(PatternOnColorCIELabValue=GREEN)]),
            text("box", [100, 40, 250, 98]),
            text("point", AnchorPoint=[300, 300], AnchorPointAnnotationUnits="PIXEL", AnchorPointVisibility="Y"),
            layer="WHITE",
        ),
        annotation(
            graphic("ELLIPSE", [150, 350, 350, 350, 250, 320, 250, 380], filled="Y"),
            graphic("INTERPOLATED", [50, 400, 100, 350, 150, 420, 200, 380, 260, 430]),
            graphic(
                "POLYLINE",
                [380, 100, 480, 200],
                LineStyleSequence=[item(LineDashingStyle="DASHED", PatternOnColorCIELabValue=YELLOW)],
            ),
            layer="RED",
        ),
    ],
}


@dataclass(frozen=True)
class Row:
    """A presentation state and the images that it is for."""

    name: str
    """Of the expected picture."""
    images: tuple[str, ...] = (CT,)
    file: str = ""
    """Of the state; "" for one that is made of `changes`."""
    changes: dict[str, Any] = field(default_factory=dict)
    kind: str = GRAYSCALE
    query: str = f"viewport={SIZE},{SIZE}"
    dcmtk: bool = False
    """dcmtk shows the same, in the size of the image."""


ROWS = [
    Row("presentation-luts", (f"{PR}/imageForPrLUTs.dcm",), f"{PR}/prLUTs.dcm", dcmtk=True),
    Row("presentation-window", file=f"{PR}/grayscale-softcopy-window.dcm", dcmtk=True),
    Row("presentation-overlays", (f"{PR}/overlay.dcm",), f"{PR}/prOverlay.dcm", query="viewport=256,256"),
    Row("presentation-color", ("syntaxes/generated/rgb-reference.dcm",), f"{PR}/colour-softcopy.dcm"),
    Row("presentation-pseudo-color", file=f"{PR}/pseudo-colour-softcopy.dcm"),
    Row("presentation-inverse", changes={**SOFT, "PresentationLUTShape": "INVERSE"}, dcmtk=True),
    Row("presentation-nothing-said", changes={}, dcmtk=True),
    Row("presentation-rotated", changes={**SOFT, "ImageRotation": 90, "ImageHorizontalFlip": "N"}, dcmtk=True),
    Row("presentation-flipped", changes={**SOFT, "ImageRotation": 180, "ImageHorizontalFlip": "Y"}, dcmtk=True),
    Row("presentation-turned", changes={**SOFT, "ImageRotation": 270, "ImageHorizontalFlip": "Y"}, dcmtk=True),
    Row("presentation-graphics", changes=DRAWN, query="viewport=256,256"),
    Row(
        "presentation-graphics-turned",
        changes={**DRAWN, "ImageRotation": 90, "ImageHorizontalFlip": "Y"},
        query="viewport=256,256",
    ),
    Row(
        "presentation-area",
        changes={**DRAWN, "DisplayedAreaSelectionSequence": [area((90, 50), (310, 320))]},
        query="viewport=256,256",
    ),
    Row(
        "presentation-area-outside",
        changes={**DRAWN, "DisplayedAreaSelectionSequence": [area((-199, -99), (600, 700))]},
        query="viewport=256,256",
    ),
    Row(
        "presentation-magnified",
        changes={
            **SOFT,
            "DisplayedAreaSelectionSequence": [
                area((200, 200), (320, 320), "MAGNIFY", PresentationPixelMagnificationRatio=2.0)
            ],
        },
    ),
    Row(
        "presentation-aspect",
        changes={
            **SOFT,
            "DisplayedAreaSelectionSequence": [area((1, 1), (512, 512), PresentationPixelAspectRatio=[1, 2])],
        },
    ),
    Row(
        "presentation-shutters",
        changes={
            **SOFT,
            "ShutterShape": ["RECTANGULAR", "CIRCULAR"],
            "ShutterLeftVerticalEdge": 50,
            "ShutterRightVerticalEdge": 400,
            "ShutterUpperHorizontalEdge": 30,
            "ShutterLowerHorizontalEdge": 480,
            "CenterOfCircularShutter": [256, 256],
            "RadiusOfCircularShutter": 200,
            "ShutterPresentationValue": 30000,
        },
    ),
    Row(
        "presentation-shutter-polygonal",
        changes={
            **SOFT,
            "ShutterShape": "POLYGONAL",
            "VerticesOfThePolygonalShutter": [60, 256, 256, 460, 450, 256, 256, 60],
            "ShutterPresentationValue": 65535,
        },
    ),
    Row(
        "presentation-shutter-bitmap",
        changes={
            **SOFT,
            "ShutterShape": "BITMAP",
            "ShutterOverlayGroup": 0x6000,
            "ShutterPresentationValue": 20000,
            "overlay": np.hypot(*np.mgrid[-256:256, -256:256]) % 100 > 80,
        },
    ),
    Row(
        "presentation-shutter-colour",
        ("syntaxes/generated/rgb-reference.dcm",),
        changes={
            "ShutterShape": "CIRCULAR",
            "CenterOfCircularShutter": [48, 64],
            "RadiusOfCircularShutter": 40,
            "ShutterPresentationValue": 0,
            "ShutterPresentationColorCIELabValue": YELLOW,
        },
        kind=COLOR,
    ),
    Row("presentation-blending", (CT, "volumes/ct-phantom-24/012.dcm"), kind=BLENDING),
]


def made(row: Row, images: list[Dataset]) -> bytes:
    if row.file:
        return (SHARED / row.file).read_bytes()
    if row.kind != BLENDING:
        changes = dict(row.changes)
        bits = changes.pop("overlay", None)
        found = state(*images, kind=row.kind, **changes)
        if bits is not None:
            with_plane(found, bits)
        return part10(found)
    ramp = np.linspace(0, 65535, 256).astype("<u2")
    colours = {"Red": ramp, "Green": ramp // 3, "Blue": 0 * ramp}
    palette = {f"{name}PaletteColorLookupTableDescriptor": [256, 0, 16] for name in colours}
    palette |= {f"{name}PaletteColorLookupTableData": values.tobytes() for name, values in colours.items()}
    # What lies over it is another slice, said to be at the same place and turned a little
    items = [
        item(
            BlendingPosition=position,
            StudyInstanceUID=images[0].StudyInstanceUID,
            ReferencedSeriesSequence=series_references(image),
            **SOFT,
        )
        for position, image in (("UNDERLYING", images[0]), ("SUPERIMPOSED", images[1]))
    ]
    return part10(state(images[0], kind=BLENDING, BlendingSequence=items, RelativeOpacity=0.6, **palette))


def with_plane(data: Dataset, bits: NDArray[np.bool_]) -> None:
    """Overlay 6000 in the size of the image."""
    for element, vr, value in (
        (0x0010, "US", bits.shape[0]),
        (0x0011, "US", bits.shape[1]),
        (0x0040, "CS", "G"),
        (0x0050, "SS", [1, 1]),
        (0x0100, "US", 1),
        (0x0102, "US", 0),
        (0x3000, "OW", np.packbits(bits.ravel(), bitorder="little").tobytes()),
    ):
        data.add_new(0x60000000 | element, vr, value)


def stored(row: Row) -> list[Dataset]:
    images = [pydicom.dcmread(SHARED / name) for name in row.images]
    if row.kind == BLENDING:
        images[1].ImagePositionPatient = [
            position + shift for position, shift in zip(images[0].ImagePositionPatient, (20.0, 10.0, 0.0), strict=True)
        ]
        images[1].ImageOrientationPatient = [0.96, 0.28, 0.0, -0.28, 0.96, 0.0]
    return images


def rendered(given: Given, row: Row, query: str) -> np.ndarray:  # type: ignore[type-arg]
    images = stored(row)
    if row.kind == BLENDING:
        given.store(*map(part10, images))
    else:
        given.store(*((SHARED / name).read_bytes() for name in row.images))
    (found,) = given.store(made(row, images))
    accept = "image/png"
    if images[0].get("NumberOfFrames", 1) > 1:  # graphics are on the first frame
        answer = given.get(f"{found.path}/rendered", f'multipart/related; type="{accept}"', query=query)
        return np.asarray(Image.open(io.BytesIO(answer.parts[0].body)))
    answer = given.get(f"{found.path}/rendered", accept, query=query)
    assert answer.status == 200, answer.error
    return np.asarray(Image.open(io.BytesIO(answer.body)))


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


@pytest.mark.shared_data
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_as_somebody_saw_it(given: Given, row: Row) -> None:
    found = rendered(given, row, row.query).astype(int)
    expected = np.asarray(Image.open(EXPECTED / f"{row.name}.png")).astype(int)
    assert found.shape == expected.shape
    difference = np.abs(found - expected)
    assert difference.mean() < 0.5, "other versions of the fonts and of the scaling may round differently, no more"


@pytest.mark.shared_data
@pytest.mark.skipif(shutil.which("dcmp2pgm") is None, reason="dcmtk (dcmp2pgm) is not installed")
@pytest.mark.parametrize("row", [row for row in ROWS if row.dcmtk], ids=lambda row: row.name)
def test_as_dcmtk_sees_it(given: Given, row: Row, tmp_path: Path) -> None:
    """It cuts fractions off where we round: never more than a gray value or two."""
    of_state, out = tmp_path / "state.dcm", tmp_path / "dcmtk.pgm"
    of_state.write_bytes(complete(made(row, stored(row))))
    command = ["dcmp2pgm", "--quiet", "--pstate", str(of_state), str(SHARED / row.images[0]), str(out)]
    subprocess.run(command, check=True, timeout=60)
    found, theirs = rendered(given, row, "").astype(int), np.asarray(Image.open(out)).astype(int)
    assert found.shape == theirs.shape
    difference = np.abs(found - theirs)
    assert difference.mean() < 1
    assert difference.max() <= 2


def complete(data: bytes) -> bytes:
    """A state with all that dcmtk insists on."""
    found = pydicom.dcmread(io.BytesIO(data))
    for keyword in ("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID", "Manufacturer"):
        found.setdefault(keyword, "")
    for keyword in ("PatientBirthDate", "PatientSex", "ContentDescription", "ContentCreatorName"):
        found.setdefault(keyword, "")
    found.PresentationCreationDate, found.PresentationCreationTime = "20200101", "1200"
    if "DisplayedAreaSelectionSequence" not in found:
        found.DisplayedAreaSelectionSequence = [area((1, 1), (512, 512))]
    return part10(found)


def main() -> None:
    EXPECTED.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for number, row in enumerate(ROWS):
            with opened(Path(folder) / str(number)) as archive:
                found = rendered(archive, row, row.query)
                Image.fromarray(found).save(EXPECTED / f"{row.name}.png", optimize=True)
                sys.stdout.write(f"{row.name}\n")


if __name__ == "__main__":
    main()
