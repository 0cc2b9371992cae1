"""The table of Transfer Syntaxes against PS3.6 Table A-1 as pydicom has it, and PS3.18 Table 8.7.3-5."""

from __future__ import annotations

import pytest
from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID

from skiagraph.standard import transfer_syntaxes
from skiagraph.standard.transfer_syntaxes import TRANSFER_SYNTAXES, find, get

PYDICOM = {uid: row for uid, row in UID_dictionary.items() if row[1] == "Transfer Syntax"}


def test_every_syntax_of_the_standard_is_there_once() -> None:
    uids = [row.uid for row in TRANSFER_SYNTAXES]
    assert len(uids) == len(set(uids))
    assert set(PYDICOM) <= set(uids)


@pytest.mark.parametrize("uid", sorted(PYDICOM))
def test_the_row_agrees(uid: str) -> None:
    row = get(uid)
    assert row.known
    assert row.name.replace(" & ", " and ") == PYDICOM[uid][0]
    assert row.retired == bool(PYDICOM[uid][3])
    assert row.implicit_vr == UID(uid).is_implicit_VR or not UID(uid).is_transfer_syntax or uid.endswith(".20")
    assert row.big_endian == (not UID(uid).is_little_endian)


@pytest.mark.parametrize(
    ("uid", "flags"),
    [
        pytest.param("1.2.840.10008.1.2", {"implicit_vr", "lossless"}, id="A.1"),
        pytest.param("1.2.840.10008.1.2.1", {"lossless", "default"}, id="A.2"),
        pytest.param("1.2.840.10008.1.2.2", {"lossless", "big_endian", "retired"}, id="A.3"),
        pytest.param("1.2.840.10008.1.2.1.99", {"lossless", "deflated"}, id="A.5"),
        pytest.param("1.2.840.10008.1.2.1.98", {"lossless", "encapsulated"}, id="A.4.11"),
        pytest.param("1.2.840.10008.1.2.4.50", {"encapsulated"}, id="A.4.1 baseline"),
        pytest.param("1.2.840.10008.1.2.4.70", {"encapsulated", "lossless", "default"}, id="A.4.1 lossless"),
        pytest.param("1.2.840.10008.1.2.4.95", {"deflated", "referenced"}, id="A.7"),
        pytest.param("1.2.840.10008.1.2.4.101", {"encapsulated", "video", "default"}, id="A.4.5"),
        pytest.param("1.2.840.10008.1.2.5", {"encapsulated", "lossless", "default"}, id="A.4.2"),
        pytest.param("1.2.840.10008.1.2.8.1", {"encapsulated", "lossless"}, id="deflated frames"),
    ],
)
def test_flags(uid: str, flags: set[str]) -> None:
    row = get(uid)
    names = ("encapsulated", "lossless", "big_endian", "implicit_vr", "deflated", "video", "referenced", "default")
    assert {name for name in (*names, "retired") if getattr(row, name)} == flags


def test_each_media_type_has_one_default_but_mp4_of_old_and_new() -> None:
    defaults = [row.media_type for row in TRANSFER_SYNTAXES if row.default]
    assert sorted(defaults) == sorted(set(defaults))
    assert {row.media_type for row in TRANSFER_SYNTAXES} == set(defaults)


def test_unknown_syntaxes_are_told_apart() -> None:
    assert find("1.2.3") is None
    row = get("1.2.3")
    assert (row.known, row.encapsulated, row.implicit_vr, row.big_endian, row.deflated) == (
        False,
        True,
        False,
        False,
        False,
    )
    assert row.media_type == transfer_syntaxes.OCTET_STREAM
