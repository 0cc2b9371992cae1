"""Values in the DICOM JSON Model: PS3.18 §F.2, rule by rule, and PS3.5 §6.2 for padding."""

from __future__ import annotations

import base64
import gc
import json
import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.standard import dicom_json
from skiagraph.standard.charsets import character_set
from skiagraph.standard.dicom_json import WrongLength, decimal, integer

LITTLE = dicom_json.decoder_table(big_endian=False)
BIG = dicom_json.decoder_table(big_endian=True)
ASCII = character_set(())


def values(vr: str, raw: bytes, terms: tuple[str, ...] = (), table: Any = LITTLE) -> list[Any] | None:
    return table[vr][1](raw, character_set(terms), [])  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("vr", "raw", "expected"),
    [
        pytest.param("CS", b"A\\B ", ["A", "B"], id="backslash separates"),
        pytest.param("CS", b" A \\ B", ["A", "B"], id="CS blanks do not count"),
        pytest.param("CS", b"A\\\\C ", ["A", None, "C"], id="F.2.5 empty value among several"),
        pytest.param("CS", b"  ", None, id="F.2.5 nothing but padding"),
        pytest.param("CS", b"\\ ", [None, None], id="F.2.5 only empty values"),
        pytest.param("LO", b" A B ", ["A B"], id="LO leading blanks do not count"),
        pytest.param("UI", b"1.2.3\0", ["1.2.3"], id="UI is padded with NUL"),
        pytest.param("UI", b"1.2\0\\3.4\0", ["1.2", "3.4"], id="UI, each of several"),
        pytest.param("DA", b"20220928", ["20220928"], id="DA stays in DICOM form"),
        pytest.param("LT", b" A\\B\r\n ", [" A\\B\r\n"], id="LT has one value, leading blanks count"),
        pytest.param("ST", b"a\\b", ["a\\b"], id="ST has one value"),
        pytest.param("UT", b"a\\b  ", ["a\\b"], id="UT has one value"),
        pytest.param("UR", b"http://x/?a\\b ", ["http://x/?a\\b"], id="UR has one value"),
        pytest.param("UC", b" a\\b ", [" a", "b"], id="UC has several, leading blanks count"),
        pytest.param("PN", b"A^B ", [{"Alphabetic": "A^B"}], id="PN"),
        pytest.param("PN", b"A=B=C ", [{"Alphabetic": "A", "Ideographic": "B", "Phonetic": "C"}], id="PN groups"),
        pytest.param("PN", b"==C ", [{"Phonetic": "C"}], id="PN only groups that are not empty"),
        pytest.param("PN", b"A\\\\C", [{"Alphabetic": "A"}, None, {"Alphabetic": "C"}], id="PN empty among several"),
        pytest.param("PN", b"==", None, id="PN empty"),
        pytest.param("AT", b"\x28\0\x10\0\x10\0\x10\0", ["00280010", "00100010"], id="AT"),
        pytest.param("IS", b"1\\-2\\+3 ", [1, -2, 3], id="IS"),
        pytest.param("IS", b"1\\\\x", [1, None, "x"], id="IS empty and invalid"),
        pytest.param("DS", b"1.50\\-2e3 ", [1.5, -2000.0], id="DS"),
        pytest.param("US", b"\1\0\xff\xff", [1, 65535], id="US"),
        pytest.param("SS", b"\xff\xff", [-1], id="SS"),
        pytest.param("UL", b"\xff\xff\xff\xff", [4294967295], id="UL"),
        pytest.param("SL", b"\xff\xff\xff\xff", [-1], id="SL"),
        pytest.param("UV", struct.pack("<2Q", 2**53, 2**53 + 1), [2**53, "9007199254740993"], id="UV beyond 2**53"),
        pytest.param("SV", struct.pack("<2q", -(2**53), -(2**53) - 1), [-(2**53), "-9007199254740993"], id="SV"),
        pytest.param("FL", struct.pack("<f", 0.1), [0.10000000149011612], id="FL is the exact double"),
        pytest.param("FD", struct.pack("<d", 0.1), [0.1], id="FD"),
        pytest.param(
            "FD",
            struct.pack("<4d", float("nan"), float("inf"), float("-inf"), 1),
            ["NaN", "Infinity", "-Infinity", 1.0],
            id="not in JSON",
        ),
    ],
)
def test_values(vr: str, raw: bytes, expected: list[Any] | None) -> None:
    assert values(vr, raw) == expected


@pytest.mark.parametrize(
    ("vr", "size"), [("AT", 4), ("US", 2), ("SS", 2), ("UL", 4), ("SL", 4), ("FL", 4), ("FD", 8), ("UV", 8), ("SV", 8)]
)
def test_binary_numbers_know_byte_order_and_length(vr: str, size: int) -> None:
    raw = bytes(range(1, size + 1))
    turned = b"".join(raw[at : at + 2][::-1] for at in (0, 2)) if vr == "AT" else raw[::-1]
    assert values(vr, raw) == values(vr, turned, table=BIG)
    with pytest.raises(WrongLength):
        values(vr, raw[:-1])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", None),
        ("  ", None),
        ("007", 7),
        ("+5 ", 5),
        ("-0", 0),
        ("1_0", "1_0"),
        ("1.0", "1.0"),
        ("٣", "٣"),
        ("12 3", "12 3"),
        ("-", "-"),
        ("9007199254740992", 2**53),
        ("9007199254740993", "9007199254740993"),
        pytest.param("9" * 5000, "9" * 5000, id="long"),
    ],
)
def test_integer_strings(text: str, number: int | str | None) -> None:
    result = integer(text)
    assert (result, type(result)) == (number, type(number))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", None),
        ("5", 5),
        ("5.0", 5.0),
        (" 1.50 ", 1.5),
        ("+.5", 0.5),
        ("5.", 5.0),
        ("-1.5E-3", -0.0015),
        ("0.0", 0.0),
        ("0E99999", 0.0),
        ("0.1234567890123456", "0.1234567890123456"),
        ("000000000000000001.5", 1.5),
        ("123456789012345", 123456789012345),
        ("1234567890123456", "1234567890123456"),
        ("1e400", "1e400"),
        ("1e-400", "1e-400"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("1_0", "1_0"),
        (".", "."),
        ("1,5", "1,5"),
        ("0x10", "0x10"),
        pytest.param("9" * 5000, "9" * 5000, id="long"),
        pytest.param("0" * 5000, "0" * 5000, id="long zero"),
    ],
)
def test_decimal_strings(text: str, number: float | str | None) -> None:
    result = decimal(text)
    assert (result, type(result)) == (number, type(number))


@given(st.from_regex(r"\A[+-]?([0-9]{1,18}(\.[0-9]{0,18})?|\.[0-9]{1,18})([eE][+-]?[0-9]{1,3})?\Z"))
def test_a_decimal_number_in_json_is_the_one_written(text: str) -> None:
    result = decimal(text)
    if isinstance(result, str):
        assert result == text
    else:
        assert Decimal(json.dumps(result)) == Decimal(text)


def test_character_sets_reach_values() -> None:
    assert values("LO", "王\\小".encode("gb18030"), ("GB18030",)) == ["王", "小"]
    raw = "俓\\A".encode("gb18030")  # its second byte is a backslash
    assert raw.count(b"\\") == 2
    assert values("LO", raw, ("GB18030",)) == ["俓", "A"]
    assert values("PN", b"\x1b$B;3ED\x1b(B=x", ("", "ISO 2022 IR 87")) == [{"Alphabetic": "山田", "Ideographic": "x"}]
    assert values("LT", b"\x1b$B;3ED\x1b(B", ("", "ISO 2022 IR 87")) == ["山田"]


def test_remarks_tell_what_is_invalid_without_the_value() -> None:
    for vr, raw, part in (
        ("IS", b"secret", "not a number"),
        ("DS", b"1\\secret", "not a number"),
        ("LO", b"\xe4", "not ASCII"),
        ("PN", b"\xe4", "not ASCII"),
        ("PN", b"a=b=c=secret", "more than three"),
    ):
        remarks: list[str] = []
        LITTLE[vr][1](raw, ASCII, remarks)
        assert len(remarks) == 1
        assert part in remarks[0]
        assert "secret" not in remarks[0]


@given(st.binary(max_size=64), st.sampled_from([1, 2, 4, 8]))
def test_swapping_is_its_own_inverse_and_reverses_words(raw: bytes, word: int) -> None:
    turned = dicom_json.swapped(raw, word)
    assert dicom_json.swapped(turned, word) == raw
    assert turned[:word] == (raw[:word][::-1] if len(raw) >= word else raw)
    rest = len(raw) % word
    assert turned[len(raw) - rest :] == raw[len(raw) - rest :]


@given(st.binary(max_size=300))
def test_inline_binary_is_base64_on_one_line(raw: bytes) -> None:
    text = dicom_json.inline_binary(raw)
    assert "\n" not in text
    assert base64.b64decode(text, validate=True) == raw


@pytest.mark.parametrize("depth", [0, 1, 80, 84, 85, 86, 150, 512])
def test_encoding_takes_any_depth(depth: int) -> None:
    attributes: dict[str, Any] = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Ä"}]}}
    for _ in range(depth):
        attributes = {"0040A730": {"vr": "SQ", "Value": [attributes, {}]}, "0040A731": {"vr": "SQ"}}
    text = dicom_json.encode(attributes)
    for _ in range(depth):
        assert text.startswith(b'{"0040A730":{"vr":"SQ","Value":[')
        text = text.removeprefix(b'{"0040A730":{"vr":"SQ","Value":[').removesuffix(b',{}]},"0040A731":{"vr":"SQ"}}')
    assert text == '{"00100010":{"vr":"PN","Value":[{"Alphabetic":"Ä"}]}}'.encode()


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("size", [1, 2**20])
def test_decoding_leaves_the_collector_as_it_was(monkeypatch: pytest.MonkeyPatch, size: int, enabled: bool) -> None:
    during: list[bool] = []
    real = dicom_json._loads
    monkeypatch.setattr(dicom_json, "_loads", lambda text: during.append(gc.isenabled()) or real(text))  # type: ignore[func-returns-value]
    attributes = {"00100010": {"vr": "PN", "Value": ["x" * size]}}
    (gc.enable if enabled else gc.disable)()
    try:
        assert dicom_json.decode(dicom_json.encode(attributes)) == attributes
        with pytest.raises(json.JSONDecodeError):
            dicom_json.decode(b"{" * size)
        assert gc.isenabled() is enabled
    finally:
        gc.enable()
    assert during == [enabled and size == 1] * 2
