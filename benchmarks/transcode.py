"""``python -m benchmarks.transcode``: what converting a frame costs, by codec and over HTTP, and the memory it takes.

The image is synthetic: 512 × 512 of 12 bits with noise, as a CT has it. Figures are medians of single frames on one
connection; `first` means that nothing was kept, `again` that the converted frame was.
"""

from __future__ import annotations

import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from rich.console import Console
from rich.table import Table

from skiagraph.pixels import decode, encode, transcode
from skiagraph.pixels.image import ImageParams
from skiagraph.standard import transfer_syntaxes

from .servers import free_port

IMAGE = ImageParams(512, 512, 1, 16, 12, 11)
NATIVE = "1.2.840.10008.1.2.1"
J2K, HTJ2K, RLE = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.5"
FRAMES = 1000


def picture(number: int = 0) -> NDArray[np.uint16]:
    """A frame of its own kind for each number."""
    generator = np.random.default_rng(number)
    y, x = np.mgrid[0:512, 0:512]
    body = 1000 * (np.hypot(x - 256, y - 256) < 200) + 300 * np.sin((x + number) / 30) * np.cos(y / 40)
    noisy = np.clip(body + 1000 + generator.normal(0, 12, body.shape), 0, 4095)
    return noisy.astype(np.uint16)


def milliseconds(work: Callable[[], Any], times: int = 7) -> float:
    """Median of some runs, the first left out."""
    work()
    took = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - start))
    return statistics.median(took)


def codecs() -> Table:
    """Time and size by Transfer Syntax."""
    table = Table("Transfer Syntax", "encode, ms", "decode, ms", "ratio", title="One frame, 512 × 512, 12 bits")
    cells = picture()
    for uid in (*transcode.LOSSLESS_TARGETS, *transcode.LOSSY_TARGETS):
        if encode.unfit(uid, IMAGE) is not None:
            continue
        frame, described = encode.encode(cells, uid, IMAGE)
        encoding = milliseconds(lambda uid=uid: encode.encode(cells, uid, IMAGE))  # type: ignore[misc]
        decoding = milliseconds(lambda uid=uid, f=frame, d=described: decode.decode(f, uid, d))  # type: ignore[misc]
        name = transfer_syntaxes.get(uid).name
        table.add_row(name, f"{encoding:.1f}", f"{decoding:.1f}", f"{cells.nbytes / len(frame):.1f}")
    return table


def instance(syntax: str, frames: list[bytes], number: int) -> bytes:
    """An Instance of these frames as a PS3.10 file."""
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7.3", f"1.2.3.{number}"
    data.StudyInstanceUID, data.SeriesInstanceUID, data.Modality = "1.2.3", "1.2.3.0", "OT"
    data.PatientID = "1"
    data.Rows, data.Columns, data.SamplesPerPixel, data.NumberOfFrames = 512, 512, 1, len(frames)
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    if syntax == NATIVE:
        data.add_new(0x7FE00010, "OW", b"".join(frames))
    else:
        data.add_new(0x7FE00010, "OB", encapsulate(frames))
        data["PixelData"].is_undefined_length = True
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    out = io.BytesIO()
    pydicom.dcmwrite(out, data, enforce_file_format=True)
    return out.getvalue()


@contextmanager
def server(folder: Path) -> Iterator[tuple[httpx.Client, int]]:
    """Run skiagraph with one worker; yield a client and the process id of the whole group."""
    port = free_port()
    command = [sys.executable, "-m", "skiagraph", "serve", "--data", str(folder), "--port", str(port), "--workers", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/dicom-web", timeout=600, trust_env=False) as client:
            for _ in range(600):
                try:
                    if client.get("/studies").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.05)
            yield client, process.pid
    finally:
        process.terminate()
        process.wait(60)


def peak(group: int) -> float:
    """The largest resident memory of a process of the group, MiB."""
    most = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if os.getpgid(int(status.parent.name)) == group:
                lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
                most = max(most, int(lines.get("VmHWM", "0 kB").split()[0]))
        except (OSError, ValueError):
            continue
    return most / 1024


def over_http(console: Console) -> None:
    """Frames one by one, and a long object whole."""
    cells = [picture(number) for number in range(20)]
    with tempfile.TemporaryDirectory(prefix="skiagraph-transcode-") as folder, server(Path(folder)) as (client, group):
        j2k = [encode.encode(one, J2K, IMAGE)[0] for one in cells]
        rle = [encode.encode(one, RLE, IMAGE)[0] for one in cells]
        files = [
            instance(J2K, j2k, 1),
            instance(NATIVE, [one.tobytes() for one in cells], 2),
            instance(RLE, [rle[number % 20] for number in range(FRAMES)], 3),
        ]
        for file in files:
            client.post("/studies", content=file, headers={"content-type": "application/dicom"}).raise_for_status()
        table = Table("frame", "first, ms", "again, ms", title="One frame over HTTP")
        for title, number, accept in (
            ("JPEG 2000 → native", 1, "application/octet-stream"),
            ("native → HTJ2K", 2, f"image/jphc; transfer-syntax={HTJ2K}"),
            ("JPEG 2000 as stored", 1, "image/jp2"),
        ):
            took: dict[str, list[float]] = {"first": [], "again": []}
            for frame in range(1, 21):
                for which in took:
                    start = time.perf_counter()
                    answer = client.get(
                        f"/studies/1.2.3/series/1.2.3.0/instances/1.2.3.{number}/frames/{frame}",
                        headers={"accept": accept},
                    )
                    took[which].append(1000 * (time.perf_counter() - start))
                    answer.raise_for_status()
            table.add_row(title, *(f"{statistics.median(one):.1f}" for one in took.values()))
        console.print(table)
        before = peak(group)
        start, size = time.perf_counter(), 0
        url = "/studies/1.2.3/series/1.2.3.0/instances/1.2.3.3"
        with client.stream("GET", url, headers={"accept": f"application/dicom; transfer-syntax={HTJ2K}"}) as answer:
            answer.raise_for_status()
            for chunk in answer.iter_raw():
                size += len(chunk)
        seconds = time.perf_counter() - start
        console.print(
            f"{FRAMES} frames RLE → HTJ2K: {seconds:.1f} s, {FRAMES / seconds:.0f} frames/s, {size / 2**20:.0f} MiB;"
            f" memory of the worker at peak {before:.0f} → {peak(group):.0f} MiB"
        )


def main() -> None:
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(codecs())
    over_http(console)


if __name__ == "__main__":
    main()
