"""What Rendered, Thumbnail and the URI service share: categories, descriptions, timing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import MPEG4HP41, JPEGBaseline8Bit, JPEGLSLossless

from archives import Given, compressed, opened
from dicom_files import ct, part10
from presentation_states import state
from skiagraph.pixels.image import BadPixels
from skiagraph.pixels.rendition import Rendition
from skiagraph.services import conversion, pictures, presentation, presentation_images, stored_frames
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


# How much is held


@pytest.fixture
def held(given: Given, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many frames are read and not yet worked on, each time that one more is read."""
    real, waiting, found = stored_frames.read, 0, []
    run = given.archive.workers.run

    async def read(*arguments: Any) -> bytes:
        nonlocal waiting
        waiting += 1
        found.append(waiting)
        return await real(*arguments)

    async def worked(work: Any, *arguments: Any) -> Any:
        nonlocal waiting
        await asyncio.sleep(0)
        result = await run(work, *arguments)
        waiting = 0 if getattr(work, "__name__", "") == "paste" else waiting - 1
        return result

    monkeypatch.setattr(stored_frames, "read", read)
    monkeypatch.setattr(given.archive.workers, "run", worked)
    return found


@pytest.mark.parametrize("long", [True, False])
@pytest.mark.parametrize("what", ["rendered", "converted", "presented"])
def test_long_frames_are_not_held_while_they_wait(
    given: Given, held: list[int], monkeypatch: pytest.MonkeyPatch, what: str, long: bool
) -> None:
    monkeypatch.setattr(stored_frames, "LONG", 95 if long else 96)
    image = ct(NumberOfFrames=12, PixelData=bytes(96 * 12), SOPClassUID="1.2.840.10008.5.1.4.1.1.7.3")
    instance, shown = given.store(part10(image), part10(state(image)))

    async def one(number: int) -> None:
        if what == "converted":
            await conversion.frame(given.archive, instance, number, JPEGLSLossless)
        elif what == "rendered":
            await pictures.encoded(given.archive, instance, number, Rendition("image/png"))
        else:
            found = await presentation_images.find(given.archive, shown)
            await presentation.encoded(given.archive, found, found.shown[number - 1], Rendition("image/png"))

    async def main() -> None:
        await asyncio.gather(*(one(number) for number in range(1, 13)))

    asyncio.run(main())
    assert len(held) == 12
    threads = given.archive.settings.pixel_threads
    assert max(held) <= threads if long else max(held) > threads


def test_long_tiles_are_read_one_by_one(given: Given, held: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    slide = ct(
        SOPClassUID=pictures.WHOLE_SLIDE,
        NumberOfFrames=4,
        TotalPixelMatrixColumns=16,
        TotalPixelMatrixRows=12,
        DimensionOrganizationType="TILED_FULL",
        PixelData=bytes(96 * 4),
    )
    (instance,) = given.store(part10(slide))

    async def main(quality: int) -> None:
        await pictures.slide(given.archive, instance, Rendition("image/jpeg", quality=quality))

    asyncio.run(main(1))
    assert max(held) == 4
    held.clear()
    monkeypatch.setattr(stored_frames, "LONG", 95)
    asyncio.run(main(2))
    assert (len(held), max(held)) == (4, 1)


def test_few_large_regions_are_put_together_at_a_time(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    slide = ct(
        SOPClassUID=pictures.WHOLE_SLIDE,
        NumberOfFrames=4,
        TotalPixelMatrixColumns=16,
        TotalPixelMatrixRows=12,
        DimensionOrganizationType="TILED_FULL",
        PixelData=bytes(96 * 4),
    )
    (instance,) = given.store(part10(slide))
    real, now, most = pictures._region, 0, 0

    async def region(*arguments: Any) -> bytes:
        nonlocal now, most
        now += 1
        most = max(most, now)
        try:
            return await real(*arguments)
        finally:
            now -= 1

    monkeypatch.setattr(pictures, "_region", region)

    async def main(first: int) -> None:
        wanted = (Rendition("image/jpeg", quality=quality) for quality in range(first, first + 8))
        await asyncio.gather(*(pictures.slide(given.archive, instance, one) for one in wanted))

    asyncio.run(main(1))
    assert most > given.archive.settings.pixel_threads, "small ones do not wait"
    most = 0
    monkeypatch.setattr(pictures, "_LARGE_REGION", 100)
    asyncio.run(main(20))
    assert most <= given.archive.settings.pixel_threads
