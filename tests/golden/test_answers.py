"""Pictures of what is more than one frame by itself: annotation, thumbnails, icons, animations, slides, videos, pages.

As they were when somebody looked at them, and by others where there are such: Pillow, ffmpeg, poppler.

``python tests/golden/test_answers.py`` writes the expected pictures anew; look at each that changed before it is
committed. Several pictures of one row stand beside each other.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence
from pydicom.encaps import generate_fragments, generate_frames

import scenes
from archives import Given, opened
from dicom_files import part10, uid

HERE = Path(__file__).parent
EXPECTED = HERE / "rendered"
SHARED = HERE.parents[2] / "shared" / "data"
Picture = NDArray[np.uint8]

GRAY = scenes.levels(scenes.gray(), 0, 255).astype(np.uint8)
RGB = scenes.levels(scenes.colour(), 0, 255).astype(np.uint8)


def data(file: str) -> bytes:
    return (SHARED / file).read_bytes()


def picture(content: bytes, mode: str = "RGB") -> Picture:
    return np.asarray(Image.open(io.BytesIO(content)).convert(mode))


def beside(pictures: Sequence[Picture]) -> Picture:
    """Pictures of any size from left to right, on dark blue."""
    height = max(one.shape[0] for one in pictures)
    columns = []
    for one in pictures:
        cell = np.full((height, one.shape[1] + 4, 3), (40, 40, 90), np.uint8)
        cell[: one.shape[0], : one.shape[1]] = one if one.ndim == 3 else one[..., None]
        columns.append(cell)
    return np.concatenate(columns, 1)


def get(given: Given, path: object, accept: str, query: str = "") -> bytes:
    answer = given.get(path, accept, query=query)
    assert answer.status == 200, answer.error
    return answer.body


# Annotation


def annotated(file: str | None, **more: Any) -> Callable[[Given], Picture]:
    """Patient and technique on the scene, with the name of a patient of the set, in its character set."""

    def ask(given: Given) -> Picture:
        scene = pydicom.dcmread(io.BytesIO(scenes.file(GRAY // 2, InstanceNumber=7, StudyTime="101112", **more)))
        if file is not None:
            named = pydicom.dcmread(SHARED / file, force=True)
            scene.SpecificCharacterSet = named.SpecificCharacterSet
            scene["PatientName"] = named["PatientName"]
        (instance,) = given.store(part10(scene))
        query = "viewport=288,216&annotation=patient,technique"
        return picture(get(given, f"{instance.path}/rendered", "image/png", query), "L")

    return ask


# Quality


def qualities(given: Given) -> Picture:
    (instance,) = given.store(scenes.file(RGB))
    found = {
        number: picture(get(given, f"{instance.path}/rendered", "image/jpeg", f"quality={number}"))
        for number in (1, 10, 50, 90, 100)
    }
    errors = [np.abs(one.astype(int) - RGB).mean() for one in found.values()]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1
    return beside(list(found.values()))


# Thumbnails


def thumbnails(*files: str, viewport: str = "viewport=64,64", level: str = "instance") -> Callable[[Given], Picture]:
    def ask(given: Given) -> Picture:
        instances = given.store(*map(data, files))
        if level == "series":
            path = str(instances[0].path).partition("/instances/")[0]
            return picture(get(given, f"{path}/thumbnail", "image/png", viewport))
        return beside([picture(get(given, f"{one.path}/thumbnail", "image/png", viewport)) for one in instances])

    return ask


def burned_in(given: Given) -> Picture:
    """Pixels with a name in them are not shown in a thumbnail."""
    (instance,) = given.store(scenes.file(GRAY, BurnedInAnnotation="YES", Modality="US"))
    return picture(get(given, f"{instance.path}/thumbnail", "image/png"))


# Animations, multi-frame


def animation(given: Given) -> Picture:
    """Frames of an animated GIF are those of single pictures: gray needs no palette of its own."""
    (instance,) = given.store(data("syntaxes/multiframe/emri_small.dcm"))
    animated = Image.open(io.BytesIO(get(given, f"{instance.path}/rendered", "image/gif", "viewport=48,48")))
    assert animated.is_animated
    frames = [np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(animated)]
    assert len(frames) == 10
    for number, frame in enumerate(frames, 1):
        path = f"{instance.path}/frames/{number}/rendered"
        assert np.array_equal(frame, picture(get(given, path, "image/png", "viewport=48,48"), "L"))
    return beside(frames)


def colour_animation(given: Given) -> Picture:
    (instance,) = given.store(data("syntaxes/generated/rgb-reference.dcm"))
    animated = Image.open(io.BytesIO(get(given, f"{instance.path}/rendered", "image/gif")))
    frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(animated)]
    reference = pydicom.dcmread(SHARED / "syntaxes/generated/rgb-reference.dcm").pixel_array
    assert np.abs(np.stack(frames).astype(int) - reference).mean() < 6, "256 colours of a frame each"
    return beside(frames)


def middle_frame(given: Given) -> Picture:
    """One picture for all frames: the middle one."""
    (instance,) = given.store(data("modalities/nm/NM-MONO2-16-13x-heart.dcm"))
    found = get(given, f"{instance.path}/rendered", "image/png")
    assert found == get(given, f"{instance.path}/frames/7/rendered", "image/png")
    return picture(found)


# Whole slides


def tiles(file: str) -> Picture:
    """The total pixel matrix of a TILED_FULL slide, put together here of tiles that Pillow decodes."""
    slide = pydicom.dcmread(SHARED / file)
    across = -(-slide.TotalPixelMatrixColumns // slide.Columns)
    down = -(-slide.TotalPixelMatrixRows // slide.Rows)
    whole = np.zeros((down * slide.Rows, across * slide.Columns, 3), np.uint8)
    for number, frame in enumerate(generate_frames(slide.PixelData, number_of_frames=slide.NumberOfFrames)):
        row, column = divmod(number, across)
        top, left = row * slide.Rows, column * slide.Columns
        whole[top : top + slide.Rows, left : left + slide.Columns] = picture(frame)
    return whole[: slide.TotalPixelMatrixRows, : slide.TotalPixelMatrixColumns]


def slide_region(given: Given) -> Picture:
    """A viewport across the corners of four tiles, in the size of the pixels; `yes` leaves the colours as they are."""
    file = "slides/pyramid/level-0.dcm"
    (instance,) = given.store(data(file))
    query = "viewport=160,120,190,200,160,120&iccprofile=yes"
    found = picture(get(given, f"{instance.path}/rendered", "image/png", query))
    assert np.abs(found.astype(int) - tiles(file)[200:320, 190:350]).max() <= 2
    return found


def slide_flipped(given: Given) -> Picture:
    file = "slides/pyramid/level-0.dcm"
    (instance,) = given.store(data(file))
    query = "viewport=160,120,190,200,-160,-120&iccprofile=yes"
    found = picture(get(given, f"{instance.path}/rendered", "image/png", query))
    assert np.abs(found.astype(int) - tiles(file)[200:320, 190:350][::-1, ::-1]).max() <= 2
    return found


def slide_whole(given: Given) -> Picture:
    """All of it, reduced: by the mean of squares, within what scaling by another rule differs."""
    file = "slides/pyramid/level-0.dcm"
    (instance,) = given.store(data(file))
    found = picture(get(given, f"{instance.path}/rendered", "image/png", "viewport=212,212&iccprofile=yes"))
    reduced = np.asarray(Image.fromarray(tiles(file)).resize((found.shape[1], found.shape[0]), Image.Resampling.BOX))
    assert np.abs(found.astype(int) - reduced).mean() < 3
    return found


def slide_sparse(given: Given) -> Picture:
    """TILED_SPARSE: where there is no tile it is white."""
    (instance,) = given.store(data("slides/pyramid/level-1-sparse.dcm"))
    return picture(get(given, f"{instance.path}/rendered", "image/png", "viewport=212,212"))


# Videos


def video_frame(name: str) -> Callable[[Given], Picture]:
    """A frame of a stored video, and the one that ffmpeg shows."""

    def ask(given: Given) -> Picture:
        file = SHARED / f"syntaxes/generated/video/{name}.dcm"
        (instance,) = given.store(file.read_bytes())
        found = picture(get(given, f"{instance.path}/frames/6/rendered", "image/png", "viewport=320,320"))
        if shutil.which("ffmpeg"):
            stream = b"".join(list(generate_fragments(pydicom.dcmread(file).PixelData))[1:])
            theirs = by_ffmpeg(stream, 6, "smpte170m" if name == "mpeg2-mpml" else "bt709")
            small = np.asarray(Image.fromarray(theirs).resize(found.shape[1::-1], Image.Resampling.BOX))
            assert np.abs(found.astype(int) - small).mean() < 1.5
        return found

    return ask


def by_ffmpeg(stream: bytes, number: int, matrix: str) -> Picture:
    """The streams do not say of what matrix they are: by their size, as players take it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "video").write_bytes(stream)
        command = ["ffmpeg", "-v", "error", "-i", f"{folder}/video", "-vf"]
        command.append(f"select=eq(n\\,{number - 1}),scale=in_color_matrix={matrix}:flags=accurate_rnd+full_chroma_int")
        subprocess.run([*command, "-frames:v", "1", f"{folder}/frame.png"], check=True, timeout=60)
        return picture((Path(folder) / "frame.png").read_bytes())


# Damaged


def damaged_animation(given: Given) -> Picture:
    """The frame that can not be decoded says so, in the place that it has among the others."""
    slide = pydicom.dcmread(SHARED / "modalities/xa/XA-96-frames-jpeg.dcm")
    frames = list(generate_frames(slide.PixelData, number_of_frames=96))[45:48]
    frames[1] = frames[1][:2000]
    slide.PixelData = pydicom.encaps.encapsulate(frames)
    slide["PixelData"].is_undefined_length = True
    slide.NumberOfFrames, slide.SOPInstanceUID = 3, uid()
    for keyword in ("FrameTimeVector", "FrameIncrementPointer"):
        slide.pop(keyword, None)
    (instance,) = given.store(part10(slide, slide.file_meta.TransferSyntaxUID))
    animated = Image.open(io.BytesIO(get(given, f"{instance.path}/rendered", "image/gif", "viewport=200,200")))
    return beside([np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(animated)])


# Pages


def report_page(given: Given) -> Picture:
    """The first page of a report as PDF, as poppler shows it."""
    (instance,) = given.store(data("modalities/sr/enhanced-sr.dcm"))
    return page(get(given, f"{instance.path}/rendered", "application/pdf"))


def document_page(given: Given) -> Picture:
    """The first page of an encapsulated PDF, which comes as it is stored."""
    (instance,) = given.store(data("modalities/encapsulated/pdf.dcm"))
    content = get(given, f"{instance.path}/rendered", "*/*")
    assert pydicom.dcmread(SHARED / "modalities/encapsulated/pdf.dcm").EncapsulatedDocument.startswith(content)
    return page(content)


def page(content: bytes) -> Picture:
    done = subprocess.run(
        ["pdftoppm", "-r", "40", "-f", "1", "-l", "1", "-png", "-"], input=content, capture_output=True, check=True
    )
    return picture(done.stdout)


@dataclass(frozen=True)
class Row:
    """A request, and the picture that its answer makes."""

    name: str
    """Of the expected picture, behind ``answer-``."""
    ask: Callable[[Given], Picture]
    within: float = 0.5
    """Mean difference from the expected picture: versions of fonts and libraries differ."""
    poppler: bool = False


TEXT = "text/charset"
LONG = "Mayer-Vorfelder^Annegret Elisabeth^von der Mühlenkamp^Dr. med.^MSc=長い^名前"
ROWS = [
    Row("annotation-latin", annotated(f"{TEXT}/chrGerm.dcm"), 2),
    Row("annotation-polish", annotated("text/generated/charset-latin2.dcm"), 2),
    Row("annotation-cyrillic", annotated(f"{TEXT}/chrRuss.dcm"), 2),
    Row("annotation-greek", annotated(f"{TEXT}/chrGreek.dcm"), 2),
    Row("annotation-japanese", annotated(f"{TEXT}/chrH31.dcm"), 2),
    Row("annotation-korean", annotated(f"{TEXT}/chrI2.dcm"), 2),
    Row("annotation-chinese", annotated(f"{TEXT}/chrX2.dcm"), 2),
    Row("annotation-arabic", annotated(f"{TEXT}/chrArab.dcm"), 2),
    Row("annotation-hebrew", annotated(f"{TEXT}/chrHbrw.dcm"), 2),
    Row("annotation-thai", annotated("text/generated/charset-thai.dcm"), 2),
    Row(
        "annotation-devanagari",
        annotated(None, PatientName="क्षत्रिय^प्रीति", SpecificCharacterSet="ISO_IR 192"),
        2,
    ),
    Row(
        "annotation-long",
        annotated(None, SpecificCharacterSet="ISO_IR 192", PatientName=LONG),
        2,
    ),
    Row("quality", qualities, 1),
    Row(
        "thumbnails",
        thumbnails(
            "modalities/ct/01.dcm",
            "modalities/cr/CR-MONO1-10-chest.dcm",
            "modalities/nm/NM-MONO2-16-13x-heart.dcm",
            "modalities/us/US-RGB-8-esopecho.dcm",
            "modalities/seg/seg_image_ct_binary.dcm",
            "syntaxes/bits/rtdose.dcm",
            "slides/pyramid/level-0.dcm",
            "modalities/ecg/waveform_ecg.dcm",
            "syntaxes/generated/video/mpeg2-mpml.dcm",
        ),
        1,
    ),
    Row(
        "thumbnail-of-a-series", thumbnails(*(f"volumes/ct-phantom-24/{n:03}.dcm" for n in range(3, 8)), level="series")
    ),
    Row("thumbnail-of-a-slide", thumbnails("slides/pyramid/thumbnail.dcm", "slides/pyramid/label.dcm")),
    Row("thumbnail-burned-in", burned_in),
    Row(
        "icons",
        thumbnails(
            "modalities/sr/basic-text.dcm",
            "modalities/kos/key-object-selection.dcm",
            "modalities/encapsulated/pdf.dcm",
            "modalities/encapsulated/cda.dcm",
            "modalities/encapsulated/stl.dcm",
            "modalities/rt/rtplan.dcm",
            "modalities/rt/rtstruct.dcm",
            "modalities/pr/grayscale-softcopy-window.dcm",
            "syntaxes/generated/jpip-referenced.dcm",
            viewport="viewport=96,96",
        ),
        1,
    ),
    Row("animation", animation),
    Row("animation-colour", colour_animation, 2),
    Row("animation-damaged", damaged_animation, 2),
    Row("middle-frame", middle_frame),
    Row("slide-region", slide_region),
    Row("slide-flipped", slide_flipped),
    Row("slide-whole", slide_whole),
    Row("slide-sparse", slide_sparse),
    Row("video-h264", video_frame("h264-hp41"), 1),
    Row("video-hevc-10-bit", video_frame("hevc-main10-51"), 1),
    Row("video-mpeg2", video_frame("mpeg2-mpml"), 1),
    Row("page-of-a-report", report_page, 4, poppler=True),
    Row("page-of-a-document", document_page, 4, poppler=True),
]


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


@pytest.mark.shared_data
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_as_somebody_saw_it(given: Given, row: Row) -> None:
    if row.poppler and shutil.which("pdftoppm") is None:
        pytest.skip("poppler (pdftoppm) is not installed")
    found = row.ask(given)
    expected = np.asarray(Image.open(EXPECTED / f"answer-{row.name}.png"))
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < row.within


def main() -> None:
    EXPECTED.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for number, row in enumerate(ROWS):
            with opened(Path(folder) / str(number)) as archive:
                Image.fromarray(row.ask(archive)).save(EXPECTED / f"answer-{row.name}.png", optimize=True)
                sys.stdout.write(f"{row.name}\n")


if __name__ == "__main__":
    main()
