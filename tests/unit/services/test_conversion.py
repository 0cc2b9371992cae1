"""Conversions on retrieval: what is offered, what frames and values come out as, and what that costs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import (
    MPEG4HP41,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from archives import BASE, Given, compressed, opened, read
from dicom_files import uid
from pictures import image, pixels
from pixel_files import GREY, module, native, stored_as
from skiagraph.pixels import decode, encode
from skiagraph.services import conversion
from skiagraph.wire.accept import Offer

OCTETS = 'multipart/related; type="application/octet-stream"'
DICOM = 'multipart/related; type="application/dicom"'
SINGLE = "application/octet-stream"


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless, HTJ2KLossless])
def test_compressed_frames_as_values(given: Given, syntax: str) -> None:
    """§8.7.3.4: what is stored without loss can be had in Explicit VR Little Endian."""
    (instance,) = given.store(stored_as(syntax, frames=3))
    answer = given.get(f"{instance.path}/frames/3,1", OCTETS)
    assert answer.status == 200
    assert [part.body for part in answer.parts] == [pixels(GREY, 2).tobytes(), pixels(GREY, 0).tobytes()]
    assert {part.headers["content-type"] for part in answer.parts} == {
        f"application/octet-stream; transfer-syntax={ExplicitVRLittleEndian}"
    }
    assert answer.length == len(answer.body), "frames of native bytes are as long as each other"
    whole = given.get(f"{instance.path}/pixeldata", SINGLE)
    assert whole.body == b"".join(pixels(GREY, number).tobytes() for number in range(3))
    assert whole.headers["content-location"] == f"{BASE}/{instance.path}/pixeldata"
    size = len(pixels(GREY).tobytes())
    part = given.get(f"{instance.path}/pixeldata", SINGLE, headers={"range": f"bytes={size - 2}-{2 * size + 3}"})
    assert (part.status, part.body) == (206, whole.body[size - 2 : 2 * size + 4])


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
@pytest.mark.parametrize(
    ("media_type", "target"),
    [
        ("image/jp2", "1.2.840.10008.1.2.4.90"),
        ("image/jls", "1.2.840.10008.1.2.4.80"),
        ("image/jpeg", "1.2.840.10008.1.2.4.70"),
        ("image/dicom-rle", "1.2.840.10008.1.2.5"),
        ("image/jphc", "1.2.840.10008.1.2.4.201"),
        ("image/jxl", "1.2.840.10008.1.2.4.110"),
    ],
)
def test_native_frames_compressed(given: Given, syntax: str, media_type: str, target: str) -> None:
    """Table 8.7.3-5: a media type by itself means its lossless default; multi-frame comes frame by frame."""
    (instance,) = given.store(native(frames=3, syntax=syntax))
    for resource, numbers in (("frames/2,3", (2, 3)), ("pixeldata", (1, 2, 3))):
        answer = given.get(f"{instance.path}/{resource}", f'multipart/related; type="{media_type}"')
        assert answer.status == 200
        for part, number in zip(answer.parts, numbers, strict=True):
            assert part.headers["content-type"] == f"{media_type}; transfer-syntax={target}"
            assert part.location == f"{instance.path}/frames/{number}"
            found, _ = decode.decode(part.body, target, GREY)
            assert np.array_equal(found, pixels(GREY, number - 1))
    single = given.get(f"{instance.path}/frames/2", media_type)
    assert single.length == len(single.body)
    assert given.get(f"{instance.path}/pixeldata", media_type).status == 406, "§8.6.1: three frames are no single part"


@pytest.mark.parametrize("accept", ["*/*", "image/*", 'multipart/related; type="image/*"', "multipart/related", None])
def test_nothing_is_lost_unless_it_is_asked_for(given: Given, accept: str | None) -> None:
    """Wildcards and defaults never mean a lossy conversion."""
    (instance,) = given.store(native(image(allocated=8)))
    answer = given.get(f"{instance.path}/frames/1", accept)
    assert answer.status == 200
    part = answer.parts[0] if answer.headers["content-type"].startswith("multipart") else None
    content_type = part.headers["content-type"] if part else answer.headers["content-type"]
    syntax = content_type.rpartition("=")[2]
    found, _ = decode.decode(part.body if part else answer.body, syntax, image(allocated=8))
    assert np.array_equal(found, pixels(image(allocated=8)))


def test_lossy_by_name(given: Given) -> None:
    (instance,) = given.store(native(image(allocated=8)))
    answer = given.get(f"{instance.path}/frames/1", f"image/jpeg; transfer-syntax={JPEGBaseline8Bit}")
    assert answer.headers["content-type"] == f"image/jpeg; transfer-syntax={JPEGBaseline8Bit}"
    assert answer.body.startswith(b"\xff\xd8")


def test_406_lists_what_can_be_had(given: Given) -> None:
    (instance,) = given.store(native(image(allocated=32)))
    answer = given.get(f"{instance.path}/frames/1", "image/jp2")
    assert answer.status == 406, "32 bits are too many"
    listed = answer.error.details  # type: ignore[union-attr]
    assert f"image/dicom-rle; transfer-syntax={RLELossless}" in listed
    assert not any("jp2" in line or "image/jpeg" in line for line in listed)


@pytest.mark.parametrize("bits", [1, 8, 16])
@pytest.mark.parametrize("syntax", [RLELossless, "1.2.840.10008.1.2.8.1"])
def test_bits_of_frames_are_joined(given: Given, syntax: str, bits: int) -> None:
    """PS3.5 §8.1.1: 24 × 31 bits are no whole bytes; in the native value frames follow without gaps."""
    of = image(allocated=bits, rows=3, columns=7)
    (instance,) = given.store(stored_as(syntax, of, frames=5))
    cells = np.stack([pixels(of, number) for number in range(5)])
    expected = np.packbits(cells.ravel(), bitorder="little").tobytes() if bits == 1 else cells.tobytes()
    assert given.get(f"{instance.path}/pixeldata", SINGLE).body == expected
    file = given.get(instance.path, f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}")
    assert file.length == len(file.body)
    assert read(file.body).PixelData == expected + b"\0" * (len(expected) % 2)


def test_identical_work_is_done_once(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    (instance,) = given.store(stored_as(RLELossless))
    calls: list[int] = []
    real = conversion.transcode.transcode_frame

    def counted(*arguments: Any, **more: Any) -> Any:
        calls.append(1)
        return real(*arguments, **more)

    monkeypatch.setattr(conversion.transcode, "transcode_frame", counted)

    async def together() -> set[int]:
        frames = await asyncio.gather(
            *(conversion.frame(given.archive, instance, 1, ExplicitVRLittleEndian) for _ in range(5))
        )
        return {id(frame) for frame in frames}

    assert len(asyncio.run(together())) == 1
    assert given.get(f"{instance.path}/frames/1", OCTETS).status == 200
    assert given.get(instance.path, DICOM).status == 200
    assert len(calls) == 1, "kept for the next one, whatever is asked for"


def test_frames_beyond_the_limit_go_out_as_they_are(tmp_path: Path) -> None:
    large = image(allocated=8, rows=1200, columns=1000)
    with opened(tmp_path, max_frame_bytes=2**20) as given:
        (instance,) = given.store(stored_as(RLELossless, large))
        assert given.get(f"{instance.path}/frames/1", OCTETS).status == 406
        assert given.get(f"{instance.path}/frames/1", "*/*").parts[0].type == "image/dicom-rle"
        assert given.get(instance.path, f"{DICOM}; transfer-syntax={JPEG2000Lossless}").status == 406
        assert given.get(instance.path, f"{DICOM}; transfer-syntax=*").status == 200


def test_a_stream_much_longer_than_its_image(tmp_path: Path) -> None:
    """It is not even read."""
    small = image(allocated=8, rows=2, columns=2)
    with opened(tmp_path, max_frame_bytes=2**20) as given:
        (instance,) = given.store(compressed([bytes(2**21 + 2)], RLELossless, **module(small)))
        answer = given.get(f"{instance.path}/frames/1", OCTETS)
        assert answer.status == 406
        assert "2097152" in str(answer.error)


def test_a_frame_that_is_damaged_ends_the_answer(given: Given) -> None:
    """The status is sent by then; half an answer is never taken for a whole one."""
    coded = [encode.encode(pixels(GREY, number), RLELossless, GREY)[0] for number in range(3)]
    coded[1] = b"damaged"
    (instance,) = given.store(compressed(coded, RLELossless, **module(GREY)))
    assert given.get(f"{instance.path}/frames/3,1", OCTETS).status == 200
    assert given.get(f"{instance.path}/frames/2", OCTETS).status == 406
    broken = given.get(f"{instance.path}/pixeldata", SINGLE)
    assert broken.error is not None


def test_frames_of_several_kinds_are_no_values_together(given: Given) -> None:
    """The second one has more bits than the data set says: 406 and not an answer of the wrong length."""
    narrow, wide = image(allocated=8), image(allocated=16)
    coded = [encode.encode(pixels(of), JPEG2000Lossless, of)[0] for of in (narrow, wide)]
    (instance,) = given.store(compressed(coded, JPEG2000Lossless, **module(narrow)))
    assert given.get(f"{instance.path}/frames/1", OCTETS).status == 200
    answer = given.get(f"{instance.path}/frames/1,2", OCTETS)
    assert answer.status == 406
    assert "not encoded alike" in str(answer.error)


@pytest.mark.parametrize(
    ("stored", "bare", "expected"),
    [
        pytest.param(MPEG4HP41, False, (), id="video"),
        pytest.param("1.2.840.10008.1.2.4.94", False, (), id="pixels are elsewhere"),
    ],
)
def test_what_can_not_be_converted(given: Given, stored: str, bare: bool, expected: tuple[str, ...]) -> None:
    (instance,) = given.store(compressed([b"stream"], stored))
    assert conversion.possible(instance, bare=bare) == expected


def test_what_is_certain_only_after_a_look() -> None:
    assert conversion.in_doubt(Offer("image/jp2", transfer_syntax_uid=JPEG2000Lossless))
    assert not conversion.in_doubt(Offer("image/jp2", transfer_syntax_uid=JPEG2000Lossless, stored=True))
    assert not conversion.in_doubt(Offer("application/dicom", transfer_syntax_uid=ExplicitVRLittleEndian))
    assert not conversion.in_doubt(None)


def test_each_instance_of_a_study_as_its_pixels_allow(given: Given) -> None:
    """§8.7.8.1: part by part; 206 where some can not be had so."""
    study = uid()
    given.store(
        native(StudyInstanceUID=study),
        native(image(allocated=32), StudyInstanceUID=study),
        stored_as(RLELossless, StudyInstanceUID=study),
    )
    for path in (f"studies/{study}/pixeldata", f"studies/{study}"):
        kind = "image/jp2" if "pixeldata" in path else "application/dicom"
        asked = f'multipart/related; type="{kind}"; transfer-syntax={JPEG2000Lossless}'
        answer = given.get(path, asked)
        assert answer.status == 206
        assert "1 of 3" in answer.headers["warning"]
        assert [part.headers["content-type"] for part in answer.parts] == [
            f"{kind}; transfer-syntax={JPEG2000Lossless}"
        ] * 2
        fallback = (
            f'{asked}, multipart/related; type="{"application/octet-stream" if "pixel" in path else kind}"; q=0.5'
        )
        whole = given.get(path, fallback)
        assert whole.status == 200
        assert [part.headers["content-type"].rpartition("=")[2] for part in whole.parts].count(
            ExplicitVRLittleEndian
        ) == 1
