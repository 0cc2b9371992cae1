"""Waveforms as pictures: Rendered and Thumbnail of ECGs, EEGs, pressures, sound."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

import waveform_files as files
from archives import Answer, Given, opened
from dicom_files import ct, part10

PNG = "image/png"


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


def rendered(given: Given, data: Dataset, query: str = "", accept: str = PNG, syntax: str | None = None) -> Answer:
    (instance,) = given.store(part10(data, *([syntax] if syntax else [])))
    return given.get(f"{instance.path}/rendered", accept, query=query)


def pixels(answer: Answer) -> NDArray[np.uint8]:
    assert answer.status == 200, answer.error
    return np.asarray(Image.open(io.BytesIO(answer.body)).convert("RGB"))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(files.ecg(), id="12-lead ECG"),
        pytest.param(files.ecg(4), id="short ECG"),
        pytest.param(files.ecg(25, leads=("I",), sop_class=files.GENERAL_ECG), id="general ECG"),
        pytest.param(files.ecg(400, 100, ("V1", "V5"), files.AMBULATORY_ECG), id="ambulatory ECG"),
        pytest.param(files.ecg(3, 500, ("I", "II"), files.GENERAL_32_BIT_ECG, "SL", 0.001), id="32-bit ECG"),
        pytest.param(files.pressures(), id="hemodynamic"),
        pytest.param(files.eeg(), id="EEG"),
        pytest.param(files.sound(), id="voice"),
    ],
)
def test_every_family_is_plotted(given: Given, data: Dataset) -> None:
    shown = pixels(rendered(given, data))
    assert shown.shape[1] == 1485
    dark = (shown.min(axis=2) < 140).mean()
    assert 0.001 < dark < 0.5, "there are lines, and they are lines"


@pytest.mark.parametrize("accept", ["image/jpeg", "image/gif", "image/jp2", "image/jph", "image/jxl"])
def test_media_types(given: Given, accept: str) -> None:
    answer = rendered(given, files.pressures(), accept=accept)
    assert (answer.status, answer.headers["content-type"]) == (200, accept)


def test_defaults_and_multipart(given: Given) -> None:
    (instance,) = given.store(part10(files.pressures()))
    answer = given.get(f"{instance.path}/rendered", "*/*")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-location"].endswith(str(instance.path))
    again = given.get(f"{instance.path}/rendered", "*/*", headers={"if-none-match": answer.headers["etag"]})
    assert again.status == 304
    (part,) = given.get(f"{instance.path}/rendered", 'multipart/related; type="image/jpeg"').parts
    assert part.body == answer.body
    assert given.get(f"{instance.path}/rendered", "text/html").status == 406
    assert given.get(f"{instance.path}/rendered", "image/jpeg, application/dicom").status == 400
    assert given.get(f"{instance.path}/frames/1/rendered", "*/*").status == 404


def test_the_viewport(given: Given) -> None:
    data = files.ecg()
    whole = pixels(rendered(given, data))
    rows, columns = whole.shape[:2]
    (instance,) = given.store(part10(data))

    def shown(query: str) -> NDArray[np.uint8]:
        return pixels(given.get(f"{instance.path}/rendered", PNG, query=query))

    small = shown("viewport=300,300")
    assert small.shape[:2] == (round(300 * rows / columns), 300), "never stretched"
    assert (small.min(axis=2) < 120).mean() > 0.005, "lines do not fade"
    part = shown(f"viewport={columns},2000,100,200,400,300")
    assert part.shape[:2] == (round(300 * columns / 400), columns)
    flipped = shown(f"viewport={columns},{rows},,,{-columns}")
    assert (flipped == whole[:, ::-1]).all()
    assert given.get(f"{instance.path}/rendered", PNG, query=f"viewport=10,10,{columns},0,5,5").status == 400


def test_a_part_is_drawn_again_and_not_enlarged(given: Given) -> None:
    """Lines of a part that is shown large are sharp: no step between two pixels is taken in many."""
    data = files.ecg()
    (instance,) = given.store(part10(data))
    answer = given.get(f"{instance.path}/rendered", PNG, query="viewport=1500,1500,110,130,150,150")
    shown = pixels(answer).astype(int).min(axis=2)
    assert (shown < 60).any()
    steps = np.abs(np.diff(shown, axis=0)).max()
    assert steps > 60


def test_annotation_is_burned_in(given: Given) -> None:
    data = files.pressures()
    (instance,) = given.store(part10(data))
    plain = pixels(given.get(f"{instance.path}/rendered", PNG))
    patient = pixels(given.get(f"{instance.path}/rendered", PNG, query="annotation=patient"))
    changed = np.argwhere((plain != patient).any(axis=2))
    assert len(changed)
    assert changed[:, 0].max() < 100, "at the top"
    assert changed[:, 1].max() < 550, "at the left"
    technique = pixels(given.get(f"{instance.path}/rendered", PNG, query="annotation=technique"))
    changed = np.argwhere((plain != technique).any(axis=2))
    assert changed[:, 0].min() > plain.shape[0] - 120, "at the bottom"


def test_what_was_written_is_not_in_thumbnails(given: Given) -> None:
    plain, written = files.ecg(), files.ecg()
    note, mark = Dataset(), Dataset()
    note.ReferencedWaveformChannels = mark.ReferencedWaveformChannels = [1, 0]
    note.UnformattedTextValue, mark.UnformattedTextValue = "Mr Zachary is well", "Zachary"
    mark.TemporalRangeType, mark.ReferencedSamplePositions = "POINT", [900]
    written.WaveformAnnotationSequence = [note, mark]
    first, second = given.store(part10(plain), part10(written))
    assert given.get(f"{first.path}/rendered", PNG).body != given.get(f"{second.path}/rendered", PNG).body
    for query in ("", "viewport=1485,1485"):
        thumbnails = [given.get(f"{instance.path}/thumbnail", PNG, query=query).body for instance in (first, second)]
        assert thumbnails[0] == thumbnails[1]


def test_thumbnails(given: Given) -> None:
    (instance,) = given.store(part10(files.ecg()))
    shown = pixels(given.get(f"{instance.path}/thumbnail", PNG))
    assert shown.shape[1] == 256
    assert shown.shape[0] < 256
    for path in (str(instance.path).partition("/instances/")[0], str(instance.path).partition("/series/")[0]):
        assert (pixels(given.get(f"{path}/thumbnail", PNG)) == shown).all()


@pytest.mark.parametrize("data", [files.ecg(), files.sound(), files.pressures()], ids=["ECG", "sound", "pressures"])
def test_every_transfer_syntax_gives_the_same_picture(given: Given, data: Dataset) -> None:
    expected = rendered(given, data).body
    for syntax in (ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian):
        copy = deepcopy(data)
        copy.SOPInstanceUID = data.SOPInstanceUID + "." + syntax[-1]
        if syntax == ExplicitVRBigEndian:
            swapped_words(copy)
        assert rendered(given, copy, syntax=syntax).body == expected, syntax


def swapped_words(data: Dataset) -> None:
    """pydicom writes OW as it is given."""
    for item in data.WaveformSequence:
        if item.WaveformBitsAllocated == 16:
            item.WaveformData = np.frombuffer(item.WaveformData, "<u2").byteswap().tobytes()
            item["WaveformData"].VR = "OW"


def test_studies_with_waveforms(given: Given) -> None:
    image, wave = ct(), files.pressures()
    wave.StudyInstanceUID = image.StudyInstanceUID
    broken = files.ecg()
    broken.StudyInstanceUID = image.StudyInstanceUID
    broken.WaveformSequence[0].SamplingFrequency = "0"
    stored = given.store(part10(image), part10(wave), part10(broken))
    study = str(stored[0].path).partition("/series/")[0]
    answer = given.get(f"{study}/rendered", 'multipart/related; type="image/png"')
    assert answer.status == 206
    assert "1 of 3" in answer.headers["warning"]
    assert sorted(part.location for part in answer.parts) == sorted(str(found.path) for found in stored[:2])


def test_the_uri_service(given: Given) -> None:
    (instance,) = given.store(part10(files.ecg()))
    path = instance.path
    query = (
        f"requestType=WADO&studyUID={path.study_instance_uid}&seriesUID={path.series_instance_uid}"
        f"&objectUID={path.sop_instance_uid}"
    )
    assert given.get("wado", query=query).headers["content-type"] == "image/jpeg"
    assert given.get("wado", query=query + "&contentType=image/png").headers["content-type"] == "image/png"


def test_what_can_not_be_plotted_says_why(given: Given) -> None:
    data = files.ecg()
    data.WaveformSequence[0].NumberOfWaveformSamples = 9999999
    (instance,) = given.store(part10(data))
    answer = given.get(f"{instance.path}/rendered", PNG)
    assert answer.status == 406
    assert "truncated" in str(answer.error)
    assert given.get(f"{instance.path}/thumbnail", PNG).status == 200, "an icon"


@pytest.mark.parametrize("seed", range(12))
def test_hostile_data_sets(given: Given, seed: int) -> None:
    """Whatever the attributes are: a picture, or 406 with the reason."""
    dice = random.Random(seed)
    numbers = [0, 1, 2, 3, 255, 256, 65535]
    absurd = ["0", "-1", "1e-30", "1e30", "3", "0.001", "99999999"]
    files_of = []
    for _ in range(8):
        data = dice.choice([files.ecg, files.sound, files.pressures, files.eeg])()
        (item,) = data.WaveformSequence
        for _ in range(dice.randint(1, 3)):
            match dice.randint(0, 6):
                case 0:
                    item.NumberOfWaveformChannels = dice.choice(numbers)
                case 1:
                    item.NumberOfWaveformSamples = dice.choice([*numbers, 2**32 - 1])
                case 2:
                    item.SamplingFrequency = dice.choice(absurd)
                case 3:
                    item.ChannelDefinitionSequence[0].ChannelSensitivity = dice.choice(absurd)
                case 4:
                    item.ChannelDefinitionSequence[0].ChannelBaseline = dice.choice(absurd)
                case 5:
                    item.WaveformBitsAllocated = dice.choice([0, 8, 16, 32, 64])
                    item.WaveformSampleInterpretation = dice.choice(["SB", "UB", "MB", "SS", "SL", "UV", ""])
                case 6:
                    item.ChannelDefinitionSequence[0].ChannelTimeSkew = dice.choice(absurd)
        files_of.append(part10(data))
    for instance in given.store(*files_of):
        answer = given.get(f"{instance.path}/rendered", "image/jpeg", query="viewport=600,600")
        assert answer.status in (200, 406), answer.error


def test_the_same_request_gives_the_same_bytes(given: Given) -> None:
    data = files.eeg(seconds=3)
    assert rendered(given, data).body == rendered(given, data).body
