"""How others decode what this server encodes: pydicom with pylibjpeg, dcmtk, FFmpeg, and zlib by itself.

For each coding one of them at least is another implementation than the encoder: libjpeg of the JPEG committee and that
of dcmtk for JPEG and JPEG-LS, that of FFmpeg for JPEG 2000, OpenJPEG for HTJ2K (OpenJPH encodes it; FFmpeg's decoder
gets some code blocks wrong that both have right). Of JPEG XL there is one library, in other builds and versions.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import warnings
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels import get_decoder
from pydicom.pixels.decoders.rle import _rle_decode_segment

from frames_of import attributes
from skiagraph.pixels.image import ImageParams

X = "1.2.840.10008.1.2"
PYDICOM, PYLIBJPEG, DCMTK, FFMPEG, ZLIB = "pydicom", "pylibjpeg", "dcmtk", "FFmpeg", "zlib"

BY: dict[str, tuple[str, ...]] = {
    f"{X}.1": (PYDICOM, DCMTK),
    f"{X}.1.98": (PYDICOM,),
    f"{X}.1.99": (PYDICOM, DCMTK),
    f"{X}.4.50": (PYLIBJPEG, DCMTK),
    f"{X}.4.51": (PYLIBJPEG, DCMTK),
    f"{X}.4.57": (PYLIBJPEG, DCMTK),
    f"{X}.4.70": (PYLIBJPEG, DCMTK),
    f"{X}.4.80": (PYLIBJPEG, DCMTK),
    f"{X}.4.81": (PYLIBJPEG, DCMTK),
    f"{X}.4.90": (PYLIBJPEG, FFMPEG),
    f"{X}.4.91": (PYLIBJPEG, FFMPEG),
    f"{X}.4.110": (FFMPEG,),
    f"{X}.4.111": (FFMPEG,),
    f"{X}.4.112": (FFMPEG,),
    f"{X}.4.201": (PYLIBJPEG,),
    f"{X}.4.202": (PYLIBJPEG,),
    f"{X}.4.203": (PYLIBJPEG,),
    f"{X}.5": (PYDICOM, DCMTK),
    f"{X}.8.1": (ZLIB,),
}
"""Who judges each Transfer Syntax that this server makes."""
READ = BY | dict.fromkeys((f"{X}.4.53", f"{X}.4.55"), (DCMTK,)) | dict.fromkeys((X, f"{X}.2"), (PYDICOM,))
"""And each that it only reads."""

_DCMTK = {
    **dict.fromkeys((f"{X}.1", f"{X}.1.99"), ("dcmconv", "+te")),
    **dict.fromkeys((f"{X}.4.{number}" for number in (50, 51, 53, 55, 57, 70)), ("dcmdjpeg", "+cn")),
    **dict.fromkeys((f"{X}.4.80", f"{X}.4.81"), ("dcmdjpls",)),
    f"{X}.5": ("dcmdrle",),
}
_FFMPEG = {
    **dict.fromkeys((f"{X}.4.90", f"{X}.4.91"), "jpeg2000"),
    **dict.fromkeys((f"{X}.4.110", f"{X}.4.111", f"{X}.4.112"), "libjxl"),
}
"""Transfer Syntax → decoder. The program has the last one only; the others are in the library."""


@dataclass(frozen=True)
class Judgement:
    """All frames of a file as another decoder has them."""

    by: str
    cells: NDArray[Any]
    """Without axes of length 1."""
    photometric: str
    """Of the cells."""


@cache
def has(judge: str, uid: str) -> bool:
    """Whether a judge is on this machine, and can be asked about a Transfer Syntax."""
    if judge == DCMTK:
        return shutil.which(_DCMTK[uid][0]) is not None
    if judge == FFMPEG:
        return _FFMPEG[uid] != "libjxl" or _has_libjxl()
    return True


def read(content: bytes) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(io.BytesIO(content))


def judge(content: bytes, folder: Path) -> list[Judgement]:
    """What the judges say of a PS3.10 file; those that can not read its kind of pixels say nothing."""
    data = read(content)
    uid = str(data.file_meta.TransferSyntaxUID)
    found = []
    for name in READ[uid]:
        if has(name, uid):
            one = _JUDGES[name](data, content, uid, folder)
            if one is not None:
                found.append(one)
    return found


def _by_pydicom(data: Dataset, content: bytes, uid: str, folder: Path, plugin: str = "") -> Judgement | None:
    if uid == f"{X}.1.98":
        image = ImageParams.from_attributes(attributes(data))
        return _of_native(PYDICOM, list(_frames(data)), data, image)
    if uid == f"{X}.5" and data.BitsAllocated == 1:
        image = ImageParams.from_attributes(attributes(data))
        segments = [bytes(_rle_decode_segment(frame[64:])) for frame in _frames(data)]
        return _of_native(PYDICOM, segments, data, image)
    try:
        # Frames of single bits are packed without gaps by pydicom, and unpacked by it
        cells, described = get_decoder(uid).as_array(data, raw=True, decoding_plugin=plugin)
    except (NotImplementedError, RuntimeError, AttributeError, ValueError):
        return None
    return Judgement(plugin or PYDICOM, cells.squeeze(), str(described["photometric_interpretation"]))


def _by_pylibjpeg(data: Dataset, content: bytes, uid: str, folder: Path) -> Judgement | None:
    return _by_pydicom(data, content, uid, folder, PYLIBJPEG)


def _by_dcmtk(data: Dataset, content: bytes, uid: str, folder: Path) -> Judgement | None:
    (folder / "in.dcm").write_bytes(content)
    command = [*_DCMTK[uid], str(folder / "in.dcm"), str(folder / "out.dcm")]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    if done.returncode:
        assert b"multiple of 8" in done.stderr, done.stderr  # single bits
        return None
    result = read((folder / "out.dcm").read_bytes())
    one = _by_pydicom(result, b"", str(result.file_meta.TransferSyntaxUID), folder)
    return None if one is None else Judgement(DCMTK, one.cells, one.photometric)


def _by_zlib(data: Dataset, content: bytes, uid: str, folder: Path) -> Judgement | None:
    image = ImageParams.from_attributes(attributes(data))
    plain = [zlib.decompressobj(-15).decompress(frame) for frame in _frames(data)]
    return _of_native(ZLIB, plain, data, image)


def _of_native(name: str, plain: list[bytes], data: Dataset, image: ImageParams) -> Judgement:
    """Native frames as numpy has them; single bits begin anew in each."""
    frames = []
    for frame in plain:
        if image.bits_allocated == 1:
            cells = np.unpackbits(np.frombuffer(frame, np.uint8), bitorder="little", count=image.cells)
        else:
            whole = frame[: image.frame_bytes]
            kind = "f" if image.is_float else "iu"[not image.signed]
            cells = np.frombuffer(whole, f"<{kind}{image.bits_allocated // 8}")
            subsampled = image.samples_per_pixel == 3 and len(cells) < image.cells
            cells = _upsampled(cells) if subsampled else cells
        if image.samples_per_pixel > 1 and data.PlanarConfiguration == 1:
            cells = cells.reshape(image.samples_per_pixel, -1).T
        frames.append(cells.reshape(image.shape))
    photometric = str(data.PhotometricInterpretation)
    return Judgement(name, np.stack(frames).squeeze(), "YBR_FULL" if photometric == "YBR_FULL_422" else photometric)


def _upsampled(cells: NDArray[Any]) -> NDArray[Any]:
    """Y1 Y2 Cb Cr: chrominance for both (PS3.3 C.7.6.3.1.2)."""
    first, second, blue, red = cells.reshape(-1, 4).T
    return np.stack([np.stack([first, blue, red], -1), np.stack([second, blue, red], -1)], 1)


def _by_ffmpeg(data: Dataset, content: bytes, uid: str, folder: Path) -> Judgement | None:
    image = ImageParams.from_attributes(attributes(data))
    if image.signed or image.bits_stored < 8:
        return None
    photometric = str(data.PhotometricInterpretation)
    colour = photometric == "YBR_FULL"
    if _FFMPEG[uid] == "libjxl":
        found = _by_libjxl(list(_frames(data)), image, folder)
    else:
        found = _in_library(list(_frames(data)), image, _FFMPEG[uid])
    if found is None:
        return None
    return Judgement(FFMPEG, found.squeeze(), "RGB" if image.samples_per_pixel == 3 and not colour else photometric)


def _by_libjxl(frames: list[bytes], image: ImageParams, folder: Path) -> NDArray[Any]:
    for number, frame in enumerate(frames):
        (folder / f"{number}.jxl").write_bytes(frame)
    deep = image.bits_stored > 8
    kind = ("gray16le" if deep else "gray") if image.samples_per_pixel == 1 else ("rgb48le" if deep else "rgb24")
    command = ["ffmpeg", "-v", "error", "-f", "image2", "-c:v", "libjxl", "-i", str(folder / "%d.jxl")]
    command += ["-f", "rawvideo", "-pix_fmt", kind, "-"]
    raw = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    for file in folder.glob("*.jxl"):
        file.unlink()
    cells = np.frombuffer(raw, "<u2" if deep else "u1").reshape(len(frames), *image.shape)
    if deep and image.bits_stored < 16:  # it brings all to 16 bits
        cells = np.floor(cells * ((2**image.bits_stored - 1) / 65535) + 0.5).astype(np.uint16)
    return cells


def _in_library(frames: list[bytes], image: ImageParams, decoder: str) -> NDArray[Any] | None:
    """The samples of frames; None for formats of pixels that do not have the bits of the image."""
    import av

    found = []
    for frame in frames:
        (shown,) = av.CodecContext.create(decoder, "r").decode(av.Packet(frame))
        kinds = {"gray": ("u1", 1, 8), "gray10le": ("<u2", 1, 10), "gray12le": ("<u2", 1, 12)}
        kinds |= {"gray14le": ("<u2", 1, 14), "gray16le": ("<u2", 1, 16)}
        kinds |= {"rgb24": ("u1", 3, 8), "rgb48le": ("<u2", 3, 16)}
        dtype, samples, bits = kinds.get(shown.format.name, ("", 0, 0))
        if samples != image.samples_per_pixel or bits < image.bits_stored:
            return None
        (plane,) = shown.planes
        rows = np.frombuffer(plane, dtype).reshape(shown.height, -1)
        cells = rows[:, : shown.width * samples].reshape(image.shape)
        spare = bits - image.bits_stored  # what has fewer bits is sometimes in the upper ones, sometimes in the lower
        found.append(cells >> spare if spare and not (cells & (2**spare - 1)).any() else cells)
    return np.stack(found)


@cache
def _has_libjxl() -> bool:
    if shutil.which("ffmpeg") is None:
        return False
    said = subprocess.run(["ffmpeg", "-hide_banner", "-decoders"], capture_output=True, text=True, check=True)
    return "libjxl" in said.stdout


def _frames(data: Dataset) -> Any:
    return generate_frames(data.PixelData, number_of_frames=int(data.get("NumberOfFrames") or 1))


_JUDGES: dict[str, Any] = {
    PYDICOM: _by_pydicom,
    PYLIBJPEG: _by_pylibjpeg,
    DCMTK: _by_dcmtk,
    FFMPEG: _by_ffmpeg,
    ZLIB: _by_zlib,
}


def as_rgb(cells: NDArray[Any], photometric: str, bits: int = 8) -> NDArray[np.float64]:
    """Cells as numbers, YBR_FULL as RGB by the equations of PS3.3 C.7.6.3.1.2."""
    if not photometric.startswith("YBR_FULL"):
        return cells.astype(float)
    forwards = np.array([[0.2990, 0.5870, 0.1140], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])
    middle = 2 ** (bits - 1)
    found: NDArray[np.float64] = (cells - np.array([0.0, middle, middle])) @ np.linalg.inv(forwards).T
    return np.clip(found, 0, 2**bits - 1)
