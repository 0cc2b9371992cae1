"""Each stored Transfer Syntax × each requested one and each media type, over HTTP; judged by others' decoders.

For every row of the matrix in docs/reference/transcoding.md there are samples of that syntax, with several types of
pixels among them. They are asked for in every syntax that this server encodes. What comes is the same image to each of
the judges (`judges`): sample for sample where nothing may be lost, within a bound where it was asked for with loss.
Every cell is judged at least once.
"""

from __future__ import annotations

import io
import random
import re
import shutil
import subprocess
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

import judges
from conftest import ROOT
from dicom_files import multipart
from frames_of import attributes, frames
from judges import Judgement, judge, read
from skiagraph.pixels import decode, transcode
from skiagraph.pixels.image import ImageParams
from skiagraph.standard import transfer_syntaxes

pytestmark = [pytest.mark.shared_data, pytest.mark.filterwarnings("ignore")]

X = "1.2.840.10008.1.2"
REQUESTED = (*transcode.LOSSLESS_TARGETS, f"{X}.4.111", *transcode.LOSSY_TARGETS)
PAPYRUS = "1.2.840.10008.1.20"
BASELINE, RECOMPRESSION = f"{X}.4.50", f"{X}.4.111"
GRAY, GRAY_12, RGB = (
    "jpeg/JPEGBaseline_1s_1f_u_08_08.dcm",
    "generated/gray12-reference.dcm",
    "generated/rgb-reference.dcm",
)
ONE, MADE, SMALL = "ct-one-image", "generated", "mr-small"
TEXT, MULTI = "colour/GDCMJ2K_TextGBR.dcm", "multiframe/emri_small_jpeg_2k_lossless.dcm"
STORED = {
    X: (f"{SMALL}/MR_small_implicit.dcm",),
    f"{X}.1": (
        "bits/signed-9bit.dcm",
        "colour/SC_rgb_small_odd.dcm",
        "colour/SC_ybr_full_422_uncompressed.dcm",
        "colour/color-pl.dcm",
        "deflate/liver.dcm",
        GRAY_12,
        RGB,
        f"{SMALL}/MR_small_padded.dcm",
    ),
    f"{X}.1.98": (f"{MADE}/gray12-encapsulated-uncompressed.dcm", f"{MADE}/rgb-encapsulated-uncompressed.dcm"),
    f"{X}.1.99": (f"{ONE}/{X}.1.99.dcm", "deflate/image_dfl.dcm"),
    f"{X}.2": (f"{SMALL}/MR_small_bigendian.dcm", "colour/SC_rgb_small_odd_big_endian.dcm"),
    BASELINE: (GRAY, "colour/SC_rgb_dcmtk_+eb+cr.dcm", f"{MADE}/rgb-jpeg-baseline.dcm"),
    f"{X}.4.51": (f"{ONE}/{X}.4.51.dcm",),
    f"{X}.4.53": (f"{ONE}/{X}.4.53.dcm",),
    f"{X}.4.55": (f"{ONE}/{X}.4.55.dcm",),
    f"{X}.4.57": (f"{ONE}/{X}.4.57.dcm",),
    f"{X}.4.70": (f"{ONE}/{X}.4.70.dcm", "colour/SC_rgb_jpeg_gdcm.dcm"),
    f"{X}.4.80": ("jpeg-ls/palette-multiframe.dcm", f"{SMALL}/MR_small_jpeg_ls_lossless.dcm"),
    f"{X}.4.81": (f"{ONE}/{X}.4.81.dcm",),
    f"{X}.4.90": ("deflate/liver_j2k.dcm", f"{SMALL}/MR_small_jp2klossless.dcm", TEXT, MULTI),
    f"{X}.4.91": (f"{ONE}/{X}.4.91.dcm", "wg04/US1_J2KI.dcm", "wg04/XA1_J2KI.dcm"),
    f"{X}.4.110": (f"{MADE}/gray12-jpegxl-lossless.dcm", f"{MADE}/rgb-jpegxl-lossless.dcm"),
    RECOMPRESSION: (f"{MADE}/rgb-jpegxl-recompressed.dcm",),
    f"{X}.4.112": (f"{MADE}/rgb-jpegxl-lossy.dcm", f"{MADE}/gray12-jpegxl-lossless-as-112.dcm"),
    f"{X}.4.201": (
        f"{MADE}/gray12-htj2k-lossless.dcm",
        f"{MADE}/rgb-htj2k-lossless.dcm",
        f"{MADE}/signed16-htj2k-lossless.dcm",
    ),
    f"{X}.4.202": (f"{MADE}/gray12-htj2k-rpcl-lossless.dcm", f"{MADE}/rgb-htj2k-rpcl-lossless.dcm"),
    f"{X}.4.203": (f"{MADE}/gray12-htj2k-lossy.dcm", f"{MADE}/rgb-htj2k-lossy.dcm"),
    f"{X}.5": (
        "bits/rtdose_rle.dcm",
        "colour/SC_rgb_rle_16bit_2frame.dcm",
        f"{SMALL}/MR_small_RLE.dcm",
        "rle/YBR_FULL-RLE.dcm",
    ),
    f"{X}.8.1": (f"{MADE}/gray12-deflated-frame.dcm", f"{MADE}/rgb-deflated-frames.dcm"),
    PAPYRUS: (f"{SMALL}/MR_small_implicit.dcm",),
}
"""Samples of each Transfer Syntax that is decoded."""
BY_DCMTK = {
    X: ("dcmconv", "+ti"),
    PAPYRUS: ("dcmconv", "+ti"),
    f"{X}.1.99": ("dcmconv", "+td"),
    f"{X}.2": ("dcmconv", "+tb"),
    f"{X}.4.51": ("dcmcjpeg", "+ee", "+un"),
    f"{X}.4.53": ("dcmcjpeg", "+es", "+un"),
    f"{X}.4.55": ("dcmcjpeg", "+ep", "+un"),
    f"{X}.4.57": ("dcmcjpeg", "+el", "+un"),
    f"{X}.4.70": ("dcmcjpeg", "+e1", "+un"),
    f"{X}.4.80": ("dcmcjpls", "+el", "+un"),
    f"{X}.4.81": ("dcmcjpls", "+en", "+un"),
    f"{X}.5": ("dcmcrle", "+un"),
}
"""What makes more samples of syntaxes of which there are few: gray of 8 and of 12 bits, and RGB."""
MADE_OF = (GRAY, GRAY_12, RGB)
LOST = {BASELINE: 0.02, f"{X}.4.51": 0.01, f"{X}.4.81": 0.01, f"{X}.4.91": 0.01, f"{X}.4.203": 0.01, f"{X}.4.112": 0.02}
"""Mean difference of what was encoded with loss from what was stored, of the range of the image."""


def renamed(data: bytes, syntax: str) -> bytes:
    """The same file under a SOP Instance UID of its own, of the same length; Papyrus by its name only."""
    old = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True).SOPInstanceUID
    digits = min(12, len(old.rpartition(".")[2]) - 1)
    if old.encode() not in data[400:] or digits < 6:  # deflated, or too short
        whole = pydicom.dcmread(io.BytesIO(data))
        whole.SOPInstanceUID = whole.file_meta.MediaStorageSOPInstanceUID = f"2.25.{random.getrandbits(100)}"
        out = io.BytesIO()
        whole.save_as(out)
        return out.getvalue()
    new = old[:-digits] + "".join(random.choice("123456789") for _ in range(digits))
    data = data.replace(old.encode(), new.encode())
    return data.replace(*papyrus(), 1) if syntax == PAPYRUS else data


def papyrus() -> tuple[bytes, bytes]:
    """Transfer Syntax UID elements with Implicit VR Little Endian, and with the one that is the same by another name.

    The name is one byte longer, which is the padding of the other.
    """
    return f"UI\x12\0{X}\0".encode(), f"UI\x12\0{PAPYRUS}".encode()


def samples(uid: str, shared_data: Path, folder: Path) -> Iterator[bytes]:
    """Files of the set in a Transfer Syntax, and those that dcmtk encodes, each under a name of its own."""
    for path in STORED[uid]:
        yield renamed((shared_data / "syntaxes" / path).read_bytes(), uid)
    if uid == RECOMPRESSION:  # gray
        yield recompressed(renamed((shared_data / "syntaxes" / GRAY).read_bytes(), BASELINE))
    tool, *options = BY_DCMTK.get(uid, ("none",))
    for path in MADE_OF if shutil.which(tool) else ():
        plain = folder / "plain.dcm"
        command = ["dcmdjpeg" if path == GRAY else "dcmconv", str(shared_data / "syntaxes" / path), str(plain)]
        subprocess.run(command, check=True, timeout=60)
        done = subprocess.run([tool, *options, str(plain), str(folder / "made.dcm")], check=True, timeout=60)
        assert not done.returncode
        yield renamed((folder / "made.dcm").read_bytes(), uid)


def recompressed(content: bytes) -> bytes:
    """A JPEG file as JPEG XL, by the library that there is."""
    data = read(content)
    uid, image, coded = frames(content)
    (frame,) = (transcode.transcode_frame(one, uid, RECOMPRESSION, image)[0] for one in coded)
    data.PixelData = pydicom.encaps.encapsulate([frame])
    data.file_meta.TransferSyntaxUID = stand_in = f"{X}.4.201"  # pydicom does not know it; as many bytes
    out = io.BytesIO()
    data.save_as(out)
    return out.getvalue().replace(stand_in.encode(), RECOMPRESSION.encode(), 1)


def by_ourselves(content: bytes) -> tuple[NDArray[np.generic], str]:
    """All frames, and their colour space."""
    uid, image, coded = frames(content)
    decoded = [decode.decode(frame, uid, image) for frame in coded]
    return np.stack([cells for cells, _ in decoded]).squeeze(), decoded[0][1].photometric_interpretation


def stored(client: httpx.Client, data: bytes) -> str:
    """Store a file; return its path."""
    payload, headers = multipart([data])
    assert client.post("/studies", content=payload, headers=headers).status_code in (200, 202)
    original = read(data)
    study, series, instance = original.StudyInstanceUID, original.SeriesInstanceUID, original.SOPInstanceUID
    return f"/studies/{study}/series/{series}/instances/{instance}"


def close(one: Judgement, reference: NDArray[np.generic], colour: str, bits: int, bound: float) -> None:
    """Fail unless they are the same image, within a part of the range of the values (and rounding)."""
    ours, theirs = (
        judges.as_rgb(cells, name, bits) for cells, name in ((reference, colour), (one.cells, one.photometric))
    )
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).mean() <= bound * np.ptp(ours) + 1, one.by


@pytest.mark.parametrize("uid", STORED)
def test_every_requested_syntax(client: httpx.Client, shared_data: Path, tmp_path: Path, uid: str) -> None:
    judged: Counter[str] = Counter()
    for data in samples(uid, shared_data, tmp_path):
        judged.update(_every_requested_syntax(client, data, tmp_path))
    missing = set(transcode.reachable(uid)) - set(judged)
    absent = {target for target in REQUESTED if not any(judges.has(name, target) for name in judges.BY[target])}
    assert missing <= absent, "cells of the matrix that nobody judged"


def _every_requested_syntax(client: httpx.Client, data: bytes, folder: Path) -> list[str]:
    """Ask for an Instance in every syntax; return those in which somebody judged it."""
    original = read(data)
    uid = str(original.file_meta.TransferSyntaxUID)
    url = stored(client, data)
    image = ImageParams.from_attributes(attributes(original))
    possible = {uid, *transcode.targets(uid, image)} - {X, f"{X}.2", PAPYRUS}
    reference, interpretation = by_ourselves(data)
    judged = []
    for syntax in REQUESTED:
        answer = client.get(url, headers={"accept": f"application/dicom; transfer-syntax={syntax}"})
        if syntax not in possible:
            assert answer.status_code == 406, syntax
            continue
        assert answer.status_code == 200, syntax
        assert answer.headers["content-type"] == f"application/dicom; transfer-syntax={syntax}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = read(answer.content)
        assert result.file_meta.TransferSyntaxUID == syntax
        lossy = transcode.is_lossy_conversion(uid, syntax)
        assert (result.SOPInstanceUID != original.SOPInstanceUID) is lossy
        assert result.StudyInstanceUID == original.StudyInstanceUID
        if syntax == uid:
            assert answer.content[128:] == data[128:]
            continue
        for one in judge(answer.content, folder):
            judged.append(syntax)
            if lossy and reference.size > 64:
                close(one, reference, interpretation, image.bits_stored, LOST[syntax])
            elif lossy:
                assert one.cells.shape == reference.shape
            elif syntax in (BASELINE, RECOMPRESSION):  # a JPEG and its other form: each decoder rounds in its own way
                close(one, reference, interpretation, image.bits_stored, 0.005)
            else:
                assert np.array_equal(one.cells, reference), (syntax, one.by)
    return judged


def test_every_stored_syntax_has_samples() -> None:
    assert set(STORED) == set(decode.DECODERS)
    assert set(judges.BY) == set(REQUESTED)


@pytest.mark.parametrize("uid", STORED)
def test_what_is_stored_is_read_as_others_read_it(shared_data: Path, tmp_path: Path, uid: str) -> None:
    """The reference of the matrix: what this server makes of the samples is what others make of them."""
    if uid == PAPYRUS:
        pytest.skip("nobody else knows it; its pixels are those of Implicit VR Little Endian")
    found = 0
    for content in samples(uid, shared_data, tmp_path):
        reference, interpretation = by_ourselves(content)
        bits = ImageParams.from_attributes(attributes(read(content))).bits_stored
        for one in judge(content, tmp_path):
            found += 1
            if uid not in LOSSY and one.photometric == interpretation:
                assert np.array_equal(one.cells, reference), one.by
            else:
                close(one, reference, interpretation, bits, 0.005)
    assert found


# Media types


LOSSY = {*transcode.LOSSY_TARGETS, RECOMPRESSION, f"{X}.4.53", f"{X}.4.55"}
MEDIA_TYPES = {
    "image/jpeg": f"{X}.4.70",
    "image/dicom-rle": f"{X}.5",
    "image/jls": f"{X}.4.80",
    "image/jp2": f"{X}.4.90",
    "image/jphc": f"{X}.4.201",
    "image/jxl": f"{X}.4.110",
    "application/octet-stream": f"{X}.1",
}
"""What a media type means without a Transfer Syntax (PS3.18 Table 8.7.3-5)."""


@pytest.mark.parametrize("uid", STORED)
def test_frames_of_every_media_type(client: httpx.Client, shared_data: Path, tmp_path: Path, uid: str) -> None:
    """Bare streams with their true names, equal to the frames of the whole Instance in that syntax, as judged above."""
    path = next((name for name in STORED[uid] if "generated" in name or "small" in name), STORED[uid][-1])
    data = renamed((shared_data / "syntaxes" / path).read_bytes(), uid)
    original = read(data)
    url = stored(client, data)
    image = ImageParams.from_attributes(attributes(original))
    possible = {str(original.file_meta.TransferSyntaxUID), *transcode.targets(uid, image)} - {X, f"{X}.2", PAPYRUS}
    for media_type, default in MEDIA_TYPES.items():
        answer = client.get(f"{url}/frames/1", headers={"accept": media_type})
        # What is stored with loss may stay so (§8.7.3.4 note 2)
        wanted = [uid] if transfer_syntaxes.get(uid).media_type == media_type and uid in LOSSY else []
        wanted += [default] if default in possible else []
        assert answer.status_code == (200 if wanted else 406), media_type
        if wanted:
            assert answer.headers["content-type"] == f"{media_type}; transfer-syntax={wanted[0]}"
    for syntax in possible:
        row = transfer_syntaxes.get(syntax)
        if row.media_type == "application/octet-stream" and syntax != f"{X}.1":
            continue
        accept = f"{row.media_type}; transfer-syntax={syntax}"
        answer = client.get(f"{url}/frames/1", headers={"accept": accept})
        assert answer.status_code == 200, (accept, answer.text)
        assert answer.headers["content-type"] == accept
        whole = client.get(url, headers={"accept": f"application/dicom; transfer-syntax={syntax}"})
        _, _, coded = frames(whole.content)
        assert coded[0][: len(answer.content)] == answer.content
        assert len(coded[0]) - len(answer.content) <= 1, "padding"


def test_the_page_says_who_judges() -> None:
    text = (ROOT / "docs" / "reference" / "transcoding.md").read_text()
    rows = re.findall(
        r"^\| `([.\d]+)`[^|]*\| ([^|]+) \|$", text.partition("## How the matrix is checked")[2], re.MULTILINE
    )
    assert {X + uid: set(said.split(", ")) for uid, said in rows} == {
        uid: set(names) for uid, names in judges.BY.items()
    }
