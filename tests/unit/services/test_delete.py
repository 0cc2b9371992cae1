"""Delete: an extension of this server; what follows is said by PS3.18 §8.5."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from archives import Given, opened
from dicom_files import ct, part10, uid


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


@pytest.mark.parametrize("level", ["study", "series", "instance"])
def test_everything_below_is_gone(given: Given, level: str) -> None:
    study, series = uid(), uid()
    one, sibling, cousin = given.store(
        part10(ct(StudyInstanceUID=study, SeriesInstanceUID=series)),
        part10(ct(StudyInstanceUID=study, SeriesInstanceUID=series)),
        part10(ct(StudyInstanceUID=study)),
    )
    path = {"study": f"studies/{study}", "series": f"studies/{study}/series/{series}", "instance": str(one.path)}[level]
    answer = given.get(path, method="DELETE")
    assert (answer.status, answer.body) == (204, b"")
    gone = {"study": [one, sibling, cousin], "series": [one, sibling], "instance": [one]}[level]
    for instance in (one, sibling, cousin):
        expected = 410 if instance in gone else 200
        assert given.get(instance.path).status == expected
        assert given.get(f"{instance.path}/metadata").status == expected
        assert given.get(f"{instance.path}/frames/1").status == expected
        assert given.get(f"{instance.path}/pixeldata").status == expected
    assert given.get(path).status == 410
    assert given.get(path, method="DELETE").status == 410
    left = {instance.key for instance in (one, sibling, cousin) if instance not in gone}
    assert set(given.archive.blobs.keys()) == left


def test_what_never_was(given: Given) -> None:
    assert given.get("studies/1.2.3", method="DELETE").status == 404


def test_it_can_be_stored_again(given: Given) -> None:
    data = part10(ct())
    (instance,) = given.store(data)
    given.get(instance.path, method="DELETE")
    (again,) = given.store(data)
    assert given.get(again.path).parts[0].body == data
