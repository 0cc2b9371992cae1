"""``python -m benchmarks.codecs``: what converting one frame costs by Transfer Syntax, without a server.

The image is synthetic: 512 × 512 of 12 bits with noise, as a CT has it.
"""

from __future__ import annotations

import functools
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from skiagraph.pixels import decode, encode, transcode
from skiagraph.pixels.image import ImageParams
from skiagraph.standard import transfer_syntaxes

from .images import soft

IMAGE = ImageParams(512, 512, 1, 16, 12, 11)


def milliseconds(work: Callable[[], Any], times: int) -> float:
    """Median of some runs, the first left out."""
    work()
    took = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - start))
    return statistics.median(took)


def table(times: int) -> Table:
    """Time and size by Transfer Syntax."""
    made = Table("Transfer Syntax", "encode, ms", "decode, ms", "size, native is 1", box=box.SIMPLE)
    cells = soft(np.random.default_rng(0), 512, 512, 12).astype(np.uint16)
    for uid in (*transcode.LOSSLESS_TARGETS, *transcode.LOSSY_TARGETS):
        if encode.unfit(uid, IMAGE) is not None:
            continue
        frame, described = encode.encode(cells, uid, IMAGE)
        encoding = milliseconds(functools.partial(encode.encode, cells, uid, IMAGE), times)
        decoding = milliseconds(functools.partial(decode.decode, frame, uid, described), times)
        name = transfer_syntaxes.get(uid).name
        made.add_row(name, f"{encoding:.1f}", f"{decoding:.1f}", f"{len(frame) / cells.nbytes:.2f}")
    return made


def main() -> None:
    Console(width=120).print(table(2 if "--quick" in sys.argv else 9))


if __name__ == "__main__":
    main()
