"""What Rendered, Thumbnail and the URI service share: categories, descriptions, timing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import MPEG4HP41, JPEGBaseline8Bit

from archives import Given, compressed, opened
from dicom_files import ct, part10
from skiagraph.pixels.image import BadPixels
from skiagraph.pixels.rendition import Rendition
from skiagraph.services import pictures
from skiagraph.services.pictures import Kind


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        pytest.param(part10(ct()), Kind.SINGLE_FRAME, id="one frame"),
        pytest.param(part10(ct(NumberOfFrames=2, Rows=3)), Kind.MULTI_FRAME, id="frames"),
        pytest.param(compressed([b"a", b"b"], JPEGBaseline8Bit), Kind.MULTI_FRAME, id="compressed frames"),
        pytest.param(compressed([b"a", b"b"], MPEG4HP41), Kind.VIDEO, id="video"),
        pytest.param(compressed([b"a"], "1.2.840.10008.1.2.4.94"), Kind.OTHER, id="syntax that is not decoded"),
        pytest.param(part10(ct(Rows=0)), Kind.OTHER, id="no rows"),
        pytest.param(part10(ct(PixelData=None)), Kind.OTHER, id="no pixels"),
        pytest.param(
            part10(ct(PixelData=None, SOPClassUID="1.2.840.10008.5.1.4.1.1.104.2")), Kind.DOCUMENT, id="document"
        ),
    ],
)
def test_kind(given: Given, file: bytes, kind: Kind) -> None:
    (instance,) = given.store(file)
    assert pictures.kind(instance) is kind
    assert pictures.is_image(instance) is (kind in (Kind.SINGLE_FRAME, Kind.MULTI_FRAME))
    if not pictures.is_image(instance):
        assert len(pictures.not_shown(instance)) > 20


@pytest.mark.parametrize(
    ("attributes", "frame", "expected"),
    [
        pytest.param({}, 1, 10, id="nothing said"),
        pytest.param({"00181063": [40]}, 1, 4, id="Frame Time"),
        pytest.param({"00181065": [0, 100, 200]}, 1, 10, id="Frame Time Vector"),
        pytest.param({"00181065": [0, 100, 200]}, 2, 20, id="Frame Time Vector, second"),
        pytest.param({"00181065": [0, 100, 200]}, 3, 20, id="Frame Time Vector, last"),
        pytest.param({"00082144": [25]}, 1, 4, id="Recommended Display Frame Rate"),
        pytest.param({"00180040": [50]}, 1, 2, id="Cine Rate"),
        pytest.param({"00181063": [1]}, 1, 2, id="not below what browsers show"),
        pytest.param({"00181063": [99999]}, 1, 1000, id="not for ever"),
        pytest.param({"00181063": [0], "00180040": [0]}, 1, 10, id="zeros say nothing"),
        pytest.param({"00181063": [-5]}, 1, 10, id="negative"),
    ],
)
def test_hundredths(attributes: dict[str, list[Any]], frame: int, expected: int) -> None:
    elements = {tag: {"vr": "DS", "Value": values} for tag, values in attributes.items()}
    assert pictures.hundredths(elements, [1, frame])[1] == expected


def test_descriptions_hold_what_rendering_looks_at() -> None:
    position = {"00209113": {"vr": "SQ", "Value": [{"00200032": {"vr": "DS", "Value": [1, 2, 3]}}]}}
    content = {"00209111": {"vr": "SQ", "Value": [{"00209157": {"vr": "UL", "Value": [1]}}]}}
    document = {
        "00280010": {"vr": "US", "Value": [4]},
        "00280011": {"vr": "US", "Value": [5]},
        "00280100": {"vr": "US", "Value": [8]},
        "52009230": {"vr": "SQ", "Value": [position | content, content, position | content, {}]},
    }
    found = pictures._parsed(orjson.dumps(document))
    assert (found.image.rows, found.image.columns) == (4, 5)
    groups = found.attributes["52009230"]["Value"]
    assert groups == [position, {}, position, {}]
    assert groups[0] is groups[2], "groups that are alike are held once"


def test_many_frames_take_little_memory() -> None:
    item = {"00209111": {"vr": "SQ", "Value": [{"00209157": {"vr": "UL", "Value": [1, 2]}}]}}
    document = {
        "00280010": {"vr": "US", "Value": [4]},
        "00280011": {"vr": "US", "Value": [5]},
        "00280100": {"vr": "US", "Value": [8]},
        "52009230": {"vr": "SQ", "Value": [item] * 10_000},
    }
    assert pictures._parsed(orjson.dumps(document)).size < 200_000


def test_a_picture_is_made_once_for_all_who_ask(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    (instance,) = given.store(part10(ct()))
    made = []
    really = pictures.rendition.encoded

    def counted(*arguments: Any) -> bytes:
        made.append(1)
        return really(*arguments)

    monkeypatch.setattr(pictures.rendition, "encoded", counted)

    async def ask() -> list[bytes]:
        wanted = Rendition()
        return await asyncio.gather(*(pictures.encoded(given.archive, instance, 1, wanted) for _ in range(9)))

    answers = asyncio.run(ask())
    assert len(set(answers)) == 1
    assert len(made) == 1


def test_what_can_not_be_described_is_bad_pixels(given: Given) -> None:
    data = Dataset()
    data.update(ct())
    data.BitsAllocated = 0
    data.BitsStored = 0
    (instance,) = given.store(part10(data))
    with pytest.raises(BadPixels):
        asyncio.run(pictures.describe(given.archive, instance))
