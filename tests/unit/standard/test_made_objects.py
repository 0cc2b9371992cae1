"""What is supplied to objects that are made of pictures, films and documents."""

from __future__ import annotations

import pytest

from skiagraph.standard import dictionary, made_objects
from skiagraph.standard.made_objects import MADE, SECONDARY_CAPTURE, image_class, supply
from skiagraph.values import Attributes


@pytest.mark.parametrize(
    ("video", "frames", "samples", "bits", "suffix"),
    [
        (False, 1, 3, 8, ""),
        (False, 1, 1, 16, ""),
        (False, 2, 1, 1, ".1"),
        (False, 2, 1, 8, ".2"),
        (False, 2, 1, 16, ".3"),
        (False, 2, 1, 32, ".3"),
        (False, 2, 3, 8, ".4"),
    ],
)
def test_class_of_a_picture(video: bool, frames: int, samples: int, bits: int, suffix: str) -> None:
    found = image_class(video=video, frames=frames, samples=samples, bits_allocated=bits)
    assert found == SECONDARY_CAPTURE + suffix
    assert found in MADE


def test_class_of_a_film() -> None:
    assert image_class(video=True, frames=1, samples=3, bits_allocated=8) == made_objects.VIDEO_PHOTOGRAPHIC


def test_every_attribute_has_the_vr_of_the_dictionary() -> None:
    for made in MADE.values():
        for tag, (vr, _) in made.attributes.items():
            assert vr == dictionary.vr_of(int(tag, 16))


@pytest.mark.parametrize("sop_class_uid", [*MADE, "1.2.3", ""])
def test_supply_changes_nothing_that_is_there(sop_class_uid: str) -> None:
    given: Attributes = {
        "00080060": {"vr": "CS", "Value": ["XX"]},
        "00080064": {"vr": "CS"},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A"}]},
    }
    attributes = dict(given)
    supply(attributes, sop_class_uid)
    assert given.items() <= attributes.items()
    assert attributes["00080050"] == {"vr": "SH"}


@pytest.mark.parametrize("tag", ["00180015", "00082218", "00200062"])
def test_laterality_hangs_on_the_body_part(tag: str) -> None:
    attributes: Attributes = {tag: {"vr": "CS", "Value": ["HEAD"]}}
    supply(attributes, SECONDARY_CAPTURE)
    assert "00200060" not in attributes
    attributes = {}
    supply(attributes, SECONDARY_CAPTURE)
    assert attributes["00200060"] == {"vr": "CS"}
