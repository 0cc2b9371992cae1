"""wsidicom opens a whole slide from the server and reads tiles of it."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from conftest import SAMPLES


@pytest.fixture(scope="module")
def slide(base_url: str) -> tuple[str, str]:
    """Study and Series Instance UID of the pyramid among the samples."""
    paths = sorted(Path(SAMPLES / "slide-pyramid").glob("*.dcm"))
    with httpx.Client(base_url=base_url, trust_env=False, timeout=60) as client:
        for path in paths:
            client.post(
                "/studies", content=path.read_bytes(), headers={"Content-Type": "application/dicom"}
            ).raise_for_status()
        answer = client.get("/series", params={"Modality": "SM", "SeriesNumber": ""}).json()
    level = next(match for match in answer if match["00201209"]["Value"][0] == len(paths))
    return level["0020000D"]["Value"][0], level["0020000E"]["Value"][0]


@pytest.mark.filterwarnings("ignore:No bulk data URI handler:UserWarning")
def test_opens_and_reads(base_url: str, slide: tuple[str, str]) -> None:
    from wsidicom import WsiDicom, WsiDicomWebClient

    with WsiDicom.open_web(WsiDicomWebClient.create_client(base_url), *slide) as opened:
        assert (opened.size.width, opened.size.height) == (1696, 812)
        assert [level.level for level in opened.levels] == [0, 1, 2]
        region = opened.read_region((0, 0), 0, (256, 256))
        assert region.size == (256, 256)
        darkest, lightest = region.convert("L").getextrema()
        assert darkest < 100 < 200 < lightest
        assert opened.read_tile(1, (0, 0)).size[0] > 0
