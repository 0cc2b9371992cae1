"""Each stored Transfer Syntax × each requested one, over HTTP; judged by pydicom and dcmtk, not by our own decoders.

Samples of every stored syntax and type of pixel are asked for in every syntax that this server encodes. What comes is
read by another decoder where there is one on this machine, and is the same image: sample for sample where nothing may
be lost.
"""

from __future__ import annotations

import io
import random
import shutil
import subprocess
import warnings
from pathlib import Path

import httpx
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import get_decoder

from dicom_files import multipart
from frames_of import attributes, frames
from skiagraph.pixels import decode, transcode
from skiagraph.pixels.image import ImageParams
from skiagraph.standard import transfer_syntaxes

pytestmark = [pytest.mark.shared_data, pytest.mark.filterwarnings("ignore")]

X = "1.2.840.10008.1.2"
REQUESTED = (*transcode.LOSSLESS_TARGETS, f"{X}.4.111", *transcode.LOSSY_TARGETS)
STORED = [
    *(f"ct-one-image/{X}{suffix}.dcm" for suffix in ("", ".1", ".1.99", ".2", ".4.50", ".4.51", ".4.53", ".4.55")),
    *(f"ct-one-image/{X}{suffix}.dcm" for suffix in (".4.57", ".4.70", ".4.80", ".4.81", ".4.90", ".4.91", ".5")),
    "bits/rtdose_rle.dcm",
    "bits/signed-9bit.dcm",
    "colour/SC_rgb_dcmtk_+eb+cr.dcm",
    "colour/SC_rgb_rle_16bit_2frame.dcm",
    "colour/SC_rgb_small_odd.dcm",
    "colour/SC_ybr_full_422_uncompressed.dcm",
    "colour/color-pl.dcm",
    "deflate/liver.dcm",
    "deflate/liver_j2k.dcm",
    "generated/gray12-deflated-frame.dcm",
    "generated/gray12-encapsulated-uncompressed.dcm",
    "generated/gray12-htj2k-lossless.dcm",
    "generated/gray12-htj2k-lossy.dcm",
    "generated/gray12-htj2k-rpcl-lossless.dcm",
    "generated/gray12-jpegxl-lossless.dcm",
    "generated/rgb-jpeg-baseline.dcm",
    "generated/rgb-jpegxl-lossy.dcm",
    "generated/rgb-jpegxl-recompressed.dcm",
    "generated/signed16-htj2k-lossless.dcm",
    "jpeg-ls/palette-multiframe.dcm",
    "mr-small/MR_small_padded.dcm",
    "multiframe/emri_small_jpeg_ls_lossless.dcm",
    "rle/YBR_FULL-RLE.dcm",
    "wg04/US1_J2KI.dcm",
]
DCMTK = {
    **dict.fromkeys((f"{X}.4.50", f"{X}.4.51", f"{X}.4.57", f"{X}.4.70"), "dcmdjpeg"),
    **dict.fromkeys((f"{X}.4.80", f"{X}.4.81"), "dcmdjpls"),
    f"{X}.5": "dcmdrle",
}


def renamed(data: bytes) -> bytes:
    """The same file under a SOP Instance UID of its own, of the same length."""
    old = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True).SOPInstanceUID
    digits = min(12, len(old.rpartition(".")[2]) - 1)
    if old.encode() not in data[400:] or digits < 6:  # deflated, or too short
        whole = pydicom.dcmread(io.BytesIO(data))
        whole.SOPInstanceUID = whole.file_meta.MediaStorageSOPInstanceUID = f"2.25.{random.getrandbits(100)}"
        out = io.BytesIO()
        whole.save_as(out)
        return out.getvalue()
    new = old[:-digits] + "".join(random.choice("123456789") for _ in range(digits))
    return data.replace(old.encode(), new.encode())


def by_pydicom(data: Dataset) -> NDArray[np.generic] | None:
    """All frames as they are in the data set; None where pydicom has no decoder for them."""
    try:
        return get_decoder(data.file_meta.TransferSyntaxUID).as_array(data, raw=True)[0]
    except (NotImplementedError, RuntimeError, AttributeError, ValueError):
        return None


def by_dcmtk(content: bytes, syntax: str, folder: Path) -> NDArray[np.generic] | None:
    """The same by dcmtk; None where it has no decoder, or does without conversion of YBR_FULL to RGB only."""
    tool = DCMTK.get(syntax)
    if tool is None or shutil.which(tool) is None:
        return None
    (folder / "in.dcm").write_bytes(content)
    options = ["+cn"] if tool == "dcmdjpeg" else []  # no conversion of colour
    done = subprocess.run(
        [tool, *options, str(folder / "in.dcm"), str(folder / "out.dcm")], capture_output=True, check=False
    )
    if done.returncode:
        assert b"multiple of 8" in done.stderr, done.stderr  # single bits
        return None
    return by_pydicom(pydicom.dcmread(folder / "out.dcm"))


def by_ourselves(content: bytes) -> tuple[NDArray[np.generic], str]:
    """All frames, and their colour space."""
    uid, image, coded = frames(content)
    decoded = [decode.decode(frame, uid, image) for frame in coded]
    return np.stack([cells for cells, _ in decoded]).squeeze(), decoded[0][1].photometric_interpretation


@pytest.mark.parametrize("path", STORED)
def test_every_requested_syntax(client: httpx.Client, shared_data: Path, tmp_path: Path, path: str) -> None:
    data = renamed((shared_data / "syntaxes" / path).read_bytes())
    original = pydicom.dcmread(io.BytesIO(data))
    stored = str(original.file_meta.TransferSyntaxUID)
    payload, headers = multipart([data])
    assert client.post("/studies", content=payload, headers=headers).status_code == 200
    url = (
        f"/studies/{original.StudyInstanceUID}/series/{original.SeriesInstanceUID}/instances/{original.SOPInstanceUID}"
    )
    image = ImageParams.from_attributes(attributes(original))
    possible = {stored, *transcode.targets(stored, image)} - {X, f"{X}.2"}
    reference, interpretation = by_ourselves(data)
    judged = 0
    for syntax in REQUESTED:
        answer = client.get(url, headers={"accept": f"application/dicom; transfer-syntax={syntax}"})
        if syntax not in possible:
            assert answer.status_code == 406, syntax
            continue
        assert answer.status_code == 200, syntax
        assert answer.headers["content-type"] == f"application/dicom; transfer-syntax={syntax}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = pydicom.dcmread(io.BytesIO(answer.content))
        assert result.file_meta.TransferSyntaxUID == syntax
        lossy = transcode.is_lossy_conversion(stored, syntax)
        assert (result.SOPInstanceUID != original.SOPInstanceUID) is lossy
        assert result.StudyInstanceUID == original.StudyInstanceUID
        if syntax == stored:
            assert answer.content[128:] == data[128:]
            continue
        if lossy:
            found, colour = by_ourselves(answer.content)
            if colour == interpretation:
                assert np.abs(found.astype(float) - reference).mean() < 0.05 * np.ptp(reference) + 1
            continue
        if syntax == f"{X}.4.50":
            continue  # a JPEG restored: which colour space others decode it to is their affair
        others = [by_pydicom(result), by_dcmtk(answer.content, syntax, tmp_path)]
        for other in others:
            if other is not None:
                judged += 1
                assert np.array_equal(np.asarray(other).squeeze(), reference), syntax
    assert judged >= 2


@pytest.mark.parametrize("path", ["generated/rgb-jpeg-baseline.dcm", "deflate/liver_j2k.dcm", "wg04/MR4_RLE.dcm"])
def test_frames_of_every_media_type(client: httpx.Client, shared_data: Path, path: str) -> None:
    """Bare streams with their true names, equal to the frames of the whole Instance in that syntax."""
    data = renamed((shared_data / "syntaxes" / path).read_bytes())
    original = pydicom.dcmread(io.BytesIO(data))
    stored = str(original.file_meta.TransferSyntaxUID)
    payload, headers = multipart([data])
    assert client.post("/studies", content=payload, headers=headers).status_code == 200
    url = (
        f"/studies/{original.StudyInstanceUID}/series/{original.SeriesInstanceUID}/instances/{original.SOPInstanceUID}"
    )
    image = ImageParams.from_attributes(attributes(original))
    for syntax in transcode.targets(stored, image):
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
