"""services.store_response: Annex I and Table 10.5.3-1."""

from __future__ import annotations

import pytest

from skiagraph.services.store_response import Failed, Stored, module, status
from skiagraph.values import ResourcePath

BASE = "http://host/dicom-web"
GOOD = Stored(ResourcePath("1", "2", "3"), "1.2.840.10008.5.1.4.1.1.2")
ODD = Stored(ResourcePath("1", "2", "4"), "1.2.840.10008.5.1.4.1.1.2", 0xB007, ("odd",))
ELSEWHERE = Stored(ResourcePath("9", "2", "5"), "1.2.840.10008.5.1.4.1.1.2")
BAD = Failed(0xC000, "cannot understand")
NAMED = Failed(0xA900, "no Series Instance UID", "1.2.840.10008.5.1.4.1.1.2", "3.4", ("0020000E",))
TOO_LARGE = Failed(0xA700, "beyond a limit")
BUSY = Failed(0xA700, "not at the moment", busy=True)
FULL = Failed(0xA700, "no room", full=True)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        pytest.param([GOOD], 200, id="all stored"),
        pytest.param([GOOD, ODD], 202, id="all stored, one with a warning"),
        pytest.param([GOOD, BAD], 202, id="one failed"),
        pytest.param([BAD, NAMED], 409, id="all failed"),
        pytest.param([TOO_LARGE], 409, id="beyond a limit: nothing to try again"),
        pytest.param([BUSY], 503, id="nothing stored, out of resources"),
        pytest.param([BUSY, FULL], 507, id="nothing stored, storage full"),
        pytest.param([FULL, BAD], 409, id="nothing stored, for different reasons"),
        pytest.param([FULL, GOOD], 202, id="full after the first"),
    ],
)
def test_status(results: list[Stored | Failed], expected: int) -> None:
    assert status(results) == expected


def test_stored() -> None:
    assert module([GOOD], BASE) == {
        "00081190": {"vr": "UR", "Value": [f"{BASE}/studies/1"]},
        "00081199": {
            "vr": "SQ",
            "Value": [
                {
                    "00081150": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},
                    "00081155": {"vr": "UI", "Value": ["3"]},
                    "00081190": {"vr": "UR", "Value": [f"{BASE}/studies/1/series/2/instances/3"]},
                }
            ],
        },
    }


def test_sequences_are_there_only_when_they_have_items() -> None:
    assert "00081199" not in module([BAD], BASE)
    assert "00081198" not in module([BAD, GOOD], BASE)
    assert "0008119A" not in module([NAMED, GOOD], BASE)


def test_several_studies_have_no_common_url() -> None:
    assert module([GOOD, ELSEWHERE], BASE)["00081190"] == {"vr": "UR"}


def test_a_warning_names_its_reason() -> None:
    item = module([ODD], BASE)["00081199"]["Value"][0]
    assert item["00081196"] == {"vr": "US", "Value": [0xB007]}
    assert item["00000902"]["Value"] == ["odd"]


def test_a_failure_says_why_in_numbers_and_words() -> None:
    item = module([NAMED], BASE)["00081198"]["Value"][0]
    assert list(item) == sorted(item)
    assert item["00081155"]["Value"] == ["3.4"]
    assert item["00081197"]["Value"] == [0xA900]
    assert item["00741048"]["Value"][0]["00720026"]["Value"] == ["0020000E"]
    assert item["00000902"]["Value"] == ["no Series Instance UID"]


def test_a_failure_without_instance_is_an_other_failure() -> None:
    data = module([BAD, GOOD], BASE)
    assert [item["00081197"]["Value"] for item in data["0008119A"]["Value"]] == [[0xC000]]
