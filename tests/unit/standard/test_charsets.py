"""Character sets: PS3.3 C.12.1.1.2, PS3.5 §6.1 and the examples of its Annexes H to K."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.charset import python_encoding
from pydicom.valuerep import PersonName

from skiagraph.standard.charsets import character_set

REMARK = "text is not valid in the Specific Character Set"
NONE = "text is not ASCII, but no Specific Character Set says what it is"


@pytest.mark.parametrize(
    ("terms", "raw", "text"),
    [
        pytest.param(("ISO_IR 100",), b"Buc^J\xe9r\xf4me", "Buc^Jérôme", id="Latin 1"),
        pytest.param(("ISO_IR 101",), "Dvořák".encode("iso8859_2"), "Dvořák", id="Latin 2"),
        pytest.param(("ISO_IR 126",), "Διονυσιος".encode("iso8859_7"), "Διονυσιος", id="Greek"),
        pytest.param(("ISO_IR 127",), "قباني".encode("iso8859_6"), "قباني", id="Arabic"),
        pytest.param(("ISO_IR 138",), "שרון".encode("iso8859_8"), "שרון", id="Hebrew"),
        pytest.param(("ISO_IR 144",), "Люкceмбypг".encode("iso8859_5"), "Люкceмбypг", id="Cyrillic"),
        pytest.param(("ISO_IR 148",), "Çavuşoğlu".encode("iso8859_9"), "Çavuşoğlu", id="Latin 5"),
        pytest.param(("ISO_IR 166",), "นามสกุล".encode("tis_620"), "นามสกุล", id="Thai"),
        pytest.param(("ISO_IR 203",), "Œuvre €".encode("iso8859_15"), "Œuvre €", id="Latin 9"),
        pytest.param(("ISO_IR 13",), b"\xd4\xcf\xc0\xde", "ﾔﾏﾀﾞ", id="JIS X 0201"),
        pytest.param(("ISO_IR 192",), "Wang^小東 😀".encode(), "Wang^小東 😀", id="Annex J.1 UTF-8"),
        pytest.param(("GB18030",), "王^小东𠀀".encode("gb18030"), "王^小东𠀀", id="Annex J.2 GB18030"),
        pytest.param(("GBK",), "王^小东".encode("gbk"), "王^小东", id="Annex J.3 GBK"),
        pytest.param(
            ("", "ISO 2022 IR 87"),
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
            id="H.3.1",
        ),
        pytest.param(
            ("ISO 2022 IR 13", "ISO 2022 IR 87"),
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
            id="H.3.2",
        ),
        pytest.param(
            ("", "ISO 2022 IR 149"),
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
            "Hong^Gildong=洪^吉洞=홍^길동",
            id="I.2",
        ),
        pytest.param(
            ("", "ISO 2022 IR 149"), b"Hong=\x1b$)C\xfb\xf3^\xd1\xce\xd4\xd7", "Hong=洪^吉洞", id="I.2, not repeated"
        ),
        pytest.param(
            ("", "ISO 2022 IR 58"),
            b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
            "Zhang^XiaoDong=张^小东=",
            id="K.2",
        ),
        pytest.param(
            ("ISO 2022 IR 100", "ISO 2022 IR 144", "ISO 2022 IR 126"),
            b"\xe4^\x1b-L\xbb\xee=\x1b-F\xc4\\\xe4",
            "ä^Лю=Δ\\ä",
            id="§6.1.2.5.3 delimiters take the first set back",
        ),
        pytest.param(("", "ISO 2022 IR 87"), b"\x1b$B0\\\x1b(B\\b", "移\\b", id="5C is half of a character"),
        pytest.param(("", "ISO 2022 IR 159"), b"\x1b$(D0!\x1b(B", "丂", id="JIS X 0212"),
    ],
)
def test_text_of_the_standard(terms: tuple[str, ...], raw: bytes, text: str) -> None:
    assert character_set(terms).decode(raw, person_name=True) == (text, None)


@pytest.mark.parametrize(
    ("spelling", "raw"),
    [
        pytest.param(spelling, "é".encode("latin-1"), id=spelling)
        for spelling in ("ISO-IR 100", "ISO IR 100", "iso_ir 100", "ISO_IR_100", "ISO_IR 100 ", "ISO8859-1")
    ]
    + [pytest.param(spelling, "é".encode(), id=spelling) for spelling in ("UTF-8", "utf8", "ISO-IR 192")],
)
def test_misspelt_terms_are_understood(spelling: str, raw: bytes) -> None:
    chosen = character_set((spelling,))
    assert chosen.decode(raw) == ("é", None)
    assert chosen.remark is None


@pytest.mark.parametrize(
    ("terms", "default", "raw", "text", "remark"),
    [
        pytest.param((), "", b"plain", "plain", None, id="nothing to guess"),
        pytest.param((), "", "Ä".encode(), "Ä", NONE, id="UTF-8 where it is valid"),
        pytest.param((), "", b"\xc4", "Ä", NONE, id="else Latin 1"),
        pytest.param((), "ISO_IR 144", b"\xbb\xee", "Лю", NONE, id="the default set"),
        pytest.param((), "\\ISO 2022 IR 87", b"\x1b$B;3ED\x1b(B", "山田", None, id="the default set with escapes"),
        pytest.param(("ISO_IR 6",), "", b"\xc4", "Ä", NONE, id="ASCII that is none"),
        pytest.param(("ISO_IR 999",), "", b"\xc4", "Ä", NONE, id="an unknown term counts as none"),
        pytest.param(("ISO_IR 192",), "", b"a\xffb", "a\ufffdb", REMARK, id="invalid UTF-8"),
        pytest.param(("ISO_IR 166",), "", b"\xff", "\ufffd", REMARK, id="not assigned"),
        pytest.param(("ISO_IR 192", "ISO 2022 IR 87"), "", "é".encode(), "é", None, id="no extensions to UTF-8"),
        pytest.param(("ISO 2022 IR 100", "GB18030"), "", b"\xe4", "ä", None, id="GB18030 is no extension"),
    ],
)
def test_missing_and_wrong(terms: tuple[str, ...], default: str, raw: bytes, text: str, remark: str | None) -> None:
    assert character_set(terms, default).decode(raw) == (text, remark)


@pytest.mark.parametrize(
    ("terms", "known"),
    [(("ISO_IR 999",), False), (("ISO_IR 100",), True), ((), True), (("ISO 2022 IR 6", "GBK"), False)],
)
def test_unknown_terms_are_remarked(terms: tuple[str, ...], known: bool) -> None:
    assert (character_set(terms).remark is None) == known


TERMS = sorted(set(python_encoding) | {"ISO_IR 203", "junk"})


@settings(max_examples=300)
@given(st.lists(st.sampled_from(TERMS), max_size=3), st.binary(max_size=40), st.booleans())
def test_any_bytes_in_any_set_are_some_text(terms: list[str], raw: bytes, person_name: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text, _ = character_set(tuple(terms)).decode(raw, person_name=person_name)
    text.encode("utf-8")  # no lone surrogates


PAIRS = [
    (("", "ISO 2022 IR 87"), "山田太郎やまだ"),
    (("", "ISO 2022 IR 149"), "홍길동洪"),
    (("ISO 2022 IR 100", "ISO 2022 IR 144"), "äöüЛюк"),
    (("ISO 2022 IR 126", "ISO 2022 IR 101"), "Διονčř"),
    (("GB18030",), "王小东𠀀"),
    (("ISO_IR 192",), "王ДéΔ😀"),
]


@settings(max_examples=200)
@given(st.data())
def test_what_pydicom_encodes_is_decoded(data: st.DataObject) -> None:
    terms, alphabet = data.draw(st.sampled_from(PAIRS))
    group = st.text(st.sampled_from(alphabet + "abc"), min_size=1, max_size=8)
    name = "=".join(
        "^".join(data.draw(st.lists(group, min_size=1, max_size=3))) for _ in range(data.draw(st.integers(1, 3)))
    )
    raw = bytes(PersonName(name).encode([python_encoding[term or "ISO_IR 6"] for term in terms]))
    assert character_set(terms).decode(raw, person_name=True) == (name, None)
