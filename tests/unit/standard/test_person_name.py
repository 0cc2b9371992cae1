"""standard.person_name: names as they are compared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.standard import person_name
from skiagraph.standard.person_name import groups, normalise, pattern_words, patterns, phonetic, query_groups, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("ZETA^Zachary", "zeta^zachary", id="case"),
        pytest.param("Müller^Jürgen", "muller^jurgen", id="umlauts"),
        pytest.param("Mu\u0308ller", "muller", id="combining marks"),
        pytest.param("Straße", "strasse", id="sharp s"),
        pytest.param("Øster^Łukasz", "oster^lukasz", id="letters that do not decompose"),
        pytest.param("Æbelø", "aebelo", id="ligature"),
        pytest.param("İsmail", "ismail", id="dotted I"),
        pytest.param("Люкceмбypг^Ёлка", "люкceмбypг^елка", id="cyrillic"),
        pytest.param("Διονυσιος", "διονυσιοσ", id="final sigma"),
        pytest.param("山田^太郎", "山田^太郎", id="ideographic"),
        pytest.param("やまだ^たろう", "やまだ^たろう", id="kana keep their sounds"),
        pytest.param("ヤマダ", "やまだ", id="katakana"),
        pytest.param("ﾔﾏﾀﾞ^ﾀﾛｳ", "やまだ^たろう", id="half-width katakana"),
        pytest.param("홍^길동", "홍^길동", id="hangul stays composed"),
        pytest.param("ＺＥＴＡ＊", "zeta*", id="full width"),
        pytest.param("Zeta^Zachary^^", "zeta^zachary", id="trailing empty components, PS3.5 6.2.1.1"),
        pytest.param("Zeta ^ Zachary ^ ", "zeta^zachary", id="blanks around components"),
        pytest.param("Zeta^^Q", "zeta^^q", id="empty component inside"),
        pytest.param("van  der\tBerg", "van der berg", id="runs of blanks"),
        pytest.param("^^^", "", id="nothing"),
        pytest.param("O’Brien", "o'brien", id="typographic apostrophe"),
    ],
)
def test_normalise(text: str, expected: str) -> None:
    assert normalise(text) == expected


@given(st.text(max_size=40))
def test_normalise_is_idempotent(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(max_size=40))
def test_normalise_ignores_case_where_unicode_has_one(text: str) -> None:
    assert normalise(text.casefold()) == normalise(normalise(text))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ({"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}, ("yamada^tarou", "山田^太郎", "")),
        ({"Phonetic": "やまだ"}, ("", "", "やまだ")),
        ("Yamada=山田", ("yamada", "山田", "")),
        ({}, ("", "", "")),
        (None, ("", "", "")),
        (7, ("", "", "")),
        ({"Alphabetic": 7}, ("", "", "")),
    ],
)
def test_groups(name: object, expected: tuple[str, str, str]) -> None:
    assert groups(name) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Zeta^*", ("zeta^*",), id="any group"),
        pytest.param("=山田*", ("", "山田*", ""), id="second group"),
        pytest.param("Zeta=", ("zeta", "", ""), id="first group"),
        pytest.param("a=b=c=d", ("a", "b", "c"), id="too many"),
    ],
)
def test_query_groups(text: str, expected: tuple[str, ...]) -> None:
    assert query_groups(text) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("zeta", ("zeta",)),
        ("zeta*", ("zeta*",)),
        ("zeta^*", ("zeta^*", "zeta")),
        ("zeta^*^*", ("zeta^*^*", "zeta^*", "zeta")),
        ("zeta^z*^*", ("zeta^z*^*", "zeta^z*")),
        ("*^*", ("*^*", "*")),
        ("^*", ("^*", "")),
    ],
)
def test_patterns(pattern: str, expected: tuple[str, ...]) -> None:
    """Empty components at the end do not count, so a pattern for one also stands for its absence."""
    assert patterns(pattern) == expected


def test_words() -> None:
    assert words(normalise("O'Brien^Mary-Ann^^Dr.")) == ("obrien", "mary", "ann", "dr")
    assert words(normalise("DOE_JANE")) == ("doe", "jane")
    assert words("'") == ()


def test_pattern_words() -> None:
    assert pattern_words(normalise("O'Br* ^ *x* Doe ? *")) == ("obr*", "*x*", "doe")


@pytest.mark.parametrize(
    "pair",
    [
        "meyer mayr",
        "meyer maier",
        "schmidt schmitt",
        "stephen steven",
        "catherine kathrin",
        "philip filip",
        "muller mueller",
        "johnson jonson",
        "petersen pedersen",
        "gonzales gonzalez",
        "christian kristian",
        "thompson tomson",
        "wright right",
        "knight night",
        "yvonne ivonne",
        "schulz schulze",
        "schwarz schwartz",
        "fisher fischer",
        "smith smyth",
        "hoffmann hofman",
        "bach back",
        "john jon",
        "cohen kohn",
    ],
)
def test_sounds_like(pair: str) -> None:
    word, other = pair.split()
    assert person_name.sounds_like(word, other)


@pytest.mark.parametrize("pair", ["smith schmidt", "meyer muller", "lee l", "doe roe", "zeta beta", "ann ruth"])
def test_sounds_different(pair: str) -> None:
    word, other = pair.split()
    assert not person_name.sounds_like(word, other)


@pytest.mark.parametrize("word", ["", "山田", "やまだ", "x1", "a" * 65])
def test_no_phonetic_code(word: str) -> None:
    assert phonetic(word) == ""
    assert not person_name.sounds_like(word, word)


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", max_size=20))
def test_codes_are_letters(word: str) -> None:
    """A word of silent letters has none."""
    code = phonetic(word)
    assert code == "" or code.isalpha()
    assert len(code) <= 2 * len(word)
