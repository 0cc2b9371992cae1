"""ICC profiles: made here, understood by LittleCMS, converting as the spaces are defined (PS3.3 C.11.15.1.2)."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from skiagraph.pixels import icc
from skiagraph.standard.rendering import IccProfile

SPACES = (IccProfile.SRGB, IccProfile.ADOBE_RGB, IccProfile.ROMM_RGB, IccProfile.DISPLAY_P3)
STEPS = np.array([0, 32, 64, 128, 192, 255], np.uint8)
COLOURS = np.stack(np.meshgrid(STEPS, STEPS, STEPS, indexing="ij"), -1).reshape(-1, 6, 3)


@pytest.mark.parametrize("space", SPACES)
def test_the_profiles_are_profiles(space: IccProfile) -> None:
    data = icc.profile(space)
    assert int.from_bytes(data[:4], "big") == len(data)
    assert icc.is_rgb(data)
    read = ImageCms.ImageCmsProfile(io.BytesIO(data))
    assert read.profile.xcolor_space.strip() == "RGB"
    assert read.profile.profile_description
    assert data == icc.profile(space), "the same bytes each time"


@pytest.mark.parametrize(
    ("space", "red", "green", "blue"),
    [
        # D50-adapted primaries as their standards and IEC, Adobe, ISO, Apple publish them
        (IccProfile.SRGB, (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)),
        (IccProfile.ADOBE_RGB, (0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446)),
        (IccProfile.ROMM_RGB, (0.7977, 0.2880, 0.0), (0.1352, 0.7119, 0.0), (0.0313, 0.0001, 0.8249)),
        (IccProfile.DISPLAY_P3, (0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841)),
    ],
)
def test_the_primaries(
    space: IccProfile, red: tuple[float, ...], green: tuple[float, ...], blue: tuple[float, ...]
) -> None:
    data = icc.profile(space)
    for name, expected in ((b"rXYZ", red), (b"gXYZ", green), (b"bXYZ", blue)):
        entry = data.index(name, 128)
        offset = int.from_bytes(data[entry + 4 : entry + 8], "big") + 8
        found = np.frombuffer(data, ">i4", 3, offset) / 65536
        assert found.tolist() == pytest.approx(expected, abs=5e-4)


def test_ours_is_the_srgb_of_littlecms() -> None:
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(icc.profile(IccProfile.SRGB))),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
        "RGB",
        "RGB",
    )
    converted = ImageCms.applyTransform(Image.fromarray(COLOURS), transform)
    assert np.abs(np.asarray(converted).astype(int) - COLOURS).max() <= 1


@pytest.mark.parametrize(
    ("space", "colour", "expected"),
    [
        # Worked out from the definitions of the spaces with Bradford adaptation
        (IccProfile.SRGB, (200, 100, 50), (200, 100, 50)),
        (IccProfile.ADOBE_RGB, (255, 0, 0), (219, 0, 0)),
        (IccProfile.ADOBE_RGB, (0, 255, 0), (144, 255, 60)),
        (IccProfile.DISPLAY_P3, (255, 0, 0), (234, 51, 35)),
        (IccProfile.DISPLAY_P3, (0, 255, 0), (117, 251, 76)),
        (IccProfile.ROMM_RGB, (255, 255, 255), (255, 255, 255)),
        (IccProfile.ROMM_RGB, (255, 0, 0), (179, 70, 26)),
    ],
)
def test_convert(space: IccProfile, colour: tuple[int, int, int], expected: tuple[int, int, int]) -> None:
    found = icc.convert(np.array([[colour]], np.uint8), None, space)[0, 0]
    assert found.tolist() == pytest.approx(expected, abs=2)


@pytest.mark.parametrize("space", SPACES)
def test_gray_stays_gray(space: IccProfile) -> None:
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    found = icc.convert(gray, None, space).astype(int)
    assert found.shape == (16, 16, 3)
    assert np.ptp(found, axis=-1).max() <= 1
    assert (np.diff(found[..., 1].ravel()) >= 0).all()
    assert found[0, 0].tolist() == [0, 0, 0]
    assert found[-1, -1].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    "profile",
    [b"", b"x" * 200, b"\0" * 16 + b"RGB " + b"\0" * 16 + b"acsp" + b"\0" * 200, icc.profile(IccProfile.SRGB)[:300]],
    ids=["empty", "noise", "header alone", "cut off"],
)
def test_profiles_that_are_none_are_taken_for_srgb(profile: bytes) -> None:
    assert (icc.convert(COLOURS, profile, IccProfile.SRGB) == COLOURS).all()


def test_a_profile_is_obeyed() -> None:
    wide = icc.convert(COLOURS, icc.profile(IccProfile.ADOBE_RGB), IccProfile.SRGB)
    assert wide[0, 0].tolist() == [0, 0, 0]
    assert (wide != COLOURS).any()


@pytest.mark.shared_data
def test_profiles_of_others(shared_data: object) -> None:
    from pathlib import Path

    assert isinstance(shared_data, Path)
    found = sorted((shared_data / "payloads" / "icc").iterdir())
    assert found
    for path in found:
        data = path.read_bytes()
        converted = icc.convert(COLOURS, data, IccProfile.SRGB)
        assert converted.shape == COLOURS.shape
