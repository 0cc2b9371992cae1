"""Waveforms, one of each look: as they were when somebody looked at them.

``python tests/golden/test_waveforms.py`` writes the expected pictures anew; look at each that changed before it is
committed. They are so small that no text is drawn, whose shapes change with the versions of font libraries.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import waveform_files as files
from archives import Given, opened
from dicom_files import part10

HERE = Path(__file__).parent
EXPECTED = HERE / "rendered"
REAL = HERE.parents[2] / "shared" / "data" / "modalities" / "ecg" / "waveform_ecg.dcm"

ROWS: dict[str, Callable[[], bytes]] = {
    "waveform-12-lead": lambda: part10(files.ecg()),
    "waveform-short-12-lead": lambda: part10(files.ecg(4)),
    "waveform-lines": lambda: part10(files.ecg(28, leads=("I",), sop_class=files.GENERAL_ECG)),
    "waveform-overview": lambda: part10(files.ecg(400, 100, ("V1", "V5"), files.AMBULATORY_ECG)),
    "waveform-pressures": lambda: part10(files.pressures()),
    "waveform-eeg": lambda: part10(files.eeg(3)),
    "waveform-voice": lambda: part10(files.sound()),
    "waveform-real-12-lead": REAL.read_bytes,
}


def plotted(given: Given, data: bytes) -> np.ndarray:  # type: ignore[type-arg]
    (instance,) = given.store(data)
    answer = given.get(f"{instance.path}/rendered", "image/png", query="viewport=360,360")
    assert answer.status == 200, answer.error
    return np.asarray(Image.open(io.BytesIO(answer.body)))


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.shared_data] if "real" in name else []) for name in ROWS]
)
def test_as_somebody_saw_it(given: Given, name: str) -> None:
    found = plotted(given, ROWS[name]()).astype(int)
    expected = np.asarray(Image.open(EXPECTED / f"{name}.png").convert("RGB")).astype(int)
    assert found.shape == expected.shape
    difference = np.abs(found - expected)
    assert difference.mean() < 0.5, "other versions of what draws may round differently, no more"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, data in ROWS.items():
            with opened(Path(folder) / name) as archive:
                Image.fromarray(plotted(archive, data())).save(EXPECTED / f"{name}.png", optimize=True)
                sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
