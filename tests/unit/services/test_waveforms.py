"""Waveforms as pictures without a web server: how many at a time, and how large they may be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import waveform_files as files
from archives import Given, opened
from dicom_files import part10
from skiagraph.errors import NoAcceptableRepresentation
from skiagraph.pixels.rendition import Rendition
from skiagraph.services import representation, waveforms


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path, pixel_threads=2) as archive:
        yield archive


def test_samples_of_few_pages_are_held_at_a_time(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    (instance,) = given.store(part10(files.pressures()))
    real, held, most = waveforms._read, 0, 0

    async def read(*arguments: Any) -> Any:
        nonlocal held, most
        held += 1
        most = max(most, held)
        return await real(*arguments)

    def drawn(*arguments: Any) -> bytes:
        nonlocal held
        held = 0
        return b"picture"

    monkeypatch.setattr(waveforms, "_read", read)
    monkeypatch.setattr(waveforms.waveform_plot, "encoded", drawn)

    async def main() -> list[bytes]:
        return await asyncio.gather(
            *(waveforms.encoded(given.archive, instance, Rendition("image/png", quality=n)) for n in range(1, 9))
        )

    assert asyncio.run(main()) == [b"picture"] * 8
    panels = len(asyncio.run(_panels(given, instance)))
    assert 0 < most <= 2 * panels


async def _panels(given: Given, instance: Any) -> Any:
    attributes = await representation.attributes(given.archive, instance)
    return (await waveforms._planned(given.archive, instance, attributes)).panels


def test_too_much_to_plot(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    (instance,) = given.store(part10(files.pressures()))
    monkeypatch.setattr(representation, "LARGEST_CONTENT", 1000)
    answer = given.get(f"{instance.path}/rendered", "image/png")
    assert isinstance(answer.error, NoAcceptableRepresentation)
    assert "1000" in answer.error.message
    assert given.get(f"studies/{instance.path.study_instance_uid}/rendered").status == 406
    assert given.get(f"{instance.path}/thumbnail").headers["content-type"] == "image/jpeg", "an icon"
